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

func TestWriteSpacedList(t *testing.T) {
	address := success()
	address.TargetAddress = "10.20.0.10"
	for name, r := range map[string]report.Result{"success-spaced.list": address, "failure-spaced.list": failure()} {
		var b bytes.Buffer
		if err := report.WriteSpacedList(&b, r); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.String())
	}
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
	if err := report.WriteSpacedList(brokenWriter{}, success()); err == nil {
		t.Error("WriteSpacedList swallows the error")
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
	return []timeline.Observation{
		enter(0, devicestate.LinkDetect, "", "", ""),
		{At: at(1), Kind: timeline.Sent, Protocol: "lldp", Text: "LLDP-MED endpoint class III, voice policy unknown"},
		enter(3001, devicestate.AddressAcquire, report.OK, "Acquiring IP Address", configs.Sourced),
		{At: at(3100), Kind: timeline.Diagnosis, Code: "address.duplicate", Peer: "10.0.0.1", Text: "warning: 10.0.0.1: the offered address is in use"},
		enter(4501, devicestate.Failed, report.OK, "Downloading certificate", configs.Assumed),
	}
}

func at(ms int) time.Time { return powerOn.Add(time.Duration(ms) * time.Millisecond) }

func enter(ms int, s devicestate.State, left, glass string, p configs.Provenance) timeline.Observation {
	return timeline.Observation{At: at(ms), Kind: timeline.Transition, Text: string(s), Fields: []timeline.Field{
		{Name: timeline.FieldGlass, Value: glass}, {Name: timeline.FieldProvenance, Value: string(p)}, {Name: timeline.FieldOutcome, Value: left},
	}}
}

func begins(ms int, fields ...string) timeline.Observation {
	o := timeline.Observation{At: at(ms), Kind: timeline.Note, Text: "begins"}
	for i := 0; i < len(fields); i += 2 {
		o.Fields = append(o.Fields, timeline.Field{Name: fields[i], Value: fields[i+1]})
	}
	return o
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

// The stages for which the cmdlet has words, each as it succeeds and as it fails (handset.md §7.3 C, E, H, O).
func TestVerboseSpeaksTheCmdletsWords(t *testing.T) {
	const sip = "sip:kenmyer@litwareinc.com"
	ticket := begins(2, timeline.FieldNumber, "+12065551219")
	password := begins(2, timeline.FieldUser, `LITWARE\kenmyer`)
	enroll := begins(12, timeline.FieldUser, sip, timeline.FieldEndpoint, "0123456789", timeline.FieldURL, "https://atl-cs-001.litwareinc.com:443/CertProv/CertProvisioningService.svc")
	register := begins(22, timeline.FieldRegistrar, "atl-cs-001.litwareinc.com", timeline.FieldUser, sip, timeline.FieldPort, "5061")
	code := func(ms int, code string) timeline.Observation {
		return timeline.Observation{At: at(ms), Kind: timeline.Diagnosis, Code: code, Text: "what was seen"}
	}
	for name, list := range map[string][]timeline.Observation{
		"verbose-success.txt": {
			enter(1, devicestate.WebTicket, "", "", ""), ticket, enter(11, devicestate.Enroll, report.OK, "", ""), enroll,
			enter(21, devicestate.Register, report.OK, "", ""), register, enter(82, devicestate.Ready, report.OK, "", ""),
		},
		"verbose-ticket.txt": {
			enter(1, devicestate.WebTicket, "", "", ""), password, code(9, "ticket.refused"), enter(11, devicestate.SignIn, report.Failed, "", ""),
		},
		"verbose-enroll.txt": {
			enter(1, devicestate.Enroll, "", "", ""), enroll, code(9, "enroll.csr-refused"), enter(11, devicestate.Failed, report.Failed, "", ""),
		},
		"verbose-register.txt": {
			enter(1, devicestate.Register, "", "", ""), register, code(9, "register.404"), enter(11, devicestate.Failed, report.Failed, "", ""),
		},
	} {
		var b bytes.Buffer
		observe := report.Progress(&b, true)
		for _, o := range list {
			observe(o)
		}
		golden(t, name, b.String())
	}
}

func TestWriteLast(t *testing.T) {
	r := failure()
	r.States = []report.State{{State: devicestate.SignIn, Duration: report.Seconds(1500 * time.Millisecond), Glass: configs.GlassText{Text: "Sign In", Provenance: configs.Inferred}}}
	var b bytes.Buffer
	report.WriteLast(&b, r, false)
	if want := "SignIn           1.500 s  ~Sign In\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	report.WriteLast(&b, r, true)
	r.Stage = devicestate.StageSignIn
	report.WriteLast(&b, r, true)
	if want := "'SignIn' activity completed in '1.5000000' secs.\nAn exception 'ERROR - No response received for Web-Ticket service.' occurred during Workflow SignIn execution.\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	b.Reset()
	report.WriteLast(&b, success(), false)
	report.WriteLast(&b, report.Result{}, true)
	if b.Len() != 0 {
		t.Errorf("a finished boot gives %q", b.String())
	}
}
