package unknown

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// Frames tells of the frames that come from a real wire and that the lab has no ears for: other EtherTypes (802.1X, CDP,
// IPv6), other IP protocols, UDP to ports that nobody listens on, TCP connections to such ports. Close ends it.
type Frames struct {
	log    *Log
	wire   string
	served map[Port]bool
	heard  chan ethernet.TappedFrame
	done   sync.WaitGroup
}

// Port is a port that the lab, or a host beside it, is described to be asked at.
type Port struct {
	Protocol uint8 // of IP: TCP or UDP
	Number   uint16
}

// IP protocols of a [Port].
const (
	ICMP = 1
	TCP  = 6
	UDP  = 17
)

// frameQueue bounds the frames that wait to be looked at; what comes then is not looked at.
const frameQueue = 256

// NewFrames watches the wire that a cable's tap has under the given name.
func NewFrames(l *Log, wire string, served ...Port) *Frames {
	f := &Frames{log: l, wire: wire, served: map[Port]bool{}, heard: make(chan ethernet.TappedFrame, frameQueue)}
	for _, p := range served {
		f.served[p] = true
	}
	f.done.Go(func() {
		for t := range f.heard {
			f.look(t.Frame)
		}
	})
	return f
}

// Close ends the watching, after which Tap must not be called.
func (f *Frames) Close() error {
	close(f.heard)
	f.done.Wait()
	return nil
}

// Tap is for [ethernet.Options]. It keeps of a frame what is looked at, and does not wait.
func (f *Frames) Tap(t ethernet.TappedFrame) {
	if t.Station != f.wire || t.Direction != ethernet.Sent || !f.strange(t.Frame) {
		return
	}
	t.Frame = append([]byte{}, t.Frame[:min(len(t.Frame), maxFrame)]...)
	select {
	case f.heard <- t:
	default:
	}
}

const (
	maxFrame  = 160 // bytes that are kept
	frameHead = 14
	typeIPv4  = 0x0800
	typeARP   = 0x0806
	typeLLDP  = 0x88cc
	typeVLAN  = 0x8100
)

// parsed is a frame as far as it is looked at.
type parsed struct {
	from, to  net.HardwareAddr
	vlan      int // -1: untagged
	etherType uint16
	payload   []byte
}

func parse(frame []byte) (p parsed, ok bool) {
	if len(frame) < frameHead {
		return p, false
	}
	p = parsed{to: net.HardwareAddr(frame[:6]), from: net.HardwareAddr(frame[6:12]), vlan: -1, etherType: binary.BigEndian.Uint16(frame[12:]), payload: frame[frameHead:]}
	if p.etherType == typeVLAN {
		if len(frame) < frameHead+4 {
			return p, false
		}
		p.vlan = int(binary.BigEndian.Uint16(frame[14:]) & 0xfff)
		p.etherType, p.payload = binary.BigEndian.Uint16(frame[16:]), frame[frameHead+4:]
	}
	return p, true
}

// datagram is an IPv4 packet's protocol, destination, port, and what follows it; port 0 is one without ports, or a TCP
// segment that begins no connection.
func (p parsed) datagram() (protocol uint8, to netip.Addr, port uint16, data []byte, ok bool) {
	b := p.payload
	if len(b) < 20 || b[0]>>4 != 4 {
		return 0, to, 0, nil, false
	}
	head := int(b[0]&15) * 4
	protocol, to = b[9], netip.AddrFrom4([4]byte(b[16:20]))
	if fragment := binary.BigEndian.Uint16(b[6:]) & 0x1fff; fragment != 0 || head < 20 || len(b) < head+8 {
		return protocol, to, 0, nil, protocol != TCP && protocol != UDP && fragment == 0
	}
	rest := b[head:]
	switch protocol {
	case UDP:
		return protocol, to, binary.BigEndian.Uint16(rest[2:]), rest[8:], true
	case TCP:
		const syn, ack = 2, 16
		if len(rest) < 14 || rest[13]&(syn|ack) != syn {
			return protocol, to, 0, nil, false
		}
		return protocol, to, binary.BigEndian.Uint16(rest[2:]), nil, true
	}
	return protocol, to, 0, rest, true
}

// strange reports whether the lab has no ears for a frame.
func (f *Frames) strange(frame []byte) bool {
	p, ok := parse(frame)
	if !ok {
		return false
	}
	switch p.etherType {
	case typeARP, typeLLDP:
		return false
	case typeIPv4:
		protocol, _, port, _, ok := p.datagram()
		return ok && protocol != ICMP && !f.served[Port{protocol, port}]
	}
	return true
}

func (f *Frames) look(frame []byte) {
	p, _ := parse(frame)
	what, data := fmt.Sprintf("frame of EtherType %04x to %s", p.etherType, p.to), p.payload
	if p.etherType == typeIPv4 {
		protocol, to, port, rest, _ := p.datagram()
		data = rest
		switch protocol {
		case UDP:
			what = fmt.Sprintf("UDP to port %d of %s", port, to)
		case TCP:
			what = fmt.Sprintf("TCP connection to port %d of %s", port, to)
		default:
			what = fmt.Sprintf("IP protocol %d to %s", protocol, to)
		}
	}
	if p.vlan >= 0 {
		what += fmt.Sprintf(" in VLAN %d", p.vlan)
	}
	peer := p.from.String()
	f.log.Tell(peer, peer, what, func() string {
		if len(data) == 0 {
			return ""
		}
		return Bytes(data)
	})
}
