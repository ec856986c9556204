package handset

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// Bounds of a look-up.
const (
	maxAliases = 8  // CNAME records one after the other
	maxRecords = 32 // of one name that are used
)

// Errors of a look-up besides those of the network.
var (
	errNoName   = errors.New("the name does not exist")
	errNoData   = errors.New("the name has no such record")
	errNoServer = errors.New("no DNS server is known")
	errAliases  = errors.New("the name's aliases (CNAME) go round or on and on")
)

// service is one SRV record.
type service struct {
	target           string
	port             uint16
	priority, weight uint16
}

// lookupHost resolves the A records of name, in the server's order.
func (h *Handset) lookupHost(ctx context.Context, name string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{address}, nil
	}
	if everywhere := h.cfg.network.Hosts; everywhere.IsValid() {
		return []netip.Addr{everywhere}, nil
	}
	t := h.cfg.target
	targeted := t.FQDN != "" && strings.EqualFold(name, t.FQDN)
	if targeted && t.Address.IsValid() {
		return []netip.Addr{t.Address}, nil
	}
	list, err := h.resolveHost(ctx, name)
	if err != nil {
		return nil, err
	}
	if targeted {
		if h.out.Addresses == nil {
			h.out.Addresses = list
		}
		if t.First {
			return h.out.Addresses[:1], nil
		}
	}
	return list, nil
}

func (h *Handset) resolveHost(ctx context.Context, name string) ([]netip.Addr, error) {
	if c, ok := h.resolver(); ok {
		return h.computerHost(ctx, c, name)
	}
	answers, err := h.lookup(ctx, name, dnsmessage.TypeA)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, answer := range answers {
		a, ok := answer.Body.(*dnsmessage.AResource)
		if !ok {
			continue
		}
		address := netip.AddrFrom4(a.A)
		if !isHost(address) && !address.IsLoopback() {
			h.dropped("dns", name, fmt.Sprintf("A %v is no host's address", address))
			continue
		}
		out = append(out, address)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s A: %w", name, errNoData)
	}
	return out, nil
}

// lookupService resolves an SRV name, by priority, then heavier weight first.
func (h *Handset) lookupService(ctx context.Context, name string) ([]service, error) {
	if c, ok := h.resolver(); ok {
		return h.computerService(ctx, c, name)
	}
	answers, err := h.lookup(ctx, name, dnsmessage.TypeSRV)
	if err != nil {
		return nil, err
	}
	var out []service
	for _, answer := range answers {
		srv, ok := answer.Body.(*dnsmessage.SRVResource)
		if !ok {
			continue
		}
		if usable, ok := h.usableService(name, service{srv.Target.String(), srv.Port, srv.Priority, srv.Weight}); ok {
			out = append(out, usable)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s SRV: %w", name, errNoData)
	}
	slices.SortStableFunc(out, func(a, b service) int {
		if a.priority != b.priority {
			return int(a.priority) - int(b.priority)
		}
		return int(b.weight) - int(a.weight)
	})
	return out, nil
}

// usableService returns an SRV record with its target in lower case and without the last dot, if it can be used.
func (h *Handset) usableService(name string, s service) (service, bool) {
	s.target = strings.ToLower(strings.TrimSuffix(s.target, "."))
	switch {
	case s.target == "":
		h.dropped("dns", name, `SRV target ".": the service is decidedly not available (RFC 2782)`)
	case !dhcpoption.IsHostName(s.target):
		h.dropped("dns", name, fmt.Sprintf("SRV target %q is no host name", s.target))
	case s.port == 0:
		h.dropped("dns", name, fmt.Sprintf("SRV target %s with port 0", s.target))
	default:
		return s, true
	}
	return s, false
}

// lookup resolves a name to its records of one kind, through aliases: a server that does not follow them itself is
// asked for the name that they lead to (RFC 1034 §3.6.2).
func (h *Handset) lookup(ctx context.Context, name string, kind dnsmessage.Type) ([]dnsmessage.Resource, error) {
	for range maxAliases {
		records, alias, err := h.askServers(ctx, name, kind)
		if err != nil {
			return nil, err
		}
		if len(records) > maxRecords {
			h.dropped("dns", name, fmt.Sprintf("%d of %d records are not used", len(records)-maxRecords, len(records)))
			records = records[:maxRecords]
		}
		if alias == "" {
			return records, nil
		}
		name = alias
	}
	return nil, fmt.Errorf("%s: %w", name, errAliases)
}

// askServers asks each DNS server of the lease in turn, as often as the profile says.
func (h *Handset) askServers(ctx context.Context, name string, kind dnsmessage.Type) (records []dnsmessage.Resource, alias string, err error) {
	if h.ram.lease == nil || len(h.ram.lease.dns) == 0 {
		return nil, "", errNoServer
	}
	for range h.profile.DNSTries {
		for _, server := range h.ram.lease.dns {
			records, alias, err = h.askDNS(ctx, server, name, kind)
			if err == nil || errors.Is(err, errNoName) || errors.Is(err, errNoData) || errors.Is(err, errAliases) || ctx.Err() != nil {
				return records, alias, err
			}
		}
	}
	return nil, "", err
}
