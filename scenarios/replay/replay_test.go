package replay_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
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

// recorded is the recording of a boot of the default profile in the default lab, its sign-off included.
func recorded(t *testing.T) string {
	t.Helper()
	var recorder record.Recorder
	o := rig.Options{Timeout: time.Minute, Decode: true, Cable: ethernet.NewPipe(ethernet.Options{})}
	o.Observers = []func(timeline.Observation){recorder.Observe}
	var err error
	if o.Lab, err = configs.LoadLab("litware"); err != nil {
		t.Fatal(err)
	}
	if o.Profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
		t.Fatal(err)
	}
	o.Credentials = rig.FirstUser(o.Lab, o.Profile)
	started, err := rig.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	result := started.Boot(context.Background())
	if err := started.Close(); err != nil {
		t.Fatal(err)
	}
	if result.Result != report.Success {
		t.Fatal(result.Diagnosis)
	}
	messages, lost := recorder.Messages()
	return string(record.Scenario(record.Boot{
		File: "recorded.yaml", Profile: rig.DefaultProfile, Lab: "litware", User: "kenmyer", Result: result,
	}, messages, lost))
}

func replayed(t *testing.T, text, as, profile string) (answers, own []string) {
	t.Helper()
	s, err := format.ParseAs("recorded.yaml", []byte(text), profile)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := replay.Run(ctx, s, as, run.Options{}, compare.DefaultMasks())
	if err != nil {
		t.Fatal(err)
	}
	if r.State != "Ready" || r.Code != "" {
		t.Errorf("the handset came to %s, %s", r.State, r.Code)
	}
	return told(r.Answers), told(r.Own)
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
