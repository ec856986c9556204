// Package interpose listens to what a lab's pool and the handsets say to each other, message by message, for who records it,
// and changes what the pool says, for who replays it. It sits between the pool's services and their stations, and inside TLS.
package interpose

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// Heard is one message.
type Heard struct {
	At       time.Time
	Handset  string // its MAC address or, where there is none, its IP address; "" for all
	Sent     bool   // by the handset
	Protocol string
	Host     string // of the pool

	Connection string         // that it came on, by its two ends, "" for a datagram and a frame
	Server     netip.AddrPort // the pool's end, as far as there is one
	Secure     bool           // the connection is one of TLS
	exchange.Content
}

// Ear is told each message. It must be quick, and may be called from several goroutines. The nil Ear hears nothing.
type Ear func(Heard)

func (e Ear) tell(handset string, sent bool, protocol, host string, content func() exchange.Content) {
	if e != nil {
		e(Heard{At: time.Now(), Handset: handset, Sent: sent, Protocol: protocol, Host: host, Content: content()})
	}
}

// tellOf tells of a message on a connection.
func (e Ear) tellOf(conn net.Conn, secure, sent bool, protocol, host string, content func() exchange.Content) {
	if e == nil {
		return
	}
	local, remote := conn.LocalAddr().String(), conn.RemoteAddr()
	server, _ := netip.ParseAddrPort(local) // there are connections without
	e(Heard{
		At: time.Now(), Handset: ipOf(remote), Sent: sent, Protocol: protocol, Host: host,
		Connection: remote.String() + " " + local, Server: server, Secure: secure, Content: content(),
	})
}

// UDP ports of the services that a station has.
const (
	portDNS  = 53
	portNTP  = 123
	etherLen = 14 // of an Ethernet header
)

// Station is a station of the pool whose datagrams, frames and connections without TLS are overheard, and of those with TLS
// the hellos. host tells who answers at a port. What out changes is heard as it is sent.
func Station(s ethernet.Station, host func(port uint16) string, ear Ear, out Outgoing) ethernet.Station {
	if ear == nil && out == nil {
		return s
	}
	return &station{s, host, ear, out}
}

type station struct {
	ethernet.Station
	host func(port uint16) string
	ear  Ear
	out  Outgoing
}

func (s *station) SendFrame(frame []byte) error {
	if len(frame) > etherLen && binary.BigEndian.Uint16(frame[12:]) == lldp.EtherType {
		if unit, err := lldp.Parse(frame[etherLen:]); err == nil {
			if frame = changedFrame(s.out, frame, &unit); frame == nil {
				return nil
			}
			s.ear.tell("", false, "lldp", unit.SystemName(), func() exchange.Content { return exchange.LLDP(unit) })
		}
	}
	return s.Station.SendFrame(frame)
}

func (s *station) Frames(etherType uint16) (ethernet.FrameReceiver, error) {
	frames, err := s.Station.Frames(etherType)
	if err != nil || etherType != lldp.EtherType {
		return frames, err
	}
	return &receiver{frames, s}, nil
}

type receiver struct {
	ethernet.FrameReceiver
	s *station
}

func (r *receiver) Receive(ctx context.Context) ([]byte, error) {
	frame, err := r.FrameReceiver.Receive(ctx)
	if err == nil && len(frame) > etherLen {
		if unit, err := lldp.Parse(frame[etherLen:]); err == nil {
			r.s.ear.tell(net.HardwareAddr(frame[6:12]).String(), true, "lldp", "", func() exchange.Content { return exchange.LLDP(unit) })
		}
	}
	return frame, err
}

func (s *station) RawUDP(port uint16) (ethernet.RawUDP, error) {
	raw, err := s.Station.RawUDP(port)
	if err != nil {
		return nil, err
	}
	if local, ok := raw.(interface{ LocalAddr() net.Addr }); ok {
		return &socketDHCP{dhcp{RawUDP: raw, s: s}, local}, nil
	}
	return &dhcp{RawUDP: raw, s: s}, nil
}

type dhcp struct {
	ethernet.RawUDP
	s        *station
	requests requests
}

// socketDHCP is one on a socket of the computer.
type socketDHCP struct {
	dhcp
	local interface{ LocalAddr() net.Addr }
}

func (d *socketDHCP) LocalAddr() net.Addr { return d.local.LocalAddr() }

// Where the transaction and the handset's MAC address are in a message, and how long they may be (RFC 2131, 2).
const (
	xid, xidLen       = 4, 4
	chaddr, chaddrLen = 28, 6
)

