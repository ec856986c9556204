package nameserver

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// lifetime of every record in seconds.
const lifetime = 3600

// maxRecords bounds the records of one name.
const maxRecords = 64

// zone is what the server knows, by lower-case name without a dot at the end.
type zone struct {
	zones    []string
	hosts    map[string][]netip.Addr
	services map[string][]Service
	inner    map[string]bool // names above a record: they exist, without records of their own
	glue     bool
	webName  string
}

// result is the content of an answer.
type result struct {
	code    dnsmessage.RCode
	known   bool // the server speaks with authority
	answers []dnsmessage.Resource
	glue    []dnsmessage.Resource
}

func newZone(cfg Config) (zone, error) {
	z := zone{
		hosts: map[string][]netip.Addr{}, services: map[string][]Service{}, inner: map[string]bool{}, glue: cfg.Glue,
		webName: key(cfg.WebName),
	}
	for _, name := range cfg.Zones {
		z.zones = append(z.zones, key(name))
	}
	for name, addresses := range cfg.Hosts {
		for _, a := range addresses {
			if !a.Is4() {
				return zone{}, fmt.Errorf("host %q has address %s, IPv4 expected", name, a)
			}
		}
		if err := z.add(name, len(addresses)); err != nil {
			return zone{}, err
		}
		z.hosts[key(name)] = addresses
	}
	for name, services := range cfg.Services {
		for _, service := range services {
			if _, err := fullName(service.Target); err != nil {
				return zone{}, fmt.Errorf("target of %q: %w", name, err)
			}
		}
		if err := z.add(name, len(services)); err != nil {
			return zone{}, err
		}
		z.services[key(name)] = services
	}
	return z, nil
}

// add makes name and all above it, down to a zone, known.
func (z *zone) add(name string, records int) error {
	if records < 1 || records > maxRecords {
		return fmt.Errorf("name %q has %d records, 1 to %d expected", name, records, maxRecords)
	}
	if _, err := fullName(name); err != nil {
		return err
	}
	for rest := key(name); z.within(rest); {
		z.inner[rest] = true
		_, above, ok := strings.Cut(rest, ".")
		if !ok {
			break
		}
		rest = above
	}
	return nil
}

// within reports whether name lies in one of the zones.
func (z *zone) within(name string) bool {
	for _, zone := range z.zones {
		if name == zone || strings.HasSuffix(name, "."+zone) {
			return true
		}
	}
	return false
}

// lookup answers with records, with no records for a name that exists without any of that type, with NXDOMAIN inside
// of the zones and with REFUSED outside of them.
func (z *zone) lookup(q query) result {
	name := key(q.question.Name.String())
	hosts, services := z.hosts[name], z.services[name]
	switch {
	case q.header.OpCode != 0:
		return result{code: dnsmessage.RCodeNotImplemented}
	case q.question.Class != dnsmessage.ClassINET:
		return result{code: dnsmessage.RCodeRefused}
	case hosts == nil && services == nil && !z.within(name):
		return result{code: dnsmessage.RCodeRefused}
	case hosts == nil && services == nil && !z.inner[name] && !z.apex(name):
		return result{code: dnsmessage.RCodeNameError, known: true}
	}
	r := result{known: true}
	switch q.question.Type {
	case dnsmessage.TypeA:
		r.answers = addressRecords(q.question.Name, hosts)
	case dnsmessage.TypeSRV:
		for _, service := range services {
			r.answers = append(r.answers, service.record(q.question.Name))
			if z.glue {
				target, _ := fullName(service.Target) // checked by newZone
				r.glue = append(r.glue, addressRecords(target, z.hosts[key(service.Target)])...)
			}
		}
	}
	return r
}

func (z *zone) apex(name string) bool {
	for _, zone := range z.zones {
		if name == zone {
			return true
		}
	}
	return false
}

func addressRecords(name dnsmessage.Name, addresses []netip.Addr) []dnsmessage.Resource {
	var records []dnsmessage.Resource
	for _, a := range addresses {
		records = append(records, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: lifetime},
			Body:   &dnsmessage.AResource{A: a.As4()},
		})
	}
	return records
}

func (v Service) record(name dnsmessage.Name) dnsmessage.Resource {
	target, _ := fullName(v.Target) // checked by newZone
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: lifetime},
		Body:   &dnsmessage.SRVResource{Priority: v.Priority, Weight: v.Weight, Port: v.Port, Target: target},
	}
}

// key is a name as the maps have it: DNS names are compared without case (RFC 1035, 2.3.3).
func key(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// fullName makes a DNS name; its labels have 1 to 63 characters and all of it 253 at most.
func fullName(name string) (dnsmessage.Name, error) {
	plain := strings.TrimSuffix(name, ".")
	for label := range strings.SplitSeq(plain, ".") {
		if len(label) < 1 || len(label) > 63 || len(plain) > 253 {
			return dnsmessage.Name{}, fmt.Errorf("%q is not a DNS name", name)
		}
	}
	return dnsmessage.NewName(plain + ".")
}

// describe names an answer for the timeline.
func describe(m dnsmessage.Message) string {
	text := codeName(m.RCode)
	if m.Truncated {
		text += ", truncated"
	}
	for _, r := range m.Answers {
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			text += " " + netip.AddrFrom4(body.A).String()
		case *dnsmessage.SRVResource:
			text += fmt.Sprintf(" %s:%d", key(body.Target.String()), body.Port)
		}
	}
	if m.RCode == dnsmessage.RCodeSuccess && len(m.Answers) == 0 && !m.Truncated {
		text += ", no records"
	}
	return text
}

func codeName(code dnsmessage.RCode) string {
	switch code {
	case dnsmessage.RCodeSuccess:
		return "NOERROR"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	}
	return fmt.Sprintf("RCODE %d", code)
}

func typeName(t dnsmessage.Type) string { return strings.TrimPrefix(t.String(), "Type") }
