package replay_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/record"
	"github.com/phone-edition/lpe/scenarios/replay"
	"github.com/phone-edition/lpe/scenarios/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shared are the keys of all boots.
var shared = sync.OnceValue(func() *rig.Keyring {
	var keys rig.Keyring
	if err := run.Prepare(&keys); err != nil {
		panic(err)
	}
	return &keys
})

// recorded is the recording of a boot of the default profile in the default lab, its sign-off included.
func recorded(t *testing.T) string {
	t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	return recordedIn(t, lab)
}

// recordedIn is the recording of a boot in a lab.
func recordedIn(t *testing.T, lab *configs.Lab) (text string) {
	t.Helper()
	virtually(t, shared(), func(run.Options) { text = recordedNow(t, lab) })
	return text
}

func recordedNow(t *testing.T, lab *configs.Lab) string {
	result, messages, lost := bootNow(t, lab)
	if result.Result != report.Success {
		t.Fatal(result.Diagnosis)
	}
	return string(record.Scenario(record.Boot{
		File: "recorded.yaml", Profile: rig.DefaultProfile, Lab: "litware", User: lab.Users[0].Name, Result: result,
	}, messages, lost))
}

// bootNow is what came of a boot, and its messages.
func bootNow(t *testing.T, lab *configs.Lab, faults ...string) (result report.Result, messages []exchange.Message, lost int) {
	var recorder record.Recorder
	o := rig.Options{
		Lab: lab, Faults: faults, Timeout: time.Minute, Decode: true, Cable: ethernet.NewPipe(ethernet.Options{}),
		HandsetKey: shared().Source(), PoolKey: shared().Source(), PoolClock: time.Now,
	}
	o.Observers = []func(timeline.Observation){recorder.Observe}
	var err error
	if o.Profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
		t.Fatal(err)
	}
	o.Credentials = rig.FirstUser(o.Lab, o.Profile)
	started, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	result = started.Boot(context.Background())
	if err := started.Close(); err != nil {
		t.Fatal(err)
	}
	messages, lost = recorder.Messages()
	return result, messages, lost
}

func replayed(t *testing.T, text, as, profile string) (answers, own []string) {
	t.Helper()
	s, err := format.ParseAs("recorded.yaml", []byte(text), profile)
	if err != nil {
		t.Fatal(err)
	}
	virtually(t, shared(), func(o run.Options) {
		r, err := replay.Run(context.Background(), s, as, o, compare.DefaultMasks())
		if err != nil {
			t.Error(err)
			return
		}
		if r.State != "Ready" || r.Code != "" || r.Other {
			t.Errorf("the handset came to %s, %s", r.State, r.Code)
		}
		answers, own = told(r.Answers), told(r.Own)
	})
	return answers, own
}

func told(c compare.Comparison) []string {
	var out []string
	for _, d := range c.Differences {
		out = append(out, fmt.Sprintf("%s %s: %s %q %q", d.Protocol, d.Message, d.Field, d.A, d.B))
	}
	return out
}

// changed replaces what the pattern matches, and wants it there.
func changed(t *testing.T, text, pattern, with string) string {
	t.Helper()
	p := regexp.MustCompile(pattern)
	if !p.MatchString(text) {
		t.Fatalf("no %s in the recording", pattern)
	}
	return p.ReplaceAllString(text, with)
}

// TestReplayBothWays: what was recorded comes out as it was, from either side.
func TestReplayBothWays(t *testing.T) {
	text := recorded(t)
	for _, as := range []string{replay.Handset, replay.Pool} {
		if answers, own := replayed(t, text, as, ""); len(answers) > 0 || len(own) > 0 {
			t.Errorf("as %s: %q and %q", as, answers, own)
		}
	}
}

