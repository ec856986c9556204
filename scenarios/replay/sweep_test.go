package replay_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	"os"
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/library"
	"github.com/phone-edition/lpe/scenarios/record"
	"github.com/phone-edition/lpe/scenarios/replay"
	"github.com/phone-edition/lpe/scenarios/run"
)

func TestSweep(t *testing.T) {
	var keys rig.Keyring
	if err := run.Prepare(&keys); err != nil {
		t.Fatal(err)
	}
	for _, name := range library.Names() {
		if f := os.Getenv("SWEEP"); f != "" && !strings.Contains(name, f) { continue }
		s, err := library.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range s.Steps { if step.Stay > 24*time.Hour { s = nil; break } }
		if s == nil { continue }
		t.Run(name, func(t *testing.T) {
			var r run.Result
			synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(run.Began))
					var kept record.Recorder
					var o run.Options
					o.Exchange = true
					o.Keys, o.Settled = keys.Source(), synctest.Wait
					o.Observers = append(o.Observers, kept.Observe)
					var err error
					r, err = run.Run(context.Background(), s, o)
					if err != nil {
						t.Fatal(err)
					}
					s.Exchange, _ = kept.Messages()
			})
			for _, as := range []string{"handset", "pool"} {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(run.Began))
					var o run.Options
					o.Keys, o.Settled = keys.Source(), synctest.Wait
					res, err := replay.Run(context.Background(), s, as, o, compare.DefaultMasks())
					if err != nil { t.Error(as, err); return }
					var b strings.Builder
					a, w := told(res.Answers), told(res.Own)
					if len(a) + len(w) > 0 || res.State != r.State || res.Code != r.Code {
						for i, x := range a { if i < 4 { fmt.Fprintln(&b, "   A", x) } }
						for i, x := range w { if i < 4 { fmt.Fprintln(&b, "   W", x) } }
						t.Errorf("%s: %d answers, %d own; %s %s / %s %s\n%s", as, len(a), len(w), r.State, r.Code, res.State, res.Code, b.String())
					}
				})
			}
		})
	}
}
