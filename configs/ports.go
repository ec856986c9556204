package configs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
)

// Port is one line of the firewall list of a profile. What a server answers to the address and port that asked is not
// listed; answers of DHCP are, for they may come from another address or as broadcast. LLDP has no port.
type Port struct {
	Protocol   string              `json:"protocol"`  // udp or tcp
	Port       uint16              `json:"port"`      // the server's for out, the handset's for in
	Direction  string              `json:"direction"` // out: the handset begins; in: it is spoken to
	Stages     []devicestate.Stage `json:"stages"`    // in which it begins
	For        string              `json:"for"`
	Provenance Provenance          `json:"provenance"` // that such a handset does it
	Source     string              `json:"source"`
}

// What no fact of a profile says.
const (
	leaseSource  = "OCS 2007 R2 Resource Kit, page 142: DHCP is the only way to give the phone an address"
	chainSource  = "blog.schertz.name 2012/12: the phone downloads the root chain over HTTP, port 80"
	webSource    = "Lync Server 2010, Configuring DHCP Options (learn gg398088): https://POOL:443/CertProv/CertProvisioningService.svc; option 43 may name another port"
	updateSource = "TechNet dd441234: a request over port 443 with the version that the phone runs; at power-on, at sign-in and every 24 hours"
	imageSource  = "no answer of the device update service is published; that it offers an http URL is inferred"
	dnsSource    = "RFC 7766, 5: a resolver asks again over TCP when the answer does not fit into a datagram; whether the phone's does is unknown"
	sipSource    = "OCS 2007 R2 Communicator Phone Edition: the A names are tried on 5061; an SRV record may name another port, 443 at an Edge"
)

// Ports is what a handset of this profile sends and needs, in boot order.
func (p *Profile) Ports() []Port {
	vlan := p.portOf("vlan.class", "udp", 67, devicestate.StageVlan, "DHCP of class %s, when LLDP gives no VLAN", p.VLANClass)
	lease := Port{"udp", 67, "out", []devicestate.Stage{devicestate.StageAddress}, "DHCP, the lease, also when it is renewed", Sourced, leaseSource}
	inform := p.portOf("inform.class", "udp", 67, devicestate.StageDiscovery, "DHCPINFORM of class %s", p.InformClass)
	registrars := p.portOf("discovery.order", "udp", 53, devicestate.StageDiscovery, "DNS, registrars, and where they redirect to")
	registrars.Stages = append(registrars.Stages, devicestate.StageRegister)
	update := []devicestate.Stage{devicestate.StageUpdate}
	ticket := []devicestate.Stage{devicestate.StageTicket, devicestate.StageEnroll}
	updates := fmt.Sprintf("https, device updates: before the sign-in, after it, then every %s", span(p.UpdateInterval))

	ports := []Port{
		vlan, vlan.answers("answers of the DHCP server"),
		lease, lease.answers("answers of the DHCP server"),
		p.portOf("update.host", "udp", 53, devicestate.StageUpdate, "DNS, the device update service %s.DOMAIN", p.UpdateName),
		{"tcp", 443, "out", update, updates, Sourced, updateSource},
		{"tcp", 80, "out", update, "http, download of an offered image", Inferred, imageSource},
	}
	ports = append(ports, p.timePorts()...)
	ports = append(
		ports,
		inform, inform.answers("answers of a DHCP server, of a registrar too"),
		registrars,
		Port{"udp", 53, "out", append([]devicestate.Stage{devicestate.StageChain}, ticket...), "DNS, the web services", Sourced, webSource},
		Port{"tcp", 80, "out", []devicestate.Stage{devicestate.StageChain}, "http, the root chain, anonymous", Sourced, chainSource},
		Port{"tcp", 443, "out", ticket, "https, web ticket and certificate", Sourced, webSource},
		Port{"tcp", 5061, "out", []devicestate.Stage{devicestate.StageRegister}, "SIP over TLS, one connection for all that follows", Sourced, sipSource},
	)
	overTCP := func(entry string) bool { return strings.HasSuffix(entry, "-tcp") }
	if p.SecurityMode != "High" && slices.ContainsFunc(slices.Concat(p.DiscoveryOrder, p.DiscoveryOrderKnown), overTCP) {
		ports = append(ports, p.portOf("sip.security_mode", "tcp", 5060, devicestate.StageRegister,
			"SIP without TLS, after the candidates with it: security mode %s", p.SecurityMode))
	}
	return withDNSOverTCP(ports)
}

// withDNSOverTCP adds what may follow each question to a name server.
func withDNSOverTCP(ports []Port) []Port {
	var all []Port
	for _, port := range ports {
		all = append(all, port)
		if port.Protocol == "udp" && port.Port == 53 {
			port.Protocol, port.For, port.Provenance, port.Source = "tcp", "DNS again, when the answer is truncated", Inferred, dnsSource
			all = append(all, port)
		}
	}
	return all
}

// portOf is a port that the handset uses because of a fact.
func (p *Profile) portOf(fact, protocol string, port uint16, stage devicestate.Stage, format string, args ...any) Port {
	i := slices.IndexFunc(p.Facts, func(f Fact) bool { return f.Name == fact })
	return Port{protocol, port, "out", []devicestate.Stage{stage}, fmt.Sprintf(format, args...), p.Facts[i].Provenance, p.Facts[i].Source}
}

// answers is the way back of DHCP.
func (p Port) answers(from string) Port {
	p.Port, p.Direction, p.For = 68, "in", from
	return p
}

// timePorts name the servers that are asked: the last one is on the internet.
func (p *Profile) timePorts() []Port {
	var ports []Port
	var servers []string
	for _, source := range p.TimeSources {
		switch source {
		case "option42":
			servers = append(servers, "option 42")
		case "srv":
			servers = append(servers, "SRV _ntp._udp")
		case "fallback":
			servers = append(servers, p.TimeFallback)
		}
	}
	if slices.ContainsFunc(p.TimeSources, func(s string) bool { return s != "option42" }) {
		ports = append(ports, p.portOf("time.sources", "udp", 53, devicestate.StageTime, "DNS, the time server"))
	}
	return append(ports, p.portOf("time.sources", "udp", 123, devicestate.StageTime,
		"SNTP, the first that answers of %s", strings.Join(servers, ", ")))
}

// PortTable is the firewall list as text: a line a port, a second one with where it comes from.
func (p *Profile) PortTable() string {
	var b strings.Builder
	width := 0
	for _, port := range p.Ports() {
		width = max(width, len(port.stages()))
	}
	for _, port := range p.Ports() {
		fmt.Fprintf(&b, "%s  %-4d  %-3s  %-*s  %s\n", port.Protocol, port.Port, port.Direction, width, port.stages(), port.For)
		fmt.Fprintf(&b, "%-*s  %s: %s\n", len("udp  5061  out  ")+width, "", port.Provenance, port.Source)
	}
	return b.String()
}

func (p Port) stages() string {
	var names []string
	for _, s := range p.Stages {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}
