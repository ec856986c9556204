package ethernet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Host is the computer itself as a cable: its stations use the computer's own sockets, addresses and resolver. There
// are no frames: link, VLAN, address and ARP are the computer's affair. It works on every operating system.
type Host struct {
	options HostOptions

	mu       sync.Mutex
	stations []*hostStation
	closed   bool
}

var _ Cable = (*Host)(nil)

// HostOptions say where stations listen. The zero value is for a station that only dials.
type HostOptions struct {
	// Listen is the address that stations listen on and tell as theirs. The zero Addr means every address of the
	// computer, told is the one that its first route leaves by.
	Listen netip.Addr
	// Port maps the port that a station asks for to the one of the computer, 0 lets the computer pick one: at the first
	// time that the station listens on it, for good.
	// nil means the same port.
	Port func(station string, port uint16) uint16
}

// A Computer is a [Station] whose link, VLAN, address and resolver are the computer's own affair.
type Computer interface {
	Station
	// LookupHost resolves the IPv4 addresses of a name. The error is a *[net.DNSError].
	LookupHost(ctx context.Context, name string) ([]netip.Addr, error)
	// LookupService resolves an SRV name such as _sipinternaltls._tcp.example.com, in RFC 2782 order.
	LookupService(ctx context.Context, name string) ([]*net.SRV, error)
	// SearchDomain is the domain that the computer completes names with, "" if it has none.
	SearchDomain() string
}

var (
	_ Computer = (*hostStation)(nil)
	_ RawUDP   = (*hostUDP)(nil)
)

// ErrNoFrames is returned where frames are asked of a station on a [Host].
var ErrNoFrames = errors.New("the computer's own sockets carry no frames")

// NewHost returns a cable of the computer's own sockets. Close closes them.
func NewHost(o HostOptions) *Host { return &Host{options: o} }

// Join implements [Cable].
func (h *Host) Join(c StationConfig) (Station, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("station %s: cable: %w", c.Name, ErrClosed)
	}
	if len(c.MAC) != len(macAddress{}) {
		return nil, fmt.Errorf("station %s: MAC address %s has %d bytes, 6 expected", c.Name, c.MAC, len(c.MAC))
	}
	st := &hostStation{on: h, name: c.Name, mac: macAddress(c.MAC), silenced: map[uint16]bool{}, had: map[asked]uint16{}, open: map[closer]bool{}}
	h.stations = append(h.stations, st)
	return st, nil
}

// Close implements [Cable].
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	stations := slices.Clone(h.stations)
	h.mu.Unlock()
	var errs []error
	for _, st := range stations {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}

func (h *Host) port(station string, port uint16) uint16 {
	if h.options.Port == nil {
		return port
	}
	return h.options.Port(station, port)
}

// ownAddress is the address that datagrams of the computer leave by, with the mask of its interface; nothing is sent. A
// computer without a default route has the first of its addresses that others can reach.
func (h *Host) ownAddress() netip.Prefix {
	own := h.options.Listen
	if !own.IsValid() || own.IsUnspecified() {
		own = netip.Addr{}
		if conn, err := net.Dial("udp4", "192.0.2.1:9"); err == nil { // RFC 5737, documentation
			own = conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
			conn.Close()
		}
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return hostPrefix(own)
	}
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(n.IP)
		if addr = addr.Unmap(); ok && (addr == own || !own.IsValid() && addr.Is4() && addr.IsGlobalUnicast()) {
			ones, _ := n.Mask.Size()
			return netip.PrefixFrom(addr, ones)
		}
	}
	if !own.IsValid() && h.options.Listen.IsValid() {
		return netip.MustParsePrefix("127.0.0.1/8") // whoever listens everywhere is reached from this computer alone
	}
	return hostPrefix(own)
}

func hostPrefix(addr netip.Addr) netip.Prefix {
	if !addr.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}
