package ethernet

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/phone-edition/lpe/protocol/arp"
)

// receive takes a frame from the switch, on the delivery goroutine. The bytes may be shared with other stations.
func (st *station) receive(frame []byte) {
	if len(frame) < headerSize {
		st.malformed(frame, "ethernet", "a frame of %d bytes, %d at least expected", len(frame), headerSize)
		return
	}
	to := destination(frame)
	if to != st.mac && !to.group() {
		return
	}
	tag, tagged := readTag(frame)
	kind, body := etherType(frame), frame[headerSize:]
	if tagged {
		kind, body = binary.BigEndian.Uint16(frame[16:]), frame[headerSize+tagSize:]
	} else {
		st.hear(kind, frame)
	}
	if tag.vlan() != st.control().vlan() || (to.group() && to != broadcastMAC) {
		return
	}
	switch kind {
	case arp.EtherType:
		if p, err := arp.Parse(body); err == nil {
			st.arp.receive(p)
		} else {
			st.malformed(frame, "arp", "no ARP packet for Ethernet and IPv4 in %d bytes", len(body))
		}
	case etherTypeIPv4:
		st.receiveIPv4(frame, body, to == broadcastMAC)
	}
}

// malformed tells of a frame that the station cannot read.
func (st *station) malformed(frame []byte, kind, format string, args ...any) {
	tell := st.on.tellMalformed
	if tell == nil {
		return
	}
	m := MalformedFrame{At: time.Now(), Station: st.name, Kind: kind, Seen: fmt.Sprintf(format, args...)}
	if len(frame) >= headerSize {
		from := source(frame)
		m.Source = slices.Clone(from[:])
	}
	tell(m)
}

// receiveIPv4 takes what is meant for a raw UDP port or a silenced TCP port out of the stream of packets.
func (st *station) receiveIPv4(frame, packet []byte, broadcast bool) {
	p, err := parseIPv4(packet)
	if err != nil {
		st.malformed(frame, "ipv4", "%v", err)
		return
	}
	if !p.fragmented && len(p.payload) >= 4 {
		port := binary.BigEndian.Uint16(p.payload[2:])
		switch p.protocol {
		case protocolUDP:
			if st.receiveRaw(port, frame, p) {
				return
			}
		case protocolTCP:
			if st.isSilent(port) {
				return
			}
		}
	}
	st.ip.receive(packet, broadcast)
}

// send gives a frame to the port, padded and with the station's tag. The frame is not the caller's any more.
func (st *station) send(frame []byte) error {
	frame = pad(frame)
	if c := st.control(); c.vlan() != 0 {
		frame = append(frame, 0, 0, 0, 0)
		copy(frame[16:], frame[12:])
		binary.BigEndian.PutUint16(frame[12:], etherTypeVLAN)
		binary.BigEndian.PutUint16(frame[14:], uint16(c))
	}
	return st.on.transmit(st.port, frame)
}

// sendIPv4 sends a frame whose MAC addresses are blank to a neighbour, after ARP if need be.
func (st *station) sendIPv4(hop [4]byte, frame []byte) error {
	copy(frame[6:], st.mac[:])
	binary.BigEndian.PutUint16(frame[12:], etherTypeIPv4)
	a := st.address.Load()
	switch {
	case hop == broadcastIPv4, a != nil && hop == a.broadcast:
		copy(frame, broadcastMAC[:])
	case hop[0]&0xf0 == 0xe0: // multicast, RFC 1112, 6.4
		copy(frame, []byte{0x01, 0, 0x5e, hop[1] & 0x7f, hop[2], hop[3]})
	default:
		mac, known := st.arp.lookup(hop, frame)
		if !known {
			return nil
		}
		copy(frame, mac[:])
	}
	return st.send(frame)
}

func (st *station) SendFrame(frame []byte) error {
	if len(frame) < headerSize || len(frame) > maxFrame {
		return fmt.Errorf("station %s: frame of %d bytes, %d to %d expected", st.name, len(frame), headerSize, maxFrame)
	}
	return st.on.transmit(st.port, pad(slices.Clone(frame)))
}

// receivedFrames bounds the frames that wait in one receiver.
const receivedFrames = 256

type frameReceiver struct {
	station *station
	kind    uint16
	queue   *queue[[]byte]
}

func (st *station) Frames(etherType uint16) (FrameReceiver, error) {
	r := &frameReceiver{station: st, kind: etherType, queue: newQueue[[]byte](receivedFrames)}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return nil, ErrClosed
	}
	if st.frames == nil {
		st.frames = map[uint16][]*frameReceiver{}
	}
	st.frames[etherType] = append(st.frames[etherType], r)
	return r, nil
}

func (st *station) hear(kind uint16, frame []byte) {
	st.mu.Lock()
	receivers := st.frames[kind]
	st.mu.Unlock()
	for _, r := range receivers {
		r.queue.push(bytes.Clone(frame))
	}
}

func (r *frameReceiver) Receive(ctx context.Context) ([]byte, error) {
	return receive(ctx, r.queue)
}

// Dropped returns how many frames did not fit.
func (r *frameReceiver) Dropped() uint64 { return r.queue.drops() }

func (r *frameReceiver) Close() error {
	if _, first := r.queue.close(); !first {
		return nil
	}
	st := r.station
	st.mu.Lock()
	defer st.mu.Unlock()
	// hear may be reading the old slice.
	rest := slices.DeleteFunc(slices.Clone(st.frames[r.kind]), func(other *frameReceiver) bool { return other == r })
	if len(rest) == 0 {
		delete(st.frames, r.kind)
	} else {
		st.frames[r.kind] = rest
	}
	return nil
}

func receive[T any](ctx context.Context, q *queue[T]) (T, error) {
	item, result := q.pop(ctx.Done())
	switch result {
	case popCancelled:
		return item, ctx.Err()
	case popClosed:
		return item, ErrClosed
	}
	return item, nil
}
