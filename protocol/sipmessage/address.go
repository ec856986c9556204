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

// ParseAddress reads the first name-addr or addr-spec of a header with its header parameters.
func ParseAddress(value string) (Address, error) {
	first, _, _ := cutOutside(value, ',')
	return parseAddress(first)
}

// ParseAddresses reads a header that may list several, such as Contact.
func ParseAddresses(value string) ([]Address, error) {
	var out []Address
	for more := true; more; {
		var one string
		one, value, more = cutOutside(value, ',')
		a, err := parseAddress(one)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func parseAddress(value string) (Address, error) {
	var a Address
	rest := strings.TrimSpace(value)
	if strings.HasPrefix(rest, `"`) {
		end := closingQuote(rest)
		if end < 0 {
			return a, fmt.Errorf("%w: the display name of %.40q is not closed", ErrMalformed, value)
		}
		a.Display, rest = unquote(rest[:end+1]), strings.TrimSpace(rest[end+1:])
		if !strings.HasPrefix(rest, "<") {
			return a, fmt.Errorf("%w: no < after the display name of %.40q", ErrMalformed, value)
		}
	}
	if open := strings.IndexByte(rest, '<'); open >= 0 && !strings.Contains(rest[:open], ";") {
		end := strings.IndexByte(rest, '>')
		if end < open {
			return a, fmt.Errorf("%w: the address %.40q is not closed", ErrMalformed, value)
		}
		if a.Display == "" {
			a.Display = strings.TrimSpace(rest[:open])
		}
		a.URI, rest = rest[open+1:end], strings.TrimSpace(rest[end+1:])
		if rest != "" && rest[0] != ';' {
			return a, fmt.Errorf("%w: %.20q after the address", ErrMalformed, rest)
		}
	} else {
		a.URI, rest, _ = strings.Cut(rest, ";")
		a.URI = strings.TrimSpace(a.URI)
	}
	if a.URI == "" {
		return a, fmt.Errorf("%w: %.40q has no address", ErrMalformed, value)
	}
	a.Params = parseParams(rest)
	return a, nil
}

func parseParams(text string) []Param {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	out := make([]Param, 0, strings.Count(text, ";"))
	for more := true; more; {
		var part string
		part, text, more = cutOutside(text, ';')
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, Param{strings.TrimSpace(name), unquote(strings.TrimSpace(value))})
	}
	return out
}

// cutOutside is [strings.Cut] at the first sep outside double quotes and angle brackets.
func cutOutside(text string, sep byte) (before, after string, found bool) {
	quoted, inside := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			inside = true
		case c == '>':
			inside = false
		case c == sep && !inside:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// closingQuote is the place of the quote that ends the quoted string text begins with, -1 if none does.
func closingQuote(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unquote returns the text of a quoted string (RFC 3261 25.1), or text itself if it is none.
func unquote(text string) string {
	if len(text) < 2 || text[0] != '"' || closingQuote(text) != len(text)-1 {
		return text
	}
	if text = text[1 : len(text)-1]; !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// quote writes a quoted string.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
