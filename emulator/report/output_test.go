package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func outputs(t *testing.T, values ...string) *report.Outputs {
	t.Helper()
	o, err := report.ParseOutputs(values)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// written records results, one a name, and returns what came to standard output.
func written(t *testing.T, o *report.Outputs, results map[string]report.Result, names ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := o.Open(&out); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		c := o.Begin(name)
		o.Observer(c)(timeline.Observation{Seq: 1, Party: name, Kind: timeline.Note, At: powerOn, Text: "for " + name})
		if r, ok := results[name]; ok {
			if err := o.Record(c, name, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := o.Finish(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestParseOutputs(t *testing.T) {
	for _, c := range []struct {
		values []string
		stdout report.Form
		wrong  string
	}{
		{nil, report.List, ""},
		{[]string{"json"}, report.JSON, ""},
		{[]string{"junit=a.xml", "html=b=c.html"}, report.List, ""},
		{[]string{"junit=a.xml", "nagios", "junit=b.xml"}, report.Nagios, ""},
		{[]string{"xml"}, "", `list, json, jsonl, junit, nagios or html expected, not "xml"`},
		{[]string{"json", "list"}, "", "both for standard output"},
		{[]string{"html="}, "", "names no file"},
		{[]string{"html=a", "json=a"}, "", "a is named twice"},
		{[]string{""}, "", "expected"},
	} {
		o, err := report.ParseOutputs(c.values)
		switch {
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q: %v", c.values, err)
		case c.wrong == "" && err != nil:
			t.Errorf("%q: %v", c.values, err)
		case c.wrong == "" && o.Stdout() != c.stdout:
			t.Errorf("%q: %s on standard output", c.values, o.Stdout())
		}
	}
}

// Each form on standard output is what the same form in a file is.
func TestFormsAreTheSameInAFile(t *testing.T) {
	results := map[string]report.Result{"1219": success(), "1220": failure()}
	for _, many := range []bool{false, true} {
		for _, form := range report.Forms() {
			file := filepath.Join(t.TempDir(), "out")
			o := outputs(t, string(form), string(form)+"="+file)
			o.Many = many
			shown := written(t, o, results, "1219", "1220", "1221")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if shown == "" || shown != string(text) && (many || form != report.List && form != report.JSON) {
				t.Errorf("%s, many %v: standard output\n%s\nfile\n%s", form, many, shown, text)
			}
		}
	}
}

// A file is there whole at the end, or not at all.
func TestOutputFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "report.html")
	o := outputs(t, "html="+file)
	if err := o.Open(&bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the end: %v", err)
	}
	if err := o.Discard(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	for _, wrong := range []string{dir, filepath.Join(dir, "none", "x")} {
		o := outputs(t, "list="+filepath.Join(dir, "first"), "html="+wrong)
		var failed *fs.PathError
		if err := o.Open(&bytes.Buffer{}); !errors.As(err, &failed) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%v, %v", entries, err)
		}
	}
}

func TestJSONLines(t *testing.T) {
	shown := written(t, outputs(t, "jsonl"), map[string]report.Result{"1219": success()}, "1219")
	lines := strings.Split(strings.TrimSpace(shown), "\n")
	if len(lines) != 2 {
		t.Fatal(shown)
	}
	var event struct{ Schema, Party, Kind, Text string }
	var result struct {
		Schema, Party, Kind string
		Result              struct{ Schema, Result string }
	}
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &event), json.Unmarshal([]byte(lines[1]), &result)); err != nil {
		t.Fatal(err)
	}
	if event.Schema != "lpe.timeline/1" || event.Party != "1219" || event.Kind != "note" || event.Text != "for 1219" {
		t.Errorf("%+v", event)
	}
	if result.Schema != "lpe.timeline/1" || result.Kind != "result" || result.Result.Schema != report.Schema || result.Result.Result != "Success" {
		t.Errorf("%+v", result)
	}
}

func TestSummaries(t *testing.T) {
	results := map[string]report.Result{"1219": success(), "12065551220": failure()}
	names := []string{"1219", "12065551220", "1221"}
	for _, form := range []report.Form{report.List, report.JSON, report.Nagios} {
		o := outputs(t, string(form))
		o.Many = true
		golden(t, "many."+string(form), written(t, o, results, names...))
	}
	for name, r := range map[string]report.Result{"success": success(), "failure": failure()} {
		o := outputs(t, "nagios")
		golden(t, name+".nagios", written(t, o, map[string]report.Result{"1219": r}, "1219"))
	}
}

func TestMonitorStates(t *testing.T) {
	interrupted := report.Result{Result: report.Failure, Code: string(devicestate.CodeInterrupted)}
	for _, c := range []struct {
		results []report.Result
		warn    time.Duration
		want    report.MonitorState
	}{
		{[]report.Result{success()}, 0, report.MonitorOK},
		{[]report.Result{success()}, time.Minute, report.MonitorOK},
		{[]report.Result{success()}, time.Second, report.MonitorWarning},
		{[]report.Result{success(), failure()}, time.Second, report.MonitorCritical},
		{[]report.Result{interrupted}, 0, report.MonitorUnknown},
		{[]report.Result{{Result: report.Failure, Code: string(devicestate.CodeNotSaved)}}, 0, report.MonitorUnknown},
		{[]report.Result{interrupted, failure()}, 0, report.MonitorCritical},
		{[]report.Result{success(), {}}, 0, report.MonitorUnknown},
		{nil, 0, report.MonitorUnknown},
	} {
		o := outputs(t, "nagios")
		o.Warn = c.warn
		var out bytes.Buffer
		if err := o.Open(&out); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.results {
			if err := o.Record(o.Begin("1219"), "handset", r); err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Finish(); err != nil {
			t.Fatal(err)
		}
		if got := o.State(); got != c.want || !strings.HasPrefix(out.String(), "LPE "+c.want.String()+" - ") || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%d results, warn %v: %v, %q", len(c.results), c.warn, got, out.String())
		}
	}
}

// A bar ends the text of a plugin, a line end the plugin's output.
func TestPluginLineIsOneLine(t *testing.T) {
	var out bytes.Buffer
	if err := report.WriteUnknown(&out, errors.New("a|b\nc")); err != nil {
		t.Fatal(err)
	}
	if out.String() != "LPE UNKNOWN - a/b c\n" {
		t.Errorf("%q", out.String())
	}
}

func TestJUnit(t *testing.T) {
	broken := failure()
	broken.Code, broken.Error, broken.Diagnosis = string(devicestate.CodeInternal), "a\x01b", "<&>"
	o := outputs(t, "junit")
	shown := written(t, o, map[string]report.Result{"1219": success(), "1220": failure(), "1221": broken}, "1219", "1220", "1221", "1222")
	var got struct {
		Suite struct {
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Errors   int    `xml:"errors,attr"`
			Skipped  int    `xml:"skipped,attr"`
			Time     string `xml:"timestamp,attr"`
			Cases    []struct {
				Name    string    `xml:"name,attr"`
				Skipped *struct{} `xml:"skipped"`
				Error   *struct {
					Text string `xml:",chardata"`
				} `xml:"error"`
				Failure *struct {
					Type string `xml:"type,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(shown), &got); err != nil {
		t.Fatal(err)
	}
	s := got.Suite
	if diff := cmp.Diff([]int{4, 1, 1, 1}, []int{s.Tests, s.Failures, s.Errors, s.Skipped}); diff != "" || s.Time != "2026-11-24T13:03:05" {
		t.Errorf("%s %s", diff, s.Time)
	}
	if s.Cases[0].Failure != nil || s.Cases[1].Failure.Type != "ticket.refused" || !strings.Contains(s.Cases[2].Error.Text, "<&>") || s.Cases[3].Skipped == nil {
		t.Error(shown)
	}
}

// Boots that follow one another are told apart by their address.
func TestInTurn(t *testing.T) {
	o := outputs(t, "jsonl")
	o.Many = true
	var out bytes.Buffer
	if err := o.Open(&out); err != nil {
		t.Fatal(err)
	}
	observe, record := o.InTurn("1219", "handset")
	for _, address := range []string{"10.20.0.10", "10.20.0.11"} {
		observe(timeline.Observation{Kind: timeline.Note, Text: address})
		r := success()
		r.TargetAddress = address
		if err := record(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := o.Tally(); got.Cases != 2 || got.Succeeded != 2 {
		t.Errorf("%+v", got)
	}
}

// With a mask no form tells a name.
func TestMaskInEveryForm(t *testing.T) {
	for _, form := range report.Forms() {
		o := outputs(t, string(form))
		o.Mask = report.NewMask("12065551219")
		r := success()
		r.Diagnosis = "kenmyer has 1219"
		shown := written(t, o, map[string]report.Result{"12065551219": r}, "12065551219")
		for _, name := range []string{"kenmyer", "12065551219", "1219"} {
			if strings.Contains(shown, name) {
				t.Errorf("%s shows %s:\n%s", form, name, shown)
			}
		}
	}
}
