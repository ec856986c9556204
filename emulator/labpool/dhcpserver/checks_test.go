package dhcpserver

import (
	"fmt"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// wrong is one wrong message; to says who gets it.
type wrong struct {
	to   func(*testing.T, func(*wire))
	send func(*wire) *reply
}

// wrongMessages has at least one message for each row of the strictness table.
func wrongMessages() map[string][]wrong {
	registrar := func(t *testing.T, script func(*wire)) {
		respond(t, ResponderConfig{Discovery: config().Discovery}, script)
	}
	server := func(change ...func(*Config)) func(*testing.T, func(*wire)) {
		return func(t *testing.T, script func(*wire)) {
			cfg := config()
			for _, f := range change {
				f(&cfg)
			}
			serve(t, cfg, script)
		}
	}
	voice := func(c *Config) { c.VLAN = 200 }
	noInform := func(c *Config) { c.Inform = false }
	one := func(m *dhcpv4.DHCPv4) func(*wire) *reply {
		return func(w *wire) *reply { return w.ask(m) }
	}
	// bound is a message of a handset that has 10.77.0.100.
	bound := func(m *dhcpv4.DHCPv4) func(*wire) *reply {
		return func(w *wire) *reply {
			w.ask(discover("CPE-OCPHONE"))
			w.ask(selecting("10.77.0.100"))
			return w.ask(m)
		}
	}
	without := func(code uint8, m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		delete(m.Options, code)
		return m
	}
	with := func(m *dhcpv4.DHCPv4, code uint8, value ...byte) *dhcpv4.DHCPv4 {
		m.Options[code] = value
		return m
	}
	change := func(m *dhcpv4.DHCPv4, f func(*dhcpv4.DHCPv4)) *dhcpv4.DHCPv4 {
		f(m)
		return m
	}
	other := ip("10.77.0.2")
	return map[string][]wrong{
		"address.message": {
			{server(), func(w *wire) *reply { return w.raw([]byte{1, 2, 3}, handsetMAC) }},
			{registrar, func(w *wire) *reply { return w.raw([]byte{1, 2, 3}, handsetMAC) }},
			{server(), one(change(discover(""), func(m *dhcpv4.DHCPv4) { m.OpCode = dhcpv4.OpcodeBootReply }))},
			{registrar, one(change(inform(dhcpoption.ClassUC), func(m *dhcpv4.DHCPv4) { m.OpCode = dhcpv4.OpcodeBootReply }))},
			{server(), one(change(discover(""), func(m *dhcpv4.DHCPv4) { m.HWType = 6 }))},
			{server(), one(without(53, discover("")))},
			{server(), one(with(discover(""), 53, 1, 1))},
			{server(), one(with(discover(""), 50, 1, 2, 3))},
		},
		"address.relay": {{server(), one(change(discover(""), func(m *dhcpv4.DHCPv4) { m.GatewayIPAddr = ip("10.78.0.250") }))}},
		"address.kind": {
			{server(), one(bare(dhcpv4.MessageTypeOffer))},
			{server(), one(bare(dhcpv4.MessageTypeAck))},
			{server(), one(bare(dhcpv4.MessageTypeNak))},
		},
		"address.server": {
			{server(), bound(with(selecting("10.77.0.100"), 54, other...))},
			{server(), bound(ciaddr("10.77.0.100", with(bare(dhcpv4.MessageTypeRelease), 54, other...)))},
			{server(), bound(with(bare(dhcpv4.MessageTypeDecline), 50, ip("10.77.0.100")...))},
		},
		"address.no-address": {{server(), bound(bare(dhcpv4.MessageTypeRequest))}},
		"address.record":     {{server(), one(with(bare(dhcpv4.MessageTypeRequest), 50, ip("10.77.0.100")...))}},
		"address.wrong-address": {
			{server(), bound(selecting("10.77.0.101"))},
			{server(), bound(with(bare(dhcpv4.MessageTypeRequest), 50, ip("192.168.1.1")...))},
			{server(), bound(ciaddr("10.77.0.101", bare(dhcpv4.MessageTypeRequest)))},
		},
		"address.holder": {
			{server(), bound(ciaddr("10.77.0.101", with(bare(dhcpv4.MessageTypeRelease), 54, serverIP.AsSlice()...)))},
			{server(), bound(from(otherMAC, with(with(bare(dhcpv4.MessageTypeDecline), 54, serverIP.AsSlice()...), 50, ip("10.77.0.100")...)))},
		},
		"vlan.class": {
			{server(voice), one(discover("CPE-OC"))},
			{server(voice), one(discover("CPE-OCPHONE2"))},
			{server(voice), one(without(60, discover("")))},
			{server(voice), one(discover("MSFT 5.0"))},
		},
		"discovery.inform": {
			{registrar, one(discover(dhcpoption.ClassUC))},
			{registrar, one(selecting("10.77.0.100"))},
			{registrar, one(bare(dhcpv4.MessageTypeRelease))},
		},
		"discovery.class-missing": {{registrar, one(without(60, inform("")))}},
		"discovery.class": {
			{registrar, one(inform("ms-uc-client"))},
			{registrar, one(inform("MS-UC-Client2"))},
			{registrar, one(inform("CPE-OCPHONE"))},
			{registrar, one(inform(""))},
			{registrar, one(inform(dhcpoption.ClassUC + "\x00\x00"))},
		},
		"discovery.list-missing": {{registrar, one(without(55, inform(dhcpoption.ClassUC)))}},
		"discovery.list": {
			{registrar, one(with(inform(dhcpoption.ClassUC), 55, 1, 3))},
			{registrar, one(with(inform(dhcpoption.ClassUC), 55, 121, 42))},
		},
		"discovery.ciaddr": {
			{registrar, one(ciaddr("0.0.0.0", inform(dhcpoption.ClassUC)))},
			{server(), one(ciaddr("0.0.0.0", inform(dhcpoption.ClassUC)))},
		},
		"discovery.server-class": {
			{server(), one(inform("ms-uc-client"))}, {server(), one(inform("MSFT 5.0"))}, {server(), one(without(60, inform("")))},
		},
		"discovery.server-inform": {{server(noInform), one(inform(dhcpoption.ClassUC))}},
	}
}

func bare(kind dhcpv4.MessageType) *dhcpv4.DHCPv4 { return message(kind, nil) }

// said tells what came back in the words of the table.
func said(r *reply) string {
	if r == nil {
		return dropped
	}
	text := "DHCP" + r.MessageType().String()
	_, vendor := r.Options[dhcpoption.OptionVendor]
	_, servers := r.Options[dhcpoption.OptionSIPServers]
	switch {
	case r.MessageType() == dhcpv4.MessageTypeNak:
	case vendor || servers:
		text += fmt.Sprintf(", option 43 %v, option 120 %v", vendor, servers)
	case r.MessageType() == dhcpv4.MessageTypeOffer:
		text += " without option 43"
	default:
		text += " without options 43 and 120"
	}
	return text
}

// For each check its wrong messages and the documented refusal.
func TestEveryCheckRefusesItsWrongMessage(t *testing.T) {
	messages := wrongMessages()
	for _, c := range Checks() {
		name := c.Stage + "." + c.Name
		if c.Wrong == "" || c.Refusal == "" || c.Source == "" || len(messages[name]) == 0 {
			t.Errorf("%s: incomplete, or nothing sends its wrong message", name)
		}
		for i, m := range messages[name] {
			t.Run(fmt.Sprint(name, " ", i), func(t *testing.T) {
				m.to(t, func(w *wire) {
					if got := said(m.send(w)); got != c.Refusal {
						t.Errorf("%s, want %s", got, c.Refusal)
					}
					if c.Refusal == dropped && !w.dropped(name+": ") {
						t.Errorf("the timeline ends with %q", w.seen[len(w.seen)-1].Text)
					}
				})
			})
		}
		delete(messages, name)
	}
	for name := range messages {
		t.Errorf("%s is no check", name)
	}
}
