package handset

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

const (
	sipTLSPort      = 5061
	httpsPort       = 443 // the second port of A records (discovery.md §1.5, of the older Communicator Phone Edition)
	defaultCertPath = "/CertProv/CertProvisioningService.svc"
	maxCandidates   = 16
)

// candidate is a registrar to try.
type candidate struct {
	Source    string // dhcp, srv, a, flash, target or redirect
	Host      string
	Port      uint16
	Transport string // tls or tcp
	addresses []netip.Addr
	told      []candidate // by the redirect that led here
}

func (c candidate) String() string {
	return fmt.Sprintf("%s:%d (%s, %s)", c.Host, c.Port, c.Source, c.Transport)
}

// found is what one way of discovery brought.
type found struct {
	server    netip.Addr // whose answer it is
	pool      string
	url       string
	malformed *dhcpoption.Error // of option 43
}

// poolDiscover sends the INFORM and asks DNS at the same time, and makes the list of registrars to try
// (discovery.md §1.4, §1.5).
func (h *Handset) poolDiscover(ctx context.Context) (devicestate.Event, *Failure) {
	if h.cfg.target.FQDN != "" {
		return h.targetGiven(ctx)
	}
	x := h.openInform() // draws before the DNS queries do, whose order is by chance
	dnsCtx, stopDNS := context.WithCancel(ctx)
	defer stopDNS()
	var names map[string][]candidate
	var wg sync.WaitGroup
	wg.Go(func() { names = h.discoverByDNS(dnsCtx) })
	dhcp := x.inform(ctx)
	if dhcp.pool != "" && strings.HasPrefix(h.discoveryOrder()[0], "dhcp") { // otherwise DNS goes before
		stopDNS()
	}
	wg.Wait()
	if ctx.Err() != nil {
		return "", nil
	}
	h.ram.candidates = h.orderCandidates(dhcp, names)
	if len(h.ram.candidates) == 0 {
		return devicestate.DiscoveryFailed, fail(devicestate.StageDiscovery, "no-registrar", "",
			"neither DHCP nor DNS named a registrar", nil)
	}
	if failure := h.resolveCandidates(ctx); failure != nil {
		return devicestate.DiscoveryFailed, failure
	}
	return h.certificateURL(ctx, dhcp)
}

// certificateURL takes the URL that the user gave, else the first source of the profile that gives one.
func (h *Handset) certificateURL(ctx context.Context, dhcp found) (devicestate.Event, *Failure) {
	if given := h.cfg.target.URI; given != "" {
		h.useURL(given, "target")
		return devicestate.RegistrarFound, nil
	}
	first := h.ram.candidates[0]
	for _, source := range h.profile.CertProvSources {
		url := ""
		switch source {
		case "option43":
			url = dhcp.url
		case "sts-uri":
			url = h.askSTSURI(ctx, first)
		case "default-path":
			url = defaultURL(first.Host)
		}
		if url != "" {
			h.useURL(url, source)
			return devicestate.RegistrarFound, nil
		}
	}
	if dhcp.malformed != nil {
		return devicestate.DiscoveryFailed, fail(devicestate.StageDiscovery, dhcp.malformed.Kind, "", "option 43 cannot be used", dhcp.malformed)
	}
	return devicestate.DiscoveryFailed, fail(devicestate.StageDiscovery, "no-certprov-url", "",
		"a registrar was found, but no DHCP server gave the certificate provisioning URL in option 43", nil)
}

func (h *Handset) useURL(url, source string) {
	h.ram.certURL = url
	h.out.CertificateURL, h.out.URLSource = url, source
	h.note("certificate provisioning %s by %s", url, source)
}

func defaultURL(host string) string { return "https://" + host + ":443" + defaultCertPath }

