package handset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	dnsPort       = 53
	maxDNSMessage = 1500
)

// Errors of a look-up besides those of the network.
var (
	errNoName   = errors.New("the name does not exist")
	errNoData   = errors.New("the name has no such record")
	errNoServer = errors.New("no DNS server is known")
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
	t := h.cfg.Target
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
		if a, ok := answer.Body.(*dnsmessage.AResource); ok {
			out = append(out, netip.AddrFrom4(a.A))
		}
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
		if srv, ok := answer.Body.(*dnsmessage.SRVResource); ok {
			target := strings.ToLower(strings.TrimSuffix(srv.Target.String(), "."))
			if target == "" {
				continue // RFC 2782: the service is decidedly not available
			}
			out = append(out, service{target, srv.Port, srv.Priority, srv.Weight})
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

// lookup asks each DNS server of the lease in turn, as often as the profile says.
func (h *Handset) lookup(ctx context.Context, name string, kind dnsmessage.Type) ([]dnsmessage.Resource, error) {
	if h.ram.lease == nil || len(h.ram.lease.dns) == 0 {
		return nil, errNoServer
	}
	var last error
	for range h.profile.DNSTries {
		for _, server := range h.ram.lease.dns {
			answers, err := h.askDNS(ctx, server, name, kind)
			if err == nil || errors.Is(err, errNoName) || errors.Is(err, errNoData) {
				return answers, err
			}
			last = err
			if ctx.Err() != nil {
				return nil, last
			}
		}
	}
	return nil, last
}

func (h *Handset) askDNS(ctx context.Context, server netip.Addr, name string, kind dnsmessage.Type) ([]dnsmessage.Resource, error) {
	qname, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("%s is not a DNS name: %w", name, err)
	}
	question := dnsmessage.Question{Name: qname, Type: kind, Class: dnsmessage.ClassINET}
	query := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions: []dnsmessage.Question{question},
	}
	packed, err := query.Pack()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	conn, err := h.station.DialUDP(netip.AddrPortFrom(server, dnsPort))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(h.profile.DNSTimeout)); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%s %s", strings.TrimPrefix(kind.String(), "Type"), name)
	h.sent("dns", server.String(), what)
	if _, err := conn.Write(packed); err != nil {
		return nil, err
	}
	buffer := make([]byte, maxDNSMessage)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, fmt.Errorf("%s: no answer from DNS server %v: %w", what, server, err)
		}
		var answer dnsmessage.Message
		if err := answer.Unpack(buffer[:n]); err != nil {
			h.dropped("dns", server.String(), "not a DNS message: "+err.Error())
			continue
		}
		if answer.ID != query.ID || !answer.Response || len(answer.Questions) != 1 ||
			!strings.EqualFold(answer.Questions[0].Name.String(), qname.String()) || answer.Questions[0].Type != kind {
			h.dropped("dns", server.String(), "an answer to another question")
			continue
		}
		h.received("dns", server.String(), fmt.Sprintf("%s: %s, %d records", what, strings.TrimPrefix(answer.RCode.String(), "RCode"), len(answer.Answers)))
		switch {
		case answer.RCode == dnsmessage.RCodeNameError:
			return nil, fmt.Errorf("%s: %w", what, errNoName)
		case answer.RCode != dnsmessage.RCodeSuccess:
			return nil, fmt.Errorf("%s: DNS server %v answered %s", what, server, strings.TrimPrefix(answer.RCode.String(), "RCode"))
		case len(answer.Answers) == 0:
			return nil, fmt.Errorf("%s: %w", what, errNoData)
		}
		return answer.Answers, nil
	}
}
