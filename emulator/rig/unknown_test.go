package rig_test

import (
	"context"
	"sync"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestNothingUnknown: a lab finds nothing in a whole boot that no document describes. So whatever it names unknown of a
// real phone is news.
func TestNothingUnknown(t *testing.T) {
	for _, lab := range configs.Labs() {
		for _, profile := range []string{rig.DefaultProfile, "aastra-6725ip-4.0.7577.4512"} {
			t.Run(lab+" "+profile, func(t *testing.T) {
				t.Parallel()
				s := newSetting(t, lab, profile)
				run := s.start()
				var mu sync.Mutex
				observed := 0
				run.Pool.Timeline.Observe(func(o timeline.Observation) {
					mu.Lock()
					defer mu.Unlock()
					observed++
					if o.Kind == timeline.Unknown {
						t.Errorf("%s %s %s %v", o.Protocol, o.Peer, o.Text, o.Fields)
					}
				})
				s.wantSuccess(run.Boot(context.Background()))
				if err := run.Close(); err != nil {
					t.Error(err)
				}
				if mu.Lock(); observed < 20 {
					t.Errorf("%d observations", observed)
				}
				mu.Unlock()
			})
		}
	}
}
