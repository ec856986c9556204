package dhcpserver

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// declinedFor is how long an address stays out of use after a DHCPDECLINE.
const declinedFor = time.Hour

// lease is an address offered or given to a MAC address.
type lease struct {
	mac     string
	address netip.Addr
	bound   bool // acknowledged; false: offered
	expires time.Time
}

// leases hands out addresses, the first one first, and remembers which MAC address had which.
type leases struct {
	first     netip.Addr
	count     int
	next      int // index of the first address never handed out
	reserved  map[netip.Addr]bool
	declined  map[netip.Addr]time.Time
	byMAC     map[string]*lease
	byAddress map[netip.Addr]*lease
	last      map[string]netip.Addr // of leases that ended, at most count
	earliest  time.Time             // no lease expires before; zero if there is none
}

func newLeases(first netip.Addr, count int, reserved ...netip.Addr) *leases {
	l := &leases{
		first:     first,
		count:     count,
		reserved:  map[netip.Addr]bool{},
		declined:  map[netip.Addr]time.Time{},
		byMAC:     map[string]*lease{},
		byAddress: map[netip.Addr]*lease{},
		last:      map[string]netip.Addr{},
	}
	for _, a := range reserved {
		l.reserved[a] = true
	}
	return l
}

// offer returns the lease of mac, a new one if it has none: the address that it had, else the one it wishes, else the
// first free one. It returns nil if all are in use.
func (l *leases) offer(mac string, wish netip.Addr, now time.Time, hold time.Duration) *lease {
	if held := l.byMAC[mac]; held != nil {
		if !held.bound {
			held.expires = now.Add(hold)
		}
		return held
	}
	address := l.pick(mac, wish, now)
	if !address.IsValid() {
		return nil
	}
	held := &lease{mac: mac, address: address, expires: now.Add(hold)}
	l.byMAC[mac], l.byAddress[address] = held, held
	l.note(held.expires)
	return held
}

func (l *leases) pick(mac string, wish netip.Addr, now time.Time) netip.Addr {
	for _, a := range []netip.Addr{l.last[mac], wish} {
		if l.index(a) >= 0 && l.free(a, now) {
			return a
		}
	}
	for ; l.next < l.count; l.next++ {
		if a := addressAfter(l.first, l.next); l.free(a, now) {
			l.next++
			return a
		}
	}
	for i := range l.count {
		if a := addressAfter(l.first, i); l.free(a, now) {
			return a
		}
	}
	return netip.Addr{}
}

func (l *leases) free(a netip.Addr, now time.Time) bool {
	return !l.reserved[a] && l.byAddress[a] == nil && !now.Before(l.declined[a])
}

// index returns the place of a in the range, -1 if it is outside.
func (l *leases) index(a netip.Addr) int {
	if !a.Is4() || a.Less(l.first) {
		return -1
	}
	if n := int(number(a) - number(l.first)); n < l.count {
		return n
	}
	return -1
}

// bind acknowledges a lease.
func (l *leases) bind(held *lease, expires time.Time) {
	held.bound, held.expires = true, expires
	l.note(expires)
}

// end frees the address of mac and remembers it if it was acknowledged.
func (l *leases) end(mac string) {
	held := l.byMAC[mac]
	delete(l.byMAC, mac)
	delete(l.byAddress, held.address)
	if !held.bound {
		return
	}
	if len(l.last) >= l.count {
		clear(l.last)
	}
	l.last[mac] = held.address
}

// forgetOffer ends what was only offered to mac.
func (l *leases) forgetOffer(mac string) {
	if held := l.byMAC[mac]; held != nil && !held.bound {
		l.end(mac)
	}
}

// decline takes the address of mac out of use for a time.
func (l *leases) decline(mac string, now time.Time) {
	held := l.byMAC[mac]
	l.end(mac)
	delete(l.last, mac)
	l.declined[held.address] = now.Add(declinedFor)
}

// expire ends what is over and returns the bound leases among it, and when to ask again (zero: not needed).
func (l *leases) expire(now time.Time) (ended []*lease, next time.Time) {
	if l.earliest.IsZero() || now.Before(l.earliest) {
		return nil, l.earliest
	}
	l.earliest = time.Time{}
	for mac, held := range l.byMAC {
		if now.Before(held.expires) {
			l.note(held.expires)
			continue
		}
		l.end(mac)
		if held.bound {
			ended = append(ended, held)
		}
	}
	return ended, l.earliest
}

func (l *leases) note(expires time.Time) {
	if l.earliest.IsZero() || expires.Before(l.earliest) {
		l.earliest = expires
	}
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func addressAfter(a netip.Addr, n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], number(a)+uint32(n))
	return netip.AddrFrom4(b)
}
