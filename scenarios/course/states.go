// Package course tells what a boot's messages show of its handset besides themselves: the states that it went through, and
// its model and firmware. Neither a capture nor a pool knows more.
package course

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// About is what a message does not say itself.
type About struct {
	Place      int            // in the order in which everything was seen
	Connection string         // that it came on, "" for a datagram and a frame
	Opened     int            // place of the connection's beginning
	Server     netip.AddrPort // of the connection, or that the datagram went to or came from
	Secure     bool           // the connection is one of TLS
	Tagged     bool           // it was seen in a VLAN
}

// Ports of the services that tell a state where nothing else does.
const portSIPTLS = 5061

// States says for each message in which state the handset was when it sent or received it, as far as the messages tell:
// they show what a handset says, not what it is in. The state of a message that does not tell is that of the one before.
// onLink: the handset's own link was seen, and with it LLDP if there was any.
func States(messages []exchange.Message, about []About, onLink bool) {
	w := walk{messages: messages, about: about, onLink: onLink}
	for i := range messages {
		m := &messages[i]
		switch m.Protocol {
		case "dns":
			continue
		case "lldp", exchange.ProtocolARP:
			m.State = w.link(m)
			continue
		}
		if next := w.state(i); next != "" {
			w.now = next
		}
		m.State = w.now
		if w.next != "" {
			w.now, w.next = w.next, ""
		}
	}
	w.questions()
}

// walk goes through the messages with the state that they have led to.
type walk struct {
	messages []exchange.Message
	about    []About
	onLink   bool
	now      devicestate.State
	next     devicestate.State // behind this message, "": the same
	policy   bool              // the switch has told a voice policy
	answered bool              // a server has answered the DISCOVER
	released bool
	asked    int // DISCOVERs without an answer, by their transactions
	xid      string
	updated  bool // the update query behind Provision was made
}

