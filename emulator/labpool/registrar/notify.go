package registrar

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// Event says why the pool ends a registration ([MS-SIPREGE] 4.1.3).
type Event string

// The events. What a handset does at each is inferred but for rejected.
const (
	Rejected     Event = "rejected"     // the user is disabled: fatal
	Unregistered Event = "unregistered" // another endpoint or an administrator removed it
	Deactivated  Event = "deactivated"  // go away and register again
)

// Errors of sending to an endpoint.
var (
	ErrNotRegistered = errors.New("no endpoint of the user is registered")
	ErrNotSubscribed = errors.New("nobody has subscribed")
	ErrNoAssociation = errors.New("no security association to sign with")
	ErrNoAnswer      = errors.New("the handset did not answer")
	ErrOtherAnswer   = errors.New("the handset did not answer 200")
)

// Deregister ends every registration of a user and tells each endpoint by NOTIFY; it waits for their signed 200s, 10 s
// at most each.
func (s *Server) Deregister(ctx context.Context, sip string, event Event) error {
	live := s.endpoints.of(sip)
	if len(live) == 0 {
		return fmt.Errorf("de-registering %s: %w", sip, ErrNotRegistered)
	}
	var errs []error
	for _, one := range live {
		if s.endpoints.unbind(one.SIP, one.EPID, Removed) {
			s.tell(timeline.Note, one.conn.peer, []timeline.Field{{Name: history.Who, Value: one.SIP}}, "%s, epid %s: de-registered, %s", one.SIP, one.EPID, event)
		}
		if err := one.conn.deregister(ctx, one, event); err != nil {
			errs = append(errs, fmt.Errorf("de-registering %s, epid %s: %w", one.SIP, one.EPID, err))
		}
	}
	return errors.Join(errs...)
}

// evict tells an endpoint that others took its place. It runs beside the connection that made room, and nobody waits
// for the answer.
func (c *connection) evict(one *endpoint) {
	c.note(timeline.Note, "%s, epid %s: removed, the user has too many endpoints", one.SIP, one.EPID)
	if one.conn == c {
		c.sendDeregistration(one, Unregistered, nil)
		return
	}
	c.s.serving.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerTime)
		defer cancel()
		if err := one.conn.deregister(ctx, one, Unregistered); err != nil {
			c.s.note(timeline.Note, c.peer, "%s, epid %s was not told: %v", one.SIP, one.EPID, err)
		}
	})
}

// deregister sends the NOTIFY and waits for its answer.
func (c *connection) deregister(ctx context.Context, one *endpoint, event Event) error {
	return c.ask(ctx, func(waiting chan<- int) (string, error) { return c.sendDeregistration(one, event, waiting) })
}

// ask sends a request in the connection's goroutine and waits for a 200.
func (c *connection) ask(ctx context.Context, send func(chan<- int) (id string, err error)) error {
	status, err := c.await(ctx, send)
	if err == nil && status != 200 {
		return fmt.Errorf("%w, but %d", ErrOtherAnswer, status)
	}
	return err
}

// await sends a request in the connection's goroutine and waits for its final answer.
func (c *connection) await(ctx context.Context, send func(chan<- int) (id string, err error)) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	waiting := make(chan int, 1)
	var id string
	var sent error
	if err := c.do(ctx, func() { id, sent = send(waiting) }); err != nil {
		return 0, err
	}
	if sent != nil {
		return 0, sent
	}
	select {
	case status := <-waiting:
		return status, nil
	case <-c.done:
		select {
		case status := <-waiting: // answered, then closed
			return status, nil
		default:
		}
		return 0, fmt.Errorf("%w: the connection ended", ErrNoAnswer)
	case <-ctx.Done():
		c.do(context.Background(), func() { delete(c.waiting, id) }) // fails only when the connection has ended
		return 0, fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
	}
}

