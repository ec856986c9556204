// Package httpmessage reads and writes HTTP/1.1 messages with the order and case of their headers, as far as SOAP
// over HTTP needs it (RFC 9112).
package httpmessage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of reading and writing.
var (
	ErrTooLarge  = errors.New("HTTP message exceeds its bounds")
	ErrMalformed = errors.New("not an HTTP message")
)

const (
	maxLine    = 16 << 10
	maxHeaders = 100
)

// Header is one header line.
type Header struct{ Name, Value string }

// Request is a request. A nil Body means that there is none.
type Request struct {
	Method, Target string
	Header         []Header
	Body           []byte
}

// Response is a response.
type Response struct {
	Status int
	Reason string
	Header []Header
	Body   []byte
}

// Get returns the first header of that name in any case, or "".
func (r Request) Get(name string) string { return get(r.Header, name) }

// Get returns the first header of that name in any case, or "".
func (r Response) Get(name string) string { return get(r.Header, name) }

func get(headers []Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Append writes the request as given; Content-Length is added last when there is a body and no such header.
func (r Request) Append(b []byte) ([]byte, error) {
	if !isToken(r.Method) || r.Target == "" || strings.ContainsAny(r.Target, " \r\n") {
		return nil, fmt.Errorf("%w: request line %q %.80q", ErrMalformed, r.Method, r.Target)
	}
	b = fmt.Appendf(b, "%s %s HTTP/1.1\r\n", r.Method, r.Target)
	return appendRest(b, r.Header, r.Body, r.Body != nil)
}

// Append writes the response as given; Content-Length is added last when absent.
func (r Response) Append(b []byte) ([]byte, error) {
	if r.Status < 100 || r.Status > 999 || strings.ContainsAny(r.Reason, "\r\n") {
		return nil, fmt.Errorf("%w: status %d %.80q", ErrMalformed, r.Status, r.Reason)
	}
	b = fmt.Appendf(b, "HTTP/1.1 %d %s\r\n", r.Status, r.Reason)
	return appendRest(b, r.Header, r.Body, get(r.Header, "Transfer-Encoding") == "")
}

func appendRest(b []byte, headers []Header, body []byte, withLength bool) ([]byte, error) {
	for _, h := range headers {
		if !isToken(h.Name) || strings.ContainsAny(h.Value, "\r\n") {
			return nil, fmt.Errorf("%w: header %.80q", ErrMalformed, h.Name)
		}
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	if withLength && get(headers, "Content-Length") == "" {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	return append(append(b, "\r\n"...), body...), nil
}

// ReadResponse reads one response; its body has at most limit bytes, also after gzip is undone.
func ReadResponse(br *bufio.Reader, limit int64) (Response, error) {
	var r Response
	line, err := readLine(br)
	if err != nil {
		return r, err
	}
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	r.Status, err = strconv.Atoi(code)
	if err != nil || len(code) != 3 || r.Status < 100 || !strings.HasPrefix(version, "HTTP/1.") {
		return r, fmt.Errorf("%w: status line %.80q", ErrMalformed, line)
	}
	r.Reason = reason
	if r.Header, err = readHeaders(br); err != nil {
		return r, err
	}
	if r.Status == 204 || r.Status == 304 || r.Status < 200 {
		return r, nil
	}
	if r.Body, err = readBody(br, r.Header, limit, true); err != nil {
		return r, err
	}
	if strings.EqualFold(r.Get("Content-Encoding"), "gzip") {
		r.Body, err = gunzip(r.Body, limit)
	}
	return r, err
}

// ReadRequest reads one request; its body has at most limit bytes.
func ReadRequest(br *bufio.Reader, limit int64) (Request, error) {
	var r Request
	line, err := readLine(br)
	if err != nil {
		return r, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !isToken(parts[0]) || parts[1] == "" || !strings.HasPrefix(parts[2], "HTTP/1.") {
		return r, fmt.Errorf("%w: request line %.80q", ErrMalformed, line)
	}
	r.Method, r.Target = parts[0], parts[1]
	if r.Header, err = readHeaders(br); err != nil {
		return r, err
	}
	r.Body, err = readBody(br, r.Header, limit, false)
	return r, err
}

func readHeaders(br *bufio.Reader) ([]Header, error) {
	var out []Header
	for {
		line, err := readLine(br)
		if err != nil {
			return nil, unexpected(err)
		}
		if line == "" {
			return out, nil
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			return nil, fmt.Errorf("%w: header line %.80q", ErrMalformed, line)
		}
		if len(out) == maxHeaders {
			return nil, fmt.Errorf("%w: more than %d headers", ErrTooLarge, maxHeaders)
		}
		out = append(out, Header{name, strings.TrimSpace(value)})
	}
}

// readLine reads up to CR LF, without it.
func readLine(br *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return "", fmt.Errorf("%w: a line has more than %d bytes", ErrTooLarge, maxLine)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			if len(line) > 0 {
				err = unexpected(err)
			}
			return "", err
		}
		return string(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))), nil
	}
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	}) < 0
}
