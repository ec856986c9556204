package dhcpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/strictness"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// UDP ports of DHCP (RFC 2131, 4.1).
const (
	serverPort = 67
	clientPort = 68
)

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// link is a server's end of the cable: requests in, answers out, all of it in the timeline.
type link struct {
	timeline *timeline.Timeline
	clock    func() time.Time
	raw      ethernet.RawUDP
	port     uint16
	unknown  unknown.Log
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}
}

func open(station ethernet.Station, t *timeline.Timeline, clock func() time.Time) (*link, error) {
	raw, err := station.RawUDP(serverPort)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{timeline: t, clock: clock, raw: raw, port: serverPort, ctx: ctx, cancel: cancel, done: make(chan struct{})}
	l.unknown.Timeline, l.unknown.Protocol, l.unknown.Clock = t, "dhcp", clock
	if socket, ok := raw.(interface{ LocalAddr() net.Addr }); ok { // of the computer, which may have picked another port
		if at, ok := socket.LocalAddr().(*net.UDPAddr); ok {
			l.port = uint16(at.Port)
		}
	}
	return l, nil
}

// clientPort is where the answer to r goes. Where this server has another port than DHCP's, so has whoever asks it.
func (l *link) clientPort(r *request) uint16 {
	if l.port != serverPort {
		return r.from.Src.Port()
	}
	return clientPort
}

func (l *link) close() error {
	l.cancel()
	err := l.raw.Close()
	<-l.done
	return err
}

// run gives each request to handle, one after the other, and calls expire, which may be nil, when its last answer said.
func (l *link) run(handle func(*request), expire func(time.Time) time.Time) {
	defer close(l.done)
	for {
		wait, cancel := l.ctx, context.CancelFunc(func() {})
		if expire != nil {
			now := l.clock()
			if next := expire(now); !next.IsZero() {
				wait, cancel = context.WithTimeout(l.ctx, next.Sub(now))
			}
		}
		datagram, err := l.raw.Receive(wait)
		cancel()
		switch {
		case l.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, context.DeadlineExceeded):
			continue
		case err != nil:
			l.note(timeline.Dropped, "", "datagram not received: "+err.Error())
			return
		}
		r, err := readRequest(datagram)
		if err != nil {
			l.note(timeline.Dropped, datagram.SrcMAC.String(), verdict(checkMessage, "%v: %s", err, unknown.Bytes(datagram.Payload)))
			continue
		}
		l.timeline.Tell(func() timeline.Observation { return r.observation(l.clock()) })
		l.tellUnknown(r)
		handle(r)
	}
}

// send encodes m with its options in order and sends it to an address whose MAC address is known; mac nil is a
// broadcast.
func (l *link) send(r *request, m *dhcpv4.DHCPv4, order []uint8, from, to netip.AddrPort, mac net.HardwareAddr) {
	kind := m.MessageType()
	payload, err := dhcpoption.Encode(m, order)
	if err == nil {
		err = l.raw.Send(ethernet.Datagram{Src: from, Dst: to, DstMAC: mac, Payload: payload})
	}
	if err != nil {
		l.note(timeline.Note, r.peer(), fmt.Sprintf("%s not sent: %v", kind, err))
		return
	}
	l.timeline.Tell(func() timeline.Observation {
		return timeline.Observation{
			At: l.clock(), Kind: timeline.Sent, Protocol: "dhcp", Peer: r.peer(), Text: kind.String() + " to " + to.String(),
			Fields: []timeline.Field{
				{Name: "xid", Value: fmt.Sprintf("%x", m.TransactionID[:])},
				{Name: "yiaddr", Value: addressOf(m.YourIPAddr).String()},
				{Name: "options", Value: codes(sentOrder(payload))},
			},
		}
	})
}

func sentOrder(payload []byte) []uint8 {
	order, err := dhcpoption.Order(payload)
	if err != nil {
		return nil
	}
	return order
}

// drop says why a request stays unanswered.
func (l *link) drop(r *request, format string, args ...any) {
	l.note(timeline.Dropped, r.peer(), r.kind.String()+": "+fmt.Sprintf(format, args...))
}

// refuse drops a request that fails a check.
func (l *link) refuse(r *request, c strictness.Check, format string, args ...any) {
	l.drop(r, "%s", verdict(c, format, args...))
}

func verdict(c strictness.Check, format string, args ...any) string {
	return c.Stage + "." + c.Name + ": " + fmt.Sprintf(format, args...)
}

// faultNote returns a function that notes a fault which struck r.
func (l *link) faultNote(r *request) func(name string) {
	return func(name string) {
		l.note(timeline.Note, r.peer(), r.kind.String()+": fault "+name)
	}
}

func (l *link) note(kind timeline.Kind, peer, text string) {
	l.timeline.Add(timeline.Observation{At: l.clock(), Kind: kind, Protocol: "dhcp", Peer: peer, Text: text})
}
