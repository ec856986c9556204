package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLabs(t *testing.T) {
	if got := Labs(); !slices.Equal(got, []string{"contoso", "litware"}) {
		t.Errorf("Labs() = %q", got)
	}
	for _, name := range Labs() {
		lab, err := LoadLab(name)
		if err != nil {
			t.Fatal(err)
		}
		var users []string
		for _, u := range lab.Users {
			users = append(users, u.Name)
		}
		if want := []string{"second", "nopin", "locked", "disabled", "shared-a", "shared-b"}; !slices.Equal(users[1:], want) {
			t.Errorf("%s: users %q", name, users)
		}
		if r := lab.Registrar; r.DefaultEndpointExpiration != 600 || r.MinEndpointExpiration != 300 || r.MaxEndpointExpiration != 900 || r.MaxEndpointsPerUser != 8 {
			t.Errorf("%s: registrar %+v", name, r)
		}
		a, b := lab.Users[5], lab.Users[6]
		if a.LineURI != b.LineURI || a.PIN == b.PIN || lab.Users[2].PIN != "" || !lab.Users[3].Locked || lab.Users[4].Enabled {
			t.Errorf("%s: %v", name, lab.Users)
		}
	}
}

func TestLitware(t *testing.T) {
	lab, err := LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	want := User{
		Name: "kenmyer", SIPAddress: "sip:kenmyer@litwareinc.com", LineURI: "tel:+12065551219;ext=1219", PIN: "0712",
		Login: `LITWARE\kenmyer`, Password: "Litware-2013", Enabled: true,
	}
	if lab.Users[0] != want {
		t.Errorf("first user %v", lab.Users[0])
	}
	if lab.Pool != lab.Web || lab.Pool != lab.FrontEnds[0].FQDN || lab.Edition != "standard" || lab.Network.VoiceVLAN != 0 {
		t.Errorf("%+v", lab)
	}
}

func TestContoso(t *testing.T) {
	lab, err := LoadLab("contoso")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{lab.Pool, lab.Web, lab.FrontEnds[0].FQDN, lab.FrontEnds[1].FQDN, lab.Director.FQDN, lab.Backup.FQDN}
	slices.Sort(names)
	if len(slices.Compact(names)) != 6 {
		t.Errorf("names are not different: %q", names)
	}
	n := lab.Network
	if n.VoiceVLAN != 200 || n.LLDPPolicy != "tagged" || n.Priority != 5 || n.DSCP != 46 || n.DHCPOptions != "enterprise" || n.NTP != "srv" {
		t.Errorf("%+v", n)
	}
	if lab.PKI != (PKI{Signature: "sha1", Intermediate: true, KeyBits: 2048}) {
		t.Errorf("%+v", lab.PKI)
	}
}

