package ethernet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the switch.
const (
	queuedFrames = 1 << 15 // on their way to ports
	learnedMACs  = 1 << 14
	idleBatch    = 1 << 10 // of which room is kept while nothing is on its way
)

// accessSwitch carries frames between ports: it learns addresses per VLAN, keeps IEEE 802.1D group addresses on their
// link and never blocks a sender. One goroutine delivers, in order.
type accessSwitch struct {
	tap           func(TappedFrame)
	tellMalformed func(MalformedFrame)
	impair        Impairments
	perfect       bool
	native        uint16 // VLAN of untagged frames at ports that name none

	mu       sync.Mutex
	ports    []*port // in the order of joining, so that equal seeds give equal floods
	cpu      *port   // that of the switch's own station, or the uplink: link-local group frames go there; may be nil
	down     map[string]bool
	dark     bool // no port has link
	learned  map[address]*port
	ready    []delivery
	late     lateQueue
	order    uint64
	random   *rand.Rand
	counters Counters
	closed   bool

	delivered atomic.Uint64

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

// Counters say what became of frames.
type Counters struct {
	Sent       uint64 // frames that were given to ports, by stations and by the wire of a Bridge
	Delivered  uint64 // frames that the switch gave to ports; one broadcast counts once for each
	Lost       uint64 // by Impairments.Loss
	Duplicated uint64 // by Impairments.Duplicate
	Reordered  uint64 // by Impairments.Reorder
	Overflowed uint64 // dropped because a queue was full: the switch's, or the kernel's for a Bridge

	// Of a Bridge alone.
	Split     uint64 // frames from the wire that were longer than the MTU and were cut into TCP segments
	Oversized uint64 // frames from the wire that are longer than the MTU and could not be split
	Echoed    uint64 // frames from the wire that claim to come from a station of ours
	Refused   uint64 // frames that the interface did not take
}

// address is a row's key of the forwarding database.
type address struct {
	mac  macAddress
	vlan uint16
}

type delivery struct {
	to    *port
	frame []byte
}

// port is a switch port with what is plugged into it.
type port struct {
	name    string
	cfg     Port
	sink    sink
	station *station    // nil at an uplink
	up      atomic.Bool // has link
	left    atomic.Bool // unplugged for good
	lastDue time.Time
}

// sink takes the frames that leave a port, on the delivery goroutine. Their bytes may be shared with other ports.
type sink interface{ receive(frame []byte) }

func newAccessSwitch(o Options) *accessSwitch {
	s := &accessSwitch{
		tap: o.Tap, tellMalformed: o.Malformed, impair: o.Impairments, perfect: o.Impairments.none(), native: defaultVLAN,
		down: map[string]bool{}, learned: map[address]*port{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if !s.perfect {
		s.random = rand.New(rand.NewPCG(o.Impairments.Seed, 0x6c7065))
	}
	go s.deliver()
	return s
}

func (s *accessSwitch) plug(p *port, cpu bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("station %s: cable: %w", p.name, ErrClosed)
	}
	if slices.ContainsFunc(s.ports, func(other *port) bool { return other.name == p.name }) {
		return fmt.Errorf("station %s: the name is taken on this cable", p.name)
	}
	if cpu {
		if s.cpu != nil {
			return fmt.Errorf("station %s: %s is the switch already", p.name, s.cpu.name)
		}
		s.cpu = p
	}
	if p.cfg.Access == 0 {
		p.cfg.Access = s.native
	}
	p.up.Store(!s.dark && !s.down[p.name])
	s.ports = append(s.ports, p)
	return nil
}

func (s *accessSwitch) unplug(p *port) {
	p.left.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ports = slices.DeleteFunc(s.ports, func(other *port) bool { return other == p })
	if s.cpu == p {
		s.cpu = nil
	}
	s.forget(p)
}

func (s *accessSwitch) forget(p *port) {
	for a, other := range s.learned {
		if other == p {
			delete(s.learned, a)
		}
	}
}

func (s *accessSwitch) setCarrier(name string, up bool) {
	if changed := s.switchLink(name, up); changed != nil {
		signal(changed.carrier)
		s.pathsChanged()
	}
}

// setAllCarriers gives every port link or takes it away, and those that join later.
func (s *accessSwitch) setAllCarriers(up bool) {
	s.mu.Lock()
	s.dark = !up
	var changed []*station
	for _, p := range s.ports {
		up := up && !s.down[p.name]
		if p.up.Swap(up) != up && p.station != nil {
			changed = append(changed, p.station)
		}
	}
	if s.dark {
		clear(s.learned)
	}
	s.mu.Unlock()
	for _, st := range changed {
		signal(st.carrier)
	}
	s.pathsChanged()
}

// pathsChanged tells every station that what was kept from one may get there now.
func (s *accessSwitch) pathsChanged() {
	for _, st := range s.stations() {
		st.ip.reachable()
	}
}

func (s *accessSwitch) stations() []*station {
	s.mu.Lock()
	defer s.mu.Unlock()
	stations := make([]*station, 0, len(s.ports))
	for _, p := range s.ports {
		if p.station != nil {
			stations = append(stations, p.station)
		}
	}
	return stations
}

// switchLink returns the station whose link changed, or nil.
func (s *accessSwitch) switchLink(name string, up bool) *station {
	s.mu.Lock()
	defer s.mu.Unlock()
	if up {
		delete(s.down, name)
	} else {
		s.down[name] = true
	}
	for _, p := range s.ports {
		if p.name != name || p.up.Swap(up) == up {
			continue
		}
		s.forget(p)
		return p.station
	}
	return nil
}

// transmit takes a frame that was given to a port. The switch owns the frame from then on.
func (s *accessSwitch) transmit(from *port, frame []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || from.left.Load() {
		return ErrClosed
	}
	if !from.up.Load() {
		return nil
	}
	s.counters.Sent++
	if s.tap != nil {
		s.tap(TappedFrame{At: time.Now(), Station: from.name, Direction: Sent, Frame: frame})
	}
	if linkLocal(destination(frame)) {
		s.forwardLinkLocal(from, frame)
		return nil
	}
	tag, tagged := readTag(frame)
	vlan, member := from.cfg.classify(tag, tagged)
	if !member || source(frame).group() {
		return nil
	}
	if tagged {
		frame = stripTag(frame)
	}
	s.learn(address{source(frame), vlan}, from)
	s.forward(from, frame, control(vlan, tag.priority()))
	return nil
}

// linkLocal reports whether a is one of the addresses that bridges do not forward (IEEE 802.1D, table 7-10); LLDP uses one.
func linkLocal(a macAddress) bool {
	return a[0] == 0x01 && a[1] == 0x80 && a[2] == 0xc2 && a[3] == 0 && a[4] == 0 && a[5]&0xf0 == 0
}

// forwardLinkLocal gives frames of the switch, or of the uplink, to every port, and frames of ports to it.
func (s *accessSwitch) forwardLinkLocal(from *port, frame []byte) {
	if from != s.cpu {
		if s.cpu != nil {
			s.enqueue(s.cpu, frame)
		}
		return
	}
	for _, p := range s.ports {
		if p != from {
			s.enqueue(p, frame)
		}
	}
}

func (s *accessSwitch) learn(a address, from *port) {
	if old, known := s.learned[a]; old == from || (!known && len(s.learned) >= learnedMACs) {
		return
	}
	s.learned[a] = from
}

func (s *accessSwitch) forward(from *port, frame []byte, c tagControl) {
	if to := s.learned[address{destination(frame), c.vlan()}]; to != nil {
		if to == from {
			return
		}
		if member, tagged := to.egress(from, c.vlan()); member {
			if tagged {
				frame = addTag(frame, c)
			}
			s.enqueue(to, frame)
		}
		return
	}
	var withTag []byte
	for _, to := range s.ports {
		if to == from {
			continue
		}
		member, tagged := to.egress(from, c.vlan())
		switch {
		case !member:
		case tagged:
			if withTag == nil {
				withTag = addTag(frame, c)
			}
			s.enqueue(to, withTag)
		default:
			s.enqueue(to, frame)
		}
	}
}

// classify returns the VLAN of a frame that arrives at the port, and whether the port is a member of it.
func (p Port) classify(c tagControl, tagged bool) (vlan uint16, member bool) {
	switch {
	case !tagged || c.vlan() == 0: // VLAN 0 is a priority tag (IEEE 802.1Q, 9.6)
		return p.Access, true
	case c.vlan() > maxVLAN:
		return 0, false
	case p.Trunk || c.vlan() == p.Voice:
		return c.vlan(), true
	}
	return 0, false
}

// egress says whether a frame of the VLAN that came in at from leaves at p, and whether with a tag.
func (p *port) egress(from *port, vlan uint16) (member, tagged bool) {
	switch {
	case p.cfg.Isolated && from.cfg.Isolated:
		return false, false
	case vlan == p.cfg.Access:
		return true, false
	}
	member = p.cfg.Trunk || vlan == p.cfg.Voice
	return member, member
}

// reaches reports whether frames that from sends with its tag arrive at to and pass its tag filter.
func (s *accessSwitch) reaches(from, to *station) bool {
	a, b := from.port, to.port
	if !a.up.Load() || !b.up.Load() || a.left.Load() || b.left.Load() {
		return false
	}
	send, receive := from.control(), to.control()
	vlan, member := a.cfg.classify(send, send.vlan() != 0)
	if !member {
		return false
	}
	member, tagged := b.egress(a, vlan)
	if tagged {
		return member && receive.vlan() == vlan
	}
	return member && receive.vlan() == 0
}

// holder returns the station with the MAC address to which frames of from get, or nil.
func (s *accessSwitch) holder(from *station, mac macAddress) *station {
	for _, st := range s.stations() {
		if st.mac == mac && st != from && s.reaches(from, st) {
			return st
		}
	}
	return nil
}

// deliver hands frames to ports until the switch is closed; what is due by then still goes.
func (s *accessSwitch) deliver() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var batch []delivery
	for closing := false; ; {
		var next time.Time
		batch, next = s.due(batch)
		for i, d := range batch {
			s.handOver(d)
			batch[i] = delivery{}
		}
		switch {
		case len(batch) > 0:
			continue
		case closing:
			return
		}
		var ripe <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			ripe = timer.C
		}
		select {
		case <-s.wake:
		case <-ripe:
		case <-s.stop:
			closing = true
		}
	}
}

// due swaps the frames that can be delivered now for the used batch, and says when the next one can be.
func (s *accessSwitch) due(used []delivery) (batch []delivery, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = s.ripen()
	batch, s.ready = s.ready, used[:0]
	if len(batch) == 0 && cap(batch)+cap(used) > idleBatch {
		return nil, next
	}
	return batch, next
}

func (s *accessSwitch) handOver(d delivery) {
	if d.to.left.Load() || !d.to.up.Load() {
		return
	}
	s.delivered.Add(1)
	if s.tap != nil {
		s.mu.Lock()
		s.tap(TappedFrame{At: time.Now(), Station: d.to.name, Direction: Delivered, Frame: d.frame})
		s.mu.Unlock()
	}
	d.to.sink.receive(d.frame)
}

func (s *accessSwitch) count() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counters
	c.Delivered = s.delivered.Load()
	return c
}

// close unplugs every station and ends the delivery.
func (s *accessSwitch) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	var errs []error
	for _, st := range s.stations() {
		errs = append(errs, st.Close())
	}
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.stop)
	}
	s.mu.Unlock()
	<-s.done
	return errors.Join(errs...)
}
