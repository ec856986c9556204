package run_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/run"
)

// atPool is a scenario at a pool on sockets of the computer; %s is its target.
const atPool = `name: at-pool
description: A boot at a pool that is told, and a reboot.
source: a test
target: %s
steps:
  - power: on
  - dial: "1219"
  - enter_pin: "0712"
  - {wait: Ready, within: 30s}
  - do: reboot
  - {wait: Ready, within: 30s}
expect:
  states: [LinkDetect, ..., PoolDiscover, SignIn, RootChain, WebTicket, Enroll, Register, ..., Ready, Rebooting, LinkDetect, ..., Ready]
  glass: [Connecting to Lync Server, Welcome]
  result: {state: Ready, user: "sip:kenmyer@litwareinc.com"}
  messages:
    - {message: sent sip REGISTER 1, field: Authorization, absent: true}
    - {message: sent sip REGISTER 4, count: 2}
    - {message: sent http POST /WebTicket/WebTicketService.svc/pin, count: 1}
  never:
    - {message: sent dhcp}
  flash: {user: "sip:kenmyer@litwareinc.com", registrar: atl-cs-001.litwareinc.com, chain: false, certificate: true, epid: true}
`

// poolKeys makes the keys of pools, no two of which have the same.
var poolKeys = keys.Source()

// hosted is a lab's pool on ports of the computer that it picked.
type hosted struct {
	*labpool.Pool
	ca string // file of its authority's certificates
}

