// Package sipmessage reads and writes SIP messages byte for byte and holds the identifiers that Microsoft's SIP
// extensions derive from an endpoint id.
package sipmessage

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a message.
const (
	MaxSize       = 64 << 10
	MaxHeaderLine = 40 << 10
)

// Errors of Parse and Append.
var (
	ErrTooLarge  = errors.New("SIP message exceeds its bounds")
	ErrMalformed = errors.New("not a SIP message")
)

// Header is one header line, name and value as on the wire.
type Header struct{ Name, Value string }

// Message is a request (Method is set) or a response (Status is set). Headers keep order, case and spelling.
type Message struct {
	Method     string
	RequestURI string
	Status     int
	Reason     string
	Headers    []Header
	Body       []byte
}

// IsRequest tells requests from responses.
func (m *Message) IsRequest() bool { return m.Method != "" }

var compact = map[string]string{
	"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
	"k": "supported", "o": "event", "u": "allow-events", "e": "content-encoding", "s": "subject",
}

func sameName(a, b string) bool {
	return long(a) == long(b)
}

func long(name string) string {
	name = strings.ToLower(name)
	if full, ok := compact[name]; ok {
		return full
	}
	return name
}

// Get returns the value of the first header of that name, or "".
func (m *Message) Get(name string) string {
	for _, h := range m.Headers {
		if sameName(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Values returns the values of all headers of that name, in order.
func (m *Message) Values(name string) []string {
	var out []string
	for _, h := range m.Headers {
		if sameName(h.Name, name) {
			out = append(out, h.Value)
		}
	}
	return out
}

// Add appends a header.
func (m *Message) Add(name, value string) { m.Headers = append(m.Headers, Header{name, value}) }

// Set replaces the value of the first header of that name, or appends the header.
func (m *Message) Set(name, value string) {
	for i := range m.Headers {
		if sameName(m.Headers[i].Name, name) {
			m.Headers[i].Value = value
			return
		}
	}
	m.Add(name, value)
}

// CallID returns the Call-ID.
func (m *Message) CallID() string { return m.Get("Call-ID") }

// CSeq returns number and method of the CSeq header, as text.
func (m *Message) CSeq() (num, method string) {
	num, method, _ = strings.Cut(strings.TrimSpace(m.Get("CSeq")), " ")
	return num, strings.TrimSpace(method)
}

// Append writes the message.
func (m *Message) Append(b []byte) ([]byte, error) {
	start := len(b)
	if m.IsRequest() {
		b = fmt.Appendf(b, "%s %s SIP/2.0\r\n", m.Method, m.RequestURI)
	} else {
		b = fmt.Appendf(b, "SIP/2.0 %d %s\r\n", m.Status, m.Reason)
	}
	for _, h := range m.Headers {
		if strings.ContainsAny(h.Name+h.Value, "\r\n") || h.Name == "" {
			return nil, fmt.Errorf("%w: header %q holds a line break or no name", ErrMalformed, h.Name)
		}
		if len(h.Name)+2+len(h.Value) > MaxHeaderLine {
			return nil, fmt.Errorf("%w: header %s has %d bytes, at most %d", ErrTooLarge, h.Name, len(h.Value), MaxHeaderLine)
		}
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	b = append(append(b, "\r\n"...), m.Body...)
	if len(b)-start > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b)-start, MaxSize)
	}
	return b, nil
}

// Parse reads one whole message. Content-Length, if there is one, must be the body's.
func Parse(b []byte) (*Message, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return nil, fmt.Errorf("%w: no empty line after the headers", ErrMalformed)
	}
	lines := strings.Split(string(head), "\r\n")
	m := &Message{}
	if err := m.parseStart(lines[0]); err != nil {
		return nil, err
	}
	for _, line := range lines[1:] {
		if len(line) > MaxHeaderLine {
			return nil, fmt.Errorf("%w: a header line has %d bytes, at most %d", ErrTooLarge, len(line), MaxHeaderLine)
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%w: header line %.40q", ErrMalformed, line)
		}
		m.Add(name, strings.TrimSpace(value))
	}
	if len(body) > 0 {
		m.Body = bytes.Clone(body)
	}
	if text := m.Get("Content-Length"); text != "" {
		if n, err := strconv.Atoi(text); err != nil || n != len(body) {
			return nil, fmt.Errorf("%w: Content-Length %q, the body has %d bytes", ErrMalformed, text, len(body))
		}
	}
	return m, nil
}

func (m *Message) parseStart(line string) error {
	if len(line) > MaxHeaderLine {
		return fmt.Errorf("%w: start line of %d bytes", ErrTooLarge, len(line))
	}
	if rest, ok := strings.CutPrefix(line, "SIP/2.0 "); ok {
		code, reason, _ := strings.Cut(rest, " ")
		status, err := strconv.Atoi(code)
		if err != nil || status < 100 || status > 699 || len(code) != 3 {
			return fmt.Errorf("%w: status line %.40q", ErrMalformed, line)
		}
		m.Status, m.Reason = status, reason
		return nil
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[2] != "SIP/2.0" || parts[0] == "" || parts[1] == "" {
		return fmt.Errorf("%w: start line %.40q", ErrMalformed, line)
	}
	m.Method, m.RequestURI = parts[0], parts[1]
	return nil
}
