package configs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

func TestProfiles(t *testing.T) {
	want := []string{
		"aastra-6721ip-4.0.7577.4387", "aastra-6721ip-4.0.7577.4463", "aastra-6721ip-4.0.7577.4512",
		"aastra-6725ip-4.0.7577.4387", "aastra-6725ip-4.0.7577.4463", "aastra-6725ip-4.0.7577.4512",
		"hp-4110-4.0.7577.4387", "hp-4110-4.0.7577.4463", "hp-4110-4.0.7577.4512",
		"hp-4120-4.0.7577.4387", "hp-4120-4.0.7577.4463", "hp-4120-4.0.7577.4512",
		"polycom-cx3000-4.0.7577.4387", "polycom-cx3000-4.0.7577.4463", "polycom-cx3000-4.0.7577.4512",
		"polycom-cx500-4.0.7577.4387", "polycom-cx500-4.0.7577.4463", "polycom-cx500-4.0.7577.4512",
		"polycom-cx600-4.0.7423.1", "polycom-cx600-4.0.7577.107",
		"polycom-cx600-4.0.7577.4387", "polycom-cx600-4.0.7577.4463", "polycom-cx600-4.0.7577.4512",
		"polycom-cx700-3.5.6907.187", "polycom-cx700-4.0.7577.4066",
	}
	if got := Profiles(); !slices.Equal(got, want) {
		t.Errorf("Profiles() = %q", got)
	}
	for _, name := range want {
		t.Run(name, func(t *testing.T) {
			p, err := LoadProfile(name)
			if err != nil {
				t.Fatal(err)
			}
			checkFacts(t, p)
			if want := strings.ToLower(p.Vendor + "-" + p.Model + "-" + p.Firmware); name != want {
				t.Errorf("vendor, model and firmware are %s", want)
			}
			if want := p.Model + " runs " + p.Firmware; p.Pairing != want {
				t.Errorf("pairing %q, want %q", p.Pairing, want)
			}
			if p.PIN == strings.Contains(name, "cx700") {
				t.Errorf("signin.pin is %v", p.PIN)
			}
			if p.Password == (p.Family == "aries-common-area") {
				t.Errorf("signin.password is %v", p.Password)
			}
			if want := "CPE/" + p.Firmware + " OCPhone/" + p.Firmware + " ("; !strings.HasPrefix(p.UserAgent, want) {
				t.Errorf("user agent %q", p.UserAgent)
			}
			if want := slices.Contains([]string{"4.0.7577.4387", "4.0.7577.4463", "4.0.7577.4512"}, p.Firmware); p.StrictNaming != want {
				t.Errorf("strict naming %v", p.StrictNaming)
			}
		})
	}
}

func checkFacts(t *testing.T, p *Profile) {
	t.Helper()
	if len(p.Facts) < 40 {
		t.Errorf("%d facts, want 40 at least", len(p.Facts))
	}
	for _, fact := range p.Facts {
		if !slices.Contains([]Provenance{Sourced, Inferred, Assumed}, fact.Provenance) || fact.Source == "" {
			t.Errorf("fact without provenance or source: %+v", fact)
		}
		if fact.Value == "" && fact.Name != "http.user_agent" {
			t.Errorf("fact without value: %+v", fact)
		}
	}
	if !slices.IsSortedFunc(p.Facts, func(a, b Fact) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("facts are not sorted")
	}
	if p.ColdDate.Year() >= 2010 {
		t.Errorf("cold date %v", p.ColdDate)
	}
}