// TestReplayOfWhatWasSeenAbove: of a protocol that does not pass where a recording was taken nothing is told but that.
func TestReplayOfWhatWasSeenAbove(t *testing.T) {
	s, err := format.Parse("recorded.yaml", []byte(recorded(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"lldp", "dhcp", "dns", "ntp"}
	s.Exchange = slices.DeleteFunc(s.Exchange, func(m exchange.Message) bool { return slices.Contains(want, m.Protocol) })
	for _, as := range []string{replay.Handset, replay.Pool} {
		virtually(t, shared(), func(o run.Options) {
			r, err := replay.Run(context.Background(), s, as, o, compare.DefaultMasks())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Unseen, want) || len(r.Answers.Differences) > 0 || len(r.Own.Differences) > 0 {
				t.Errorf("as %s: not seen %q, %q and %q", as, r.Unseen, told(r.Answers), told(r.Own))
			}
		})
	}
}

// TestReplayOfABootThatFailed: a recording that knows no more than its messages tell, as one of a pool or of a capture, is
// replayed up to its last message, and a failure is no other end than the recorded one.
func TestReplayOfABootThatFailed(t *testing.T) {
	for fault, code := range map[string]string{"register=403": "register.403", "ticket=wrong-pin": "ticket.refused", "chain=http-500": "chain.http-500"} {
		var text []byte
		virtually(t, shared(), func(run.Options) {
			lab, err := configs.LoadLab("litware")
			if err != nil {
				t.Fatal(err)
			}
			result, messages, lost := bootNow(t, lab, fault)
			if result.Code != code {
				t.Fatalf("%s: %s, %s", fault, result.Code, result.Diagnosis)
			}
			text = record.Scenario(record.Boot{File: "recorded.yaml", Lab: "litware", User: "kenmyer", Pool: true}, messages, lost)
		})
		s, err := format.Parse("recorded.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		virtually(t, shared(), func(o run.Options) {
			r, err := replay.Run(context.Background(), s, replay.Pool, o, compare.DefaultMasks())
			if err != nil {
				t.Fatal(err)
			}
			if r.Code != code || r.Other || len(r.Answers.Differences) > 0 || len(r.Own.Differences) > 0 {
				t.Errorf("%s: %s %s, another end %v, %q and %q", fault, r.State, r.Code, r.Other, told(r.Answers), told(r.Own))
			}
		})
	}
}

// TestReplayAsHandsetSendsWhatWasRecorded: options and headers that no profile has are sent, and the pool still takes the
// signatures; a difference in the pool's answers is told.
func TestReplayAsHandsetSendsWhatWasRecorded(t *testing.T) {
	text := changed(t, recorded(t), `'"CPE-OCPHONE" \(4350452d4f4350484f4e45\)'`, `'"CPE-OCPHXNE" (4350452d4f435048584e45)'`)
	text = changed(t, text, `(?m)^(      )(User-Agent: ).*$`, `${1}Accept-Language: "xx"`+"\n"+`${1}${2}"CPE/9.9.9999.9"`)
	text = changed(t, text, `(?m)^(      Supported\[3\]: )"ms-cluster-failover"$`, `${1}"something-else"`)
	text = changed(t, text, `(?m)^(      Connection: ).*$`, `${1}"Keep-Alive, X"`)
	answers, own := replayed(t, text, replay.Handset, "")
	if len(answers) > 0 {
		t.Errorf("the pool answers otherwise: %q", answers)
	}
	for _, one := range own { // which connection is kept is this program's
		if !strings.Contains(one, ": Connection ") {
			t.Errorf("not sent as recorded: %s", one)
		}
	}

	text = changed(t, recorded(t), `(?m)^      Server: "RTC/5.0"$`, `      Server: "RTC/6.0"`)
	answers, own = replayed(t, text, replay.Handset, "")
	if len(own) > 0 || len(answers) == 0 || answers[0] != `sip 401 Unauthorized to REGISTER 1: Server "RTC/6.0" "RTC/5.0"` {
		t.Errorf("%q and %q", answers, own)
	}
}

// TestReplayAsPoolServesWhatWasRecorded: headers that no lab has are served; another handset's requests are told.
func TestReplayAsPoolServesWhatWasRecorded(t *testing.T) {
	text := changed(t, recorded(t), `(?m)^(      )Server: "RTC/5.0"$`, `${1}Reason: "made"`+"\n"+`${1}Server: "RTC/6.0"`)
	answers, own := replayed(t, text, replay.Pool, "polycom-cx600-4.0.7577.4512")
	if len(own) > 0 {
		t.Errorf("not served as recorded: %q", own)
	}
	want := `sip REGISTER 1: User-Agent "CPE/4.0.7577.4463 OCPhone/4.0.7577.4463 (Microsoft Lync Phone Edition)" "CPE/4.0.7577.4512 OCPhone/4.0.7577.4512 (Microsoft Lync Phone Edition)"`
	if !slices.Contains(answers, want) {
		t.Errorf("%q is not among %q", want, answers)
	}
}

