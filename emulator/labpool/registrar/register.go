package registrar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// allowEvents has neither blanks nor another order: clients split at the comma ([MS-SIPREGE] 4.1; sip.md §4.5).
const allowEvents = "vnd-microsoft-provisioning,vnd-microsoft-roaming-contacts,vnd-microsoft-roaming-ACL,presence,presence.wpending,vnd-microsoft-roaming-self,vnd-microsoft-provisioning-v2"

// redirectLife is the Expires of a 301, as production has it (sip.md §4.6).
const redirectLife = 2592000

// register binds the endpoint, or ends its registration ([MS-SIPREGE] 3.1.2.5.1).
func (c *connection) register(m *sipmessage.Message, a *association, id identity) {
	asked, refused := c.registrable(m, id)
	if refused != nil {
		c.refuse(m, a, refused)
		return
	}
	if c.struckByRegister(m, a, id) {
		return
	}
	leaves := asked != nil && *asked == 0
	if home := c.s.home(); len(home) > 0 && !(leaves && c.s.endpoints.has(id.aor, id.epid)) {
		c.sendHome(m, a, id, home)
		return
	}
	if leaves {
		c.signOff(m, a, id)
		return
	}
	expires := c.s.endpoints.grants().standard
	if asked != nil {
		expires = c.s.endpoints.grants().grant(*asked)
	}
	c.bind(m, a, id, expires)
}

// home is where endpoints are sent, none when they are at home here.
func (s *Server) home() []Address {
	if s.cfg.Home == nil {
		return nil
	}
	return s.cfg.Home()
}

// sendHome redirects an endpoint; one that was registered here is registered here no more.
func (c *connection) sendHome(m *sipmessage.Message, a *association, id identity, home []Address) {
	c.received(m, "redirected home")
	if c.s.endpoints.unbind(id.aor, id.epid, Removed) {
		c.forgetDialogs(id.aor, id.epid)
	}
	c.redirect(m, a, home)
}

// registrable checks a signed REGISTER and returns the time that it asks for, nil if it asks for none.
func (c *connection) registrable(m *sipmessage.Message, id identity) (*time.Duration, *refusal) {
	if event := m.Get("Event"); event != "" && !strings.EqualFold(event, "registration") {
		return nil, checkEvent.refuse("Event %.40q", event)
	}
	if supports(m, "msrtc-event-categories") && !supports(m, "gruu-10") {
		return nil, checkExtension.refuse("Supported is %.120q", m.Values("Supported"))
	}
	user, ok := c.s.cfg.Directory.BySIP(id.aor)
	switch {
	case !ok:
		return nil, checkUser.refuse("%.80q", id.aor)
	case !user.Enabled:
		return nil, checkDisabled.refuse("%.80q", id.aor)
	case m.Get("Contact") == "":
		return nil, checkContact.refuse("no Contact")
	}
	text := m.Get("Expires")
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return nil, checkContact.refuse("Expires %.20q", text)
	}
	asked := time.Duration(n) * time.Second
	return &asked, nil
}

// supports looks for an option tag in all Supported headers.
func supports(m *sipmessage.Message, tag string) bool {
	for _, value := range m.Values("Supported") {
		for one := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(one), tag) {
				return true
			}
		}
	}
	return false
}

func (c *connection) bind(m *sipmessage.Message, a *association, id identity, expires time.Duration) {
	contact, err := sipmessage.ParseAddress(m.Get("Contact"))
	if err != nil {
		c.refuse(m, a, checkContact.refuse("%v", err))
		return
	}
	uri := contact.URI
	if proxy, _ := contact.Param("proxy"); proxy == "replace" {
		uri = replaceHost(uri, c.peer)
	}
	clone := strings.Clone // so that the whole message is not kept with its parts
	now := c.s.cfg.Now()
	one := &endpoint{
		Registration: Registration{
			SIP: clone(id.aor), EPID: clone(id.epid), UserAgent: clone(m.Get("User-Agent")), Contact: clone(uri), Since: now, Expires: now.Add(expires),
		},
		callID: clone(m.CallID()), conn: c, gruu: sipmessage.GRUU(id.aor, id.epid),
		instance: sipmessage.FormatUUID(sipmessage.InstanceUUID(id.epid)),
	}
	refreshed, evicted, all := c.s.endpoints.bind(one)
	action := "added"
	if refreshed {
		action = "refreshed"
	}
	a.extend(now, registerLife(expires))
	c.received(m, action+", "+strconv.Itoa(seconds(expires))+" s granted")
	c.send200(m, a, one, all, expires, action)
	for _, old := range evicted {
		c.evict(old)
	}
}