// targetGiven takes the registrar that the user named instead of discovery.
func (h *Handset) targetGiven(ctx context.Context) (devicestate.Event, *Failure) {
	t := h.cfg.target
	if t.Port == 0 {
		t.Port = sipTLSPort
	}
	h.ram.candidates = []candidate{{Source: "target", Host: strings.ToLower(t.FQDN), Port: t.Port, Transport: "tls"}}
	h.out.Registrar = t.FQDN
	if failure := h.resolveCandidates(ctx); failure != nil {
		return devicestate.DiscoveryFailed, failure
	}
	url, source := t.URI, "target"
	if url == "" {
		url, source = h.askSTSURI(ctx, h.ram.candidates[0]), "sts-uri"
	}
	if url == "" {
		url, source = defaultURL(t.FQDN), "default-path"
	}
	if ctx.Err() != nil {
		return "", nil
	}
	h.useURL(url, source)
	return devicestate.RegistrarFound, nil
}

// openInform begins the exchange of an INFORM, nil if the computer does not let it.
func (h *Handset) openInform() *dhcpExchange {
	x, err := h.openDHCP()
	if err != nil {
		h.note("INFORM not sent: %v", err)
		return nil
	}
	return x
}

// inform broadcasts DHCPINFORM with class MS-UC-Client. The first ACK with a usable option 120 wins and brings the
// URL along; otherwise the first usable option 43 is kept. Option 120 of one answer and option 43 of another are never
// put together (discovery.md §1.4 and §9).
func (x *dhcpExchange) inform(ctx context.Context) found {
	if x == nil {
		return found{}
	}
	h := x.h
	defer x.linger()
	m := x.asking(dhcpv4.MessageTypeInform, h.profile.InformClass, h.profile.InformPRL)
	m.ClientIPAddr = h.ram.lease.address.Addr().AsSlice()
	var best found
	for _, timeout := range h.profile.InformTimeouts {
		if err := x.send(m, netip.Addr{}, nil); err != nil {
			h.warn(fail(devicestate.StageDiscovery, "inform-unanswered", "", "INFORM cannot be sent", err))
			return best
		}
		got, answered := h.collectACKs(ctx, x, timeout)
		best = got
		if answered || ctx.Err() != nil {
			return best
		}
	}
	h.warn(fail(devicestate.StageDiscovery, "inform-unanswered", "", fmt.Sprintf("nobody answered %d INFORMs", len(h.profile.InformTimeouts)), nil))
	return best
}

// collectACKs waits for an ACK with option 120 and reports whether any ACK came.
func (h *Handset) collectACKs(ctx context.Context, x *dhcpExchange, timeout time.Duration) (best found, answered bool) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		ack, from, err := x.receive(ctx)
		if err != nil {
			return best, answered
		}
		if kind := ack.MessageType(); kind != dhcpv4.MessageTypeAck {
			h.dropped("dhcp", from.String(), fmt.Sprintf("%v: an INFORM is answered by an ACK or not at all", kind))
			continue
		}
		h.received("dhcp", from.String(), ack.MessageType().String(), x.decode)
		answered = true
		got := h.readDiscovery(ack, senderOf(ack, from))
		switch {
		case got.pool != "":
			if best.url != "" {
				h.dropped("dhcp", best.server.String(), fmt.Sprintf("option 43 is not used: DHCP server %v named the registrar", got.server))
			}
			x.taken = got.server
			return got, true
		case best.url == "" && (got.url != "" || got.malformed != nil):
			best = got
		case got.url != "" && got.server != best.server:
			h.dropped("dhcp", got.server.String(), fmt.Sprintf("option 43 is not used: that of DHCP server %v came first", best.server))
		}
	}
}

// readDiscovery reads options 120 and 43 of an ACK to INFORM and warns of what is wrong with them.
func (h *Handset) readDiscovery(ack *dhcpv4.DHCPv4, from netip.Addr) found {
	got := found{server: from}
	server := from.String()
	if value, ok := ack.Options[dhcpoption.OptionSIPServers]; !ok {
		h.warn(fail(devicestate.StageDiscovery, "option120-missing", server, "the answer to INFORM has no option 120", nil))
	} else if names, err := dhcpoption.ParseSIPServers(value); err != nil {
		h.warn(h.optionFailure(server, err))
	} else {
		got.pool = strings.ToLower(names[0])
		if len(names) > 1 {
			h.note("option 120 of %v names %d registrars, the first one counts: %s", got.server, len(names), strings.Join(names, ", "))
		}
	}
	value, ok := ack.Options[dhcpoption.OptionVendor]
	if !ok {
		return got
	}
	uc, err := dhcpoption.ParseUC(value)
	if err == nil {
		got.url, err = uc.URL()
	}
	if err != nil {
		h.note("option 43 of %v: %v", got.server, err)
		var malformed *dhcpoption.Error
		if errors.As(err, &malformed) {
			got.malformed = malformed
		}
	}
	return got
}

