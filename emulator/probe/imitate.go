package probe

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// ErrNothingSeen means that there is nothing to imitate.
var ErrNothingSeen = errors.New("neither registrar nor web services were seen: there is nothing that a lab could imitate")

// imitatedLab is a lab of which all that is seen of a pool is then changed: network and user are invented.
const imitatedLab = `edition: standard
sip_domain: %[1]q
dns_domain: %[1]q
pool: %[2]q
web: %[2]q
front_ends: [{fqdn: %[2]q, address: 10.99.0.10}]
network:
  subnet: 10.99.0.0/24
  gateway: 10.99.0.1
  server: 10.99.0.1
  first_lease: 10.99.0.20
  leases: 200
  lldp_policy: untagged
  dscp: 46
  dhcp_options: registrar
  ntp: option42
registrar: {enable_dhcp_server: true}
users:
  - {name: first, sip: "sip:first@%[1]s", line: "tel:+12065550119;ext=1219", pin: "59371", login: 'LAB\first', password: Lab-2013}
`

// Imitate writes a lab file that imitates an inspected pool as far as a lab can; comments in it say where it does not.
func Imitate(i report.Inspection) ([]byte, error) {
	sip, web := i.Port(report.InspectedSIP), i.Port(report.InspectedWeb)
	if len(sip.Certificates) == 0 && len(web.Certificates) == 0 {
		return nil, ErrNothingSeen
	}
	m := imitation{Inspection: i, sip: sip, web: web}
	m.says("Imitates %s as 'lpe pool inspect' saw it at %s. Network, user, PIN and password are invented.", sip.Host, i.At.UTC().Format(time.RFC3339))
	m.says("Seen: https at port %d, sip-tls at port %d; a lab has the well-known ports, or those that 'lpe pool serve' names.", web.Port, sip.Port)
	lab, err := configs.ParseLab("imitation", fmt.Appendf(nil, imitatedLab, m.domain(), sip.Host))
	if err != nil {
		return nil, fmt.Errorf("a lab for %s: %w", sip.Host, err)
	}
	m.Lab = lab
	m.names()
	m.trust()
	m.switches()
	m.leftOver()
	text := lab.Format(m.comments...)
	if _, err := configs.ParseLab("imitation", text); err != nil {
		return nil, fmt.Errorf("a lab for %s: %w", sip.Host, err)
	}
	return text, nil
}

// imitation is a lab that is being made.
type imitation struct {
	report.Inspection
	sip, web report.InspectedPort
	comments []string

	*configs.Lab
}

func (m *imitation) says(format string, args ...any) {
	m.comments = append(m.comments, fmt.Sprintf(format, args...))
}

// domain is the SIP domain: the one that a name of device updates or of registrars tells (discovery.md §1.5), else the
// domain of the registrar.
func (m *imitation) domain() string {
	for _, port := range []report.InspectedPort{m.web, m.sip} {
		for _, name := range leafNames(port) {
			for _, prefix := range []string{"ucupdates-r2.", "sip."} {
				if domain, ok := strings.CutPrefix(strings.ToLower(name), prefix); ok && configs.IsFQDN(domain) {
					return domain
				}
			}
		}
	}
	if domain := domainOf(m.sip.Host); configs.IsFQDN(domain) {
		return domain
	}
	return m.sip.Host
}

func leafNames(p report.InspectedPort) []string {
	if len(p.Certificates) == 0 {
		return nil
	}
	return p.Certificates[0].Names
}

// names takes the names of machines, and those in the certificates where a lab would have others.
func (m *imitation) names() {
	if host := strings.ToLower(m.web.Host); configs.IsFQDN(host) {
		m.Web = host
	}
	if s, ok := m.scheme(); ok && configs.IsFQDN(strings.ToLower(s.TargetName)) && strings.ToLower(s.TargetName) != m.Pool {
		m.Edition, m.FrontEnds[0].FQDN = "enterprise", strings.ToLower(s.TargetName)
	}
	m.Lab.Certificates.Web = m.otherNames("web services", m.web, m.Lab.WebNames())
	m.Lab.Certificates.Registrar = m.otherNames("registrar", m.sip, m.Lab.RegistrarNames(m.FrontEnds[0]))
}

func (m *imitation) otherNames(of string, p report.InspectedPort, names []string) []string {
	if len(p.Certificates) == 0 {
		return nil
	}
	var out []string
	for _, name := range leafNames(p) {
		if name = strings.ToLower(name); configs.IsFQDN(strings.TrimPrefix(name, "*.")) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		m.says("Not imitated: the certificate of the %s has no DNS name.", of)
		return nil
	}
	if maps.Equal(set(out), set(names)) {
		return nil
	}
	return out
}

func set(list []string) map[string]bool {
	out := map[string]bool{}
	for _, text := range list {
		out[text] = true
	}
	return out
}

// scheme is the challenge of TLS-DSK.
func (m *imitation) scheme() (report.InspectedScheme, bool) {
	if m.Challenge != nil {
		for _, s := range m.Challenge.Schemes {
			if s.Name == tlsdsk.Scheme {
				return s, true
			}
		}
	}
	return report.InspectedScheme{}, false
}

