package handset

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
)

// A lease is asked for again at T1, of its own server, and from T2 on of every one (RFC 2131 §4.4.5). The layout of the
// REQUEST is that of Windows CE (discovery.md §1.3); that the phone does so at these times is inferred.

// leaseRetry is how long the handset waits at least before it asks again, but where T2 or the end comes before (RFC 2131
// §4.4.5).
const leaseRetry = time.Minute

// term is how long a lease lasts.
type term struct {
	length, t1, t2      time.Duration // 0: without end
	until, rebind, next time.Time     // the end, T2, and when it is asked for again
}

// readTerm reads options 51, 58 and 59. T1 and T2 that are none, or out of order, are half and seven eighths.
func readTerm(m *dhcpv4.DHCPv4) term {
	length, ok := seconds(m, dhcpv4.OptionIPAddressLeaseTime)
	if !ok || length == endless {
		return term{}
	}
	t1, _ := seconds(m, dhcpv4.OptionRenewTimeValue)
	t2, _ := seconds(m, dhcpv4.OptionRebindingTimeValue)
	if t1 == 0 || t1 >= t2 || t2 >= length {
		t1, t2 = length/2, length*7/8
	}
	return term{length: length, t1: t1, t2: t2}
}

// begin says when the REQUEST was sent that was acknowledged.
func (t *term) begin(at time.Time) {
	if t.length > 0 {
		t.until, t.rebind, t.next = at.Add(t.length), at.Add(t.t2), at.Add(t.t1)
	}
}

// postpone sets when it is asked for again after nobody answered: after half of what is left until T2, or the end.
func (t *term) postpone(now time.Time) {
	limit := t.until
	if now.Before(t.rebind) {
		limit = t.rebind
	}
	t.next = limit
	if half := limit.Sub(now) / 2; half >= leaseRetry {
		t.next = now.Add(half)
	}
}

// leaseDue is when the lease is asked for again.
func (h *Handset) leaseDue() (time.Time, bool) {
	if h.ram.lease == nil || h.ram.lease.term.length == 0 {
		return time.Time{}, false
	}
	return h.ram.lease.term.next, true
}

// await waits until a time, the zero Time: for the user, and keeps the lease meanwhile. An event means that it is lost.
func (h *Handset) await(ctx context.Context, until time.Time) (devicestate.Event, *Failure) {
	for {
		wake, ends := until, true
		if due, ok := h.leaseDue(); ok && (until.IsZero() || due.Before(until)) {
			wake, ends = due, false
		}
		if wake.IsZero() {
			<-ctx.Done()
			return "", nil
		}
		if !sleep(ctx, time.Until(wake)) || ends {
			return "", nil
		}
		if event, failure := h.renewLease(ctx); event != "" || ctx.Err() != nil {
			return event, failure
		}
	}
}

// renewLease asks once. An event means that the address may not be used any more.
func (h *Handset) renewLease(ctx context.Context) (devicestate.Event, *Failure) {
	l := h.ram.lease
	now := time.Now()
	if !now.Before(l.term.until) {
		return devicestate.LeaseLost, fail(devicestate.StageAddress, "lease-lost", l.server.String(),
			fmt.Sprintf("no DHCP server has renewed the lease of %v within its %v", l.address.Addr(), l.term.length), nil)
	}
	got, err := h.requestAgain(ctx, l, now.Before(l.term.rebind))
	switch {
	case ctx.Err() != nil:
		return "", nil
	case errors.Is(err, errNAK):
		return devicestate.LeaseLost, fail(devicestate.StageAddress, "lease-lost", l.server.String(),
			fmt.Sprintf("the DHCP server refuses to renew the lease of %v", l.address.Addr()), err)
	case err != nil:
		l.term.postpone(time.Now())
		h.note("the lease of %v is not renewed: %v; again in %v", l.address.Addr(), err, time.Until(l.term.next).Round(time.Second))
		return "", nil
	}
	h.ram.lease = got
	if got.address != l.address || got.router != l.router {
		if err := h.station.SetAddress(got.address, got.router); err != nil {
			return devicestate.LeaseLost, internal("address not set", err)
		}
	}
	h.overrideNetwork()
	h.note("the lease of %v is renewed for %v", got.address.Addr(), got.term.length)
	return "", nil
}

// requestAgain sends REQUEST with the address in ciaddr, to the lease's server or to all, and returns the lease of the ACK.
func (h *Handset) requestAgain(ctx context.Context, l *lease, renewing bool) (*lease, error) {
	x, err := h.openDHCP()
	if err != nil {
		return nil, err
	}
	defer x.linger()
	m := x.asking(dhcpv4.MessageTypeRequest, h.profile.VLANClass, h.profile.LeasePRL)
	m.ClientIPAddr = l.address.Addr().AsSlice()
	var to netip.Addr
	var hop net.HardwareAddr
	if renewing {
		x.taken, to, hop = l.server, l.server, l.hop
	}
	if err := x.send(m, to, hop); err != nil {
		return nil, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, h.profile.LeaseTimeouts[0])
	defer cancel()
	for {
		m, from, err := x.receive(ctx)
		if err != nil {
			return nil, errors.New("no DHCP server answers")
		}
		got, err := x.renewed(m, from, l)
		if err == nil {
			got.term.begin(began)
		}
		if err == nil || errors.Is(err, errNAK) {
			return got, err
		}
		h.dropped("dhcp", from.String(), err.Error())
	}
}

// renewed reads an answer to such a REQUEST. Errors but errNAK say why it is no answer.
func (x *dhcpExchange) renewed(m *dhcpv4.DHCPv4, from netip.Addr, l *lease) (*lease, error) {
	kind := m.MessageType()
	switch {
	case kind != dhcpv4.MessageTypeAck && kind != dhcpv4.MessageTypeNak, x.taken.IsValid() && serverOf(m) != x.taken:
		return nil, errors.New(x.passedOver(m, from))
	case kind == dhcpv4.MessageTypeNak:
		x.h.received("dhcp", from.String(), kind.String(), x.decode)
		return nil, errNAK
	}
	got, oddities, err := readLease(m)
	switch {
	case err != nil:
		return nil, fmt.Errorf("an ACK that cannot be used: %w", err)
	case got.address.Addr() != l.address.Addr():
		return nil, fmt.Errorf("an ACK of %v, the lease is of %v", got.address.Addr(), l.address.Addr())
	}
	x.h.received("dhcp", from.String(), kind.String(), x.decode)
	for _, oddity := range oddities {
		x.h.dropped("dhcp", from.String(), oddity)
	}
	got.hop = x.heard
	return got, nil
}
