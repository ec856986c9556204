package ethernet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

type closer interface{ Close() error }

// hostStation is a station on a [Host].
type hostStation struct {
	on   *Host
	name string
	mac  macAddress

	mu       sync.Mutex
	silenced map[uint16]bool
	had      map[asked]uint16 // ports of the computer
	open     map[closer]bool  // sockets and silenced connections, closed with the station
	closed   bool
}

func (st *hostStation) Name() string { return st.name }

func (st *hostStation) MAC() net.HardwareAddr { return slices.Clone(st.mac[:]) }

func (st *hostStation) Carrier() bool { return true }

func (st *hostStation) CarrierChanged() <-chan struct{} { return nil }

func (st *hostStation) SetTag(Tag) {}

func (st *hostStation) SetDSCP(uint8) {}

func (st *hostStation) SendFrame([]byte) error { return st.noFrames() }

func (st *hostStation) Frames(uint16) (FrameReceiver, error) { return nil, st.noFrames() }

func (st *hostStation) noFrames() error { return fmt.Errorf("station %s: %w", st.name, ErrNoFrames) }

func (st *hostStation) Probe(context.Context, netip.Addr, time.Duration) error { return nil }

func (st *hostStation) SetAddress(netip.Prefix, netip.Addr) error { return nil }

func (st *hostStation) ClearAddress() {}

func (st *hostStation) Address() netip.Prefix { return st.on.ownAddress() }

func (st *hostStation) AddNeighbor(netip.Addr, net.HardwareAddr) {}

func (st *hostStation) DropNeighbor(netip.Addr) {}

func (st *hostStation) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp4", to.String())
	if err != nil {
		return nil, err
	}
	return st.tcp(conn)
}

// tcp keeps a connection until it is closed.
func (st *hostStation) tcp(conn net.Conn) (net.Conn, error) {
	c := &hostConn{TCPConn: conn.(*net.TCPConn), st: st}
	if err := st.keep(c); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// hostConn is a TCP connection of the computer.
type hostConn struct {
	*net.TCPConn
	st *hostStation
}

var _ Resetter = (*hostConn)(nil)

func (c *hostConn) Close() error {
	c.st.forget(c)
	return c.TCPConn.Close()
}

// Reset implements [Resetter].
func (c *hostConn) Reset() error {
	return errors.Join(c.SetLinger(0), c.Close())
}

func (st *hostStation) DialUDP(to netip.AddrPort) (net.Conn, error) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (st *hostStation) ListenTCP(port uint16) (net.Listener, error) {
	at := netip.AddrPortFrom(st.listenAddress(), st.portFor("tcp", port))
	listener, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	st.got("tcp", port, listener.Addr().(*net.TCPAddr).AddrPort())
	l := &hostListener{TCPListener: listener, st: st, port: port}
	if err := st.keep(l); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return l, nil
}

// asked is a port as a station asks for it.
type asked struct {
	network string // tcp or udp
	port    uint16
}

// portFor is the port of the computer for one that a station asks for: the one that it had before, if it had one.
func (st *hostStation) portFor(network string, port uint16) uint16 {
	st.mu.Lock()
	defer st.mu.Unlock()
	if had, ok := st.had[asked{network, port}]; ok && port != 0 {
		return had
	}
	return st.on.port(st.name, port)
}

// got remembers the port that the computer gave.
func (st *hostStation) got(network string, port uint16, at netip.AddrPort) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.had[asked{network, port}], st.had[asked{network, at.Port()}] = at.Port(), at.Port()
}

func (st *hostStation) listenAddress() netip.Addr {
	if st.on.options.Listen.IsValid() {
		return st.on.options.Listen
	}
	return netip.IPv4Unspecified()
}

func (st *hostStation) ListenUDP(port uint16) (net.PacketConn, error) {
	conn, err := st.listenUDP(port, st.listenAddress())
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (st *hostStation) listenUDP(port uint16, on netip.Addr) (*hostPacketConn, error) {
	at := netip.AddrPortFrom(on, st.portFor("udp", port))
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	st.got("udp", port, conn.LocalAddr().(*net.UDPAddr).AddrPort())
	c := &hostPacketConn{conn, st}
	if err := st.keep(c); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

type hostPacketConn struct {
	*net.UDPConn
	st *hostStation
}

// Errors of Windows at reading that are of one datagram and not of the socket: an earlier one met a closed port, or this
// one is longer than the buffer.
const (
	wsaConnectionReset = syscall.Errno(10054)
	wsaMessageSize     = syscall.Errno(10040)
)

// ReadFrom reads the next datagram; what is longer than b is cut.
func (c *hostPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.UDPConn.ReadFrom(b)
		switch {
		case errors.Is(err, wsaConnectionReset):
			continue
		case errors.Is(err, wsaMessageSize):
			err = nil
		}
		return n, from, err
	}
}

func (c *hostPacketConn) Close() error {
	c.st.forget(c)
	return c.UDPConn.Close()
}

// Silence implements [Station]: the computer still accepts connections to the port, and then nothing answers on them.
func (st *hostStation) Silence(port uint16, silent bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.silenced[port] = silent
}

// hostListener keeps the connections to a silenced port to itself.
type hostListener struct {
	*net.TCPListener
	st   *hostStation
	port uint16
}

func (l *hostListener) Accept() (net.Conn, error) {
	var held []net.Conn // they end with the station
	for {
		conn, err := l.TCPListener.Accept()
		if err != nil {
			return nil, err
		}
		c, err := l.st.tcp(conn)
		if err != nil {
			return nil, err
		}
		if !l.st.isSilent(l.port) {
			return c, nil
		}
		if held = append(held, c); len(held) > backlog {
			held[0].Close()
			held = held[1:]
		}
	}
}

func (l *hostListener) Close() error {
	l.st.forget(l)
	return l.TCPListener.Close()
}

func (st *hostStation) isSilent(port uint16) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.silenced[port]
}