// sendDeregistration sends the NOTIFY of sip.md §8.10, outside of any dialog.
func (c *connection) sendDeregistration(one *endpoint, event Event, waiting chan<- int) (id string, err error) {
	c.forgetDialogs(one.SIP, one.EPID)
	m := c.newRequest("NOTIFY", one.Contact)
	m.Add("From", fmt.Sprintf("<%s>;tag=%s", one.SIP, newTag()))
	m.Add("To", fmt.Sprintf("<%s>;epid=%s", one.SIP, one.EPID)) // the epid is echoed, [MS-SIPRE] 3.2.4.1
	m.Add("Call-ID", newCallID())
	m.Add("CSeq", "1 NOTIFY")
	m.Add("Event", "registration-notify")
	m.Add("subscription-state", "terminated;expires=0")
	if event == Rejected {
		m.Headers = append(m.Headers, diagnostics("ms-diagnostics-public", diagUserDisabled, disabledReason, ""))
	}
	setBody(m, "text/registration-event", []byte("deregistered;event="+string(event)))
	return transaction(m), c.sendRequest(m, one.SIP, one.EPID, waiting)
}

// newRequest begins a request of the server. Real front ends write branched=FALSE as well (sip.md §8.10).
func (c *connection) newRequest(method, uri string) *sipmessage.Message {
	m := &sipmessage.Message{Method: method, RequestURI: uri}
	m.Add("Via", fmt.Sprintf("SIP/2.0/%s %s;branch=%s;branched=FALSE", c.by.upper(), c.raw.LocalAddr(), newBranch()))
	m.Add("Max-Forwards", "70")
	return m
}

// sendRequest signs a request with the association of the endpoint and sends it.
func (c *connection) sendRequest(m *sipmessage.Message, sip, epid string, waiting chan<- int) error {
	a := c.associationOf(sip, epid)
	if a == nil {
		return ErrNoAssociation
	}
	if waiting != nil {
		c.waiting[transaction(m)] = waiting
	}
	c.sendSigned(m, a)
	return nil
}

// associationOf is the endpoint's confirmed association.
func (c *connection) associationOf(sip, epid string) *association {
	for _, a := range c.associations {
		if a.confirmed && a.aor == strings.ToLower(sip) && a.epid == epid && c.s.cfg.Now().Before(a.until) {
			return a
		}
	}
	return nil
}

// Notification is a change that the subscribers of an event are told.
type Notification struct {
	Event       string // as in SUBSCRIBE
	ContentType string
	Body        []byte
}

// Notify tells all subscriptions of a user to the event, in the order of their sending: by BENOTIFY, which is not
// answered, where the subscription allowed that, else by NOTIFY. It waits for the answers to the latter.
func (s *Server) Notify(ctx context.Context, sip string, n Notification) error {
	var errs []error
	told := 0
	for _, one := range s.endpoints.of(sip) {
		var asked []*dialog
		err := one.conn.do(ctx, func() {
			for _, d := range one.conn.subscriptions(one, n.Event) {
				told++
				if !d.benotify {
					asked = append(asked, d)
					continue
				}
				if _, err := one.conn.notify("BENOTIFY", d, n, nil); err != nil {
					errs = append(errs, err)
				}
			}
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, d := range asked {
			errs = append(errs, one.conn.ask(ctx, func(waiting chan<- int) (string, error) {
				return one.conn.notify("NOTIFY", d, n, waiting)
			}))
		}
	}
	if told == 0 && len(errs) == 0 {
		return fmt.Errorf("notifying %s of %.80s: %w", sip, n.Event, ErrNotSubscribed)
	}
	return errors.Join(errs...)
}

// subscriptions are the dialogs of an endpoint for an event.
func (c *connection) subscriptions(one *endpoint, event string) []*dialog {
	var out []*dialog
	now := c.s.cfg.Now()
	for callID, d := range c.dialogs {
		switch {
		case !now.Before(d.expires):
			delete(c.dialogs, callID)
		case d.sip == strings.ToLower(one.SIP) && d.epid == one.EPID && d.event == event:
			out = append(out, d)
		}
	}
	return out
}

func (c *connection) notify(method string, d *dialog, n Notification, waiting chan<- int) (id string, err error) {
	d.cseq++
	m := c.newRequest(method, d.target)
	m.Add("From", d.local)
	m.Add("To", d.remote)
	m.Add("Call-ID", d.callID)
	m.Add("CSeq", fmt.Sprintf("%d %s", d.cseq, method))
	m.Add("Event", d.event)
	m.Add("subscription-state", fmt.Sprintf("active;expires=%d", seconds(d.expires.Sub(c.s.cfg.Now()))))
	setBody(m, n.ContentType, n.Body)
	return transaction(m), c.sendRequest(m, d.sip, d.epid, waiting)
}
