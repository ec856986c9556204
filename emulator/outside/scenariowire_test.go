//go:build peers

package outside

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

// wireScenario is done with a pool that is not the program's own.
const wireScenario = `name: wire
description: A boot among servers from elsewhere, a reboot, and a sign-out.
source: ISC dhcpd, dnsmasq and chrony on a wire
handset: {mac: "00:04:f2:00:00:09"}
steps:
  - power: on
  - dial: "1219"
  - enter_pin: "0712"
  - {wait: Ready, within: 30s}
  - do: reboot
  - {wait: Ready, within: 30s}
  - do: sign-out
  - {wait: SignIn, within: 10s}
expect:
  states: [LinkDetect, ..., Ready, Rebooting, LinkDetect, ..., Register, ..., Ready, SignIn]
  result: {state: SignIn}
  messages:
    - {message: received dhcp ACK, field: option 54 server identifier, matches: "10.77.0."}
    - {message: sent sip REGISTER, least: 9}
  flash: {user: "", chain: true, epid: true}
`

// TestScenarioOnTheWire runs a scenario on a real wire, and one that differs there.
func TestScenarioOnTheWire(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	startISC(server, litware.dhcp(t, "isc", nil))
	startNames(server, litware.names())
	startChrony(server)
	pool := startLitware(server)
	dir := t.TempDir()
	good, bad, named := filepath.Join(dir, "wire.yaml"), filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "named.yaml")
	for file, text := range map[string]string{
		good:  wireScenario,
		named: strings.Replace(strings.Replace(wireScenario, "name: wire", "name: named", 1), "- dial: \"1219\"\n  - enter_pin: \"0712\"", "- sign_in: kenmyer", 1),
		bad:   strings.Replace(strings.Replace(wireScenario, "name: wire", "name: bad", 1), "least: 9", "least: 90", 1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := client.lpe("scenario", "run", "--interface", "eth0", good); r.code != 0 || !strings.Contains(r.out, "1 scenarios: 1 passed, 0 failed\n") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	wantSignedOff(t, pool, 1)
	if r := client.lpe("scenario", "run", "--interface", "eth0", bad); r.code != 1 || !strings.Contains(r.out, "expect.messages[2].least") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if r := client.lpe("scenario", "run", "--interface", "eth0", "--phone-or-ext", "1219", "--pin", "0712", named); r.code != 0 || !strings.Contains(r.out, "1 scenarios: 1 passed, 0 failed\n") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if r := client.lpe("scenario", "run", "--interface", "eth9", good); r.code != 3 || !strings.Contains(r.err, "eth9") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// TestScenariosOnTheWire runs scenarios of two users on one wire at the same time: each has a handset of its own, with a
// lease of its own. Those of one user take turns.
func TestScenariosOnTheWire(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	startISC(server, litware.dhcp(t, "isc", nil))
	startNames(server, litware.names())
	startChrony(server)
	pool := startLitware(server)
	dir := t.TempDir()
	for name, who := range map[string]*strings.Replacer{
		"desk": strings.NewReplacer("name: wire", "name: desk"),
		"hall": strings.NewReplacer("name: wire", "name: hall", `"1219"`, `"1220"`, `"0712"`, `"5937"`),
		"turn": strings.NewReplacer("name: wire", "name: turn"),
	} {
		text := who.Replace(strings.Replace(wireScenario, "handset: {mac: \"00:04:f2:00:00:09\"}\n", "", 1))
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := client.lpe("scenario", "run", "--interface", "eth0", "--parallel", "3", dir)
	if r.code != 0 || !strings.Contains(r.out, "3 scenarios: 3 passed, 0 failed\n") {
		t.Fatalf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	endpoints := map[string]bool{}
	for _, one := range pool.Registrars[0].Registrations() {
		endpoints[one.SIP+" "+one.EPID] = true
		if one.State != registrar.SignedOff {
			t.Errorf("%+v", one)
		}
	}
	if len(endpoints) != 2 {
		t.Errorf("endpoints %v", endpoints)
	}
}
