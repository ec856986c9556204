package webservices

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

const entropySize = 32 // bytes, either side

// request reads a RequestSecurityToken and checks what does not depend on the way of authentication.
func (s *Server) request(x *exchange) (webticket.Request, *refusal) {
	var r webticket.Request
	if refused := x.message(webticket.Action, checkTicketAction); refused != nil {
		return r, refused
	}
	doc, err := x.document()
	if err != nil {
		return r, unreadable(err)
	}
	r, err = webticket.ReadRequest(doc)
	switch {
	case err != nil:
		return r, checkRST.refuse("%v", err)
	case r.TokenType != soap.TokenSAML11:
		return r, checkTokenType.refuse("TokenType %q", shorten(r.TokenType))
	case r.RequestType != requestType:
		return r, checkRequestType.refuse("RequestType %q", shorten(r.RequestType))
	case r.KeyType != symmetricKey:
		return r, checkKeyType.refuse("KeyType %q", shorten(r.KeyType))
	case !s.serves(r.AppliesTo):
		return r, checkAppliesTo.refuse("AppliesTo %q, a URL such as %s expected", shorten(r.AppliesTo), s.proofURL())
	case len(r.Entropy) != entropySize:
		return r, checkEntropy.refuse("entropy of %d bytes, %d expected", len(r.Entropy), entropySize)
	}
	return r, nil
}

const (
	requestType  = "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue"
	symmetricKey = soap.NSTrust + "/SymmetricKey"
)

// pinTicket answers port WebTicketServicePin. Only a PIN that a well-formed request brings for a known number is
// counted by the directory: a request in the other form is a number that nobody has.
func (s *Server) pinTicket(x *exchange) (response, *refusal) {
	if s.pinPortAbsent() {
		return response{}, checkPath.refuse("the PIN port is off")
	}
	r, refused := s.request(x)
	if refused != nil {
		return response{}, refused
	}
	if r.Number == "" || r.PIN == "" {
		return response{}, checkUsernameToken.refuse("no UsernameToken with number and PIN")
	}
	form := webticket.Form(s.cfg.Lab.PINForm)
	if s.cfg.Lab.PINForm == anyForm {
		form = formOf(r)
	}
	number, pin, err := r.Decode(form)
	if err != nil || !isNumber(number) {
		return response{}, s.pinRefusal(checkPINForm, directory.UserDoesNotExist, "not a number in form "+s.cfg.Lab.PINForm)
	}
	x.who = number
	x.what += ", PIN in form " + string(form)
	user, failure := s.cfg.Directory.SignIn(number, pin, s.cfg.Now())
	if failure != nil {
		return response{}, s.pinRefusal(pinCheck(failure.Reason), failure.Reason, string(failure.Reason))
	}
	x.who, x.auth = user.SIPAddress, "pin"
	if r.SIPAddress != "" && !sameSIP(r.SIPAddress, user.SIPAddress) {
		return response{}, s.pinRefusal(checkClaim, directory.IncorrectPIN, "the claim names another user")
	}
	return s.issue(x, r, user.SIPAddress)
}

// anyForm is the PIN form of a lab that takes either, for a handset whose form nobody knows.
const anyForm = "any"

// formOf tells the forms apart: a number is not the base64 of a number's digits.
func formOf(r webticket.Request) webticket.Form {
	if isNumber(r.Number) {
		return webticket.P1
	}
	return webticket.P2
}

// isNumber reports whether the text can be a phone number or extension as dialled.
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "+")
	return digits != "" && len(digits) <= 32 && strings.Trim(digits, "0123456789") == ""
}

// pinPortAbsent is a fault that leaves the PIN port out of the metadata.
func (s *Server) pinPortAbsent() bool { return s.listed("ticket", "pin-port-absent") }

// windowsOff reports whether switch or fault leave the Windows port out of the metadata.
func (s *Server) windowsOff() bool {
	return s.cfg.Settings.WebServices().WindowsAuth == windowsOff || s.listed("ticket", "windows-off")
}

// certificateTicket answers port WebTicketServiceCert: the handset's published certificate is the TLS client
// certificate (lab convention, inferred).
func (s *Server) certificateTicket(x *exchange) (response, *refusal) {
	r, refused := s.request(x)
	if refused != nil {
		return response{}, refused
	}
	presented := x.request.TLS.PeerCertificates
	if len(presented) == 0 {
		return response{}, checkClientCertificate.refuse("no client certificate")
	}
	user := certificateUser(presented[0])
	x.who = shorten(user)
	if !s.published(user, presented[0]) {
		return response{}, checkPublished.refuse("the certificate is not the published one of %q, or not valid now", shorten(user))
	}
	x.auth = "certificate"
	if !sameSIP(r.SIPAddress, user) {
		return response{}, checkCertificateClaim.refuse("the claim is missing or names another user")
	}
	return s.issue(x, r, user)
}

// serves reports whether a ticket can be for the URL: a service of this host over https.
func (s *Server) serves(service string) bool {
	u, err := url.Parse(service)
	return err == nil && u.Scheme == "https" && strings.EqualFold(u.Hostname(), s.cfg.Host)
}

// issue makes a ticket for the user (web-services.md §3.3).
func (s *Server) issue(x *exchange, r webticket.Request, user string) (response, *refusal) {
	created := s.cfg.Now().UTC().Truncate(time.Second)
	t := webticket.Ticket{
		Context: r.Context, AppliesTo: r.AppliesTo, AssertionID: "SamlSecurityToken-" + newUUID(), SIPAddress: user,
		Created: created, Expires: created.Add(ticketLife), ServerEntropy: random(entropySize), Audience: r.AppliesTo,
	}
	t.LifetimeInner = webticket.Lifetime(t.Created, t.Expires)
	var err error
	t.Assertion, err = s.tickets.write(webticket.AssertionFields{
		ID: t.AssertionID, Issuer: "https://" + s.cfg.Host + "/", Audience: t.Audience, SIPAddress: user,
		Created: t.Created, Expires: t.Expires,
	}, webticket.ProofKey(r.Entropy, t.ServerEntropy))
	if err != nil {
		return response{}, internal(err)
	}
	body, err := t.Append(nil)
	if err != nil {
		return response{}, internal(err)
	}
	x.what += ", web ticket for " + user
	s.mu.Lock()
	s.issued[bareSIP(user)] = t.Expires
	s.mu.Unlock()
	a := response{status: http.StatusOK, contentType: typeXML, body: body}
	if s.listed("enroll", kindRefused) {
		s.stopSecure()
		a.header = http.Header{"Connection": {"close"}}
	}
	return a, nil
}

// sameURL compares without case and default port (web-services.md §7.3).
func sameURL(a, b string) bool { return normalURL(a) == normalURL(b) }

func normalURL(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return text
	}
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		u.Host = u.Hostname()
	}
	return strings.ToLower(u.String())
}

// sameSIP compares SIP addresses with or without their scheme.
func sameSIP(a, b string) bool { return bareSIP(a) == bareSIP(b) }

func bareSIP(text string) string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "sip:")
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, crypto/rand
	return b
}

// newUUID is a random UUID, RFC 9562 §5.4.
func newUUID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
