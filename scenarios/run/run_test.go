package run_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys rig.Keyring

// good is a scenario that comes out as it expects; each test changes something of it.
const good = `name: good
description: A boot, and half an hour with a renewed association.
source: a test
steps:
  - power: on
  - sign_in: kenmyer
  - {wait: Ready, within: 20s, label: there}
  - stay: 30m
expect:
  states: [LinkDetect, {state: AddressAcquire, within: 3s}, UpdateLookup, TimeSync, ..., Register, Provision, UpdateCheck, {state: Ready, within: 1s}]
  glass: [Acquiring IP Address, Connecting to Lync Server, Welcome]
  result: {state: Ready, user: "sip:kenmyer@litwareinc.com", profile: polycom-cx600-4.0.7577.4463, warnings: []}
  messages:
    - {message: sent sip REGISTER 1, field: Authorization, absent: true}
    - {message: sent sip REGISTER, field: Expires, nth: 5, absent: true}
    - {message: sent sip REGISTER, after: there, least: 2, most: 4}
    - {message: sent sip REGISTER 4, field: CSeq, equals: 4 REGISTER}
    - {message: sent dhcp INFORM, field: option 60 vendor class, matches: MS-UC-Client}
    - {message: sent http GET, count: 3}
  never:
    - {state: Failed}
    - {code: ready.connection-lost}
    - {after: there, message: sent http}
    - {message: sent sip REGISTER, field: Authorization, matches: Basic}
    - {glass: Locating server, after: there}
  flash: {user: "sip:kenmyer@litwareinc.com", registrar: atl-cs-001.litwareinc.com, other_registrar: "", certificate: true, certificate_refused: false,
    credentials_refused: false, chain: true, epid: true, unlock_pin: false, clock_kept: true, pin_form: p1, profile: "",
    certificate_url: "https://atl-cs-001.litwareinc.com:443/CertProv/CertProvisioningService.svc"}
  pool:
    - {user: kenmyer, attempts: 0, locked: false, certificates: 1, registered_at: [atl-cs-001.litwareinc.com], endpoints: [registered]}
    - {user: second, attempts: 0, certificates: 0, registered_at: [], endpoints: []}
`

