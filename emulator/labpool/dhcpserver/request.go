package dhcpserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// request is one message of a handset.
type request struct {
	*dhcpv4.DHCPv4
	kind   dhcpv4.MessageType
	class  string     // option 60 without a trailing NUL
	wish   netip.Addr // option 50
	server netip.Addr // option 54
	relay  netip.Addr // giaddr, zero if it came directly
	client netip.Addr // ciaddr, zero if it is not set
	order  []uint8
	from   ethernet.Datagram
}

func readRequest(d ethernet.Datagram) (*request, error) {
	m, err := dhcpoption.Parse(d.Payload)
	if err != nil {
		return nil, err
	}
	order, err := dhcpoption.Order(d.Payload)
	if err != nil {
		return nil, err
	}
	if m.OpCode != dhcpv4.OpcodeBootRequest {
		return nil, fmt.Errorf("dhcp: op %d, a request (1) expected", m.OpCode)
	}
	if m.HWType != 1 || len(m.ClientHWAddr) != 6 {
		return nil, fmt.Errorf("dhcp: hardware type %d with %d address bytes, Ethernet (1) with 6 expected", m.HWType, len(m.ClientHWAddr))
	}
	kind, ok := m.Options[53]
	if !ok || len(kind) != 1 {
		return nil, fmt.Errorf("dhcp: option 53 is %x, one byte expected", kind)
	}
	r := &request{
		DHCPv4: m,
		kind:   dhcpv4.MessageType(kind[0]),
		class:  strings.TrimSuffix(string(m.Options[dhcpoption.OptionClass]), "\x00"),
		relay:  setAddress(m.GatewayIPAddr),
		client: setAddress(m.ClientIPAddr),
		order:  order,
		from:   d,
	}
	var wishErr, serverErr error
	r.wish, wishErr = r.addressOption(50)
	r.server, serverErr = r.addressOption(54)
	return r, errors.Join(wishErr, serverErr)
}

func (r *request) addressOption(code uint8) (netip.Addr, error) {
	value, ok := r.Options[code]
	if !ok {
		return netip.Addr{}, nil
	}
	if len(value) != 4 {
		return netip.Addr{}, fmt.Errorf("dhcp: option %d of %d bytes, 4 expected", code, len(value))
	}
	return netip.AddrFrom4([4]byte(value)), nil
}

// wants reports whether option 55 names code. Without option 55 everything is wanted, as ISC dhcpd takes it.
func (r *request) wants(code uint8) bool {
	list, ok := r.Options[55]
	return !ok || slices.Contains(list, code)
}

func (r *request) mac() string  { return string(r.ClientHWAddr) }
func (r *request) peer() string { return r.ClientHWAddr.String() }

// answer begins an answer (RFC 2131, table 3).
func (r *request) answer(kind dhcpv4.MessageType, server netip.Addr) *dhcpv4.DHCPv4 {
	return &dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootReply,
		HWType:        r.HWType,
		TransactionID: r.TransactionID,
		Flags:         r.Flags,
		GatewayIPAddr: r.GatewayIPAddr,
		ClientHWAddr:  r.ClientHWAddr,
		Options:       dhcpv4.Options{53: {byte(kind)}, 54: server.AsSlice()},
	}
}

// grant adds to m the options that r wants and returns the order of all: 53, 54, 51 and then as option 55 lists them,
// as ISC dhcpd sends them.
func (r *request) grant(m *dhcpv4.DHCPv4, options dhcpv4.Options) []uint8 {
	for code, value := range options {
		if _, own := m.Options[code]; !own && r.wants(code) {
			m.Options[code] = value
		}
	}
	order := []uint8{53, 54, 51}
	for _, code := range r.Options[55] {
		if !slices.Contains(order, code) {
			order = append(order, code)
		}
	}
	return order
}

func (r *request) observation(now time.Time) timeline.Observation {
	o := timeline.Observation{
		At: now, Kind: timeline.Received, Protocol: "dhcp", Peer: r.peer(), Text: r.kind.String(),
		Fields: []timeline.Field{
			{Name: "xid", Value: fmt.Sprintf("%x", r.TransactionID[:])},
			{Name: "options", Value: codes(r.order)},
		},
	}
	add := func(name, value string, given bool) {
		if given {
			o.Fields = append(o.Fields, timeline.Field{Name: name, Value: value})
		}
	}
	class, hasClass := r.Options[dhcpoption.OptionClass]
	add("class", strconv.Quote(string(class)), hasClass)
	list, hasList := r.Options[55]
	add("requested options", codes(list), hasList)
	add("requested address", r.wish.String(), r.wish.IsValid())
	add("server", r.server.String(), r.server.IsValid())
	add("ciaddr", r.client.String(), r.client.IsValid())
	add("relay", r.relay.String(), r.relay.IsValid())
	return o
}

func codes(list []uint8) string {
	var b strings.Builder
	for i, code := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(code)))
	}
	return b.String()
}

// addressOf returns ip, 0.0.0.0 if it is not set.
func addressOf(ip net.IP) netip.Addr {
	if four := ip.To4(); four != nil {
		return netip.AddrFrom4([4]byte(four))
	}
	return netip.IPv4Unspecified()
}

// setAddress returns ip, the zero Addr if it is 0.0.0.0.
func setAddress(ip net.IP) netip.Addr {
	if a := addressOf(ip); !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}
