package importer

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// states says for each message in which state the handset was when it sent or received it, as far as the messages
// tell: a capture shows what a handset says, not what it is in. The state of a message that does not tell is that of
// the one before.
func (b *Boot) states() {
	w := walk{boot: b}
	for i := range b.Messages {
		m := &b.Messages[i]
		if m.Protocol == "dns" {
			continue
		}
		if m.Protocol == "lldp" || m.arp != nil {
			m.State = w.link(i)
			continue
		}
		if next := w.state(m); next != "" {
			w.now = next
		}
		m.State = w.now
		if w.next != "" {
			w.now, w.next = w.next, ""
		}
	}
	b.questions()
}

// walk goes through the messages with the state that they have led to.
type walk struct {
	boot     *Boot
	now      devicestate.State
	next     devicestate.State // behind this message, "": the same
	policy   bool              // the switch has told a voice policy
	answered bool              // a server has answered the DISCOVER
	released bool
	asked    int // DISCOVERs without an answer, by their transactions
	xid      dhcpv4.TransactionID
	updated  bool // the update query behind Provision was made
}

// link is the state of a message of LLDP or ARP, which tells of none. Before the handset asks for an address it is LinkDetect.
func (w *walk) link(i int) devicestate.State {
	m := &w.boot.Messages[i]
	if !m.Sent && m.arp == nil {
		pdu, _ := lldp.Parse(m.frame.Payload)
		_, policy := pdu.VoicePolicy()
		w.policy = w.policy || policy
	}
	if w.now == "" {
		w.now = devicestate.LinkDetect
	}
	return w.now
}

func (w *walk) state(m *Message) devicestate.State {
	switch m.Protocol {
	case "dhcp":
		return w.dhcp(m)
	case "ntp":
		if w.before(devicestate.PoolDiscover) {
			return devicestate.TimeSync
		}
	case "tls":
		return w.tls(m.stream)
	case "http":
		return w.http(m)
	case "sip":
		return w.sip(m)
	}
	return ""
}

// order is that of a boot without failures.
var order = []devicestate.State{
	devicestate.LinkDetect, devicestate.VlanDiscover, devicestate.AddressAcquire, devicestate.UpdateLookup, devicestate.TimeSync,
	devicestate.PoolDiscover, devicestate.RootChain, devicestate.WebTicket, devicestate.Enroll, devicestate.Register,
	devicestate.Provision, devicestate.UpdateCheck, devicestate.Ready,
}

// before reports whether the handset has not come as far as a state.
func (w *walk) before(state devicestate.State) bool {
	return slices.Index(order, w.now) < slices.Index(order, state)
}

func (w *walk) dhcp(m *Message) devicestate.State {
	p, err := dhcpoption.Parse(m.chunk.Bytes)
	if err != nil {
		return ""
	}
	switch p.MessageType() {
	case dhcpv4.MessageTypeInform:
		return devicestate.PoolDiscover
	case dhcpv4.MessageTypeRelease:
		w.released = true
	case dhcpv4.MessageTypeDiscover:
		if !w.before(devicestate.UpdateLookup) { // another boot
			*w = walk{boot: w.boot, policy: w.policy}
		}
		if p.TransactionID != w.xid {
			w.xid, w.asked = p.TransactionID, w.asked+1
		}
		unanswered := w.asked > 1 && !w.answered
		if w.boot.Handset.onLink && !w.policy && !w.released && !unanswered && m.frame.VLAN == "" {
			return devicestate.VlanDiscover
		}
		return devicestate.AddressAcquire
	case dhcpv4.MessageTypeOffer:
		w.answered = true
	case dhcpv4.MessageTypeAck:
		w.answered = true
		if vid, _ := dhcpoption.ParseVLAN(p.Options.Get(dhcpv4.OptionVendorSpecificInformation)); vid == 0 && w.now == devicestate.VlanDiscover {
			w.next = devicestate.AddressAcquire // the lease is kept
		}
	case dhcpv4.MessageTypeRequest:
		if w.now == "" || w.now == devicestate.LinkDetect { // asks for the address that it had
			return devicestate.AddressAcquire
		}
	}
	return ""
}

// tls is the state in which a connection is opened: the one that its first message tells, else its port.
func (w *walk) tls(s *Stream) devicestate.State {
	for i := range w.boot.Messages {
		if m := &w.boot.Messages[i]; m.stream == s && m.spoken != nil {
			return w.state(m)
		}
	}
	switch {
	case s.Server.Port() == portSIPTLS:
		return w.registering()
	case w.before(devicestate.TimeSync):
		return devicestate.UpdateLookup
	case w.now == devicestate.PoolDiscover, w.now == devicestate.RootChain:
		return devicestate.WebTicket
	case w.now == devicestate.Provision:
		return devicestate.UpdateCheck
	}
	return ""
}

