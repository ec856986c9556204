package labpool

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/dhcpserver"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/emulator/labpool/nameserver"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/labpool/switchport"
	"github.com/phone-edition/lpe/emulator/labpool/timeserver"
	"github.com/phone-edition/lpe/emulator/labpool/updates"
	"github.com/phone-edition/lpe/emulator/labpool/webservices"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
)

const (
	updatesName = configs.UpdateHost

	// probeTime is how long a station of a real wire waits for somebody else to defend its address. RFC 5227 §1.1 has
	// up to 7 s, for hosts that nobody watches.
	probeTime = 600 * time.Millisecond

	faultDecommissioned  = "discovery=decommissioned-pool" // its name still has an address
	faultNoSuchRegistrar = "discovery=wrong-registrar"
	faultOtherDomain     = "dns=srv-other-domain"
)

func (p *Pool) start() error {
	p.faults = faults.NewSet()
	for _, text := range p.cfg.Faults {
		fault, _, err := faults.Known(text)
		if err != nil {
			return err
		}
		p.faults.Put(fault)
	}
	var err error
	if p.Directory, err = p.newDirectory(); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	p.History = history.New(p.sipOf)
	if !p.cfg.Forgets {
		p.keep(observed(p.Timeline.Observe(p.History.Observe)))
	}
	lab := p.cfg.Lab
	p.Authority, err = authority.New(authority.Config{
		PKI: lab.PKI, Name: lab.Name, Now: p.cfg.Now, Keys: authority.KeySource(p.cfg.NewKey), State: p.cfg.State,
	})
	if err != nil {
		return fmt.Errorf("authority: %w", err)
	}
	for _, step := range []func() error{p.startSwitch, p.startFrontEnds, p.startOtherRegistrars, p.startNetwork, p.beginFaults} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// beginFaults lets the faults strike that the pool begins with.
func (p *Pool) beginFaults() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	for _, f := range p.faults.Active() {
		if reason := p.misses(f.Name); reason != "" {
			return fmt.Errorf("fault %s: %w: %s", f.Name, ErrNotHere, reason)
		}
		if _, ofUser := userFaults[f.Name]; ofUser {
			p.meant[f.Name] = p.dialled
		}
	}
	return p.follow()
}

// observed is an observer that ends.
type observed func()

func (stop observed) Close() error {
	stop()
	return nil
}

// startSwitch starts the LLDP speaker of the access switch. On a real wire it is a neighbour of whatever is at the other
// end of it, and only listens unless the lab brings the network.
func (p *Pool) startSwitch() error {
	var station ethernet.Station
	var err error
	cfg := ethernet.StationConfig{Name: "switch", MAC: p.mac()}
	switch cable, ok := p.cfg.Cable.(Switch); {
	case ok:
		station, err = cable.JoinSwitch(cfg)
	case p.cfg.Wire:
		station, err = p.cfg.Cable.Join(cfg)
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("switch: %w", err)
	}
	n := p.cfg.Lab.Network
	p.keep(station)
	station = interpose.Station(station, p.hostAt(""), p.cfg.Ear, p.cfg.Outgoing)
	var policy *lldp.NetworkPolicy
	switch n.LLDPPolicy {
	case "tagged":
		policy = &lldp.NetworkPolicy{Application: 1, Tagged: true, VLAN: n.VoiceVLAN, Priority: n.Priority, DSCP: n.DSCP}
	case "untagged":
		policy = &lldp.NetworkPolicy{Application: 1, DSCP: n.DSCP}
	}
	server, err := switchport.Start(switchport.Config{
		Station: station, Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now, PortName: "Gi0/1", SystemName: "lab-switch", Policy: policy,
		Silent: p.cfg.Wire && !p.cfg.Services.Leases,
	})
	if err != nil {
		return err
	}
	p.keep(server)
	return nil
}

