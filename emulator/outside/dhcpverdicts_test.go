//go:build peers

package outside

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	verdictPool = "lyncpool.contoso.com"
	verdictURL  = "https://lyncpool.contoso.com:443/CertProv/CertProvisioningService.svc"

	// Option 43 of discovery.md §0 without its last four bytes, Siemens' vendor option ([G13]), and option 43 as text.
	cutVendor     = "010c4d532d55432d436c69656e74020568747470730314" + "6c796e63706f6f6c2e636f6e746f736f2e636f6d" + "040334343305252f4365727450726f762f4365727450726f766973696f6e696e67536572766963"
	foreignVendor = "01075369656d656e73"
	hexVendor     = "010c4d532d55432d436c69656e740205687474707303146c796e63706f6f6c2e636f6e746f736f2e636f6d0403343433"
)

// mistake is one of discovery.md §4: what is changed in a configuration that works, by server, and what a handset and
// `lpe dhcp discover` make of it.
type mistake struct {
	name   string
	edits  map[string][]string // pairs: what was written, what is
	class  string              // option 60 of the INFORM, "" means the profile's
	code   string              // of the boot, "" means that registrar and URL are found
	source string              // of the registrar
	warns  []string            // codes of the boot's warnings
	finds  []string            // codes of discover
}

// vendorHex replaces the sub-options of class MS-UC-Client by bytes.
func vendorHex(hex string) map[string][]string {
	colons := strings.Join(slices.Collect(slices.Values(pairsOf(hex))), ":")
	return map[string][]string{
		"isc": {"  vendor-option-space MSUCClient;\n", "  option vendor-encapsulated-options " + colons + ";\n"},
		"kea": {
			`"type": "empty", "encapsulate": "MSUCClient"`, `"type": "binary"`,
			`{ "name": "vendor-encapsulated-options" },`, `{ "name": "vendor-encapsulated-options", "csv-format": false, "data": "` + hex + `" },`,
		},
		"dnsmasq": {
			`dhcp-option=vendor:MS-UC-Client,1,"MS-UC-Client"`, "dhcp-option=tag:MSUCClient,43," + colons,
			"dhcp-option=vendor:MS-UC-Client", "# dhcp-option=vendor:MS-UC-Client",
		},
	}
}

func pairsOf(hex string) []string {
	var out []string
	for pair := range slices.Chunk([]byte(hex), 2) {
		out = append(out, string(pair))
	}
	return out
}