func (w *walk) http(m *Message) devicestate.State {
	r := m.spoken.Request
	if r == nil {
		return ""
	}
	action := r.Get("SOAPAction")
	switch target := strings.ToLower(r.Target); {
	case strings.HasSuffix(target, ".upx"):
		if w.before(devicestate.Register) {
			return devicestate.UpdateLookup
		}
		w.updated = true
		return devicestate.UpdateCheck
	case r.Method == "GET" && (w.now == devicestate.UpdateLookup || w.now == devicestate.UpdateCheck):
		return devicestate.Updating
	case w.now == devicestate.Ready: // a new certificate
		return devicestate.Ready
	case strings.Contains(action, "GetRootCertChains"), m.stream.Server.Port() == portHTTP:
		return devicestate.RootChain
	case strings.Contains(action, "GetAndPublishCert"):
		return devicestate.Enroll
	case strings.Contains(target, "certprov"), strings.Contains(target, "webticket"):
		return devicestate.WebTicket
	}
	return ""
}

// registering is Register, or what comes after it.
func (w *walk) registering() devicestate.State {
	if w.before(devicestate.Provision) || w.now == devicestate.Updating {
		return devicestate.Register
	}
	return ""
}

func (w *walk) sip(m *Message) devicestate.State {
	s := m.spoken.SIP
	switch {
	case s == nil: // a keep-alive
		return devicestate.Ready
	case !m.Sent || !s.IsRequest():
		return ""
	case w.updated, s.Get("Expires") == "0" && s.Get("Event") != provisioningEvent:
		return devicestate.Ready
	case s.Method == "REGISTER":
		return w.registering()
	case w.before(devicestate.UpdateCheck):
		return devicestate.Provision
	}
	return ""
}

// provisioningEvent is asked for once, with Expires 0 (sip.md §4.4).
const provisioningEvent = "vnd-microsoft-provisioning-v2"

// questions gives DNS its states: a question belongs to the connection that it is asked for, any other to what is
// found out at that time.
func (b *Boot) questions() {
	asked := map[question]devicestate.State{}
	now := devicestate.State("")
	for i := range b.Messages {
		m := &b.Messages[i]
		if m.Protocol != "dns" {
			if m.Protocol != "lldp" && m.arp == nil {
				now = m.State
			}
			continue
		}
		q, message, ok := m.question()
		if !ok {
			m.State = now
			continue
		}
		if !m.Sent {
			if m.State, ok = asked[q]; !ok {
				m.State = now
			}
			continue
		}
		m.State = b.purpose(i, message, now)
		asked[q] = m.State
		now = m.State
	}
}

type question struct {
	id     uint16
	client netip.AddrPort
	text   string
}

// question is what a DNS message asks or answers.
func (m *Message) question() (q question, message dnsmessage.Message, ok bool) {
	b := m.chunk.Bytes
	if m.Protocol != "dns" {
		return q, message, false
	}
	if m.stream != nil && len(b) > 2 {
		b = b[2:]
	}
	if message.Unpack(b) != nil || len(message.Questions) != 1 {
		return q, message, false
	}
	q.id, q.text = message.ID, message.Questions[0].Type.String()+" "+message.Questions[0].Name.String()
	switch {
	case m.stream != nil:
		q.client = m.stream.Client
	case m.Sent:
		q.client = m.frame.Source
	default:
		q.client = m.frame.Target
	}
	return q, message, true
}

// purpose is the state in which a question is asked.
func (b *Boot) purpose(i int, asked dnsmessage.Message, now devicestate.State) devicestate.State {
	name := strings.ToLower(asked.Questions[0].Name.String())
	if asked.Questions[0].Type == dnsmessage.TypeA {
		if state := b.connecting(i); state != "" {
			return state
		}
	}
	switch {
	case strings.HasPrefix(name, "_ntp._udp."), name == "time.windows.com.":
		return devicestate.TimeSync
	case strings.HasPrefix(name, "ucupdates"):
		if slices.Index(order, now) >= slices.Index(order, devicestate.Register) {
			return devicestate.UpdateCheck
		}
		return devicestate.UpdateLookup
	case now == "", now == devicestate.LinkDetect, now == devicestate.VlanDiscover, now == devicestate.AddressAcquire:
		return devicestate.UpdateLookup
	case now == devicestate.TimeSync:
		return devicestate.PoolDiscover
	}
	return now
}

// connecting is the state of the connection that is opened next to an address of the answer, if the name is not asked
// for again before.
func (b *Boot) connecting(i int) devicestate.State {
	asked, _, _ := b.Messages[i].question()
	var addresses []netip.Addr
	for k := i + 1; k < len(b.Messages); k++ {
		m := &b.Messages[k]
		switch {
		case m.Protocol == "dns":
			q, answer, ok := m.question()
			switch {
			case ok && m.Sent && q.text == asked.text:
				return ""
			case ok && !m.Sent && q == asked:
				for _, r := range answer.Answers {
					if a, ok := r.Body.(*dnsmessage.AResource); ok {
						addresses = append(addresses, netip.AddrFrom4(a.A))
					}
				}
			}
		case m.stream != nil && m.stream.First > b.Messages[i].Frame && slices.Contains(addresses, m.stream.Server.Addr()),
			m.Protocol == "ntp" && slices.Contains(addresses, m.frame.Target.Addr()):
			return m.State
		case m.stream != nil && m.Sent && m.stream.First > b.Messages[i].Frame:
			return ""
		}
	}
	return ""
}
