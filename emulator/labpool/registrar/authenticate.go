package registrar

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// identity is who a message says that it comes from.
type identity struct {
	aor      string // URI of From, sip:user@domain
	epid     string
	instance string // +sip.instance in lower case, <urn:uuid:…>, "" if there is none
	gruu     string // Contact with opaque=user:epid:, "" if it is none
}

// identify reads the endpoint identifiers of a request ([MS-SIPAE] 3.3.5.2).
func identify(m *sipmessage.Message) (identity, error) {
	from, err := sipmessage.ParseAddress(m.Get("From"))
	if err != nil {
		return identity{}, err
	}
	id := identity{aor: from.URI, epid: from.Epid()}
	if m.Get("Contact") == "" {
		return id, nil
	}
	contact, err := sipmessage.ParseAddress(m.Get("Contact"))
	if err != nil {
		return id, err
	}
	if value, ok := contact.Param("+sip.instance"); ok {
		id.instance = strings.ToLower(value)
	}
	if strings.Contains(contact.URI, ";opaque=user:epid:") {
		id.gruu = contact.URI
	}
	return id, nil
}

// user is the AOR without its scheme.
func (id identity) user() string { return strings.TrimPrefix(strings.ToLower(id.aor), "sip:") }

// check refuses identifiers that are missing or do not belong together.
func (id identity) check() *refusal {
	switch {
	case id.epid == "" && id.instance == "" && id.gruu == "":
		return checkEndpoint.refuse("no epid in From, no +sip.instance in Contact")
	case id.epid == "":
		return checkEpid.refuse("no epid in From")
	case len(id.epid) > maxEpid:
		return checkEpidLength.refuse("epid of %d bytes, at most %d", len(id.epid), maxEpid)
	}
	instance := "<urn:uuid:" + sipmessage.FormatUUID(sipmessage.InstanceUUID(id.epid)) + ">"
	if id.instance != "" && id.instance != instance {
		return checkInstance.refuse("+sip.instance %.60q, epid %s gives %s", id.instance, id.epid, instance)
	}
	if id.gruu != "" && id.gruu != sipmessage.GRUU(id.aor, id.epid) {
		return checkGRUU.refuse("Contact %.120q is not the GRUU of epid %s", id.gruu, id.epid)
	}
	return nil
}

// request handles one request of the handset from its first check on (sip.md §7.4).
func (c *connection) request(m *sipmessage.Message) {
	id, refused := wellFormed(m)
	if refused != nil {
		c.refuse(m, nil, refused)
		return
	}
	if m.Method == "REGISTER" && c.struckOnArrival(m) {
		return
	}
	p, signed, err := authorization(m)
	if err != nil {
		c.refuse(m, nil, checkAuthorization.refuse("%v", err))
		return
	}
	if !signed {
		c.unauthenticated(m)
		return
	}
	switch {
	case p.Realm != tlsdsk.Realm:
		c.refuse(m, nil, checkRealm.refuse("realm %.60q", p.Realm))
	case p.TargetName != c.s.cfg.Host:
		c.refuse(m, nil, checkTargetName.refuse("targetname %.60q, this is %s", p.TargetName, c.s.cfg.Host))
	case p.GSSAPIData != "":
		c.handshake(m, p, id)
	default:
		c.signed(m, p, id)
	}
}

// authorization returns the TLS-DSK parameters of a message, in either of the headers that carry them (sip.md §1.3).
func authorization(m *sipmessage.Message) (p tlsdsk.Params, ok bool, err error) {
	for _, value := range append(m.Values("Authorization"), m.Values("Proxy-Authorization")...) {
		scheme, p, err := tlsdsk.ParseParams(value)
		if strings.EqualFold(scheme, tlsdsk.Scheme) {
			return p, err == nil, err
		}
	}
	return p, false, nil
}

// unauthenticated answers a request without TLS-DSK parameters: a challenge, unless the method is not one of SIP's.
func (c *connection) unauthenticated(m *sipmessage.Message) {
	if _, known := methods[m.Method]; !known {
		c.refuse(m, nil, checkMethodUnknown.refuse("%.20q", m.Method))
		return
	}
	missing := checkUnauthenticated
	if m.Method == "ACK" || m.Method == "CANCEL" {
		missing = checkUnauthenticatedACK
	}
	c.refuse(m, nil, missing.refuse("no TLS-DSK parameters"))
}