// TestPairings holds the provenance of each build on each model: sourced only where a document names both.
func TestPairings(t *testing.T) {
	sourced := []string{
		"polycom-cx600-4.0.7423.1", "polycom-cx600-4.0.7577.107", "polycom-cx600-4.0.7577.4512",
		"polycom-cx500-4.0.7577.4512", "polycom-cx3000-4.0.7577.4512",
	}
	for _, name := range Profiles() {
		want := Inferred
		if slices.Contains(sourced, name) {
			want = Sourced
		}
		if got := factOf(t, name, "firmware.pairing").Provenance; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestOneUserAgentIsSourced: the beta's string is the only complete literal (handset.md §2).
func TestOneUserAgentIsSourced(t *testing.T) {
	for _, name := range Profiles() {
		fact := factOf(t, name, "sip.user_agent")
		if real := name == "polycom-cx600-4.0.7423.1"; real != (fact.Provenance == Sourced) {
			t.Errorf("%s: %+v", name, fact)
		}
	}
	if got, want := factOf(t, "polycom-cx600-4.0.7423.1", "sip.user_agent").Value,
		"CPE/4.0.7423.1 OCPhone/4.0.7423.1 (Microsoft Lync 2010 (Beta) Phone Edition)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func factOf(t *testing.T, profile, name string) Fact {
	t.Helper()
	p, err := LoadProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Facts, func(f Fact) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("%s has no fact %s", profile, name)
	}
	return p.Facts[i]
}

func TestDefaultProfileFields(t *testing.T) {
	p, err := LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]any{
		"lldp":          {[]any{p.LLDPWait, p.LLDPInterval, p.LLDPCount, p.LLDPTxInterval, p.LLDPTTL, p.LLDPChassis}, []any{3 * time.Second, time.Second, 3, 30 * time.Second, uint16(120), uint8(5)}},
		"vlan":          {p.VLANTimeouts, []time.Duration{4 * time.Second, 8 * time.Second}},
		"lease":         {p.LeaseTimeouts, []time.Duration{4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, 64 * time.Second}},
		"discover":      {p.LeaseOrder, []uint8{53, 61, 12, 55, 60}},
		"request":       {p.RequestOrder, []uint8{53, 54, 50, 61, 12, 55, 60}},
		"lease PRL":     {p.LeasePRL, []uint8{1, 3, 6, 15, 44, 46, 47, 42, 43}},
		"inform":        {[]any{p.InformClass, p.InformOrder, p.InformPRL}, []any{"MS-UC-Client", []uint8{53, 61, 12, 55, 60}, []uint8{120, 43}}},
		"inform timers": {p.InformTimeouts, []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}},
		"tls":           {[]any{p.TLSMin, p.TLSMax, p.TLSSuites}, []any{"1.0", "1.0", []string{"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA"}}},
		"supported":     {p.Supported, []string{"gruu-10, adhoclist, msrtc-event-categories", "ms-forking", "ms-cluster-failover", "ms-userservices-state-notification"}},
		"certprov":      {p.CertProvSources, []string{"option43"}},
		"update":        {[]any{p.UpdateName, p.UpdateDomain, p.UpdateInterval}, []any{"ucupdates-r2", "sip-srv", 24 * time.Hour}},
		"certificate":   {[]any{p.KeyBits, p.CSRSignature, p.RenewAt}, []any{2048, "sha1", 80}},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

func TestTextFor(t *testing.T) {
	p, err := LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		state devicestate.State
		code  devicestate.Code
		want  string
		ok    bool
	}{
		{devicestate.AddressAcquire, "", "Acquiring IP Address", true},
		{devicestate.Register, "", "Connecting to Lync Server", true},
		{devicestate.Failed, "chain.off", "Error downloading certificate chain from OCS Registrar. Please try again", true},
		{devicestate.Failed, "ticket.refused", "~Phone number or PIN incorrect", true},
		{devicestate.Register, "register.480", "Connecting to Lync Server", true},
		{devicestate.WebTicket, "", "", false},
	} {
		got, ok := p.TextFor(test.state, test.code)
		if got.String() != test.want || ok != test.ok {
			t.Errorf("TextFor(%s, %q) = %q, %v, want %q, %v", test.state, test.code, got, ok, test.want, test.ok)
		}
	}
}

// TestUnverifiedTextsAreNotSourced: no document confirms these texts (handset.md §5.3).
func TestUnverifiedTextsAreNotSourced(t *testing.T) {
	unverified := []string{
		"Welcome", "Connecting to network", "Locating server", "Downloading certificate", "Certificate web service cannot be found",
		"Cannot download certificate because domain is not accessible", "An account matching this phone number cannot be found",
		"Phone number or PIN incorrect", "Connection to Microsoft Lync Server failed", "Microsoft Lync Phone Edition update",
	}
	for _, name := range Profiles() {
		p, err := LoadProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		for key, text := range p.Glass {
			if slices.Contains(unverified, text.Text) && text.Provenance != Assumed {
				t.Errorf("%s: glass.%s %q is %s", name, key, text.Text, text.Provenance)
			}
		}
	}
}

