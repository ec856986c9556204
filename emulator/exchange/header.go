package exchange

import (
	"regexp"
	"strings"
)

// header adds one header line, with its parameters as fields of their own where they are told one by one: From;tag.
func (f *fields) header(name, value string) {
	switch key := strings.ToLower(name); {
	case authHeaders[key]:
		f.proof(name, value)
	case parameterHeaders[key]:
		f.parameters(name, value)
	case shownHeaders[key]:
		f.add(name, value)
	case freshHeaders[key]:
		f.fresh(name, value)
	case secretHeaders[key]:
		f.freshSecret(name)
	default:
		f.secret(name)
	}
}

// parameters adds the first part of a value, and each parameter behind it.
func (f *fields) parameters(name, value string) {
	parts := split(value, ';')
	name = f.add(name, parts[0])
	for _, part := range parts[1:] {
		parameter, text, _ := strings.Cut(part, "=")
		if freshParameters[strings.ToLower(strings.TrimSpace(parameter))] {
			f.fresh(name+";"+parameter, text)
		} else {
			f.add(name+";"+parameter, text)
		}
	}
}

// parameterName is what the name of a parameter looks like. Whatever does not may be part of a proof.
var parameterName = regexp.MustCompile(`^[A-Za-z][A-Za-z-]{0,31}$`)

// token68 is what stands behind a scheme instead of parameters (RFC 9110, 11.2).
var token68 = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// proof adds the scheme of an authentication header, and its parameters. A parameter that is no proof is told.
func (f *fields) proof(name, value string) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if strings.Contains(scheme, "=") {
		f.secret(name)
		return
	}
	name = f.add(name, scheme)
	rest = strings.TrimSpace(rest)
	if token68.MatchString(rest) {
		f.secret(name + ";token")
		return
	}
	for _, part := range split(rest, ',') {
		parameter, text, _ := strings.Cut(part, "=")
		switch key := strings.ToLower(parameter); {
		case part == "":
		case shownParams[key]:
			f.add(name+";"+parameter, text)
		case key == "gssapi-data":
			f.flight(f.freshSecret(name+";"+parameter), text)
		case freshParams[key]:
			f.freshSecret(name + ";" + parameter)
		case parameterName.MatchString(parameter):
			f.secret(name + ";" + parameter)
		default:
			f.secret(name + ";parameter")
		}
	}
}

// split cuts a value where sep stands neither in quotes nor in angle brackets. It returns at least one part, without
// blanks around each.
func split(value string, sep byte) []string {
	var out []string
	quoted, depth, begin := false, 0, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			depth++
		case c == '>':
			depth = max(depth-1, 0)
		case c == sep && depth == 0:
			out = append(out, strings.TrimSpace(value[begin:i]))
			begin = i + 1
		}
	}
	return append(out, strings.TrimSpace(value[begin:]))
}
