package report

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// maxEvents bounds what is kept of one boot; a handset that stays signed in has no end of events.
const maxEvents = 10_000

// Case is one boot as reports show it: who booted, what came of it and what was observed.
type Case struct {
	Name   string // who: number, login, or whatever tells one boot from another
	Result Result // its Result is empty as long as there is none
	Events []timeline.Observation
	Lost   int // events that were not kept

	mu sync.Mutex
}

func (c *Case) keep(o timeline.Observation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.Events) >= maxEvents {
		c.Lost++
		return
	}
	c.Events = append(c.Events, o)
}

// forget drops the events.
func (c *Case) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Events, c.Lost = nil, 0
}

// observed is what was kept so far. Events may still be coming in.
func (c *Case) observed() (events []timeline.Observation, lost int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.Events), c.Lost
}

// Tally counts cases by what came of them.
type Tally struct {
	Cases     int
	Succeeded int
	Failed    int
	NotRun    int
	Slowest   time.Duration // latency of a success, 0: there is none
}

func tally(cases []*Case) Tally {
	t := Tally{Cases: len(cases)}
	for _, c := range cases {
		switch c.Result.Result {
		case Success:
			t.Succeeded++
			t.Slowest = max(t.Slowest, time.Duration(c.Result.Latency))
		case Failure:
			t.Failed++
		default:
			t.NotRun++
		}
	}
	return t
}

// StageTime is how long a boot was in the states of one stage.
type StageTime struct {
	Stage devicestate.Stage
	Time  time.Duration
}

// StageTimes sums the states up by stage, in the order of the boot. Ready is the aim and no part of it.
func (r Result) StageTimes() []StageTime {
	var out []StageTime
	for _, s := range r.States {
		stage := s.State.Stage()
		if stage == "" || s.State == devicestate.Ready {
			continue
		}
		i := slices.IndexFunc(out, func(t StageTime) bool { return t.Stage == stage })
		if i < 0 {
			i = len(out)
			out = append(out, StageTime{Stage: stage})
		}
		out[i].Time += time.Duration(s.Duration)
	}
	return out
}

// Began is when the handset was powered on, the zero time if it never was.
func (r Result) Began() time.Time {
	if len(r.States) == 0 {
		return time.Time{}
	}
	return r.States[0].Entered.Time
}

// inShort says in one line what came of a boot.
func (r Result) inShort() string {
	switch r.Result {
	case Success:
		return fmt.Sprintf("%s registered at %s in %.3f s", r.User.SIPAddress, r.TargetFQDN, time.Duration(r.Latency).Seconds())
	case Failure:
		return r.Code + ": " + oneLine(r.Error)
	}
	return "not run"
}
