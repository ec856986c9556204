package ethernet

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// link joins a gVisor stack to its station. It has neither queue nor goroutine, and does not let the stack resolve
// addresses: the station's ARP does, which knows tags, probes and static neighbours and costs a tenth of the memory.
type link struct {
	station    *station
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
}

var _ stack.LinkEndpoint = (*link)(nil)

func (l *link) MTU() uint32 { return mtu }

func (l *link) SetMTU(uint32) {}

func (l *link) MaxHeaderLength() uint16 { return 0 }

func (l *link) LinkAddress() tcpip.LinkAddress { return tcpip.LinkAddress(l.station.mac[:]) }

func (l *link) SetLinkAddress(tcpip.LinkAddress) {}

func (l *link) Capabilities() stack.LinkEndpointCapabilities { return 0 }

func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.dispatcher.Store(nil)
		return
	}
	l.dispatcher.Store(&d)
}

func (l *link) IsAttached() bool { return l.dispatcher.Load() != nil }

func (l *link) Wait() {}

func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

func (l *link) AddHeader(*stack.PacketBuffer) {}

func (l *link) ParseHeader(*stack.PacketBuffer) bool { return true }

func (l *link) Close() {}

func (l *link) SetOnCloseAction(func()) {}

// WritePackets sends packets of the stack.
func (l *link) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	for i, packet := range packets.AsSlice() {
		if err := l.write(packet); err != nil {
			return i, &tcpip.ErrClosedForSend{}
		}
	}
	return packets.Len(), nil
}

func (l *link) write(packet *stack.PacketBuffer) error {
	size := headerSize + packet.Size()
	frame := make([]byte, size, max(size, minFrame)+tagSize)
	views, skip := packet.AsViewList()
	n := headerSize
	for v := views.Front(); v != nil; v = v.Next() {
		b := v.AsSlice()
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		n += copy(frame[n:], b[skip:])
		skip = 0
	}
	header := frame[headerSize:]
	if dscp := l.station.dscp.Load(); dscp != 0 {
		// In the link, since sockets that were accepted do not inherit the type of service.
		markDSCP(header, uint8(dscp))
	}
	hop := [4]byte(header[16:20])
	if next := packet.EgressRoute.NextHop; next.BitLen() == 32 {
		hop = next.As4()
	}
	return l.station.sendIPv4(hop, frame)
}

// deliver gives a packet to the stack, which copies it.
func (l *link) deliver(packet []byte, broadcast bool) {
	d := l.dispatcher.Load()
	if d == nil {
		return
	}
	b := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	defer b.DecRef()
	b.PktType = tcpip.PacketHost
	if broadcast {
		b.PktType = tcpip.PacketBroadcast
	}
	(*d).DeliverNetworkPacket(ipv4.ProtocolNumber, b)
}
