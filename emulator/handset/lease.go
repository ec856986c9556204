package handset

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// lease is an address from DHCP with what came along.
type lease struct {
	address netip.Prefix
	router  netip.Addr
	server  netip.Addr
	dns     []netip.Addr
	ntp     []netip.Addr
	domain  string
	vendor  []byte // option 43
	kept    bool   // from VlanDiscover, without a VLAN
}

// vlanDiscover takes an untagged lease with the class of the VLAN request and looks for sub-option 10 (discovery.md §1.2).
func (h *Handset) vlanDiscover(ctx context.Context) (devicestate.Event, *Failure) {
	if _, ok := h.computer(); ok {
		h.skipped = true
		return devicestate.VlanAbsent, nil
	}
	got, failure := h.acquire(ctx, h.profile.VLANTimeouts)
	if got == nil {
		if failure != nil {
			h.note("no VLAN by DHCP: %s", failure.Detail())
		}
		return devicestate.VlanSilent, nil
	}
	h.ram.lease = got
	vid, err := dhcpoption.ParseVLAN(got.vendor)
	var malformed *dhcpoption.Error
	if errors.As(err, &malformed) && malformed.Kind == "vlan-invalid" {
		h.warn(fail(devicestate.StageVlan, "invalid", got.server.String(), "option 43 has no usable VLAN", err))
	} else if err != nil {
		h.note("option 43 of %v: %v", got.server, err)
	}
	if vid == 0 || err != nil {
		got.kept = true
		h.note("VLAN ID 0: the native VLAN is used")
		return devicestate.VlanAbsent, nil
	}
	h.note("voice VLAN %d by DHCP", vid)
	h.ram.policy = &voicePolicy{vlan: vid}
	return devicestate.VlanOffered, nil
}

// addressAcquire gets an address and checks that nobody uses it (RFC 2131 §3.1, RFC 5227 §2.1.1).
func (h *Handset) addressAcquire(ctx context.Context) (devicestate.Event, *Failure) {
	if c, ok := h.computer(); ok {
		h.useComputer(c)
		return devicestate.AddressBound, nil
	}
	if h.ram.lease == nil || !h.ram.lease.kept {
		got, failure := h.acquire(ctx, h.profile.LeaseTimeouts)
		if got == nil {
			if failure == nil {
				failure = fail(devicestate.StageAddress, "no-offer", "", "no DHCP server answered", nil)
			}
			return devicestate.AddressUnanswered, failure
		}
		h.ram.lease = got
	}
	l := h.ram.lease
	l.kept = false
	err := h.station.Probe(ctx, l.address.Addr(), h.profile.ARPProbe)
	var conflict *ethernet.AddressInUse
	if errors.As(err, &conflict) {
		failure := fail(devicestate.StageAddress, "duplicate", l.server.String(), "the offered address is in use", conflict)
		h.warn(failure)
		return devicestate.AddressConflict, nil
	}
	if err != nil {
		return devicestate.AddressUnanswered, internal("ARP probe", err)
	}
	if err := h.station.SetAddress(l.address, l.router); err != nil {
		return devicestate.AddressUnanswered, internal("address not set", err)
	}
	h.overrideNetwork()
	h.note("address %v, router %v, domain %q, DNS %v, time %v", l.address, l.router, l.domain, l.dns, l.ntp)
	return devicestate.AddressBound, nil
}

// acquire runs DISCOVER, OFFER, REQUEST, ACK, one DISCOVER for each timeout. nil, nil means nobody answered.
func (h *Handset) acquire(ctx context.Context, timeouts []time.Duration) (*lease, *Failure) {
	udp, err := h.station.RawUDP(dhcpv4.ClientPort)
	if err != nil {
		return nil, internal("DHCP port", err)
	}
	defer udp.Close()
	x := &dhcpExchange{h: h, udp: udp, xid: newXID(), began: time.Now()}
	var last *Failure
	for _, timeout := range timeouts {
		offer, err := x.ask(ctx, x.discover(), dhcpv4.MessageTypeOffer, timeout)
		if ctx.Err() != nil {
			return nil, last
		}
		if err != nil {
			if h.stageName() == devicestate.StageAddress {
				h.seen(fail(devicestate.StageAddress, "no-offer", "", "no DHCP server answered DISCOVER", nil))
			}
			continue
		}
		ack, err := x.ask(ctx, x.request(offer), dhcpv4.MessageTypeAck, timeout)
		if err == nil {
			got, err := readLease(ack)
			if err == nil {
				return got, nil
			}
			last = fail(h.stageName(), "garbage", serverOf(ack).String(), "the DHCP server's answer cannot be used", err)
		} else if errors.Is(err, errNAK) {
			last = fail(h.stageName(), "nak", serverOf(offer).String(), "the DHCP server refused the address it offered", nil)
		}
		if last != nil {
			h.seen(last)
			if !sleep(ctx, timeout) {
				return nil, last
			}
		}
		x.xid = newXID()
	}
	return nil, last
}

var errNAK = errors.New("DHCPNAK")

// dhcpExchange sends messages of one transaction and matches answers by xid and MAC address.
type dhcpExchange struct {
	h     *Handset
	udp   ethernet.RawUDP
	xid   dhcpv4.TransactionID
	began time.Time
}

