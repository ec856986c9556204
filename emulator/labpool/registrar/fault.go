package registrar

import (
	"fmt"
	"net"
	"strings"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// The faults of a front end.
const (
	faultRefused      = "register=refused"
	faultTimeout      = "register=timeout" // read, never answered
	faultReset        = "register=reset"
	faultGarbage      = "register=garbage"
	faultBadSignature = "register=bad-rspauth"
	faultCertificate  = "register=certificate-refused"
	faultRedirect     = "register=redirect" // once an endpoint
	faultRedirectLoop = "register=redirect-loop"
	faultNoEvents     = "register=no-events"   // a 200 without Allow-Events
	faultNoChallenge  = "register=401"         // a 401 that offers nothing
	faultNoDSK        = "register=no-tls-dsk"  // a 401 that offers NTLM and Kerberos alone
	faultTLSVersion   = "register=tls-version" // TLS 1.2 and later alone

	faultProvision405      = "provision=405"      // whatever is no REGISTER
	faultProvision403      = "provision=403"      // the SUBSCRIBE for in-band provisioning, as the next two
	faultProvisionGarbage  = "provision=garbage"  // a 200 with a body that is no XML
	faultProvisionTimeout  = "provision=timeout"  //
	faultProvisionEmpty    = "provision=empty"    // a 200 without a body to every SUBSCRIBE and SERVICE
	faultProvisionUnsigned = "provision=unsigned" // whatever is no REGISTER is answered without a signature

	// Of a handset that is signed in, when it refreshes its registration.
	faultAssociationLost    = "ready=association-lost"
	faultCertificateRevoked = "ready=certificate-revoked"
	faultRegistrationLost   = "ready=registration-lost"
	faultConnectionLost     = "ready=connection-lost"
)

// statusFaults are the answers to a signed REGISTER under register=STATUS (sip.md §4.6; which id goes with 480 and 503
// at a REGISTER is inferred).
var statusFaults = []struct {
	name string
	way  way
}{
	{"register=403", way{status: 403, reason: "Forbidden", diag: diagUserDisabled, text: disabledReason}},
	{"register=404", way{status: 404, reason: "Not Found", diag: diagUnknownUser, text: "User does not exist"}},
	{"register=480", way{status: 480, reason: "Temporarily Unavailable", diag: diagUnavailable, text: unavailableReason}},
	{"register=503", way{status: 503, reason: "Service Unavailable", diag: diagUnavailable, text: unavailableReason}},
	{"register=504", way{status: 504, reason: "Server time-out", diag: diagRouting, text: "Temporarily cannot route"}},
}

// struck reports whether a fault strikes now.
func (s *Server) struck(name string) bool {
	_, on := s.cfg.Faults.On(name)
	return on
}

// notSIP is what register=garbage and provision=garbage answer.
const notSIP = "\x16\x03\xffthis is no SIP message\r\n\r\n"

// struckOnArrival does to a REGISTER what does not need it to be read.
func (c *connection) struckOnArrival(m *sipmessage.Message) bool {
	switch {
	case c.s.struck(faultTimeout):
		c.note(timeline.Dropped, "%s: fault %s", describe(m), faultTimeout)
	case c.s.struck(faultReset):
		c.note(timeline.Dropped, "%s: fault %s", describe(m), faultReset)
		reset(c.raw)
	case c.s.struck(faultGarbage):
		c.note(timeline.Dropped, "%s: fault %s", describe(m), faultGarbage)
		c.write(notSIP)
	case c.s.struck(faultNoChallenge):
		c.note(timeline.Received, "%s: fault %s", describe(m), faultNoChallenge)
		c.reply(m, nil, 401, "Unauthorized", header("Server", c.s.server()))
	case c.s.struck(faultNoDSK):
		c.note(timeline.Received, "%s: fault %s", describe(m), faultNoDSK)
		var offers []sipmessage.Header
		for _, scheme := range []string{"NTLM", "Kerberos"} {
			offers = append(offers, header("WWW-Authenticate", fmt.Sprintf(`%s realm="%s", targetname="%s", version=4`, scheme, tlsdsk.Realm, c.s.cfg.Host)))
		}
		c.reply(m, nil, 401, "Unauthorized", append(offers, header("Server", c.s.server()))...)
	default:
		return false
	}
	return true
}

func (c *connection) write(text string) {
	if _, err := c.conn.Write([]byte(text)); err != nil {
		c.note(timeline.Note, "not sent: %v", err)
	}
}

// reset ends the connection by a TCP reset, or by closing it where the cable knows no reset.
func reset(conn net.Conn) {
	if r, ok := conn.(ethernet.Resetter); ok && r.Reset() == nil {
		return
	}
	conn.Close()
}

// struckByRegister answers a signed REGISTER as an active fault says.
func (c *connection) struckByRegister(m *sipmessage.Message, a *association, id identity) bool {
	if m.Get("Expires") == "0" {
		return false // signing off is never the subject
	}
	for _, f := range statusFaults {
		if c.s.struck(f.name) {
			refused := []timeline.Field{{Name: history.Refused, Value: "fault " + f.name}}
			c.tell(timeline.Received, c.from, refused, "%s: fault %s", describe(m), f.name)
			extra := []sipmessage.Header{
				diagnostics("ms-diagnostics", f.way.diag, f.way.text, c.s.cfg.Host), header("Server", c.s.server()),
			}
			c.reply(m, a, f.way.status, f.way.reason, extra...)
			return true
		}
	}
	switch {
	case c.s.struck(faultRedirectLoop):
		c.note(timeline.Received, "%s: fault %s", describe(m), faultRedirectLoop)
		c.redirect(m, a, []Address{c.s.Addresses()})
	case c.s.firstRedirect(id):
		c.note(timeline.Received, "%s: fault %s", describe(m), faultRedirect)
		c.redirect(m, a, []Address{c.s.neighbour()})
	default:
		return false
	}
	return true
}

// ForgetRedirects lets register=redirect strike endpoints again that it has struck.
func (s *Server) ForgetRedirects() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.redirected)
}

