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

	"github.com/phone-edition/lpe/protocol/arp"
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

// arpFrame is a packet in a padded frame, untagged.
func arpFrame(p arp.Packet, to macAddress) []byte {
	frame := make([]byte, headerSize, minFrame+tagSize)
	copy(frame, to[:])
	copy(frame[6:], p.SenderMAC[:])
	binary.BigEndian.PutUint16(frame[12:], arp.EtherType)
	return pad(p.Append(frame))
}

// resolver resolves, answers, probes, announces and defends for one station.
type resolver struct {
	station *station
	watch   atomic.Pointer[func(p arp.Packet, sent bool)]
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

func (a *resolver) broadcast(p arp.Packet) {
	_ = a.send(p, broadcastMAC) // a station that left says nothing
}

func (a *resolver) send(p arp.Packet, to macAddress) error {
	a.told(p, true)
	return a.station.send(arpFrame(p, to))
}

// told tells who watches of a packet.
func (a *resolver) told(p arp.Packet, sent bool) {
	if tell := a.watch.Load(); tell != nil {
		(*tell)(p, sent)
	}
}

// hears tells who watches of a packet that is about this station.
func (a *resolver) hears(p arp.Packet, own [4]byte) {
	if a.watch.Load() == nil {
		return
	}
	about := p.About(a.station.mac, own)
	a.mu.Lock()
	for _, running := range a.probes {
		about = about || p.About(a.station.mac, running.address)
	}
	a.mu.Unlock()
	if about {
		a.told(p, false)
	}
}

// OnARP implements [ARPWatcher].
func (st *station) OnARP(tell func(p arp.Packet, sent bool)) { st.arp.watch.Store(&tell) }

// receive handles a packet that passed the station's filters. What is not for this station costs no allocation and,
// if it is a request, no lock.
func (a *resolver) receive(p arp.Packet) {
	st := a.station
	configured := st.address.Load()
	var own [4]byte
	if configured != nil {
		own = configured.own
	}
	a.hears(p, own)
	forUs := configured != nil && p.Target == own
	conflict := configured != nil && p.Sender == own && p.SenderMAC != st.mac
	announcement := p.Sender == p.Target
	if a.probing.Load() == 0 && p.Operation == arp.Request && !forUs && !conflict && !announcement {
		return
	}
	a.judge(p)
	if conflict {
		a.defend(own, p.SenderMAC)
		return
	}
	if p.Sender != ([4]byte{}) {
		a.learn(p.Sender, p.SenderMAC, forUs)
	}
	if forUs && p.Operation == arp.Request {
		answer := arp.Packet{Operation: arp.Reply, SenderMAC: st.mac, Sender: own, TargetMAC: p.SenderMAC, Target: p.Sender}
		_ = a.send(answer, p.SenderMAC) // a station that left says nothing
	}
}

// judge gives running probes their verdict: the address is in use, or probed by another station at the same time (RFC 5227, 2.1.1).
func (a *resolver) judge(p arp.Packet) {
	if a.probing.Load() == 0 || p.SenderMAC == a.station.mac {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, running := range a.probes {
		inUse := p.Sender == running.address
		probed := p.Operation == arp.Request && p.Sender == ([4]byte{}) && p.Target == running.address
		if !inUse && !probed {
			continue
		}
		select {
		case running.holder <- p.SenderMAC:
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
		question := arp.Packet{Operation: arp.Request, SenderMAC: st.mac, Target: running.address}
		if err := a.send(question, broadcastMAC); err != nil {
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
func (a *resolver) announce(own [4]byte) {
	announcement := arp.Packet{Operation: arp.Request, SenderMAC: a.station.mac, Sender: own, Target: own}
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
func (a *resolver) silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopAnnouncing()
}

func (a *resolver) stopAnnouncing() {
	if a.again != nil {
		a.again.Stop()
		a.again = nil
	}
}

// OnConflict implements [ConflictWatcher].
func (st *station) OnConflict(tell func(*AddressInUse)) { st.conflict.Store(&tell) }

// defend answers a station that uses our address with one announcement, not more often than RFC 5227, 2.4 (b) and (c) allow.
// It never gives the address up, as (c) has it.
func (a *resolver) defend(own [4]byte, holder macAddress) {
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
	a.broadcast(arp.Packet{Operation: arp.Request, SenderMAC: a.station.mac, Sender: own, Target: own})
	if tell := a.station.conflict.Load(); tell != nil {
		(*tell)(&AddressInUse{Address: netip.AddrFrom4(own), Holder: net.HardwareAddr(holder[:])})
	}
}
