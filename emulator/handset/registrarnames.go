package handset

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// registrarNames are those that a registrar may have in DNS, by the entries of the profile's discovery order, without the
// SIP domain (discovery.md §1.5).
var registrarNames = []struct {
	entry, prefix, transport string
	srv                      bool
}{
	{"srv-internal-tls", "_sipinternaltls._tcp.", "tls", true},
	{"srv-internal-tcp", "_sipinternal._tcp.", "tcp", true},
	{"srv-external-tls", "_sip._tls.", "tls", true},
	{"srv-external-tcp", "_sip._tcp.", "tcp", true},
	{"a-internal", "sipinternal.", "tls", false},
	{"a-sip", "sip.", "tls", false},
	{"a-external", "sipexternal.", "tls", false},
}

// discoverByDNS asks for the names of the profile's discovery order, all at once; the keys are the entries of that order.
func (h *Handset) discoverByDNS(ctx context.Context) map[string][]candidate {
	domain := h.sipDomain()
	if domain == "" {
		return nil
	}
	order, suffixes := h.discoveryOrder(), h.suffixes(domain)
	out := map[string][]candidate{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, n := range registrarNames {
		if !slices.Contains(order, n.entry) {
			continue
		}
		candidates := h.candidatesOfHost
		if n.srv {
			candidates = h.candidatesOfService
		}
		wg.Go(func() {
			list, err := candidates(ctx, n.prefix+domain, n.transport)
			for _, suffix := range suffixes {
				if !errors.Is(err, errNoName) && !errors.Is(err, errNoData) {
					break
				}
				list, err = candidates(ctx, n.prefix+domain+"."+suffix, n.transport)
			}
			mu.Lock()
			defer mu.Unlock()
			out[n.entry] = list
		})
	}
	wg.Wait()
	return out
}

// suffixes are behind which a name is asked for again that is not there (discovery.md §1.5): the lease's own domain, then
// its search list. Which fails because nobody answers is not asked for again, and cold, when the names are of the suffix's
// own domain, there is nothing else to ask for (both inferred).
func (h *Handset) suffixes(domain string) []string {
	if !h.profile.SuffixRetry || h.ram.lease == nil {
		return nil
	}
	var out []string
	for _, suffix := range append([]string{h.ram.lease.domain}, h.ram.lease.search...) {
		if suffix != "" && suffix != domain && !slices.Contains(out, suffix) {
			out = append(out, suffix)
		}
	}
	return out
}

func (h *Handset) candidatesOfHost(ctx context.Context, name, transport string) ([]candidate, error) {
	addrs, err := h.lookupHost(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, port := range []uint16{sipTLSPort, httpsPort} {
		out = append(out, candidate{Source: "a", Host: name, Port: port, Transport: transport, addresses: addrs})
	}
	return out, nil
}

func (h *Handset) candidatesOfService(ctx context.Context, name, transport string) ([]candidate, error) {
	services, err := h.lookupService(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, s := range services {
		out = append(out, candidate{Source: "srv", Host: s.target, Port: s.port, Transport: transport})
	}
	return out, nil
}
