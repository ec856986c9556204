package ethernet

import (
	"context"
	"errors"
	"io"
	"math/rand"
	randv2 "math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// What all stacks share, since each costs kilobytes: the table of IPv4 identifiers and the empty packet filter.
var (
	ipv4Factory = ipv4.NewProtocolWithOptions(ipv4.Options{})
	noFilter    = &stack.IPTables{}
)

const (
	nic           = 1
	listenBacklog = 1024
)

// The stack would write to the standard error stream what odd packets it dropped.
func init() { log.SetTarget(log.GoogleEmitter{Writer: &log.Writer{Next: io.Discard}}) }

// netstack is the IP layer of a station on a [Segment]: a gVisor stack.
type netstack struct {
	station *station
	stack   *stack.Stack
	link    link
	closed  chan struct{}

	mu      sync.Mutex
	current *addressing
	ended   bool
}

func newNetstack(st *station) (ipLayer, error) {
	n := &netstack{station: st, closed: make(chan struct{})}
	n.link.station = st
	n.stack = newStack()
	if err := n.configure(); err != nil {
		n.stack.Destroy()
		return nil, errors.New("IP stack: " + err.String())
	}
	return n, nil
}

func (n *netstack) configure() tcpip.Error {
	ttl := tcpip.DefaultTTLOption(n.station.ttl)
	if err := n.stack.SetNetworkProtocolOption(ipv4.ProtocolNumber, &ttl); err != nil {
		return err
	}
	// Connections that ended hold 5 KB each for so long, and are reset on the wire when the station is unplugged.
	var timeWait tcpip.TCPTimeWaitTimeoutOption
	if err := n.stack.SetTransportProtocolOption(tcp.ProtocolNumber, &timeWait); err != nil {
		return err
	}
	return n.stack.CreateNIC(nic, &n.link)
}

var stackMaking sync.Mutex

// newStack makes a stack with one TCP goroutine. The stack starts as many as GOMAXPROCS says at that moment, and offers
// no other way to choose; with 16 processors every idle handset would cost 40 KB more.
func newStack() *stack.Stack {
	source := &splitMix{}
	source.state.Store(randv2.Uint64())
	stackMaking.Lock()
	defer stackMaking.Unlock()
	if before := runtime.GOMAXPROCS(0); before > 1 {
		runtime.GOMAXPROCS(1)
		defer runtime.GOMAXPROCS(before)
	}
	return stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4Factory},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
		HandleLocal:        true, // else a station cannot reach its own address
		RandSource:         source,
		IPTables:           noFilter,
	})
}

// splitMix is a random source of eight bytes, for hashes and jitter; that of math/rand has 5 KB. (Steele, Lea and Flood,
// Fast Splittable Pseudorandom Number Generators, 2014.)
type splitMix struct{ state atomic.Uint64 }

var _ rand.Source64 = (*splitMix)(nil)

func (s *splitMix) Uint64() uint64 {
	z := s.state.Add(0x9e3779b97f4a7c15)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *splitMix) Int63() int64 { return int64(s.Uint64() >> 1) }

func (s *splitMix) Seed(seed int64) { s.state.Store(uint64(seed)) }

func (n *netstack) readdress(a *addressing) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return net.ErrClosed
	}
	if old := n.current; old != nil && (a == nil || a.prefix != old.prefix) {
		n.stack.SetRouteTable(nil)
		n.stack.RemoveAddress(nic, tcpip.AddrFrom4(old.own))
		n.current = nil
	}
	if a == nil {
		return nil
	}
	address := tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(a.own), PrefixLen: a.prefix.Bits()}
	if n.current == nil {
		protocolAddress := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: address}
		if err := n.stack.AddProtocolAddress(nic, protocolAddress, stack.AddressProperties{}); err != nil {
			return socketError(err)
		}
	}
	n.current = a
	routes := []tcpip.Route{{Destination: address.Subnet(), NIC: nic}}
	if a.gateway.IsValid() {
		gateway := tcpip.AddrFrom4(a.gateway.As4())
		routes = append(routes, tcpip.Route{Destination: everywhere, Gateway: gateway, NIC: nic})
	}
	n.stack.SetRouteTable(routes)
	return nil
}

var everywhere = tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4([4]byte{}), PrefixLen: 0}.Subnet()

func (n *netstack) receive(packet []byte, broadcast bool) { n.link.deliver(packet, broadcast) }

func (n *netstack) reachable() {} // TCP tries again by itself

func (n *netstack) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	n.ended = true
	close(n.closed)
	for range farewells {
		if !n.ending() {
			break
		}
		time.Sleep(farewell)
	}
	n.stack.Destroy()
}

// A station that is unplugged waits this long for its peers to end, too, the connections that it closed;
// they would be reset otherwise.
const (
	farewells = 200
	farewell  = 100 * time.Microsecond
)

// ending reports whether a connection that was closed waits for its peer.
func (n *netstack) ending() bool {
	for _, e := range n.stack.RegisteredEndpoints() {
		if c, ok := e.(*tcp.Endpoint); ok {
			switch c.EndpointState() {
			case tcp.StateFinWait1, tcp.StateFinWait2, tcp.StateClosing, tcp.StateTimeWait, tcp.StateLastAck:
				return true
			}
		}
	}
	return false
}