// handshake feeds a flight and answers with the next one.
func (c *connection) handshake(m *sipmessage.Message, p tlsdsk.Params, id identity) {
	if refused := id.check(); refused != nil {
		c.refuse(m, nil, refused)
		return
	}
	a := c.pending
	if a == nil || p.Opaque == "" || a.opaque != p.Opaque || a.aor != strings.ToLower(id.aor) || a.epid != id.epid {
		c.forgetPending()
		a = newAssociation(c.s.inner, c.certificate, id.aor, id.epid)
		c.pending = a
	}
	flight, done, err := a.feed(p.GSSAPIData)
	if err != nil {
		c.forgetPending()
		c.refuse(m, nil, checkFlight.refuse("%v", err))
		return
	}
	if done {
		c.pending = nil
		if refused := c.admit(a); refused != nil {
			c.refuse(m, nil, refused)
			return
		}
	}
	c.received(m, "TLS-DSK handshake")
	value := tlsdsk.Challenge(tlsdsk.Params{
		Opaque: a.opaque, GSSAPIData: base64.StdEncoding.EncodeToString(flight), TargetName: c.s.cfg.Host,
		Realm: tlsdsk.Realm, Version: strconv.Itoa(tlsdsk.Version),
	})
	c.challenge(m, []sipmessage.Header{header("WWW-Authenticate", value)})
}

func (c *connection) forgetPending() {
	if c.pending != nil {
		c.pending.forgetHandshake()
		c.pending = nil
	}
}

func (c *connection) forgetAssociations() {
	c.forgetPending()
	clear(c.associations)
}

// feed gives the handshake a flight in base64.
func (a *association) feed(data string) (flight []byte, done bool, err error) {
	in, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeStep)
	defer cancel()
	return a.handshake.Next(ctx, in)
}

// admit ends the handshake: the certificate must be the published copy for the device that the epid names.
func (c *connection) admit(a *association) *refusal {
	now := c.s.cfg.Now()
	if err := a.establish(now, c.s.cfg.KeyLog); err != nil {
		return checkFlight.refuse("%v", err)
	}
	if _, on := c.s.cfg.Faults.On(faultCertificate); on {
		return checkPublished.refuse("fault %s", faultCertificate)
	}
	if now.Before(a.certificate.NotBefore) || now.After(a.certificate.NotAfter) {
		return checkCertificateDates.refuse("certificate of %.80q is valid from %v to %v, it is %v",
			a.user(), a.certificate.NotBefore, a.certificate.NotAfter, now.UTC())
	}
	device := sipmessage.FormatUUID(sipmessage.InstanceUUID(a.epid))
	published, ok := c.s.cfg.Authority.Published(a.user(), device)
	if !ok {
		return checkPublished.refuse("nothing is published for %.80q, device %s", a.user(), device)
	}
	if !bytes.Equal(published.Raw, a.certificate.Raw) {
		return checkPublished.refuse("the certificate of %.80q is not the one published for device %s", a.user(), device)
	}
	c.keep(a)
	return nil
}

// keep counts an association in, in place of the oldest one if there are too many.
func (c *connection) keep(a *association) {
	if len(c.associations) >= maxAssociations {
		oldest := a
		for _, one := range c.associations {
			if oldest == a || one.order < oldest.order {
				oldest = one
			}
		}
		delete(c.associations, oldest.opaque)
	}
	c.newest++
	a.order = c.newest
	c.associations[a.opaque] = a
}

// signed handles a request on an established association.
func (c *connection) signed(m *sipmessage.Message, p tlsdsk.Params, id identity) {
	now := c.s.cfg.Now()
	a := c.associations[p.Opaque]
	if a == nil || a.aor != strings.ToLower(id.aor) || (id.epid != "" && id.epid != a.epid) {
		c.refuse(m, nil, checkAssociation.refuse("no association %.20q of %.80s, epid %.20q", p.Opaque, id.aor, id.epid))
		return
	}
	if now.After(a.until) {
		delete(c.associations, a.opaque)
		c.refuse(m, nil, checkAssociation.refuse("association %s is over", a.opaque))
		return
	}
	if refused := a.authentic(m, p); refused != nil {
		c.refuse(m, nil, refused)
		return
	}
	c.from.auth = authDSK
	c.known(a)
	if c.struckByRefresh(m, a, id) {
		return
	}
	c.confirm(a)
	a.extend(now, max(associationIdle, a.until.Sub(now)))
	if refused := c.entitled(a, id); refused != nil {
		c.refuse(m, a, refused)
		return
	}
	c.dispatch(m, a, id)
}

