package sipstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// readBufferSize is what sipgo holds for each connection, in bytes; its default of 32 KiB is most of an idle handset.
const readBufferSize = 1024

// sipgo keeps these for the whole process.
func init() {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	sip.TransportBufferReadSize = readBufferSize
}

// newLayer is a transport layer, and so a connection pool, for one connection. Its parser understands Content-Length
// alone, to cut the stream. It counts the empty lines before a message as the message's, so its bound is a read more
// than that of sipmessage, which holds too.
func newLayer(c *Conn) *sip.TransportLayer {
	all := sip.DefaultHeadersParser()
	parser := sip.NewParser(sip.WithHeadersParsers(map[string]sip.HeaderParser{"content-length": all["content-length"], "l": all["l"]}))
	parser.MaxMessageLength = sipmessage.MaxSize + readBufferSize
	return sip.NewTransportLayer(nil, parser, nil, sip.WithTransportLayerLogger(slog.New(unreadable{c})))
}

// composed is a message for sip.Connection.WriteMsg, which asks for nothing but its text.
type composed struct {
	sip.Message // nil
	text        []byte
}

func (m composed) StringWrite(w io.StringWriter) {
	if b, ok := w.(io.Writer); ok { // sipgo's buffer takes it without a copy
		b.Write(m.text)
		return
	}
	w.WriteString(string(m.text))
}

// tapped is the connection as sipgo sees it. What is read goes through Conn.in. sipgo closes it, in its reader, when
// reading ends.
type tapped struct{ c *Conn }

func (t *tapped) Read(b []byte) (int, error) {
	c := t.c
	<-c.attached
	for {
		if err := c.Err(); err != nil { // closing TLS may take a while with a peer that does not read, but goes on writing
			return 0, err
		}
		if n := c.in.give(b); n > 0 {
			return n, nil
		}
		n, err := c.conn.Read(b)
		if n == 0 && err != nil { // TLS tells the end with the last bytes; these are a message yet, and the next read fails again
			c.end(fmt.Errorf("%w: %w", ErrEnded, err))
			return 0, err
		}
		if err := c.in.add(b[:n]); err != nil {
			c.end(err)
			return 0, err
		}
		c.arriving()
	}
}

// Write carries composed messages. sipgo's own answer CR LF to a keep-alive, which no Microsoft peer gives, is not
// among them: inflow keeps the keep-alives from it.
func (t *tapped) Write(b []byte) (int, error) { return t.c.write(b) }

// Close is called once, by sipgo's reader at its end.
func (t *tapped) Close() error {
	c := t.c
	c.end(ErrEnded)
	err := c.conn.Close()
	c.in = inflow{}
	close(c.messages)
	close(c.gone)
	return err
}

// LocalAddr and RemoteAddr are the keys of the one connection in its pool. The real ones may have no port (a pipe) or
// be nil (a connection that ended), which sipgo does not bear.
func (t *tapped) LocalAddr() net.Addr                 { return local }
func (t *tapped) RemoteAddr() net.Addr                { return remote }
func (t *tapped) SetDeadline(at time.Time) error      { return t.c.conn.SetDeadline(at) }
func (t *tapped) SetReadDeadline(at time.Time) error  { return t.c.conn.SetReadDeadline(at) }
func (t *tapped) SetWriteDeadline(at time.Time) error { return t.c.conn.SetWriteDeadline(at) }

type label string

const (
	local  label = "local:1"
	remote label = "remote:1"
)

func (label) Network() string  { return "sip" }
func (l label) String() string { return string(l) }

// oneShot is a listener with a single connection.
type oneShot struct{ conn net.Conn }

func (l *oneShot) Accept() (net.Conn, error) {
	conn := l.conn
	if conn == nil {
		return nil, io.EOF
	}
	l.conn = nil
	return conn, nil
}

func (l *oneShot) Close() error   { return nil }
func (l *oneShot) Addr() net.Addr { return local }

// unreadable is the logger of one connection's layer: sipgo says only there what it cannot read, before it closes.
// The message's text, which the record holds too, goes nowhere.
type unreadable struct{ c *Conn }

func (u unreadable) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}
func (u unreadable) WithAttrs([]slog.Attr) slog.Handler { return u }
func (u unreadable) WithGroup(string) slog.Handler      { return u }

func (u unreadable) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		if !ok || a.Key != "error" {
			return true
		}
		switch {
		case errors.Is(err, sip.ErrMessageTooLarge):
			err = fmt.Errorf("%w: more than %d bytes", sipmessage.ErrTooLarge, sipmessage.MaxSize)
		case errors.Is(err, sip.ErrParseReadBodyIncomplete):
			err = fmt.Errorf("%w: no Content-Length", sipmessage.ErrMalformed)
		default:
			err = fmt.Errorf("%w: %.200q", sipmessage.ErrMalformed, err.Error()) // it may quote the whole message
		}
		u.c.end(err)
		return false
	})
	return nil
}
