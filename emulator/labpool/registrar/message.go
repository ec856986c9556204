package registrar

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

func (s *Server) server() string {
	if name := s.cfg.Settings.Registrar().Server; name != "" {
		return name
	}
	return "RTC/5.0" // Lync Server 2013
}

// message takes one message of the handset.
func (c *connection) message(m *sipmessage.Message) {
	c.tellUnknown(m)
	c.from = senderOf(m)
	c.handles(m)
	defer func() { c.from, c.handling = sender{}, handling{} }()
	if m.IsRequest() {
		c.request(m)
		return
	}
	c.answer(m)
}

// wellFormed tells who a request says that it comes from, and refuses one that lacks what every request has.
func wellFormed(m *sipmessage.Message) (identity, *refusal) {
	for _, name := range []string{"From", "To", "Call-ID", "CSeq", "Via"} {
		if m.Get(name) == "" {
			return identity{}, checkHeaders.refuse("no %s", name)
		}
	}
	if _, method := m.CSeq(); method != m.Method {
		return identity{}, checkHeaders.refuse("CSeq of a %.20q", method)
	}
	id, err := identify(m)
	if err != nil {
		return id, checkHeaders.refuse("%v", err)
	}
	return id, nil
}

// dispatch handles a request that is who it says.
func (c *connection) dispatch(m *sipmessage.Message, a *association, id identity) {
	takes, known := methods[m.Method]
	switch {
	case !known:
		c.refuse(m, a, checkMethodUnknown.refuse("%.20q", m.Method))
		return
	case !takes:
		c.refuse(m, a, checkMethod.refuse("%s", m.Method))
		return
	}
	if m.Method != "REGISTER" && c.struckByProvision(m, a) {
		return
	}
	switch m.Method {
	case "REGISTER":
		c.register(m, a, id)
	case "SUBSCRIBE":
		c.subscribe(m, a, id)
	case "SERVICE":
		c.service(m, a, id)
	case "INVITE":
		c.invite(m, a)
	case "CANCEL":
		c.received(m, "nothing is pending")
		c.reply(m, a, 481, "Call Leg/Transaction Does Not Exist")
	case "ACK":
		c.received(m, "")
	}
}

// answer takes the handset's answer to a request of the server: signed as requests are (sip.md §1.3).
func (c *connection) answer(m *sipmessage.Message) {
	if refused := c.answered(m); refused != nil {
		c.refuse(m, nil, refused)
		return
	}
	c.from.auth = authDSK
	c.received(m, "")
	waiting := c.waiting[transaction(m)]
	if waiting == nil || m.Status < 200 {
		return
	}
	delete(c.waiting, transaction(m))
	waiting <- m.Status
}

// transaction is what a request of the server and its answer share.
func transaction(m *sipmessage.Message) string { return m.CallID() + " " + m.Get("CSeq") }

func (c *connection) answered(m *sipmessage.Message) *refusal {
	p, ok, err := authorization(m)
	if err != nil || !ok {
		return checkAnswer.refuse("not signed")
	}
	a := c.associations[p.Opaque]
	if a == nil || p.TargetName != c.s.cfg.Host || p.Realm != tlsdsk.Realm {
		return checkAnswer.refuse("signed for another association")
	}
	if refused := a.authentic(m, p); refused != nil {
		return checkAnswer.refuse("%s", refused.detail)
	}
	return nil
}

// response is the answer to m with a new tag in To, unless it is provisional, and the server's marks in Via.
func (c *connection) response(m *sipmessage.Message, status int, reason string, extra ...sipmessage.Header) *sipmessage.Message {
	tag := ""
	if status >= 200 {
		tag = newTag()
	}
	answer := sipmessage.Response(m, status, reason, tag, extra...)
	for i, h := range answer.Headers {
		if h.Name == "Via" {
			answer.Headers[i].Value += fmt.Sprintf(";ms-received-port=%s;ms-received-cid=%s", c.port(), c.id)
			break
		}
	}
	return answer
}

func (c *connection) port() string {
	_, port, err := net.SplitHostPort(c.peer)
	if err != nil {
		return "0"
	}
	return port
}

// reply answers m, signed if there is an association.
func (c *connection) reply(m *sipmessage.Message, a *association, status int, reason string, extra ...sipmessage.Header) {
	c.sendSigned(c.response(m, status, reason, extra...), a)
}

func (c *connection) sendSigned(m *sipmessage.Message, a *association) {
	if a != nil {
		a.sign(m, c.s.cfg.Host, false)
	}
	c.send(m)
}

func (c *connection) send(m *sipmessage.Message) {
	if c.s.cfg.Outgoing != nil && !c.change(m) {
		c.note(timeline.Note, "%s withheld", describe(m))
		return
	}
	to := c.from
	if m.IsRequest() {
		to = receiverOf(m)
	}
	c.tell(timeline.Sent, to, nil, "%s", describe(m))
	if err := c.sip.Send(m); err != nil {
		c.note(timeline.Note, "%s not sent: %v", describe(m), err)
	}
}

func (c *connection) received(m *sipmessage.Message, what string) {
	if what != "" {
		what = ": " + what
	}
	c.note(timeline.Received, "%s%s", describe(m), what)
}

// maxShown bounds what a stranger can put into the timeline.
const maxShown = 80

// describe tells a message in one line, without anything secret.
func describe(m *sipmessage.Message) fmt.Stringer { return line{m} }

type line struct{ *sipmessage.Message }

func (m line) String() string {
	number, method := m.CSeq()
	var text strings.Builder
	if m.IsRequest() {
		fmt.Fprintf(&text, "%.*s %.*s", maxShown, m.Method, maxShown, number)
		if from, err := sipmessage.ParseAddress(m.Get("From")); err == nil {
			fmt.Fprintf(&text, " of %.*s", maxShown, from.URI)
		}
		if event := m.Get("Event"); event != "" && m.Method != "REGISTER" {
			fmt.Fprintf(&text, ", %.*s", maxShown, event)
		}
	} else {
		fmt.Fprintf(&text, "%d %.*s to %.*s %.*s", m.Status, maxShown, m.Reason, maxShown, method, maxShown, number)
	}
	if expires := m.Get("Expires"); expires != "" {
		fmt.Fprintf(&text, ", Expires %.*s", maxShown, expires)
	}
	for _, name := range []string{"ms-diagnostics", "ms-diagnostics-public"} {
		if value := m.Get(name); value != "" {
			fmt.Fprintf(&text, ", %s %.*s", name, maxShown, value)
		}
	}
	return text.String()
}

// seconds is a duration as SIP writes it.
func seconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }
