package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Progress returns an observer of a handset's timeline that writes a line a state, when it is left: state, duration,
// glass text ("~" before one that is not sourced). Ready and Failed are written when they are entered, diagnoses when
// they are made. With everything it writes the cmdlet's account instead, with each observation. Errors of w are not
// reported: there is nowhere to.
func Progress(w io.Writer, everything bool) func(timeline.Observation) {
	if everything {
		return (&verbose{w: w}).observe
	}
	return (&progress{w: w}).observe
}

type progress struct {
	w io.Writer

	mu      sync.Mutex
	state   devicestate.State
	entered time.Time
	glass   configs.GlassText
}

func (p *progress) observe(o timeline.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o.Kind {
	case timeline.Transition:
		p.transition(o)
	case timeline.Diagnosis:
		fmt.Fprintf(p.w, "  %s\n", observationText(o))
	}
}

func (p *progress) transition(o timeline.Observation) {
	if p.state != "" {
		writeState(p.w, p.state, o.At.Sub(p.entered), p.glass)
	}
	state := devicestate.State(o.Text)
	glass := configs.GlassText{Text: field(o, timeline.FieldGlass), Provenance: configs.Provenance(field(o, timeline.FieldProvenance))}
	if state == devicestate.Ready || state == devicestate.Failed {
		fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf("%-14s %9s  %s", state, "", glassText(glass)), " "))
		p.state = ""
		return
	}
	p.state, p.entered, p.glass = state, o.At, glass
}

// WriteLast writes the end of the state in which a boot ended, when [Progress] has not: a boot that was still waiting,
// or that was sent back to the sign-in screen.
func WriteLast(w io.Writer, r Result, everything bool) {
	if len(r.States) == 0 {
		return
	}
	last := r.States[len(r.States)-1]
	switch {
	case last.State == devicestate.Ready || last.State == devicestate.Failed:
	case !everything:
		writeState(w, last.State, time.Duration(last.Duration), last.Glass)
	case r.Stage == last.State.Stage():
		writeEnd(w, last.State, time.Duration(last.Duration), r.Error)
	default:
		writeEnd(w, last.State, time.Duration(last.Duration), "")
	}
}

func writeState(w io.Writer, s devicestate.State, d time.Duration, glass configs.GlassText) {
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-14s %7.3f s  %s", s, d.Seconds(), glassText(glass)), " "))
}

func glassText(g configs.GlassText) string {
	if g.Text == "" || g.Provenance == configs.Sourced {
		return g.Text
	}
	return "~" + g.Text
}

func field(o timeline.Observation, name string) string {
	for _, f := range o.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func observationText(o timeline.Observation) string {
	parts := make([]string, 0, 4)
	for _, part := range []string{o.Protocol, o.Peer, o.Code} {
		if part != "" && !strings.Contains(o.Text, part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(append(parts, o.Text), " ")
}
