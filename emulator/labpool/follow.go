package labpool

import (
	"errors"
	"strings"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/dhcpserver"
)

// follow makes of the pool what its faults and its configuration say now. What the services themselves ask at each use
// needs nothing. The lock of changes is held.
func (p *Pool) follow() error {
	for _, step := range []func() error{
		p.followPorts, p.followResponders, p.followDiscovery, p.followUsers, p.followSquatter, p.followCarrier,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// followPorts opens and closes the ports of web services and registrars.
func (p *Pool) followPorts() error {
	errs := []error{p.web.UpdatePorts()}
	down := p.on("register=pool-down")
	p.primary.beats(!down, p.cfg.Now())
	for i, r := range p.Registrars {
		switch {
		case down && i < len(p.cfg.Lab.FrontEnds):
			errs = append(errs, r.Stop())
		case p.on("register=refused"):
			errs = append(errs, r.Refuse())
		default:
			errs = append(errs, r.Listen())
		}
	}
	return errors.Join(errs...)
}

// followResponders starts or ends the registrars' own answers to INFORM.
func (p *Pool) followResponders() error {
	wanted := p.cfg.Services.Inform && p.settings.Registrar().EnableDHCPServer
	switch {
	case wanted && len(p.responders) == 0:
		return p.startResponders()
	case !wanted:
		return p.endResponders()
	}
	return nil
}

func (p *Pool) endResponders() error {
	var errs []error
	for _, r := range p.responders {
		errs = append(errs, r.Close())
	}
	p.responders = nil
	return errors.Join(errs...)
}

// startResponders starts them on each front end.
func (p *Pool) startResponders() error {
	lab := p.cfg.Lab
	for i, host := range lab.FrontEnds {
		responder, err := dhcpserver.StartResponder(dhcpserver.ResponderConfig{
			Station: p.fronts[i], Timeline: p.Timeline, Faults: p.faults, Clock: p.cfg.Now, Server: p.addresses[host.FQDN],
			Domain: lab.DNSDomain, Discovery: p.discovery(),
		})
		if err != nil {
			return errors.Join(err, p.endResponders())
		}
		p.responders = append(p.responders, responder)
		p.listens(ServiceDHCP, host.FQDN, responder.Port())
		if _, shared := p.fronts[i].(ethernet.Computer); shared {
			break // one computer, one port: the other front ends would answer the same
		}
	}
	return nil
}

// followDiscovery tells the servers of the network what handsets find.
func (p *Pool) followDiscovery() error {
	var errs []error
	for _, r := range p.responders {
		errs = append(errs, r.SetDiscovery(p.discovery()))
	}
	if p.cfg.Lab.Network.DHCPOptions == "enterprise" {
		for _, s := range p.dhcp {
			errs = append(errs, s.SetDiscovery(p.discovery()))
		}
	}
	if p.names != nil {
		errs = append(errs, p.names.Update(p.zone()))
	}
	return errors.Join(errs...)
}

// followUsers gives users the states of faults and takes them away.
func (p *Pool) followUsers() error {
	var errs []error
	for name, reason := range userFaults {
		had, want := p.struck[name], ""
		if p.on(name) {
			want = p.meant[name]
		}
		if had == want {
			continue
		}
		if had != "" {
			errs = append(errs, p.Directory.Strike(had, reason, false))
		}
		if want != "" {
			errs = append(errs, p.Directory.Strike(want, reason, true))
		}
		p.struck[name] = want
	}
	return errors.Join(errs...)
}

// followSquatter plugs in the station that has the first lease's address, or takes it out.
func (p *Pool) followSquatter() error {
	n := p.cfg.Lab.Network
	on := p.on("address=duplicate")
	switch {
	case on && p.squatter == nil:
		station, err := p.stationAt("squatter", n.VoiceVLAN, n.FirstLease, n.Subnet)
		if err != nil {
			return err
		}
		p.squatter = station
	case !on && p.squatter != nil:
		station := p.squatter
		p.squatter = nil
		return station.Close()
	}
	return nil
}

// followCarrier takes the link of the handsets' ports away or gives it back.
func (p *Pool) followCarrier() error {
	on := p.on("link=no-carrier")
	if cable, ok := p.cfg.Cable.(Switch); ok && on != p.unplugged {
		p.unplugged = on
		for _, name := range p.handsets {
			cable.SetCarrier(name, !on)
		}
	}
	return nil
}

// ApplyCableFaults lets the faults of the cable strike the named station's port, now and when they change.
func (p *Pool) ApplyCableFaults(station string) {
	p.changing.Lock()
	defer p.changing.Unlock()
	p.handsets = append(p.handsets, station)
	if cable, ok := p.cfg.Cable.(Switch); ok && p.on("link=no-carrier") {
		cable.SetCarrier(station, false)
	}
}

// misses says why a fault has nothing to strike in this pool, "" if it has.
func (p *Pool) misses(name string) string {
	_, isSwitch := p.cfg.Cable.(Switch)
	lab, brings := p.cfg.Lab, p.cfg.Services
	stage, _, _ := strings.Cut(name, "=")
	switch {
	case name == "link=no-carrier" && !isSwitch:
		return "the cable of a handset is a real one, to be unplugged by hand"
	case name == "link=silent" && !isSwitch && !(p.cfg.Wire && brings.Leases):
		return "LLDP is spoken by the network that the pool is on"
	case stage == "vlan" && !isSwitch && !brings.Leases:
		return "VLANs are offered by the network that the pool is on"
	case stage == "address" && !brings.Leases:
		return "it leases no addresses"
	case stage == "dns" && !brings.Names:
		return "it has no name server"
	case stage == "time" && (!brings.Time || lab.Network.NTP == "none"):
		return "it has no time server"
	case stage == "discovery" && !brings.Inform && !(brings.Leases && lab.Network.DHCPOptions == "enterprise"):
		return "it answers no DHCPINFORM"
	case name == "update=refused" && !brings.Names:
		return "it has no name server to name another computer"
	case name == "update=refused" && p.addresses[p.network] == p.addresses[lab.FrontEnds[0].FQDN]:
		return "all of it is on one address, so that no other computer can be named"
	}
	return ""
}