func TestLoadProfileUnknown(t *testing.T) {
	for _, name := range []string{"", "nokia", "base/tanjay", "../labs/litware", "tanjay"} {
		if p, err := LoadProfile(name); err == nil || !strings.Contains(err.Error(), "profile list") {
			t.Errorf("LoadProfile(%q) = %v, %v", name, p, err)
		}
	}
}

func TestParseProfileProblems(t *testing.T) {
	fact := func(line string) string {
		return "base: [polycom-cx600, firmware-4.0.7577.4463]\nfacts:\n  " + line + "\n"
	}
	const pairing = `firmware.pairing: {value: CX600, provenance: inferred, source: x}`
	for _, test := range []struct{ yaml, want string }{
		{"facts: {}\n", `profiles/test.yaml: fact "model.family" is missing`},
		{fact(`lldp.wait: {value: 3s, source: x}`), "profiles/test.yaml:3: lldp.wait.provenance: missing, expected one of sourced, inferred, assumed"},
		{fact(`lldp.wait: {value: 3s, provenance: guessed, source: x}`), "profiles/test.yaml:3: lldp.wait.provenance: expected one of sourced, inferred, assumed"},
		{fact(`lldp.wait: {value: 3s, provenance: inferred}`), "profiles/test.yaml:3: lldp.wait.source: missing"},
		{fact(`lldp.wait: {value: 3s, provenance: inferred, source: ""}`), "lldp.wait.source: is empty"},
		{fact(`lldp.wait: {provenance: inferred, source: x}`), "lldp.wait.value: missing"},
		{fact(`lldp.wait: {value: 3, provenance: inferred, source: x}`), "lldp.wait.value: expected a duration such as 90s or 8h"},
		{fact(`lldp.wait: 3s`), "profiles/test.yaml:3: lldp.wait: expected a mapping of keys and values, found a text"},
		{fact(`lldp.wiat: {value: 3s, provenance: inferred, source: x}`), `profiles/test.yaml:3: unknown fact "lldp.wiat"`},
		{fact(`lldp.ttl: {value: 65536, provenance: inferred, source: x}`), "lldp.ttl.value: 65536 is not in the range 1 to 65535"},
		{fact(`lldp.ttl: {value: 0120, provenance: inferred, source: x}`), "lldp.ttl.value: expected a decimal number from 1 to 65535"},
		{fact(`lldp.chassis_subtype: {value: 3, provenance: inferred, source: x}`), "is not in the range 4 to 5"},
		{fact(`dhcp.discover_order: {value: [53, 256], provenance: inferred, source: x}`), "dhcp.discover_order.value: 256 is not in the range 0 to 255"},
		{fact(`dhcp.discover_order: {value: [], provenance: inferred, source: x}`), "expected a list with an entry at least"},
		{fact(`certprov.sources: {value: [option44], provenance: inferred, source: x}`), `certprov.sources.value: "option44" is none of option43, sts-uri, default-path`},
		{fact(`tls.min: {value: 1.0, provenance: inferred, source: x}`), "tls.min.value: expected a text, YAML reads it as a floating-point number; put it in quotes"},
		{fact(`model.name: {value: 4110, provenance: inferred, source: x}`), "model.name.value: must be in quotes, YAML reads it as a number"},
		{fact(`firmware.version: {value: 4.0.7577.4463, provenance: inferred, source: x}`), "firmware.version.value: must be in quotes, as every PIN"},
		{fact(`model.oui: {value: 00:04:F2, provenance: inferred, source: x}`), "model.oui.value: must be in quotes"},
		{fact(`signin.pin: {value: maybe, provenance: inferred, source: x}`), "signin.pin.value: expected true or false, found a text"},
		{fact(`firmware.cold_date: {value: "2006-01-01", provenance: assumed, source: x}`), "expected a time such as 2006-01-01T00:00:00Z"},
		{fact(`sip.user_agent: {value: "", provenance: assumed, source: x}`), "sip.user_agent.value: is empty"},
		{fact(`sip.user_agent: {value: "CPE\r\nVia: x", provenance: assumed, source: x}`), "sip.user_agent.value: \"CPE\\r\\nVia: x\" has a line break"},
		{fact(`sip.supported: {value: ["gruu-10", "a\n"], provenance: assumed, source: x}`), "has a line break"},
		{fact(`glass.Ready: {value: "\e[2J", provenance: assumed, source: x}`), "control character"},
		{fact(`tls.suites: {value: [TLS_RSA_WITH_AES_128_CBC_SHA, RC4], provenance: assumed, source: x}`), `tls.suites.value: expected a TLS suite up to TLS 1.2 as crypto/tls names it`},
		{fact(`tls.suites: {value: [TLS_AES_128_GCM_SHA256], provenance: assumed, source: x}`), "expected a TLS suite up to TLS 1.2"},
		{fact(`model.oui: {value: "01:00:5E", provenance: inferred, source: x}`), "model.oui.value: expected the first three bytes"},
		{fact(`model.oui: {value: "0004F2", provenance: inferred, source: x}`), "model.oui.value: expected the first three bytes"},
		{fact(`glass.Redy: {value: x, provenance: assumed, source: x}`), `"Redy" is no state and no failure code`},
		{fact(`glass.Ready: {value: x, provenance: assumed, source: x, colour: red}`), "glass.Ready.colour: unknown key"},
		{fact(pairing + "\n  " + pairing), `profiles/test.yaml:4: key "firmware.pairing" stands twice in facts`},
		{fact(pairing + "\n  " + `tls.min: {value: "1.2", provenance: assumed, source: x}`), "tls.min 1.2 is above tls.max 1.0"},
		{"base: nokia\nfacts: {}\n", `profiles/test.yaml:1: base: no base "nokia"`},
		{"base: tanjay\nfakts: {}\n", "profiles/test.yaml:2: fakts: unknown key"},
	} {
		_, err := ParseProfile("test", []byte(test.yaml), baseProfile)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\n%v\nwant %s", test.yaml, err, test.want)
		}
	}
}