func host(t *testing.T) hosted {
	t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: netip.MustParseAddr("127.0.0.1"), Port: func(string, uint16) uint16 { return 0 }})
	pool, err := labpool.Start(labpool.Config{Lab: lab, Cable: cable, Services: &labpool.Services{}, NewKey: poolKeys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		if err := cable.Close(); err != nil {
			t.Error(err)
		}
	})
	var text []byte
	for _, one := range slices.Concat(pool.Authority.Chains()...) {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw})...)
	}
	h := hosted{pool, filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(h.ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h hosted) place() rig.Place {
	return rig.Place{
		FQDN: "atl-cs-001.litwareinc.com", URI: h.CertProvURL(), Address: "127.0.0.1", Port: int(h.Registrars[0].Port()), CA: h.ca, DNS: "127.0.0.1",
	}
}

func (h hosted) target() string {
	p := h.place()
	return fmt.Sprintf("{fqdn: %s, uri: %q, address: %s, port: %d, ca: %q, dns: %s}", p.FQDN, p.URI, p.Address, p.Port, p.CA, p.DNS)
}

func onHost(t *testing.T, text string, place rig.Place) run.Result {
	t.Helper()
	s, err := format.Parse("at-pool.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	result, err := run.Run(t.Context(), s, run.Options{Host: true, Place: place})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestHost: a scenario at a pool on the computer's own sockets, which its target names, passes, and differs where the pool
// does otherwise.
func TestHost(t *testing.T) {
	h := host(t)
	text := fmt.Sprintf(atPool, h.target())
	if result := onHost(t, text, rig.Place{}); !result.Passed || result.State != "Ready" {
		t.Errorf("%+v", result)
	}
	for _, one := range h.Registrations() {
		if one.State != "signed-off" {
			t.Errorf("%+v", one)
		}
	}
	result := onHost(t, strings.Replace(text, "REGISTER 4, count: 2", "REGISTER 4, count: 3", 1), rig.Place{})
	if len(result.Differences) != 1 {
		t.Fatalf("%+v", result.Differences)
	}
	d := result.Differences[0]
	if d.Path != "expect.messages[2].count" || d.Line != 18 || !slices.ContainsFunc(d.Context, func(line string) bool {
		return strings.HasPrefix(line, "> ") && strings.HasSuffix(line, " REGISTER 4")
	}) {
		t.Errorf("%+v", d)
	}
}

// TestPlace: what the run says of the pool's place goes before the target, and stands in for one.
func TestPlace(t *testing.T) {
	h := host(t)
	if result := onHost(t, fmt.Sprintf(atPool, h.target()), rig.Place{Port: int(host(t).Registrars[0].Port())}); result.Code != "register.untrusted-chain" {
		t.Errorf("%s: %+v", result.Code, result.Differences)
	}
	if result := onHost(t, strings.Replace(atPool, "target: %s\n", "", 1), h.place()); !result.Passed {
		t.Errorf("%+v", result)
	}
}

// TestWrongAuthority: the certificates of another pool have the code that a boot has, long before the wait is over.
func TestWrongAuthority(t *testing.T) {
	h := host(t)
	result := onHost(t, fmt.Sprintf(atPool, h.target()), rig.Place{CA: host(t).ca})
	if result.Passed || result.State != "Failed" || result.Code != "ticket.untrusted-chain" || result.Took > 15 {
		t.Errorf("%+v", result)
	}
	first := result.Differences[0]
	if first.Path != "steps[4].wait" || !strings.Contains(first.Text, "it is in Failed") || !strings.Contains(strings.Join(first.Context, "\n"), "ticket.untrusted-chain: ") {
		t.Errorf("%+v", first)
	}
}

// TestManyOnHost: handsets of several users are at one pool at the same time, each with a MAC address of its own; what one
// handset does it does one after the other.
func TestManyOnHost(t *testing.T) {
	h := host(t)
	var list []*format.Scenario
	for _, one := range []struct{ name, number, pin, user, within string }{
		{"first", "1219", "0712", "kenmyer", "30s"},
		{"second", "1220", "5937", "second", "30s"},
		{"again", "1219", "0712", "kenmyer", "30s"},
		{"wrong", "1219", "0000", "kenmyer", "2s"},
	} {
		text := strings.NewReplacer("at-pool", one.name, `"1219"`, `"`+one.number+`"`, `"0712"`, `"`+one.pin+`"`, "kenmyer", one.user, "30s", one.within).
			Replace(fmt.Sprintf(atPool, h.target()))
		s, err := format.Parse(one.name+".yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	passed := map[string]bool{}
	var order []string
	err := run.All(t.Context(), list, run.Options{Host: true}, 4, func(_ int, r run.Result) error {
		passed[r.Name] = r.Passed
		order = append(order, r.Name)
		if !r.Passed && r.Name != "wrong" {
			t.Errorf("%s: %+v", r.Name, r.Differences)
		}
		return nil
	})
	if err != nil || len(passed) != 4 || passed["wrong"] {
		t.Errorf("%v %v", err, passed)
	}
	if slices.Index(order, "first") > slices.Index(order, "again") || slices.Index(order, "again") > slices.Index(order, "wrong") {
		t.Errorf("in the order %q", order)
	}
	endpoints := map[string]string{}
	for _, one := range h.Registrations() {
		endpoints[one.SIP+" "+one.EPID] = string(one.State)
	}
	if len(endpoints) != 2 {
		t.Errorf("endpoints %v", endpoints)
	}
}

// TestReal refuses on a real cable what is done to a lab's pool, all of it at once.
func TestReal(t *testing.T) {
	text := strings.NewReplacer("sign_in: kenmyer", `login: {user: a, password: "b"}`, "stay: 30m", "disable: kenmyer\n  - sign_in: second", "steps:", "faults: [web=slow:1s]\nsteps:").Replace(good)
	s, err := format.Parse("good.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	err = run.Check(s, run.Options{Interface: "eth0"}, false)
	if err == nil {
		t.Fatal("not refused")
	}
	for _, want := range []string{
		"good.yaml:4: faults: faults are made in a lab",
		"good.yaml:9: steps[4].disable: is done to a lab, and the pool on a real cable is not this program's",
		"good.yaml:10: steps[5].sign_in: users of a lab are not those of a real pool: say who signs in with --phone-or-ext or --user, or in the file with dial and enter_pin, or with login",
		"expect.pool: looks into a lab",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if err := run.Check(s, run.Options{Host: true}, true); err == nil || !strings.Contains(err.Error(), "a real cable knows no virtual time") {
		t.Errorf("%v", err)
	}
}

// signedIn is atPool by a user of the lab, whom the run names.
var signedIn = strings.Replace(atPool, "- dial: \"1219\"\n  - enter_pin: \"0712\"", "- sign_in: kenmyer", 1)

// TestSignsIn: who runs scenarios says who signs in at a real pool in the place of the lab's user. It is the handset of the
// scenario that dials the same number, so that they take turns, and the PIN is nowhere.
func TestSignsIn(t *testing.T) {
	h := host(t)
	const pin = "904177261538462" // which is nothing else by chance
	if err := h.Directory.SetPIN("sip:second@litwareinc.com", pin); err != nil {
		t.Fatal(err)
	}
	var list []*format.Scenario
	for name, text := range map[string]string{"named": signedIn, "dialled": atPool} {
		text = strings.NewReplacer("at-pool", name, "sip:kenmyer@", "sip:second@", `"1219"`, `"1220"`, `"0712"`, `"`+pin+`"`).Replace(fmt.Sprintf(text, h.target()))
		s, err := format.Parse(name+".yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	var seen strings.Builder
	var mu sync.Mutex
	running := 0
	tell := func(o timeline.Observation) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&seen, "%+v\n", o)
		if o.Kind == timeline.Transition && o.Text == "LinkDetect" {
			running++
		}
	}
	who := handset.Credentials{Number: "1220", PIN: secret.New(pin)}
	err := run.All(t.Context(), list, run.Options{Host: true, SignsIn: &who, Observers: []func(timeline.Observation){tell}}, 2, func(n int, r run.Result) error {
		mu.Lock()
		defer mu.Unlock()
		if want := 2 * (n + 1); running != want { // each of them boots twice
			t.Errorf("%d boots by the end of %s, not %d", running, r.Name, want)
		}
		if !r.Passed {
			t.Errorf("%s: %+v", r.Name, r.Differences)
		}
		if strings.Contains(fmt.Sprintf("%+v %s", r, r.Boot), pin) {
			t.Errorf("%s shows the PIN", r.Name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(seen.String(), pin) || !strings.Contains(seen.String(), "Header/Security/UsernameToken/Username Value:1220") {
		t.Errorf("a PIN, or no number, in\n%s", &seen)
	}
	endpoints := map[string]bool{}
	for _, one := range h.Registrations() {
		endpoints[one.SIP+" "+one.EPID] = true
		if one.SIP != "sip:second@litwareinc.com" || one.State != "signed-off" {
			t.Errorf("%+v", one)
		}
	}
	if len(endpoints) != 1 {
		t.Errorf("endpoints %v", endpoints)
	}
}

// TestSignsInWrong: a PIN that is wrong ends the scenario with the code that a boot has; a user of a lab, another user, and
// a profile that does not take it are refused before anything is sent.
func TestSignsInWrong(t *testing.T) {
	h := host(t)
	text := fmt.Sprintf(signedIn, h.target())
	parse := func(text string) *format.Scenario {
		s, err := format.Parse("at-pool.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	wrong := handset.Credentials{Number: "1219", PIN: secret.New("0000")}
	result, err := run.Run(t.Context(), parse(text), run.Options{Host: true, SignsIn: &wrong})
	if err != nil || result.Passed || result.State != "SignIn" || result.Code != "ticket.refused" || result.Took > 15 {
		t.Errorf("%v %+v", err, result)
	}
	number, user := &wrong, &handset.Credentials{User: `LITWARE\kenmyer`, Password: secret.New("x")}
	for _, c := range []struct {
		old, new, want string
		o              run.Options
	}{
		{"", "", "at-pool.yaml:7: steps[2].sign_in: users of a lab are not those of a real pool", run.Options{Host: true}},
		{"- do: reboot", "- do: reboot\n  - sign_in: second", "at-pool.yaml:10: steps[5].sign_in: one user signs in at a real pool in the place of kenmyer, and second is another one", run.Options{Host: true, SignsIn: number}},
		{"target", "handset: {profile: polycom-cx700-4.0.7577.4066}\ntarget", "steps[2].sign_in: CX700 takes user name and password alone", run.Options{Host: true, SignsIn: number}},
		{"target", "handset: {profile: polycom-cx500-4.0.7577.4512}\ntarget", "steps[2].sign_in: CX500 takes number and PIN alone", run.Options{Host: true, SignsIn: user}},
		{"target: ", "# ", "at-pool.yaml:5: steps: in a lab its users sign in, and nobody else", run.Options{SignsIn: number}},
	} {
		if err := run.Check(parse(strings.Replace(text, c.old, c.new, 1)), c.o, false); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("no %q in %v", c.want, err)
		}
	}
	if attempts := h.Directory.Attempts("sip:kenmyer@litwareinc.com"); attempts != 1 {
		t.Errorf("%d wrong PINs", attempts)
	}
}

// TestTargetInLab: in a lab the target skips discovery; where a pool on a network is means nothing there.
func TestTargetInLab(t *testing.T) {
	text := strings.Replace(strings.Replace(good, "steps:", "target: {fqdn: atl-cs-001.litwareinc.com}\nsteps:", 1),
		"    - {message: sent dhcp INFORM, field: option 60 vendor class, matches: MS-UC-Client}", "    - {message: sent dhcp INFORM, count: 0}", 1)
	if result := virtually(t, text); !result.Passed {
		t.Errorf("%+v", result.Differences)
	}
	s, err := format.Parse("good.yaml", []byte(strings.Replace(text, "litwareinc.com}", "litwareinc.com, address: 192.0.2.1, port: 5062}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "good.yaml:4: target: address, port: for a real pool, and this one is a lab in this process: name --interface or --host, or leave that out"
	if _, err := run.Virtually(context.Background(), t, s, &keys); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
	if err := run.Check(s, run.Options{Host: true}, false); err != nil && strings.Contains(err.Error(), "target") {
		t.Errorf("%v", err)
	}
}

// TestFailedWaitsForNobody: a handset that has come to Failed ends a wait at once, and a retry lets it go on.
func TestFailedWaitsForNobody(t *testing.T) {
	const text = `name: failed
description: A chain that cannot be had for a minute.
source: a test
faults: [{fault: chain=off, for: 1m}]
steps:
  - power: on
  - sign_in: kenmyer
  - {wait: Failed, within: 30s}
  - stay: 1m
  - do: retry
  - {wait: Ready, within: 1m}
expect:
  result: {state: Ready}
`
	if result := virtually(t, text); !result.Passed {
		t.Errorf("%+v", result.Differences)
	}
	for _, c := range []struct{ old, new, path, want string }{
		{"wait: Failed, within: 30s", "wait: Ready, within: 1h", "steps[3].wait", "the handset does not enter Ready, it is in Failed, which only power or do ends"},
		{"  - sign_in: kenmyer\n  - {wait: Failed, within: 30s}\n  - stay: 1m\n  - do: retry\n", "  - wait: Failed\n  - sign_in: kenmyer\n", "steps[3].sign_in", "the handset does not ask who signs in, it is in Failed"},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		if c.path == "steps[3].sign_in" {
			changed = strings.Replace(changed, "{fault: chain=off, for: 1m}", "{fault: discovery=no-registrar, for: 1m}", 1)
		}
		result := virtually(t, changed)
		if len(result.Differences) == 0 || result.Took > 90 || result.Differences[0].Path != c.path || !strings.HasPrefix(result.Differences[0].Text, c.want) {
			t.Errorf("%+v", result)
		}
	}
}