func TestLabShowsNoSecret(t *testing.T) {
	for _, name := range Labs() {
		lab, err := LoadLab(name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(lab)
		if err != nil {
			t.Fatal(err)
		}
		shown := lab.Text() + string(b) + fmt.Sprintf("%v %+v %#v %s", lab, lab, *lab, lab.Users)
		for _, u := range lab.Users {
			if u.PIN != "" && strings.Contains(shown, u.PIN) || strings.Contains(shown, u.Password) {
				t.Errorf("%s: PIN or password of %s is shown", name, u.Name)
			}
		}
	}
}

func TestLoadLabFile(t *testing.T) {
	data, err := os.ReadFile("labs/litware.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	lab, err := LoadLab(file)
	if err != nil || lab.Name != "mine" {
		t.Errorf("%v, %v", lab, err)
	}
	if err := os.WriteFile(file, append(data, make([]byte, maxFileSize)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadLab(file); err == nil || !strings.Contains(err.Error(), "at most 262144 are read") {
		t.Errorf("%v", err)
	}
	if _, err := LoadLab("nowhere"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "there are contoso, litware") {
		t.Errorf("%v", err)
	}
}

const smallLab = `edition: standard
sip_domain: example.com
dns_domain: example.com
pool: pool.example.com
web: pool.example.com
front_ends: [{fqdn: pool.example.com, address: 10.0.0.10}]
network:
  subnet: 10.0.0.0/24
  gateway: 10.0.0.1
  server: 10.0.0.1
  first_lease: 10.0.0.100
  dhcp_options: enterprise
users:
  - name: alice
    sip: sip:alice@example.com
    line: "tel:+12065551219;ext=1219"
    pin: "59371"
`

// TestDefaults: what a small file leaves out has the defaults of the cmdlets (handset.md §4 and §6).
func TestDefaults(t *testing.T) {
	lab, err := ParseLab("small", []byte(smallLab))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "small.txt", lab.Text())
}

func TestWindowsAuth(t *testing.T) {
	for _, value := range []string{"ntlm", "basic", "off"} {
		lab, err := ParseLab("lab.yaml", []byte(smallLab+"web_services: {windows_auth: "+value+"}\n"))
		if err != nil || lab.WebServices.WindowsAuth != value || !strings.Contains(lab.Text(), "Windows "+value+",") {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestExpires(t *testing.T) {
	lab, err := ParseLab("lab.yaml", []byte(smallLab+"registrar: {expires: 38}\n"))
	if err != nil || lab.Registrar.Expires != 38 || !strings.Contains(lab.Text(), "registrations           of 38 s, whatever was asked\n") {
		t.Errorf("%v\n%s", err, lab.Text())
	}
}

func TestParseLabProblems(t *testing.T) {
	second := func(lines string) (string, string) { // a user after alice, in lines 18 and on
		return "    pin: \"59371\"\n", "    pin: \"59371\"\n  - name: bob\n    sip: sip:bob@example.com\n" + lines
	}
	twin, twinAdded := second("    line: \"tel:+12065551219\"\n    pin: \"59371\"\n")
	sameSIP, sameSIPAdded := second("    login: A\\b\n    password: c\n  - name: bob\n    sip: sip:bobby@example.com\n")
	for _, test := range []struct{ old, changed, want string }{
		{`pin: "59371"`, `pin: 07120`, "lab.yaml:17: users[1].pin: must be in quotes: YAML reads digits after a leading 0 as an octal number, 010 becomes 8\n    17 |     pin: ***"},
		{`pin: "59371"`, `pin: 59371`, "lab.yaml:17: users[1].pin: must be in quotes, YAML reads it as a number\n    17 |     pin: ***"},
		{`pin: "59371"`, `pin: 593_71`, "users[1].pin: must be in quotes, YAML reads it as a number"},
		{`pin: "59371"`, "pin: \"5937\"", "users[1].pin: the PIN is shorter than the policy allows, which is 5 digits\n    17 |     pin: ***"},
		{`pin: "59371"`, `pin: "593a1"`, "the PIN is not 4 to 24 digits"},
		{`pin: "59371"`, `pin: "55555"`, "common pattern"},
		{`pin: "59371"`, `x: {do: 'it', "pni": 59371, n.i: Secret:99}`, "lab.yaml:17: users[1].x: unknown key\n    17 |     x: {do: …, …, n.i: …}"},
		{`pin: "59371"`, `pni: "59371"`, "lab.yaml:17: users[1].pni: unknown key\n    17 |     pni: …"},
		{`"tel:+12065551219;ext=1219"`, `tel:+12065551219;ext=1219`, "lab.yaml:16: users[1].line: must be in quotes, as every PIN, phone number"},
		{`"tel:+12065551219;ext=1219"`, `"1219"`, "lab.yaml:16: users[1].line: expected a LineURI"},
		{`sip:alice@example.com`, `alice@example.com`, "lab.yaml:15: users[1].sip: expected an address such as sip:kenmyer@example.com"},
		{`sip:alice@example.com`, `sip:alice@example.net`, "users[1].sip: the domain is not sip_domain, example.com"},
		{twin, twinAdded, "lab.yaml:20: users[2].line: alice has this number or extension and this PIN too"},
		{sameSIP, sameSIPAdded, `lab.yaml:22: users[3].name: "bob" is the name of an earlier user`},
		{"edition: standard", "edition: premium", "lab.yaml:1: edition: expected one of standard, enterprise"},
		{"edition: standard\n", "", "edition: missing, expected one of standard, enterprise"},
		{"pool: pool.example.com", "pool: Pool", "lab.yaml:4: pool: expected a full DNS name in lower case"},
		{"pool: pool.example.com", "pool: other.example.com", "front_ends: the one front end of a Standard Edition pool has the name of the pool"},
		{"address: 10.0.0.10", "address: 10.0.0.256", "lab.yaml:6: front_ends[1].address: expected an IPv4 address"},
		{"address: 10.0.0.10", "address: 10.0.1.10", "lab.yaml:6: front_ends: 10.0.1.10 is not in the subnet 10.0.0.0/24"},
		{"address: 10.0.0.10", "address: 10.0.0.1", "lab.yaml:6: front_ends: 10.0.0.1 is the address of the server of the network and of pool.example.com"},
		{"subnet: 10.0.0.0/24", "subnet: 10.0.0.5/24", "lab.yaml:8: network.subnet: the network is 10.0.0.0/24, host bits are set"},
		{"subnet: 10.0.0.0/24", "subnet: fd00::/64", "lab.yaml:8: network.subnet: expected an IPv4 network"},
		{"  subnet: 10.0.0.0/24\n", "", "lab.yaml:8: network.subnet: missing"},
		{"first_lease: 10.0.0.100", "first_lease: 10.0.0.5", "network.leases: the lease 10.0.0.10 is the address of pool.example.com"},
		{"first_lease: 10.0.0.100", "first_lease: 10.0.0.200", "100 leases from 10.0.0.200 do not fit into the subnet"},
		{"dhcp_options: enterprise", "dhcp_options: enterprise\n  voice_vlan: 0200", "lab.yaml:13: network.voice_vlan: expected a decimal number from 0 to 4094"},
		{"dhcp_options: enterprise", "dhcp_options: enterprise\n  voice_vlan: 4095", "network.voice_vlan: 4095 is not in the range 0 to 4094"},
		{"dhcp_options: enterprise", "dhcp_options: enterprise\n  voice_vlan: 200", "network.voice_vlan: a voice VLAN needs native_subnet and native_server"},
		{"dhcp_options: enterprise", "dhcp_options: enterprise\n  lldp_policy: tagged", "network.lldp_policy: a tagged policy needs a voice VLAN"},
		{"dhcp_options: enterprise", "dhcp_options: enterprise\n  lease_time: 8", "network.lease_time: expected a duration"},
		{"dhcp_options: enterprise", "dhcp_options: registrar", "registrar.enable_dhcp_server: must be true, because network.dhcp_options is registrar"},
		{"dhcp_options: enterprise", "dhcp_options: enterprise\n  gateway: 10.0.0.2", `lab.yaml:13: key "gateway" stands twice in network`},
		{"users:\n", "tls: {min: 1.0}\nusers:\n", "lab.yaml:13: tls.min: expected a text, YAML reads it as a floating-point number; put it in quotes"},
		{"users:\n", "tls: {suites: [TLS_AES_128_GCM_SHA256]}\nusers:\n", "tls.suites: expected suites up to TLS 1.2 for an RSA key"},
		{"users:\n", "tls: {suites: [TLS_RSA_WITH_RC4_128_SHA, TLS_RSA_WITH_RC4_128_SHA]}\nusers:\n", "tls.suites: TLS_RSA_WITH_RC4_128_SHA stands twice"},
		{"users:\n", "sip_tls: {min: \"1.3\"}\nusers:\n", "sip_tls.min: TLS 1.3 is above max, 1.2"},
		{"users:\n", "certificates: {web: [\"*\"]}\nusers:\n", "certificates.web: expected full DNS names in lower case, or wildcards"},
		{"users:\n", "certificates: {sip: [a.example.com]}\nusers:\n", "certificates.sip: unknown key"},
		{"users:\n", "web_services: {metadata: none}\nusers:\n", "web_services.metadata: expected one of both, get, transfer"},
		{"users:\n", "tls: {min: \"1.2\", max: \"1.0\"}\nusers:\n", "tls.min: TLS 1.2 is above max, 1.0"},
		{"users:\n", "updates: {version: 4.0.7577.4512}\nusers:\n", "updates.version: must be in quotes, as every PIN, phone number, MAC address and firmware version"},
		{"users:\n", "updates: {version: \"4.0\"}\nusers:\n", "updates.version: expected a firmware version"},
		{"users:\n", "registrar: {default_endpoint_expiration: 200}\nusers:\n", "registrar.default_endpoint_expiration: 200 s is not between"},
		{"users:\n", "registrar: {expires: 30}\nusers:\n", "registrar.expires: 30 is not in the range 31 to 86400"},
		{"users:\n", "pki: [sha1]\nusers:\n", "lab.yaml:13: pki: expected a mapping of keys and values, found a list"},
		{"users:\n", "web_services: {use_pin_auth: yes}\nusers:\n", "web_services.use_pin_auth: expected true or false, found a text"},
		{"users:\n", "web_services: {windows_auth: kerberos}\nusers:\n", "lab.yaml:13: web_services.windows_auth: expected one of ntlm, basic, off\n    13 | web_services: {windows_auth: kerberos}"},
		{"users:\n", "web_services: {windows_auth: true}\nusers:\n", "web_services.windows_auth: expected a text, YAML reads it as true or false"},
		{"users:\n", "web_services: {use_windows_auth: true}\nusers:\n", "web_services.use_windows_auth: unknown key"},
		{"name: alice\n", "name: alice\n    login: alice\n", "users[1].login: expected a login such as"},
		{"name: alice\n", "name: alice\n    login: A\\alice\n", "users[1].login: login and password go together"},
		{smallLab, "[]", "the file: expected a mapping of keys and values, found a list"},
		{smallLab, "", "lab.yaml: the file holds 0 documents, expected 1"},
		{smallLab, "--- {}\n--- {}\n", "lab.yaml: the file holds 2 documents, expected 1"},
		{"edition: standard", "edition: &a standard", "lab.yaml:1: anchors are not used in these files"},
		{"edition: standard", "edition: *a", "lab.yaml:1: aliases are not used in these files"},
		{"edition: standard", "<<: {edition: standard}", "lab.yaml:1: merge keys are not used in these files"},
		{"edition: standard", "edition: !!str standard", "lab.yaml:1: tags are not used in these files"},
		{smallLab, "edition: \"standard", "lab.yaml:1: could not find end character of double-quoted text"},
		{"edition: standard", "edition: stan\x01dard", "lab.yaml:1: the line has a control character"},
		{"edition: standard", "edition: \xff", "lab.yaml: the file is not UTF-8 text"},
	} {
		text := strings.Replace(smallLab, test.old, test.changed, 1)
		_, err := ParseLab("lab.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q instead of %q:\n%v\nwant %s", test.changed, test.old, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "59371") || strings.Contains(err.Error(), "07120")) {
			t.Errorf("%q: a PIN in the error:\n%v", test.changed, err)
		}
	}
}

func TestByLogin(t *testing.T) {
	lab, err := LoadLab("contoso")
	if err != nil {
		t.Fatal(err)
	}
	for login, want := range map[string]string{
		`CONTOSO\jeffhay`: "jeffhay", `contoso\JeffHay`: "jeffhay", "jeffhay": "jeffhay", "JEFFHAY@contoso.com": "jeffhay", "second": "second",
		"": "", `LITWARE\jeffhay`: "", `\jeffhay`: "", `CONTOSO\`: "", "jeffhay@": "", "jeffhay@litwareinc.com": "", "@contoso.com": "", "jeff": "",
	} {
		if user, ok := lab.ByLogin(login); user.Name != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", login, user.Name, ok)
		}
	}
	small, err := ParseLab("small", []byte(smallLab))
	if err != nil {
		t.Fatal(err)
	}
	if user, ok := small.ByLogin(""); ok {
		t.Errorf("no login is that of %s, who has none", user.Name)
	}
}

// TestEveryProblemIsNamed: one run shows all mistakes, in the order of the lines.
func TestEveryProblemIsNamed(t *testing.T) {
	text := strings.NewReplacer("standard", "premium", "10.0.0.10}", "10.0.0}", "\"59371\"", "59371", "gateway", "getaway").Replace(smallLab)
	_, err := ParseLab("lab.yaml", []byte(text))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if want := []int{1, 6, 8, 9, 17}; !slices.Equal(lines, want) {
		t.Errorf("problems in lines %v, want %v:\n%v", lines, want, err)
	}
}

func TestBounds(t *testing.T) {
	comment := "#" + strings.Repeat("x", maxFileSize-len(smallLab)-2) + "\n"
	if _, err := ParseLab("lab.yaml", []byte(smallLab+comment)); err != nil {
		t.Errorf("%d bytes: %v", len(smallLab)+len(comment), err)
	}
	// Around the value of an unknown key: the file's mapping is the first level.
	list := func(depth int) string {
		return smallLab + "x: " + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "\n"
	}
	block := func(depth int) string {
		text := smallLab + "x:\n"
		for i := 1; i < depth; i++ {
			text += strings.Repeat(" ", i) + "k:\n"
		}
		return text
	}
	keys := func(n int) string {
		text := &strings.Builder{}
		for i := range n {
			fmt.Fprintf(text, "k%d: v\n", i)
		}
		return text.String()
	}
	const deep = "mappings and lists are nested deeper than 64"
	for _, test := range []struct {
		name, yaml, want string
		refused          bool
	}{
		{"size", smallLab + comment + "#", "the file has 262145 bytes, at most 262144 are read", true},
		{"lists, depth", list(maxDepth), deep, false},
		{"lists, one over", list(maxDepth + 1), deep, true},
		{"lists, far over", list(100000), deep, true},
		{"mappings, depth", block(maxDepth), deep, false},
		{"mappings, one over", block(maxDepth + 1), deep, true},
		{"entries, far over", "x:\n" + strings.Repeat("- ", 100000), deep, true},
		{"keys", keys(maxKeys), "more than 5000 keys", false},
		{"keys, one over", keys(maxKeys + 1), "more than 5000 keys", true},
		{"bomb", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "lab.yaml:1: anchors are not used in these files", true},
	} {
		_, err := ParseLab("lab.yaml", []byte(test.yaml))
		if err == nil || strings.Contains(err.Error(), test.want) != test.refused {
			t.Errorf("%s: %.300v", test.name, err)
		}
	}
}

func TestPINPolicy(t *testing.T) {
	strict, lax := PINPolicy{MinPasswordLength: 5}, PINPolicy{MinPasswordLength: 4, AllowCommonPatterns: true}
	const line = "tel:+12065551219;ext=12193"
	for _, test := range []struct {
		policy PINPolicy
		pin    string
		want   error
	}{
		{strict, "59371", nil},
		{strict, "5937", ErrPINTooShort},
		{lax, "5937", nil},
		{lax, "593", ErrPINNotDigits},
		{strict, strings.Repeat("59", 12), nil},
		{strict, strings.Repeat("59", 13), ErrPINNotDigits},
		{strict, "5937x", ErrPINNotDigits},
		{strict, "77777", ErrPINCommon},
		{lax, "7777", nil},
		{strict, "91234", ErrPINCommon},
		{strict, "94321", ErrPINCommon},
		{strict, "91237", nil},
		{strict, "12193", ErrPINCommon},
		{strict, "12065551219", ErrPINCommon},
		{strict, "89012", nil},
	} {
		if err := test.policy.Check(test.pin, line); !errors.Is(err, test.want) {
			t.Errorf("Check(%q) with %+v = %v, want %v", test.pin, test.policy, err, test.want)
		}
	}
}

// A mistake in a line that holds a secret does not show the secret.
func TestMistakesShowNoSecret(t *testing.T) {
	good, err := files.ReadFile("labs/litware.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"password: Litware-2013", "password Litware-2013"},
		{"password: Litware-2013", "password = Litware-2013"},
		{"password: Litware-2013", "- Litware-2013"},
		{"password: Litware-2013", "Litware-2013: password"},
		{"password: Litware-2013", "password: |\n\tLitware-2013"},
		{`pin: "0712"`, "pin 0712"},
		{`pin: "0712"`, "pin = 0712"},
		{`pin: "0712"`, "pin: |\n\t0712"},
		{`pin: "0712"`, "pin: 0712"},
	} {
		text := strings.Replace(string(good), c[0], c[1], 1)
		if text == string(good) {
			t.Fatalf("%q is not in the lab", c[0])
		}
		_, err := ParseLab("lab.yaml", []byte(text))
		if err == nil || strings.Contains(err.Error(), "Litware-2013") || strings.Contains(err.Error(), "0712") {
			t.Errorf("%q: %v", c[1], err)
		}
	}
}
