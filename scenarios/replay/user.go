package replay

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// withoutUser is a recording whose handset says itself who its user is, and which endpoint of his it is, wherever the
// recorded one did: in the request for a certificate, which the pool grants to the user of the ticket and accepts of that
// endpoint alone, and in what it publishes.
func withoutUser(list []exchange.Message) []exchange.Message {
	names := userAndEndpoint(list)
	out := slices.Clone(list)
	for i := range out {
		if !out[i].Sent {
			continue
		}
		out[i].Fields = slices.Clone(out[i].Fields)
		for n := range out[i].Fields {
			if f := &out[i].Fields[n]; slices.Contains(names, strings.ToLower(f.Value)) {
				f.Origin = timeline.Fresh
			}
		}
	}
	return out
}

// instance is the UUID of an endpoint in a Contact, which DeviceId has in braces (sip.md §4.3).
var instance = regexp.MustCompile(`urn:uuid:([0-9a-f-]{36})`)

// userAndEndpoint are the names of the recorded user and of his endpoint, in lower case.
func userAndEndpoint(list []exchange.Message) []string {
	var names []string
	if user := strings.ToLower(namesIn(list).user); user != "" {
		names = append(names, user, strings.TrimPrefix(user, "sip:"))
	}
	for _, m := range list {
		if m.Protocol != "sip" || !m.Sent {
			continue
		}
		if epid := value(m.Fields, "From;epid"); epid != "" {
			names = append(names, strings.ToLower(epid))
		}
		if found := instance.FindStringSubmatch(strings.ToLower(value(m.Fields, "Contact;+sip.instance"))); found != nil {
			names = append(names, found[1], "{"+found[1]+"}")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// atServer is a recorded request in which what names the server that it went to, in the addresses of its services, names the
// one that it goes to now: another pool's knows no service of that name.
func atServer(m exchange.Message, host string) exchange.Message {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "" || m.Peer == "" || strings.EqualFold(host, m.Peer) {
		return m
	}
	m.Fields = slices.Clone(m.Fields)
	for i := range m.Fields {
		if u, err := url.Parse(m.Fields[i].Value); err == nil && strings.EqualFold(u.Hostname(), m.Peer) {
			u.Host = strings.Replace(u.Host, u.Hostname(), host, 1)
			m.Fields[i].Value = u.String()
		}
	}
	return m
}
