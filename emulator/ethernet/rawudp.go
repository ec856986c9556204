package ethernet

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// rawUDP is a [RawUDP]. What arrives is queued as whole frames and was checked.
type rawUDP struct {
	station *station
	port    uint16
	queue   *queue[Datagram]
}

func (st *station) RawUDP(port uint16) (RawUDP, error) {
	r := &rawUDP{station: st, port: port, queue: newQueue[Datagram](receivedFrames)}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return nil, ErrClosed
	}
	if st.raw[port] != nil {
		return nil, fmt.Errorf("station %s: raw UDP port %d: %w", st.name, port, syscall.EADDRINUSE)
	}
	if st.raw == nil {
		st.raw = map[uint16]*rawUDP{}
	}
	st.raw[port] = r
	return r, nil
}

// receiveRaw reports whether the packet went to a raw port, or would have if it were sound.
func (st *station) receiveRaw(port uint16, frame []byte, p ipv4Packet) bool {
	st.mu.Lock()
	r := st.raw[port]
	st.mu.Unlock()
	if r == nil {
		return false
	}
	srcPort, dstPort, payload, err := parseUDP(p)
	if err != nil {
		st.malformed(frame, "udp", "%v", err)
		return true
	}
	src, dst := source(frame), destination(frame)
	r.queue.push(Datagram{
		SrcMAC: src.hardware(), DstMAC: dst.hardware(),
		Src:     netip.AddrPortFrom(netip.AddrFrom4(p.src), srcPort),
		Dst:     netip.AddrPortFrom(netip.AddrFrom4(p.dst), dstPort),
		Payload: bytes.Clone(payload),
	})
	return true
}

// nextFields numbers the IPv4 packets that the station builds itself.
func (st *station) nextFields() ipv4Fields {
	return ipv4Fields{id: uint16(st.ipID.Add(1)), ttl: st.ttl, dscp: uint8(st.dscp.Load())}
}

func (r *rawUDP) Send(d Datagram) error {
	st := r.station
	if st.isClosed() {
		return ErrClosed
	}
	src, dst := unmap(d.Src), unmap(d.Dst)
	if !src.Addr().Is4() || !dst.Addr().Is4() {
		return fmt.Errorf("station %s: datagram from %s to %s, IPv4 expected", st.name, d.Src, d.Dst)
	}
	if n := ipv4HeaderSize + udpHeaderSize + len(d.Payload); n > mtu {
		return fmt.Errorf("station %s: datagram of %d bytes, at most %d expected: %w", st.name, n, mtu, syscall.EMSGSIZE)
	}
	to := broadcastMAC
	if d.DstMAC != nil {
		if len(d.DstMAC) != len(to) {
			return fmt.Errorf("station %s: destination MAC %s has %d bytes, 6 expected", st.name, d.DstMAC, len(d.DstMAC))
		}
		to = macAddress(d.DstMAC)
	}
	frame := udpFrame(src, dst, d.Payload, st.nextFields())
	copy(frame, to[:])
	copy(frame[6:], st.mac[:])
	return st.send(frame)
}

func (r *rawUDP) Receive(ctx context.Context) (Datagram, error) { return receive(ctx, r.queue) }

// Dropped returns how many datagrams did not fit.
func (r *rawUDP) Dropped() uint64 { return r.queue.drops() }

func (r *rawUDP) Close() error {
	if _, first := r.queue.close(); !first {
		return nil
	}
	st := r.station
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.raw[r.port] == r {
		delete(st.raw, r.port)
	}
	return nil
}