func (h *Handset) optionFailure(server string, err error) *Failure {
	kind := "option120-text"
	var malformed *dhcpoption.Error
	if errors.As(err, &malformed) {
		kind = malformed.Kind
	}
	return fail(devicestate.StageDiscovery, kind, server, "option 120 cannot be used", err)
}

// sipDomain is the domain of the signed-in user, else the one of the lease (discovery.md §1.5, inferred).
func (h *Handset) sipDomain() string {
	if _, domain, ok := strings.Cut(h.flash.SIPAddress, "@"); ok {
		return strings.ToLower(domain)
	}
	if h.ram.lease == nil {
		return ""
	}
	return h.ram.lease.domain
}

// discoveryOrder is that of the candidates; no profile has an empty one.
func (h *Handset) discoveryOrder() []string {
	if h.flash.SIPAddress != "" {
		return h.profile.DiscoveryOrderKnown
	}
	return h.profile.DiscoveryOrder
}

func (h *Handset) orderCandidates(dhcp found, names map[string][]candidate) []candidate {
	var out []candidate
	seen := map[string]bool{}
	add := func(list ...candidate) {
		for _, c := range list {
			key := fmt.Sprintf("%s:%d/%s", c.Host, c.Port, c.Transport)
			if seen[key] || len(out) >= maxCandidates || !h.allowed(c) {
				continue
			}
			seen[key] = true
			out = append(out, c)
		}
	}
	for _, entry := range h.discoveryOrder() {
		switch entry {
		case "dhcp-tls":
			if dhcp.pool != "" {
				add(candidate{Source: "dhcp", Host: dhcp.pool, Port: sipTLSPort, Transport: "tls"})
			}
		case "dhcp-tcp":
			if dhcp.pool != "" {
				add(candidate{Source: "dhcp", Host: dhcp.pool, Port: 5060, Transport: "tcp"})
			}
		default:
			add(names[entry]...)
		}
	}
	return out
}

// allowed applies SIPSecurityMode and strict naming (handset.md §4, discovery.md §1.5).
func (h *Handset) allowed(c candidate) bool {
	if c.Transport == "tcp" && strings.EqualFold(h.profile.SecurityMode, "High") {
		h.note("candidate %v is skipped: SIP security mode High", c)
		return false
	}
	if domain := h.sipDomain(); c.Source == "srv" && h.profile.StrictNaming && !strings.HasSuffix("."+c.Host, "."+domain) {
		h.warn(fail(devicestate.StageDiscovery, "srv-domain-mismatch", c.Host, "the SRV target is outside the SIP domain "+domain, nil))
		return false
	}
	return true
}

// resolveCandidates keeps those whose name resolves.
func (h *Handset) resolveCandidates(ctx context.Context) *Failure {
	var kept []candidate
	var last error
	for _, c := range h.ram.candidates {
		if len(c.addresses) == 0 {
			addrs, err := h.lookupHost(ctx, c.Host)
			if err != nil {
				h.note("candidate %v does not resolve: %v", c, err)
				last = err
				continue
			}
			c.addresses = addrs
		}
		kept = append(kept, c)
	}
	if len(kept) == 0 {
		return fail(devicestate.StageDiscovery, "registrar-unresolved", h.ram.candidates[0].Host,
			"the registrar's name does not resolve", last)
	}
	h.ram.candidates = kept
	h.out.Registrar = kept[0].Host
	h.note("registrars to try: %v", kept)
	return nil
}
