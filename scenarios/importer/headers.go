package importer

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// headers are those of a frame from the link to TCP and UDP, read only to find the frames that tshark has to read. Of what
// is mirrored inside GRE or VXLAN they are the inner ones.
type headers struct {
	from, to       [6]byte
	link           bool // from and to are MAC addresses
	cooked         bool // from alone is one
	ether          uint16
	source, target netip.Addr
	protocol       byte // of IP, 0: no IP
	fragment       bool // not the first one of its datagram
	id             uint32
	more           bool      // further fragments follow
	ports          [2]uint16 // of TCP and UDP
	flags          byte      // of TCP
	payload        []byte    // behind UDP and TCP; of what is no IP behind the link's header
	tunnel         string    // what it was in
	unread         string    // what it is in, that is not read
}

// Types of links (www.tcpdump.org/linktypes.html).
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9
	linkRawOld   = 12
	linkRaw      = 101
	linkLoop     = 108
	linkCooked   = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkCooked2  = 276
)

// Links of radio, whose frames are mostly encrypted besides.
var wireless = map[int]bool{105: true, 119: true, 127: true, 163: true, 192: true}

// Further Ethernet types, see frame.go.
const (
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	etherVLAN   = 0x8100
	etherQinQ   = 0x88a8
	etherQinQ91 = 0x9100
	etherPPPoE  = 0x8864
	etherMPLS   = 0x8847
	etherMACsec = 0x88e5

	etherBridged = 0x6558 // GRE: Ethernet
	etherERSPAN  = 0x88be
	etherERSPAN3 = 0x22eb
)

// Further protocols of IP.
const (
	protocolIPv4 = 4
	protocolTCP  = 6
	protocolUDP  = 17
	protocolIPv6 = 41
	protocolGRE  = 47
	protocolESP  = 50

	headerHop, headerRouting, headerFragment, headerOptions = 0, 43, 44, 60 // of IPv6
)

// Ports of tunnels.
const (
	portVXLAN  = 4789
	portCAPWAP = 5247 // data
	portGENEVE = 6081
)

// maxTunnels bounds how many tunnels are in one another.
const maxTunnels = 3

// readHeaders reads as much as there is.
func readHeaders(link int, b []byte) (h headers) {
	switch link {
	case linkEthernet:
		h.ethernet(b, 0)
	case linkCooked:
		if len(b) >= 16 {
			h.sender(b[6:14], binary.BigEndian.Uint16(b[4:]))
			h.over(binary.BigEndian.Uint16(b[14:]), b[16:], 0)
		}
	case linkCooked2:
		if len(b) >= 20 {
			h.sender(b[12:20], uint16(b[11]))
			h.over(binary.BigEndian.Uint16(b), b[20:], 0)
		}
	case linkRaw, linkRawOld, linkIPv4, linkIPv6:
		h.ip(b, 0)
	case linkNull, linkLoop:
		h.ip(b[min(4, len(b)):], 0)
	case linkPPP:
		if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
			b = b[2:]
		}
		h.ppp(b, 0)
	default:
		h.unread = fmt.Sprintf("are of a link of type %d", link)
		if wireless[link] {
			h.unread = "are of a wireless network (802.11)"
		}
	}
	return h
}

func (h *headers) sender(b []byte, size uint16) {
	h.cooked = true
	if size == 6 {
		h.from = [6]byte(b)
	}
}

func (h *headers) ethernet(b []byte, depth int) {
	if len(b) < 14 {
		return
	}
	h.to, h.from, h.link, h.cooked = [6]byte(b), [6]byte(b[6:]), true, false
	h.over(binary.BigEndian.Uint16(b[12:]), b[14:], depth)
}

// over reads what an Ethernet type says.
func (h *headers) over(ether uint16, b []byte, depth int) {
	for (ether == etherVLAN || ether == etherQinQ || ether == etherQinQ91) && len(b) >= 4 {
		ether, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	h.ether, h.payload = ether, b
	switch ether {
	case etherIPv4, etherIPv6:
		h.ip(b, depth)
	case etherPPPoE:
		if len(b) >= 6 {
			h.ppp(b[6:], depth)
		}
	case etherMPLS:
		h.unread = "are inside MPLS"
	case etherMACsec:
		h.unread = "are encrypted by MACsec"
	}
}

// ppp reads PPP from its protocol on (RFC 1661, 2; it may be one byte).
func (h *headers) ppp(b []byte, depth int) {
	if len(b) > 0 && b[0]&1 == 1 {
		b = append([]byte{0}, b...)
	}
	if len(b) >= 2 && (b[1] == 0x21 || b[1] == 0x57) && b[0] == 0 {
		h.ip(b[2:], depth)
	}
}

func (h *headers) ip(b []byte, depth int) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		h.ip4(b, depth)
	case len(b) >= 40 && b[0]>>4 == 6:
		h.ip6(b, depth)
	}
}

