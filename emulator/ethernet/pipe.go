package ethernet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Pipe is a cable without an IP stack, for virtual time (testing/synctest): everything waits on channels and timers
// only. Frames, ARP, DHCP, tags, carrier, impairments, tap and UDP are those of a [Segment]. TCP connections are
// buffered streams in memory: they follow ARP, tags, carrier and silence, but are not frames.
type Pipe struct{ on *accessSwitch }

var _ Cable = (*Pipe)(nil)

// NewPipe returns a pipe without stations. Close frees it.
func NewPipe(o Options) *Pipe { return &Pipe{newAccessSwitch(o)} }

// Join implements [Cable]. The name must be new on this cable.
func (p *Pipe) Join(c StationConfig) (Station, error) { return join(p.on, c, false, newStreams) }

// JoinSwitch plugs in the station that is the switch itself, as [Segment.JoinSwitch] does.
func (p *Pipe) JoinSwitch(c StationConfig) (Station, error) { return join(p.on, c, true, newStreams) }

// SetCarrier gives the port of the named station link or takes it away, now or when it joins.
func (p *Pipe) SetCarrier(station string, up bool) { p.on.setCarrier(station, up) }

// Counters returns what became of the frames so far.
func (p *Pipe) Counters() Counters { return p.on.count() }

// Close implements [Cable].
func (p *Pipe) Close() error { return p.on.close() }

// streams is the IP layer of a station on a [Pipe].
type streams struct {
	station *station

	mu        sync.Mutex
	listeners map[uint16]*streamListener
	open      map[flow]*stream
	sockets   map[uint16][]*datagramSocket
	ended     bool
	closed    chan struct{}
}

// flow names one end of a connection at its station.
type flow struct {
	port   uint16
	remote netip.AddrPort
}

const (
	firstEphemeral = 49152 // RFC 6335, 6
	lastEphemeral  = 65535

	backlog = 128 // connections that nobody accepted yet
)

func newStreams(st *station) (ipLayer, error) {
	return &streams{
		station: st, listeners: map[uint16]*streamListener{}, open: map[flow]*stream{},
		sockets: map[uint16][]*datagramSocket{}, closed: make(chan struct{}),
	}, nil
}

func (s *streams) readdress(*addressing) error { return nil }

// reachable lets held bytes through on every connection whose way is open again.
func (s *streams) reachable() {
	s.mu.Lock()
	open := make([]*stream, 0, len(s.open))
	for _, c := range s.open {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.release()
		c.peer.release()
	}
}

func (s *streams) close() {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	close(s.closed)
	listeners, open, sockets := s.listeners, s.open, s.sockets
	s.listeners, s.open, s.sockets = nil, nil, nil
	s.mu.Unlock()
	for _, l := range listeners {
		l.shut()
	}
	for _, c := range open {
		c.abort(true)
	}
	for _, list := range sockets {
		for _, u := range list {
			u.shut()
		}
	}
}

// freePort picks an ephemeral port that taken does not know.
func freePort(taken func(uint16) bool) (uint16, error) {
	const n = lastEphemeral - firstEphemeral + 1
	first := rand.N(n)
	for i := range n {
		if port := uint16(firstEphemeral + (first+i)%n); !taken(port) {
			return port, nil
		}
	}
	return 0, syscall.EADDRNOTAVAIL
}

// Intervals between connection attempts, and when they end, as TCP sends SYN again (RFC 6298, 5.7: at least 3 s in all;
// six retries as gVisor and Linux).
const (
	firstRetry    = time.Second
	connectGiveUp = 127 * time.Second
)

func (s *streams) dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	c, err := s.connect(ctx, to)
	if err != nil {
		return nil, opError("dial", "tcp", nil, tcpAddr(to), err)
	}
	return c, nil
}

func (s *streams) connect(ctx context.Context, to netip.AddrPort) (*stream, error) {
	if err := s.station.resolveRoute(ctx, to); err != nil {
		return nil, err
	}
	retry := time.NewTimer(firstRetry)
	defer retry.Stop()
	for wait, waited := firstRetry, time.Duration(0); ; wait *= 2 {
		c, err := s.attempt(to)
		if c != nil || err != nil {
			return c, err
		}
		if waited += wait; waited > connectGiveUp {
			return nil, syscall.ETIMEDOUT
		}
		retry.Reset(wait)
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.closed:
			return nil, net.ErrClosed
		}
	}
}