func (x *dhcpExchange) ask(ctx context.Context, m *dhcpv4.DHCPv4, want dhcpv4.MessageType, timeout time.Duration) (*dhcpv4.DHCPv4, error) {
	if err := x.send(m, netip.Addr{}, nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		answer, err := x.receive(ctx)
		if err != nil {
			return nil, err
		}
		switch answer.MessageType() {
		case want:
			return answer, nil
		case dhcpv4.MessageTypeNak:
			return nil, errNAK
		}
	}
}

// receive returns the next message for this transaction.
func (x *dhcpExchange) receive(ctx context.Context) (*dhcpv4.DHCPv4, error) {
	for {
		datagram, err := x.udp.Receive(ctx)
		if err != nil {
			return nil, err
		}
		peer := datagram.Src.Addr().String()
		m, err := dhcpoption.Parse(datagram.Payload)
		switch {
		case err != nil:
			x.h.dropped("dhcp", peer, err.Error())
		case m.OpCode != dhcpv4.OpcodeBootReply || m.TransactionID != x.xid || m.ClientHWAddr.String() != x.h.station.MAC().String():
			x.h.dropped("dhcp", peer, "an answer for somebody else or an older question")
		default:
			x.h.received("dhcp", peer, m.MessageType().String())
			return m, nil
		}
	}
}

func (x *dhcpExchange) send(m *dhcpv4.DHCPv4, to netip.Addr, mac net.HardwareAddr) error {
	order := x.h.profile.LeaseOrder
	switch m.MessageType() {
	case dhcpv4.MessageTypeRequest:
		order = x.h.profile.RequestOrder
	case dhcpv4.MessageTypeInform:
		order = x.h.profile.InformOrder
	}
	payload, err := dhcpoption.Encode(m, order)
	if err != nil {
		return err
	}
	src := netip.IPv4Unspecified()
	if own, ok := netip.AddrFromSlice(m.ClientIPAddr.To4()); ok {
		src = own
	}
	if !to.IsValid() {
		to = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	}
	x.h.sent("dhcp", to.String(), m.MessageType().String())
	return x.udp.Send(ethernet.Datagram{
		DstMAC: mac, Src: netip.AddrPortFrom(src, dhcpv4.ClientPort), Dst: netip.AddrPortFrom(to, dhcpv4.ServerPort),
		Payload: payload,
	})
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

// releaseLease sends DHCPRELEASE for the native lease before the handset moves into the voice VLAN (discovery.md §1.2).
func (h *Handset) releaseLease() error {
	return h.giveBack(dhcpv4.MessageTypeRelease)
}

// declineLease sends DHCPDECLINE (RFC 2131 §3.1 item 5, options as Windows CE: 53, 50, 61, 54).
func (h *Handset) declineLease() error {
	return h.giveBack(dhcpv4.MessageTypeDecline)
}

func (h *Handset) giveBack(kind dhcpv4.MessageType) error {
	l := h.ram.lease
	if l == nil {
		return nil
	}
	h.ram.lease = nil
	udp, err := h.station.RawUDP(dhcpv4.ClientPort)
	if err != nil {
		return err
	}
	defer udp.Close()
	x := &dhcpExchange{h: h, udp: udp, xid: newXID(), began: time.Now()}
	m := x.message(kind)
	m.UpdateOption(dhcpv4.OptServerIdentifier(l.server.AsSlice()))
	if kind == dhcpv4.MessageTypeRelease {
		m.ClientIPAddr = l.address.Addr().AsSlice()
	} else {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(l.address.Addr().AsSlice()))
	}
	if err := x.send(m, netip.Addr{}, nil); err != nil {
		h.note("%v not sent: %v", kind, err)
	}
	return nil
}

func readLease(m *dhcpv4.DHCPv4) (*lease, error) {
	address, ok := netip.AddrFromSlice(m.YourIPAddr.To4())
	if !ok || address.IsUnspecified() {
		return nil, errors.New("no address in yiaddr")
	}
	mask := m.SubnetMask()
	if mask == nil {
		return nil, errors.New("no subnet mask, option 1")
	}
	ones, bits := mask.Size()
	if bits != 32 {
		return nil, fmt.Errorf("subnet mask %s is not contiguous", mask)
	}
	l := &lease{
		address: netip.PrefixFrom(address, ones), server: serverOf(m),
		dns: addresses(m.DNS()), ntp: addresses(m.NTPServers()),
		domain: strings.ToLower(strings.Trim(m.DomainName(), "\x00. ")), vendor: m.GetOneOption(dhcpv4.OptionVendorSpecificInformation),
	}
	if routers := addresses(m.Router()); len(routers) > 0 {
		l.router = routers[0]
	}
	return l, nil
}

func serverOf(m *dhcpv4.DHCPv4) netip.Addr {
	server, _ := netip.AddrFromSlice(m.ServerIdentifier().To4())
	return server
}

func addresses(ips []net.IP) []netip.Addr {
	var out []netip.Addr
	for _, ip := range ips {
		if a, ok := netip.AddrFromSlice(ip.To4()); ok && !a.IsUnspecified() {
			out = append(out, a)
		}
	}
	return out
}

func newXID() (xid dhcpv4.TransactionID) {
	rand.Read(xid[:]) // never fails, crypto/rand
	return xid
}

// hostName is the handset's name in option 12 and LLDP: prefix and the last three bytes of the MAC address, inferred.
func (h *Handset) hostName() string {
	return h.profile.HostNamePrefix + strings.ToUpper(hex.EncodeToString(h.station.MAC()[3:]))
}

// sleep waits, and reports whether it waited to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
