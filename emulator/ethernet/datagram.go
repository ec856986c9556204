package ethernet

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// receivedDatagrams bounds the datagrams that wait in one socket.
const receivedDatagrams = 256

// datagramSocket is a UDP socket on a [Pipe]. Its datagrams are frames, of any length: there are no fragments.
type datagramSocket struct {
	owner  *streams
	port   uint16
	own    netip.Addr     // unspecified unless connected
	remote netip.AddrPort // the zero AddrPort if not connected
	queue  *queue[datagram]

	readDeadline, writeDeadline deadline
}

// datagram is one that arrived, or the error that an ICMP message brought.
type datagram struct {
	from    netip.AddrPort
	payload []byte
	err     error
}

func (s *streams) dialUDP(to netip.AddrPort) (net.Conn, error) {
	u, err := s.connectUDP(to)
	if err != nil {
		return nil, opError("dial", "udp", nil, udpAddr(to), err)
	}
	return u, nil
}

func (s *streams) connectUDP(to netip.AddrPort) (*datagramSocket, error) {
	if !to.Addr().Is4() {
		return nil, syscall.EAFNOSUPPORT
	}
	a := s.station.address.Load()
	if _, err := a.nextHop(to.Addr()); err != nil {
		return nil, err
	}
	return s.openUDP(0, a.prefix.Addr(), to)
}

func (s *streams) listenUDP(port uint16) (net.PacketConn, error) {
	u, err := s.openUDP(port, netip.IPv4Unspecified(), netip.AddrPort{})
	if err != nil {
		return nil, opError("listen", "udp", anyUDP(port), nil, err)
	}
	return u, nil
}

func (s *streams) openUDP(port uint16, own netip.Addr, remote netip.AddrPort) (*datagramSocket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, net.ErrClosed
	}
	if port == 0 {
		var err error
		if port, err = freePort(func(p uint16) bool { return len(s.sockets[p]) > 0 }); err != nil {
			return nil, err
		}
	} else if len(s.sockets[port]) > 0 {
		return nil, syscall.EADDRINUSE
	}
	u := &datagramSocket{owner: s, port: port, own: own, remote: remote, queue: newQueue[datagram](receivedDatagrams)}
	s.sockets[port] = append(s.sockets[port], u)
	return u, nil
}

// receive takes a packet from the station: UDP, and ICMP about UDP. TCP is not packets on a Pipe.
func (s *streams) receive(packet []byte, broadcast bool) {
	p, err := parseIPv4(packet)
	if err != nil || p.fragmented {
		return
	}
	a := s.station.address.Load()
	toUs := a != nil && p.dst == a.own
	if !toUs && p.dst != broadcastIPv4 && (a == nil || p.dst != a.broadcast) {
		return
	}
	switch p.protocol {
	case protocolUDP:
		s.receiveUDP(p, toUs && !broadcast)
	case protocolICMP:
		s.receiveICMP(p)
	}
}

func (s *streams) receiveUDP(p ipv4Packet, unicast bool) {
	srcPort, dstPort, payload, err := parseUDP(p)
	if err != nil {
		return
	}
	from := netip.AddrPortFrom(netip.AddrFrom4(p.src), srcPort)
	if u := s.socket(dstPort, from); u != nil {
		u.queue.push(datagram{from: from, payload: bytes.Clone(payload)})
		return
	}
	if unicast {
		s.refuse(p)
	}
}

// socket returns the socket that takes what from sends to the port.
func (s *streams) socket(port uint16, from netip.AddrPort) *datagramSocket {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.sockets[port] {
		if !u.remote.IsValid() || u.remote == from {
			return u
		}
	}
	return nil
}

// ICMP destination unreachable, port unreachable (RFC 792; RFC 1122, 4.1.3.1).
const (
	icmpUnreachable     = 3
	icmpPortUnreachable = 3
	icmpHeaderSize      = 8
)

func (s *streams) refuse(p ipv4Packet) {
	quote := slices.Concat(p.header, p.payload[:min(len(p.payload), udpHeaderSize)])
	st := s.station
	frame, b := newIPv4Frame(p.dst, p.src, protocolICMP, icmpHeaderSize+len(quote), st.nextFields())
	b[0], b[1] = icmpUnreachable, icmpPortUnreachable
	copy(b[icmpHeaderSize:], quote)
	binary.BigEndian.PutUint16(b[2:], checksum(sum(0, b)))
	_ = s.sendTo(netip.AddrFrom4(p.src), frame) // nobody waits for it
}

