package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
)

// portSeen is a port with TLS as it was seen.
type portSeen struct {
	report.InspectedPort
	stage devicestate.Stage
	open  netip.AddrPort // invalid: no address answers
	chain []*x509.Certificate
}

// readable reports whether some handshake was had.
func (p portSeen) readable() bool { return len(p.chain) > 0 }

func (p portSeen) code(kind string) string { return string(devicestate.NewCode(p.stage, kind)) }

// port looks at a port with TLS: addresses, versions, suites and certificates. Findings are of what does not answer.
func (i *inspection) port(ctx context.Context, service, host string, number uint16, stage devicestate.Stage) portSeen {
	seen := portSeen{stage: stage, InspectedPort: report.InspectedPort{
		Service: service, Host: host, Port: number,
		Addresses: []report.InspectedAddress{}, Versions: []report.InspectedHandshake{}, Suites: []string{}, Certificates: []report.InspectedCertificate{},
	}}
	i.reach(ctx, &seen)
	if seen.open.IsValid() {
		i.shakes(ctx, &seen)
	}
	i.out.Ports = append(i.out.Ports, seen.InspectedPort)
	return seen
}

// reach resolves the name and knocks at its addresses.
func (i *inspection) reach(ctx context.Context, seen *portSeen) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	addresses, err := i.Resolve(ctx, seen.Host)
	if err != nil {
		seen.Unresolved = report.Clip(err.Error())
		i.finding(seen.code("unresolved"), true, seen.String(), err.Error())
		return
	}
	addresses, errs := i.knock(ctx, endpoint{seen.Host, seen.Port, addresses})
	var silent []string
	for n, a := range addresses {
		one := report.InspectedAddress{Address: a.String(), Answers: errs[n] == nil}
		if errs[n] == nil && !seen.open.IsValid() {
			seen.open = netip.AddrPortFrom(a, seen.Port)
		}
		if errs[n] != nil {
			one.Seen = report.Clip(reason(errs[n]))
			silent = append(silent, one.Address+": "+one.Seen)
		}
		seen.Addresses = append(seen.Addresses, one)
	}
	switch text := strings.Join(silent, ", "); {
	case !seen.open.IsValid():
		i.finding(seen.code(i.closedKind(seen.stage, errs)), true, seen.String(), text)
	case text != "":
		i.finding(report.FindingAddress, false, seen.String(), text)
	}
}

// closedKind is the kind of failure of a port that does not answer.
func (i *inspection) closedKind(stage devicestate.Stage, errs []error) string {
	refused := slices.ContainsFunc(errs, func(err error) bool { return reason(err) == "refused" })
	switch {
	case refused && stage == devicestate.StageTicket:
		return "connection-refused"
	case refused:
		return "refused"
	}
	return "timeout"
}

// shakes shakes hands as the handset does, in each version, and with each suite.
func (i *inspection) shakes(ctx context.Context, seen *portSeen) {
	own, err := i.TLS(seen.Host)
	if err != nil {
		i.finding(report.FindingPartial, true, seen.String(), err.Error())
		return
	}
	bounded := func(work func(context.Context)) {
		ctx, cancel := context.WithTimeout(ctx, 2*patience)
		defer cancel()
		work(ctx)
	}
	bounded(func(ctx context.Context) { i.shakesIn(ctx, seen, own) })
	if !seen.readable() && own.ServerName == "" && seen.Handset.Seen != silence {
		named := own.Clone()
		named.ServerName = seen.Host
		handset := seen.Handset
		bounded(func(ctx context.Context) { i.shakesIn(ctx, seen, named) })
		own, seen.Handset, seen.NeedsServerName = named, handset, seen.readable()
	}
	for _, c := range seen.chain[:min(len(seen.chain), maxCertificates)] {
		seen.Certificates = append(seen.Certificates, report.NewInspectedCertificate(c))
	}
	if seen.readable() {
		bounded(func(ctx context.Context) { i.suites(ctx, seen, own) })
	}
}

// shakesIn shakes hands in each version, the handset's range first.
func (i *inspection) shakesIn(ctx context.Context, seen *portSeen, own *tls.Config) {
	seen.Versions = nil
	for n, s := range i.shakeEach(ctx, seen.open, own) {
		one := report.InspectedHandshake{OK: s.err == nil}
		if s.err == nil {
			one.Version, one.Suite = strings.TrimPrefix(tls.VersionName(s.state.Version), "TLS "), tls.CipherSuiteName(s.state.CipherSuite)
			if seen.chain == nil {
				seen.chain = s.state.PeerCertificates
			}
		} else {
			one.Seen = report.Clip(shakeReason(s.err))
		}
		if n == 0 {
			seen.Handset = one
			continue
		}
		one.Version = versions[n-1].name
		seen.Versions = append(seen.Versions, one)
	}
}

const maxCertificates = 12 // of one server that are told

// shakeReason is why a handshake failed.
func shakeReason(err error) string {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return "the server does not speak TLS"
	}
	return reason(err)
}

