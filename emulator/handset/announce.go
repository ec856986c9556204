package handset

import (
	"net/netip"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// announcer tells the switch of the handset by LLDP from LinkDetect on until the handset has no power any more: in
// fast start first (TIA-1057, 11.2.1), then at the profile's pace, and at once when something in it has changed
// (somethingChangedLocal of IEEE 802.1AB). That the hardware goes on once it has its VLAN is inferred. Between
// announcements it is a timer, no goroutine: of many handsets most are idle.
type announcer struct {
	h       *Handset
	profile *configs.Profile

	mu       sync.Mutex
	endpoint lldp.Endpoint  // to be announced
	last     *lldp.Endpoint // announced, nil: none
	fast     int            // announcements of the fast start that are left
	timer    *time.Timer    // of the next announcement
	due      time.Time      // when that is
	over     bool
}

// startAnnouncing begins with a fast start. Announcements from before, on a link that was lost, are over.
func (h *Handset) startAnnouncing() {
	h.announcing.stop()
	p := h.profile
	a := &announcer{h: h, profile: p, fast: p.LLDPCount, endpoint: lldp.Endpoint{
		MAC: h.station.MAC(), SystemName: h.hostName(), Manufacturer: p.Vendor, Model: p.Model, Firmware: p.Firmware,
		TTL: p.LLDPTTL, ChassisSubtype: p.LLDPChassis,
	}}
	a.mu.Lock()
	defer a.mu.Unlock()
	first := p.LLDPTxInterval
	if a.fast > 0 {
		first = 0
	}
	a.due = time.Now().Add(first)
	a.timer = time.AfterFunc(first, func() { a.announce(nil) })
	h.announcing = a
}

// follow announces the policy that the handset follows from now on.
func (a *announcer) follow(policy lldp.NetworkPolicy) {
	a.announce(func(e *lldp.Endpoint) { e.Policy = &policy })
}

// moved announces the handset's address.
func (a *announcer) moved(to netip.Addr) {
	a.announce(func(e *lldp.Endpoint) { e.Address = to })
}

// announce sends the handset as it is after the change, and plans the next announcement. Where its address is its
// chassis id, what it was before is withdrawn, as lldpd does it: they would look like two neighbours otherwise. An
// announcement that is due goes before a change.
func (a *announcer) announce(change func(*lldp.Endpoint)) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	due := !time.Now().Before(a.due)
	if a.over || change == nil && !due { // it has gone before a change
		return
	}
	if due {
		a.tell()
	}
	if change != nil {
		change(&a.endpoint)
		a.tell()
	}
}

// tell sends the handset as it is now.
func (a *announcer) tell() {
	now := a.endpoint
	if now.ChassisSubtype == lldp.ChassisNetwork && a.last != nil && a.last.Address != now.Address {
		a.withdraw()
	}
	text := "LLDP-MED endpoint class III, voice policy unknown"
	if now.Policy != nil {
		text = "LLDP-MED endpoint class III, voice policy known"
	}
	a.send(now.PDU(), text)
	a.last = &now
	next := a.profile.LLDPTxInterval
	if a.fast--; a.fast > 0 {
		next = a.profile.LLDPInterval
	}
	a.due = time.Now().Add(next)
	a.timer.Reset(next)
}

// withdraw tells that who was announced last is gone.
func (a *announcer) withdraw() {
	if a.last != nil {
		a.send(a.last.Shutdown(), "LLDP-MED endpoint leaves, time to live 0")
	}
	a.last = nil
}

func (a *announcer) send(pdu lldp.PDU, text string) {
	station := a.h.station
	if !station.Carrier() {
		return
	}
	if o := a.h.cfg.outgoing; o != nil {
		o.LLDP(&pdu)
	}
	state, _ := a.h.state.Load().(devicestate.State)
	c := a.h.decoded(func() exchange.Content { return exchange.LLDP(pdu) })
	o := timeline.Observation{Kind: timeline.Sent, State: state, Protocol: "lldp", Text: text, Message: c.Kind, Fields: c.Fields}
	unit, err := pdu.Append(nil)
	if err == nil {
		err = station.SendFrame(ethernetFrame(lldp.Multicast, station.MAC(), lldp.EtherType, unit))
	}
	if err != nil {
		o.Kind, o.Text = timeline.Note, "LLDP frame not sent: "+err.Error()
	}
	a.h.cfg.timeline.Add(o)
}

// stop ends the announcements without a word, as a power cut does.
func (a *announcer) stop() { a.end(false) }

// leave ends them with the data unit that says so (TX_SHUTDOWN_FRAME of IEEE 802.1AB's transmit state machine).
func (a *announcer) leave() { a.end(true) }

func (a *announcer) end(properly bool) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if properly && !a.over {
		a.withdraw()
	}
	a.over = true
	a.timer.Stop()
}
