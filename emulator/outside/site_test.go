//go:build peers

package outside

import (
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/dhcpconfig"
)

// site is where a pool stands, and how its network tells handsets of it.
type site struct{ domain, pool string }

var (
	contoso = site{"contoso.com", verdictPool} // has no pool behind the name
	litware = site{"litwareinc.com", "atl-cs-001.litwareinc.com"}
)

// dhcp is a DHCP server's configuration: what `lpe dhcp encode` writes for it, after some changes (pairs: what was
// written, what is), with name server and domain.
func (s site) dhcp(t *testing.T, server string, vlan *int, edits ...string) string {
	t.Helper()
	format, err := dhcpconfig.Find(server)
	if err != nil {
		t.Fatal(err)
	}
	values, err := dhcpconfig.New(s.pool, s.pool, vlan)
	if err != nil {
		t.Fatal(err)
	}
	text := format.Text(values)
	for pair := range slices.Chunk(edits, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("no %s in\n%s", pair[0], text)
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return text + s.network(server)
}

// network is the part of a DHCP server's configuration that has nothing to do with pools.
func (s site) network(server string) string {
	return strings.ReplaceAll(map[string]string{
		"isc":     "\noption domain-name-servers 10.77.0.1;\noption domain-name \"DOMAIN\";\n",
		"kea":     ",\n\"option-data\": [ { \"name\": \"domain-name-servers\", \"data\": \"10.77.0.1\" }, { \"name\": \"domain-name\", \"data\": \"DOMAIN\" } ]\n",
		"dnsmasq": "\ndhcp-option=option:dns-server,10.77.0.1\ndhcp-option=option:domain-name,DOMAIN\n",
	}[server], "DOMAIN", s.domain)
}

// names are the site's DNS: pool, update service and time server.
func (s site) names() records {
	return records{
		domain: s.domain,
		hosts:  []string{s.pool, "ucupdates-r2." + s.domain, "ntp." + s.domain},
		services: map[string]string{
			"_sipinternaltls._tcp": s.pool + " 5061",
			"_ntp._udp":            "ntp." + s.domain + " 123",
		},
	}
}
