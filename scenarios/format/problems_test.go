package format_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/scenarios/format"
)

// good is a scenario without a mistake, of which each test changes something.
const good = `name: good
description: A boot.
source: a test
handset: {profile: polycom-cx600-4.0.7577.4463}
lab: {name: litware}
faults:
  - chain=slow:1s
steps:
  - power: on
  - sign_in: kenmyer
  - {wait: Ready, within: 20s, label: there}
  - do: reboot
  - wait: Ready
  - power: off
expect:
  states: [LinkDetect, ..., Ready, Rebooting, ..., Ready, PoweredOff]
  glass: [Acquiring IP Address]
  result: {state: PoweredOff}
  messages:
    - {message: sent sip REGISTER 1, field: Authorization, absent: true}
  never:
    - {code: ticket.refused}
  flash: {user: "sip:kenmyer@litwareinc.com"}
  pool:
    - {user: kenmyer, attempts: 0}
`

func TestGood(t *testing.T) {
	if _, err := format.Parse("good.yaml", []byte(good)); err != nil {
		t.Error(err)
	}
}

func TestStays(t *testing.T) {
	s, err := format.Parse("good.yaml", []byte(strings.Replace(good, "  - do: reboot\n", "  - stay: 90s\n  - do: reboot\n  - stay: 2m\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Stays(), 210*time.Second; got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestProblems changes one thing of a good scenario each, and wants the sentence about it at its line.
func TestProblems(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":                {"source: a test", "sourec: a test", `good.yaml:3: sourec: unknown key`},
		"missing key":                {"source: a test\n", "", `source: missing`},
		"unknown key of a step":      {"- do: reboot", "- {do: reboot, wihtin: 5s}", "good.yaml:12: steps[4].wihtin: unknown key\n    12 |   - {do: …, wihtin: …}"},
		"no verb":                    {"- do: reboot", "- {label: x}", `good.yaml:12: steps[4]: does nothing: a step has one of power, `},
		"two verbs":                  {"- do: reboot", "- {do: reboot, stay: 5s}", `good.yaml:12: steps[4]: does do and stay at once`},
		"unquoted PIN":               {"- sign_in: kenmyer", "- dial: \"1219\"\n  - enter_pin: 0712", `good.yaml:11: steps[3].enter_pin: must be in quotes: YAML reads digits after a leading 0 as an octal number`},
		"unquoted number":            {"- sign_in: kenmyer", "- dial: 1219\n  - enter_pin: \"0712\"", `good.yaml:10: steps[2].dial: must be in quotes`},
		"unquoted MAC":               {"4463}", "4463, mac: 00:04:F2:12:34:56}", `good.yaml:4: handset.mac: must be in quotes`},
		"no MAC":                     {"4463}", "4463, mac: \"01:04:F2:12:34:56\"}", `handset.mac: expected a MAC address of one host`},
		"missing profile":            {"polycom-cx600-4.0.7577.4463", "polycom-cx601", `good.yaml:4: handset.profile: no profile "polycom-cx601"`},
		"missing fact":               {"4463}", "4463, set: {lldp.wiat: 5s}}", `good.yaml:4: handset.set.lldp.wiat: a profile has no such fact`},
		"fact of another kind":       {"4463}", "4463, set: {lldp.wait: long}}", `good.yaml:4: handset.set.lldp.wait: expected a duration`},
		"missing lab":                {"name: litware", "name: litwar", `good.yaml:5: lab: no lab "litwar" (there are contoso, litware) and no such file`},
		"missing setting":            {"name: litware", "name: litware, set: {network.lldp: none}", `good.yaml:5: lab.set.network.lldp: unknown key`},
		"missing section of lab":     {"name: litware", "name: litware, set: {net.lldp: none}", `good.yaml:5: lab.set.net.lldp: a lab has no such setting`},
		"setting of another kind":    {"name: litware", "name: litware, set: {network.lldp_policy: loud}", `good.yaml:5: lab.set.network.lldp_policy: expected one of tagged, untagged, none`},
		"setting that contradicts":   {"name: litware", "name: litware, set: {network.voice_vlan: 5}", `good.yaml:5: lab.set.network.voice_vlan: a voice VLAN needs native_subnet`},
		"missing fault":              {"chain=slow:1s", "chain=slo", `good.yaml:7: faults[1].fault: fault chain=slo is not known`},
		"parameter of a fault":       {"chain=slow:1s", "chain=slow:3", `good.yaml:7: faults[1].fault: fault chain=slow takes no number of times`},
		"missing label":              {"- chain=slow:1s", "- {fault: \"chain=slow:1s\", after: nowhere}", `good.yaml:7: faults[1].after: no step has the label "nowhere"`},
		"label twice":                {"- do: reboot", "- {do: reboot, label: there}", `good.yaml:12: steps[4].label: "there" is the label of an earlier step`},
		"fault that ends at once":    {"- chain=slow:1s", "- {fault: \"chain=slow:1s\", after: there, until: there}", `faults[1].until: step "there" comes before step "there"`},
		"unknown user":               {"sign_in: kenmyer", "sign_in: kenny", `good.yaml:10: steps[2].sign_in: lab litware has no user "kenny", there are kenmyer, second`},
		"user without PIN":           {"sign_in: kenmyer", "sign_in: nopin", `good.yaml:10: steps[2].sign_in: user nopin has no PIN`},
		"unknown state":              {"within: 20s, label: there", "label: there}\n  - {wait: Raedy", `good.yaml:12: steps[4].wait: "Raedy" is no state, there are PoweredOff, LinkDetect`},
		"PIN without number":         {"- sign_in: kenmyer", "- enter_pin: \"0712\"", `good.yaml:10: steps[2].enter_pin: no number was dialled before`},
		"within without wait":        {"- do: reboot", "- {do: reboot, within: 5s}", `steps[4].within: goes with wait alone`},
		"station":                    {"- do: reboot", "- unplug: printer", `steps[4].unplug: "printer" is none of handset, atl-cs-001.litwareinc.com`},
		"cleared with parameter":     {"- do: reboot", "- clear_fault: \"register=503:2\"", `steps[4].clear_fault: a fault is cleared by its name, without parameter`},
		"registrar setting":          {"- do: reboot", "- set_registrar: {expire: 600}", `good.yaml:12: steps[4].set_registrar.expire: unknown key`},
		"impaired pipe":              {"faults:", "impair: {loss_percent: 3}\nfaults:", `good.yaml:6: impair: frames are impaired on the cable segment alone`},
		"unknown key of target":      {"faults:", "target: {fqnd: pool.contoso.com}\nfaults:", `good.yaml:6: target.fqnd: unknown key`},
		"no FQDN":                    {"faults:", "target: {fqdn: 10.20.0.10}\nfaults:", `good.yaml:6: target.fqdn: "10.20.0.10" is no fully qualified domain name, such as pool.contoso.com`},
		"no URL":                     {"faults:", "target: {uri: pool.contoso.com}\nfaults:", `good.yaml:6: target.uri: "pool.contoso.com" is no http or https URL`},
		"no address":                 {"faults:", "target:\n  fqdn: pool.contoso.com\n  address: \"2001:db8::1\"\nfaults:", `good.yaml:8: target.address: "2001:db8::1" is no IPv4 address of one host`},
		"address of nobody":          {"faults:", "target: {address: 192.0.2.1}\nfaults:", `good.yaml:6: target.address: needs fqdn: a registrar that is discovered`},
		"port of nobody":             {"faults:", "target: {port: 5061}\nfaults:", `good.yaml:6: target.port: needs fqdn: a registrar that is discovered`},
		"no port":                    {"faults:", "target: {fqdn: pool.contoso.com, port: 70000}\nfaults:", `good.yaml:6: target.port: 70000 is not in the range 1 to 65535`},
		"no authorities":             {"faults:", "target: {ca: nowhere.pem}\nfaults:", `nowhere.pem: `},
		"no file of authorities":     {"faults:", "target: {ca: \".\"}\nfaults:", `good.yaml:6: target.ca: .: a regular file expected`},
		"no DNS server":              {"faults:", "target: {dns: ns.contoso.com}\nfaults:", `good.yaml:6: target.dns: "ns.contoso.com" is no IPv4 address`},
		"no domain":                  {"faults:", "target: {domain: a_b}\nfaults:", `good.yaml:6: target.domain: "a_b" is no DNS domain`},
		"nothing expected":           {good[strings.Index(good, "  states:"):], "  states:\n", `expect`},
		"any states expected":        {good[strings.Index(good, "  states:"):], "  states: [...]\n  never: []\n", `good.yaml:15: expect: nothing is expected, so that the scenario could not fail`},
		"empty flash expected":       {"  states: [LinkDetect", "  flash: {}\n  states: [LinkDetect", `good.yaml:16: expect.flash: says nothing of what flash holds`},
		"empty account expected":     {"user: kenmyer, attempts: 0", "user: kenmyer", `good.yaml:25: expect.pool[1]: says nothing of the user`},
		"wait after sign-out":        {"- do: reboot\n", "- do: sign-out\n  - wait: Ready\n  - sign_in: kenmyer\n", `good.yaml:13: steps[5].wait: a cyclic wait: nobody has signed in until steps[6] (line 14) is done`},
		"wait after a reset":         {"- do: reboot\n", "- do: hard-reset\n  - wait: Ready\n", `good.yaml:13: steps[5].wait: never ends: nobody has signed in, and no step changes that`},
		"unreachable state":          {"[LinkDetect, ...,", "[LinkDetect, Register, ...,", `good.yaml:16: expect.states[2].state: Register cannot follow on LinkDetect at once with what is done here`},
		"unreachable first state":    {"[LinkDetect, ...,", "[Ready, ...,", `expect.states[1].state: Ready cannot follow on PoweredOff at once`},
		"state that is never done":   {"  - power: off\n", "", `expect.states[7].state: PoweredOff cannot follow on Ready at once`},
		"reboot that is never done":  {"- do: reboot", "- do: sign-out", `expect.states[4].state: Rebooting cannot follow on Ready at once`},
		"dots twice":                 {"[LinkDetect, ...,", "[LinkDetect, ..., ...,", `expect.states[3]: ... stands for any number of states already`},
		"times that contradict":      {"[LinkDetect, ...,", "[{state: LinkDetect, within: 1s, after: 2s}, ...,", `expect.states[1].after: 2s is above within, 1s`},
		"glass of another":           {"[Acquiring IP Address]", "[Welcome, Locating Domain Controller]", `good.yaml:17: expect.glass[2]: the glass of polycom-cx600-4.0.7577.4463 never shows "Locating Domain Controller"`},
		"unknown code, and where":    {"code: ticket.refused", "code: ticket.refusd", `see 'lpe explain --list'`},
		"unknown code":               {"code: ticket.refused", "code: ticket.refusd", `good.yaml:22: expect.never[1].code: no failure and no warning has the code "ticket.refusd"`},
		"code of success":            {"result: {state: PoweredOff}", "result: {state: Ready, code: ticket.refused}", `expect.result.code: a handset that is Ready has no failure code`},
		"failure without code":       {"result: {state: PoweredOff}", "result: {state: Failed}", `expect.result.state: a handset in Failed has a failure code`},
		"end that contradicts":       {"result: {state: PoweredOff}", "result: {state: Ready}", `expect.result.state: the list of states ends with PoweredOff, not Ready`},
		"never and listed":           {"code: ticket.refused", "state: Rebooting", `good.yaml:22: expect.never[1].state: Rebooting must never be entered, and is in the list of states`},
		"message":                    {"sent sip REGISTER 1", "sends sip REGISTER 1", `good.yaml:20: expect.messages[1].message: expected a message such as: sent sip REGISTER 1; "sends" is none of sent, received, dropped`},
		"protocol":                   {"sent sip REGISTER 1", "sent smtp HELO", `"smtp" is none of lldp, dhcp`},
		"field without check":        {", absent: true", "", `expect.messages[1].field: goes with one of equals, matches and absent`},
		"count of a field":           {"absent: true", "absent: true, count: 3", `expect.messages[1].field: a count is of messages, not of fields`},
		"broken pattern":             {"absent: true", "matches: \"(\"", `expect.messages[1].matches: error parsing regexp`},
		"never of two things":        {"code: ticket.refused", "code: ticket.refused, state: Failed", `expect.never[1]: expected one of state, code, glass and message`},
		"account of nobody":          {"user: kenmyer, attempts", "user: nobody, attempts", `good.yaml:25: expect.pool[1].user: lab litware has no user "nobody"`},
		"wait without power":         {"- power: on\n  - sign_in: kenmyer", "- stay: 1s\n  - wait: Ready\n  - power: on\n  - sign_in: kenmyer", `good.yaml:10: steps[2].wait: a cyclic wait: the handset has no power until steps[3] (line 11) is done, and that is done only after this wait`},
		"wait without sign-in":       {"- sign_in: kenmyer\n", "- wait: Enroll\n  - sign_in: kenmyer\n", `good.yaml:10: steps[2].wait: a cyclic wait: nobody has signed in until steps[3] (line 11) is done`},
		"wait that never ends":       {"- sign_in: kenmyer\n", "- stay: 1s\n", `steps[3].wait: never ends: nobody has signed in, and no step changes that`},
		"wait for power off":         {"- do: reboot\n", "- wait: PoweredOff\n", `steps[4].wait: the handset has power, and no step before takes it away`},
		"wait without link":          {"- power: on\n", "- unplug: handset\n  - power: on\n  - wait: AddressAcquire\n  - plug: handset\n", `steps[3].wait: a cyclic wait: the handset has no link until steps[4]`},
		"wait that a fault ends":     {"chain=slow:1s", "chain=off", `good.yaml:11: steps[3].wait: never ends: fault chain=off ends the boot with chain.off, and no step changes that`},
		"fault cleared after a wait": {"- chain=slow:1s", "- {fault: chain=off, until: there}", `good.yaml:11: steps[3].wait: a cyclic wait: fault chain=off ends the boot with chain.off until steps[3] (line 11) is done`},
		"sign-in without power":      {"- power: on\n  - sign_in: kenmyer", "- sign_in: kenmyer\n  - power: on", `steps[1]: the handset has no power, so that nobody can sign in`},
		"wiping with power on":       {"- do: reboot", "- wipe_flash: true", `steps[4].wipe_flash: flash can be emptied while the power is off alone`},
		"a list that is none":        {"steps:\n", "steps: none\nmore:\n", `steps: expected a list, found a text`},
		"no YAML":                    {"name: good", "name: [good", `good.yaml:`},
		"alias":                      {"source: a test", "source: &a test", `anchors are not used in these files`},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, c.old) {
				t.Fatalf("the good scenario has no %q", c.old)
			}
			_, err := format.Parse("good.yaml", []byte(strings.Replace(good, c.old, c.new, 1)))
			var problems configs.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("no problems, but %v", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q in\n%v", c.want, err)
			}
			if strings.Contains(err.Error(), "0712") {
				t.Errorf("the PIN is shown: %v", err)
			}
		})
	}
}

