package interpose

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/soap"
)

// recordHandshake is the type of the first record of a TLS connection (RFC 5246, 6.2.1).
const recordHandshake = 22

// outer is a TCP connection: one with TLS, of which the hellos are heard, or one without.
type outer struct {
	net.Conn
	ear    Ear
	host   string
	inside *talk
	out    Outgoing

	mu             sync.Mutex
	begun, secure  bool
	hello, answer  []byte
	answered, over bool
	answers        *answers // without TLS
}

func (o *outer) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	o.mu.Lock()
	defer o.mu.Unlock()
	if n > 0 && !o.begun {
		o.begun, o.secure = true, b[0] == recordHandshake
		if !o.secure {
			o.answers = newAnswers(o.out)
		}
	}
	switch {
	case n == 0:
		o.answers.asks(nil, err)
	case !o.secure:
		o.answers.asks(b[:n], nil)
		o.inside.hear(b[:n], true)
	case o.answered && !o.over: // the client has gone on
		o.over = true
		o.ear.tellOf(o.Conn, true, false, "tls", o.host, func() exchange.Content { return exchange.ServerHello(o.answer, nil) })
		o.answer = nil
	case !o.answered && len(o.hello)+n <= exchange.MaxFlight:
		o.hello = append(o.hello, b[:n]...)
	}
	return n, err
}

func (o *outer) Write(b []byte) (int, error) {
	o.mu.Lock()
	length := len(b)
	switch {
	case !o.secure:
		b = o.answers.said(b)
		o.inside.hear(b, false)
	case !o.answered:
		o.answered = true
		o.ear.tellOf(o.Conn, true, true, "tls", o.host, func() exchange.Content { return exchange.ClientHello(o.hello) })
		o.hello = nil
	}
	if o.secure && !o.over && len(o.answer)+len(b) <= exchange.MaxFlight {
		o.answer = append(o.answer, b...)
	}
	o.mu.Unlock()
	return writeAll(o.Conn, b, length)
}

// writeAll writes what was made of length bytes.
func writeAll(conn net.Conn, b []byte, length int) (int, error) {
	if len(b) == 0 {
		return length, nil
	}
	if n, err := conn.Write(b); err != nil {
		return min(n, length), err
	}
	return length, nil
}

// Close ends the connection.
func (o *outer) Close() error {
	o.flush()
	return o.Conn.Close()
}

// flush sends what was kept back.
func (o *outer) flush() {
	o.mu.Lock()
	rest := o.answers.rest()
	o.mu.Unlock()
	flush(o.Conn, rest)
}

func flush(conn net.Conn, rest []byte) {
	if len(rest) > 0 {
		_, _ = conn.Write(rest) // fails when the handset is gone
	}
}

// Reset implements [ethernet.Resetter].
func (o *outer) Reset() error {
	o.mu.Lock()
	o.answers.silence()
	o.mu.Unlock()
	if r, ok := o.Conn.(ethernet.Resetter); ok {
		return r.Reset()
	}
	return o.Conn.Close()
}

// CloseWrite ends writing.
func (o *outer) CloseWrite() error {
	o.flush()
	return closeWrite(o.Conn)
}

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Inside is a connection inside TLS whose HTTP or SIP is overheard. What out changes of its HTTP is heard as it is sent.
func Inside(conn net.Conn, host string, ear Ear, out Outgoing) net.Conn {
	if ear == nil && out == nil {
		return conn
	}
	return &inner{conn, newTalk(conn, host, ear, true), newAnswers(out)}
}

// Silence is for a connection of [Inside] whose end is at hand: what is still written to it is no answer to anybody.
func Silence(conn net.Conn) {
	if i, ok := conn.(*inner); ok {
		i.answers.silence()
	}
}

type inner struct {
	net.Conn
	talk    *talk
	answers *answers
}

func (i *inner) Read(b []byte) (int, error) {
	n, err := i.Conn.Read(b)
	i.answers.asks(b[:n], err)
	i.talk.hear(b[:n], true)
	return n, err
}

func (i *inner) Write(b []byte) (int, error) {
	length := len(b)
	b = i.answers.said(b)
	i.talk.hear(b, false)
	return writeAll(i.Conn, b, length)
}