var mistakes = []mistake{
	{name: "none", source: "dhcp"},
	{
		name: "not authoritative", code: "discovery.no-certprov-url", source: "srv",
		edits: map[string][]string{"isc": {"authoritative;", ""}},
		warns: []string{"discovery.inform-unanswered"}, finds: []string{"discovery.inform-unanswered"},
	},
	{
		name: "class absent", code: "discovery.no-certprov-url", source: "srv",
		edits: map[string][]string{
			"isc": {`= "MS-UC-Client";`, `= "another class";`}, "kea": {"== 'MS-UC-Client'", "== 'another class'"},
			"dnsmasq": {"set:MSUCClient,MS-UC-Client", "set:MSUCClient,another", "vendor:MS-UC-Client", "vendor:another"},
		},
		warns: []string{"discovery.option120-missing"}, finds: []string{"discovery.option120-missing", "discovery.option43-missing"},
	},
	{
		name: "class in the wrong case", code: "discovery.no-certprov-url", source: "srv",
		edits: map[string][]string{
			"isc": {`= "MS-UC-Client";`, `= "ms-uc-client";`}, "kea": {"== 'MS-UC-Client'", "== 'ms-uc-client'"},
			"dnsmasq": {"set:MSUCClient,MS-UC-Client", "set:MSUCClient,ms-uc-client", "vendor:MS-UC-Client", "vendor:ms-uc-client"},
		},
		warns: []string{"discovery.option120-missing"}, finds: []string{"discovery.option120-missing", "discovery.option43-missing"},
	},
	{
		name: "NUL behind the class, compared with =", class: "MS-UC-Client\x00", code: "discovery.no-certprov-url", source: "srv",
		edits: map[string][]string{"isc": {"substring(option vendor-class-identifier, 0, 12) =", "option vendor-class-identifier ="}},
		warns: []string{"discovery.option120-missing"},
	},
	{
		name: "120 as text", source: "srv",
		edits: map[string][]string{
			"isc":     {"{ integer 8, domain-list }", "text", `UCSipServer 0 "`, `UCSipServer "`},
			"kea":     {`"type": "record", "record-types": "uint8, fqdn"`, `"type": "string"`, `"0, lyncpool`, `"lyncpool`},
			"dnsmasq": {"option:sip-server,lyncpool.contoso.com", `120,6c:79:6e:63:70:6f:6f:6c:2e:63:6f:6e:74:6f:73:6f:2e:63:6f:6d`},
		},
		warns: []string{"discovery.option120-text"}, finds: []string{"discovery.option120-text"},
	},
	{
		name: "120 without type", source: "srv",
		edits: map[string][]string{
			"isc":     {"{ integer 8, domain-list }", "domain-list", `UCSipServer 0 "`, `UCSipServer "`},
			"kea":     {`"type": "record", "record-types": "uint8, fqdn"`, `"type": "fqdn"`, `"0, lyncpool`, `"lyncpool`},
			"dnsmasq": {"option:sip-server,lyncpool.contoso.com", `120,08:6c:79:6e:63:70:6f:6f:6c:07:63:6f:6e:74:6f:73:6f:03:63:6f:6d:00`},
		},
		warns: []string{"discovery.option120-no-type"}, finds: []string{"discovery.option120-no-type"},
	},
	{
		name: "120 as an address", source: "srv",
		edits: map[string][]string{
			"isc":     {"{ integer 8, domain-list }", "{ integer 8, ip-address }", `UCSipServer 0 "lyncpool.contoso.com"`, `UCSipServer 1 10.55.0.10`},
			"kea":     {`"uint8, fqdn"`, `"uint8, ipv4-address"`, `"0, lyncpool.contoso.com"`, `"1, 10.55.0.10"`},
			"dnsmasq": {"sip-server,lyncpool.contoso.com", "sip-server,10.55.0.10"},
		},
		warns: []string{"discovery.option120-address"}, finds: []string{"discovery.option120-address"},
	},
	{
		name: "binary port", code: "discovery.option43-port-binary", source: "dhcp",
		edits: map[string][]string{
			"isc":     {"WebServerPort code 4 = text", "WebServerPort code 4 = unsigned integer 16", `WebServerPort "443"`, "WebServerPort 443"},
			"kea":     {`"code": 4, "type": "string"`, `"code": 4, "type": "uint16"`},
			"dnsmasq": {`4,"443"`, "4,443"},
		},
		finds: []string{"discovery.option43-port-binary"},
	},
	{name: "43 cut off", code: "discovery.option43-truncated", source: "dhcp", edits: vendorHex(cutVendor), finds: []string{"discovery.option43-truncated"}},
	{name: "43 of another vendor", code: "discovery.option43-foreign", source: "dhcp", edits: vendorHex(foreignVendor), finds: []string{"discovery.option43-foreign"}},
	{
		name: "43 as hexadecimal text", code: "discovery.option43-hex-text", source: "dhcp", finds: []string{"discovery.option43-hex-text"},
		edits: map[string][]string{
			"isc":     {"  vendor-option-space MSUCClient;\n", "  option vendor-encapsulated-options \"" + hexVendor + "\";\n"},
			"kea":     {`"type": "empty", "encapsulate": "MSUCClient"`, `"type": "string"`, `{ "name": "vendor-encapsulated-options" },`, `{ "name": "vendor-encapsulated-options", "data": "` + hexVendor + `" },`},
			"dnsmasq": vendorHex(strings.Join(pairsOf(hexOfText(hexVendor)), ""))["dnsmasq"],
		},
	},
	{
		name: "two pools", source: "dhcp",
		edits: map[string][]string{
			"isc":     {`0 "lyncpool.contoso.com"`, `0 "lyncpool.contoso.com", "lyncpool2.contoso.com"`},
			"kea":     {`"uint8, fqdn"`, `"uint8, fqdn", "array": true`, `"0, lyncpool.contoso.com"`, `"0, lyncpool.contoso.com, lyncpool2.contoso.com"`},
			"dnsmasq": {"sip-server,lyncpool.contoso.com", "sip-server,lyncpool.contoso.com,lyncpool2.contoso.com"}, // compressed
		},
	},
}

