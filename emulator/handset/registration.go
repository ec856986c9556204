package handset

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// registration is the connection to one registrar with what was agreed on it. It belongs to the goroutine of Run.
type registration struct {
	h    *Handset
	conn *sipstack.Conn
	home candidate
	told []candidate // by the redirect that led here
	peer string

	local   string // ip:port of this end
	sip     string // sip:user@domain
	epid    string
	domain  string
	fromTag string
	callID  string
	cseq    int
	opaque  string // ms-opaque of the Contact

	sa             *association
	former         *association // that sa takes the place of, until the registrar has taken a message signed by sa
	building       bool         // an association is being built: the registrar's answers are not signed
	renew          bool         // the association has to be made anew
	lost           int          // signed requests answered by a fresh challenge, one after the other
	associationDue time.Time
	gruu           string
	expires        time.Duration
	keepAlive      time.Duration
	refreshDue     time.Time
	keepAliveDue   time.Time
	toProvision    []func(context.Context) error // steps of provisioning that are left
	subscriptions  []*subscription
	event          devicestate.Event // what the pool told meanwhile, for the loop
	failure        *Failure
	signedOff      bool
	atBackup       bool
}

func (r *registration) close() {
	if err := r.conn.Close(); err != nil {
		r.h.note("closing the SIP connection: %v", err)
	}
}

// errLost means that the connection ended.
var errLost = errors.New("the connection to the registrar was lost")

// message begins a request with the headers that every request of the handset has (sip.md §4.1; Via has no branch).
func (r *registration) message(method, uri, fromTag, to, callID string, cseq int) *sipmessage.Message {
	m := &sipmessage.Message{Method: method, RequestURI: uri, Headers: make([]sipmessage.Header, 0, 24)} // room for all that follow
	m.Add("Via", "SIP/2.0/"+strings.ToUpper(r.home.Transport)+" "+r.local)
	m.Add("Max-Forwards", "70")
	m.Add("From", fmt.Sprintf("<%s>;tag=%s;epid=%s", r.sip, fromTag, r.epid))
	m.Add("To", to)
	m.Add("Call-ID", callID)
	m.Add("CSeq", fmt.Sprintf("%d %s", cseq, method))
	return m
}

// send writes one message.
func (r *registration) send(m *sipmessage.Message) error {
	if o := r.h.cfg.outgoing; o != nil {
		r.change(o, m)
	}
	r.h.sent("sip", r.peer, describe(m), func() exchange.Content { return exchange.SIP(m) })
	r.keepAliveDue = time.Now().Add(r.keepAlive)
	if err := r.conn.Send(m); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return nil
}

// request sends m and waits for its final response. Whatever the pool sends meanwhile is handled in order.
func (r *registration) request(ctx context.Context, m *sipmessage.Message) (*sipmessage.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, r.h.profile.AnswerTimeout)
	defer cancel()
	if err := r.send(m); err != nil {
		return nil, err
	}
	callID, want := m.CallID(), m.Get("CSeq")
	for {
		got, err := r.receive(ctx)
		if err != nil {
			return nil, err
		}
		if got.IsRequest() {
			r.answer(got)
			continue
		}
		if got.CallID() != callID || !strings.EqualFold(got.Get("CSeq"), want) {
			r.h.dropped("sip", r.peer, "a response to another request: "+describe(got))
			continue
		}
		if err := r.check(got); err != nil {
			return nil, err
		}
		if got.Status >= 200 {
			return got, nil
		}
	}
}

func (r *registration) receive(ctx context.Context) (*sipmessage.Message, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case m, ok := <-r.conn.Messages():
		if !ok {
			return nil, fmt.Errorf("%w: %w", errLost, r.conn.Err())
		}
		r.h.received("sip", r.peer, describe(m), func() exchange.Content { return exchange.SIP(m) })
		return m, nil
	}
}

// check verifies a response. A challenge is not signed, nor is anything before the association stands (sip.md §3.4).
func (r *registration) check(m *sipmessage.Message) error {
	if r.sa == nil || r.building || m.Status == 401 || m.Status == 407 {
		return nil
	}
	err := r.verify(m)
	if errors.Is(err, errUnsigned) && m.Status < 200 {
		return nil
	}
	return err
}

// verify checks the pool's signature by the association that the message names.
func (r *registration) verify(m *sipmessage.Message) error {
	if r.former != nil && r.former.signed(m) {
		return r.former.verify(m)
	}
	return r.sa.verify(m)
}

func describe(m *sipmessage.Message) string {
	text := exchange.SIPKind(m)
	if d, ok := sipmessage.ParseDiagnostics(m.Get("ms-diagnostics")); ok {
		text += fmt.Sprintf(", ms-diagnostics %d %q", d.ID, d.Reason)
	}
	return text
}

// answer handles a request of the pool: verified, answered signed; BENOTIFY and ACK are never answered (sip.md §5.1).
func (r *registration) answer(m *sipmessage.Message) {
	if r.sa == nil {
		r.h.dropped("sip", r.peer, "a request before the security association stands")
		return
	}
	if err := r.verify(m); err != nil {
		r.h.dropped("sip", r.peer, fmt.Sprintf("%s: %v", m.Method, err))
		return
	}
	status, reason := 405, "Method Not Allowed"
	switch m.Method {
	case "BENOTIFY":
		r.notified(m)
		return
	case "ACK", "CANCEL":
		return
	case "NOTIFY":
		r.notified(m)
		status, reason = 200, "OK"
	case "OPTIONS":
		status, reason = 200, "OK"
	case "INVITE":
		r.respond(m, 100, "Trying", "")
		status, reason = 488, "Not Acceptable Here"
	}
	r.respond(m, status, reason, randomHex(5))
}

