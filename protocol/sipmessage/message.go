// Package sipmessage reads and writes SIP messages byte for byte and holds the identifiers that Microsoft's SIP
// extensions derive from an endpoint id.
package sipmessage

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a message, in bytes.
const (
	MaxSize       = 64 << 10 // all of it
	MaxHeaderLine = 40 << 10 // one header, name and value, and the start line; a TLS-DSK flight of 24 KiB is 32 KiB there
)

// Errors of Parse and Append.
var (
	ErrTooLarge  = errors.New("SIP message exceeds its bounds")
	ErrMalformed = errors.New("not a SIP message")
)

// Header is one header line, name and value as on the wire, without the blanks around the value.
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

// sameName compares names in any case; a compact form, one letter, is the same as its long form.
func sameName(a, b string) bool {
	if len(a) > 1 && len(b) > 1 {
		return len(a) == len(b) && strings.EqualFold(a, b)
	}
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

// CSeq returns number and method of the CSeq header, as text; both enter the signature.
func (m *Message) CSeq() (num, method string) {
	fields := strings.Fields(m.Get("CSeq"))
	if len(fields) != 2 {
		return "", ""
	}
	return fields[0], fields[1]
}

// Expires returns the Expires header in seconds; ok is false if there is none or it is no number.
func (m *Message) Expires() (seconds uint32, ok bool) {
	n, err := strconv.ParseUint(m.Get("Expires"), 10, 32)
	return uint32(n), err == nil
}

// Append writes the message. Nothing is added: Content-Length is as given.
func (m *Message) Append(b []byte) ([]byte, error) {
	start := len(b)
	b = slices.Grow(b, m.size())
	line, err := m.startLine()
	if err != nil {
		return nil, err
	}
	if len(line) > MaxHeaderLine {
		return nil, tooLongStart(len(line))
	}
	b = append(append(b, line...), "\r\n"...)
	for _, h := range m.Headers {
		if err := h.check(); err != nil {
			return nil, err
		}
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	b = append(append(b, "\r\n"...), m.Body...)
	if len(b)-start > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b)-start, MaxSize)
	}
	return b, nil
}

// size is how many bytes Append writes, or a few more.
func (m *Message) size() int {
	n := len(m.Method) + len(m.RequestURI) + len(m.Reason) + len(version) + len("  200\r\n\r\n") + len(m.Body)
	for _, h := range m.Headers {
		n += len(h.Name) + len(h.Value) + len(": \r\n")
	}
	return min(n, MaxSize)
}

func tooLongStart(n int) error {
	return fmt.Errorf("%w: the start line has %d bytes, at most %d", ErrTooLarge, n, MaxHeaderLine)
}

func (m *Message) startLine() (string, error) {
	if !m.IsRequest() {
		if m.Status < 100 || m.Status > 699 || strings.ContainsAny(m.Reason, "\r\n") {
			return "", fmt.Errorf("%w: status %d %.40q", ErrMalformed, m.Status, m.Reason)
		}
		return version + " " + strconv.Itoa(m.Status) + " " + m.Reason, nil
	}
	if strings.ContainsAny(m.Method+m.RequestURI, " \t\r\n") || m.RequestURI == "" || m.Method == version {
		return "", fmt.Errorf("%w: request %.40q for %.40q", ErrMalformed, m.Method, m.RequestURI)
	}
	return m.Method + " " + m.RequestURI + " " + version, nil
}

func (h Header) check() error {
	if h.Name == "" || strings.ContainsAny(h.Name, ": \t\r\n") {
		return fmt.Errorf("%w: header name %.40q", ErrMalformed, h.Name)
	}
	broken := breaks(h.Value) && breaks(foldedLine.Replace(h.Value))
	if broken || strings.TrimSpace(h.Value) != h.Value {
		return fmt.Errorf("%w: header %.40s has blanks around its value or a line break in it", ErrMalformed, h.Name)
	}
	if n := len(h.Name) + len(": ") + len(h.Value); n > MaxHeaderLine {
		return fmt.Errorf("%w: header %.40s has a line of %d bytes, at most %d", ErrTooLarge, h.Name, n, MaxHeaderLine)
	}
	return nil
}

// breaks reports whether there is a part of a line break in text.
func breaks(text string) bool {
	return strings.IndexByte(text, '\n') >= 0 || strings.IndexByte(text, '\r') >= 0
}

const version = "SIP/2.0"

// foldedLine takes the line breaks out that continue a header line (RFC 3261 7.3.1).
var foldedLine = strings.NewReplacer("\r\n ", " ", "\r\n\t", "\t")

// Parse reads one whole message. Content-Length, if there is one, must be the body's and stand once. Append gives the
// same bytes if each header has one blank after its colon and no other blanks around its value; a folded value keeps
// its line breaks.
func Parse(b []byte) (*Message, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return nil, fmt.Errorf("%w: no empty line after the headers", ErrMalformed)
	}
	start, rest, more := strings.Cut(string(head), "\r\n")
	m := &Message{Headers: make([]Header, 0, strings.Count(rest, "\n")+1)}
	if err := m.parseStart(start); err != nil {
		return nil, err
	}
	for more {
		var line string
		line, rest, more = cutLine(rest)
		h, err := parseHeader(line)
		if err != nil {
			return nil, err
		}
		m.Headers = append(m.Headers, h)
	}
	if len(body) > 0 {
		m.Body = bytes.Clone(body)
	}
	if err := m.checkLength(); err != nil {
		return nil, err
	}
	return m, nil
}

// cutLine returns the first header line with the lines that continue it.
func cutLine(text string) (line, rest string, more bool) {
	for i := 0; ; {
		n := strings.Index(text[i:], "\r\n")
		if n < 0 {
			return text, "", false
		}
		i += n
		if next := text[i+2:]; next == "" || (next[0] != ' ' && next[0] != '\t') {
			return text[:i], next, true
		}
		i += 2
	}
}

func parseHeader(line string) (Header, error) {
	if len(line) > MaxHeaderLine {
		return Header{}, fmt.Errorf("%w: a header line has %d bytes, at most %d", ErrTooLarge, len(line), MaxHeaderLine)
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return Header{}, fmt.Errorf("%w: header line %.40q has no colon", ErrMalformed, line)
	}
	h := Header{strings.TrimRight(name, " \t"), strings.TrimSpace(value)}
	return h, h.check()
}

func (m *Message) checkLength() error {
	lengths := m.Values("Content-Length")
	if len(lengths) == 0 {
		return nil
	}
	if n, err := strconv.ParseUint(lengths[0], 10, 32); err != nil || n != uint64(len(m.Body)) || len(lengths) > 1 {
		return fmt.Errorf("%w: Content-Length %.40q, the body has %d bytes", ErrMalformed, lengths, len(m.Body))
	}
	return nil
}

func (m *Message) parseStart(line string) error {
	if len(line) > MaxHeaderLine {
		return tooLongStart(len(line))
	}
	if rest, ok := strings.CutPrefix(line, version+" "); ok {
		code, reason, ok := strings.Cut(rest, " ")
		status, err := strconv.ParseUint(code, 10, 16)
		if !ok || err != nil || len(code) != 3 {
			return fmt.Errorf("%w: status line %.40q", ErrMalformed, line)
		}
		m.Status, m.Reason = int(status), reason
	} else {
		parts := strings.Split(line, " ")
		if len(parts) != 3 || parts[2] != version || parts[0] == "" {
			return fmt.Errorf("%w: start line %.40q", ErrMalformed, line)
		}
		m.Method, m.RequestURI = parts[0], parts[1]
	}
	_, err := m.startLine()
	return err
}
