package importer

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"
)

// ARP is what the handset and others asked and answered about addresses.
type ARP struct {
	Frame    int
	At       time.Time
	Sent     bool
	Request  bool
	Hardware net.HardwareAddr // of the sender
	Sender   netip.Addr       // 0.0.0.0 in a probe
	Target   netip.Addr
}

// Probe reports whether it asks if an address is free (RFC 5227).
func (a ARP) Probe() bool { return a.Request && a.Sender.IsUnspecified() }

// Announcement reports whether it tells that an address is taken now.
func (a ARP) Announcement() bool { return a.Sender == a.Target && !a.Sender.IsUnspecified() }

// arpSize is the size of a packet for Ethernet and IPv4 (RFC 826).
const arpSize = 28

func (b *Boot) arp(f *frame) {
	p := f.Payload
	if len(p) < arpSize || binary.BigEndian.Uint64(p)>>16 != 0x000108000604 {
		b.note("ARP in frame %d is not for Ethernet and IPv4: %x", f.Number, p[:min(len(p), 8)])
		return
	}
	b.ARP = append(b.ARP, ARP{
		Frame: f.Number, At: f.At, Sent: b.sent(f), Request: p[7] == 1, Hardware: p[8:14],
		Sender: netip.AddrFrom4([4]byte(p[14:18])), Target: netip.AddrFrom4([4]byte(p[24:28])),
	})
}

// unreachable is a datagram that the handset refused: it had closed the port (RFC 792, type 3 code 3).
type unreachable struct {
	frame          int
	source, target netip.AddrPort
}

func (b *Boot) icmp(f *frame) {
	p := f.ICMP
	const header, ipHeader = 8, 20
	if len(p) < header+ipHeader+4 || p[0] != 3 || p[1] != 3 || !b.sent(f) {
		return
	}
	ip := p[header:]
	size := int(ip[0]&15) * 4
	if ip[0]>>4 != 4 || ip[9] != 17 || size < ipHeader || len(ip) < size+4 {
		return
	}
	b.unreachable = append(b.unreachable, unreachable{
		f.Number, netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(ip[size:])),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(ip[size+2:])),
	})
}
