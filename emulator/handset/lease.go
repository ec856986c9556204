package handset

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// lease is an address from DHCP with what came along.
type lease struct {
	address netip.Prefix
	router  netip.Addr
	server  netip.Addr
	hop     net.HardwareAddr // the way to server: itself, or the relay in between
	dns     []netip.Addr
	ntp     []netip.Addr
	domain  string
	search  []string // option 119, which no shipped profile asks for
	vendor  []byte   // option 43
	kept    bool     // from VlanDiscover, without a VLAN
	term    term
}

// vlanDiscover takes an untagged lease with the class of the VLAN request and looks for sub-option 10 (discovery.md §1.2).
func (h *Handset) vlanDiscover(ctx context.Context) (devicestate.Event, *Failure) {
	if _, ok := h.computer(); ok {
		h.skipped = true
		return devicestate.VlanAbsent, nil
	}
	got, failure := h.acquire(ctx, h.profile.VLANTimeouts)
	if got == nil {
		if failure != nil {
			h.note("no VLAN by DHCP: %s", failure.Detail())
		}
		return devicestate.VlanSilent, nil
	}
	h.ram.lease = got
	vid, err := dhcpoption.ParseVLAN(got.vendor)
	var malformed *dhcpoption.Error
	if errors.As(err, &malformed) && malformed.Kind == "vlan-invalid" {
		h.warn(fail(devicestate.StageVlan, "invalid", got.server.String(), "option 43 has no usable VLAN", err))
	} else if err != nil {
		h.note("option 43 of %v: %v", got.server, err)
	}
	if vid == 0 || err != nil {
		got.kept = true
		h.note("VLAN ID 0: the native VLAN is used")
		return devicestate.VlanAbsent, nil
	}
	h.note("voice VLAN %d by DHCP", vid)
	h.ram.policy = &voicePolicy{vlan: vid}
	h.announcing.follow(lldp.NetworkPolicy{Application: lldp.ApplicationVoice, Tagged: true, VLAN: vid})
	return devicestate.VlanOffered, nil
}

// addressAcquire gets an address and checks that nobody uses it (RFC 2131 §3.1, RFC 5227 §2.1.1).
func (h *Handset) addressAcquire(ctx context.Context) (devicestate.Event, *Failure) {
	if c, ok := h.computer(); ok {
		h.useComputer(c)
		return devicestate.AddressBound, nil
	}
	if pause := h.ram.pause; pause > 0 {
		h.ram.pause = 0
		h.note("after %d conflicts DHCP begins again in %v", h.ram.conflicts, pause)
		if !sleep(ctx, pause) {
			return "", nil
		}
	}
	if h.ram.lease == nil || !h.ram.lease.kept {
		got, failure := h.acquire(ctx, h.profile.LeaseTimeouts)
		if got == nil {
			if failure == nil {
				failure = fail(devicestate.StageAddress, "no-offer", "", "no DHCP server answered", nil)
			}
			return devicestate.AddressUnanswered, failure
		}
		h.ram.lease = got
	}
	l := h.ram.lease
	l.kept = false
	err := h.station.Probe(ctx, l.address.Addr(), h.profile.ARPProbe)
	var conflict *ethernet.AddressInUse
	if errors.As(err, &conflict) {
		return h.conflicted(l, conflict), nil
	}
	if err != nil {
		return devicestate.AddressUnanswered, internal("ARP probe", err)
	}
	if err := h.station.SetAddress(l.address, l.router); err != nil {
		return devicestate.AddressUnanswered, internal("address not set", err)
	}
	h.announcing.moved(l.address.Addr())
	h.overrideNetwork()
	h.ram.conflicts = 0
	h.note("address %v, router %v, domain %q, DNS %v, time %v", l.address, l.router, l.domain, l.dns, l.ntp)
	return devicestate.AddressBound, nil
}

// How long the handset waits after a DECLINE (RFC 2131 §3.1 item 5: at least ten seconds), and after how many of them
// longer (RFC 5227 §1.1, MAX_CONFLICTS and RATE_LIMIT_INTERVAL).
const (
	declinePause = 10 * time.Second
	maxConflicts = 10
	conflictRate = 60 * time.Second
)

// conflicted plans the next attempt after the address turned out to be in use; the table declines the lease.
func (h *Handset) conflicted(l *lease, conflict *ethernet.AddressInUse) devicestate.Event {
	h.ram.conflicts++
	h.ram.pause = declinePause
	if h.ram.conflicts >= maxConflicts {
		h.ram.pause = conflictRate
	}
	h.warn(fail(devicestate.StageAddress, "duplicate", l.server.String(), "the offered address is in use", conflict))
	h.note("%v: the lease of DHCP server %v is declined", conflict, l.server)
	return devicestate.AddressConflict
}

