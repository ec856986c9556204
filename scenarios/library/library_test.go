package library_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/library"
	"github.com/phone-edition/lpe/scenarios/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLibrary runs every scenario in virtual time.
func TestLibrary(t *testing.T) {
	var keys rig.Keyring
	if err := run.Prepare(&keys); err != nil {
		t.Fatal(err)
	}
	for _, name := range library.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := library.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != name {
				t.Errorf("the scenario in %s.yaml is called %s", name, s.Name)
			}
			result, err := run.Virtually(context.Background(), t, s, &keys)
			if err != nil {
				t.Error(err)
			}
			for _, d := range result.Differences {
				t.Errorf("line %d: %s: %s\n%s", d.Line, d.Path, d.Text, strings.Join(d.Context, "\n"))
			}
		})
	}
}

// TestFaultsShow: a scenario with faults comes out otherwise without them.
func TestFaultsShow(t *testing.T) {
	var keys rig.Keyring
	if err := run.Prepare(&keys); err != nil {
		t.Fatal(err)
	}
	for n, s := range all(t) {
		if n%every != 0 {
			continue
		}
		faults := len(s.Faults)
		s.Faults = nil
		for i, step := range s.Steps {
			if step.Verb == "fault" {
				s.Steps[i], faults = format.Step{Label: step.Label, Verb: "stay", Stay: time.Millisecond}, faults+1
			}
		}
		if faults == 0 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			result, err := run.Virtually(context.Background(), t, s, &keys)
			if err != nil || result.Passed {
				t.Errorf("passed %v, %v", result.Passed, err)
			}
		})
	}
}
