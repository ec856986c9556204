package registrar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/hello"
	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// Times of a connection. [MS-CONMGMT] 3.5.6 names the timers, their values are inferred (sip.md §5.4).
const (
	handshakeTime      = 20 * time.Second  // outer TLS
	authenticationTime = 90 * time.Second  // until somebody has authenticated
	idleTime           = 600 * time.Second // without any byte: twice the keep-alive interval
	keepAliveSeconds   = 300               // that the handset is told, the value of [MS-SIPREGE] 4.1
	messageTime        = 60 * time.Second  // for a message of somebody who has authenticated; twice that at most
	answerTime         = 10 * time.Second  // for a handset's answer to a NOTIFY
)

const (
	firstConnectionID = 0x25100 // ms-received-cid counts from here; a value seen, its meaning is the server's own
	maxAssociations   = 16      // of one connection; the oldest goes first
	maxDialogs        = 64
)

// connection is one accepted connection. Its fields but done and work belong to the goroutine of serve, which handles
// message after message; others reach it through do.
type connection struct {
	s    *Server
	raw  net.Conn // TCP
	by   transport
	id   string // ms-received-cid
	peer string

	conn        net.Conn // raw, or TLS over it
	sip         *sipstack.Conn
	lastByte    atomic.Int64 // Unix nanoseconds of the last byte received
	began       time.Time
	certificate tls.Certificate

	authenticated bool   // by anybody, once
	from          sender // of the message that is being handled
	handling      handling
	owner         string // user@domain of the certificate, lower case
	looping       atomic.Bool

	pending      *association // in its handshake
	associations map[string]*association
	newest       int64 // order of associations
	dialogs      map[string]*dialog
	waiting      map[string]chan<- int // by Call-ID and CSeq: where the status of an answer goes

	work chan func()
	done chan struct{}
}

// hangUp ends the connection from outside of its goroutine.
func (c *connection) hangUp() { c.raw.Close() }

// do runs f in the connection's goroutine and waits for its end. The error is net.ErrClosed or the context's.
func (c *connection) do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case c.work <- func() { f(); close(ran) }:
	case <-c.done:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	<-ran // what was taken runs to its end, which is one write away at most
	return nil
}

func (c *connection) serve() {
	defer c.end()
	if err := c.secure(); err != nil {
		c.refused(err)
		return
	}
	c.began = time.Now()
	c.lastByte.Store(c.began.UnixNano())
	stack, err := sipstack.Attach(&watched{c.conn, c}, sipstack.Options{Transport: string(c.by)})
	if err != nil {
		c.note(timeline.Dropped, "%v", err)
		return
	}
	c.sip = stack
	c.loop()
}

func (c *connection) end() {
	if c.pending != nil {
		c.pending.handshake.Close()
	}
	if c.sip != nil {
		c.sip.Close() // fails if the peer was first
	}
	c.raw.Close()
	c.s.guests.leave(c)
	c.s.forget(c)
	close(c.done)
}

func (c *connection) loop() {
	c.looping.Store(true)
	timer := time.NewTimer(messageTime)
	defer timer.Stop()
	for {
		select {
		case m, ok := <-c.sip.Messages():
			if !ok {
				c.ended()
				return
			}
			c.message(m)
		case f := <-c.work:
			f()
		case <-timer.C:
			wait, why := c.patience()
			if wait <= 0 {
				c.note(timeline.Note, "connection closed: %s", why)
				return
			}
			timer.Reset(wait)
		}
	}
}

// refused tells why there is no connection to speak SIP on.
func (c *connection) refused(err error) {
	var foreign *hello.Foreign
	if errors.As(err, &foreign) {
		c.note(timeline.Dropped, "%v", foreign)
		return
	}
	c.note(timeline.Dropped, "TLS handshake: %v", err)
}

// ended tells why there are no more messages.
func (c *connection) ended() {
	err := c.sip.Err()
	var foreign *hello.Foreign
	if errors.As(err, &foreign) {
		c.refused(err)
		return
	}
	if errors.Is(err, sipmessage.ErrMalformed) || errors.Is(err, sipmessage.ErrTooLarge) {
		c.note(timeline.Dropped, "connection closed: %v", err)
		return
	}
	c.note(timeline.Note, "connection ended: %v", err)
}

// patience is how long the connection may go on as it is, at most until it is to be asked again.
func (c *connection) patience() (time.Duration, string) {
	if !c.authenticated {
		return authenticationTime - time.Since(c.began), fmt.Sprintf("nobody authenticated within %v", authenticationTime)
	}
	if since := c.sip.Unfinished(); !since.IsZero() && time.Since(since) >= messageTime {
		return 0, fmt.Sprintf("a message is not whole after %v", messageTime)
	}
	idle := time.Since(time.Unix(0, c.lastByte.Load()))
	return min(idleTime-idle, messageTime), fmt.Sprintf("idle for %v", idleTime)
}

// watched is a connection that notes when bytes arrive, the CR LF CR LF of a keep-alive as well.
type watched struct {
	net.Conn
	c *connection
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.c.lastByte.Store(time.Now().UnixNano())
		w.c.s.guests.strangers.Heard(w.c.raw)
	}
	return n, err
}
