package ethernet

import (
	"encoding/binary"
	"fmt"
)

// arrival is a frame as the kernel hands it over. The kernel puts TCP segments together that came one after the other,
// and takes from its own programs segments that the interface would have to cut, up to 64 KiB; it leaves the checksums of
// such to the interface, too; and it keeps the 802.1Q tag aside.
type arrival struct {
	frame   []byte // without the outer tag
	tag     tag    // the outer tag
	segment int    // TCP payload of each segment that is in the frame, 0 if not known

	// A checksum that is not finished: over the bytes from sumFrom on, with the pseudo-header's sum at sumAt, where it belongs.
	// Both are 0 if there is none.
	sumFrom, sumAt int
	verified       bool // the checksum was found right, whatever it says
}

// largestArrival bounds arrival.frame: the largest IP packet.
const largestArrival = headerSize + 1<<16

// tag is an 802.1Q or 802.1ad tag: EtherType, then control information; 0 is none.
type tag uint32

// each gives the frame away as Ethernet carries it: with its tag, finished and not longer than the MTU. A longer one is
// refused if it is not a TCP segment over IPv4.
func (a arrival) each(give func(frame []byte)) error {
	if len(a.frame) > headerSize+mtu {
		return a.split(give)
	}
	if err := a.finish(); err != nil {
		return err
	}
	frame, body := a.begin(len(a.frame) - headerSize)
	copy(body, a.frame[headerSize:])
	give(frame)
	return nil
}

// finish computes what the kernel left to the interface.
func (a arrival) finish() error {
	if a.sumAt == 0 {
		return nil
	}
	if a.sumFrom < headerSize || a.sumAt < a.sumFrom || a.sumAt+2 > len(a.frame) {
		return fmt.Errorf("checksum at %d over the bytes from %d of a frame of %d bytes", a.sumAt, a.sumFrom, len(a.frame))
	}
	c := checksum(sum(0, a.frame[a.sumFrom:]))
	if c == 0 && a.sumAt-a.sumFrom == udpChecksumAt {
		c = 0xffff // zero would mean "no checksum" (RFC 768)
	}
	binary.BigEndian.PutUint16(a.frame[a.sumAt:], c)
	return nil
}

// begin returns a frame with this one's addresses, tag and EtherType, padded, and the room for n bytes after them.
func (a arrival) begin(n int) (frame, body []byte) {
	if a.tag == 0 {
		frame = make([]byte, max(headerSize+n, minFrame))
		copy(frame, a.frame[:headerSize])
		return frame, frame[headerSize : headerSize+n]
	}
	frame = make([]byte, tagSize+max(headerSize+n, minFrame))
	copy(frame, a.frame[:12])
	binary.BigEndian.PutUint32(frame[12:], uint32(a.tag))
	copy(frame[16:], a.frame[12:headerSize])
	return frame, frame[headerSize+tagSize : headerSize+tagSize+n]
}

const (
	tcpHeaderSize = 20 // without options
	tcpChecksumAt = 16
	udpChecksumAt = 6
)

// Flags of TCP (RFC 9293, 3.1; RFC 3168, 6.1).
const (
	tcpFIN = 0x01
	tcpPSH = 0x08
	tcpCWR = 0x80
)

// split cuts a TCP packet into segments, as the interface would: FIN and PSH belong to the last, CWR to the first.
func (a arrival) split(give func(frame []byte)) error {
	if etherType(a.frame) != etherTypeIPv4 {
		return fmt.Errorf("%d bytes of EtherType %#04x", len(a.frame), etherType(a.frame))
	}
	p, err := parseIPv4(a.frame[headerSize:])
	if err != nil {
		return err
	}
	if p.protocol != protocolTCP || p.fragmented || len(p.payload) < tcpHeaderSize {
		return fmt.Errorf("%d bytes of IP protocol %d", len(a.frame), p.protocol)
	}
	size := int(p.payload[12]>>4) * 4
	if size < tcpHeaderSize || size > len(p.payload) {
		return fmt.Errorf("TCP header of %d bytes in %d", size, len(p.payload))
	}
	pseudo := pseudoHeader(p.src, p.dst, protocolTCP, len(p.payload))
	if a.sumAt == 0 && !a.verified && checksum(sum(pseudo, p.payload)) != 0 {
		return fmt.Errorf("TCP checksum %#04x is wrong", p.payload[tcpChecksumAt:tcpChecksumAt+2])
	}
	tcp, data := p.payload[:size], p.payload[size:]
	most := mtu - len(p.header) - len(tcp)
	if a.segment > 0 {
		most = min(most, a.segment)
	}
	for first := 0; first == 0 || first < len(data); first += most {
		s := segment{p, tcp, data[first:min(first+most, len(data))], first, first / most, first+most >= len(data)}
		frame, body := a.begin(len(p.header) + len(tcp) + len(s.data))
		s.write(body)
		give(frame)
	}
	return nil
}

// segment is a part of a TCP packet.
type segment struct {
	of    ipv4Packet
	tcp   []byte // header of the whole
	data  []byte
	first int // offset of data
	index int
	last  bool
}

func (s segment) write(b []byte) {
	ip, tcp := b[:len(s.of.header)], b[len(s.of.header):]
	copy(ip, s.of.header)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(s.index))
	clear(ip[10:12])
	binary.BigEndian.PutUint16(ip[10:], checksum(sum(0, ip)))

	copy(tcp, s.tcp)
	copy(tcp[len(s.tcp):], s.data)
	binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(s.first))
	if !s.last {
		tcp[13] &^= tcpFIN | tcpPSH
	}
	if s.index > 0 {
		tcp[13] &^= tcpCWR
	}
	clear(tcp[tcpChecksumAt : tcpChecksumAt+2])
	binary.BigEndian.PutUint16(tcp[tcpChecksumAt:], checksum(sum(pseudoHeader(s.of.src, s.of.dst, protocolTCP, len(tcp)), tcp)))
}
