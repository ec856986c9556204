package replay_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/library"
	"github.com/phone-edition/lpe/scenarios/record"
	"github.com/phone-edition/lpe/scenarios/replay"
	"github.com/phone-edition/lpe/scenarios/run"
)

// virtually does something in virtual time.
func virtually(t *testing.T, keys *rig.Keyring, do func(run.Options)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		time.Sleep(time.Until(run.Began))
		do(run.Options{Keys: keys.Source(), Settled: synctest.Wait})
	})
}

// taken is a scenario of the library with the messages of its run, its sign-off included.
func taken(t *testing.T, name string, keys *rig.Keyring) (*format.Scenario, run.Result) {
	t.Helper()
	s, err := library.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	var result run.Result
	virtually(t, keys, func(o run.Options) {
		var kept record.Recorder
		o.Observers, o.Exchange = append(o.Observers, kept.Observe), true
		if result, err = run.Run(context.Background(), s, o); err == nil {
			s.Exchange, _ = kept.Messages()
		}
	})
	if err != nil || len(s.Exchange) == 0 {
		t.Fatalf("%d messages, %v", len(s.Exchange), err)
	}
	return s, result
}

// again replays a scenario and wants it to come to the same end.
func again(t *testing.T, s *format.Scenario, as string, first run.Result, keys *rig.Keyring) (answers, own []string) {
	t.Helper()
	virtually(t, keys, func(o run.Options) {
		r, err := replay.Run(context.Background(), s, as, o, compare.DefaultMasks())
		if err != nil {
			t.Error(err)
			return
		}
		if r.State != first.State || r.Code != first.Code {
			t.Errorf("as %s: came to %s %s, and first to %s %s", as, r.State, r.Code, first.State, first.Code)
		}
		answers, own = told(r.Answers), told(r.Own)
	})
	return answers, own
}

// TestReplayOfLibrary: whatever handset and pool did in a scenario comes out as it was, from either side.
func TestReplayOfLibrary(t *testing.T) {
	keys := shared()
	for _, name := range replayedWhole {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, first := taken(t, name, keys)
			for _, as := range []string{replay.Handset, replay.Pool} {
				if answers, own := again(t, s, as, first, keys); len(answers) > 0 || len(own) > 0 {
					t.Errorf("as %s: %q and %q", as, answers, own)
				}
			}
		})
	}
}

// TestReplayedPoolNeedsNoFault: what a pool said wrong is in the recording, and served by a lab with which nothing is wrong.
// What lies below the messages (connections refused or reset, certificates, signatures) is in no recording.
func TestReplayedPoolNeedsNoFault(t *testing.T) {
	keys := shared()
	for _, name := range servedWrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, first := taken(t, name, keys)
			s.Faults = nil
			if answers, own := again(t, s, replay.Pool, first, keys); len(answers) > 0 || len(own) > 0 {
				t.Errorf("%q and %q", answers, own)
			}
		})
	}
}