// authentic checks number and signature; the number is used up only by a message that is signed right.
func (a *association) authentic(m *sipmessage.Message, p tlsdsk.Params) *refusal {
	n, err := tlsdsk.ParseNumber(p.CNum)
	if err != nil || n == 0 {
		return checkNumber.refuse("cnum %.12q", p.CNum)
	}
	window := a.window
	if !window.Accept(n) {
		return checkReplay.refuse("cnum %d was there or is too old", n)
	}
	if !a.verify(m, p) {
		return checkSignature.refuse("response is not the HMAC of the message")
	}
	a.window = window
	return nil
}

// confirm ends older associations of the endpoint: a renewal is complete with its first signed message (sip.md §1.6).
func (c *connection) confirm(a *association) {
	if a.confirmed {
		return
	}
	a.confirmed = true
	for opaque, one := range c.associations {
		if one.order < a.order && one.aor == a.aor && one.epid == a.epid {
			delete(c.associations, opaque)
		}
	}
}

// entitled checks that the certificate's user may act as From, and that the identifiers belong together.
func (c *connection) entitled(a *association, id identity) *refusal {
	if !strings.EqualFold(a.user(), id.user()) {
		return checkFrom.refuse("certificate of %.80q, From %.80q", a.user(), id.aor)
	}
	return id.check()
}

// challenge answers 401. It is never signed: at that time there is no association to sign with.
func (c *connection) challenge(m *sipmessage.Message, lines []sipmessage.Header, extra ...sipmessage.Header) {
	answer := c.response(m, 401, "Unauthorized", append(extra, header("Server", c.s.server()))...)
	head := append([]sipmessage.Header{header("Date", c.s.cfg.Now().UTC().Format(http.TimeFormat))}, lines...)
	answer.Headers = append(head, answer.Headers...)
	c.send(answer)
}

// challenges are the lines of a first challenge: the schemes that this registrar implements (sip.md §8.2).
func (s *Server) challenges() []sipmessage.Header {
	s.mu.Lock()
	uri := s.cfg.STSURI
	s.mu.Unlock()
	return []sipmessage.Header{header("WWW-Authenticate", tlsdsk.FirstChallenge(tlsdsk.Params{
		Realm: tlsdsk.Realm, TargetName: s.cfg.Host, Version: strconv.Itoa(tlsdsk.Version), STSURI: uri,
	}))}
}

// refuse gives a wrong message its answer, signed if there is an association, and tells the timeline.
func (c *connection) refuse(m *sipmessage.Message, a *association, r *refusal) {
	if r.Name == checkUnauthenticated.Name {
		c.note(timeline.Received, "%s: %v", describe(m), r) // as every sign-in begins
	} else {
		c.tell(timeline.Dropped, c.from, r.verdict(), "%s: %v", describe(m), r)
	}
	switch {
	case r.way.status == 0 || m.Method == "ACK" || (m.Method == "CANCEL" && a == nil):
	case r.way.status == 401:
		c.challenge(m, c.s.challenges(), r.headers(c.s.cfg.Host)...)
	default:
		answer := c.response(m, r.way.status, r.way.reason, append(r.headers(c.s.cfg.Host), header("Server", c.s.server()))...)
		if r.body != nil {
			setBody(answer, r.contentType, r.body)
		}
		c.sendSigned(answer, a)
	}
}

// newTag is a To or From tag of the server: 32 upper-case hex digits (sip.md §1.2).
func newTag() string { return randomHex(16) }

// newBranch is the branch of the server's own Via.
func newBranch() string { return "z9hG4bK" + randomHex(16) }

// newCallID is 32 lower-case hex digits.
func newCallID() string { return strings.ToLower(randomHex(16)) }

// registerLife is how long an association lives after the 200 to a REGISTER.
func registerLife(expires time.Duration) time.Duration { return expires + registerGrace }
