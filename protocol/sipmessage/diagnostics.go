package sipmessage

import (
	"strconv"
	"strings"
)

// Diagnostics is the value of ms-diagnostics, and of ms-diagnostics-public which has no internal data:
// id;reason="text";source="fqdn" ([MS-OCER], sip.md §4.6).
type Diagnostics struct {
	ID             int
	Reason, Source string
	Params         []Param // the others, in order
}

// ParseDiagnostics reads the header's value; ok is false if it has no number.
func ParseDiagnostics(value string) (d Diagnostics, ok bool) {
	text, rest, _ := strings.Cut(value, ";")
	id, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return d, false
	}
	d.ID = int(id)
	for _, p := range parseParams(rest) {
		switch strings.ToLower(p.Name) {
		case "reason":
			d.Reason = p.Value
		case "source":
			d.Source = p.Value
		default:
			d.Params = append(d.Params, p)
		}
	}
	return d, true
}

// String writes the header's value.
func (d Diagnostics) String() string {
	text := strconv.Itoa(d.ID)
	if d.Reason != "" {
		text += ";reason=" + quote(d.Reason)
	}
	if d.Source != "" {
		text += ";source=" + quote(d.Source)
	}
	for _, p := range d.Params {
		text += ";" + p.Name + "=" + quote(p.Value)
	}
	return text
}
