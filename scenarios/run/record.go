package run

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/format"
)

// Bounds of what is kept of a handset that runs for months.
const (
	maxObservations = 500_000 // more than a year
	neighbours      = 4       // shown before and after the event that differs
)

// record keeps the handset's timeline. Of messages that no expectation is about it keeps no fields, and of the LLDP
// announcements of a handset that is signed in, two a minute, nothing.
type record struct {
	asked         []format.Selector // whose fields are kept
	announcements bool              // an expectation is about LLDP

	mu      sync.Mutex
	list    []timeline.Observation
	lost    int
	state   devicestate.State
	entered []visit
	changed chan struct{} // closed at the next observation
}

// visit is a state that was entered with the n-th observation.
type visit struct {
	state devicestate.State
	n     int
}

func newRecord(s *format.Scenario) *record {
	r := &record{changed: make(chan struct{}), state: devicestate.PoweredOff}
	keep := func(message, field string) {
		selector, err := format.ParseSelector(message)
		if err == nil && field != "" {
			r.asked = append(r.asked, selector)
		}
		r.announcements = r.announcements || selector.Protocol == "lldp"
	}
	for _, m := range s.Expect.Messages {
		keep(m.Message, m.Field)
	}
	for _, n := range s.Expect.Never {
		keep(n.Message, n.Field)
	}
	return r
}

func (r *record) observe(o timeline.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.Protocol == "lldp" && o.State == devicestate.Ready && !r.announcements {
		return
	}
	if o.Kind != timeline.Transition && !slices.ContainsFunc(r.asked, func(s format.Selector) bool { return s.Matches(o) }) {
		o.Fields = nil
	}
	if len(r.list) < maxObservations {
		r.list = append(r.list, o)
	} else {
		r.lost++
	}
	if o.Kind == timeline.Transition {
		r.state = devicestate.State(o.Text)
		r.entered = append(r.entered, visit{r.state, len(r.list) - 1})
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *record) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.list)
}

// last is the latest observation, but for the announcements that every station makes all the time.
func (r *record) last() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.list) - 1
	for n > 0 && (r.list[n].Protocol == "lldp" || r.list[n].Protocol == "arp") {
		n--
	}
	return n
}

// lastVisit is the observation of the state that was entered last.
func (r *record) lastVisit() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entered) == 0 {
		return 0
	}
	return r.entered[len(r.entered)-1].n
}

// visits is how many states were entered.
func (r *record) visits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entered)
}

// enters looks for a state that was entered since as many others. It returns how many there are then, and what is closed
// when that changes.
func (r *record) enters(want devicestate.State, since int) (n int, found bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := since; n < len(r.entered); n++ {
		if r.entered[n].state == want {
			return n + 1, true, nil
		}
	}
	return len(r.entered), false, r.changed
}

// failed reports whether the handset has come to Failed since it had entered as many states, and is there.
func (r *record) failed(since int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entered) > since && r.state == devicestate.Failed
}

// asksAgain reports whether the handset has entered SignIn since it had entered as many states, from a state that a user
// who was signing in or signed in had come to: it leaves that only when somebody enters something. n is how many states
// were entered when that was looked for which is not there.
func (r *record) asksAgain(since, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.entered) - 1
	if last < max(since, 1) || n != len(r.entered) || r.state != devicestate.SignIn {
		return false
	}
	order := devicestate.States()
	from := slices.Index(order, r.entered[last-1].state)
	return from > slices.Index(order, devicestate.SignIn) && from <= slices.Index(order, devicestate.Ready)
}

// present is the state now, and what is closed when something is observed.
func (r *record) present() (state devicestate.State, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.changed
}

func (r *record) now() devicestate.State {
	state, _ := r.present()
	return state
}

// answers reports whether the handset has shown anything since the n-th observation: a state, or a note.
func (r *record) answers(n int) (shown bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.list[min(n, len(r.list)):] {
		if o.Kind == timeline.Transition || o.Kind == timeline.Note {
			return true, nil
		}
	}
	return false, r.changed
}

// all is the timeline so far.
func (r *record) all() []timeline.Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// around shows the timeline around the n-th observation.
func (r *record) around(n int, began time.Time) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for i := max(0, n-neighbours); i < min(len(r.list), n+neighbours+1); i++ {
		mark := " "
		if i == n {
			mark = ">"
		}
		out = append(out, mark+" "+line(r.list[i], began))
	}
	return out
}

// line is an observation in one line.
func line(o timeline.Observation, began time.Time) string {
	what := string(o.Kind)
	if o.Protocol != "" {
		what += " " + o.Protocol
	}
	text := o.Text
	if o.Code != "" {
		text = o.Code + ": " + text
	}
	return fmt.Sprintf("%12s  %-14s %-14s %s", o.At.Sub(began).Round(time.Millisecond), o.State, what, text)
}
