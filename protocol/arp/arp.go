// Package arp reads and writes ARP packets for Ethernet and IPv4 (RFC 826), and tells the kinds of them that RFC 5227 names.
package arp

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
)

// EtherType is that of ARP.
const EtherType = 0x0806

// Size is the length of a packet; a frame is padded behind it.
const Size = 28

// Operations.
const (
	Request = 1
	Reply   = 2
)

// ErrForeign is the error about a packet that is too short, or for other hardware or protocols than Ethernet and IPv4.
var ErrForeign = errors.New("arp: no packet for Ethernet and IPv4")

// A Packet is one ARP packet. The target's MAC address says nothing in a request.
type Packet struct {
	Operation uint16
	SenderMAC [6]byte
	Sender    [4]byte
	TargetMAC [6]byte
	Target    [4]byte
}

// Parse reads the bytes behind the Ethernet header. What follows the packet is padding.
func Parse(b []byte) (Packet, error) {
	if len(b) < Size || binary.BigEndian.Uint64(b)>>16 != 0x000108000604 {
		return Packet{}, ErrForeign
	}
	return Packet{
		Operation: binary.BigEndian.Uint16(b[6:]),
		SenderMAC: [6]byte(b[8:]), Sender: [4]byte(b[14:]),
		TargetMAC: [6]byte(b[18:]), Target: [4]byte(b[24:]),
	}, nil
}

// Append appends the packet to b.
func (p Packet) Append(b []byte) []byte {
	b = append(b, 0, 1, 0x08, 0x00, 6, 4)
	b = binary.BigEndian.AppendUint16(b, p.Operation)
	b = append(append(b, p.SenderMAC[:]...), p.Sender[:]...)
	return append(append(b, p.TargetMAC[:]...), p.Target[:]...)
}

// Probe reports whether it asks if an address is free (RFC 5227, 1.1).
func (p Packet) Probe() bool { return p.Operation == Request && p.Sender == [4]byte{} }

// Announcement reports whether it tells that the sender has an address now (RFC 5227, 1.1 and 3).
func (p Packet) Announcement() bool { return p.Sender == p.Target && p.Sender != [4]byte{} }

// SenderAddr is the sender's address.
func (p Packet) SenderAddr() netip.Addr { return netip.AddrFrom4(p.Sender) }

// TargetAddr is the target's address.
func (p Packet) TargetAddr() netip.Addr { return netip.AddrFrom4(p.Target) }

// Holder is the sender's MAC address.
func (p Packet) Holder() net.HardwareAddr { return net.HardwareAddr(p.SenderMAC[:]) }

// About reports whether a packet that a station gets is about the station: it has, or is about to take, the address.
func (p Packet) About(mac [6]byte, address [4]byte) bool {
	switch {
	case p.SenderMAC == mac: // its own
		return false
	case p.Operation == Reply && p.TargetMAC == mac:
		return true
	}
	return address != [4]byte{} && (p.Target == address || p.Sender == address)
}
