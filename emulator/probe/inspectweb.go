package probe

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// Names of an [report.InspectedService].
const (
	certProv  = "CertProv"
	webTicket = "WebTicket"
)

// webServices looks at the port for https, the root chain and the metadata of both services.
func (i *inspection) webServices(ctx context.Context) {
	i.out.CertURL, i.out.CertURLSource = i.certURL()
	u, err := url.Parse(i.out.CertURL)
	if err != nil {
		i.finding("ticket.garbage", true, i.out.CertURL, err.Error())
		return
	}
	seen := i.port(ctx, report.InspectedWeb, u.Hostname(), portOf(u), devicestate.StageTicket)
	i.seen[1] = seen
	i.rootChain(ctx)
	if !seen.readable() {
		return
	}
	i.AnyTLS(!seen.Handset.OK)
	defer i.AnyTLS(false)
	found := i.metadata(ctx, certProv, i.out.CertURL)
	if found == nil {
		return
	}
	port, ok := found.Port(certprov.ProofPortName)
	if !ok || port.Issuer == "" {
		i.finding("ticket.garbage", true, i.out.CertURL, "the metadata has no port "+certprov.ProofPortName+" with an issuer of tickets")
		return
	}
	i.judgeLocation(i.out.CertURL, "certificates are asked for", port.Location)
	i.judgeLocation(i.out.CertURL, "tickets are asked for", port.Issuer)
	if tickets := i.metadata(ctx, webTicket, port.Issuer); tickets != nil {
		i.judgeTickets(port.Issuer, *tickets)
	}
}

// rootChain downloads the chain as a boot does.
func (i *inspection) rootChain(ctx context.Context) {
	chain, failure := i.Vantage.RootChain(ctx, i.out.CertURL, i.subject.HTTPPort)
	if failure != nil {
		i.out.RootChain.Seen = report.Clip(failure.Detail())
		where := "root chain"
		if i.authorities {
			i.finding(string(failure.Code), false, where, failure.Detail()) // the phone has a root already
			return
		}
		i.failed(failure, where)
		return
	}
	i.out.RootChain.OK = true
	for _, c := range chain {
		i.out.RootChain.Certificates = append(i.out.RootChain.Certificates, report.NewInspectedCertificate(c))
	}
	i.judgeStrength("root chain", chain)
}

// metadata asks a service in both forms, the handset's first, and returns what one of them told.
func (i *inspection) metadata(ctx context.Context, name, service string) *soap.Metadata {
	own := i.Profile().MetadataForm
	forms := []string{"get", "transfer"}
	if own == "transfer" {
		forms = []string{"transfer", "get"}
	}
	told := report.InspectedService{Name: name, URL: report.Clip(service), Forms: []report.InspectedForm{}, Ports: []report.InspectedWebPort{}}
	var found *soap.Metadata
	for _, form := range forms {
		m, failure := i.Vantage.Metadata(ctx, form, service)
		one := report.InspectedForm{Form: form, OK: failure == nil}
		switch {
		case failure == nil:
			if found == nil {
				found = &m
			}
		case form == own:
			one.Seen = report.Clip(failure.Detail())
			i.failed(failure, told.URL)
		default:
			one.Seen = report.Clip(failure.Detail())
			i.finding(report.FindingForm, false, told.URL, fmt.Sprintf("form %s: %s", form, failure.Detail()))
		}
		told.Forms = append(told.Forms, one)
	}
	if found != nil {
		for _, p := range found.Ports[:min(len(found.Ports), maxWebPorts)] {
			told.Ports = append(told.Ports, report.InspectedWebPort{Name: report.Clip(p.Name), Location: report.Clip(p.Location), Issuer: report.Clip(p.Issuer)})
		}
	}
	i.out.Services = append(i.out.Services, told)
	return found
}

const maxWebPorts = 32 // of one service that are told

// judgeTickets looks for the ports that the handset needs.
func (i *inspection) judgeTickets(where string, m soap.Metadata) {
	p := i.Profile()
	need := func(choose func(soap.Metadata) (soap.Port, error), code string, stops bool) {
		port, err := choose(m)
		if err != nil {
			i.finding(code, stops, report.Clip(where), err.Error())
			return
		}
		i.judgeLocation(report.Clip(where), port.Name+" is asked", port.Location)
	}
	if p.PIN {
		need(webticket.PINPort, "ticket.pin-not-offered", true)
	}
	if p.Password {
		need(webticket.WindowsPort, "ticket.windows-off", !p.PIN)
	}
	need(webticket.CertificatePort, "ticket.certificate-not-offered", false)
}

// judgeLocation warns of a URL that is not https.
func (i *inspection) judgeLocation(where, what, location string) {
	if !strings.HasPrefix(strings.ToLower(location), "https://") {
		i.finding(report.FindingClearText, false, where, what+" at "+location)
	}
}

// judge judges the ports when the roots are known.
func (i *inspection) judge(context.Context) {
	for _, seen := range i.seen {
		if seen.Host != "" {
			i.judgePort(seen)
		}
	}
}