func virtually(t *testing.T, text string) run.Result {
	t.Helper()
	s, err := format.Parse("good.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	result, err := run.Virtually(context.Background(), t, s, &keys)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestGood(t *testing.T) {
	result := virtually(t, good)
	if !result.Passed || len(result.Differences) != 0 || result.State != "Ready" || result.Took < 30*60 {
		t.Errorf("%+v", result)
	}
}

// TestDifferences makes each expectation wrong in turn, and wants that one, and no other, to be told, with its place.
func TestDifferences(t *testing.T) {
	for _, c := range []struct{ old, new, path, want string }{
		{"UpdateLookup, TimeSync,", "UpdateLookup, TimeSync, SignIn,", "expect.states[5]", "the handset entered PoolDiscover, not SignIn"},
		{"state: Ready, within: 1s", "state: Ready, after: 1m", "expect.states[9].after", "already, not after 1m0s"},
		{"UpdateLookup, TimeSync,", "{state: UpdateLookup, within: 10ms}, TimeSync,", "expect.states[3].within", "after 1s, not within 10ms"},
		{"TimeSync, ..., Register", "TimeSync, ..., Updating, ..., Register", "expect.states[6]", "Updating was not entered after TimeSync"},
		{"Connecting to Lync Server, Welcome", "Welcome, Connecting to Lync Server", "expect.glass[3]", "the glass showed in all: Connecting to network | Acquiring IP Address | "},
		{"messages:", "codes: [sign-in.no-credentials, chain.off]\n  messages:", "expect.codes[2]", "the codes were in all: sign-in.no-credentials"},
		{"warnings: []", "warnings: [ready.connection-lost]", "expect.result.warnings", `the warnings are [], not ["ready.connection-lost"]`},
		{`user: "sip:kenmyer@litwareinc.com", profile`, `user: "sip:second@litwareinc.com", profile`, "expect.result.user", `"sip:kenmyer@litwareinc.com", not "sip:second`},
		{"profile: polycom-cx600-4.0.7577.4463", "profile: polycom-cx600-4.0.7577.4512", "expect.result.profile", "polycom-cx600-4.0.7577.4463 runs, not"},
		{"REGISTER 1, field: Authorization", "REGISTER 3, field: Authorization", "expect.messages[1].absent", "has the field Authorization: TLS-DSK"},
		{"nth: 5, absent: true", `nth: 500, absent: true`, "expect.messages[2].message", `of "sent sip REGISTER", not 500`},
		{"least: 2, most: 4", "most: 1", "expect.messages[3].most", "not 1 at most"},
		{"least: 2, most: 4", "least: 20", "expect.messages[3].least", "not 20 at least"},
		{"equals: 4 REGISTER", "equals: 5 REGISTER", "expect.messages[4].equals", `is "4 REGISTER", not "5 REGISTER"`},
		{"matches: MS-UC-Client", "matches: ^CPE", "expect.messages[5].matches", "does not match ^CPE"},
		{"field: option 60 vendor class", "field: option 61 vendor class", "expect.messages[5].field", "has no field option 61 vendor class, it has xid, "},
		{"count: 3", "count: 4", "expect.messages[6].count", `3 times "sent http GET", not 4`},
		{"count: 3", "count: 2", "expect.messages[6].count", `3 times "sent http GET", not 2`},
		{"sent sip REGISTER, after: there, least: 2, most: 4", "sent http GET, after: there", "expect.messages[3].message", `there are 0 of "sent http GET" after step there, not 1; there is no sent http after step there`},
		{"state: Failed", "state: Enroll", "expect.never[1]", "it happened: 1"},
		{"code: ready.connection-lost", "code: sign-in.no-credentials", "expect.never[2]", "sign-in.no-credentials"},
		{"after: there, message: sent http", "after: there, message: sent sip REGISTER", "expect.never[3]", "it happened: 9m31"},
		{"message: sent http GET, count: 3", "message: sent http PUT, count: 3", "expect.messages[6].count", `0 times "sent http PUT", not 3; sent http in all: POST /RequestHandler/ucdevice.upx | GET /`},
		{"message: sent http GET, count: 3", "message: sent http GET, peer: nobody", "expect.messages[6].message", `not 1; there is no sent http of peer nobody`},
		{"matches: Basic", "matches: ^TLS-DSK", "expect.never[4]", "REGISTER 2"},
		{"glass: Locating server, after: there", "glass: Locating server", "expect.never[5]", "PoolDiscover"},
		{`flash: {user: "sip:kenmyer@litwareinc.com"`, `flash: {user: ""`, "expect.flash.user", `flash has "sip:kenmyer@litwareinc.com", not ""`},
		{"chain: true", "chain: false", "expect.flash.chain", "it is true, not false"},
		{"unlock_pin: false", "unlock_pin: true", "expect.flash.unlock_pin", "it is false, not true"},
		{"pin_form: p1", "pin_form: p2", "expect.flash.pin_form", `"p1", not "p2"`},
		{"kenmyer, attempts: 0", "kenmyer, attempts: 1", "expect.pool[1].attempts", "0 wrong PINs were counted, not 1"},
		{"locked: false", "locked: true", "expect.pool[1].locked", "it is false, not true"},
		{"certificates: 1", "certificates: 2", "expect.pool[1].certificates", "1 certificates are published, not 2"},
		{"registered_at: [atl-cs-001.litwareinc.com]", "registered_at: []", "expect.pool[1].registered_at", `registered at ["atl-cs-001.litwareinc.com"], not []`},
		{"endpoints: [registered]", "endpoints: [expired]", "expect.pool[1].endpoints", `["registered"], not ["expired"]`},
	} {
		t.Run(c.path+" "+c.new, func(t *testing.T) {
			if !strings.Contains(good, c.old) {
				t.Fatalf("no %q", c.old)
			}
			result := virtually(t, strings.Replace(good, c.old, c.new, 1))
			if result.Passed || len(result.Differences) == 0 {
				t.Fatal("nothing differs")
			}
			first := result.Differences[0]
			if first.Path != c.path || !strings.Contains(first.Text, c.want) || first.Line == 0 {
				t.Errorf("line %d: %s: %s\nwant %s: %s", first.Line, first.Path, first.Text, c.path, c.want)
			}
			if len(result.Differences) > 1 && !strings.HasPrefix(c.path, "steps") {
				t.Errorf("%d differences: %+v", len(result.Differences), result.Differences)
			}
			marked := slices.IndexFunc(first.Context, func(line string) bool { return strings.HasPrefix(line, "> ") })
			if marked < 0 || len(first.Context) < 2 {
				t.Errorf("no event is marked in\n%s", strings.Join(first.Context, "\n"))
			}
		})
	}
}

// TestEnd: what is wrong with the end is shown where the handset came to that end, not what it says all the time since.
func TestEnd(t *testing.T) {
	text := strings.Replace(good, "Provision, UpdateCheck, {state: Ready, within: 1s}]", "..., UpdateCheck]", 1)
	text = strings.Replace(text, "result: {state: Ready", "result: {state: UpdateCheck", 1)
	result := virtually(t, text)
	var have []string
	for _, d := range result.Differences {
		have = append(have, d.Path+": "+d.Text)
		if around := strings.Join(d.Context, "\n"); !regexp.MustCompile(`(?m)^> .* transition +Ready$`).MatchString(around) || strings.Contains(around, "sent lldp") {
			t.Errorf("%s:\n%s", d.Path, around)
		}
	}
	if want := []string{
		"expect.states[8]: the list ends with UpdateCheck, and the handset went on to Ready",
		"expect.result.state: the handset is in Ready, not in UpdateCheck",
	}; !slices.Equal(have, want) {
		t.Errorf("%q, want %q", have, want)
	}
}

// TestAnnouncements: what a handset says all the time is not kept, so that what it does in months is, unless it is asked for.
func TestAnnouncements(t *testing.T) {
	const day = `name: day
description: What is said all the time.
source: a test
steps:
  - power: on
  - sign_in: kenmyer
  - {wait: Ready, label: there}
  - stay: 24h
expect:
  messages:
    - {message: received sip 200 OK to REGISTER, after: there, least: 150}
`
	if result := virtually(t, day); !result.Passed {
		t.Errorf("%+v", result.Differences)
	}
	if result := virtually(t, day+"    - {message: sent lldp, after: there, least: 2800}\n"); !result.Passed {
		t.Errorf("%+v", result.Differences)
	}
	result := virtually(t, day+"    - {message: sent sip BYE}\n")
	if len(result.Differences) != 1 || strings.Contains(strings.Join(result.Differences[0].Context, "\n"), "lldp") {
		t.Errorf("%+v", result.Differences)
	}
}

// TestSteps are steps that cannot be done.
func TestSteps(t *testing.T) {
	for step, want := range map[string]string{
		"power: on":            "the power is on already",
		"do: phone-lock":       "no-unlock-pin",
		"do: retry":            "event Retry is refused in state Ready",
		"sign_in: kenmyer":     "did not ask who signs in",
		"fault: time=silent":   "",
		"wait: Failed":         "the handset did not enter Failed within 1m0s, it is in Ready",
		"fault: vlan=silent":   "",
		"clear_fault: web=off": "",
		"deregister: {user: second, event: rejected}":      "no endpoint of the user is registered",
		"notify: {user: kenmyer, event: nothing}":          "nobody has subscribed",
		"set_pin: {user: kenmyer, pin: \"1\"}":             "PIN",
		"revoke_certificate: second":                       "0 certificates of user second are revoked",
		"set_registrar: {default_endpoint_expiration: 60}": "",
	} {
		t.Run(step, func(t *testing.T) {
			s, err := format.Parse("good.yaml", []byte(strings.Replace(good, "stay: 30m", step, 1)))
			if err != nil {
				if want != "" && !strings.Contains(step, "registrar") {
					t.Fatal(err)
				}
				return
			}
			result, err := run.Virtually(context.Background(), t, s, &keys)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(result.Differences, func(d run.Difference) bool { return strings.HasPrefix(d.Path, "steps[4].") })
			switch {
			case want == "" && i >= 0:
				t.Errorf("%+v", result.Differences[i])
			case want != "" && (i < 0 || !strings.Contains(result.Differences[i].Text, want)):
				t.Errorf("want %q in %+v", want, result.Differences)
			}
		})
	}
}

// TestScheduledFaults strikes and clears faults by the clock and by steps.
func TestScheduledFaults(t *testing.T) {
	result := virtually(t, `name: scheduled
description: Faults that come and go.
source: a test
faults:
  - {fault: chain=off, for: 5m}
  - {fault: register=503, after: there, at: 10m, for: 20m}
  - {fault: update=http-500, at: 3h, until: late}
  - {fault: provision=403, after: late}
steps:
  - power: on
  - sign_in: kenmyer
  - {wait: Failed}
  - stay: 6m
  - {do: retry, label: again}
  - {wait: Ready, label: there}
  - {wait: Register, within: 25m}
  - {wait: Ready, within: 1h}
  - stay: 4h
  - {do: reboot, label: late}
  - wait: Ready
expect:
  result: {state: Ready, warnings: [ready.connection-lost, discovery.inform-unanswered, provision.403]}
  never:
    - {code: update.http-500}
    - {after: again, code: chain.off}
`)
	for _, d := range result.Differences {
		if d.Path != "expect.result.warnings" {
			t.Errorf("%s: %s\n%s", d.Path, d.Text, strings.Join(d.Context, "\n"))
		}
	}
}

// TestSegment runs scenarios beside each other on segments, one of which loses frames.
func TestSegment(t *testing.T) {
	var list []*format.Scenario
	for _, head := range []string{"cable: segment\n", "cable: segment\nseed: 7\nimpair: {delay: 2ms, jitter: 1ms, loss_percent: 1, duplicate_percent: 1, reorder_percent: 1}\n", ""} {
		text := "name: segment" + string(rune('a'+len(list))) + "\ndescription: x\nsource: a test\n" + head + `steps:
  - power: on
  - sign_in: kenmyer
  - {wait: Ready, within: 45s}
expect:
  result: {state: Ready}
`
		s, err := format.Parse("segment.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	var mu sync.Mutex
	passed := map[string]bool{}
	err := run.All(context.Background(), list, run.Options{}, 3, func(_ int, r run.Result) error {
		mu.Lock()
		defer mu.Unlock()
		passed[r.Name] = r.Passed
		if !r.Passed {
			t.Errorf("%+v", r.Differences)
		}
		return nil
	})
	if err != nil || len(passed) != 3 {
		t.Errorf("%v, %v", err, passed)
	}
	for i, want := range []string{"knows no virtual time", "frames are impaired on a segment", ""} {
		if err := run.Check(list[i], run.Options{}, true); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v, want %q", i, err, want)
		}
	}
}

// TestContextOfWait shows what came before the handset stopped getting on, not what it says all the time since.
func TestContextOfWait(t *testing.T) {
	text := strings.Replace(good, "- sign_in: kenmyer", "- dial: \"1219\"\n  - enter_pin: \"0001\"\n  - wait: WebTicket\n  - wait: SignIn", 1)
	result := virtually(t, strings.Replace(text, "{wait: Ready, within: 20s, label: there}", "{wait: Ready, within: 10m, label: there}", 1))
	if len(result.Differences) == 0 || result.Took < 10*60 {
		t.Fatalf("%+v", result)
	}
	first := result.Differences[0]
	around := strings.Join(first.Context, "\n")
	if first.Path != "steps[6].wait" || !strings.Contains(around, "ticket.refused: ") || !strings.Contains(around, "\n> ") {
		t.Errorf("%s:\n%s", first.Path, around)
	}
}

// TestAsksAgain: a handset that asks again who signs in ends a wait at once, and the next PIN lets it go on.
func TestAsksAgain(t *testing.T) {
	text := strings.Replace(good, "- sign_in: kenmyer", "- dial: \"1219\"\n  - enter_pin: \"0001\"", 1)
	result := virtually(t, text)
	if len(result.Differences) == 0 || result.State != "SignIn" || result.Code != "ticket.refused" || result.Took >= 20 {
		t.Fatalf("%+v", result)
	}
	if d := result.Differences[0]; d.Path != "steps[4].wait" || d.Text != "the handset does not enter Ready, it is in SignIn and asks again who signs in" {
		t.Errorf("%+v", d)
	}
	text = strings.NewReplacer("\"0001\"", "\"0001\"\n  - {wait: WebTicket}\n  - {wait: SignIn}\n  - enter_pin: \"0712\"", "states:", "codes: [ticket.refused]\n  #").Replace(text)
	for _, d := range virtually(t, text).Differences {
		if strings.HasPrefix(d.Path, "steps") {
			t.Errorf("%+v", d)
		}
	}
}

// TestInterrupted ends a scenario that would stay for half an hour.
func TestInterrupted(t *testing.T) {
	s, err := format.Parse("good.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	began := time.Now()
	err = run.All(ctx, []*format.Scenario{s, s}, run.Options{}, 1, func(int, run.Result) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
