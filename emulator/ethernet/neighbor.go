package ethernet

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/phone-edition/lpe/protocol/arp"
)

// neighbor is an entry of a station's ARP cache.
type neighbor struct {
	mac    macAddress
	static bool
	since  time.Time // when mac was learned; zero while it is asked for

	held  [][]byte // frames with a blank destination
	asked int
	timer *time.Timer
	done  chan struct{} // closed when asking ends, made by the first who waits
}

func (n *neighbor) usable(now time.Time) bool {
	return n.static || (!n.since.IsZero() && now.Sub(n.since) < neighborLife)
}

// lookup returns the neighbour's MAC address. If it is not known, it takes the frame (if there is one) and sends it when it is.
func (a *resolver) lookup(ip [4]byte, frame []byte) (mac macAddress, known bool) {
	a.mu.Lock()
	n := a.neighbors[ip]
	if n != nil && n.usable(time.Now()) {
		defer a.mu.Unlock()
		return n.mac, true
	}
	if a.closed {
		a.mu.Unlock()
		return mac, false
	}
	ask := n == nil || !n.since.IsZero()
	if ask {
		n = a.begin(ip, n)
	}
	if frame != nil && len(n.held) < heldFrames {
		n.held = append(n.held, frame)
	}
	a.mu.Unlock()
	if ask {
		a.ask(ip)
	}
	return mac, false
}

// begin starts the resolution of an address. The caller holds the lock.
func (a *resolver) begin(ip [4]byte, n *neighbor) *neighbor {
	if n == nil {
		n = a.add(ip)
	}
	n.since, n.asked = time.Time{}, 1
	n.timer = time.AfterFunc(requestInterval, func() { a.askAgain(ip, n) })
	return n
}

// add makes room for a learned entry and adds an empty one. The caller holds the lock.
func (a *resolver) add(ip [4]byte) *neighbor {
	if a.neighbors == nil {
		a.neighbors = map[[4]byte]*neighbor{}
	}
	if a.learned >= maxNeighbors {
		a.evict()
	}
	n := &neighbor{}
	a.neighbors[ip] = n
	a.learned++
	return n
}

// evict drops the learned entry that was confirmed longest ago, one that is asked for only if there is no other: frames
// wait for it. The caller holds the lock.
func (a *resolver) evict() {
	var oldest [4]byte
	var found *neighbor
	for ip, n := range a.neighbors {
		if !n.static && (found == nil || n.evictedBefore(found)) {
			oldest, found = ip, n
		}
	}
	if found != nil {
		a.drop(oldest, found)
	}
}

// drop removes an entry and whatever waits for it. The caller holds the lock.
func (a *resolver) drop(ip [4]byte, n *neighbor) {
	n.settle()
	n.held = nil
	delete(a.neighbors, ip)
	if !n.static {
		a.learned--
	}
}

// settle ends asking.
func (n *neighbor) settle() {
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
	if n.done != nil {
		close(n.done)
		n.done = nil
	}
}

func (n *neighbor) evictedBefore(other *neighbor) bool {
	if asked := n.since.IsZero(); asked != other.since.IsZero() {
		return !asked
	}
	return n.since.Before(other.since)
}

func (a *resolver) ask(ip [4]byte) {
	question := arp.Packet{Operation: arp.Request, SenderMAC: a.station.mac, Target: ip}
	if configured := a.station.address.Load(); configured != nil {
		question.Sender = configured.own
	}
	a.broadcast(question)
}

func (a *resolver) askAgain(ip [4]byte, n *neighbor) {
	a.mu.Lock()
	if a.neighbors[ip] != n || n.timer == nil || a.closed {
		a.mu.Unlock()
		return
	}
	if n.asked == requests {
		a.drop(ip, n)
		a.mu.Unlock()
		return
	}
	n.asked++
	n.timer.Reset(requestInterval)
	a.mu.Unlock()
	a.ask(ip)
}

// resolve waits for the neighbour's MAC address: [syscall.EHOSTUNREACH] after three requests without an answer.
func (a *resolver) resolve(ctx context.Context, to netip.Addr) (macAddress, error) {
	ip := to.As4()
	mac, known := a.lookup(ip, nil)
	if known {
		return mac, nil
	}
	a.mu.Lock()
	n := a.neighbors[ip]
	if n == nil || n.usable(time.Now()) {
		a.mu.Unlock()
		return a.outcome(ip)
	}
	if n.done == nil {
		n.done = make(chan struct{})
	}
	done := n.done
	a.mu.Unlock()
	select {
	case <-done:
		return a.outcome(ip)
	case <-ctx.Done():
		return mac, ctx.Err()
	}
}

func (a *resolver) outcome(ip [4]byte) (macAddress, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return macAddress{}, net.ErrClosed
	}
	if n := a.neighbors[ip]; n != nil && n.usable(time.Now()) {
		return n.mac, nil
	}
	return macAddress{}, errHostUnreachable
}

// learn updates the entry of a station that was heard, and makes one if it spoke to us (RFC 826).
func (a *resolver) learn(ip [4]byte, mac macAddress, toUs bool) {
	a.mu.Lock()
	n := a.neighbors[ip]
	if a.closed || (n == nil && !toUs) || (n != nil && n.static) || mac.group() {
		a.mu.Unlock()
		return
	}
	if n == nil {
		n = a.add(ip)
	}
	held := a.confirm(n, mac)
	a.mu.Unlock()
	a.release(held, mac)
}

func (a *resolver) confirm(n *neighbor, mac macAddress) (held [][]byte) {
	n.mac, n.since = mac, time.Now()
	n.settle()
	held, n.held = n.held, nil
	return held
}

func (a *resolver) release(held [][]byte, mac macAddress) {
	for _, frame := range held {
		copy(frame, mac[:])
		_ = a.station.send(frame) // a station that left sends nothing
	}
}

// AddNeighbor implements [Station].
func (st *station) AddNeighbor(addr netip.Addr, hw net.HardwareAddr) {
	addr = addr.Unmap()
	if !addr.Is4() || len(hw) != len(macAddress{}) {
		return
	}
	a := &st.arp
	a.mu.Lock()
	n := a.neighbors[addr.As4()]
	if n == nil {
		n = a.add(addr.As4())
	}
	if !n.static {
		n.static = true
		a.learned--
	}
	mac := macAddress(hw)
	held := a.confirm(n, mac)
	a.mu.Unlock()
	a.release(held, mac)
}

// DropNeighbor implements [Station].
func (st *station) DropNeighbor(addr netip.Addr) {
	addr = addr.Unmap()
	if !addr.Is4() {
		return
	}
	a := &st.arp
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := a.neighbors[addr.As4()]; n != nil {
		a.drop(addr.As4(), n)
	}
}

// flush forgets what was learned.
func (a *resolver) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for ip, n := range a.neighbors {
		if !n.static {
			a.drop(ip, n)
		}
	}
}

func (a *resolver) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.stopAnnouncing()
	for ip, n := range a.neighbors {
		a.drop(ip, n)
	}
}
