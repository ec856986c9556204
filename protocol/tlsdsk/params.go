package tlsdsk

import (
	"errors"
	"fmt"
	"strings"
)

// Scheme and Realm are the same in every sample (sip.md §1.2).
const (
	Scheme = "TLS-DSK"
	Realm  = "SIP Communications Service"

	// Version is that of Lync 2010 and later ([MS-SIPAE] 3.3.5.1).
	Version = 4
)

// ErrParams is wrapped by errors of ParseParams.
var ErrParams = errors.New("authentication parameters cannot be read")

// Params are the parameters of WWW-Authenticate, Authorization and Authentication-Info.
type Params struct {
	QOP, Opaque, Realm, TargetName, Version, STSURI, GSSAPIData string
	CRand, CNum, Response, SRand, SNum, RSPAuth                 string
	Unknown                                                     []Param
}

// Param is a parameter that has no field.
type Param struct{ Name, Value string }

func (p *Params) field(name string) *string {
	switch strings.ToLower(name) {
	case "qop":
		return &p.QOP
	case "opaque":
		return &p.Opaque
	case "realm":
		return &p.Realm
	case "targetname":
		return &p.TargetName
	case "version":
		return &p.Version
	case "sts-uri":
		return &p.STSURI
	case "gssapi-data":
		return &p.GSSAPIData
	case "crand":
		return &p.CRand
	case "cnum":
		return &p.CNum
	case "response":
		return &p.Response
	case "srand":
		return &p.SRand
	case "snum":
		return &p.SNum
	case "rspauth":
		return &p.RSPAuth
	}
	return nil
}

// ParseParams reads a header value: scheme, then name=value pairs in any order, quoted or not (sip.md §1.3).
func ParseParams(value string) (scheme string, p Params, err error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if scheme == "" {
		return "", p, fmt.Errorf("%w: no scheme", ErrParams)
	}
	for rest = strings.TrimSpace(rest); rest != ""; {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, `", `) {
			return scheme, p, fmt.Errorf("%w: name=value expected", ErrParams)
		}
		var text string
		if text, rest, err = cutValue(strings.TrimLeft(after, " ")); err != nil {
			return scheme, p, err
		}
		if field := p.field(name); field == nil {
			p.Unknown = append(p.Unknown, Param{name, text})
		} else if *field != "" {
			return scheme, p, fmt.Errorf("%w: %s twice", ErrParams, name)
		} else {
			*field = text
		}
	}
	return scheme, p, nil
}

func cutValue(text string) (value, rest string, err error) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		value, rest, ok = strings.Cut(quoted, `"`)
		if !ok {
			return "", "", fmt.Errorf("%w: a quote is not closed", ErrParams)
		}
		rest = strings.TrimLeft(rest, " ")
		if rest != "" && rest[0] != ',' {
			return "", "", fmt.Errorf("%w: comma expected", ErrParams)
		}
		return value, strings.TrimLeft(strings.TrimPrefix(rest, ","), " "), nil
	}
	value, rest, _ = strings.Cut(text, ",")
	return strings.TrimSpace(value), strings.TrimLeft(rest, " "), nil
}

// pair is a parameter to write; bare ones are not quoted.
type pair struct {
	name, value string
	bare        bool
}

func build(pairs ...pair) string {
	size := len(Scheme)
	for _, q := range pairs {
		size += len(q.name) + len(q.value) + len(`, =""`)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(Scheme)
	sep := " "
	for _, q := range pairs {
		if q.value == "" {
			continue
		}
		b.WriteString(sep)
		b.WriteString(q.name)
		if q.bare {
			b.WriteString("=")
			b.WriteString(q.value)
		} else {
			b.WriteString(`="`)
			b.WriteString(q.value)
			b.WriteString(`"`)
		}
		sep = ", "
	}
	return b.String()
}

// FirstChallenge is the WWW-Authenticate value of a 401 that begins an authentication.
func FirstChallenge(p Params) string {
	return build(pair{"realm", p.Realm, false}, pair{"targetname", p.TargetName, false}, pair{"version", p.Version, true}, pair{"sts-uri", p.STSURI, false})
}

// Challenge is the WWW-Authenticate value that carries a flight.
func Challenge(p Params) string {
	return build(pair{"opaque", p.Opaque, false}, pair{"gssapi-data", p.GSSAPIData, false}, pair{"targetname", p.TargetName, false}, pair{"realm", p.Realm, false}, pair{"version", p.Version, true})
}

// AuthorizationHandshake is the Authorization value of REGISTER #2 (no opaque) and #3.
func AuthorizationHandshake(p Params) string {
	return build(pair{"qop", p.QOP, false}, pair{"opaque", p.Opaque, false}, pair{"realm", p.Realm, false}, pair{"targetname", p.TargetName, false}, pair{"gssapi-data", p.GSSAPIData, false}, pair{"version", p.Version, true})
}

// AuthorizationSigned is the Authorization value of a signed message; only REGISTER #4 has a version.
func AuthorizationSigned(p Params) string {
	return build(pair{"qop", p.QOP, false}, pair{"opaque", p.Opaque, false}, pair{"realm", p.Realm, false}, pair{"targetname", p.TargetName, false}, pair{"version", p.Version, true}, pair{"crand", p.CRand, false}, pair{"cnum", p.CNum, false}, pair{"response", p.Response, false})
}

// AuthenticationInfo is the value that signs a message of the pool.
func AuthenticationInfo(p Params) string {
	return build(pair{"qop", p.QOP, false}, pair{"opaque", p.Opaque, false}, pair{"srand", p.SRand, false}, pair{"snum", p.SNum, false}, pair{"rspauth", p.RSPAuth, false}, pair{"targetname", p.TargetName, false}, pair{"realm", p.Realm, false}, pair{"version", p.Version, true})
}
