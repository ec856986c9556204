// Package ethernet is the cable: it gives the handset and the pool a [Station] each, with a MAC address, an 802.1Q
// tag, raw frames, ARP and, once an address is set, TCP and UDP.
package ethernet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/phone-edition/lpe/protocol/arp"
)

// A Cable is one Ethernet segment that stations join.
type Cable interface {
	// Join plugs a station in.
	Join(StationConfig) (Station, error)
	// Close unplugs every station and frees what the cable holds.
	Close() error
}

// StationConfig says who joins and to what kind of switch port.
type StationConfig struct {
	Name string           // names the station in captures and errors
	MAC  net.HardwareAddr // six bytes
	Port Port
	TTL  uint8 // IP time to live, 0 means 128, as Windows CE sends
}

// Port is the configuration of the access-switch port that a station is plugged into.
type Port struct {
	Access   uint16 // VLAN of untagged frames, 0 means 1
	Voice    uint16 // VLAN accepted and sent tagged besides Access, 0 means none
	Trunk    bool   // every VLAN, tagged; Access untagged
	Isolated bool   // private VLAN: reaches only ports that are not isolated
}

// Tag is the 802.1Q tag that a station puts on its frames. The zero Tag means untagged.
type Tag struct {
	VLAN     uint16 // 1 to 4094, 0 means untagged
	Priority uint8  // PCP, 0 to 7
}

// A Station is one host on the cable. Its methods may be called from several goroutines.
type Station interface {
	Name() string
	MAC() net.HardwareAddr

	// Carrier reports whether the port has link. CarrierChanged receives after each change.
	Carrier() bool
	CarrierChanged() <-chan struct{}

	// SetTag changes the tag of all frames sent from now on, and which frames are received.
	SetTag(Tag)
	// SetDSCP sets the DSCP (0 to 63) of all IP packets sent from now on.
	SetDSCP(uint8)

	// SendFrame sends a whole frame (from destination MAC on, padded to 60 bytes if shorter) as it is, without a tag of the station.
	SendFrame(frame []byte) error
	// Frames opens a receiver of untagged frames of one EtherType, below the IP stack and the tag filter.
	Frames(etherType uint16) (FrameReceiver, error)
	// RawUDP opens a UDP port below the IP stack: DHCP speaks before there is an address.
	RawUDP(port uint16) (RawUDP, error)

	// Probe asks whether another station uses addr (RFC 5227 §2.1.1), three probes over the given time.
	// It returns an *[AddressInUse] if so.
	Probe(ctx context.Context, addr netip.Addr, over time.Duration) error
	// SetAddress configures the IPv4 address and announces it by ARP. gateway may be the zero Addr.
	SetAddress(address netip.Prefix, gateway netip.Addr) error
	ClearAddress()
	Address() netip.Prefix
	// AddNeighbor makes an ARP entry that neither ages nor counts; DropNeighbor removes it.
	AddNeighbor(netip.Addr, net.HardwareAddr)
	DropNeighbor(netip.Addr)

	DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	DialUDP(to netip.AddrPort) (net.Conn, error)
	ListenTCP(port uint16) (net.Listener, error)
	ListenUDP(port uint16) (net.PacketConn, error)

	// Silence drops whatever arrives for the TCP port, so that a peer's connect times out; Silence(port, false) ends it.
	Silence(port uint16, silent bool)

	// Close unplugs the station. Its connections and listeners end.
	Close() error
}

// FrameReceiver delivers frames in order from a bounded queue; a full queue drops and counts.
type FrameReceiver interface {
	Receive(ctx context.Context) (frame []byte, err error)
	Close() error
}

// Datagram is a UDP datagram with the addresses of its frame.
type Datagram struct {
	SrcMAC, DstMAC net.HardwareAddr // DstMAC nil when sending means broadcast
	Src, Dst       netip.AddrPort
	Payload        []byte
}

// RawUDP sends and receives datagrams as Ethernet frames built here: checksums set, TTL of the station, no ARP.
type RawUDP interface {
	Send(Datagram) error
	Receive(ctx context.Context) (Datagram, error)
	Close() error
}

// Resetter is a connection that can be ended by a TCP reset instead of an orderly close. Every TCP connection of a Station is one.
type Resetter interface{ Reset() error }

// ConflictWatcher is a station that tells when another one uses its address. Every station with an ARP of its own is one.
type ConflictWatcher interface {
	// OnConflict sets what is called, on the delivery goroutine, when the station defends its address: at once, but not
	// more often than every ten seconds, and then without end (RFC 5227 §2.4 (c)).
	OnConflict(func(*AddressInUse))
}

// ARPWatcher is a station that tells of its ARP. Every station with an ARP of its own is one.
type ARPWatcher interface {
	// OnARP sets what is called for each packet of ARP that the station sends, before it leaves, and for each that it gets
	// and that is about it, as [arp.Packet.About] has it. It may be called on several goroutines and must be quick.
	OnARP(func(p arp.Packet, sent bool))
}

// AddressInUse is the answer to an ARP probe, or what [ConflictWatcher] tells.
type AddressInUse struct {
	Address netip.Addr
	Holder  net.HardwareAddr
}

func (e *AddressInUse) Error() string {
	return "address " + e.Address.String() + " is in use by " + e.Holder.String()
}

// ErrClosed is returned after Close; errors.Is(err, net.ErrClosed) holds as well.
var ErrClosed = errors.Join(errors.New("station is unplugged"), net.ErrClosed)
