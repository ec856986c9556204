// Package labpool assembles a lab on a cable: the access switch, DHCP, DNS and time servers, and the pool's web
// services, registrars and device updates, each a station of its own with real ports.
//
// # Limits
//
// A peer that is slow, silent, talkative or without an end takes neither place nor time of others:
//
//	web services  2048 connections of both ports; 30 s for the TLS handshake, and for a header of 16 KiB; 60 s for a
//	              request, with a body of 256 KiB; 2 min for the answer; 2 min without a request
//	registrar     1024 connections that nobody has authenticated on, 64 of one user; 20 s for the TLS handshake, 90 s
//	              until somebody has authenticated; 64 KiB a message, which is there within 60 to 120 s; 10 s for a
//	              write; 10 min without a byte; 16 associations and 64 subscriptions of a connection, 256 publications
//	              and, as configured, 8 endpoints of a user
//	DNS           64 connections over TCP; 10 s and 4 KiB a query
//	DHCP          the lab's addresses, each offered for a minute
//	LLDP          4096 endpoints
//	management    as package manage has it
//
// Of connections the one that nothing was heard of for the longest has to go when there is one too many.
package labpool

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/dhcpserver"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/emulator/labpool/nameserver"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/labpool/settings"
	"github.com/phone-edition/lpe/emulator/labpool/webservices"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// DefaultLab is the lab of a pool that names none.
const DefaultLab = "litware"

// Switch is a cable whose access switch is the lab's own: it speaks LLDP-MED and can take a port's link away.
type Switch interface {
	ethernet.Cable
	// JoinSwitch gives the station that is the switch itself.
	JoinSwitch(ethernet.StationConfig) (ethernet.Station, error)
	// SetCarrier takes the link of a station's port away or gives it back.
	SetCarrier(station string, up bool)
}

// Services says what of the network a lab brings to its cable, besides the pool itself.
type Services struct {
	Leases bool // DHCP leases, the VLAN offer on the native VLAN, and the answers to INFORM if the lab leaves them to DHCP
	Inform bool // the registrar's answers to INFORM
	Names  bool // DNS
	Time   bool // NTP
}

// Config says which lab is started, and how. The zero Config is the lab [DefaultLab] on a Segment of its own.
type Config struct {
	Lab *configs.Lab // nil: [DefaultLab]
	// Cable joins the lab's stations. On a [Switch] the lab speaks LLDP-MED. nil: an [ethernet.Segment] that the pool
	// closes.
	Cable ethernet.Cable
	// Services are what the lab brings, nil: all of them.
	Services *Services
	// Wire means that the cable is a trunk port of a real wire: stations tag their frames themselves, and make sure
	// that nobody has their addresses.
	Wire   bool
	SIPTCP bool     // the registrars take SIP without TLS as well
	Faults []string // stage=kind[:parameter]
	// DialledNumber, or else Login, names the user whom the faults of the directory strike; without either it is the
	// lab's first user with a number.
	DialledNumber, Login string

	// State is the file that keeps the lab's authority and published certificates, "" means that they end with the pool.
	State string
	// DirectoryState is the file that keeps the lab's directory, without what faults of the directory do to it.
	DirectoryState string

	Timeline *timeline.Timeline // of the pool, nil: a new one

	// Forgets leaves the history empty, which takes 25 KB a handset: for runs in which nobody asks for it or awaits users.
	Forgets bool

	Ear interpose.Ear // hears every message of the pool and the handsets, nil: nobody does

	NewKey   func(bits int) (*rsa.PrivateKey, error) // nil: a new key each time
	KeyLog   io.Writer                               // nil: nobody can decrypt
	Outgoing Outgoing                                // changes what the pool sends, nil: nothing does
	Now      func() time.Time                        // nil: time.Now
}

// Outgoing changes what a pool is about to send, for one that is to say what another one has said.
type Outgoing interface {
	interpose.Outgoing
	registrar.Outgoing
}

// Pool is a running lab.
type Pool struct {
	Directory  *directory.Directory
	Authority  *authority.Authority
	Registrars []*registrar.Server // front ends first, then backup and director
	Timeline   *timeline.Timeline

	// History is what handsets asked, and what the pool did of itself.
	History *history.Record

	cfg       Config
	settings  *settings.Settings
	faults    *faults.Set
	web       *webservices.Server
	names     *nameserver.Server    // nil: none
	dhcp      []*dhcpserver.Server  // of the voice VLAN, then of the native one
	fronts    []ethernet.Station    // of the front ends
	network   string                // station of DHCP, DNS and time
	timePort  uint16                // 0: no time server
	addresses map[string]netip.Addr // of the stations, by name
	endpoints []Endpoint
	primary   heartbeat   // of the front ends, as the backup hears it
	dialled   string      // SIP address of the user of Config.DialledNumber, "" if it dials none
	closers   []io.Closer // closed in reverse
	nextMAC   byte

	changing   sync.Mutex // of faults and configuration; guards what follows
	closed     bool
	meant      map[string]string // whom a fault strikes, by its name
	struck     map[string]string // whom it has struck
	responders []*dhcpserver.Responder
	squatter   ethernet.Station
	handsets   []string // stations whose cable faults strike
	unplugged  bool
}

