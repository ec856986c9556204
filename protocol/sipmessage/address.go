package sipmessage

import (
	"fmt"
	"strings"
)

// Param is one ;name=value of a header. A parameter without "=" has no value.
type Param struct{ Name, Value string }

// Address is a From, To or Contact value.
type Address struct {
	Display string
	URI     string // text between the angle brackets, or up to the first ';' without brackets
	Params  []Param
}

// Param returns the value of a header parameter, unquoted.
func (a Address) Param(name string) (string, bool) {
	for _, p := range a.Params {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}

// Tag returns the tag parameter.
func (a Address) Tag() string { v, _ := a.Param("tag"); return v }

// Epid returns the epid parameter, [MS-SIPRE] 3.2.
func (a Address) Epid() string { v, _ := a.Param("epid"); return v }

// ParseAddress reads one name-addr or addr-spec with its header parameters.
func ParseAddress(value string) (Address, error) {
	var a Address
	rest := strings.TrimSpace(value)
	if strings.HasPrefix(rest, `"`) {
		end := strings.Index(rest[1:], `"`)
		if end < 0 {
			return a, fmt.Errorf("%w: display name is not closed", ErrMalformed)
		}
		a.Display, rest = rest[1:end+1], strings.TrimSpace(rest[end+2:])
	}
	if open := strings.IndexByte(rest, '<'); open >= 0 {
		end := strings.IndexByte(rest, '>')
		if end < open {
			return a, fmt.Errorf("%w: address is not closed", ErrMalformed)
		}
		if a.Display == "" {
			a.Display = strings.TrimSpace(rest[:open])
		}
		a.URI, rest = rest[open+1:end], rest[end+1:]
	} else {
		a.URI, rest, _ = strings.Cut(rest, ";")
		rest = ";" + rest
	}
	a.Params = parseParams(rest)
	return a, nil
}

func parseParams(text string) []Param {
	var out []Param
	for _, part := range splitQuoted(text, ';') {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, Param{strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)})
	}
	return out
}

// splitQuoted splits at sep outside double quotes.
func splitQuoted(text string, sep byte) []string {
	var out []string
	quoted, start := false, 0
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == sep && !quoted:
			out = append(out, text[start:i])
			start = i + 1
		}
	}
	return append(out, text[start:])
}

// SignatureFields are the parts of a message that enter a signature ([MS-SIPAE] 3.2.5.2).
type SignatureFields struct {
	CallID, CSeqNum, CSeqMethod, FromURI, FromTag, ToURI, ToTag, PAISip, PAITel, Expires, Status string
}

// Fields returns them, spelled as in the message.
func Fields(m *Message) SignatureFields {
	f := SignatureFields{CallID: m.CallID(), Expires: m.Get("Expires")}
	f.CSeqNum, f.CSeqMethod = m.CSeq()
	if a, err := ParseAddress(m.Get("From")); err == nil {
		f.FromURI, f.FromTag = a.URI, a.Tag()
	}
	if a, err := ParseAddress(m.Get("To")); err == nil {
		f.ToURI, f.ToTag = a.URI, a.Tag()
	}
	asserted := m.Values("P-Asserted-Identity")
	if len(asserted) == 0 {
		asserted = m.Values("P-Preferred-Identity")
	}
	for _, value := range asserted {
		for _, one := range splitQuoted(value, ',') {
			a, err := ParseAddress(one)
			switch {
			case err != nil:
			case f.PAISip == "" && strings.HasPrefix(strings.ToLower(a.URI), "sip:"):
				f.PAISip = a.URI
			case f.PAITel == "" && strings.HasPrefix(strings.ToLower(a.URI), "tel:"):
				f.PAITel = a.URI
			}
		}
	}
	if !m.IsRequest() {
		f.Status = fmt.Sprint(m.Status)
	}
	return f
}