// value is what a field says, "" if the message does not have it.
func value(m *exchange.Message, name string) string {
	for _, f := range m.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// voicePolicy begins a network policy for voice that is known (TIA-1057, 10.2.3).
const voicePolicy = "application 1, unknown false,"

// link is the state of a message of LLDP or ARP, which tells of none. Before the handset asks for an address it is LinkDetect.
func (w *walk) link(m *exchange.Message) devicestate.State {
	if !m.Sent && m.Protocol == "lldp" {
		w.policy = w.policy || slices.ContainsFunc(m.Fields, func(f exchange.Field) bool {
			return strings.HasPrefix(f.Name, "network policy") && strings.HasPrefix(f.Value, voicePolicy)
		})
	}
	if w.now == "" {
		w.now = devicestate.LinkDetect
	}
	return w.now
}

func (w *walk) state(i int) devicestate.State {
	switch m := &w.messages[i]; m.Protocol {
	case "dhcp":
		return w.dhcp(i)
	case "ntp":
		if w.before(devicestate.PoolDiscover) {
			return devicestate.TimeSync
		}
	case "tls":
		return w.tls(i)
	case "http":
		return w.http(i)
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

func (w *walk) dhcp(i int) devicestate.State {
	m := &w.messages[i]
	switch m.Kind {
	case dhcpv4.MessageTypeInform.String():
		return devicestate.PoolDiscover
	case dhcpv4.MessageTypeRelease.String():
		w.released = true
	case dhcpv4.MessageTypeDiscover.String():
		if !w.before(devicestate.UpdateLookup) { // another boot
			*w = walk{messages: w.messages, about: w.about, onLink: w.onLink, policy: w.policy}
		}
		if xid := value(m, "xid"); xid != w.xid {
			w.xid, w.asked = xid, w.asked+1
		}
		unanswered := w.asked > 1 && !w.answered
		if w.onLink && !w.policy && !w.released && !unanswered && !w.about[i].Tagged {
			return devicestate.VlanDiscover
		}
		return devicestate.AddressAcquire
	case dhcpv4.MessageTypeOffer.String():
		w.answered = true
	case dhcpv4.MessageTypeAck.String():
		w.answered = true
		if offeredVLAN(m) == 0 && w.now == devicestate.VlanDiscover {
			w.next = devicestate.AddressAcquire // the lease is kept
		}
	case dhcpv4.MessageTypeRequest.String():
		switch {
		case w.now == "", w.now == devicestate.LinkDetect: // asks for the address that it had
			return devicestate.AddressAcquire
		case w.updated: // renews the lease
			return devicestate.Ready
		}
	}
	return ""
}

// offeredVLAN is the VLAN in option 43, 0 if there is none.
func offeredVLAN(m *exchange.Message) uint16 {
	for _, f := range m.Fields {
		if !strings.HasPrefix(f.Name, "option 43 ") {
			continue
		}
		text := f.Value
		if open := strings.LastIndexByte(text, '('); open >= 0 {
			text = strings.TrimSuffix(text[open+1:], ")")
		}
		if option, err := hex.DecodeString(text); err == nil {
			vid, _ := dhcpoption.ParseVLAN(option)
			return vid
		}
	}
	return 0
}

// tls is the state in which a connection is opened: the one that its first message tells, else its port.
func (w *walk) tls(i int) devicestate.State {
	connection := w.about[i].Connection
	for k := range w.messages {
		if m := &w.messages[k]; w.about[k].Connection == connection && (m.Protocol == "http" || m.Protocol == "sip") {
			return w.state(k)
		}
	}
	switch {
	case w.about[i].Server.Port() == portSIPTLS:
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

func (w *walk) http(i int) devicestate.State {
	m := &w.messages[i]
	method, rest, _ := strings.Cut(value(m, "request"), " ")
	if method == "" {
		return ""
	}
	switch target := strings.ToLower(rest); {
	case strings.HasSuffix(target, ".upx"):
		if w.before(devicestate.Register) {
			return devicestate.UpdateLookup
		}
		w.updated = true
		return devicestate.UpdateCheck
	case method == "GET" && (w.now == devicestate.UpdateLookup || w.now == devicestate.UpdateCheck):
		return devicestate.Updating
	case w.now == devicestate.Ready: // a new certificate
		return devicestate.Ready
	case strings.Contains(m.Kind, "GetRootCertChains"), !w.about[i].Secure:
		return devicestate.RootChain
	case strings.Contains(m.Kind, "GetAndPublishCert"):
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

// ProvisioningEvent is asked for once, with Expires 0 (sip.md §4.4).
const ProvisioningEvent = "vnd-microsoft-provisioning-v2"

func (w *walk) sip(m *exchange.Message) devicestate.State {
	method, _, _ := strings.Cut(value(m, "request"), " ")
	switch {
	case m.Kind == exchange.KeepAlive().Kind:
		return devicestate.Ready
	case !m.Sent || method == "":
		return ""
	case w.updated, value(m, "Expires") == "0" && value(m, "Event") != ProvisioningEvent:
		return devicestate.Ready
	case method == "REGISTER":
		return w.registering()
	case w.before(devicestate.UpdateCheck):
		return devicestate.Provision
	}
	return ""
}

// Reached are the states that messages tell of, those of the first boot in them.
func Reached(messages []exchange.Message) []devicestate.State {
	var out []devicestate.State
	for _, m := range messages {
		switch {
		case m.Protocol == "lldp" && m.State != devicestate.LinkDetect, m.Protocol == exchange.ProtocolARP, m.State == "", len(out) > 0 && out[len(out)-1] == m.State:
		case slices.Contains(out, m.State) && m.State != devicestate.Ready:
			return out
		default:
			out = append(out, m.State)
		}
	}
	if !slices.ContainsFunc(out, func(s devicestate.State) bool { return slices.Contains(order, s) }) {
		return []devicestate.State{devicestate.LinkDetect}
	}
	return out
}
