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

// What nobody observes is not put into words, and counts.
func TestTellAsksOnlyForSomebody(t *testing.T) {
	tl := timeline.New("pool")
	asked := 0
	tell := func() {
		tl.Tell(func() timeline.Observation { asked++; return timeline.Observation{Text: "x"} })
	}
	tell()
	var got []timeline.Observation
	stop := tl.Observe(func(o timeline.Observation) { got = append(got, o) })
	tell()
	stop()
	tell()
	if asked != 1 || len(got) != 1 || got[0].Seq != 2 || got[0].Text != "x" {
		t.Errorf("asked %d times, got %+v; want number 2 alone", asked, got)
	}
}

func TestNilTimelineDrops(t *testing.T) {
	var tl *timeline.Timeline
	tl.Add(timeline.Observation{})
	tl.Tell(nil)
	tl.Observe(nil)()
}

// What a peer said cannot steer the terminal on which it is shown.
func TestControlCharactersAreNotShown(t *testing.T) {
	tl := timeline.New("pool")
	var got timeline.Observation
	tl.Observe(func(o timeline.Observation) { got = o })
	fields := []timeline.Field{{Name: "a", Value: "Zoë"}, {Name: "b", Value: "x\x1b[2Jy\r\n"}}
	tl.Add(timeline.Observation{Text: "\x1b]0;title\x07 of \u009b31m \xff and Zoë", Fields: fields})
	if want := "\ufffd]0;title\ufffd of \ufffd31m \ufffd and Zoë"; got.Text != want {
		t.Errorf("text %q, want %q", got.Text, want)
	}
	if got.Fields[0].Value != "Zoë" || got.Fields[1].Value != "x\ufffd[2Jy\ufffd\ufffd" || fields[1].Value != "x\x1b[2Jy\r\n" {
		t.Errorf("fields %q, the caller's %q", got.Fields, fields)
	}
}
