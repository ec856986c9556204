package registrar

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Signing says how a [Probe] is signed.
type Signing string

// The ways.
const (
	Signed   Signing = ""         // as every message of the pool
	Unsigned Signing = "unsigned" //
	Spoiled  Signing = "spoiled"  // one digit of the signature is wrong
)

// Probe is a request of the pool to an endpoint, outside of any dialog.
type Probe struct {
	Method      string
	Event       string
	ContentType string
	Body        []byte
	Signing     Signing
}

// Probe sends a request to the first endpoint of a user and waits for the final answer, 10 s at most; a BENOTIFY or
// ACK has none, and its status is 0. The final answer to an INVITE is acknowledged.
func (s *Server) Probe(ctx context.Context, sip string, p Probe) (status int, err error) {
	live := s.endpoints.of(sip)
	if len(live) == 0 {
		return 0, fmt.Errorf("%s to %s: %w", p.Method, sip, ErrNotRegistered)
	}
	one := live[0]
	callID, tag := newCallID(), newTag()
	if p.Method == "BENOTIFY" || p.Method == "ACK" {
		var sent error
		err := one.conn.do(ctx, func() { _, sent = one.conn.probe(one, p, callID, tag, nil) })
		return 0, errors.Join(err, sent)
	}
	status, err = one.conn.await(ctx, func(waiting chan<- int) (string, error) {
		return one.conn.probe(one, p, callID, tag, waiting)
	})
	if err == nil && p.Method == "INVITE" {
		err = one.conn.do(ctx, func() { _, err = one.conn.probe(one, Probe{Method: "ACK"}, callID, tag, nil) })
	}
	if err != nil {
		return status, fmt.Errorf("%s to %s: %w", p.Method, sip, err)
	}
	return status, nil
}

func (c *connection) probe(one *endpoint, p Probe, callID, tag string, waiting chan<- int) (id string, err error) {
	m := c.newRequest(p.Method, one.Contact)
	m.Add("From", fmt.Sprintf("<sip:%s>;tag=%s", c.s.cfg.Lab.Pool, tag))
	m.Add("To", fmt.Sprintf("<%s>;epid=%s", one.SIP, one.EPID))
	m.Add("Call-ID", callID)
	m.Add("CSeq", "1 "+p.Method)
	if p.Event != "" {
		m.Add("Event", p.Event)
	}
	if strings.HasSuffix(p.Method, "NOTIFY") {
		m.Add("subscription-state", "active;expires=600")
	}
	if len(p.Body) > 0 {
		setBody(m, p.ContentType, p.Body)
	} else {
		m.Add("Content-Length", "0")
	}
	a := c.associationOf(one.SIP, one.EPID)
	if a == nil {
		return "", ErrNoAssociation
	}
	if waiting != nil {
		c.waiting[transaction(m)] = waiting
	}
	if p.Signing != Unsigned {
		a.sign(m, c.s.cfg.Host, p.Signing == Spoiled)
	}
	c.send(m)
	return transaction(m), nil
}