// send200 answers a REGISTER in the order of real servers, own Contact first (sip.md §4.5, §8.8).
func (c *connection) send200(m *sipmessage.Message, a *association, own *endpoint, all []*endpoint, expires time.Duration, action string) {
	extra := []sipmessage.Header{c.contact(own)}
	for _, other := range all {
		if other != own {
			extra = append(extra, c.contact(other))
		}
	}
	extra = append(extra,
		header("Expires", seconds(expires)),
		header("presence-state", fmt.Sprintf(`register-action=%q;primary-cluster-type="central";is-connected-to-primary=%q`, action, c.s.primary())),
	)
	if !c.s.struck(faultNoEvents) {
		extra = append(extra, header("Allow-Events", allowEvents))
	}
	extra = append(extra,
		header("ms-keep-alive", fmt.Sprintf("UAS; tcp=no; hop-hop=yes; end-end=no; timeout=%d", keepAliveSeconds)),
		header("Supported", "adhoclist"),
		header("Server", c.s.server()),
		header("Supported", "msrtc-event-categories"),
		header("Supported", "ms-keepalive-deregister"),
		header("Supported", "ms-userservices-state-notification"),
	)
	answer := c.response(m, 200, "OK", extra...)
	a.sign(answer, c.s.cfg.Host, c.s.struck(faultBadSignature))
	c.send(answer)
}

// primary is "no" at the backup pool's front end ([MS-SIPREGE] 2.2.1.4).
func (s *Server) primary() string {
	if backup := s.cfg.Lab.Backup; backup != nil && strings.EqualFold(backup.FQDN, s.cfg.Host) {
		return "no"
	}
	return "yes"
}

// contact is the Contact of a 200 for one endpoint; the UUID is lower case (sip.md §4.4, §4.5).
func (c *connection) contact(one *endpoint) sipmessage.Header {
	left := one.Expires.Sub(c.s.cfg.Now())
	return header("Contact", fmt.Sprintf(`<%s;ms-received-cid=%s>;expires=%d;+sip.instance="<urn:uuid:%s>";gruu="%s"`,
		one.Contact, one.conn.id, seconds(left), one.instance, one.gruu))
}

// replaceHost puts the address that a connection really has into a Contact URI ([MS-SIPRE], proxy=replace).
func replaceHost(uri, address string) string {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok {
		return uri
	}
	host, params, found := strings.Cut(rest, ";")
	user, _, named := strings.Cut(host, "@")
	uri = scheme + ":"
	if named {
		uri += user + "@"
	}
	uri += address
	if found {
		uri += ";" + params
	}
	return uri
}

// signOff ends the registration; the answer has no more to say than that (sip.md §5.4).
func (c *connection) signOff(m *sipmessage.Message, a *association, id identity) {
	what := "signed off"
	if !c.s.endpoints.unbind(id.aor, id.epid, SignedOff) {
		what = "signed off without a registration"
	}
	c.received(m, what)
	c.forgetDialogs(id.aor, id.epid)
	c.reply(m, a, 200, "OK", header("Expires", 0), header("Server", c.s.server()))
}

// redirect sends the endpoint elsewhere. One target is the form of production, a second one is the backup, with the
// q values of a Lync 2013 Director (sip.md §4.6).
func (c *connection) redirect(m *sipmessage.Message, a *association, to []Address) {
	var extra []sipmessage.Header
	if len(to) == 1 {
		extra = append(extra, header("Contact", "<"+to[0].contact(c.by)+">"))
	} else {
		for i, q := range []string{"0.7", "0.3"} {
			at, by := to[i].by(c.by)
			extra = append(extra, header("Contact", fmt.Sprintf("<sip:%s;transport=%s>;q=%s", at, by.upper(), q)))
		}
	}
	c.reply(m, a, 301, "Redirect request to Home Server", slices.Concat(extra, []sipmessage.Header{header("Expires", redirectLife)})...)
}
