package timeline_test

import (
	"sync"
	"testing"

	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestObserversSeeOneOrder(t *testing.T) {
	tl := timeline.New("handset")
	var a, b []uint64
	stop := tl.Observe(func(o timeline.Observation) { a = append(a, o.Seq) })
	tl.Observe(func(o timeline.Observation) {
		b = append(b, o.Seq)
		if o.Party != "handset" || o.At.IsZero() {
			t.Errorf("party %q, time %v", o.Party, o.At)
		}
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				tl.Add(timeline.Observation{Kind: timeline.Note, Text: "x"})
			}
		})
	}
	wg.Wait()
	stop()
	tl.Add(timeline.Observation{})
	if len(a) != 800 || len(b) != 801 {
		t.Fatalf("observers saw %d and %d observations, want 800 and 801", len(a), len(b))
	}
	for i := range b {
		if b[i] != uint64(i+1) || (i < len(a) && a[i] != b[i]) {
			t.Fatalf("observation %d has number %d", i, b[i])
		}
	}
}

func TestNilTimelineDrops(t *testing.T) {
	var tl *timeline.Timeline
	tl.Add(timeline.Observation{})
	tl.Observe(nil)()
}
