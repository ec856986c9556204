package faults

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Fault{
		"discovery=option120-text": {Name: "discovery=option120-text"},
		"web=slow:5s":              {"web=slow", Param{Duration: 5 * time.Second}},
		"register=503:2":           {"register=503", Param{Times: 2}},
		"sign-in=wrong-pin:250ms":  {"sign-in=wrong-pin", Param{Duration: 250 * time.Millisecond}},
	} {
		if got, err := Parse(text); err != nil || got != want || got.String() != text {
			t.Errorf("Parse(%q) = %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "dns", "=silent", "dns=", "DNS=silent", "dns=silent=2", "dns=silent:", "dns=silent:0", "dns=silent:-1", "dns=silent:-1s", "dns=silent:soon", "dns=no srv"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %+v, an error expected", text, got)
		}
	}
}

func TestParseList(t *testing.T) {
	list, err := ParseList("dns=silent, web=slow:5s")
	if err != nil || len(list) != 2 || list[1].Name != "web=slow" {
		t.Errorf("ParseList = %+v, %v", list, err)
	}
	if _, err := ParseList("dns,web=slow,time"); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("error %v, both bad entries expected", err)
	}
}

func TestSet(t *testing.T) {
	var none *Set
	if _, on := none.On("dns=silent"); on || none.Has("dns=silent") || none.Active() != nil {
		t.Error("the nil set has a fault")
	}
	s := NewSet(Fault{Name: "dns=silent"}, Fault{"register=503", Param{Times: 2}})
	if got := s.Active(); !slices.Equal(got, []Fault{{Name: "dns=silent"}, {"register=503", Param{Times: 2}}}) {
		t.Errorf("active %v", got)
	}
	var struck []bool
	for range 3 {
		_, on := s.On("register=503")
		struck = append(struck, on)
	}
	if !slices.Equal(struck, []bool{true, true, false}) {
		t.Errorf("register=503:2 struck %v", struck)
	}
	for range 3 {
		if _, on := s.On("dns=silent"); !on {
			t.Error("a fault without a number of times ended")
		}
	}
}

// TestSetChanges changes a set while it strikes.
func TestSetChanges(t *testing.T) {
	s := NewSet()
	s.Put(Fault{"register=503", Param{Times: 2}})
	for range 3 {
		if !s.Has("register=503") {
			t.Error("asking whether a fault is there uses it up")
		}
	}
	s.On("register=503")
	if got := s.Active(); !slices.Equal(got, []Fault{{"register=503", Param{Times: 1}}}) {
		t.Errorf("active %v, one time left expected", got)
	}
	s.Put(Fault{"register=503", Param{Times: 5}})
	s.Put(Fault{"web=slow", Param{Duration: 5 * time.Second}})
	if got := s.Active(); !slices.Equal(got, []Fault{{"register=503", Param{Times: 5}}, {"web=slow", Param{Duration: 5 * time.Second}}}) {
		t.Errorf("active %v", got)
	}
	if !s.Clear("register=503") || s.Clear("register=503") || s.Has("register=503") {
		t.Error("a fault that was cleared is there")
	}
	if _, on := s.On("register=503"); on {
		t.Error("a fault that was cleared strikes")
	}
}

func TestSetCountsOnceAcrossGoroutines(t *testing.T) {
	s := NewSet(Fault{"time=silent", Param{Times: 100}})
	var struck atomic.Int32
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				if _, on := s.On("time=silent"); on {
					struck.Add(1)
				}
			}
		})
	}
	group.Wait()
	if struck.Load() != 100 {
		t.Errorf("struck %d times, want 100", struck.Load())
	}
}
