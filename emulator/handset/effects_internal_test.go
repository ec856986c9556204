package handset

import (
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

// TestVisitsAreBounded: what is remembered is the boot, and what was last.
func TestVisitsAreBounded(t *testing.T) {
	for _, boot := range [][]devicestate.State{{devicestate.LinkDetect, devicestate.Register, devicestate.Ready}, {}} {
		var list []Visit
		at := time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC)
		add := func(state devicestate.State) {
			at = at.Add(time.Second)
			list = append(boundVisits(list), Visit{State: state, Entered: at})
		}
		for _, state := range boot {
			add(state)
		}
		for range 3 * maxVisits {
			add(devicestate.Register)
		}
		if len(list) != maxVisits || !list[len(list)-1].Entered.Equal(at) {
			t.Fatalf("%d visits, the last at %v, want %d and %v", len(list), list[len(list)-1].Entered, maxVisits, at)
		}
		for i, state := range boot {
			if list[i].State != state {
				t.Errorf("visit %d is %s, want %s", i, list[i].State, state)
			}
		}
		for i := len(boot) + 1; i < len(list); i++ {
			if list[i].Entered.Sub(list[i-1].Entered) != time.Second {
				t.Fatalf("visits %d and %d are at %v and %v", i-1, i, list[i-1].Entered, list[i].Entered)
			}
		}
	}
}
