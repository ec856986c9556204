// Package labpool assembles a lab on a cable: the access switch, DHCP, DNS and time servers, and the pool's web
// services, registrars and device updates, each a station of its own with real ports.
package labpool

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/labpool/webservices"
	"github.com/phone-edition/lpe/emulator/timeline"
)

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

// Config says which lab is started, and how.
type Config struct {
	Lab *configs.Lab
	// Cable joins the lab's stations. On a [Switch] the lab speaks LLDP-MED.
	Cable ethernet.Cable
	// Services are what the lab brings, nil: all of them.
	Services *Services
	// Wire means that the cable is a trunk port of a real wire: stations tag their frames themselves, and make sure
	// that nobody has their addresses.
	Wire   bool
	SIPTCP bool     // the registrars take SIP without TLS as well
	Faults []string // stage=kind[:parameter]
	// DialledNumber, or else Login, names the user whom the faults of the directory strike.
	DialledNumber, Login string

	// State is the file that keeps the lab's authority and published certificates, "" means that they end with the pool.
	State string
	// DirectoryState is the file that keeps the lab's directory, with what faults of the directory did to it.
	DirectoryState string

	Timeline *timeline.Timeline // of the pool, nil: a new one

	NewKey func(bits int) (*rsa.PrivateKey, error) // nil: a new key each time
	KeyLog io.Writer                               // nil: nobody can decrypt
	Now    func() time.Time                        // nil: time.Now
}

// Pool is a running lab.
type Pool struct {
	Directory  *directory.Directory
	Authority  *authority.Authority
	Registrars []*registrar.Server // front ends first, then backup and director
	Timeline   *timeline.Timeline

	cfg       Config
	web       *webservices.Server
	fronts    []ethernet.Station    // of the front ends
	addresses map[string]netip.Addr // of the stations, by name
	endpoints []Endpoint
	faults    *faults.Set
	closers   []io.Closer // closed in reverse
	nextMAC   byte
}

// Start brings the lab up. On error nothing is left running.
func Start(cfg Config) (*Pool, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Services == nil {
		cfg.Services = &Services{Leases: true, Inform: true, Names: true, Time: true}
	}
	if cfg.Timeline == nil {
		cfg.Timeline = timeline.New("lab " + cfg.Lab.Name)
	}
	p := &Pool{cfg: cfg, Timeline: cfg.Timeline, addresses: map[string]netip.Addr{}}
	if err := p.start(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// CertProvURL is the URL of certificate provisioning.
func (p *Pool) CertProvURL() string { return p.web.CertProvURL() }

// Close ends every server.
func (p *Pool) Close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i].Close())
	}
	p.closers = nil
	return errors.Join(errs...)
}

func (p *Pool) keep(c io.Closer) { p.closers = append(p.closers, c) }

// join plugs in a station of the lab with an address of the documentation's private use (locally administered MAC).
func (p *Pool) join(name string, port ethernet.Port) (ethernet.Station, error) {
	station, err := p.cfg.Cable.Join(ethernet.StationConfig{Name: name, MAC: p.mac(), Port: port, TTL: 128})
	if err != nil {
		return nil, fmt.Errorf("station %s: %w", name, err)
	}
	p.keep(station)
	return station, nil
}

func (p *Pool) mac() net.HardwareAddr {
	p.nextMAC++
	return net.HardwareAddr{0x02, 0x4c, 0x41, 0x42, 0, p.nextMAC}
}