// receiveICMP tells the socket whose datagram was refused.
func (s *streams) receiveICMP(p ipv4Packet) {
	b := p.payload
	if len(b) < icmpHeaderSize+ipv4HeaderSize || b[0] != icmpUnreachable || b[1] != icmpPortUnreachable || checksum(sum(0, b)) != 0 {
		return
	}
	quote := b[icmpHeaderSize:]
	size := int(quote[0]&0x0f) * 4
	if size < ipv4HeaderSize || len(quote) < size+udpHeaderSize || quote[9] != protocolUDP {
		return
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte(quote[16:20])), binary.BigEndian.Uint16(quote[size+2:]))
	u := s.socket(binary.BigEndian.Uint16(quote[size:]), to)
	if u != nil && u.remote == to {
		u.queue.push(datagram{err: syscall.ECONNREFUSED})
	}
}

// sendTo sends a frame that the station built, to itself as well.
func (s *streams) sendTo(to netip.Addr, frame []byte) error {
	a := s.station.address.Load()
	ip := to.As4()
	if a != nil && ip == a.own {
		s.receive(frame[headerSize:], false)
		return nil
	}
	hop := to
	if ip != broadcastIPv4 {
		var err error
		if hop, err = a.nextHop(to); err != nil {
			return err
		}
	}
	return s.station.sendIPv4(hop.As4(), frame)
}

func (u *datagramSocket) LocalAddr() net.Addr { return udpAddr(netip.AddrPortFrom(u.own, u.port)) }

func (u *datagramSocket) RemoteAddr() net.Addr {
	if !u.remote.IsValid() {
		return nil
	}
	return udpAddr(u.remote)
}

func (u *datagramSocket) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return opError(op, "udp", u.LocalAddr(), u.RemoteAddr(), err)
}

func (u *datagramSocket) Read(b []byte) (int, error) {
	n, _, err := u.ReadFrom(b)
	return n, err
}

func (u *datagramSocket) ReadFrom(b []byte) (int, net.Addr, error) {
	d, result := u.queue.pop(u.readDeadline.wait())
	switch {
	case result == popClosed:
		return 0, nil, u.error("read", net.ErrClosed)
	case result == popCancelled:
		return 0, nil, u.error("read", os.ErrDeadlineExceeded)
	case d.err != nil:
		return 0, nil, u.error("read", d.err)
	}
	return copy(b, d.payload), udpAddr(d.from), nil
}

func (u *datagramSocket) Write(b []byte) (int, error) {
	if !u.remote.IsValid() {
		return 0, u.error("write", syscall.EDESTADDRREQ)
	}
	n, err := u.send(b, u.remote)
	return n, u.error("write", err)
}

func (u *datagramSocket) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := udpTarget(addr)
	var n int
	if err == nil {
		n, err = u.send(b, to)
	}
	return n, opError("write", "udp", u.LocalAddr(), addr, err)
}

func (u *datagramSocket) send(b []byte, to netip.AddrPort) (int, error) {
	if done(u.queue.closed) {
		return 0, net.ErrClosed
	}
	if u.writeDeadline.reached() {
		return 0, os.ErrDeadlineExceeded
	}
	if len(b) > maxUDPPayload {
		return 0, syscall.EMSGSIZE
	}
	st := u.owner.station
	own := u.own
	if a := st.address.Load(); own.IsUnspecified() && a != nil {
		own = a.prefix.Addr()
	}
	frame := udpFrame(netip.AddrPortFrom(own, u.port), to, b, st.nextFields())
	if err := u.owner.sendTo(to.Addr(), frame); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (u *datagramSocket) Close() error {
	if !u.shut() {
		return u.error("close", net.ErrClosed)
	}
	s := u.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := slices.DeleteFunc(s.sockets[u.port], func(other *datagramSocket) bool { return other == u })
	if len(rest) == 0 {
		delete(s.sockets, u.port)
	} else {
		s.sockets[u.port] = rest
	}
	return nil
}

func (u *datagramSocket) shut() bool {
	_, first := u.queue.close()
	u.readDeadline.expire()
	u.writeDeadline.expire()
	return first
}

func (u *datagramSocket) SetDeadline(t time.Time) error {
	if err := u.SetReadDeadline(t); err != nil {
		return err
	}
	return u.SetWriteDeadline(t)
}

func (u *datagramSocket) SetReadDeadline(t time.Time) error { return u.setDeadline(&u.readDeadline, t) }

func (u *datagramSocket) SetWriteDeadline(t time.Time) error {
	return u.setDeadline(&u.writeDeadline, t)
}

func (u *datagramSocket) setDeadline(d *deadline, t time.Time) error {
	if done(u.queue.closed) {
		return u.error("set", net.ErrClosed)
	}
	d.set(t)
	return nil
}