// startNetwork starts DHCP, DNS and time, on the voice VLAN and on the native one if these differ.
func (p *Pool) startNetwork() error {
	n, brings := p.cfg.Lab.Network, p.cfg.Services
	if !brings.Leases && !brings.Names && !brings.Time {
		return nil
	}
	station, err := p.joinAt("network", n.VoiceVLAN, n.Server, n.Subnet)
	if err != nil {
		return err
	}
	p.network = station.Name()
	if brings.Leases {
		if err := p.startDHCP(station, n.Server, n.Subnet, n.Gateway, n.FirstLease, n.VoiceVLAN != 0); err != nil {
			return err
		}
	}
	if brings.Time && n.NTP != "none" {
		clock, err := timeserver.Start(timeserver.Config{Station: station, Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now})
		if err != nil {
			return err
		}
		p.keep(clock)
		p.timePort = portOf(clock.LocalAddr())
		p.listens(ServiceNTP, station.Name(), p.timePort)
	}
	if brings.Names {
		zone := p.zone()
		zone.Station, zone.Timeline, zone.Faults, zone.Clock = station, p.Timeline, p.faults, p.cfg.Now
		names, err := nameserver.Start(zone)
		if err != nil {
			return err
		}
		p.names = names
		p.keep(names)
		p.listens(ServiceDNS, station.Name(), portOf(names.LocalAddr()))
	}
	if n.VoiceVLAN == 0 || !brings.Leases {
		return nil
	}
	native, err := p.joinAt("native-network", 0, n.NativeServer, n.NativeSubnet)
	if err != nil {
		return err
	}
	return p.startDHCP(native, n.NativeServer, n.NativeSubnet, n.NativeServer, nth(n.NativeSubnet, 50), false)
}

func (p *Pool) startDHCP(station ethernet.Station, server netip.Addr, subnet netip.Prefix, gateway, first netip.Addr, voice bool) error {
	lab := p.cfg.Lab
	n := lab.Network
	cfg := dhcpserver.Config{
		Station: station, Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now,
		Server: server, Subnet: subnet, Gateway: gateway, First: first, Leases: n.Leases, LeaseTime: n.LeaseTime,
		DNS: []netip.Addr{server}, Domain: lab.DNSDomain, Voice: voice, Inform: n.DHCPOptions == "enterprise",
	}
	if n.VoiceVLAN != 0 && !voice {
		cfg.VLAN = n.VoiceVLAN
	}
	if n.NTP == "option42" {
		cfg.NTP = []netip.Addr{server}
	}
	if n.DHCPOptions == "enterprise" {
		cfg.Discovery = p.discovery()
	}
	dhcp, err := dhcpserver.Start(cfg)
	if err != nil {
		return err
	}
	p.dhcp = append(p.dhcp, dhcp)
	p.keep(dhcp)
	p.listens(ServiceDHCP, station.Name(), dhcp.Port())
	return nil
}

// discovery is what class MS-UC-Client learns: the registrar to contact first and the certificate provisioning URL.
func (p *Pool) discovery() dhcpserver.Discovery {
	if p.on("discovery=no-registrar") {
		return dhcpserver.Discovery{}
	}
	uc := dhcpoption.NewUC(p.webName())
	if u, err := url.Parse(p.web.CertProvURL()); err == nil {
		uc.Port = u.Port()
	}
	return dhcpserver.Discovery{UC: &uc, SIPServers: []string{p.registrarName()}}
}

// registrarName is the registrar that DHCP and SRV name: the entry, or one that is no more.
func (p *Pool) registrarName() string {
	switch {
	case p.on(faultDecommissioned):
		return "oldpool." + p.cfg.Lab.SIPDomain
	case p.on(faultNoSuchRegistrar):
		return "moved-pool." + p.cfg.Lab.SIPDomain
	}
	return p.EntryName()
}

// webName is the name of the web services that handsets are told. Under dns=no-web-name, which hides it, it is never
// the pool's own.
func (p *Pool) webName() string {
	if lab := p.cfg.Lab; p.on("dns=no-web-name") && lab.Web == lab.Pool {
		return "lyncweb." + lab.DNSDomain
	}
	return p.cfg.Lab.Web
}

// EntryHost is the machine of a lab that handsets reach under the name of the registrar that they are told.
func EntryHost(lab *configs.Lab) string {
	if lab.Director != nil {
		return lab.Director.FQDN
	}
	return lab.FrontEnds[0].FQDN
}

// EntryName is the registrar that handsets are told: the Director if there is one, else the pool.
func (p *Pool) EntryName() string {
	if d := p.cfg.Lab.Director; d != nil {
		return d.FQDN
	}
	return p.cfg.Lab.Pool
}

