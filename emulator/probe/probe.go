// Package probe looks at pools without signing anybody in. [Inspect] looks at what a pool shows to everybody, [Imitate]
// makes a lab of that. [Look] looks further after a boot that failed: does the name resolve, does the port answer, which TLS versions
// are spoken, is something wrong with the certificate, is the clock off, does INFORM answer, would the registrar have
// told the certificate provisioning URL. It uses the handset's own station, sends no credentials and takes five seconds
// at most.
package probe

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	atMost = 5 * time.Second
	each   = 2 * time.Second // for one answer
)

// Look looks further. There is nothing to look at where the handset has no address, where the pool refused the user, and
// where the boot was ended.
func Look(ctx context.Context, run *rig.Run, result report.Result) []report.Probe {
	v := run.Handset.Vantage()
	entry, ok := report.Lookup(devicestate.Code(result.Code))
	if !ok || entry.Fault == "user" || entry.Fault == "phone" || !v.HasAddress() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	run.Timeline.Add(timeline.Observation{Kind: timeline.Note, State: result.State, Text: "looking further"})
	l := look{place: place{v}, result: result}
	var hosts, informs, services []report.Probe
	var wg sync.WaitGroup
	wg.Go(func() { hosts = l.hosts(ctx) })
	if run.Discovers() {
		wg.Go(func() { services = l.services(ctx) })
		if result.Stage == devicestate.StageDiscovery || result.TargetURISource == "flash" { // else a server has just answered
			wg.Go(func() { informs = l.inform(ctx) })
		}
	}
	wg.Wait()
	return append(append(informs, services...), hosts...)
}

// place is where a look is taken from.
type place struct{ handset.Vantage }

type look struct {
	place
	result report.Result
}

func (l *look) probe(name, target string, ok bool, seen string) report.Probe {
	outcome := report.OK
	if !ok {
		outcome = report.Failed
	}
	return report.Probe{Name: name, Target: target, Outcome: outcome, Seen: seen}
}

// inform asks DHCP once more.
func (l *look) inform(ctx context.Context) []report.Probe {
	const target = "255.255.255.255:67"
	answers, err := l.Inform(ctx, each)
	if err != nil {
		return []report.Probe{{Name: "inform", Target: target, Outcome: report.Unknown, Seen: "not sent: " + err.Error()}}
	}
	if len(answers) == 0 {
		return []report.Probe{l.probe("inform", target, false, "nobody answered within "+each.String())}
	}
	var out []report.Probe
	for _, a := range answers {
		parts := []string{"registrar " + cmp.Or(a.Registrar, "none"), "URL " + cmp.Or(a.URL, "none")}
		for _, problem := range a.Problems {
			parts = append(parts, problem.Error())
		}
		out = append(out, l.probe("inform", a.Server.String(), a.Registrar != "" && a.URL != "", strings.Join(parts, ", ")))
	}
	return out
}

// services looks for the SRV record of registrars.
func (l *look) services(ctx context.Context) []report.Probe {
	domain := l.Domain()
	if domain == "" {
		return []report.Probe{{Name: "srv", Target: "_sipinternaltls._tcp", Outcome: report.Unknown, Seen: "no DNS domain is known: option 15"}}
	}
	name := "_sipinternaltls._tcp." + domain
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	list, err := l.Services(ctx, name)
	if err != nil {
		return []report.Probe{l.probe("srv", name, false, err.Error())}
	}
	ok, parts := true, []string{}
	for _, s := range list {
		text := s.Target + ":" + strconv.Itoa(int(s.Port))
		if !strings.HasSuffix("."+s.Target, "."+domain) {
			text += " is outside " + domain
			ok = ok && !l.Profile().StrictNaming
		}
		parts = append(parts, text)
	}
	return []report.Probe{l.probe("srv", name, ok, strings.Join(parts, ", "))}
}

// endpoint is a port of a host.
type endpoint struct {
	host      string
	port      uint16
	addresses []netip.Addr
}

func (e endpoint) String() string { return e.host + ":" + strconv.Itoa(int(e.port)) }

// hosts looks at the web services and the registrar.
func (l *look) hosts(ctx context.Context) []report.Probe {
	registrar := endpoint{}
	registrar.host, registrar.port = l.Registrar()
	web := endpoint{host: registrar.host, port: 443} // without a URL: one server may be both
	if u, err := url.Parse(l.result.TargetURI); err == nil && u.Hostname() != "" {
		web.host = u.Hostname()
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			web.port = uint16(n)
		}
	}
	var out []report.Probe
	found := map[string][]netip.Addr{}
	for _, host := range []string{web.host, registrar.host} {
		if _, known := found[host]; known || host == "" {
			continue
		}
		probe, addresses := l.resolve(ctx, host)
		found[host] = addresses
		out = append(out, probe)
	}
	web.addresses, registrar.addresses = found[web.host], found[registrar.host]
	plain := endpoint{web.host, 80, web.addresses}

	var lists [3][]report.Probe
	var answered bool
	var date time.Time
	var wg sync.WaitGroup
	wg.Go(func() { lists[0], date = l.plain(ctx, plain) })
	wg.Go(func() { lists[1], _ = l.secured(ctx, web) })
	if registrar.host != "" {
		wg.Go(func() { lists[2], answered = l.secured(ctx, registrar) })
	}
	wg.Wait()
	for _, list := range lists {
		out = append(out, list...)
	}
	out = append(out, l.clock(date))
	if answered {
		out = append(out, l.stsURI(ctx, registrar)...)
	}
	return out
}

func (l *look) resolve(ctx context.Context, host string) (report.Probe, []netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	addresses, err := l.Resolve(ctx, host)
	if err != nil {
		return l.probe("resolve", host, false, err.Error()), nil
	}
	var parts []string
	for _, a := range addresses {
		parts = append(parts, a.String())
	}
	return l.probe("resolve", host, true, strings.Join(parts, ", ")), addresses
}

// stsURI asks the registrar for the URL, where the URL is what is missing or leads nowhere.
func (l *look) stsURI(ctx context.Context, registrar endpoint) []report.Probe {
	switch l.result.Stage {
	case devicestate.StageDiscovery, devicestate.StageChain, devicestate.StageTicket, devicestate.StageEnroll:
	default:
		return nil
	}
	if l.result.TargetURISource == "sts-uri" {
		return nil
	}
	told := l.STSURI(ctx, registrar.host, registrar.port, registrar.addresses)
	switch {
	case told == "":
		return []report.Probe{l.probe("sts-uri", registrar.String(), false, "the registrar's challenge names no URL")}
	case told == l.result.TargetURI:
		return []report.Probe{l.probe("sts-uri", registrar.String(), true, "the registrar's challenge names the same URL")}
	}
	return []report.Probe{{
		Name: "sts-uri", Target: registrar.String(), Outcome: report.Helps,
		Seen: "the registrar's challenge names " + told + ", which --target-fqdn " + registrar.host + " takes",
	}}
}