func (st *hostStation) keep(c closer) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return ErrClosed
	}
	st.open[c] = true
	return nil
}

func (st *hostStation) forget(c closer) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.open, c)
}

// Close ends every socket of the station.
func (st *hostStation) Close() error {
	st.mu.Lock()
	st.closed = true
	open := st.open
	st.open = map[closer]bool{}
	st.mu.Unlock()
	var errs []error
	for c := range open {
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// hostUDP is a UDP socket of the computer in the shape of a [RawUDP].
type hostUDP struct {
	conn *hostPacketConn
}

// RawUDP implements [Station]. Another program of the computer, or its own DHCP service, may hold the port. Broadcasts
// reach a socket on every address alone, so it is one of these, but where the station is of this computer alone.
func (st *hostStation) RawUDP(port uint16) (RawUDP, error) {
	at := st.listenAddress()
	if !at.IsLoopback() {
		at = netip.IPv4Unspecified()
	}
	conn, err := st.listenUDP(port, at)
	if err != nil {
		return nil, err
	}
	return &hostUDP{conn}, nil
}

// LocalAddr is the address of the socket.
func (u *hostUDP) LocalAddr() net.Addr { return u.conn.LocalAddr() }

// Send implements [RawUDP]. Without a default route a computer can only broadcast to a subnet of its own.
func (u *hostUDP) Send(d Datagram) error {
	_, err := u.conn.WriteToUDPAddrPort(d.Payload, unmap(d.Dst))
	if !errors.Is(err, syscall.ENETUNREACH) || d.Dst.Addr() != netip.AddrFrom4(broadcastIPv4) {
		return err
	}
	a, invalid := newAddressing(u.conn.st.Address(), netip.Addr{})
	if invalid != nil {
		return err
	}
	_, err = u.conn.WriteToUDPAddrPort(d.Payload, netip.AddrPortFrom(netip.AddrFrom4(a.broadcast), d.Dst.Port()))
	return err
}

func (u *hostUDP) Receive(ctx context.Context) (Datagram, error) {
	buffer := make([]byte, maxUDPPayload)
	for {
		if err := u.conn.SetReadDeadline(time.Time{}); err != nil {
			return Datagram{}, err
		}
		stop := context.AfterFunc(ctx, func() { u.conn.SetReadDeadline(time.Unix(1, 0)) })
		n, from, err := u.conn.ReadFromUDPAddrPort(buffer)
		stop()
		switch {
		case err == nil:
			to := u.conn.LocalAddr().(*net.UDPAddr).AddrPort()
			return Datagram{Src: unmap(from), Dst: to, Payload: slices.Clone(buffer[:n])}, nil
		case ctx.Err() != nil:
			return Datagram{}, ctx.Err()
		case !errors.Is(err, os.ErrDeadlineExceeded): // one of an earlier ctx may come late
			return Datagram{}, err
		}
	}
}

func (u *hostUDP) Close() error { return u.conn.Close() }

func (st *hostStation) LookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return list, err
}

func (st *hostStation) LookupService(ctx context.Context, name string) ([]*net.SRV, error) {
	_, list, err := net.DefaultResolver.LookupSRV(ctx, "", "", name)
	return list, err
}

const maxResolverFile = 64 << 10

// SearchDomain reads resolv.conf, or where there is none the domain that Windows tells its users' programs.
func (st *hostStation) SearchDomain() string {
	file, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return strings.ToLower(os.Getenv("USERDNSDOMAIN"))
	}
	defer file.Close()
	text := make([]byte, maxResolverFile)
	n, _ := file.Read(text) // a file that cannot be read names no domain
	return searchDomain(string(text[:n]))
}

// searchDomain is the first name of the last search or domain line (resolv.conf(5)).
func searchDomain(resolvConf string) string {
	domain := ""
	for line := range strings.Lines(resolvConf) {
		if fields := strings.Fields(line); len(fields) > 1 && (fields[0] == "search" || fields[0] == "domain") {
			domain = strings.ToLower(strings.Trim(fields[1], "."))
		}
	}
	return domain
}
