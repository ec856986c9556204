package importer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/soap"
)

// A spoken message is one that HTTP or SIP carried.
type spoken struct {
	chunk      // the frame that made it whole
	Raw        []byte
	Begin      int   // the frame that it begins in
	Lost       int   // bytes that are missing before it
	Err        error // it cannot be read
	Request    *httpmessage.Request
	Response   *httpmessage.Response
	SIP        *sipmessage.Message
	KeepAlive  bool
	Unreadable []byte
}

var (
	startHTTP = regexp.MustCompile(`^(HTTP/1\.[01] [1-9][0-9][0-9][ \r]|[A-Z]{3,10} [^ \r\n]+ HTTP/1\.[01]\r\n)`)
	startSIP  = regexp.MustCompile(`^(SIP/2\.0 [1-6][0-9][0-9] |[A-Z]{3,10} [^ \r\n]+ SIP/2\.0\r\n)`)

	// A body may end without a line break: these begin anywhere.
	nextRequest  = regexp.MustCompile(`[^A-Z]([A-Z]{3,10} [^ \r\n]+ (?:SIP/2\.0|HTTP/1\.[01])\r\n)`)
	nextResponse = regexp.MustCompile(`HTTP/1\.[01] [1-9][0-9][0-9][ \r]|SIP/2\.0 [1-6][0-9][0-9] `)
)

var keepAlive = []byte("\r\n\r\n")

var (
	errCutOff  = errors.New("the capture holds its beginning alone")
	errUnknown = errors.New("neither HTTP nor SIP")
)

// maxBroken bounds how often a direction is looked through for the next message that can be read.
const maxBroken = 100

// speech reads the messages of one direction. What is unreadable between two messages is one, too.
func speech(runs []run) []spoken {
	var out []spoken
	for _, r := range runs {
		lost := r.lost
		b, broken := r.bytes(), 0
		for at := 0; at < len(b); {
			m, n := speak(b[at:])
			if m.Err != nil {
				broken++
			}
			if broken > maxBroken {
				m, n = spoken{Err: m.Err, Unreadable: b[at:]}, len(b)-at
			}
			m.chunk, m.Raw, m.Begin, m.Lost = r.at(at+n), b[at:at+n], r.at(at+1).Frame, lost
			lost = 0
			if m.Request != nil || m.Response != nil || m.SIP != nil || m.KeepAlive || m.Err != nil {
				out = append(out, m)
			}
			at += n
		}
	}
	return out
}

// speak reads the first message of b and says how many bytes it has, at least one.
func speak(b []byte) (spoken, int) {
	switch {
	case bytes.HasPrefix(b, keepAlive):
		return spoken{KeepAlive: true}, len(keepAlive)
	case bytes.HasPrefix(b, []byte("\r\n")):
		return spoken{}, 2 // as a registrar answers a keep-alive, or between messages (RFC 3261, 7.5)
	case startSIP.Match(b):
		return speakSIP(b)
	case startHTTP.Match(b):
		return speakHTTP(b)
	}
	if !bytes.Contains(b, []byte("\n")) && len(b) < maxStartLine {
		return unreadable(b, errCutOff)
	}
	return unreadable(b, errUnknown)
}

// maxStartLine is what a start line has at most, so that less without an end may begin one.
const maxStartLine = 1024

// unreadable is whatever stands before the next start line.
func unreadable(b []byte, err error) (spoken, int) {
	n := len(b)
	if next := nextRequest.FindSubmatchIndex(b); next != nil {
		n = next[2]
	}
	if next := nextResponse.FindIndex(b[1:]); next != nil {
		n = min(n, next[0]+1)
	}
	return spoken{Err: err, Unreadable: b[:n]}, n
}

func speakSIP(b []byte) (spoken, int) {
	head := bytes.Index(b[:min(len(b), sipmessage.MaxSize)], []byte("\r\n\r\n"))
	if head < 0 {
		return unreadable(b, errCutOff)
	}
	size := head + 4
	for line := range bytes.Lines(b[:head]) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if name = bytes.TrimSpace(name); bytes.EqualFold(name, []byte("Content-Length")) || bytes.EqualFold(name, []byte("l")) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 {
				return unreadable(b, sipmessage.ErrMalformed)
			}
			if n > sipmessage.MaxSize {
				return unreadable(b, sipmessage.ErrTooLarge)
			}
			size += n
			break
		}
	}
	if size > len(b) {
		return unreadable(b, errCutOff)
	}
	m, err := sipmessage.Parse(b[:size])
	if err != nil {
		return spoken{Err: err, Unreadable: b[:size]}, size
	}
	return spoken{SIP: m}, size
}

func speakHTTP(b []byte) (spoken, int) {
	counted := bytes.NewReader(b)
	br := bufio.NewReader(counted)
	var m spoken
	if bytes.HasPrefix(b, []byte("HTTP/")) {
		r, err := httpmessage.ReadResponse(br, soap.MaxSize)
		m.Response, m.Err = &r, err
	} else {
		r, err := httpmessage.ReadRequest(br, soap.MaxSize)
		m.Request, m.Err = &r, err
	}
	if m.Err == nil {
		return m, len(b) - counted.Len() - br.Buffered()
	}
	if errors.Is(m.Err, io.ErrUnexpectedEOF) {
		m.Err = errCutOff
	}
	return unreadable(b, m.Err)
}

// content is the message in its protocol's terms.
func (m *spoken) content() (protocol string, c exchange.Content) {
	switch {
	case m.Request != nil:
		return "http", exchange.HTTPRequest(*m.Request)
	case m.Response != nil:
		return "http", exchange.HTTPResponse(*m.Response)
	case m.SIP != nil:
		return "sip", exchange.SIP(m.SIP)
	}
	return "sip", exchange.KeepAlive()
}
