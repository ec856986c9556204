package library_test

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/rig"
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