// trust takes TLS and the make of the certificates.
func (m *imitation) trust() {
	seen := m.web
	if len(seen.Certificates) == 0 {
		seen = m.sip
	}
	web := m.tls(seen)
	m.TLSMin, m.TLSMax, m.TLSSuites = web.Min, web.Max, web.Suites
	if sip := m.tls(m.sip); len(m.sip.Certificates) > 0 && (sip.Min != web.Min || sip.Max != web.Max || !slices.Equal(sip.Suites, web.Suites)) {
		m.SIPTLS = &sip
	}
	leaf := seen.Certificates[0]
	m.PKI.Signature = "sha256"
	if strings.HasPrefix(leaf.Signature, "SHA1") {
		m.PKI.Signature = "sha1"
	} else if leaf.Signature != "SHA256-RSA" {
		m.says("Not imitated: the certificate is signed with %s.", leaf.Signature)
	}
	if m.PKI.KeyBits = min(max(leaf.Bits, 1024), 4096); leaf.Bits != m.PKI.KeyBits {
		m.says("Not imitated: the certificate's key is %s.", leaf.Key)
	}
	between := func(c report.InspectedCertificate) bool { return !c.SelfSigned }
	m.PKI.Intermediate = slices.ContainsFunc(seen.Certificates[1:], between) || slices.ContainsFunc(m.RootChain.Certificates, between)
}

// tls is what a port speaks, the suites left out if they are those of every lab.
func (m *imitation) tls(p report.InspectedPort) configs.TLS {
	spoken := p.Spoken()
	if len(spoken) == 0 {
		return configs.TLS{Min: m.TLSMin, Max: m.TLSMax}
	}
	t := configs.TLS{Min: spoken[0], Max: spoken[len(spoken)-1]}
	if gap := len(versionsWithin(t)) - len(spoken); gap > 0 {
		m.says("Not imitated: of the versions from %s to %s, %s speaks %s.", t.Min, t.Max, p, strings.Join(spoken, ", "))
	}
	if p.NeedsServerName {
		m.says("Not imitated: %s takes only who names the host in the hello (SNI).", p)
	}
	for _, suite := range p.Suites {
		if configs.IsLabSuite(suite) {
			t.Suites = append(t.Suites, suite)
		} else {
			m.says("Not imitated: %s takes %s.", p, suite)
		}
	}
	if maps.Equal(set(t.Suites), set(t.UsableSuites())) {
		t.Suites = nil
	}
	return t
}

func versionsWithin(t configs.TLS) []string {
	var out []string
	for _, v := range versions {
		if v.name >= t.Min && v.name <= t.Max {
			out = append(out, v.name)
		}
	}
	return out
}

// switches takes what the pool offers.
func (m *imitation) switches() {
	w := &m.WebServices
	if tickets := m.Service(webTicket); len(tickets.Ports) > 0 {
		var meta soap.Metadata
		for _, p := range tickets.Ports {
			meta.Ports = append(meta.Ports, soap.Port{Name: p.Name, Location: p.Location})
		}
		offered := func(choose func(soap.Metadata) (soap.Port, error)) bool { _, err := choose(meta); return err == nil }
		w.UsePINAuth, w.UseCertificateAuth = offered(webticket.PINPort), offered(webticket.CertificatePort)
		w.WindowsAuth = "off"
		if offered(webticket.WindowsPort) {
			w.WindowsAuth = "ntlm"
		}
	}
	get, transfer := m.answers("get"), m.answers("transfer")
	switch {
	case get && !transfer:
		w.Metadata = "get"
	case transfer && !get:
		w.Metadata = "transfer"
	}
	w.EnableCertChainDownload = !slices.ContainsFunc(m.Findings, func(f report.Finding) bool { return f.Code == "chain.off" })
	if m.Challenge == nil {
		return
	}
	if server := m.Challenge.Server; slices.Contains(configs.RegistrarServers(), server) {
		m.Lab.Registrar.Server = server
	} else {
		m.says("Not imitated: the registrar's Server header is %q.", server)
	}
	for _, s := range m.Challenge.Schemes {
		if s.Name != tlsdsk.Scheme {
			m.says("Not imitated: the registrar offers %s too.", s.Name)
			continue
		}
		if s.Realm != tlsdsk.Realm {
			m.says("Not imitated: the realm is %q.", s.Realm)
		}
		if s.Version != strconv.Itoa(tlsdsk.Version) {
			m.says("Not imitated: version %q of TLS-DSK.", s.Version)
		}
		if s.STSURI != "" && !sameService(s.STSURI, "https://"+m.web.String()+defaultPath) {
			m.says("Not imitated: sts-uri is %s.", s.STSURI)
		}
	}
}

// answers reports whether both services answer a form.
func (m *imitation) answers(form string) bool {
	for _, s := range m.Services {
		for _, f := range s.Forms {
			if f.Form == form && !f.OK {
				return false
			}
		}
	}
	return len(m.Services) > 0
}

// imitated are the obstacles that the lab has of itself.
var imitated = []string{
	"wildcard-certificate", "certificate-wrong-name", "tls-version", "tls-failed", "pin-not-offered", "windows-off", "certificate-not-offered", "off",
}

// leftOver names the faults that make the obstacles which the lab has not got.
func (m *imitation) leftOver() {
	faults, err := configs.Faults()
	if err != nil {
		return
	}
	for _, f := range m.Findings {
		_, kind, _ := strings.Cut(f.Code, ".")
		if !f.Stops || slices.Contains(imitated, kind) {
			continue
		}
		text := "no fault of a lab makes it"
		for _, fault := range faults {
			if fault.Code == f.Code {
				text = "--fault " + fault.Name + " makes it"
				break
			}
		}
		m.says("Not imitated: %s at %s; %s.", f.Code, f.Where, text)
	}
}
