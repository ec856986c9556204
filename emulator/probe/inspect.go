package probe

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

const (
	httpPort    = 80
	httpsPort   = 443
	sipTLSPort  = 5061
	defaultPath = "/CertProv/CertProvisioningService.svc"
)

// patience is for one connection, handshake and all. The handset's own for what it asks is the profile's.
const patience = 6 * time.Second

// Subject is the pool that is looked at.
type Subject struct {
	Registrar string // FQDN
	URL       string // https, of certificate provisioning, "": the one that the registrar names, else the default path
	SIPPort   uint16 // 0: 5061
	HTTPPort  uint16 // of the root chain, 0: 80
}

// Inspect looks at what a pool shows to everybody and judges it as a handset of the profile of o would. Nobody is signed
// in and no credentials are sent. What does not answer is a finding. The Timeout of o bounds it all.
func Inspect(ctx context.Context, o rig.Options, s Subject) (report.Inspection, error) {
	if s.SIPPort == 0 {
		s.SIPPort = sipTLSPort
	}
	if s.HTTPPort == 0 {
		s.HTTPPort = httpPort
	}
	o.Target, o.Credentials = handset.Target{FQDN: s.Registrar, Port: s.SIPPort}, handset.Credentials{}
	run, err := rig.Start(o)
	if err != nil {
		return report.Inspection{}, err
	}
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	i := &inspection{place: place{run.Handset.Vantage()}, subject: s, authorities: len(o.Authorities) > 0, over: func() bool { return false }}
	if err = run.PowerOn(); err == nil {
		err = i.look(ctx, run.Handset)
	}
	return i.out, errors.Join(err, run.Close())
}

// inspection is one that is being made.
type inspection struct {
	place
	out         report.Inspection
	subject     Subject
	authorities bool        // were given
	over        func() bool // the time: what fails now says nothing of the pool

	seen [2]portSeen // registrar, web
}

func (i *inspection) look(ctx context.Context, h *handset.Handset) error {
	p := i.Profile()
	i.out = report.Inspection{
		Schema: report.InspectionSchema, At: report.Time{Time: time.Now()}, Profile: p.Name, TLS: versionsOf(p),
		RootChain: report.InspectedChain{Certificates: []report.InspectedCertificate{}}, Services: []report.InspectedService{}, Findings: []report.Finding{},
	}
	arrived, err := h.Arrive(ctx)
	switch {
	case err != nil:
		return err
	case !arrived:
		i.finding(report.FindingPartial, true, "network", "the handset got no address")
		return nil
	}
	i.SetClock()
	i.over = func() bool { return expired(ctx) }
	for _, step := range []func(context.Context){i.registrar, i.webServices, i.judge} {
		if !i.over() {
			step(ctx)
		}
	}
	if i.over() {
		i.over = func() bool { return false }
		i.finding(report.FindingPartial, true, "inspection", "the time was over before everything was looked at")
	}
	i.out.WouldSignIn = true
	for _, f := range i.out.Findings {
		i.out.WouldSignIn = i.out.WouldSignIn && !f.Stops
	}
	return nil
}

// expired reports whether the time is over: sockets end with the deadline, which the context may tell a little later.
func expired(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(end)
}

// finding adds one, once.
func (i *inspection) finding(code string, stops bool, where, seen string) {
	if i.over() {
		return
	}
	f := report.NewFinding(code, stops, where, seen)
	for _, other := range i.out.Findings {
		if other.Code == f.Code && other.Where == f.Where && other.Seen == f.Seen {
			return
		}
	}
	i.out.Findings = append(i.out.Findings, f)
}

// failed adds what a boot would end with.
func (i *inspection) failed(f *handset.Failure, where string) {
	i.finding(string(f.Code), true, where, f.Detail())
}

