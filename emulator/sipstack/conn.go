// Package sipstack carries SIP messages over one connection, for the handset and for the lab's registrar alike. It is
// the only importer of sipgo.
//
// sipgo reads the connection, cuts the stream into messages and writes; transactions, retries and order are the
// caller's. A message is never rebuilt from sipgo's types: what arrives is parsed by sipmessage from the bytes that
// sipgo delimited, so every header keeps its text, and what is sent is written as it was composed. sipgo's lazily
// parsing accessors, which write, are never called.
//
//	c, err := sipstack.Attach(conn, sipstack.Options{Transport: "tls"})
//	…
//	defer c.Close()
//	err = c.Send(register)
//	for m := range c.Messages() {
//		…
//	}
//	return c.Err() // why it ended
//
// Nothing is answered, retried or timed out here, requests no more than keep-alives: a connection on which nothing is
// said lives on. What is no SIP message, has no Content-Length or exceeds the bounds of sipmessage ends the connection,
// as the stream cannot be read on after it.
package sipstack

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

const (
	queueLength = 16               // messages that wait for their reader; then the connection is not read
	writeTime   = 10 * time.Second // bounds a write to a peer that does not read
	drainTime   = 5 * time.Second  // bounds reading what a peer said that is gone
)

// Options say what the connection is.
type Options struct {
	Transport string // tls (also when empty) or tcp; the bytes are the same
}

// Conn sends and receives messages on one connection, in order. Its methods may be used by several goroutines. It has
// one goroutine of its own, until the connection ends.
type Conn struct {
	conn     net.Conn
	out      sip.Connection
	messages chan *sipmessage.Message
	closing  chan struct{} // the connection ends
	gone     chan struct{} // sipgo's reader has ended
	attached chan struct{} // before it sipgo's reader waits

	in    inflow       // sipgo's reader alone uses it
	since atomic.Int64 // Unix nanoseconds of the first byte of the message in it, 0: there is none

	mu     sync.Mutex
	err    error // set before closing is closed
	unsent error // the first write that failed because the peer is gone
}

// ErrEnded is wrapped by [Conn.Err] when the peer closed the connection or it was lost; the error of the read, io.EOF or
// a reset, is wrapped too.
var ErrEnded = errors.New("the peer closed the SIP connection")

// Attach takes over a connection whose handshakes are done; [Conn.Close] ends it. A connection that ended meanwhile is
// taken too: its Messages are closed. After an error conn may be open yet. There is no context; to bind the
// connection to one, call Close by context.AfterFunc.
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

// Send writes m byte for byte as [sipmessage.Message.Append] makes it, and returns when it is written. What Append
// refuses (ErrMalformed, ErrTooLarge) is not written, and the connection goes on. After any other error nothing is
// written any more, as a part of m may have been; a peer that does not read for ten seconds is such an error, at which
// the connection ends. Any other means that the peer is gone: what it said before is delivered yet, then the connection
// ends with that error. On a connection that has ended the error is that of Err.
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

// KeepAlive writes CR LF CR LF, the keep-alive between messages (sip.md §5.4). Its errors are those of Send. Those that
// arrive are dropped.
func (c *Conn) KeepAlive() error {
	if _, err := c.write([]byte("\r\n\r\n")); err != nil {
		return c.broken(err)
	}
	return nil
}

func (c *Conn) write(b []byte) (int, error) {
	c.mu.Lock()
	err := cmp.Or(c.err, c.unsent)
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return c.conn.Write(b)
}

func (c *Conn) broken(err error) error {
	if ended := c.Err(); ended != nil {
		return ended
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = fmt.Errorf("writing to the SIP connection: %w", err)
		c.end(err)
		return errors.Join(err, c.conn.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsent == nil {
		c.unsent = fmt.Errorf("writing to the SIP connection: %w", err)
		return errors.Join(c.unsent, c.conn.SetReadDeadline(time.Now().Add(drainTime)))
	}
	return c.unsent
}

// Messages gives what arrives, in order. When messages are not taken, the connection is not read after a few, so the peer
// waits. It is closed when the connection has ended and the few are taken; Err says why.
func (c *Conn) Messages() <-chan *sipmessage.Message { return c.messages }

// Done is closed when the connection ends; there may be messages to take yet.
func (c *Conn) Done() <-chan struct{} { return c.closing }

// Unfinished is when a message began to arrive that is not whole yet; the zero time means that none is on its way.
func (c *Conn) Unfinished() time.Time {
	since := c.since.Load()
	if since == 0 {
		return time.Time{}
	}
	return time.Unix(0, since)
}

// arriving notes whether a part of a message is there.
func (c *Conn) arriving() {
	if len(c.in.text) > 0 {
		c.since.CompareAndSwap(0, time.Now().UnixNano())
	}
}

// Err says why the connection ended, and keeps to the first reason: net.ErrClosed after Close, ErrEnded,
// sipmessage.ErrMalformed or ErrTooLarge for what arrived, or the error of a write. It is nil before.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection, every wait of Send and Messages with it, and waits for its reader. It may be called again.
// Its error is that of closing the connection, which has no meaning when the peer was first.
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
		if c.unsent != nil {
			err = c.unsent
		}
		c.err = err
		close(c.closing)
	}
}

// received runs in sipgo's reader, message by message. sipgo has found where the message ends; its text is cut out of
// the bytes as they came.
func (c *Conn) received(msg sip.Message) {
	select {
	case <-c.closing:
		return
	default:
	}
	text, err := c.in.cut(len(msg.Body()))
	c.since.Store(0)
	c.arriving()
	var m *sipmessage.Message
	if err == nil {
		m, err = sipmessage.Parse(text)
	}
	if err != nil {
		c.end(err)
		c.conn.Close() // the reader's next read fails
		return
	}
	select {
	case c.messages <- m:
	case <-c.closing:
	}
}
