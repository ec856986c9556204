package labpool

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"sync"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/dhcpserver"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
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
	updatesName = "ucupdates-r2"

	faultDecommissioned  = "discovery=decommissioned-pool" // its name still has an address
	faultNoSuchRegistrar = "discovery=wrong-registrar"
	faultOtherDomain     = "dns=srv-other-domain"
)

func (p *Pool) start() error {
	var list []faults.Fault
	for _, text := range p.cfg.Faults {
		fault, err := faults.Parse(text)
		if err != nil {
			return err
		}
		list = append(list, fault)
	}
	p.faults = faults.NewSet(list...)
	var err error
	if p.Directory, err = p.newDirectory(); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	lab := p.cfg.Lab
	p.Authority, err = authority.New(authority.Config{
		PKI: lab.PKI, Name: lab.Name, Now: p.cfg.Now, Keys: authority.KeySource(p.cfg.NewKey), State: p.cfg.State,
	})
	if err != nil {
		return fmt.Errorf("authority: %w", err)
	}
	for _, step := range []func() error{p.startSwitch, p.startFrontEnds, p.startOtherRegistrars, p.startNetwork, p.startResponders} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// startSwitch starts the LLDP speaker of the access switch.
func (p *Pool) startSwitch() error {
	cable, ok := p.cfg.Cable.(Switch)
	if !ok {
		return nil
	}
	n := p.cfg.Lab.Network
	station, err := cable.JoinSwitch(ethernet.StationConfig{Name: "switch", MAC: p.mac()})
	if err != nil {
		return fmt.Errorf("switch: %w", err)
	}
	p.keep(station)
	var policy *lldp.NetworkPolicy
	switch {
	case p.on("vlan=silent") || p.on("vlan=invalid"): // the switch leaves the VLAN to DHCP
	case n.LLDPPolicy == "tagged":
		policy = &lldp.NetworkPolicy{Application: 1, Tagged: true, VLAN: n.VoiceVLAN, Priority: n.Priority, DSCP: n.DSCP}
	case n.LLDPPolicy == "untagged":
		policy = &lldp.NetworkPolicy{Application: 1, DSCP: n.DSCP}
	}
	server, err := switchport.Start(switchport.Config{
		Station: station, Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now, PortName: "Gi0/1", SystemName: "lab-switch", Policy: policy,
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
	if brings.Leases {
		if err := p.startDHCP(station, n.Server, n.Subnet, n.Gateway, n.FirstLease, n.VoiceVLAN != 0); err != nil {
			return err
		}
	}
	if brings.Names {
		names, err := nameserver.Start(p.zone(station))
		if err != nil {
			return err
		}
		p.keep(names)
	}
	if brings.Time && n.NTP != "none" {
		clock, err := timeserver.Start(timeserver.Config{Station: station, Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now})
		if err != nil {
			return err
		}
		p.keep(clock)
	}
	if p.on("address=duplicate") {
		if _, err := p.joinAt("squatter", n.VoiceVLAN, n.FirstLease, n.Subnet); err != nil {
			return err
		}
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
	p.keep(dhcp)
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
	return p.entryName()
}

// webName is the name of the web services that handsets are told. Under dns=no-web-name, which hides it, it is never
// the pool's own.
func (p *Pool) webName() string {
	if lab := p.cfg.Lab; p.on("dns=no-web-name") && lab.Web == lab.Pool {
		return "lyncweb." + lab.DNSDomain
	}
	return p.cfg.Lab.Web
}

// entryName is the registrar that handsets are told: the Director if there is one, else the pool.
func (p *Pool) entryName() string {
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

// zone is the lab's DNS.
func (p *Pool) zone(station ethernet.Station) nameserver.Config {
	lab := p.cfg.Lab
	front := lab.FrontEnds[0].Address
	hosts := map[string][]netip.Addr{updatesName + "." + lab.SIPDomain: {front}}
	if p.on("update=refused") { // a computer that has no web services
		hosts[updatesName+"."+lab.SIPDomain] = []netip.Addr{lab.Network.Server}
	}
	for _, host := range lab.FrontEnds {
		hosts[host.FQDN] = []netip.Addr{host.Address}
		if lab.Pool != host.FQDN {
			hosts[lab.Pool] = append(hosts[lab.Pool], host.Address)
		}
	}
	hosts[lab.Web] = []netip.Addr{front}
	for _, host := range []*configs.Host{lab.Director, lab.Backup} {
		if host != nil {
			hosts[host.FQDN] = []netip.Addr{host.Address}
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
	if lab.Network.NTP == "srv" {
		services["_ntp._udp."+lab.SIPDomain] = []nameserver.Service{{Port: 123, Target: "ntp." + lab.SIPDomain}}
		hosts["ntp."+lab.SIPDomain] = []netip.Addr{lab.Network.Server}
	}
	if p.on("discovery=no-registrar") {
		services = nil
		delete(hosts, updatesName+"."+lab.SIPDomain)
	}
	return nameserver.Config{
		Station: station, Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now,
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

// startResponders starts the registrar's own answers to INFORM on each front end.
func (p *Pool) startResponders() error {
	lab := p.cfg.Lab
	if !p.cfg.Services.Inform || !lab.Registrar.EnableDHCPServer || lab.Network.DHCPOptions != "registrar" {
		return nil
	}
	for i, host := range lab.FrontEnds {
		responder, err := dhcpserver.StartResponder(dhcpserver.ResponderConfig{
			Station: p.fronts[i], Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now, Server: host.Address,
			Domain: lab.DNSDomain, Discovery: p.discovery(),
		})
		if err != nil {
			return err
		}
		p.keep(responder)
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
	names := []string{lab.Web, lab.Pool, updatesName + "." + lab.SIPDomain, lab.FrontEnds[0].FQDN}
	web, err := webservices.Start(webservices.Config{
		Station: station, Lab: lab, Host: lab.Web, Directory: p.Directory, Authority: p.Authority,
		Certificate: p.certificate("web", names), Faults: p.faults, Timeline: p.Timeline, Now: p.cfg.Now, KeyLog: p.cfg.KeyLog, Updates: handler,
	})
	if err != nil {
		return err
	}
	p.web = web
	p.keep(web)
	return nil
}

// startOtherRegistrars starts backup and Director.
func (p *Pool) startOtherRegistrars() error {
	lab := p.cfg.Lab
	home := []string{p.Registrars[0].Address()}
	if b := lab.Backup; b != nil {
		if err := p.startRegistrarAt(*b, nil); err != nil {
			return err
		}
		home = append(home, p.Registrars[len(p.Registrars)-1].Address())
	}
	if d := lab.Director; d != nil {
		return p.startRegistrarAt(*d, home)
	}
	return nil
}

func (p *Pool) startRegistrarAt(host configs.Host, home []string) error {
	station, err := p.joinAt(host.FQDN, p.cfg.Lab.Network.VoiceVLAN, host.Address, p.cfg.Lab.Network.Subnet)
	if err != nil {
		return err
	}
	return p.startRegistrar(station, host, home)
}

func (p *Pool) startRegistrar(station ethernet.Station, host configs.Host, home []string) error {
	server, err := registrar.Start(registrar.Config{
		Station: station, Host: host.FQDN, Home: home, Neighbour: p.neighbour(host.FQDN), Lab: p.cfg.Lab,
		Certificate: p.certificate("register", []string{host.FQDN, p.cfg.Lab.Pool}),
		STSURI:      p.web.CertProvURL(), Web: p.web.BaseURL(), Directory: p.Directory, Authority: p.Authority,
		Faults: p.faults, Timeline: p.Timeline, Now: p.cfg.Now, KeyLog: p.cfg.KeyLog,
	})
	if err != nil {
		return err
	}
	p.Registrars = append(p.Registrars, server)
	p.keep(server)
	return nil
}

// neighbour finds the address of another front end than the one named, when it is asked for; nil if there is none.
func (p *Pool) neighbour(of string) func() string {
	for i, host := range p.cfg.Lab.FrontEnds {
		if host.FQDN != of {
			return func() string { return p.Registrars[i].Address() }
		}
	}
	return nil
}

// certificate makes the server certificate when it is first asked for, as the faults of the stage want it.
func (p *Pool) certificate(stage string, names []string) func() (tls.Certificate, error) {
	return sync.OnceValues(func() (tls.Certificate, error) {
		return p.Authority.Server(names, authority.ServerOptions{
			Wildcard: p.on(stage + "=wildcard-certificate"), Expired: p.on(stage + "=certificate-expired"),
			NotYetValid: p.on(stage + "=certificate-not-yet-valid"), WrongName: p.on(stage + "=certificate-wrong-name"),
			Untrusted: p.on(stage + "=untrusted-chain"),
		})
	})
}

// on reports whether a fault without times is set.
func (p *Pool) on(name string) bool {
	_, ok := p.faults.On(name)
	return ok
}

func (p *Pool) joinAt(name string, vlan uint16, address netip.Addr, subnet netip.Prefix) (ethernet.Station, error) {
	station, err := p.join(name, ethernet.Port{Access: vlan})
	if err != nil {
		return nil, err
	}
	if err := station.SetAddress(netip.PrefixFrom(address, subnet.Bits()), netip.Addr{}); err != nil {
		return nil, fmt.Errorf("station %s: %w", name, err)
	}
	return station, nil
}

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