func (r *registration) respond(m *sipmessage.Message, status int, reason, toTag string) {
	if to, err := sipmessage.ParseAddress(m.Get("To")); err == nil && to.Tag() != "" {
		toTag = ""
	}
	response := sipmessage.Response(m, status, reason, toTag)
	r.sa.sign(response, false)
	if err := r.send(response); err != nil {
		r.h.note("response not sent: %v", err)
	}
}

// notified takes the body of a NOTIFY or BENOTIFY.
func (r *registration) notified(m *sipmessage.Message) {
	event := strings.ToLower(m.Get("Event"))
	if event != "registration-notify" {
		r.h.note("%s %s, %d bytes", m.Method, event, len(m.Body))
		return
	}
	word := ""
	for _, part := range strings.Split(string(m.Body), ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(part), "event="); ok {
			word = value
		}
	}
	r.failure = fail(devicestate.StageReady, "signed-out", r.peer, fmt.Sprintf("the pool ended the registration: %s, %s",
		word, m.Get("ms-diagnostics-public")), nil)
	r.event = devicestate.SignedOut
	if word == "deactivated" {
		r.event = devicestate.Deactivated
	}
}

// contact is the Contact of the REGISTER (sip.md §4.1).
func (r *registration) contact() string {
	return fmt.Sprintf(`<sip:%s;transport=%s;ms-opaque=%s>;methods="%s";proxy=replace;+sip.instance="<urn:uuid:%s>"`,
		r.local, r.home.Transport, r.opaque, r.h.profile.Methods, strings.ToUpper(r.instance()))
}

// instance is the UUID of the endpoint (sip.md §4.3).
func (r *registration) instance() string {
	return sipmessage.FormatUUID(sipmessage.InstanceUUID(r.epid))
}

// registerMessage is a REGISTER of the UCCAPI form without Authorization. expires is "" or "0".
func (r *registration) registerMessage(expires string) *sipmessage.Message {
	r.cseq++
	m := r.message("REGISTER", "sip:"+r.domain, r.fromTag, "<"+r.sip+">", r.callID, r.cseq)
	m.Add("Contact", r.contact())
	m.Add("User-Agent", r.h.profile.UserAgent)
	for _, line := range r.h.profile.Supported {
		m.Add("Supported", line)
	}
	m.Add("ms-keep-alive", r.h.profile.KeepAlive)
	m.Add("Event", "registration")
	m.Add("ms-subnet", r.h.subnet())
	if expires != "" {
		m.Add("Expires", expires)
	}
	m.Add("Content-Length", "0")
	return m
}

func (h *Handset) subnet() string { return h.station.Address().Masked().Addr().String() }

// connectRegistrar opens the outer connection and checks the registrar's certificate.
func (h *Handset) connectRegistrar(ctx context.Context, c candidate) (*registration, *Failure) {
	stage := devicestate.StageRegister
	addrs := c.addresses
	if len(addrs) == 0 {
		resolved, err := h.lookupHost(ctx, c.Host)
		if err != nil && strings.EqualFold(c.Host, h.flash.Registrar) && len(h.flash.RegistrarAddresses) > 0 {
			h.note("%s does not resolve, its addresses of flash are taken: %v", c.Host, err)
			resolved, err = h.flash.RegistrarAddresses, nil // discovery.md §1.6
		}
		if err != nil {
			return nil, fail(stage, "unresolved", c.Host, "the registrar's name does not resolve", err)
		}
		addrs, c.addresses = resolved, resolved
	}
	conn, peer, failure := h.connectTo(ctx, stage, c.Host, addrs, strconv.Itoa(int(c.Port)), "registering")
	if failure != nil {
		return nil, failure
	}
	local := conn.LocalAddr().String()
	if c.Transport == "tls" {
		secured, failure := h.secure(ctx, stage, conn, peer, c.Host, h.trustNow(h.profile.RefuseWildcardSIP), nil)
		if failure != nil {
			return nil, failure
		}
		conn = net.Conn(secured)
	}
	stack, err := sipstack.Attach(conn, sipstack.Options{Transport: c.Transport})
	if err != nil {
		conn.Close()
		return nil, fail(stage, "reset", peer, "the SIP connection cannot be used", err)
	}
	_, domain, _ := strings.Cut(h.flash.SIPAddress, "@")
	return &registration{
		h: h, conn: stack, home: c, told: c.told, peer: peer, local: local, sip: h.flash.SIPAddress, domain: domain,
		epid: h.flash.EPID, fromTag: randomHex(5), callID: randomHex(16), opaque: randomHex(5),
	}, nil
}

// anonymousRegistration is good for one REGISTER in the registrar's own name.
func (h *Handset) anonymousRegistration(conn net.Conn, peer string, c candidate) (*registration, error) {
	stack, err := sipstack.Attach(conn, sipstack.Options{Transport: "tls"})
	if err != nil {
		return nil, err
	}
	return &registration{
		h: h, conn: stack, home: c, peer: peer, local: conn.LocalAddr().String(), sip: "sip:" + c.Host, domain: c.Host,
		epid: randomHex(5), fromTag: randomHex(5), callID: randomHex(16), opaque: randomHex(5),
	}, nil
}