// addressContested notes that another station uses the handset's address, which the station defends and keeps; that the
// hardware keeps it is inferred. Another goroutine calls it.
func (h *Handset) addressContested(conflict *ethernet.AddressInUse) {
	state, _ := h.state.Load().(devicestate.State)
	h.cfg.timeline.Add(timeline.Observation{
		Kind: timeline.Diagnosis, State: state, Protocol: "arp", Peer: conflict.Holder.String(),
		Code: string(devicestate.NewCode(devicestate.StageAddress, "duplicate")),
		Text: fmt.Sprintf("warning: %v, too: the handset defends it and goes on (RFC 5227 §2.4)", conflict),
	})
}

// acquire runs DISCOVER, OFFER, REQUEST, ACK, one DISCOVER for each timeout. nil, nil means nobody answered.
func (h *Handset) acquire(ctx context.Context, timeouts []time.Duration) (*lease, *Failure) {
	x, err := h.openDHCP()
	if err != nil {
		return nil, internal("DHCP port", err)
	}
	defer x.linger()
	var last *Failure
	for _, timeout := range timeouts {
		x.xid, x.taken = h.newXID(), netip.Addr{}
		began := time.Now()
		got, failure := x.attempt(ctx, timeout)
		if got != nil {
			return got, nil
		}
		if failure != nil {
			last = failure
			h.seen(failure)
		}
		// A handset that is refused at once does not ask more often than one that nobody answers.
		if ctx.Err() != nil || !sleep(ctx, timeout-time.Since(began)) {
			break
		}
	}
	return nil, last
}

// attempt is one DISCOVER and what comes of it. nil, nil means that nobody answered and that this is no failure.
func (x *dhcpExchange) attempt(ctx context.Context, timeout time.Duration) (*lease, *Failure) {
	stage := x.h.stageName()
	offer, err := x.offer(ctx, timeout)
	var useless *uselessOffer
	switch {
	case errors.As(err, &useless):
		return nil, fail(stage, "garbage", useless.server, "no DHCP server's OFFER can be used", useless.err)
	case err != nil && stage == devicestate.StageAddress && ctx.Err() == nil:
		return nil, fail(stage, "no-offer", "", "no DHCP server answered DISCOVER", nil)
	case err != nil:
		return nil, nil
	}
	asked := time.Now()
	ack, err := x.acknowledgement(ctx, offer, timeout)
	switch {
	case errors.Is(err, errNAK):
		return nil, fail(stage, "nak", x.taken.String(), "the DHCP server refused the address it offered", nil)
	case err != nil && ctx.Err() == nil:
		return nil, fail(stage, "no-ack", x.taken.String(), "the DHCP server offered an address and did not answer the REQUEST for it", nil)
	case err != nil:
		return nil, nil
	}
	got, oddities, err := readLease(ack)
	if err != nil {
		return nil, fail(stage, "garbage", x.taken.String(), "the DHCP server's answer cannot be used", err)
	}
	if !ack.YourIPAddr.Equal(offer.YourIPAddr) {
		oddities = append(oddities, fmt.Sprintf("%v was offered, the ACK gives %v, which is taken", offer.YourIPAddr, ack.YourIPAddr))
	}
	for _, oddity := range oddities {
		x.h.dropped("dhcp", x.taken.String(), oddity)
	}
	got.hop = x.heard
	got.term.begin(asked)
	return got, nil
}

// releaseLease sends DHCPRELEASE for the native lease before the handset moves into the voice VLAN (discovery.md §1.2),
// to the server alone (RFC 2131 §4.4.4).
func (h *Handset) releaseLease() error {
	return h.giveBack(dhcpv4.MessageTypeRelease)
}

// declineLease sends DHCPDECLINE to all (RFC 2131 §3.1 item 5, §4.4.4).
func (h *Handset) declineLease() error {
	return h.giveBack(dhcpv4.MessageTypeDecline)
}

func (h *Handset) giveBack(kind dhcpv4.MessageType) error {
	l := h.ram.lease
	if l == nil {
		return nil
	}
	h.ram.lease = nil
	x, err := h.openDHCP()
	if err != nil {
		return err
	}
	defer x.udp.Close()
	m := x.message(kind)
	m.UpdateOption(dhcpv4.OptServerIdentifier(l.server.AsSlice()))
	var to netip.Addr
	var hop net.HardwareAddr
	if kind == dhcpv4.MessageTypeRelease {
		to, hop = l.server, l.hop
		m.ClientIPAddr = l.address.Addr().AsSlice()
	} else {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(l.address.Addr().AsSlice()))
	}
	if err := x.send(m, to, hop); err != nil {
		h.note("%v not sent: %v", kind, err)
	}
	return nil
}

// hostName is the handset's name in option 12 and LLDP: prefix and the last three bytes of the MAC address, inferred.
func (h *Handset) hostName() string {
	return h.profile.HostNamePrefix + strings.ToUpper(hex.EncodeToString(h.station.MAC()[3:]))
}

// sleep waits, and reports whether it waited to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