func TestParseProfileBases(t *testing.T) {
	loop := func(name string) ([]byte, error) { return []byte("base: " + name + "\nfacts: {}\n"), nil }
	if _, err := ParseProfile("test", []byte("base: a\nfacts: {}\n"), loop); err == nil || !strings.Contains(err.Error(), `"a" is a base of itself`) {
		t.Errorf("%v", err)
	}
	n := 0
	endless := func(string) ([]byte, error) { n++; return fmt.Appendf(nil, "base: b%d\nfacts: {}\n", n), nil }
	if _, err := ParseProfile("test", []byte("base: a\nfacts: {}\n"), endless); err == nil || !strings.Contains(err.Error(), "more than 16 bases") {
		t.Errorf("%v", err)
	}
	broken := func(string) ([]byte, error) { return nil, errors.New("disk on fire") }
	if _, err := ParseProfile("test", []byte("base: a\nfacts: {}\n"), broken); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("%v", err)
	}
}

// TestLaterFactReplaces: the last of the bases, then the file itself.
func TestLaterFactReplaces(t *testing.T) {
	const yaml = `base: [polycom-cx600, firmware-4.0.7577.4463]
facts:
  firmware.pairing: {value: measured, provenance: sourced, source: capture}
  lldp.wait: {value: 2500ms, provenance: sourced, source: capture}
`
	p, err := ParseProfile("measured", []byte(yaml), baseProfile)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Facts, func(f Fact) bool { return f.Name == "lldp.wait" })
	if want := (Fact{"lldp.wait", "2500ms", Sourced, "capture"}); p.Facts[i] != want || p.LLDPWait != 2500*time.Millisecond {
		t.Errorf("%+v, field %v", p.Facts[i], p.LLDPWait)
	}
}
