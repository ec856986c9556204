package importer

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/arp"
)

// arp takes what the handset asked and answered, and what it got that is about it: an address is its own from when it
// first asks whether it is free, says that it has it, or asks from it. Before that, others ask for whoever had it.
func (b *Boot) arp(f *frame) {
	p, err := arp.Parse(f.Payload)
	if err != nil {
		b.note("ARP in frame %d is not for Ethernet and IPv4: %x", f.Number, f.Payload[:min(len(f.Payload), 8)])
		return
	}
	if b.Handset.MAC == nil { // it is behind a router
		return
	}
	mac := [6]byte(b.Handset.MAC)
	sent := p.SenderMAC == mac
	about := p.About(mac, [4]byte{})
	for _, address := range b.held {
		about = about || p.About(mac, address)
	}
	switch own := p.Sender; {
	case sent:
		if p.Probe() {
			own = p.Target
		}
		if !slices.Contains(b.held, own) {
			b.held = append(b.held, own)
			b.held = b.held[max(0, len(b.held)-maxHeld):]
		}
	case !about:
		return
	}
	b.add(f, exchange.ProtocolARP, exchange.ARP(p, sent))
	m := &b.Messages[len(b.Messages)-1]
	m.Sent, m.arp = sent, &p
}

// maxHeld bounds the addresses that are the handset's at a time.
const maxHeld = 8

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
