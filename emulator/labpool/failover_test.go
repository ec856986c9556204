package labpool

import (
	"testing"
	"time"
)

// TestHeartbeat: the backup takes over after 300 s without a heartbeat, and gives back after 240 s with one; a shorter
// outage, or a shorter return, changes nothing.
func TestHeartbeat(t *testing.T) {
	type step struct {
		at       int // seconds
		beats    string
		inCharge bool
	}
	start := time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"outage", []step{{0, "yes", false}, {1000, "no", false}, {1299, "", false}, {1300, "", true}, {9000, "", true}, {9000, "yes", true}, {9239, "", true}, {9240, "", false}, {20000, "", false}}},
		{"short outage", []step{{0, "no", false}, {299, "yes", false}, {600, "", false}}},
		{"short return", []step{{0, "no", false}, {300, "", true}, {400, "yes", true}, {639, "no", true}, {1000, "yes", true}, {1240, "", false}}},
		{"nobody asks meanwhile", []step{{0, "no", false}, {500, "yes", true}, {600, "", true}, {740, "", false}}},
		{"said twice", []step{{0, "no", false}, {200, "no", false}, {300, "no", true}, {400, "yes", true}, {500, "yes", true}, {640, "yes", false}}},
	} {
		var b heartbeat
		for _, step := range test.steps {
			now := start.Add(time.Duration(step.at) * time.Second)
			if step.beats != "" {
				b.beats(step.beats == "yes", now)
			}
			if got := b.takenOver(now); got != step.inCharge {
				t.Errorf("%s: after %d s in charge %v, want %v", test.name, step.at, got, step.inCharge)
			}
		}
	}
}
