package record_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/record"
)

func observe(r *record.Recorder, n int, value string) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r.Observe(timeline.Observation{At: began, Kind: timeline.Transition, Text: string(devicestate.LinkDetect), State: devicestate.LinkDetect})
	for i := range n {
		r.Observe(timeline.Observation{
			At: began.Add(time.Duration(i+1) * time.Millisecond), Kind: timeline.Sent, State: devicestate.Register, Protocol: "sip",
			Peer: "pool.test (10.0.0.1:5061)", Text: "REGISTER 1", Message: fmt.Sprint("REGISTER ", i),
			Fields: []exchange.Field{{Name: "User-Agent", Value: value}, {Name: "From;tag", Value: "1f", Origin: timeline.Fresh}},
		})
	}
}

// A recording is a scenario, and the messages in it are those that were seen.
func TestScenario(t *testing.T) {
	states := func(names ...devicestate.State) (out []report.State) {
		for _, n := range names {
			out = append(out, report.State{State: n, Duration: report.Seconds(7 * time.Second)})
		}
		return out
	}
	path := slices.Clip([]devicestate.State{"LinkDetect", "AddressAcquire", "UpdateLookup", "TimeSync", "PoolDiscover"})
	for name, test := range map[string]struct {
		boot  record.Boot
		steps int
		lines []string
	}{
		"ready": {record.Boot{
			File: "dir/My Boot.yaml", Lab: "contoso", User: "jeffhay", Profile: "polycom-cx600-4.0.7577.4463", Faults: []string{"update=refused"},
			Result: report.Result{Result: report.Success, State: devicestate.Ready, States: states(append(path, "SignIn", "RootChain", "WebTicket", "Enroll", "Register", "Provision", "UpdateCheck", "Ready")...), Handset: report.Handset{MAC: "00-04-F2-01-02-03"}},
		}, 3, []string{"name: my-boot", `  mac: "00:04:F2:01:02:03"`, "  - sign_in: jeffhay", "  - {wait: Ready, within: 10m}", "    - SignIn", "  result: {state: Ready}", `  - "update=refused"`}},
		"failed": {record.Boot{
			File: "x", Lab: "litware", User: "kenmyer", Profile: "polycom-cx600-4.0.7577.4463",
			Result: report.Result{Result: report.Failure, State: devicestate.Failed, Code: "chain.off", States: states(append(path, "SignIn", "RootChain", "Failed")...)},
		}, 3, []string{"  result: {state: Failed, code: chain.off}"}},
		"went on": {record.Boot{
			File: "x", Lab: "litware", User: "kenmyer", Profile: "polycom-cx600-4.0.7577.4463",
			Result: report.Result{Result: report.Failure, State: devicestate.AddressAcquire, Code: "address.no-offer", States: states("LinkDetect", "AddressAcquire")},
		}, 3, []string{"  - stay: 7s"}},
		"wrong PIN": {record.Boot{
			File: "x", Lab: "litware", User: "kenmyer", Profile: "polycom-cx600-4.0.7577.4463",
			Result: report.Result{Result: report.Failure, State: devicestate.SignIn, Code: "ticket.refused", States: states(append(path, "SignIn", "RootChain", "WebTicket", "SignIn")...)},
		}, 6, []string{"  states: [LinkDetect, ...]", "  result: {state: SignIn, code: ticket.refused}"}},
		"wrong password": {record.Boot{
			File: "x", Lab: "litware", User: "kenmyer", Profile: "polycom-cx700-4.0.7577.4066",
			Result: report.Result{Result: report.Failure, State: devicestate.SignIn, Code: "ticket.password-refused", States: states(append(path, "SignIn", "RootChain", "WebTicket", "SignIn")...)},
		}, 5, []string{"  - {wait: WebTicket, within: 10m}", "  result: {state: SignIn, code: ticket.password-refused}"}},
		"not unique": {record.Boot{
			File: "x", Lab: "litware", User: "kenmyer", Profile: "polycom-cx600-4.0.7577.4463", Faults: []string{"ticket=not-unique"},
			Result: report.Result{Result: report.Failure, State: devicestate.SignIn, Code: "ticket.not-unique", States: states(append(path, "SignIn", "RootChain", "WebTicket", "SignIn")...)},
		}, 5, []string{"  - {wait: WebTicket, within: 10m}", "  - {wait: SignIn, within: 10m}"}},
		"real pool": {record.Boot{
			File: "1.yaml", User: "kenmyer", Profile: "polycom-cx600-4.0.7577.4463",
			Result: report.Result{Result: report.Success, State: devicestate.Ready, States: states(append(path, "SignIn", "RootChain", "WebTicket", "Enroll", "Register", "Provision", "UpdateCheck", "Ready")...)},
		}, 3, []string{"# The pool was a real one: run in a lab, the same is done by the lab's user.", "  states: [LinkDetect, ...]"}},
		"never began": {record.Boot{File: "x", Profile: "polycom-cx600-4.0.7577.4463", User: "kenmyer"}, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var r record.Recorder
			observe(&r, 3, `say "hello": it's 'me'`)
			messages, lost := r.Messages()
			text := record.Scenario(test.boot, messages, lost)
			s, err := format.Parse("x.yaml", text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(exchange.Messages(messages), s.Exchange); diff != "" || len(messages) != 3 || lost != 0 {
				t.Errorf("%d messages, %d lost, -seen +read:\n%s", len(messages), lost, diff)
			}
			if len(s.Steps) != test.steps {
				t.Errorf("%d steps, want %d", len(s.Steps), test.steps)
			}
			for _, line := range test.lines {
				if !strings.Contains(string(text), line+"\n") {
					t.Errorf("no line %q in\n%s", line, text)
				}
			}
		})
	}
}

