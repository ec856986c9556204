package dhcpserver

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

const (
	// offerFor is how long an offered address waits for its DHCPREQUEST.
	offerFor = time.Minute
	// vlanTries are the DISCOVERs of one VLAN request (design.md §3), all of which vlan=silent leaves unanswered.
	vlanTries = 2
)

func (s *Server) handle(r *request) {
	if r.relay.IsValid() && !s.cfg.Subnet.Contains(r.relay) {
		s.link.refuse(r, checkRelay, "relay %s is outside of %s", r.relay, s.cfg.Subnet)
		return
	}
	switch r.kind {
	case dhcpv4.MessageTypeDiscover:
		s.discover(r)
	case dhcpv4.MessageTypeRequest:
		s.request(r)
	case dhcpv4.MessageTypeDecline:
		s.decline(r)
	case dhcpv4.MessageTypeRelease:
		s.release(r)
	case dhcpv4.MessageTypeInform:
		s.inform(r)
	default:
		s.link.refuse(r, checkKind, "a server does not take this message")
	}
}

func (s *Server) discover(r *request) {
	if s.silent(r) {
		return
	}
	held := s.leases.offer(r.mac(), r.wish, s.cfg.Clock(), offerFor)
	if held == nil {
		s.link.drop(r, "all %d addresses are in use", s.cfg.Leases)
		return
	}
	s.give(r, dhcpv4.MessageTypeOffer, held)
}

// silent reports whether a fault leaves a DISCOVER or REQUEST unanswered.
func (s *Server) silent(r *request) bool {
	if s.addressFault("address=silent") {
		s.link.drop(r, "fault address=silent")
		return true
	}
	if s.cfg.Voice || r.kind != dhcpv4.MessageTypeDiscover || !strings.EqualFold(r.class, dhcpoption.ClassVLAN) {
		return false
	}
	if s.withheld[r.mac()] == vlanTries {
		return false
	}
	param, on := s.cfg.Faults.On("vlan=silent")
	if !on {
		return false
	}
	if param.Times == 0 {
		if len(s.withheld) >= s.cfg.Leases {
			clear(s.withheld)
		}
		s.withheld[r.mac()]++
	}
	s.link.drop(r, "fault vlan=silent")
	return true
}

// addressFault reports whether the named fault strikes; where handsets only learn their VLAN it does not.
func (s *Server) addressFault(name string) bool {
	if s.cfg.VLAN != 0 {
		return false
	}
	_, on := s.cfg.Faults.On(name)
	return on
}

// request takes the three kinds of DHCPREQUEST apart (RFC 2131, 4.3.2): selecting names a server, init-reboot names an
// address alone, renewing has its address in ciaddr.
func (s *Server) request(r *request) {
	if r.server.IsValid() && r.server != s.cfg.Server {
		s.link.refuse(r, checkServer, "it chose server %s", r.server)
		s.leases.forgetOffer(r.mac())
		return
	}
	if s.silent(r) {
		return
	}
	if s.addressFault("address=no-ack") {
		s.link.faultNote(r)("address=no-ack")
		return
	}
	if s.addressFault("address=nak") {
		s.link.faultNote(r)("address=nak")
		s.nak(r)
		return
	}
	address := r.wish
	if !address.IsValid() {
		address = r.client
	}
	held := s.leases.byMAC[r.mac()]
	switch {
	case !address.IsValid():
		s.link.refuse(r, checkNoAddress, "it names no address, neither in option 50 nor in ciaddr")
	case held != nil && held.address == address:
		s.give(r, dhcpv4.MessageTypeAck, held)
	case held == nil && !r.server.IsValid() && s.cfg.Subnet.Contains(address):
		s.link.refuse(r, checkRecord, "no record of %s with %s (RFC 2131, 4.3.2)", r.peer(), address)
	default:
		s.link.note(timeline.Note, r.peer(), r.kind.String()+": "+verdict(checkAddress, "%s is not the address of %s", address, r.peer()))
		s.nak(r)
	}
}

// give sends an offer or an acknowledgement of held.
func (s *Server) give(r *request, kind dhcpv4.MessageType, held *lease) {
	options, err := s.options(r)
	if err != nil {
		s.link.note(timeline.Note, r.peer(), fmt.Sprintf("%s not answered: %v", r.kind, err))
		return
	}
	m := r.answer(kind, s.cfg.Server)
	m.YourIPAddr = held.address.AsSlice()
	m.Options[51] = binary.BigEndian.AppendUint32(nil, uint32(s.cfg.LeaseTime/time.Second))
	if kind == dhcpv4.MessageTypeAck {
		m.ClientIPAddr = r.ClientIPAddr
		s.leases.bind(held, s.cfg.Clock().Add(s.cfg.LeaseTime))
		s.cfg.Station.AddNeighbor(held.address, r.ClientHWAddr)
		delete(s.withheld, r.mac())
	}
	to, mac := r.replyTo(held.address)
	s.link.send(r, m, r.grant(m, options), s.source(), to, mac)
}