// TestByteOrderMark: a file may begin with one, and have the line ends of Windows.
func TestByteOrderMark(t *testing.T) {
	s, err := format.Parse("good.yaml", []byte("\ufeff"+strings.ReplaceAll(good, "\n", "\r\n")))
	if err != nil || s.Name != "good" || s.Line("source") != 3 {
		t.Errorf("%v", err)
	}
	if _, err := format.Parse("good.yaml", []byte("\ufeff\ufeff"+good)); err == nil || !strings.Contains(err.Error(), "good.yaml:1: the line has a control character") {
		t.Errorf("twice: %v", err)
	}
}

// TestAllProblems finds several mistakes at once, each with its line, in the order of the lines.
func TestAllProblems(t *testing.T) {
	text := strings.NewReplacer("sign_in: kenmyer", "sign_in: kenny", "chain=slow:1s", "chain=slo", "ticket.refused", "ticket.no", "good\n", "Good\n").Replace(good)
	_, err := format.Parse("good.yaml", []byte(text))
	var problems configs.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
		if p.Excerpt == "" {
			t.Errorf("no excerpt: %v", p)
		}
	}
	if len(lines) != 4 || lines[0] != 1 || lines[1] != 7 || lines[2] != 10 || lines[3] != 22 {
		t.Errorf("lines %v of\n%v", lines, err)
	}
}