// What is kept is bounded, without gaps, and can be read again.
func TestBounds(t *testing.T) {
	for name, test := range map[string]struct {
		n     int
		value string
		again bool // which takes a while for so many
	}{"messages": {25_000, "x", false}, "bytes": {200, strings.Repeat("x", 60_000), true}} {
		t.Run(name, func(t *testing.T) {
			var r record.Recorder
			observe(&r, test.n, test.value)
			list, lost := r.Messages()
			if len(list)+lost != test.n || lost == 0 || list[len(list)-1].Kind != fmt.Sprint("REGISTER ", len(list)-1) {
				t.Errorf("%d kept, %d lost of %d", len(list), lost, test.n)
			}
			text := record.Scenario(record.Boot{File: "x", Profile: "polycom-cx600-4.0.7577.4463", User: "kenmyer"}, list, lost)
			if test.again {
				if s, err := format.Parse("x.yaml", text); err != nil || len(s.Exchange) != len(list) {
					t.Errorf("%.300v", err)
				}
			}
			if want := fmt.Sprintf("# %d later messages were not kept.\n", lost); !strings.Contains(string(text), want) {
				t.Errorf("no line %q", want)
			}
		})
	}
}

// What is done apart is not kept, and what comes behind it is.
func TestApart(t *testing.T) {
	var r record.Recorder
	observe(&r, 2, "x")
	r.Apart(func() { observe(&r, 4, "x") })
	observe(&r, 1, "x")
	if list, lost := r.Messages(); len(list) != 3 || lost != 0 {
		t.Errorf("%d kept, %d lost", len(list), lost)
	}
}

// States are kept only for who asks for them.
func TestStates(t *testing.T) {
	r := record.Recorder{States: true}
	observe(&r, 1, "x")
	list, _ := r.Messages()
	if len(list) != 2 || list[0].Protocol != exchange.ProtocolState || list[0].Kind != "LinkDetect" {
		t.Errorf("%+v", list)
	}
}

// TestBeside: a scenario in another directory names a file from there, and what the program brings by its name.
func TestBeside(t *testing.T) {
	brought := []string{"litware"}
	for _, test := range [][3]string{
		{"new.yaml", "mine.yaml", "mine.yaml"},
		{"", "mine.yaml", "mine.yaml"},
		{"sub/new.yaml", "mine.yaml", "../mine.yaml"},
		{"sub/new.yaml", "sub/mine.yaml", "mine.yaml"},
		{"sub/new.yaml", "litware", "litware"},
	} {
		if got := record.Beside(test[0], test[1], brought); got != test[2] {
			t.Errorf("%s in %q is %s, want %s", test[1], test[0], got, test[2])
		}
	}
	absolute, err := filepath.Abs("mine.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := record.Beside("sub/new.yaml", absolute, brought); got != absolute {
		t.Errorf("%s is %s", absolute, got)
	}
}
