// Package sipstack carries SIP messages over one connection, for the handset and for the lab's registrar alike. It is
// the only importer of sipgo, which reads the stream and cuts it into messages; transactions, retries and order are
// the caller's.
package sipstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

const (
	queueLength    = 16
	readBufferSize = 4096
)

// sipgo keeps these for the whole process.
var _ = func() struct{} {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	sip.TransportBufferReadSize = readBufferSize
	return struct{}{}
}()

// Options say what the connection is.
type Options struct {
	Transport string // tls (also when empty) or tcp
}

// Conn sends and receives messages on one connection, in order.
type Conn struct {
	conn     net.Conn
	layer    *sip.TransportLayer
	messages chan *sipmessage.Message
	closing  chan struct{}

	mu   sync.RWMutex // held for reading while a message is handed over, so that messages is closed by nobody else
	once sync.Once

	errMu sync.Mutex
	err   error
}

// ErrEnded is wrapped by Err when the peer closed the connection.
var ErrEnded = errors.New("the peer closed the SIP connection")

// Attach takes over a connection whose handshakes are done.
func Attach(conn net.Conn, o Options) (*Conn, error) {
	if conn.LocalAddr() == nil || conn.RemoteAddr() == nil {
		return nil, fmt.Errorf("sip connection: %w", net.ErrClosed) // ended before it began
	}
	c := &Conn{conn: conn, messages: make(chan *sipmessage.Message, queueLength), closing: make(chan struct{})}
	parser := sip.NewParser(sip.WithHeadersParsers(lengthOnly()))
	parser.MaxMessageLength = sipmessage.MaxSize
	c.layer = sip.NewTransportLayer(nil, parser, nil, sip.WithTransportLayerLogger(slog.New(parseErrors{c})))
	c.layer.OnMessage(c.received)
	serve := c.layer.ServeTLS
	if o.Transport == "tcp" {
		serve = c.layer.ServeTCP
	}
	// The listener gives this one connection, for which sipgo starts its reader, and then ends.
	if err := serve(&oneShot{conn: &tapped{c}, addr: conn.LocalAddr()}); !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("sip connection: %w", err), conn.Close())
	}
	return c, nil
}

// lengthOnly keeps name and text of every header as they are on the wire; only Content-Length is understood, to cut
// the stream. Typed accessors of sipgo, which parse lazily and write, are never used.
func lengthOnly() map[string]sip.HeaderParser {
	all := sip.DefaultHeadersParser()
	return map[string]sip.HeaderParser{"content-length": all["content-length"], "l": all["l"]}
}

// Send writes m as it is.
func (c *Conn) Send(m *sipmessage.Message) error {
	b, err := m.Append(nil)
	if err != nil {
		return err
	}
	return c.write(b)
}

// KeepAlive writes CR LF CR LF, the keep-alive between messages (sip.md §5.4).
func (c *Conn) KeepAlive() error { return c.write([]byte("\r\n\r\n")) }

// writeTime bounds a write to a peer that does not read.
const writeTime = 10 * time.Second

func (c *Conn) write(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := c.conn.Write(b)
	return err
}

// Messages gives what arrives, in order. It is closed when the connection has ended; Err says why.
func (c *Conn) Messages() <-chan *sipmessage.Message { return c.messages }

// Done is closed when the connection ends.
func (c *Conn) Done() <-chan struct{} { return c.closing }

// Err says why the connection ended: net.ErrClosed after Close, ErrEnded, or what could not be read.
func (c *Conn) Err() error {
	c.errMu.Lock()
	defer c.errMu.Unlock()
	return c.err
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	return c.conn.Close()
}

func (c *Conn) fail(err error) {
	c.errMu.Lock()
	defer c.errMu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

func (c *Conn) end(err error) {
	c.once.Do(func() {
		c.fail(err)
		close(c.closing)
		c.mu.Lock()
		defer c.mu.Unlock()
		close(c.messages)
	})
}

// received runs in sipgo's reader, message by message.
func (c *Conn) received(msg sip.Message) {
	m, err := convert(msg)
	if err != nil {
		c.fail(err)
		c.conn.Close()
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	select {
	case <-c.closing:
		return
	default:
	}
	select {
	case c.messages <- m:
	case <-c.closing:
	}
}

func convert(msg sip.Message) (*sipmessage.Message, error) {
	m := &sipmessage.Message{Body: msg.Body()}
	var headers []sip.Header
	switch msg := msg.(type) {
	case *sip.Request:
		m.Method, m.RequestURI = string(msg.Method), msg.Recipient.String()
		headers = msg.Headers()
	case *sip.Response:
		m.Status, m.Reason = msg.StatusCode, msg.Reason
		headers = msg.Headers()
	default:
		return nil, fmt.Errorf("%w: %T", sipmessage.ErrMalformed, msg)
	}
	m.Headers = make([]sipmessage.Header, 0, len(headers))
	for _, h := range headers {
		name, value := h.Name(), h.Value()
		if len(name)+2+len(value) > sipmessage.MaxHeaderLine {
			return nil, fmt.Errorf("%w: header %.40s has %d bytes", sipmessage.ErrTooLarge, name, len(value))
		}
		m.Headers = append(m.Headers, sipmessage.Header{Name: name, Value: value})
	}
	return m, nil
}

// tapped is the connection as sipgo sees it: sipgo closes it when reading fails.
type tapped struct{ c *Conn }

func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.c.conn.Read(b)
	if err != nil {
		t.c.fail(fmt.Errorf("%w: %w", ErrEnded, err))
	}
	return n, err
}

func (t *tapped) Close() error {
	t.c.end(ErrEnded)
	return t.c.conn.Close()
}

func (t *tapped) Write(b []byte) (int, error)         { return t.c.conn.Write(b) }
func (t *tapped) LocalAddr() net.Addr                 { return t.c.conn.LocalAddr() }
func (t *tapped) RemoteAddr() net.Addr                { return t.c.conn.RemoteAddr() }
func (t *tapped) SetDeadline(at time.Time) error      { return t.c.conn.SetDeadline(at) }
func (t *tapped) SetReadDeadline(at time.Time) error  { return t.c.conn.SetReadDeadline(at) }
func (t *tapped) SetWriteDeadline(at time.Time) error { return t.c.conn.SetWriteDeadline(at) }

// oneShot is a listener with a single connection.
type oneShot struct {
	conn net.Conn
	addr net.Addr
}

func (l *oneShot) Accept() (net.Conn, error) {
	conn := l.conn
	if conn == nil {
		return nil, io.EOF
	}
	l.conn = nil
	return conn, nil
}

func (l *oneShot) Close() error   { return nil }
func (l *oneShot) Addr() net.Addr { return l.addr }

// parseErrors is the logger of one connection's layer: sipgo tells a message that it cannot read only there. The
// message itself, which the record holds too, is dropped.
type parseErrors struct{ c *Conn }

func (p parseErrors) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}
func (p parseErrors) WithAttrs([]slog.Attr) slog.Handler { return p }
func (p parseErrors) WithGroup(string) slog.Handler      { return p }

func (p parseErrors) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && a.Key == "error" {
			p.c.fail(fmt.Errorf("%w: %w", sipmessage.ErrMalformed, err))
			return false
		}
		return true
	})
	return nil
}
