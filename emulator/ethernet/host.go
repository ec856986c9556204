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
)

// station is everything of a [Station] that the cables have in common: all but TCP and UDP.
type station struct {
	name    string
	mac     macAddress
	ttl     uint8
	on      *accessSwitch
	port    *port
	carrier chan struct{}
	gone    chan struct{} // closed by Close
	ip      ipLayer
	arp     resolver

	tag      atomic.Uint32 // tagControl
	dscp     atomic.Uint32
	ipID     atomic.Uint32
	address  atomic.Pointer[addressing]
	silenced atomic.Pointer[map[uint16]bool]
	conflict atomic.Pointer[func(*AddressInUse)]

	mu     sync.Mutex
	frames map[uint16][]*frameReceiver
	raw    map[uint16]*rawUDP
	closed bool
}

// addressing is a station's IPv4 configuration.
type addressing struct {
	prefix    netip.Prefix
	own       [4]byte
	broadcast [4]byte // of the subnet
	gateway   netip.Addr
}

// ipLayer is what the cables differ in.
type ipLayer interface {
	// receive takes an IPv4 packet that passed the station's filters, on the delivery goroutine. It must not keep or
	// change the bytes.
	receive(packet []byte, broadcast bool)
	// readdress follows a change of the station's address or tag; a is nil when there is no address.
	readdress(a *addressing) error
	// reachable is called when something that kept packets away may be gone.
	reachable()
	dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	dialUDP(to netip.AddrPort) (net.Conn, error)
	listenTCP(port uint16) (net.Listener, error)
	listenUDP(port uint16) (net.PacketConn, error)
	close()
}

// join makes a station and plugs it in.
func join(s *accessSwitch, c StationConfig, cpu bool, newIP func(*station) (ipLayer, error)) (Station, error) {
	st, err := newStation(s, c)
	if err != nil {
		return nil, err
	}
	if st.ip, err = newIP(st); err != nil {
		return nil, fmt.Errorf("station %s: %w", c.Name, err)
	}
	if err := s.plug(st.port, cpu); err != nil {
		st.ip.close()
		return nil, err
	}
	return st, nil
}