// suites tries each suite of TLS up to 1.2 by itself.
func (i *inspection) suites(ctx context.Context, seen *portSeen, own *tls.Config) {
	var configs []*tls.Config
	var names []string
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Min(s.SupportedVersions) > tls.VersionTLS12 {
			continue
		}
		config := own.Clone()
		config.MinVersion, config.MaxVersion, config.CipherSuites = tls.VersionTLS10, tls.VersionTLS12, []uint16{s.ID}
		configs, names = append(configs, config), append(names, s.Name)
	}
	for n, s := range i.shakeAll(ctx, seen.open, configs) {
		if s.err == nil {
			seen.Suites = append(seen.Suites, names[n])
		}
	}
}

// soon is how long before its end a certificate is told to end.
const soon = 30 * 24 * time.Hour

// strongKey is the size of an RSA key, in bits, below which it is weak today.
const strongKey = 2048

// judgePort judges versions, suites and certificates of a port.
func (i *inspection) judgePort(seen portSeen) {
	where := seen.String()
	if !seen.open.IsValid() {
		return
	}
	if !seen.readable() {
		i.finding(seen.code(i.noTLSKind(seen)), true, where, "no handshake in any version: "+seen.Handset.Seen)
		return
	}
	i.judgeHandshake(seen)
	for _, problem := range i.Judge(seen.Host, seen.chain) {
		var refused *handset.CertificateError
		kind := "untrusted-chain"
		if errors.As(problem, &refused) {
			kind = refused.Kind
		}
		i.finding(seen.code(kind), i.refuses(seen.stage, kind), where, problem.Error())
	}
	if i.Roots() == 0 {
		i.finding(report.FindingUnknownCA, false, where, fmt.Sprintf("issued by %q; no root is held", seen.chain[0].Issuer.CommonName))
	}
	i.judgeStrength(where, seen.chain)
}

func (i *inspection) noTLSKind(seen portSeen) string {
	switch seen.Handset.Seen {
	case silence:
		return "timeout"
	case "closed by the server":
		return "reset"
	case "the server does not speak TLS":
		return "garbage"
	}
	return "tls-failed"
}

// refuses reports whether the handset stops at what is wrong with a certificate.
func (i *inspection) refuses(stage devicestate.Stage, kind string) bool {
	return kind != "wildcard-certificate" || stage == devicestate.StageRegister && i.Profile().RefuseWildcardSIP
}

// judgeHandshake says why the handset's own handshake fails, or which of its suites are not taken.
func (i *inspection) judgeHandshake(seen portSeen) {
	p, where := i.Profile(), seen.String()
	spoken := seen.Spoken()
	common := slices.ContainsFunc(spoken, func(v string) bool { return v >= p.TLSMin && v <= p.TLSMax })
	var missing []string
	for _, suite := range p.TLSSuites {
		if !slices.Contains(seen.Suites, suite) {
			missing = append(missing, suite)
		}
	}
	switch {
	case seen.NeedsServerName:
		i.finding(seen.code(i.noTLSKind(seen)), true, where, "the server takes only who names the host in the hello (SNI), which this handset does not: "+seen.Handset.Seen)
	case !seen.Handset.OK && !common:
		i.finding(seen.code("tls-version"), true, where, fmt.Sprintf("TLS %s is off: the server speaks TLS %s, the handset %s", p.TLSMax, strings.Join(spoken, ", "), versionsOf(p)))
	case !seen.Handset.OK:
		i.finding(seen.code("tls-failed"), true, where, fmt.Sprintf("the server takes no suite of the handset's (%s), but %s", strings.Join(p.TLSSuites, ", "), strings.Join(seen.Suites, ", ")))
	case len(missing) > 0:
		i.finding(report.FindingSuites, false, where, "the server does not take "+strings.Join(missing, ", "))
	}
}

// judgeStrength warns of what a handset takes and others do not, or not for long.
func (i *inspection) judgeStrength(where string, chain []*x509.Certificate) {
	var sha1, weak, ending []string
	for _, c := range chain[:min(len(chain), maxCertificates)] {
		told := report.NewInspectedCertificate(c)
		if !told.SelfSigned && strings.HasPrefix(told.Signature, "SHA1") {
			sha1 = append(sha1, fmt.Sprintf("%q", told.Subject))
		}
		if told.Bits != 0 && told.Bits < strongKey {
			weak = append(weak, fmt.Sprintf("%q, RSA %d", told.Subject, told.Bits))
		}
		if left := c.NotAfter.Sub(i.out.At.Time); left > 0 && left < soon {
			ending = append(ending, fmt.Sprintf("%q, on %s", told.Subject, c.NotAfter.UTC().Format(time.DateOnly)))
		}
	}
	for _, found := range []struct {
		code, text string
		of         []string
	}{
		{report.FindingSHA1, "signed with SHA-1: ", sha1},
		{report.FindingWeakKey, "weak key: ", weak},
		{report.FindingExpiresSoon, "ends within 30 days: ", ending},
	} {
		if len(found.of) > 0 {
			i.finding(found.code, false, where, found.text+strings.Join(found.of, "; "))
		}
	}
}
