// Package dhcpserver is the DHCP side of a lab: [Server], an enterprise DHCP server with leases and class-based
// options, and [Responder], the DHCPINFORM responder of a registrar.
package dhcpserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/rfc1035label"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// Config says what the server leases and which options it gives. An empty option is not given.
type Config struct {
	Station  ethernet.Station
	Timeline *timeline.Timeline
	Faults   *faults.Set
	Clock    func() time.Time // time.Now if nil

	Server    netip.Addr   // source of answers and option 54
	Subnet    netip.Prefix // option 1
	Gateway   netip.Addr   // option 3
	First     netip.Addr   // first address to lease
	Leases    int          // how many from First on
	LeaseTime time.Duration

	DNS        []netip.Addr   // option 6
	Domain     string         // option 15
	Search     []string       // option 119
	NTP        []netip.Addr   // option 42
	TimeOffset *time.Duration // option 2: offset to UTC, whole seconds

	Voice bool   // it serves the tagged voice VLAN, where the vlan faults do not strike
	VLAN  uint16 // given to class CPE-OCPHONE as sub-option 10, 0: no VLAN; the address faults do not strike then

	Inform    bool // answers DHCPINFORM; servers differ in that (discovery.md §4)
	Discovery      // given to class MS-UC-Client
}

// Discovery is what class MS-UC-Client gets. The zero Discovery is nothing.
type Discovery struct {
	UC         *dhcpoption.UC // option 43
	SIPServers []string       // option 120: the pool first
}

// Server is a running DHCP server.
type Server struct {
	cfg      Config
	given    atomic.Pointer[Discovery]
	leases   *leases
	withheld map[string]int // DISCOVERs of a MAC address that vlan=silent left unanswered
	link     *link
}

// Start serves until Close.
func Start(cfg Config) (*Server, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("dhcp server: %w", err)
	}
	link, err := open(cfg.Station, cfg.Timeline, cfg.Clock)
	if err != nil {
		return nil, fmt.Errorf("dhcp server: %w", err)
	}
	pool := newLeases(cfg.First, cfg.Leases, cfg.Server, cfg.Gateway)
	s := &Server{cfg: cfg, leases: pool, withheld: map[string]int{}, link: link}
	s.given.Store(&cfg.Discovery)
	go link.run(s.handle, s.expire)
	return s, nil
}

func (c *Config) check() error {
	switch {
	case !c.Server.Is4() || !c.Subnet.Addr().Is4() || !c.First.Is4():
		return errors.New("server, subnet and first lease must be IPv4")
	case c.Leases < 1 || !c.Subnet.Contains(c.First) || !c.Subnet.Contains(addressAfter(c.First, c.Leases-1)):
		return fmt.Errorf("%d leases from %s on do not fit in %s", c.Leases, c.First, c.Subnet)
	case c.LeaseTime < time.Second || c.LeaseTime/time.Second > math.MaxUint32:
		return fmt.Errorf("lease time %s, at least 1 s expected", c.LeaseTime)
	}
	if c.VLAN != 0 {
		if _, err := dhcpoption.AppendVLAN(nil, c.VLAN); err != nil {
			return err
		}
	}
	return c.Discovery.check()
}

// SetDiscovery changes what class MS-UC-Client gets from now on.
func (s *Server) SetDiscovery(d Discovery) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("dhcp server: %w", err)
	}
	s.given.Store(&d)
	return nil
}

// Port is the UDP port that the server listens on.
func (s *Server) Port() uint16 { return s.link.port }

// Close ends the server; leases are forgotten.
func (s *Server) Close() error {
	err := s.link.close()
	for _, l := range s.leases.byMAC {
		s.cfg.Station.DropNeighbor(l.address)
	}
	return err
}

// expire ends the leases that are over and returns when the next one will be.
func (s *Server) expire(now time.Time) time.Time {
	ended, next := s.leases.expire(now)
	for _, l := range ended {
		s.cfg.Station.DropNeighbor(l.address)
		s.link.note(timeline.Note, net.HardwareAddr(l.mac).String(), fmt.Sprintf("lease of %s ended", l.address))
	}
	return next
}

// options returns every option that the server has for r, besides those of the lease itself.
func (s *Server) options(r *request) (dhcpv4.Options, error) {
	c := &s.cfg
	options := dhcpv4.Options{1: net.CIDRMask(c.Subnet.Bits(), 32)}
	set := func(code uint8, value []byte) {
		if len(value) > 0 {
			options[code] = value
		}
	}
	if c.Gateway.Is4() {
		set(3, c.Gateway.AsSlice())
	}
	set(6, addresses(c.DNS))
	set(15, []byte(c.Domain))
	set(42, addresses(c.NTP))
	if len(c.Search) > 0 {
		labels := rfc1035label.NewLabels()
		labels.Labels = c.Search
		set(119, labels.ToBytes())
	}
	if c.TimeOffset != nil {
		set(2, binary.BigEndian.AppendUint32(nil, uint32(int32(*c.TimeOffset/time.Second))))
	}
	lease := uint32(c.LeaseTime / time.Second)
	set(58, binary.BigEndian.AppendUint32(nil, lease/2))
	set(59, binary.BigEndian.AppendUint32(nil, lease/8*7))
	classed, err := s.classOptions(r)
	maps.Copy(options, classed)
	return options, err
}

// classOptions returns 43 and 120 for the request's vendor class, nothing if it asks for neither.
func (s *Server) classOptions(r *request) (dhcpv4.Options, error) {
	if !r.wants(dhcpoption.OptionVendor) && !r.wants(dhcpoption.OptionSIPServers) {
		return nil, nil
	}
	if r.class == dhcpoption.ClassUC {
		return s.given.Load().options(s.cfg.Faults, s.cfg.Server, s.cfg.Domain, s.link.faultNote(r))
	}
	if !strings.EqualFold(r.class, dhcpoption.ClassVLAN) {
		return nil, nil
	}
	if !s.cfg.Voice {
		if _, on := s.cfg.Faults.On("vlan=invalid"); on {
			s.link.faultNote(r)("vlan=invalid")
			return dhcpv4.Options{dhcpoption.OptionVendor: {dhcpoption.SubVLAN, 2, 0x0f, 0xff}}, nil
		}
	}
	if s.cfg.VLAN == 0 {
		return nil, nil
	}
	value, err := dhcpoption.AppendVLAN(nil, s.cfg.VLAN)
	return dhcpv4.Options{dhcpoption.OptionVendor: value}, err
}

func addresses(list []netip.Addr) []byte {
	var b []byte
	for _, a := range list {
		b = append(b, a.AsSlice()...)
	}
	return b
}