// TestLabFile reads a lab file that lies next to the scenario.
func TestLabFile(t *testing.T) {
	dir := t.TempDir()
	lab, err := os.ReadFile("../../configs/labs/litware.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"mine.yaml":  strings.Replace(string(lab), "litware.yaml", "mine.yaml", 1),
		"bad.yaml":   strings.Replace(string(lab), "lease_time: 8h", "lease_time: short", 1),
		"good.yaml":  strings.Replace(good, "name: litware", "name: mine.yaml", 1),
		"wrong.yaml": strings.Replace(good, "name: litware", "name: bad.yaml", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := format.Load(filepath.Join(dir, "good.yaml"))
	if err != nil || s.Pool.Name != "mine" {
		t.Errorf("%v", err)
	}
	if _, err = format.Load(filepath.Join(dir, "wrong.yaml")); err == nil || !strings.Contains(err.Error(), "bad.yaml: network.lease_time: expected a duration") {
		t.Errorf("%v", err)
	}
	if _, err := format.Load(dir); err == nil {
		t.Error("a directory is no scenario")
	}
}

// TestProfileFile reads a profile that lies next to the scenario, and one in its place from here.
func TestProfileFile(t *testing.T) {
	dir := t.TempDir()
	profile, err := os.ReadFile("../../configs/profiles/polycom-cx600-4.0.7577.4463.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"mine.yaml": string(profile),
		"good.yaml": strings.Replace(good, "polycom-cx600-4.0.7577.4463", "mine.yaml", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := format.Load(filepath.Join(dir, "good.yaml")); err != nil || s.Profile.Name != "mine" {
		t.Errorf("%v", err)
	}
	if s, err := format.LoadAs(filepath.Join(dir, "good.yaml"), filepath.Join(dir, "mine.yaml")); err != nil || s.Profile.Name != "mine" {
		t.Errorf("%v", err)
	}
	if _, err := format.LoadAs(filepath.Join(dir, "good.yaml"), "mine.yaml"); err == nil || !strings.Contains(err.Error(), "good.yaml:4: handset.profile: ") {
		t.Errorf("%v", err)
	}
}

// TestAuthorities reads the certificates that a target names, from where the scenario lies.
func TestAuthorities(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yaml":  strings.Replace(good, "faults:", "target: {ca: ca.pem}\nfaults:", 1),
		"wrong.yaml": strings.Replace(good, "faults:", "target: {ca: good.yaml}\nfaults:", 1),
		"ca.pem":     authority(t),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := format.Load(filepath.Join(dir, "good.yaml")); err != nil {
		t.Error(err)
	}
	if _, err := format.Load(filepath.Join(dir, "wrong.yaml")); err == nil || !strings.Contains(err.Error(), "wrong.yaml:6: target.ca: "+filepath.Join(dir, "good.yaml")+" holds no PEM certificate") {
		t.Errorf("%v", err)
	}
}

// authority is a certificate that signs itself.
func authority(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// FuzzParse: whatever a file holds, it is read or refused with problems of that file; what is read is read again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, "faults:", "target: {fqdn: pool.contoso.com, uri: \"https://pool.contoso.com/CertProv\", port: 5061, address: 192.0.2.1, ca: ca.pem, dns: 192.0.2.2, domain: contoso.com}\nfaults:", 1)))
	f.Add([]byte("steps: [{power: on}, {wait: {}}, []]\nexpect: {states: [[]], flash: 3}\nlab: {set: {users: []}}\nhandset: {set: {vlan.timeouts: 3}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := format.Parse("fuzz.yaml", text)
		var problems configs.Problems
		switch {
		case err == nil:
			if _, err := format.Parse("fuzz.yaml", s.Text); err != nil {
				t.Errorf("read once, and then: %v", err)
			}
		case !errors.As(err, &problems) || len(problems) == 0:
			t.Errorf("no problems: %v", err)
		default:
			for _, p := range problems {
				if p.File != "fuzz.yaml" || p.Text == "" {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}
