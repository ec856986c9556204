package handset

import (
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/arp"
)

// arpSeen puts a packet of ARP on the timeline. Other goroutines call it.
func (h *Handset) arpSeen(p arp.Packet, sent bool) {
	state, _ := h.state.Load().(devicestate.State)
	c := exchange.ARP(p, sent)
	o := timeline.Observation{Kind: timeline.Received, State: state, Protocol: "arp", Peer: p.SenderAddr().String(), Text: c.Kind, Message: c.Kind, Fields: c.Fields}
	if sent {
		o.Kind, o.Peer = timeline.Sent, p.TargetAddr().String()
	}
	h.cfg.timeline.Add(o)
}
