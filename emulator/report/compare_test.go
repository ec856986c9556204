package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
)

// booted is a result with a stay of one second in each state, the last of which fails if there is a code.
func booted(code string, states ...devicestate.State) report.Result {
	r := report.Result{Result: report.Success, TargetFQDN: "new.litwareinc.com"}
	for _, s := range states {
		r.States = append(r.States, report.State{State: s, Duration: report.Seconds(time.Second), Outcome: report.OK})
	}
	if code != "" {
		r.Result, r.Code = report.Failure, code
		stage, _, _ := strings.Cut(code, ".")
		r.Stage = devicestate.Stage(stage)
		r.States[len(states)-1].Outcome = report.Failed
		r.Error, r.Diagnosis = report.Diagnose(devicestate.Code(code), "what was seen")
	}
	return r
}

func TestCompare(t *testing.T) {
	const link, discover, chain, register, ready = devicestate.LinkDetect, devicestate.PoolDiscover, devicestate.RootChain, devicestate.Register, devicestate.Ready
	for _, test := range []struct {
		name       string
		warm, cold report.Result
		parts      devicestate.State
		why        string
	}{
		{"both sign in", booted("", link, register, ready), booted("", link, discover, chain, register, ready), "", "both sign in"},
		{"both fail alike", booted("link.no-carrier", link), booted("link.no-carrier", link), "", "both fail alike"},
		{"the wiped one fails where the other has nothing to do", booted("", link, register, ready), booted("chain.off", link, discover, chain), chain, "the wiped handset fails in RootChain, chain.off; the one with full flash has no need of it"},
		{"the wiped one fails where the other does not", booted("", link, register, ready), booted("register.timeout", link, discover, chain, register), register, "the wiped handset fails in Register, register.timeout; the one with full flash does not"},
		{"the one with full flash fails", booted("register.certificate-refused", link, register), booted("", link, discover, chain, register, ready), register, "the handset with full flash fails in Register, register.certificate-refused; the wiped one does not"},
		{"each fails elsewhere", booted("register.timeout", link, register), booted("chain.off", link, discover, chain), chain, "the wiped handset fails in RootChain"},
	} {
		c := report.Compare(test.warm, test.cold, nil)
		if c.Parts != test.parts || !strings.HasPrefix(c.Why, test.why) {
			t.Errorf("%s: %q, %q; want %q, %q", test.name, c.Parts, c.Why, test.parts, test.why)
		}
	}
}

func TestWriteComparison(t *testing.T) {
	cold := booted("register.timeout", devicestate.LinkDetect, devicestate.PoolDiscover, devicestate.RootChain, devicestate.Register)
	cold.TargetFQDN = "old.litwareinc.com"
	c := report.Compare(booted("", devicestate.LinkDetect, devicestate.Register, devicestate.Ready), cold,
		[]report.Difference{{What: "root", Warm: "CN=A", Cold: "CN=B"}, {What: "same", Warm: "x", Cold: "x"}})
	var b bytes.Buffer
	if err := report.WriteComparison(&b, c); err != nil {
		t.Fatal(err)
	}
	golden(t, "comparison.txt", b.String())
	b.Reset()
	if err := report.WriteComparisonJSON(&b, c); err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(b.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"schema", "parts", "why", "differences", "warm", "cold"} {
		if _, ok := keys[key]; !ok {
			t.Errorf("no %s in %s", key, &b)
		}
	}
	if keys["schema"] != report.CompareSchema || keys["parts"] != "Register" {
		t.Errorf("%s", &b)
	}
	if report.WriteComparison(brokenWriter{}, c) == nil || report.WriteComparisonJSON(brokenWriter{}, c) == nil {
		t.Error("an error is swallowed")
	}
}

// TestWithProbes: the diagnosis tells what is not in order and names the rest.
func TestWithProbes(t *testing.T) {
	r := failure()
	if got := r.WithProbes(nil); got.Diagnosis != r.Diagnosis || got.Probes != nil {
		t.Errorf("%+v", got)
	}
	r.Diagnosis = "It failed."
	got := r.WithProbes([]report.Probe{
		{"tcp", "a.example:80", report.Failed, "refused"},
		{"tcp", "a.example:443", report.OK, "answers"},
		{"tls", "b.example:443", report.OK, "1.0"},
		{"tls", "c.example:443", report.OK, "1.0"},
		{"clock", "web server", report.OK, "the same"},
		{"sts-uri", "a.example:5061", report.Helps, "names a URL"},
		{"inform", "255.255.255.255:67", report.Unknown, "not sent"},
	})
	if got := r.WithProbes([]report.Probe{{"tcp", "a.example:80", report.Failed, "refused"}}); got.Diagnosis != "It failed. Looked further: tcp a.example:80: refused." {
		t.Errorf("%q", got.Diagnosis)
	}
	want := "It failed. Looked further: tcp a.example:80: refused; sts-uri a.example:5061: names a URL; inform 255.255.255.255:67: not sent. In order: tcp 443, tls 443, clock."
	if got.Diagnosis != want || len(got.Probes) != 7 {
		t.Errorf("%q, want %q", got.Diagnosis, want)
	}
	if got := r.WithProbes([]report.Probe{{"clock", "web server", report.OK, "the same"}}); got.Diagnosis != "It failed. Looked further, and all is in order: clock." {
		t.Errorf("%q", got.Diagnosis)
	}
}