// CloseWrite ends writing.
func (i *inner) CloseWrite() error {
	flush(i.Conn, i.answers.rest())
	return closeWrite(i.Conn)
}

// Close ends the connection.
func (i *inner) Close() error {
	flush(i.Conn, i.answers.rest())
	return i.Conn.Close()
}

// talk puts the messages of a connection together.
type talk struct {
	ear    Ear
	conn   net.Conn
	host   string
	secure bool

	mu      sync.Mutex
	waiting [2][]byte // what is no whole message yet: of the pool, of the handset
	deaf    [2]bool   // what came is no HTTP and no SIP, or too long
}

func newTalk(conn net.Conn, host string, ear Ear, secure bool) *talk {
	return &talk{ear: ear, conn: conn, host: host, secure: secure}
}

const maxMessage = soap.MaxSize + sipmessage.MaxSize

func (t *talk) hear(b []byte, sent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	side := 0
	if sent {
		side = 1
	}
	if t.ear == nil || t.deaf[side] || len(b) == 0 {
		return
	}
	waiting := append(t.waiting[side], b...)
	for len(waiting) > 0 {
		n, protocol, content, err := next(waiting, sent)
		if errors.Is(err, errMore) && len(waiting) <= maxMessage {
			break
		}
		if err != nil {
			t.deaf[side], waiting = true, nil
			break
		}
		if protocol != "" {
			t.ear.tellOf(t.conn, t.secure, sent, protocol, t.host, func() exchange.Content { return content })
		}
		waiting = waiting[n:]
	}
	t.waiting[side] = append([]byte(nil), waiting...)
}

var (
	errMore    = errors.New("the message is not whole yet")
	errForeign = errors.New("neither HTTP nor SIP")
)

const crlf = "\r\n"

// next takes the first message off b. A protocol "" is none that is told.
func next(b []byte, sent bool) (n int, protocol string, c exchange.Content, err error) {
	switch {
	case bytes.HasPrefix(b, []byte(crlf+crlf)) && sent:
		return len(crlf + crlf), "sip", exchange.KeepAlive(), nil
	case bytes.HasPrefix(b, []byte(crlf)) && (!sent || len(b) >= len(crlf+crlf)):
		return len(crlf), "", c, nil // the answer to a keep-alive
	case bytes.HasPrefix([]byte(crlf+crlf), b):
		return 0, "", c, errMore
	}
	end := bytes.Index(b, []byte(crlf+crlf))
	if end < 0 {
		return 0, "", c, errMore
	}
	first, _, _ := bytes.Cut(b, []byte(crlf))
	if bytes.Contains(first, []byte("SIP/2.0")) {
		return nextSIP(b, end+len(crlf+crlf))
	}
	return nextHTTP(b, sent)
}

func nextSIP(b []byte, head int) (n int, protocol string, c exchange.Content, err error) {
	n = head
	for _, line := range strings.Split(string(b[:head]), crlf) {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			continue
		}
		length, err := strconv.ParseUint(strings.TrimSpace(value), 10, 20)
		if err != nil {
			return 0, "", c, errForeign
		}
		n = head + int(length)
	}
	if n > len(b) {
		return 0, "", c, errMore
	}
	m, err := sipmessage.Parse(b[:n])
	if err != nil {
		return 0, "", c, err
	}
	return n, "sip", exchange.SIP(m), nil
}

func nextHTTP(b []byte, sent bool) (n int, protocol string, c exchange.Content, err error) {
	from := bytes.NewReader(b)
	buffered := bufio.NewReader(from)
	if sent {
		var m httpmessage.Request
		if m, err = httpmessage.ReadRequest(buffered, soap.MaxSize); err == nil {
			c = exchange.HTTPRequest(m)
		}
	} else {
		var m httpmessage.Response
		if m, err = httpmessage.ReadResponse(buffered, soap.MaxSize); err == nil {
			c = exchange.HTTPResponse(m)
		}
	}
	switch {
	case unfinished(err):
		return 0, "", c, errMore
	case err != nil:
		return 0, "", c, errForeign
	}
	return len(b) - from.Len() - buffered.Buffered(), "http", c, nil
}
