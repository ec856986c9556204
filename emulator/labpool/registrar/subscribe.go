package registrar

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

const (
	eventProvisioning = "vnd-microsoft-provisioning-v2"
	eventContacts     = "vnd-microsoft-roaming-contacts"
	eventSelf         = "vnd-microsoft-roaming-self"

	typeProvisioning = provisioning.TypeProvisioning
)

// dialog is a subscription that goes on after its first answer.
type dialog struct {
	sip, epid string // sip in lower case
	event     string
	callID    string
	local     string // To of the SUBSCRIBE with the server's tag
	remote    string // From of the SUBSCRIBE
	target    string // URI of its Contact
	benotify  bool   // notifications need no answer, ms-benotify
	cseq      int    // of the last notification; the piggybacked one is 1
	expires   time.Time
}

func inDialog(m *sipmessage.Message) bool {
	to, err := sipmessage.ParseAddress(m.Get("To"))
	return err == nil && to.Tag() != ""
}

// subscribe answers with the first notification in the 200 (ms-piggyback-first-notify; sip.md §5.1, §8.9).
func (c *connection) subscribe(m *sipmessage.Message, a *association, id identity) {
	event := m.Get("Event")
	if !slices.Contains(strings.Split(allowEvents, ","), event) {
		c.refuse(m, a, checkSubscription.refuse("Event %.60q", event))
		return
	}
	expires := c.s.endpoints.grants().subscription
	if text := m.Get("Expires"); text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			c.refuse(m, a, checkBody.refuse("Expires %.20q", text))
			return
		}
		expires = min(time.Duration(n)*time.Second, expires)
	}
	if inDialog(m) {
		c.resubscribe(m, a, id, expires)
		return
	}
	contentType, body, refused := c.firstNotification(m, id, event)
	if refused != nil {
		c.refuse(m, a, refused)
		return
	}
	c.received(m, fmt.Sprintf("%d s", seconds(expires)))
	answer := c.subscribed(m, event, expires)
	if expires > 0 {
		c.remember(m, answer, id, event, expires)
	}
	if body != nil {
		setBody(answer, contentType, body)
	}
	c.sendSigned(answer, a)
}

// firstNotification makes the body for an event; the events without one are subscribed to all the same.
func (c *connection) firstNotification(m *sipmessage.Message, id identity, event string) (contentType string, body []byte, refused *refusal) {
	var err error
	switch event {
	case eventProvisioning:
		if !accepts(m, typeProvisioning) {
			return "", nil, checkAccept.refuse("Accept %.120q", m.Values("Accept"))
		}
		request, bad := provisioning.ParseGroupRequest(m.Body)
		if bad != nil {
			return "", nil, checkBody.refuse("%v", bad)
		}
		contentType = typeProvisioning
		body, err = c.s.provision(id, request).Append(nil)
	case eventContacts:
		contentType = provisioning.TypeContacts
		body, err = provisioning.Contacts{DeltaNum: 1, Groups: []provisioning.ContactGroup{provisioning.NoGroup}}.Append(nil)
	case eventSelf:
		if _, bad := provisioning.ParseSelfRequest(m.Body); bad != nil {
			return "", nil, checkBody.refuse("%v", bad)
		}
		contentType = provisioning.TypeSelf
		body, err = c.s.self(id).Append(nil)
	}
	if err != nil {
		return "", nil, checkBody.refuse("%v", err)
	}
	return contentType, body, nil
}

func accepts(m *sipmessage.Message, contentType string) bool {
	for _, value := range m.Values("Accept") {
		for one := range strings.SplitSeq(value, ",") {
			one, _, _ = strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(one), contentType) {
				return true
			}
		}
	}
	return false
}

