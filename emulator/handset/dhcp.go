package handset

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// dhcpExchange sends messages of one transaction and matches answers by xid and MAC address.
type dhcpExchange struct {
	h     *Handset
	udp   ethernet.RawUDP
	xid   dhcpv4.TransactionID
	began time.Time
	taken netip.Addr       // the server whose answer counts; the zero Addr while there is none
	heard net.HardwareAddr // who sent the last answer: the server, or the relay in between
	last  []byte           // that answer
}

// openDHCP begins an exchange. The one before is over for good.
func (h *Handset) openDHCP() (*dhcpExchange, error) {
	h.late.end()
	udp, err := h.station.RawUDP(dhcpv4.ClientPort)
	if err != nil {
		return nil, err
	}
	return &dhcpExchange{h: h, udp: udp, xid: h.newXID(), began: time.Now()}, nil
}

func (x *dhcpExchange) decode() exchange.Content { return exchange.DHCP(x.last) }

var errNAK = errors.New("DHCPNAK")

// uselessOffer says that there were OFFERs, and why the last one cannot be used.
type uselessOffer struct {
	server string
	err    error
}

func (e *uselessOffer) Error() string { return e.server + ": " + e.err.Error() }

// offer sends DISCOVER and returns the first OFFER that can be used (RFC 2131 §4.4.1: which one is the client's choice).
func (x *dhcpExchange) offer(ctx context.Context, timeout time.Duration) (*dhcpv4.DHCPv4, error) {
	if err := x.send(x.discover(), netip.Addr{}, nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var useless *uselessOffer
	for {
		m, from, err := x.receive(ctx)
		if err != nil && useless != nil {
			return nil, useless
		}
		if err != nil {
			return nil, err
		}
		peer := from.String()
		if kind := m.MessageType(); kind != dhcpv4.MessageTypeOffer {
			x.h.dropped("dhcp", peer, fmt.Sprintf("%v in answer to DISCOVER, an OFFER expected", kind))
			continue
		}
		if _, _, err := readLease(m); err != nil {
			useless = &uselessOffer{peer, err}
			x.h.dropped("dhcp", peer, "an OFFER that cannot be used: "+err.Error())
			continue
		}
		x.h.received("dhcp", peer, m.MessageType().String(), x.decode)
		x.taken = serverOf(m)
		return m, nil
	}
}

// acknowledgement sends REQUEST, which names the server whose offer was taken, and returns that server's ACK, or errNAK.
func (x *dhcpExchange) acknowledgement(ctx context.Context, offer *dhcpv4.DHCPv4, timeout time.Duration) (*dhcpv4.DHCPv4, error) {
	if err := x.send(x.request(offer), netip.Addr{}, nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		m, from, err := x.receive(ctx)
		if err != nil {
			return nil, err
		}
		kind := m.MessageType()
		switch {
		case !serverOf(m).IsValid():
			x.h.dropped("dhcp", from.String(), fmt.Sprintf("%v without server identifier, option 54; DHCP server %v was asked", kind, x.taken))
			continue
		case serverOf(m) != x.taken || kind != dhcpv4.MessageTypeAck && kind != dhcpv4.MessageTypeNak:
			x.h.dropped("dhcp", from.String(), x.passedOver(m, from))
			continue
		}
		x.h.received("dhcp", from.String(), kind.String(), x.decode)
		if kind == dhcpv4.MessageTypeNak {
			return nil, errNAK
		}
		return m, nil
	}
}

// passedOver says why an answer to this exchange is not used.
func (x *dhcpExchange) passedOver(m *dhcpv4.DHCPv4, from netip.Addr) string {
	kind, server := m.MessageType(), senderOf(m, from)
	told := ""
	if value, ok := m.Options[dhcpoption.OptionSIPServers]; ok {
		if names, err := dhcpoption.ParseSIPServers(value); err != nil {
			told = ", with " + err.Error()
		} else {
			told = ", with registrar " + names[0]
		}
	}
	switch {
	case !x.taken.IsValid():
		return fmt.Sprintf("%v of DHCP server %v%s", kind, server, told)
	case server == x.taken:
		return fmt.Sprintf("%v of DHCP server %v once more%s", kind, server, told)
	}
	return fmt.Sprintf("%v of DHCP server %v%s: a second server, %v came first and is taken", kind, server, told, x.taken)
}

// senderOf is the server identifier, else where the message comes from.
func senderOf(m *dhcpv4.DHCPv4, from netip.Addr) netip.Addr {
	if server := serverOf(m); server.IsValid() {
		return server
	}
	return from
}

// receive returns the next message for this transaction, and who sent it.
func (x *dhcpExchange) receive(ctx context.Context) (m *dhcpv4.DHCPv4, from netip.Addr, err error) {
	for {
		datagram, err := x.udp.Receive(ctx)
		if err != nil {
			return nil, netip.Addr{}, err
		}
		x.h.sawDHCP(false, datagram)
		from := datagram.Src.Addr()
		m, err := x.read(datagram)
		if err == nil {
			x.heard, x.last = datagram.SrcMAC, datagram.Payload
			return m, from, nil
		}
		x.h.dropped("dhcp", from.String(), err.Error())
	}
}

// read returns the message in a datagram if it answers this transaction.
func (x *dhcpExchange) read(datagram ethernet.Datagram) (*dhcpv4.DHCPv4, error) {
	m, err := dhcpoption.Parse(datagram.Payload)
	switch {
	case err != nil:
		return nil, err
	case m.OpCode != dhcpv4.OpcodeBootReply:
		return nil, errors.New("a request, an answer expected")
	case m.ClientHWAddr.String() != x.h.station.MAC().String():
		return nil, &elsewhere{fmt.Sprintf("an answer for %v", m.ClientHWAddr)}
	case m.TransactionID != x.xid:
		return nil, &elsewhere{fmt.Sprintf("an answer to another question: xid %x, %x expected", m.TransactionID[:], x.xid[:])}
	case len(m.Options[optionMessageType]) != 1:
		return nil, errors.New("a BOOTP answer without message type, option 53")
	}
	return m, nil
}

const optionMessageType = 53

// elsewhere is an answer to somebody else or to another exchange.
type elsewhere struct{ text string }

func (e *elsewhere) Error() string { return e.text }

// How long, and how often, answers are recorded that come too late. Servers ping an address before they offer it, ISC
// for 1 s and dnsmasq for 3 s, so that of two the second one may be well behind.
const (
	lingerFor = 10 * time.Second
	maxLate   = 16
)

// lingering is an exchange that is over and whose port still listens.
type lingering struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// linger leaves the port open for a while, so that what comes too late is on the timeline: a second DHCP server, an
// answer that comes twice. It is never used.
func (x *dhcpExchange) linger() {
	ctx, cancel := context.WithTimeout(context.Background(), lingerFor)
	x.h.late = &lingering{cancel, make(chan struct{})}
	go x.hearLate(ctx, x.h.late.done, x.h.machine.State)
}

func (x *dhcpExchange) hearLate(ctx context.Context, done chan<- struct{}, state devicestate.State) {
	defer close(done)
	defer x.udp.Close()
	for n := 0; n < maxLate; {
		datagram, err := x.udp.Receive(ctx)
		if err != nil {
			return
		}
		x.h.sawDHCP(false, datagram)
		from := datagram.Src.Addr()
		text := ""
		m, err := x.read(datagram)
		switch other := (*elsewhere)(nil); {
		case errors.As(err, &other):
			continue // not to this exchange
		case err != nil:
			text = err.Error()
		default:
			text = "too late: " + x.passedOver(m, from)
		}
		n++
		x.h.cfg.timeline.Add(timeline.Observation{
			Kind: timeline.Dropped, State: state, Protocol: "dhcp", Peer: from.String(), Text: text,
		})
	}
}

// end closes the port, if it is still open.
func (l *lingering) end() {
	if l == nil {
		return
	}
	l.cancel()
	<-l.done
}

// declineOrder is that of Windows CE (xnih/satori dhcp.xml, discovery.md §1.3).
var declineOrder = []uint8{53, 50, 61, 54}

func (x *dhcpExchange) send(m *dhcpv4.DHCPv4, to netip.Addr, mac net.HardwareAddr) error {
	order := x.h.profile.LeaseOrder
	switch m.MessageType() {
	case dhcpv4.MessageTypeRequest:
		order = x.h.profile.RequestOrder
	case dhcpv4.MessageTypeInform:
		order = x.h.profile.InformOrder
	case dhcpv4.MessageTypeDecline:
		order = declineOrder
	}
	payload, err := dhcpoption.Encode(m, order)
	if err != nil {
		return err
	}
	if o := x.h.cfg.outgoing; o != nil {
		payload = o.DHCP(payload)
	}
	src := netip.IPv4Unspecified()
	if own, ok := netip.AddrFromSlice(m.ClientIPAddr.To4()); ok {
		src = own
	}
	if !to.IsValid() {
		to = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	x.h.sent("dhcp", to.String(), m.MessageType().String(), func() exchange.Content { return exchange.DHCP(payload) })
	datagram := ethernet.Datagram{
		DstMAC: mac, Src: netip.AddrPortFrom(src, dhcpv4.ClientPort), Dst: netip.AddrPortFrom(to, dhcpv4.ServerPort),
		Payload: payload,
	}
	x.h.sawDHCP(true, datagram)
	return x.udp.Send(datagram)
}

// message begins a message of the handset; secs counts from the first message of the transaction (RFC 2131 §2).
func (x *dhcpExchange) message(kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	h := x.h
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, TransactionID: x.xid, ClientHWAddr: h.station.MAC(),
		NumSeconds:   uint16(time.Since(x.began) / time.Second),
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
		Options: dhcpv4.Options{},
	}
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	m.UpdateOption(dhcpv4.OptClientIdentifier(append([]byte{1}, h.station.MAC()...)))
	return m
}

func (x *dhcpExchange) asking(kind dhcpv4.MessageType, class string, prl []uint8) *dhcpv4.DHCPv4 {
	m := x.message(kind)
	m.UpdateOption(dhcpv4.OptHostName(x.h.hostName()))
	m.UpdateOption(dhcpv4.OptClassIdentifier(class))
	if len(prl) > 0 {
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, prl))
	}
	return m
}

func (x *dhcpExchange) discover() *dhcpv4.DHCPv4 {
	return x.asking(dhcpv4.MessageTypeDiscover, x.h.profile.VLANClass, x.h.profile.LeasePRL)
}

func (x *dhcpExchange) request(offer *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	m := x.asking(dhcpv4.MessageTypeRequest, x.h.profile.VLANClass, x.h.profile.LeasePRL)
	m.UpdateOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr))
	m.UpdateOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier()))
	return m
}

func (h *Handset) newXID() (xid dhcpv4.TransactionID) {
	h.draw(xid[:])
	return xid
}
