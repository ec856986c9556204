package handset

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// computer returns the handset's station if that is the computer itself, whose link, VLAN, address and resolver are its
// own affair.
func (h *Handset) computer() (ethernet.Computer, bool) {
	c, ok := h.station.(ethernet.Computer)
	return c, ok
}

// useComputer takes the computer's address and search domain for a lease.
func (h *Handset) useComputer(c ethernet.Computer) {
	h.skipped = true
	h.ram.lease = &lease{address: c.Address(), domain: c.SearchDomain()}
	h.overrideNetwork()
	h.note("the computer's address %v, domain %q", h.ram.lease.address, h.ram.lease.domain)
}

// overrideNetwork puts what the user named before what the lease says.
func (h *Handset) overrideNetwork() {
	if dns := h.cfg.network.DNS; dns.IsValid() {
		h.ram.lease.dns = []netip.Addr{dns}
	}
	if domain := h.cfg.network.Domain; domain != "" {
		h.ram.lease.domain = strings.ToLower(domain)
	}
}

// resolver returns the computer's resolver if the handset is to use that.
func (h *Handset) resolver() (ethernet.Computer, bool) {
	if h.cfg.network.DNS.IsValid() {
		return nil, false
	}
	return h.computer()
}

// computerHost resolves by the computer's resolver.
func (h *Handset) computerHost(ctx context.Context, c ethernet.Computer, name string) ([]netip.Addr, error) {
	what := "A " + name
	h.sent("dns", computerPeer, what, nil)
	list, err := c.LookupHost(ctx, name)
	if err = h.resolved(what, len(list), err); err != nil {
		return nil, err
	}
	return list, nil
}

// computerService resolves an SRV name by the computer's resolver.
func (h *Handset) computerService(ctx context.Context, c ethernet.Computer, name string) ([]service, error) {
	what := "SRV " + name
	h.sent("dns", computerPeer, what, nil)
	list, err := c.LookupService(ctx, name)
	if err = h.resolved(what, len(list), err); err != nil {
		return nil, err
	}
	var out []service
	for _, s := range list {
		if usable, ok := h.usableService(name, service{s.Target, s.Port, s.Priority, s.Weight}); ok {
			out = append(out, usable)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", what, errNoData)
	}
	return out, nil
}

const computerPeer = "the computer's resolver"

// resolved tells what the computer's resolver answered, and gives its errors the shape of the handset's own.
func (h *Handset) resolved(what string, records int, err error) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		h.received("dns", computerPeer, what+": not found", nil)
		return fmt.Errorf("%s: %w", what, errNoName)
	case err != nil:
		return fmt.Errorf("%s: no answer from %s: %w", what, computerPeer, err)
	case records == 0:
		err = fmt.Errorf("%s: %w", what, errNoData)
	}
	h.received("dns", computerPeer, fmt.Sprintf("%s: %d records", what, records), nil)
	return err
}
