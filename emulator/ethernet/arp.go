package ethernet

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Times and counts of ARP.
const (
	probes           = 3                // PROBE_NUM of RFC 5227, 1.1
	announceInterval = 2 * time.Second  // ANNOUNCE_INTERVAL of RFC 5227, 1.1; two announcements
	defendInterval   = 10 * time.Second // DEFEND_INTERVAL of RFC 5227, 1.1

	requestInterval = time.Second // RFC 1122, 2.3.2.1: at most one request a second for one destination
	requests        = 3
	neighborLife    = 10 * time.Minute // inferred; RFC 1122, 2.3.2.1 wants a timeout
	maxNeighbors    = 512              // learned ones
	heldFrames      = 16               // for one neighbour that does not answer yet (RFC 1122, 2.3.2.2: at least one)
)

// Operations (RFC 826).
const (
	arpRequest = 1
	arpReply   = 2

	arpSize = 28
)

// arpPacket is an ARP packet for Ethernet and IPv4 (RFC 826).
type arpPacket struct {
	operation uint16
	senderMAC macAddress
	sender    [4]byte
	targetMAC macAddress
	target    [4]byte
}

// readARP reads the bytes after the Ethernet header; ok is false for other hardware, other protocols and short packets.
func readARP(b []byte) (p arpPacket, ok bool) {
	if len(b) < arpSize || binary.BigEndian.Uint64(b)>>16 != 0x000108000604 {
		return p, false
	}
	return arpPacket{
		operation: binary.BigEndian.Uint16(b[6:]),
		senderMAC: macAddress(b[8:14]), sender: [4]byte(b[14:18]),
		targetMAC: macAddress(b[18:24]), target: [4]byte(b[24:28]),
	}, true
}

// frame returns the padded frame, untagged.
func (p arpPacket) frame(to macAddress) []byte {
	frame := make([]byte, minFrame, minFrame+tagSize)
	copy(frame, to[:])
	copy(frame[6:], p.senderMAC[:])
	binary.BigEndian.PutUint16(frame[12:], etherTypeARP)
	b := frame[headerSize:]
	copy(b, []byte{0, 1, 0x08, 0x00, 6, 4})
	binary.BigEndian.PutUint16(b[6:], p.operation)
	copy(b[8:], p.senderMAC[:])
	copy(b[14:], p.sender[:])
	copy(b[18:], p.targetMAC[:])
	copy(b[24:], p.target[:])
	return frame
}

// arp resolves, answers, probes, announces and defends for one station.
type arp struct {
	station *station
	probing atomic.Int32 // probes that run, so that packets of others are passed over without a lock

	mu        sync.Mutex
	neighbors map[[4]byte]*neighbor
	learned   int // neighbours that are not static
	probes    []*probe
	defended  time.Time
	again     *time.Timer // second announcement
	closed    bool
}

type probe struct {
	address [4]byte
	holder  chan macAddress
}

func (a *arp) broadcast(p arpPacket) {
	_ = a.station.send(p.frame(broadcastMAC)) // a station that left says nothing
}

// receive handles a packet that passed the station's filters. What is not for this station costs no allocation and,
// if it is a request, no lock.
func (a *arp) receive(p arpPacket) {
	st := a.station
	configured := st.address.Load()
	var own [4]byte
	if configured != nil {
		own = configured.own
	}
	forUs := configured != nil && p.target == own
	conflict := configured != nil && p.sender == own && p.senderMAC != st.mac
	announcement := p.sender == p.target
	if a.probing.Load() == 0 && p.operation == arpRequest && !forUs && !conflict && !announcement {
		return
	}
	a.judge(p)
	if conflict {
		a.defend(own, p.senderMAC)
		return
	}
	if p.sender != ([4]byte{}) {
		a.learn(p.sender, p.senderMAC, forUs)
	}
	if forUs && p.operation == arpRequest {
		answer := arpPacket{
			operation: arpReply, senderMAC: st.mac, sender: own, targetMAC: p.senderMAC, target: p.sender,
		}
		_ = st.send(answer.frame(p.senderMAC)) // a station that left says nothing
	}
}

// judge gives running probes their verdict: the address is in use, or probed by another station at the same time (RFC 5227, 2.1.1).
func (a *arp) judge(p arpPacket) {
	if a.probing.Load() == 0 || p.senderMAC == a.station.mac {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, running := range a.probes {
		inUse := p.sender == running.address
		probed := p.operation == arpRequest && p.sender == ([4]byte{}) && p.target == running.address
		if !inUse && !probed {
			continue
		}
		select {
		case running.holder <- p.senderMAC:
		default:
		}
	}
}

// Probe implements [Station].
func (st *station) Probe(ctx context.Context, addr netip.Addr, over time.Duration) error {
	if !addr.Is4() {
		return fmt.Errorf("station %s: probe of %s, an IPv4 address expected", st.name, addr)
	}
	a := &st.arp
	running := &probe{address: addr.As4(), holder: make(chan macAddress, 1)}
	a.mu.Lock()
	a.probes = append(a.probes, running)
	a.mu.Unlock()
	a.probing.Add(1)
	defer func() {
		a.probing.Add(-1)
		a.mu.Lock()
		a.probes = slices.DeleteFunc(a.probes, func(p *probe) bool { return p == running })
		a.mu.Unlock()
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for i := range probes {
		question := arpPacket{operation: arpRequest, senderMAC: st.mac, target: running.address}
		if err := st.send(question.frame(broadcastMAC)); err != nil {
			return err
		}
		timer.Reset(over*time.Duration(i+1)/probes - over*time.Duration(i)/probes)
		select {
		case mac := <-running.holder:
			return &AddressInUse{Address: addr, Holder: net.HardwareAddr(mac[:])}
		case <-ctx.Done():
			return ctx.Err()
		case <-st.gone:
			return ErrClosed
		case <-timer.C:
		}
	}
	return nil
}

// announce tells the segment twice who has the address (RFC 5227, 2.3).
func (a *arp) announce(own [4]byte) {
	announcement := arpPacket{operation: arpRequest, senderMAC: a.station.mac, sender: own, target: own}
	a.broadcast(announcement)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopAnnouncing()
	if a.closed {
		return
	}
	a.again = time.AfterFunc(announceInterval, func() {
		if now := a.station.address.Load(); now != nil && now.own == own {
			a.broadcast(announcement)
		}
	})
}

// silence ends an announcement that is not complete.
func (a *arp) silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopAnnouncing()
}

func (a *arp) stopAnnouncing() {
	if a.again != nil {
		a.again.Stop()
		a.again = nil
	}
}

// OnConflict implements [ConflictWatcher].
func (st *station) OnConflict(tell func(*AddressInUse)) { st.conflict.Store(&tell) }

// defend answers a station that uses our address with one announcement, not more often than RFC 5227, 2.4 (b) and (c) allow.
// It never gives the address up, as (c) has it.
func (a *arp) defend(own [4]byte, holder macAddress) {
	now := time.Now()
	a.mu.Lock()
	quiet := !a.defended.IsZero() && now.Sub(a.defended) < defendInterval
	if !quiet {
		a.defended = now
	}
	a.mu.Unlock()
	if quiet {
		return
	}
	a.broadcast(arpPacket{operation: arpRequest, senderMAC: a.station.mac, sender: own, target: own})
	if tell := a.station.conflict.Load(); tell != nil {
		(*tell)(&AddressInUse{Address: netip.AddrFrom4(own), Holder: net.HardwareAddr(holder[:])})
	}
}