// entry is the server of that name, the pool's first front end for the pool.
func (p *Pool) entry() *registrar.Server {
	if p.cfg.Lab.Director != nil {
		return p.Registrars[len(p.Registrars)-1]
	}
	return p.Registrars[0]
}

// zone is what the lab's name server knows.
func (p *Pool) zone() nameserver.Config {
	lab := p.cfg.Lab
	front, network := p.addresses[lab.FrontEnds[0].FQDN], p.addresses[p.network]
	hosts := map[string][]netip.Addr{updatesName + "." + lab.SIPDomain: {front}}
	if p.on("update=refused") { // a computer that has no web services
		hosts[updatesName+"."+lab.SIPDomain] = []netip.Addr{network}
	}
	for _, host := range lab.FrontEnds {
		address := p.addresses[host.FQDN]
		hosts[host.FQDN] = []netip.Addr{address}
		if lab.Pool != host.FQDN && !slices.Contains(hosts[lab.Pool], address) {
			hosts[lab.Pool] = append(hosts[lab.Pool], address)
		}
	}
	hosts[lab.Web] = []netip.Addr{front}
	for _, host := range []*configs.Host{lab.Director, lab.Backup} {
		if host != nil {
			hosts[host.FQDN] = []netip.Addr{p.addresses[host.FQDN]}
		}
	}
	services := map[string][]nameserver.Service{
		"_sipinternaltls._tcp." + lab.SIPDomain: {{Port: p.entry().Port(), Target: p.registrarName()}},
	}
	if p.on(faultDecommissioned) {
		hosts[p.registrarName()] = []netip.Addr{p.nobody()}
	}
	if p.on(faultOtherDomain) {
		const target = "lync.corp.example"
		hosts[target] = []netip.Addr{p.fronts[0].Address().Addr()}
		services["_sipinternaltls._tcp."+lab.SIPDomain] = []nameserver.Service{{Port: p.entry().Port(), Target: target}}
	}
	if lab.Network.NTP == "srv" && p.timePort != 0 {
		services["_ntp._udp."+lab.SIPDomain] = []nameserver.Service{{Port: p.timePort, Target: "ntp." + lab.SIPDomain}}
		hosts["ntp."+lab.SIPDomain] = []netip.Addr{network}
	}
	if p.on("discovery=no-registrar") {
		services = nil
		delete(hosts, updatesName+"."+lab.SIPDomain)
	}
	return nameserver.Config{
		Zones: []string{lab.SIPDomain}, Hosts: hosts, Services: services, Glue: true, WebName: p.webName(),
	}
}

// startFrontEnds starts the pool's machines; the web services and updates are on the first.
func (p *Pool) startFrontEnds() error {
	lab := p.cfg.Lab
	for i, host := range lab.FrontEnds {
		station, err := p.joinAt(host.FQDN, lab.Network.VoiceVLAN, host.Address, lab.Network.Subnet)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := p.startWeb(station); err != nil {
				return err
			}
		}
		p.fronts = append(p.fronts, station)
		if err := p.startRegistrar(station, host, nil); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pool) startWeb(station ethernet.Station) error {
	lab := p.cfg.Lab
	handler := func(files string) http.Handler {
		return updates.New(updates.Config{
			Lab: lab, Host: files, Authority: p.Authority, Faults: p.faults, Timeline: p.Timeline, Now: p.cfg.Now,
		})
	}
	web, err := webservices.Start(webservices.Config{
		Station: station, Lab: lab, Settings: p.settings, Host: lab.Web, Directory: p.Directory, Authority: p.Authority,
		Certificate: p.certificate("web", lab.WebNames()), TicketKey: p.Authority.TicketKey(), Faults: p.faults, Timeline: p.Timeline, Now: p.cfg.Now, KeyLog: p.cfg.KeyLog, Ear: p.cfg.Ear, Outgoing: p.cfg.Outgoing, Updates: handler,
	})
	if err != nil {
		return err
	}
	p.web = web
	p.keep(web)
	plain, secure := web.Ports()
	p.listens(ServiceHTTP, station.Name(), plain)
	p.listens(ServiceHTTPS, station.Name(), secure)
	return nil
}

