// Package sipstack carries SIP messages over one connection, for the handset and for the lab's registrar alike. It is
// the only importer of sipgo.
//
// sipgo reads the connection, cuts the stream into messages and writes; transactions, retries and order are the
// caller's. A message is never rebuilt from sipgo's types: what arrives is parsed by sipmessage from the bytes that
// sipgo delimited, so every header keeps its text, and what is sent is written as it was composed. sipgo's lazily
// parsing accessors, which write, are never called.
package sipstack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

const (
	queueLength = 16               // messages that wait for their reader; then the connection is not read
	writeTime   = 10 * time.Second // bounds a write to a peer that does not read
)

// Options say what the connection is.
type Options struct {
	Transport string // tls (also when empty) or tcp
}

// Conn sends and receives messages on one connection, in order. Its methods may be used by several goroutines.
type Conn struct {
	conn     net.Conn
	out      sip.Connection
	messages chan *sipmessage.Message
	closing  chan struct{} // the connection ends
	gone     chan struct{} // sipgo's reader has ended
	attached chan struct{} // before it sipgo's reader waits

	raw []byte // unparsed bytes from the start of a message on; sipgo's reader alone uses it

	mu  sync.Mutex
	err error // set before closing is closed
}

// ErrEnded is wrapped by Err when the peer closed the connection.
var ErrEnded = errors.New("the peer closed the SIP connection")

// Attach takes over a connection whose handshakes are done; Close ends it. A connection that ended meanwhile is taken
// too, its Messages are closed.
func Attach(conn net.Conn, o Options) (*Conn, error) {
	c := &Conn{
		conn: conn, messages: make(chan *sipmessage.Message, queueLength),
		closing: make(chan struct{}), gone: make(chan struct{}), attached: make(chan struct{}),
	}
	layer := newLayer(c)
	layer.OnMessage(c.received)
	network, serve := "tls", layer.ServeTLS
	if o.Transport == "tcp" {
		network, serve = "tcp", layer.ServeTCP
	}
	// The listener gives this one connection, for which sipgo starts its reader, and then ends.
	if err := serve(&oneShot{conn: &tapped{c}}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("SIP connection: %w", err)
	}
	out, err := layer.GetConnection(network, remote.String())
	if err != nil {
		close(c.attached)
		return nil, errors.Join(fmt.Errorf("SIP connection: %w", err), c.Close())
	}
	c.out = out
	close(c.attached)
	return c, nil
}

// Send writes m as it is. After an error the connection is closed: a part of m may have been written.
func (c *Conn) Send(m *sipmessage.Message) error {
	b, err := m.Append(nil)
	if err != nil {
		return err
	}
	if err := c.out.WriteMsg(composed{text: b}); err != nil {
		return c.broken(err)
	}
	return nil
}

// KeepAlive writes CR LF CR LF, the keep-alive between messages (sip.md §5.4).
func (c *Conn) KeepAlive() error {
	if _, err := c.write([]byte("\r\n\r\n")); err != nil {
		return c.broken(err)
	}
	return nil
}

func (c *Conn) write(b []byte) (int, error) {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return c.conn.Write(b)
}

func (c *Conn) broken(err error) error {
	if ended := c.Err(); ended != nil {
		return ended
	}
	err = fmt.Errorf("writing to the SIP connection: %w", err)
	c.end(err)
	return errors.Join(err, c.conn.Close())
}

// Messages gives what arrives, in order. It is closed when the connection has ended; Err says why.
func (c *Conn) Messages() <-chan *sipmessage.Message { return c.messages }

// Done is closed when the connection ends.
func (c *Conn) Done() <-chan struct{} { return c.closing }

// Err says why the connection ended: net.ErrClosed after Close, ErrEnded, or what could not be read or written. It is
// nil before.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and waits for its reader.
func (c *Conn) Close() error {
	c.end(net.ErrClosed)
	err := c.conn.Close()
	<-c.gone
	return err
}

// end notes the first reason.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.closing)
	}
}

// received runs in sipgo's reader, message by message. sipgo has found where the message ends; its text is cut out of
// the bytes as they came.
func (c *Conn) received(msg sip.Message) {
	m, err := c.cut(len(msg.Body()))
	if err != nil {
		c.end(err)
		c.conn.Close() // the reader's next read fails
		return
	}
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

var endOfHead = []byte("\r\n\r\n")

func (c *Conn) cut(bodyLength int) (*sipmessage.Message, error) {
	head := bytes.Index(c.raw, endOfHead)
	end := head + len(endOfHead) + bodyLength
	if head < 0 || end > len(c.raw) {
		return nil, fmt.Errorf("%w: its length is not that of its text", sipmessage.ErrMalformed)
	}
	m, err := sipmessage.Parse(c.raw[:end])
	c.raw = betweenMessages(c.raw[end:])
	return m, err
}

// betweenMessages drops the empty lines before a message; keep-alives are such lines.
func betweenMessages(b []byte) []byte {
	b = bytes.TrimLeft(b, "\r\n")
	if len(b) == 0 {
		return nil // an idle connection holds no memory for it
	}
	return b
}
