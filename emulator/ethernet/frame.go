package ethernet

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// Sizes of Ethernet II frames without frame check sequence (IEEE 802.3, 3.2.7; IEEE 802.1Q, 9.6).
const (
	headerSize = 14   // destination, source, EtherType
	tagSize    = 4    // 802.1Q tag between source and EtherType
	minFrame   = 60   // shorter frames are padded
	mtu        = 1500 // bytes after the header
	maxFrame   = headerSize + tagSize + mtu
)

const (
	etherTypeIPv4 = 0x0800
	etherTypeVLAN = 0x8100
)

const (
	protocolICMP = 1
	protocolTCP  = 6
	protocolUDP  = 17

	ipv4HeaderSize = 20 // without options
	udpHeaderSize  = 8
	maxUDPPayload  = 65535 - ipv4HeaderSize - udpHeaderSize
)

type macAddress [6]byte

var broadcastMAC = macAddress{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func (m macAddress) hardware() net.HardwareAddr { return net.HardwareAddr(m[:]) }

func (m macAddress) group() bool { return m[0]&1 != 0 }

func destination(frame []byte) macAddress { return macAddress(frame[0:6]) }

func source(frame []byte) macAddress { return macAddress(frame[6:12]) }

func etherType(frame []byte) uint16 { return binary.BigEndian.Uint16(frame[12:14]) }

// pad makes the frame as long as the shortest that Ethernet carries.
func pad(frame []byte) []byte {
	if len(frame) >= minFrame {
		return frame
	}
	return append(frame, make([]byte, minFrame-len(frame))...)
}

// tagControl is the tag control information of IEEE 802.1Q, 9.6, without DEI: PCP<<13 | VID.
type tagControl uint16

func (c tagControl) vlan() uint16 { return uint16(c) & 0x0fff }

func (c tagControl) priority() uint8 { return uint8(c >> 13) }

func control(vlan uint16, priority uint8) tagControl {
	return tagControl(uint16(priority&7)<<13 | vlan&0x0fff)
}

// readTag returns the frame's outer tag; tagged is false if it has none or is too short for one.
func readTag(frame []byte) (c tagControl, tagged bool) {
	if len(frame) < headerSize+tagSize || etherType(frame) != etherTypeVLAN {
		return 0, false
	}
	return tagControl(binary.BigEndian.Uint16(frame[14:16])), true
}

// stripTag removes the outer tag in place.
func stripTag(frame []byte) []byte {
	copy(frame[tagSize:], frame[:12])
	return pad(frame[tagSize:])
}

// addTag returns a copy of an untagged frame with a tag.
func addTag(frame []byte, c tagControl) []byte {
	out := make([]byte, len(frame)+tagSize)
	copy(out, frame[:12])
	binary.BigEndian.PutUint16(out[12:], etherTypeVLAN)
	binary.BigEndian.PutUint16(out[14:], uint16(c))
	copy(out[16:], frame[12:])
	return out
}

// sum adds b to an Internet checksum (RFC 1071) that is not folded yet; only the last b may have an odd length.
func sum(initial uint32, b []byte) uint32 {
	s := uint64(initial)
	for len(b) >= 4 {
		s += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	for len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint32(s)
}

// checksum folds and complements.
func checksum(s uint32) uint16 { return ^uint16(sum(s, nil)) }

// ipv4Packet is the header of an IPv4 packet as far as it is used here (RFC 791, 3.1), and what follows it.
type ipv4Packet struct {
	src, dst   [4]byte
	protocol   uint8
	fragmented bool   // offset or "more fragments" is set
	header     []byte // with options
	payload    []byte // cut to the total length
}

// parseIPv4 reads the packet after the Ethernet header. Padding is cut off; a wrong length or checksum is refused.
func parseIPv4(b []byte) (ipv4Packet, error) {
	if len(b) < ipv4HeaderSize || b[0]>>4 != 4 {
		return ipv4Packet{}, fmt.Errorf("no IPv4 header in %d bytes", len(b))
	}
	size, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	if size < ipv4HeaderSize || total < size || total > len(b) {
		return ipv4Packet{}, fmt.Errorf("IPv4 header of %d bytes in a packet of %d bytes, %d arrived", size, total, len(b))
	}
	if checksum(sum(0, b[:size])) != 0 {
		return ipv4Packet{}, fmt.Errorf("IPv4 header checksum %#04x is wrong", b[10:12])
	}
	return ipv4Packet{
		src: [4]byte(b[12:16]), dst: [4]byte(b[16:20]), protocol: b[9],
		fragmented: binary.BigEndian.Uint16(b[6:])&0x3fff != 0,
		header:     b[:size], payload: b[size:total],
	}, nil
}

func pseudoHeader(src, dst [4]byte, protocol uint8, length int) uint32 {
	return sum(sum(uint32(protocol)+uint32(length), src[:]), dst[:])
}

// parseUDP reads the datagram in p (RFC 768). A wrong length or checksum is refused.
func parseUDP(p ipv4Packet) (srcPort, dstPort uint16, payload []byte, err error) {
	b := p.payload
	if len(b) < udpHeaderSize {
		return 0, 0, nil, fmt.Errorf("UDP header cut after %d bytes", len(b))
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < udpHeaderSize || length > len(b) {
		return 0, 0, nil, fmt.Errorf("UDP length %d in %d bytes", length, len(b))
	}
	b = b[:length]
	if binary.BigEndian.Uint16(b[6:]) != 0 && checksum(sum(pseudoHeader(p.src, p.dst, protocolUDP, length), b)) != 0 {
		return 0, 0, nil, fmt.Errorf("UDP checksum %#04x is wrong", b[6:8])
	}
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), b[udpHeaderSize:], nil
}

// ipv4Fields are what a station fills into the headers that it writes itself.
type ipv4Fields struct {
	id        uint16
	ttl, dscp uint8
}

// newIPv4Frame returns a frame with blank MAC addresses, room for n bytes after the IPv4 header, and those bytes.
func newIPv4Frame(src, dst [4]byte, protocol uint8, n int, f ipv4Fields) (frame, payload []byte) {
	total := ipv4HeaderSize + n
	frame = make([]byte, max(headerSize+total, minFrame))
	binary.BigEndian.PutUint16(frame[12:], etherTypeIPv4)
	h := frame[headerSize : headerSize+ipv4HeaderSize]
	h[0], h[1] = 0x45, f.dscp<<2
	binary.BigEndian.PutUint16(h[2:], uint16(total))
	binary.BigEndian.PutUint16(h[4:], f.id)
	h[8], h[9] = f.ttl, protocol
	copy(h[12:], src[:])
	copy(h[16:], dst[:])
	binary.BigEndian.PutUint16(h[10:], checksum(sum(0, h)))
	return frame, frame[headerSize+ipv4HeaderSize : headerSize+total]
}

// udpFrame builds a whole frame with blank MAC addresses.
func udpFrame(from, to netip.AddrPort, payload []byte, f ipv4Fields) []byte {
	src, dst := from.Addr().As4(), to.Addr().As4()
	frame, b := newIPv4Frame(src, dst, protocolUDP, udpHeaderSize+len(payload), f)
	binary.BigEndian.PutUint16(b, from.Port())
	binary.BigEndian.PutUint16(b[2:], to.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	copy(b[udpHeaderSize:], payload)
	c := checksum(sum(pseudoHeader(src, dst, protocolUDP, len(b)), b))
	if c == 0 {
		c = 0xffff // zero would mean "no checksum" (RFC 768)
	}
	binary.BigEndian.PutUint16(b[6:], c)
	return frame
}

// markDSCP sets the DSCP of an IPv4 header and keeps its ECN bits (RFC 2474, 3).
func markDSCP(header []byte, dscp uint8) {
	tos := dscp<<2 | header[1]&3
	if header[1] == tos {
		return
	}
	header[1] = tos
	size := int(header[0]&0x0f) * 4
	header[10], header[11] = 0, 0
	binary.BigEndian.PutUint16(header[10:], checksum(sum(0, header[:size])))
}