// startOtherRegistrars starts backup and Director.
func (p *Pool) startOtherRegistrars() error {
	lab := p.cfg.Lab
	primary, backup := p.Registrars[0], (*registrar.Server)(nil)
	if b := lab.Backup; b != nil {
		if err := p.startRegistrarAt(*b, p.awayFromBackup(primary)); err != nil {
			return err
		}
		backup = p.Registrars[len(p.Registrars)-1]
	}
	if d := lab.Director; d != nil {
		return p.startRegistrarAt(*d, directed(primary, backup))
	}
	return nil
}

func (p *Pool) startRegistrarAt(host configs.Host, home func() []registrar.Address) error {
	station, err := p.joinAt(host.FQDN, p.cfg.Lab.Network.VoiceVLAN, host.Address, p.cfg.Lab.Network.Subnet)
	if err != nil {
		return err
	}
	return p.startRegistrar(station, host, home)
}

func (p *Pool) startRegistrar(station ethernet.Station, host configs.Host, home func() []registrar.Address) error {
	tcp := uint16(0)
	if p.cfg.SIPTCP {
		tcp = registrar.DefaultTCPPort
	}
	server, err := registrar.Start(registrar.Config{
		TCPPort: tcp, Settings: p.settings,
		Station: station, Host: host.FQDN, Home: home, Neighbour: p.neighbour(host.FQDN), Lab: p.cfg.Lab,
		Certificate: p.certificate("register", p.cfg.Lab.RegistrarNames(host)),
		STSURI:      p.web.CertProvURL(), Web: p.web.BaseURL(), Directory: p.Directory, Authority: p.Authority,
		Faults: p.faults, Timeline: p.Timeline, Now: p.cfg.Now, KeyLog: p.cfg.KeyLog, Ear: p.cfg.Ear, Outgoing: p.cfg.Outgoing,
	})
	if err != nil {
		return err
	}
	p.Registrars = append(p.Registrars, server)
	p.keep(server)
	p.listens(ServiceSIPTLS, host.FQDN, server.Port())
	p.listens(ServiceSIPTCP, host.FQDN, server.TCPPort())
	return nil
}

// neighbour finds another front end than the one named, when it is asked for; nil if there is none.
func (p *Pool) neighbour(of string) func() registrar.Address {
	for i, host := range p.cfg.Lab.FrontEnds {
		if host.FQDN != of {
			return func() registrar.Address { return p.Registrars[i].Addresses() }
		}
	}
	return nil
}

// certificate gives the server certificate as the faults of the stage want it now; each is made once.
func (p *Pool) certificate(stage string, names []string) func() (tls.Certificate, error) {
	var mu sync.Mutex
	made := map[authority.ServerOptions]tls.Certificate{}
	return func() (tls.Certificate, error) {
		options := authority.ServerOptions{
			Wildcard: p.on(stage + "=wildcard-certificate"), Expired: p.on(stage + "=certificate-expired"),
			NotYetValid: p.on(stage + "=certificate-not-yet-valid"), WrongName: p.on(stage + "=certificate-wrong-name"),
			Untrusted: p.on(stage + "=untrusted-chain"),
		}
		mu.Lock()
		defer mu.Unlock()
		if c, ok := made[options]; ok {
			return c, nil
		}
		c, err := p.Authority.Server(names, options)
		if err == nil {
			made[options] = c
		}
		return c, err
	}
}

// on reports whether a fault without times is set.
func (p *Pool) on(name string) bool { return p.faults.Has(name) }

// nobody is an address of the lab's subnet that no computer of the lab has and no lease gives: the highest such one.
func (p *Pool) nobody() netip.Addr {
	lab := p.cfg.Lab
	taken := map[netip.Addr]bool{lab.Network.Gateway: true, lab.Network.Server: true}
	for _, host := range lab.FrontEnds {
		taken[host.Address] = true
	}
	for _, host := range []*configs.Host{lab.Director, lab.Backup} {
		if host != nil {
			taken[host.Address] = true
		}
	}
	first := nth(lab.Network.Subnet, 1)
	size := 1 << (32 - lab.Network.Subnet.Bits())
	for address := nth(lab.Network.Subnet, size-2); address.Compare(first) >= 0; address = address.Prev() {
		if !taken[address] {
			return address
		}
	}
	return first
}

func nth(subnet netip.Prefix, n int) netip.Addr {
	addr := subnet.Masked().Addr()
	for range n {
		addr = addr.Next()
	}
	return addr
}