func newStation(s *accessSwitch, c StationConfig) (*station, error) {
	if len(c.MAC) != len(macAddress{}) {
		return nil, fmt.Errorf("station %s: MAC address %s has %d bytes, 6 expected", c.Name, c.MAC, len(c.MAC))
	}
	st := &station{
		name: c.Name, mac: macAddress(c.MAC), ttl: c.TTL, on: s, carrier: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	if st.mac.group() {
		return nil, fmt.Errorf("station %s: %s is a group address", c.Name, c.MAC)
	}
	if c.Port.Access > maxVLAN || c.Port.Voice > maxVLAN {
		return nil, fmt.Errorf("station %s: VLAN %d and %d, at most %d expected", c.Name, c.Port.Access, c.Port.Voice, maxVLAN)
	}
	if st.ttl == 0 {
		st.ttl = defaultTTL
	}
	st.port = &port{name: c.Name, cfg: c.Port, sink: st, station: st}
	st.arp.station = st
	return st, nil
}

const (
	defaultTTL  = 128 // Windows CE
	defaultVLAN = 1
	maxVLAN     = 4094 // IEEE 802.1Q, table 9-2: 4095 is reserved
)

func (st *station) Name() string { return st.name }

func (st *station) MAC() net.HardwareAddr { return slices.Clone(st.mac[:]) }

func (st *station) Carrier() bool { return st.port.up.Load() && !st.port.left.Load() }

func (st *station) CarrierChanged() <-chan struct{} { return st.carrier }

func (st *station) control() tagControl { return tagControl(st.tag.Load()) }

func (st *station) SetTag(t Tag) {
	old := tagControl(st.tag.Swap(uint32(control(t.VLAN, t.Priority))))
	if old.vlan() != t.VLAN {
		st.arp.flush()
		st.on.pathsChanged()
	}
}

func (st *station) SetDSCP(dscp uint8) { st.dscp.Store(uint32(dscp & 0x3f)) }

func (st *station) SetAddress(prefix netip.Prefix, gateway netip.Addr) error {
	a, err := newAddressing(prefix, gateway)
	if err != nil {
		return fmt.Errorf("station %s: %w", st.name, err)
	}
	if st.isClosed() {
		return ErrClosed
	}
	if err := st.ip.readdress(a); err != nil {
		return fmt.Errorf("station %s: address %s: %w", st.name, prefix, err)
	}
	st.address.Store(a)
	st.arp.announce(a.own)
	st.on.pathsChanged()
	return nil
}

func newAddressing(prefix netip.Prefix, gateway netip.Addr) (*addressing, error) {
	if !prefix.IsValid() || !prefix.Addr().Is4() {
		return nil, fmt.Errorf("address %s is not an IPv4 address with a mask", prefix)
	}
	if gateway.IsValid() && (!gateway.Is4() || !prefix.Contains(gateway)) {
		return nil, fmt.Errorf("gateway %s is not in the subnet of %s", gateway, prefix)
	}
	a := &addressing{prefix: prefix, own: prefix.Addr().As4(), gateway: gateway}
	a.broadcast = broadcastIPv4
	if prefix.Bits() < 31 {
		n := binary.BigEndian.Uint32(a.own[:]) | ^uint32(0)>>prefix.Bits()
		binary.BigEndian.PutUint32(a.broadcast[:], n)
	}
	return a, nil
}

var broadcastIPv4 = [4]byte{255, 255, 255, 255}

// nextHop returns the neighbour through which to is reached.
func (a *addressing) nextHop(to netip.Addr) (netip.Addr, error) {
	switch {
	case a == nil:
		return netip.Addr{}, errNetworkUnreachable
	case a.prefix.Contains(to):
		return to, nil
	case a.gateway.IsValid():
		return a.gateway, nil
	}
	return netip.Addr{}, errNetworkUnreachable
}

func (st *station) ClearAddress() {
	if st.address.Swap(nil) == nil {
		return
	}
	st.arp.silence()
	st.arp.flush()
	_ = st.ip.readdress(nil) // only adding an address can fail
}

func (st *station) Address() netip.Prefix {
	if a := st.address.Load(); a != nil {
		return a.prefix
	}
	return netip.Prefix{}
}

func (st *station) Silence(port uint16, silent bool) {
	st.mu.Lock()
	next := map[uint16]bool{}
	if old := st.silenced.Load(); old != nil {
		for p := range *old {
			next[p] = true
		}
	}
	if silent {
		next[port] = true
	} else {
		delete(next, port)
	}
	if len(next) == 0 {
		st.silenced.Store(nil)
	} else {
		st.silenced.Store(&next)
	}
	st.mu.Unlock()
	if !silent {
		st.on.pathsChanged()
	}
}

func (st *station) isSilent(port uint16) bool {
	silenced := st.silenced.Load()
	return silenced != nil && (*silenced)[port]
}

func (st *station) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return st.ip.dialTCP(ctx, unmap(to))
}

func (st *station) DialUDP(to netip.AddrPort) (net.Conn, error) { return st.ip.dialUDP(unmap(to)) }

func (st *station) ListenTCP(port uint16) (net.Listener, error) { return st.ip.listenTCP(port) }

func (st *station) ListenUDP(port uint16) (net.PacketConn, error) { return st.ip.listenUDP(port) }

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (st *station) isClosed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.closed
}

func (st *station) Close() error {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return nil
	}
	st.closed = true
	close(st.gone)
	frames, raw := st.frames, st.raw
	st.frames, st.raw = nil, nil
	st.mu.Unlock()
	st.ip.close() // may still send resets
	st.on.unplug(st.port)
	st.arp.close()
	for _, receivers := range frames {
		for _, r := range receivers {
			r.queue.close()
		}
	}
	for _, r := range raw {
		r.queue.close()
	}
	return nil
}