func (h *headers) ip4(b []byte, depth int) {
	size, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if size < 20 || size > len(b) {
		return
	}
	if total >= size && total < len(b) {
		b = b[:total]
	}
	offset := binary.BigEndian.Uint16(b[6:])
	h.source, h.target = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	h.id, h.more, h.fragment = uint32(binary.BigEndian.Uint16(b[4:])), offset&0x2000 != 0, offset&0x1fff != 0
	h.transport(b[9], b[size:], depth)
}

func (h *headers) ip6(b []byte, depth int) {
	h.source, h.target = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	h.id, h.more, h.fragment = 0, false, false
	protocol, b := b[6], b[40:]
	for len(b) >= 8 {
		size := 8 + int(b[1])*8
		switch protocol {
		case headerFragment:
			offset := binary.BigEndian.Uint16(b[2:])
			h.id, h.more, h.fragment, size = binary.BigEndian.Uint32(b[4:]), offset&1 != 0, offset>>3 != 0, 8
		case headerHop, headerRouting, headerOptions:
		default:
			h.transport(protocol, b, depth)
			return
		}
		if size > len(b) {
			return
		}
		protocol, b = b[0], b[size:]
	}
	h.transport(protocol, b, depth)
}

func (h *headers) transport(protocol byte, b []byte, depth int) {
	h.protocol, h.payload = protocol, b
	switch {
	case h.fragment:
	case protocol == protocolUDP && len(b) >= 8:
		h.ports, h.payload = [2]uint16{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}, b[8:]
		h.overUDP(depth)
	case protocol == protocolTCP && len(b) >= 20:
		h.ports, h.flags = [2]uint16{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}, b[13]
		h.payload = b[min(len(b), int(b[12]>>4)*4):]
	case protocol == protocolGRE:
		h.gre(b, depth)
	case protocol == protocolIPv4 || protocol == protocolIPv6:
		h.enter("IP", depth, func() { h.ip(b, depth+1) })
	case protocol == protocolESP:
		h.unread = "are encrypted by IPsec"
	}
}

func (h *headers) overUDP(depth int) {
	switch h.ports[1] {
	case portVXLAN:
		if b := h.payload; len(b) > 8 && b[0]&8 != 0 {
			h.enter("VXLAN", depth, func() { h.ethernet(b[8:], depth+1) })
		}
	case portCAPWAP:
		h.unread = "are inside CAPWAP"
	case portGENEVE:
		h.unread = "are inside GENEVE"
	}
}

// gre reads what GRE carries (RFC 2784, RFC 2890, draft-foschiano-erspan).
func (h *headers) gre(b []byte, depth int) {
	if len(b) < 4 || b[1]&7 != 0 || b[0]&0x40 != 0 {
		return
	}
	size := 4
	for _, flag := range []byte{0x80, 0x20, 0x10} { // checksum, key, sequence number
		if b[0]&flag != 0 {
			size += 4
		}
	}
	sequence, kind, name := b[0]&0x10 != 0, binary.BigEndian.Uint16(b[2:]), "GRE"
	switch {
	case kind == etherERSPAN && sequence:
		size, name = size+8, "ERSPAN"
	case kind == etherERSPAN:
		name = "ERSPAN"
	case kind == etherERSPAN3:
		size, name = size+12, "ERSPAN"
		if size <= len(b) && b[size-1]&1 != 0 {
			size += 8
		}
	}
	if size > len(b) {
		return
	}
	b = b[size:]
	switch kind {
	case etherIPv4, etherIPv6:
		h.enter(name, depth, func() { h.ip(b, depth+1) })
	case etherBridged, etherERSPAN, etherERSPAN3:
		h.enter(name, depth, func() { h.ethernet(b, depth+1) })
	}
}

// enter goes into a tunnel: nothing of what is outside is of the frame in it.
func (h *headers) enter(name string, depth int, read func()) {
	if depth >= maxTunnels {
		h.unread = "are in more than three tunnels"
		return
	}
	*h = headers{tunnel: name}
	read()
}