// TestReplayOfAnotherPool: the lab takes the names of the recorded pool and its user, and says what that pool said, at its own
// addresses.
func TestReplayOfAnotherPool(t *testing.T) {
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	text := string(lab.Format())
	for _, change := range [][2]string{
		{"litwareinc.com", "fabrikam.test"}, {"atl-cs-001", "pool7"}, {"10.20.0.", "10.77.3."}, {"12065551219;ext=1219", "4930123456;ext=456"}, {"RTC/5.0", "RTC/6.0"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("no %s in the lab", change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	other, err := configs.ParseLab("litware", []byte(text)) // with the same name in its certificates
	if err != nil {
		t.Fatal(err)
	}
	text = recordedIn(t, other)
	if answers, own := replayed(t, text, replay.Pool, ""); len(answers) > 0 || len(own) > 0 {
		t.Errorf("%q and %q", answers, own)
	}
	answers, own := replayed(t, text, replay.Handset, "")
	for _, one := range answers { // which server this is only that pool said
		if !strings.Contains(one, `: Server "RTC/6.0" "RTC/5.0"`) {
			t.Errorf("the pool answers otherwise: %s", one)
		}
	}
	if len(own) > 0 || len(answers) == 0 {
		t.Errorf("%d answers, %q", len(answers), own)
	}
}

// TestReplayAsPoolServesTheContent: elements, records, options and status that no lab has are served.
func TestReplayAsPoolServesTheContent(t *testing.T) {
	text := recorded(t)
	for name, change := range map[string][2]string{
		"SOAP fault in place of an answer": {
			`(?m)^(      )response: "200 OK"\n((?:      .*\n)*?)(      Envelope xmlns: .*\n)      Body/GetRootCertChainsResponse(?:.*\n)(?:      Body/.*\n)*`,
			"${1}response: \"500 Internal Server Error\"\n${2}${3}${1}Body/Fault/faultcode: \"s:Server\"\n${1}Body/Fault/faultstring: \"made\"\n",
		},
		"provisioned element": {`(ucEnforcePinLock: )"[a-z]+"`, `${1}"maybe"`},
		"WSDL port":           {`(service/port@name: )"WebTicketServiceWinNegotiate"`, `${1}"WebTicketServiceOther"`},
		"DNS record":          {`(SRV _sipinternaltls._tcp.litwareinc.com.: "priority )0, weight 0, port 5061, atl-cs-001`, `${1}7, weight 3, port 5099, elsewhere`},
		"NTP stratum":         {`stratum: "3"`, `stratum: "9"`},
		"LLDP system name":    {`(      system name: )"lab-switch"`, `${1}"access-7"`},
		"DHCP option":         {`option 51 lease time: "8h0m0s \(00007080\)"`, `option 51 lease time: "4h0m0s (00003840)"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := format.Parse("recorded.yaml", []byte(changed(t, text, change[0], change[1])))
			if err != nil {
				t.Fatal(err)
			}
			virtually(t, shared(), func(o run.Options) {
				r, err := replay.Run(context.Background(), s, replay.Pool, o, compare.DefaultMasks())
				if err != nil {
					t.Error(err)
					return
				}
				for _, d := range r.Own.Differences {
					if d.What == compare.FieldChanged || d.What == compare.FieldMissing || d.What == compare.FieldAdded {
						t.Errorf("not served as recorded: %s %s: %s %q %q", d.Protocol, d.Message, d.Field, d.A, d.B)
					}
				}
			})
		})
	}
}

// TestReplayNeedsMessages: a scenario without an exchange cannot be replayed.
func TestReplayNeedsMessages(t *testing.T) {
	text := recorded(t)
	text, _, _ = strings.Cut(text, "\nexchange:")
	s, err := format.Parse("recorded.yaml", []byte(text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replay.Run(t.Context(), s, replay.Handset, run.Options{}, compare.DefaultMasks()); err == nil || !strings.Contains(err.Error(), "lpe boot --record") {
		t.Errorf("got %v", err)
	}
}