// Start brings the lab up. On error nothing is left running.
func Start(cfg Config) (*Pool, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Services == nil {
		cfg.Services = &Services{Leases: true, Inform: true, Names: true, Time: true}
	}
	if cfg.Lab == nil {
		var err error
		if cfg.Lab, err = configs.LoadLab(DefaultLab); err != nil {
			return nil, err
		}
	}
	if cfg.Timeline == nil {
		cfg.Timeline = timeline.New("lab " + cfg.Lab.Name)
	}
	p := &Pool{
		cfg: cfg, settings: settings.New(cfg.Lab), Timeline: cfg.Timeline, addresses: map[string]netip.Addr{},
		meant: map[string]string{}, struck: map[string]string{},
	}
	if cfg.Cable == nil {
		p.cfg.Cable = ethernet.NewSegment(ethernet.Options{})
		p.keep(p.cfg.Cable)
	}
	if err := p.start(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Lab is what the pool was started as. What changed since then, [Pool.Registrar] and [Pool.WebServices] tell.
func (p *Pool) Lab() *configs.Lab { return p.cfg.Lab }

// Cable is what the pool's stations have joined; a handset joins it to reach them.
func (p *Pool) Cable() ethernet.Cable { return p.cfg.Cable }

// CertProvURL is the URL of certificate provisioning.
func (p *Pool) CertProvURL() string { return p.web.CertProvURL() }

// Held is what a pool keeps of the handsets that are there.
type Held struct {
	WebConnections int            // of the web services, both ports
	Registrars     registrar.Held // of all of them together
}

// Held counts what the pool keeps now.
func (p *Pool) Held(ctx context.Context) (Held, error) {
	held := Held{WebConnections: p.web.Connections()}
	for _, r := range p.Registrars {
		one, err := r.Held(ctx)
		if err != nil {
			return held, fmt.Errorf("counting what the pool holds: %w", err)
		}
		held.Registrars.Connections += one.Connections
		held.Registrars.Associations += one.Associations
		held.Registrars.Dialogs += one.Dialogs
	}
	return held, nil
}

// Close ends every server.
func (p *Pool) Close() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	p.closed = true
	errs := []error{p.endResponders()}
	if p.squatter != nil {
		errs = append(errs, p.squatter.Close())
		p.squatter = nil
	}
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i].Close())
	}
	p.closers = nil
	return errors.Join(errs...)
}

func (p *Pool) keep(c io.Closer) { p.closers = append(p.closers, c) }

// joinAt plugs in a station of the lab, for as long as the pool runs.
func (p *Pool) joinAt(name string, vlan uint16, address netip.Addr, subnet netip.Prefix) (ethernet.Station, error) {
	station, err := p.stationAt(name, vlan, address, subnet)
	if err != nil {
		return nil, err
	}
	p.keep(station)
	p.addresses[name] = station.Address().Addr() // on a computer's own sockets not the lab's
	return interpose.Station(station, p.hostAt(name), p.cfg.Ear, p.cfg.Outgoing), nil
}

// hostAt tells who answers at a port of a station: the web services on theirs, else the machine that it is called after.
func (p *Pool) hostAt(name string) func(port uint16) string {
	return func(port uint16) string {
		if port == portHTTP || port == portHTTPS {
			return p.cfg.Lab.Web
		}
		return name
	}
}

const portHTTP, portHTTPS = 80, 443

// stationAt plugs in a station with an address of the lab and a MAC address that is locally administered.
func (p *Pool) stationAt(name string, vlan uint16, address netip.Addr, subnet netip.Prefix) (ethernet.Station, error) {
	port := ethernet.Port{Access: vlan}
	if p.cfg.Wire {
		port = ethernet.Port{Trunk: true}
	}
	station, err := p.cfg.Cable.Join(ethernet.StationConfig{Name: name, MAC: p.mac(), Port: port, TTL: 128})
	if err != nil {
		return nil, fmt.Errorf("station %s: %w", name, err)
	}
	if p.cfg.Wire {
		station.SetTag(ethernet.Tag{VLAN: vlan, Priority: p.cfg.Lab.Network.Priority})
		err = station.Probe(context.Background(), address, probeTime)
	}
	if err == nil {
		err = station.SetAddress(netip.PrefixFrom(address, subnet.Bits()), netip.Addr{})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("station %s: %w", name, err), station.Close())
	}
	return station, nil
}

func (p *Pool) mac() net.HardwareAddr {
	p.nextMAC++
	return net.HardwareAddr{0x02, 0x4c, 0x41, 0x42, 0, p.nextMAC}
}