// attempt is one SYN: a connection, a refusal, or nothing at all.
func (s *streams) attempt(to netip.AddrPort) (*stream, error) {
	a := s.station.address.Load()
	if a == nil {
		return nil, errNetworkUnreachable
	}
	peer := s
	if to.Addr() != a.prefix.Addr() {
		var err error
		if peer, err = s.find(a, to); peer == nil {
			return nil, err
		}
	}
	if peer.station.isSilent(to.Port()) && peer != s {
		return nil, nil
	}
	listener := peer.listener(to.Port())
	if listener == nil {
		return nil, syscall.ECONNREFUSED
	}
	near, far, err := s.pair(peer, a.prefix.Addr(), to)
	if err != nil {
		return nil, err
	}
	if !listener.queue.push(far) {
		near.forget()
		far.forget()
		return nil, nil
	}
	return near, nil
}

// find returns the stack that holds the address, if ARP knows where it is and frames get there.
func (s *streams) find(a *addressing, to netip.AddrPort) (*streams, error) {
	hop, err := a.nextHop(to.Addr())
	if err != nil {
		return nil, err
	}
	mac, known := s.station.arp.lookup(hop.As4(), nil)
	if !known {
		return nil, nil
	}
	holder := s.station.on.holder(s.station, mac)
	if holder == nil {
		return nil, nil
	}
	if b := holder.address.Load(); b == nil || b.prefix.Addr() != to.Addr() {
		return nil, nil
	}
	return holder.ip.(*streams), nil
}

func (s *streams) listener(port uint16) *streamListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listeners[port]
}

// pair makes both ends of a connection and enters them at their stations.
func (s *streams) pair(peer *streams, own netip.Addr, to netip.AddrPort) (near, far *stream, err error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil, nil, net.ErrClosed
	}
	port, err := freePort(func(port uint16) bool {
		return s.open[flow{port, to}] != nil || s.listeners[port] != nil
	})
	if err != nil {
		s.mu.Unlock()
		return nil, nil, err
	}
	near, far = newPair(s, peer, netip.AddrPortFrom(own, port), to)
	s.open[near.flow()] = near
	s.mu.Unlock()

	peer.mu.Lock()
	defer peer.mu.Unlock()
	if !peer.ended {
		peer.open[far.flow()] = far
	}
	return near, far, nil
}

func (s *streams) listenTCP(port uint16) (net.Listener, error) {
	l, err := s.listen(port)
	if err != nil {
		return nil, opError("listen", "tcp", anyTCP(port), nil, err)
	}
	return l, nil
}

func (s *streams) listen(port uint16) (*streamListener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, net.ErrClosed
	}
	if port == 0 {
		var err error
		if port, err = freePort(func(p uint16) bool { return s.listeners[p] != nil }); err != nil {
			return nil, err
		}
	}
	if s.listeners[port] != nil {
		return nil, fmt.Errorf("port %d: %w", port, syscall.EADDRINUSE)
	}
	l := &streamListener{owner: s, port: port, queue: newQueue[*stream](backlog)}
	s.listeners[port] = l
	return l, nil
}

type streamListener struct {
	owner *streams
	port  uint16
	queue *queue[*stream]
}

func (l *streamListener) Addr() net.Addr { return anyTCP(l.port) }

func (l *streamListener) Accept() (net.Conn, error) {
	c, result := l.queue.pop(nil)
	if result != popItem {
		return nil, opError("accept", "tcp", l.Addr(), nil, net.ErrClosed)
	}
	return c, nil
}

func (l *streamListener) Close() error {
	if !l.shut() {
		return opError("close", "tcp", l.Addr(), nil, net.ErrClosed)
	}
	l.owner.mu.Lock()
	defer l.owner.mu.Unlock()
	if l.owner.listeners[l.port] == l {
		delete(l.owner.listeners, l.port)
	}
	return nil
}

// shut resets the connections that nobody accepted.
func (l *streamListener) shut() bool {
	waiting, first := l.queue.close()
	for _, c := range waiting {
		_ = c.Reset() // one that is closed already needs none
	}
	return first
}