// nak sends a DHCPNAK: always a broadcast, through the relay if there is one.
func (s *Server) nak(r *request) {
	m := r.answer(dhcpv4.MessageTypeNak, s.cfg.Server)
	to, mac := netip.AddrPortFrom(broadcast, clientPort), net.HardwareAddr(nil)
	if r.relay.IsValid() {
		m.Flags |= 0x8000
		to, mac = r.relayed()
	}
	s.link.send(r, m, []uint8{53, 54}, s.source(), to, mac)
}

func (s *Server) decline(r *request) {
	held := s.leases.byMAC[r.mac()]
	switch {
	case r.server != s.cfg.Server:
		s.link.refuse(r, checkServer, "option 54 is %s, %s expected", text(r.server), s.cfg.Server)
	case held == nil || held.address != r.wish:
		s.link.refuse(r, checkHolder, "%s is not the address of %s", text(r.wish), r.peer())
	default:
		s.leases.decline(r.mac(), s.cfg.Clock())
		s.cfg.Station.DropNeighbor(held.address)
		s.link.note(timeline.Note, r.peer(), fmt.Sprintf("%s is in use elsewhere, out of use for %s", held.address, declinedFor))
	}
}

func (s *Server) release(r *request) {
	held := s.leases.byMAC[r.mac()]
	switch {
	case r.server != s.cfg.Server:
		s.link.refuse(r, checkServer, "option 54 is %s, %s expected", text(r.server), s.cfg.Server)
	case held == nil || held.address != r.client:
		s.link.refuse(r, checkHolder, "%s is not the address of %s", text(r.client), r.peer())
	default:
		s.leases.end(r.mac())
		s.cfg.Station.DropNeighbor(held.address)
		s.link.note(timeline.Note, r.peer(), fmt.Sprintf("lease of %s released", held.address))
	}
}

// inform answers a DHCPINFORM: no address, no lease time, unicast to ciaddr even through a relay (RFC 2131, 4.3.5).
func (s *Server) inform(r *request) {
	if !s.cfg.Inform {
		s.link.refuse(r, checkServerInform, "this server does not answer it")
		return
	}
	if !r.client.IsValid() {
		s.link.refuse(r, checkClient, "ciaddr is 0.0.0.0")
		return
	}
	if _, on := s.cfg.Faults.On("discovery=silent"); on {
		s.link.drop(r, "fault discovery=silent")
		return
	}
	options, err := s.options(r)
	if err != nil {
		s.link.note(timeline.Note, r.peer(), fmt.Sprintf("%s not answered: %v", r.kind, err))
		return
	}
	delete(options, 58)
	delete(options, 59)
	m := r.answer(dhcpv4.MessageTypeAck, s.cfg.Server)
	m.ClientIPAddr = r.ClientIPAddr
	s.link.send(r, m, r.grant(m, options), s.source(), netip.AddrPortFrom(r.client, clientPort), r.from.SrcMAC)
}

func (s *Server) source() netip.AddrPort { return netip.AddrPortFrom(s.cfg.Server, serverPort) }

// replyTo says where an offer or acknowledgement goes (RFC 2131, 4.1): to the relay, to ciaddr, to everybody if the
// broadcast flag asks for it, else to the address on its way, with the MAC address that the message names.
func (r *request) replyTo(yours netip.Addr) (netip.AddrPort, net.HardwareAddr) {
	switch {
	case r.relay.IsValid():
		return r.relayed()
	case r.client.IsValid():
		return netip.AddrPortFrom(r.client, clientPort), r.ClientHWAddr
	case r.Flags&0x8000 != 0:
		return netip.AddrPortFrom(broadcast, clientPort), nil
	}
	return netip.AddrPortFrom(yours, clientPort), r.ClientHWAddr
}

func (r *request) relayed() (netip.AddrPort, net.HardwareAddr) {
	return netip.AddrPortFrom(r.relay, serverPort), r.from.SrcMAC
}

// text names an address for a sentence.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return "no address"
	}
	return a.String()
}
