package sipmessage

import (
	"fmt"
	"strconv"
	"strings"
)

// Diagnostics is an ms-diagnostics header: id;reason="text";source="fqdn" ([MS-OCER]).
type Diagnostics struct {
	ID             int
	Reason, Source string
	Params         []Param // the others, in order
}

// ParseDiagnostics reads the header's value; ok is false if it has no number.
func ParseDiagnostics(value string) (d Diagnostics, ok bool) {
	text, rest, _ := strings.Cut(value, ";")
	id, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return d, false
	}
	d.ID = id
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
		text += fmt.Sprintf(";reason=%q", d.Reason)
	}
	if d.Source != "" {
		text += fmt.Sprintf(";source=%q", d.Source)
	}
	for _, p := range d.Params {
		text += fmt.Sprintf(";%s=%q", p.Name, p.Value)
	}
	return text
}

// Response builds the response to req with From, To, Call-ID, CSeq and Via of it, then the extra headers. toTag is
// added to To unless that has a tag or toTag is empty. The caller adds Content-Length if extra has none.
func Response(req *Message, status int, reason, toTag string, extra ...Header) *Message {
	m := &Message{Status: status, Reason: reason}
	m.Add("From", req.Get("From"))
	to := req.Get("To")
	if a, err := ParseAddress(to); err == nil && a.Tag() == "" && toTag != "" {
		to += ";tag=" + toTag
	}
	m.Add("To", to)
	m.Add("Call-ID", req.CallID())
	m.Add("CSeq", req.Get("CSeq"))
	for _, via := range req.Values("Via") {
		m.Add("Via", via)
	}
	m.Headers = append(m.Headers, extra...)
	if m.Get("Content-Length") == "" {
		m.Add("Content-Length", "0")
	}
	return m
}