// firstRedirect reports whether register=redirect strikes: once an endpoint, so that it can go on afterwards.
func (s *Server) firstRedirect(id identity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(id.aor) + " " + id.epid
	if s.redirected[key] || !s.struck(faultRedirect) {
		return false
	}
	s.redirected[key] = true
	return true
}

// struckByRefresh does to the refresh of a registration what a fault of a handset that is signed in says. The association
// must have signed a message before: the one that is built in its place is none of a refresh.
func (c *connection) struckByRefresh(m *sipmessage.Message, a *association, id identity) bool {
	if m.Method != "REGISTER" || m.Get("Expires") == "0" || !a.confirmed {
		return false
	}
	forget := func(fault string) {
		delete(c.associations, a.opaque)
		c.refuse(m, nil, checkAssociation.refuse("fault %s", fault))
	}
	switch {
	case c.s.struck(faultConnectionLost):
		c.note(timeline.Dropped, "%s: fault %s", describe(m), faultConnectionLost)
		reset(c.raw)
	case c.s.struck(faultCertificateRevoked):
		device := sipmessage.FormatUUID(sipmessage.InstanceUUID(a.epid))
		if _, err := c.s.cfg.Authority.Revoke(a.user(), device); err != nil {
			c.note(timeline.Note, "fault %s: %v", faultCertificateRevoked, err)
		}
		forget(faultCertificateRevoked)
	case c.s.struck(faultAssociationLost):
		forget(faultAssociationLost)
	case c.s.struck(faultRegistrationLost):
		c.note(timeline.Note, "fault %s", faultRegistrationLost)
		c.s.endpoints.unbind(id.aor, id.epid, Expired)
		c.forgetDialogs(id.aor, id.epid)
		return false
	default:
		return false
	}
	return true
}

// struckByProvision answers a request that is no REGISTER as an active fault says.
func (c *connection) struckByProvision(m *sipmessage.Message, a *association) bool {
	answered := m.Method == "SUBSCRIBE" || m.Method == "SERVICE" || m.Method == "INVITE"
	first := m.Method == "SUBSCRIBE" && m.Get("Event") == eventProvisioning && m.Get("Expires") == "0" && !inDialog(m)
	server := header("Server", c.s.server())
	struck := func(name string) bool {
		if !c.s.struck(name) {
			return false
		}
		c.note(timeline.Received, "%s: fault %s", describe(m), name)
		return true
	}
	switch {
	case answered && struck(faultProvision405):
		c.reply(m, a, checkMethod.way.status, checkMethod.way.reason, append(checkMethod.way.extra, server)...)
	case answered && struck(faultProvisionUnsigned):
		c.reply(m, nil, 200, "OK", server)
	case answered && m.Method != "INVITE" && struck(faultProvisionEmpty):
		c.reply(m, a, 200, "OK", server)
	case first && struck(faultProvision403):
		c.reply(m, a, 403, "Forbidden", server)
	case first && struck(faultProvisionTimeout):
	case first && struck(faultProvisionGarbage):
		c.replyBody(m, a, []sipmessage.Header{header("Expires", 0), header("Event", eventProvisioning), server}, typeProvisioning, []byte("<provisionGroupList><provisionGroup"))
	default:
		return false
	}
	return true
}

// neighbour is another front end of the pool, or this one if it is alone.
func (s *Server) neighbour() Address {
	if s.cfg.Neighbour == nil {
		return s.Addresses()
	}
	return s.cfg.Neighbour()
}