// subscribed is the 200 without a body, in the order of [MS-SIPREGE] 4.2.2.
func (c *connection) subscribed(m *sipmessage.Message, event string, expires time.Duration) *sipmessage.Message {
	state := fmt.Sprintf("active;expires=%d", seconds(expires))
	if expires == 0 {
		state = "terminated;expires=0"
	}
	answer := c.response(m, 200, "OK",
		header("Expires", seconds(expires)),
		header("Event", event),
		header("subscription-state", state),
		header("ms-piggyback-cseq", 1),
		header("Supported", "ms-benotify, ms-piggyback-first-notify"),
		header("Server", c.s.server()),
	)
	contact := header("Contact", "<"+c.s.Addresses().contact(c.by)+">")
	answer.Headers = append([]sipmessage.Header{contact}, answer.Headers...)
	return answer
}

// remember keeps the dialog; the oldest goes if there are too many.
func (c *connection) remember(m, answer *sipmessage.Message, id identity, event string, expires time.Duration) {
	target := id.aor
	if contact, err := sipmessage.ParseAddress(m.Get("Contact")); err == nil && contact.URI != "" {
		target = contact.URI
	}
	if len(c.dialogs) >= maxDialogs {
		var first *dialog
		for _, d := range c.dialogs {
			if first == nil || d.expires.Before(first.expires) {
				first = d
			}
		}
		delete(c.dialogs, first.callID)
	}
	callID := strings.Clone(m.CallID()) // not the whole message with it
	c.dialogs[callID] = &dialog{
		sip: strings.ToLower(strings.Clone(id.aor)), epid: strings.Clone(id.epid), event: strings.Clone(event), callID: callID,
		local: strings.Clone(answer.Get("To")), remote: strings.Clone(m.Get("From")),
		target: strings.Clone(target), benotify: supports(m, "ms-benotify"), cseq: 1, expires: c.s.cfg.Now().Add(expires),
	}
}

// resubscribe renews a subscription, or ends it.
func (c *connection) resubscribe(m *sipmessage.Message, a *association, id identity, expires time.Duration) {
	d := c.dialogs[m.CallID()]
	if d == nil || d.sip != strings.ToLower(id.aor) || d.event != m.Get("Event") || !c.s.cfg.Now().Before(d.expires) || tagOf(d.local) != tagOf(m.Get("To")) {
		c.refuse(m, a, checkDialog.refuse("Call-ID %.40q", m.CallID()))
		return
	}
	if expires == 0 {
		delete(c.dialogs, d.callID)
		c.received(m, "ended")
	} else {
		d.expires = c.s.cfg.Now().Add(expires)
		c.received(m, "renewed")
	}
	answer := c.subscribed(m, d.event, expires)
	answer.Headers = slices.DeleteFunc(answer.Headers, func(h sipmessage.Header) bool { return h.Name == "ms-piggyback-cseq" })
	c.sendSigned(answer, a)
}

// forgetDialogs ends the subscriptions of an endpoint.
func (c *connection) forgetDialogs(sip, epid string) {
	for callID, d := range c.dialogs {
		if d.sip == strings.ToLower(sip) && d.epid == epid {
			delete(c.dialogs, callID)
		}
	}
}

func tagOf(value string) string {
	a, err := sipmessage.ParseAddress(value)
	if err != nil {
		return ""
	}
	return a.Tag()
}

// setBody gives a message its body; Content-Length stays last.
func setBody(m *sipmessage.Message, contentType string, body []byte) {
	m.Headers = slices.DeleteFunc(m.Headers, func(h sipmessage.Header) bool { return h.Name == "Content-Length" })
	m.Add("Content-Type", contentType)
	m.Add("Content-Length", strconv.Itoa(len(body)))
	m.Body = body
}

// replyBody answers 200 with a body.
func (c *connection) replyBody(m *sipmessage.Message, a *association, extra []sipmessage.Header, contentType string, body []byte) {
	answer := c.response(m, 200, "OK", extra...)
	setBody(answer, contentType, body)
	c.sendSigned(answer, a)
}

func sortCategories(list []provisioning.Category) {
	slices.SortFunc(list, func(a, b provisioning.Category) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Container, b.Container))
	})
}
