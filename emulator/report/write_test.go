package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
		t.Errorf("%s differs, -update writes it anew (-want +got):\n%s", file, diff)
	}
}

var powerOn = time.Date(2026, 11, 24, 14, 3, 5, 123_456_789, time.FixedZone("", 3600))

func success() report.Result {
	return report.Result{
		TargetURI:  "https://atl-cs-001.litwareinc.com:443/CertProv/CertProvisioningService.svc",
		TargetFQDN: "atl-cs-001.litwareinc.com", Result: report.Success,
		Latency:         report.Latency(6*time.Second + 398_127_600),
		TargetURISource: "option43", State: devicestate.Ready,
		Warnings: []report.Warning{{Code: "time.no-answer", Text: "no time server answered"}},
		User:     report.User{SIPAddress: "sip:kenmyer@litwareinc.com", LineURI: "tel:+12065551219;ext=1219"},
		Handset: report.Handset{
			Profile: "polycom-cx600-4.0.7577.4463", Firmware: "4.0.7577.4463", MAC: "00-04-F2-00-01-76",
			UserAgent: "CPE/4.0.7577.4463 OCPhone/4.0.7577.4463 (Microsoft Lync Phone Edition)", EPID: "0123456789",
		},
		Certificate: &report.Certificate{
			Subject: "CN=kenmyer@litwareinc.com", Issuer: "CN=Communications Server",
			NotBefore: time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 5, 23, 13, 0, 0, 0, time.UTC),
		},
		States: []report.State{
			{devicestate.LinkDetect, report.Time{Time: powerOn}, report.Seconds(3 * time.Millisecond), report.OK, configs.GlassText{}},
			{
				devicestate.AddressAcquire,
				report.Time{Time: powerOn.Add(3 * time.Millisecond)},
				report.Seconds(1_004 * time.Millisecond), report.OK,
				configs.GlassText{Text: "Acquiring IP Address", Provenance: configs.Sourced},
			},
			{
				devicestate.Ready,
				report.Time{Time: powerOn.Add(time.Minute)},
				0, report.OK,
				configs.GlassText{Text: "Ken <Myer> & co", Provenance: configs.Assumed},
			},
		},
	}
}

func failure() report.Result {
	errorText, diagnosis := report.Diagnose("ticket.refused", "")
	return report.Result{
		TargetFQDN: "atl-cs-001.litwareinc.com", Result: report.Failure, Latency: report.Latency(4*time.Second + 199_384_500),
		Error: errorText, Diagnosis: diagnosis, Code: "ticket.refused", Stage: devicestate.StageTicket, State: devicestate.SignIn,
	}
}

func list(t *testing.T, r report.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteList(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteList(t *testing.T) {
	golden(t, "success.list", list(t, success()))
	golden(t, "failure.list", list(t, failure()))
	withURL := failure()
	withURL.TargetURI = success().TargetURI
	golden(t, "failure-with-url.list", list(t, withURL))
	lines := failure()
	lines.Diagnosis = "first\nsecond\n"
	golden(t, "lines.list", list(t, lines))
}

func TestListSaysWhereTheURLCameFrom(t *testing.T) {
	for source, want := range map[string]string{
		"option43": "Diagnosis  :\n", "flash": "Diagnosis  :\n", "target": "the one given", "sts-uri": "sts-uri", "default-path": "default path",
	} {
		r := success()
		r.TargetURISource = source
		if got := list(t, r); !strings.Contains(got, want) {
			t.Errorf("%s: %q lacks %q", source, got, want)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	for name, r := range map[string]report.Result{"success.json": success(), "failure.json": failure()} {
		var b bytes.Buffer
		if err := report.WriteJSON(&b, r); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(b.Bytes(), &keys); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{
			"TargetUri", "TargetFqdn", "Result", "Latency", "Error", "Diagnosis",
			"schema", "code", "stage", "state", "warnings", "user", "handset", "certificate", "states",
		} {
			if _, ok := keys[key]; !ok {
				t.Errorf("%s lacks %s", name, key)
			}
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWritersReportErrors(t *testing.T) {
	if err := report.WriteList(brokenWriter{}, success()); err == nil {
		t.Error("WriteList swallows the error")
	}
	if err := report.WriteJSON(brokenWriter{}, success()); err == nil {
		t.Error("WriteJSON swallows the error")
	}
}

func TestLatency(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                 "00:00:00.0000000",
		6*time.Second + 398_127_600:       "00:00:06.3981276",
		199:                               "00:00:00.0000001",
		26*time.Hour + 61*time.Minute + 5: "27:01:00.0000000",
		-time.Second:                      "00:00:00.0000000",
	} {
		if got := report.Latency(d).String(); got != want {
			t.Errorf("%v is written as %s, want %s", d, got, want)
		}
	}
}

// observed is a boot as the timeline tells it: three states, a warning between, and a note.
func observed() []timeline.Observation {
	at := func(ms int) time.Time { return powerOn.Add(time.Duration(ms) * time.Millisecond) }
	enter := func(ms int, s devicestate.State, glass string, p configs.Provenance) timeline.Observation {
		return timeline.Observation{
			At: at(ms), Kind: timeline.Transition, Text: string(s),
			Fields: []timeline.Field{{Name: "glass", Value: glass}, {Name: "provenance", Value: string(p)}},
		}
	}
	return []timeline.Observation{
		enter(0, devicestate.LinkDetect, "", ""),
		{At: at(1), Kind: timeline.Sent, Protocol: "lldp", Text: "LLDP-MED endpoint class III, voice policy unknown"},
		enter(3001, devicestate.AddressAcquire, "Acquiring IP Address", configs.Sourced),
		{At: at(3100), Kind: timeline.Diagnosis, Code: "address.duplicate", Peer: "10.0.0.1", Text: "warning: 10.0.0.1: the offered address is in use"},
		enter(4501, devicestate.Failed, "Downloading certificate", configs.Assumed),
	}
}

func TestProgress(t *testing.T) {
	for name, verbose := range map[string]bool{"progress.txt": false, "verbose.txt": true} {
		var b bytes.Buffer
		observe := report.Progress(&b, verbose)
		for _, o := range observed() {
			observe(o)
		}
		golden(t, name, b.String())
	}
}

func TestWriteLast(t *testing.T) {
	r := failure()
	r.States = []report.State{{State: devicestate.SignIn, Duration: report.Seconds(1500 * time.Millisecond), Glass: configs.GlassText{Text: "Sign In", Provenance: configs.Inferred}}}
	var b bytes.Buffer
	report.WriteLast(&b, r)
	if want := "SignIn           1.500 s  ~Sign In\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	report.WriteLast(&b, success())
	report.WriteLast(&b, report.Result{})
	if b.Len() != 0 {
		t.Errorf("a finished boot gives %q", b.String())
	}
}