// registrar looks at the port for SIP and asks for a challenge.
func (i *inspection) registrar(ctx context.Context) {
	seen := i.port(ctx, report.InspectedSIP, i.subject.Registrar, i.subject.SIPPort, devicestate.StageRegister)
	i.seen[0] = seen
	if !seen.open.IsValid() && i.subject.URL != "" {
		i.out.Findings = nil // of this port: another host may be the registrar
		i.finding(report.FindingNoRegistrar, false, seen.String(), "no registrar answers there")
	}
	if !seen.readable() {
		return
	}
	i.AnyTLS(!seen.Handset.OK)
	defer i.AnyTLS(false)
	answer, failure := i.Vantage.Challenge(ctx, seen.Host, seen.Port, []netip.Addr{seen.open.Addr()})
	if failure != nil {
		i.failed(failure, seen.String())
	}
	if answer != nil {
		i.out.Challenge = newChallenge(answer)
	}
	if failure == nil {
		i.takeName(seen.InspectedPort)
		i.judgeSTSURI(i.seen[0].String(), stsURI(i.out.Challenge))
	}
}

// takeName lets the registrar say what it is called where nobody has: the host of a URL is that of the web services.
func (i *inspection) takeName(port report.InspectedPort) {
	if i.subject.URL == "" {
		return
	}
	for _, s := range i.out.Challenge.Schemes {
		if s.TargetName == "" || strings.EqualFold(s.TargetName, port.Host) {
			continue
		}
		i.finding(report.FindingOtherRegistrar, false, port.String(), "the registrar there calls itself "+s.TargetName)
		i.subject.Registrar, i.seen[0].Host, i.out.Ports[0].Host = s.TargetName, s.TargetName, s.TargetName
		return
	}
}

const maxSchemes = 16 // of one challenge that are told

func newChallenge(c *handset.Challenge) *report.InspectedChallenge {
	out := &report.InspectedChallenge{Status: c.Status, Reason: report.Clip(c.Reason), Server: report.Clip(c.Server), Schemes: []report.InspectedScheme{}}
	for _, s := range c.Schemes[:min(len(c.Schemes), maxSchemes)] {
		one := report.InspectedScheme{
			Name: report.Clip(s.Name), Realm: report.Clip(s.Realm), TargetName: report.Clip(s.TargetName), Version: report.Clip(s.Version), STSURI: report.Clip(s.STSURI),
		}
		if s.Err != nil {
			one.Seen = report.Clip(s.Err.Error())
		}
		out.Schemes = append(out.Schemes, one)
	}
	return out
}

func stsURI(c *report.InspectedChallenge) string {
	if c == nil {
		return ""
	}
	for _, s := range c.Schemes {
		if s.STSURI != "" {
			return s.STSURI
		}
	}
	return ""
}

// judgeSTSURI compares the URL that the registrar names with the one that was given, and with the registrar's name.
func (i *inspection) judgeSTSURI(where, told string) {
	if told == "" {
		i.finding(report.FindingNoSTSURI, false, where, "the challenge of TLS-DSK names no sts-uri")
		return
	}
	u, err := url.Parse(told)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		i.finding(report.FindingElsewhere, false, where, "sts-uri "+told+" is no https URL")
	case i.subject.URL != "" && !sameService(told, i.subject.URL):
		i.finding(report.FindingElsewhere, false, where, "sts-uri is "+told+", not "+i.subject.URL)
	case !strings.EqualFold(domainOf(u.Hostname()), domainOf(i.subject.Registrar)):
		i.finding(report.FindingElsewhere, false, where, "sts-uri "+told+" is not in the domain of the registrar, "+domainOf(i.subject.Registrar))
	}
}

func domainOf(host string) string {
	_, domain, _ := strings.Cut(host, ".")
	return domain
}

// sameService compares two URLs as IIS does: without case, and with the port that the scheme has of itself.
func sameService(a, b string) bool {
	one, err1 := url.Parse(a)
	other, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && strings.EqualFold(one.Scheme, other.Scheme) && strings.EqualFold(one.Hostname(), other.Hostname()) &&
		portOf(one) == portOf(other) && strings.EqualFold(strings.TrimRight(one.Path, "/"), strings.TrimRight(other.Path, "/"))
}

func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "http" {
		return httpPort
	}
	return httpsPort
}

// certURL is where the web services are looked at.
func (i *inspection) certURL() (text, source string) {
	told := stsURI(i.out.Challenge)
	u, err := url.Parse(told)
	switch {
	case i.subject.URL != "":
		return i.subject.URL, "given"
	case err == nil && u.Scheme == "https" && u.Hostname() != "":
		return told, "sts-uri"
	}
	return "https://" + i.subject.Registrar + ":443" + defaultPath, "default-path"
}