func (n *netstack) endpoint(protocol tcpip.TransportProtocolNumber) (*socket, error) {
	s := &socket{owner: n, wq: &waiter.Queue{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return nil, net.ErrClosed
	}
	var err tcpip.Error
	if s.ep, err = n.stack.NewEndpoint(protocol, ipv4.ProtocolNumber, s.wq); err != nil {
		return nil, socketError(err)
	}
	return s, nil
}

func (n *netstack) dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	s, err := n.connect(ctx, to)
	if err != nil {
		return nil, opError("dial", "tcp", nil, tcpAddr(to), err)
	}
	return stackConn{s}, nil
}

func (n *netstack) connect(ctx context.Context, to netip.AddrPort) (*socket, error) {
	if err := n.station.resolveRoute(ctx, to); err != nil {
		return nil, err
	}
	s, err := n.endpoint(tcp.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	entry, finished := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventHUp | waiter.EventErr)
	s.wq.EventRegister(&entry)
	defer s.wq.EventUnregister(&entry)
	terr := s.ep.Connect(fullAddress(to))
	local, _ := s.ep.GetLocalAddress() // gone after a quick reset
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		select {
		case <-finished:
			terr = s.ep.LastError()
		case <-ctx.Done():
			s.ep.Abort()
			return nil, ctx.Err()
		case <-n.closed:
			s.ep.Abort()
			return nil, net.ErrClosed
		}
	}
	if terr != nil {
		s.ep.Close()
		return nil, n.fail(terr)
	}
	s.network, s.local, s.remote = "tcp", tcpAddr(addrPort(local)), tcpAddr(to)
	return s, nil
}

// resolveRoute finds the next hop's MAC address, so that a connect to an absent host fails instead of sending SYN after SYN.
func (st *station) resolveRoute(ctx context.Context, to netip.AddrPort) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !to.Addr().Is4() {
		return syscall.EAFNOSUPPORT
	}
	a := st.address.Load()
	if a != nil && a.own == to.Addr().As4() {
		return nil
	}
	hop, err := a.nextHop(to.Addr())
	if err != nil {
		return err
	}
	_, err = st.arp.resolve(ctx, hop)
	return err
}

func (n *netstack) dialUDP(to netip.AddrPort) (net.Conn, error) {
	s, err := n.openUDP(0, &to)
	if err != nil {
		return nil, opError("dial", "udp", nil, udpAddr(to), err)
	}
	return stackPacketConn{s}, nil
}

func (n *netstack) listenUDP(port uint16) (net.PacketConn, error) {
	s, err := n.openUDP(port, nil)
	if err != nil {
		return nil, opError("listen", "udp", anyUDP(port), nil, err)
	}
	return stackPacketConn{s}, nil
}

func (n *netstack) openUDP(port uint16, to *netip.AddrPort) (*socket, error) {
	s, err := n.endpoint(udp.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	s.network = "udp"
	s.ep.SocketOptions().SetBroadcast(true)
	var terr tcpip.Error
	if to != nil {
		if !to.Addr().Is4() {
			s.ep.Close()
			return nil, syscall.EAFNOSUPPORT
		}
		s.remote = udpAddr(*to)
		terr = s.ep.Connect(fullAddress(*to))
	} else {
		// Bound to the interface, a datagram to 255.255.255.255 needs no route.
		terr = s.ep.Bind(tcpip.FullAddress{NIC: nic, Port: port})
	}
	var local tcpip.FullAddress
	if terr == nil {
		local, terr = s.ep.GetLocalAddress()
	}
	if terr != nil {
		s.ep.Close()
		return nil, n.fail(terr)
	}
	s.local = udpAddr(addrPort(local))
	return s, nil
}

func (n *netstack) listenTCP(port uint16) (net.Listener, error) {
	l, err := n.listen(port)
	if err != nil {
		return nil, opError("listen", "tcp", anyTCP(port), nil, err)
	}
	return l, nil
}

func (n *netstack) listen(port uint16) (*stackListener, error) {
	s, err := n.endpoint(tcp.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	s.ep.SocketOptions().SetReuseAddress(true) // connections that are still closing do not hinder a new listener
	terr := s.ep.Bind(tcpip.FullAddress{Port: port})
	if terr == nil {
		terr = s.ep.Listen(listenBacklog)
	}
	var local tcpip.FullAddress
	if terr == nil {
		local, terr = s.ep.GetLocalAddress()
	}
	if terr != nil {
		s.ep.Close()
		return nil, n.fail(terr)
	}
	s.network, s.local = "tcp", tcpAddr(addrPort(local))
	return newStackListener(s), nil
}

func (n *netstack) fail(err tcpip.Error) error {
	if done(n.closed) {
		return net.ErrClosed
	}
	return socketError(err)
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{Addr: tcpip.AddrFrom4(a.Addr().As4()), Port: a.Port()}
}

// addrPort reads an address of the stack; the empty one is 0.0.0.0.
func addrPort(a tcpip.FullAddress) netip.AddrPort {
	if a.Addr.BitLen() != 32 {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(a.Addr.As4()), a.Port)
}