func hexOfText(text string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(text) {
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// TestVerdicts makes each mistake of discovery.md §4 at each server that can make it, and has a handset boot there until
// it knows registrar and URL or has failed, and `lpe dhcp discover` name the mistake and what mends it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, m := range mistakes {
		for server := range dhcpServers {
			edits, made := m.edits[server]
			if m.edits != nil && !made {
				continue
			}
			t.Run(m.name+"/"+server, func(t *testing.T) {
				t.Parallel()
				client, far := newWire(t)
				dhcpServers[server](far, contoso.dhcp(t, server, nil, edits...))
				startNames(far, records{"contoso.com", []string{verdictPool}, map[string]string{"_sipinternaltls._tcp": verdictPool + " 5061"}})
				if m.class == "" {
					discovered := make(chan ran, 1)
					go func() {
						discovered <- end(t, client.command(lpePath(), "dhcp", "discover", "--interface", "eth0", "--mac", "00:04:f2:00:00:99", "--timeout", "20s"))
					}()
					defer func() { m.wantSurvey(t, <-discovered) }()
				}
				m.wantBoot(t, newBridged(t, client).quick())
			})
		}
	}
}

func (m mistake) wantBoot(t *testing.T, p *bridged) {
	t.Helper()
	if m.class != "" {
		p.Profile.InformClass = m.class
	}
	for i := range p.Profile.InformTimeouts {
		p.Profile.InformTimeouts[i] = time.Second
	}
	out := p.reach(devicestate.RootChain)
	code := ""
	if out.Reported {
		code = string(out.Failure.Code)
	}
	url := ""
	if m.code == "" {
		url = verdictURL
	}
	if code != m.code || out.Registrar != verdictPool || out.CertificateURL != url {
		t.Errorf("code %q, want %q; registrar %s, URL %s", code, m.code, out.Registrar, out.CertificateURL)
	}
	if !p.saw(timeline.Note, "registrars to try: [lyncpool.contoso.com:5061 ("+m.source) {
		t.Errorf("the registrar is not of %s", m.source)
	}
	if warned := discoveryWarnings(out); !slices.Equal(warned, m.warns) {
		t.Errorf("warnings %q, want %q", warned, m.warns)
	}
}

func discoveryWarnings(out handset.Outcome) (codes []string) {
	for _, w := range out.Warnings {
		if strings.HasPrefix(string(w.Code), "discovery.") {
			codes = append(codes, string(w.Code))
		}
	}
	return codes
}

func (m mistake) wantSurvey(t *testing.T, r ran) {
	t.Helper()
	want := 1
	if len(m.finds) == 0 {
		want = 0
	}
	var found []string
	for line := range strings.Lines(r.out) {
		if strings.HasPrefix(line, "discovery.") || strings.HasPrefix(line, "address.") || strings.HasPrefix(line, "vlan.") {
			found = append(found, strings.Fields(line)[0])
		}
	}
	slices.Sort(found)
	finds := slices.Clone(m.finds)
	slices.Sort(finds)
	if r.code != want || !slices.Equal(found, finds) {
		t.Errorf("discover: exit %d, want %d; found %q, want %q\n%s%s", r.code, want, found, finds, r.out, r.err)
	}
	for _, code := range m.finds {
		d, _ := report.Lookup(devicestate.Code(code))
		if !strings.Contains(r.out, "  fix:  "+d.Remedy+"\n") || d.Remedy == "" {
			t.Errorf("discover does not say how to mend %s:\n%s", code, r.out)
		}
	}
}