func (d *dhcp) Receive(ctx context.Context) (ethernet.Datagram, error) {
	got, err := d.RawUDP.Receive(ctx)
	if err == nil && len(got.Payload) >= chaddr+chaddrLen {
		host := got.Dst.Addr().String()
		d.s.ear.tell(net.HardwareAddr(got.Payload[chaddr:chaddr+chaddrLen]).String(), true, "dhcp", host, func() exchange.Content { return exchange.DHCP(got.Payload) })
		if d.s.out != nil {
			d.requests.keep(string(got.Payload[xid:xid+xidLen]), d.s.out.DHCP(d.s.Name(), got.Payload))
		}
	}
	return got, err
}

func (d *dhcp) Send(m ethernet.Datagram) error {
	if len(m.Payload) >= chaddr+chaddrLen {
		if d.s.out != nil {
			if m.Payload = d.requests.changed(string(m.Payload[xid:xid+xidLen]), m.Payload); m.Payload == nil {
				return nil
			}
		}
		host := m.Src.Addr().String()
		d.s.ear.tell(net.HardwareAddr(m.Payload[chaddr:chaddr+chaddrLen]).String(), false, "dhcp", host, func() exchange.Content { return exchange.DHCP(m.Payload) })
	}
	return d.RawUDP.Send(m)
}

// datagrams are what a protocol says over UDP.
var datagrams = map[uint16]struct {
	protocol string
	content  func([]byte) exchange.Content
	asked    func(o Outgoing, request []byte) Change
}{portDNS: {"dns", exchange.DNS, Outgoing.DNS}, portNTP: {"ntp", exchange.NTP, Outgoing.NTP}}

func (s *station) ListenUDP(port uint16) (net.PacketConn, error) {
	conn, err := s.Station.ListenUDP(port)
	return s.udp(conn, port), err
}

func (s *station) udp(conn net.PacketConn, port uint16) net.PacketConn {
	if kind, ok := datagrams[port]; ok && conn != nil {
		return &udp{PacketConn: conn, s: s, protocol: kind.protocol, content: kind.content, asked: kind.asked}
	}
	return conn
}

type udp struct {
	net.PacketConn
	s        *station
	protocol string
	content  func([]byte) exchange.Content
	asked    func(o Outgoing, request []byte) Change
	requests requests
}

func (u *udp) ReadFrom(b []byte) (int, net.Addr, error) {
	n, peer, err := u.PacketConn.ReadFrom(b)
	if err == nil {
		u.tell(peer, true, b[:n])
		if u.s.out != nil {
			u.requests.keep(peer.String(), u.asked(u.s.out, b[:n]))
		}
	}
	return n, peer, err
}

func (u *udp) WriteTo(b []byte, peer net.Addr) (int, error) {
	length := len(b)
	if u.s.out != nil {
		if b = u.requests.changed(peer.String(), b); b == nil {
			return length, nil
		}
	}
	u.tell(peer, false, b)
	if _, err := u.PacketConn.WriteTo(b, peer); err != nil {
		return 0, err
	}
	return length, nil
}

func (u *udp) tell(peer net.Addr, sent bool, b []byte) {
	if u.s.ear == nil {
		return
	}
	own := u.s.Address().Addr()
	u.s.ear(Heard{
		At: time.Now(), Handset: ipOf(peer), Sent: sent, Protocol: u.protocol, Host: own.String(),
		Server: netip.AddrPortFrom(own, 0), Content: u.content(b),
	})
}

func ipOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func (s *station) ListenTCP(port uint16) (net.Listener, error) {
	l, err := s.Station.ListenTCP(port)
	return s.tcp(l, port), err
}

func (s *station) tcp(l net.Listener, port uint16) net.Listener {
	if l == nil || port == portDNS {
		return l
	}
	return &listener{l, s.host(port), s.ear, s.out}
}

// ListenBoth is [ethernet.ListenBoth].
func (s *station) ListenBoth(port uint16) (net.Listener, net.PacketConn, error) {
	l, conn, err := ethernet.ListenBoth(s.Station, port)
	return s.tcp(l, port), s.udp(conn, port), err
}

type listener struct {
	net.Listener
	host string
	ear  Ear
	out  Outgoing
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &outer{Conn: conn, ear: l.ear, host: l.host, inside: newTalk(conn, l.host, l.ear, false), out: l.out}, nil
}
