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
// they are made. verbose writes every observation besides. Errors of w are not reported: there is nowhere to.
func Progress(w io.Writer, verbose bool) func(timeline.Observation) {
	p := &progress{w: w, verbose: verbose}
	return p.observe
}

type progress struct {
	w       io.Writer
	verbose bool

	mu      sync.Mutex
	state   devicestate.State
	entered time.Time
	glass   configs.GlassText
}

func (p *progress) observe(o timeline.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.Kind == timeline.Transition {
		p.transition(o)
		return
	}
	switch {
	case p.verbose:
		fmt.Fprintf(p.w, "  %s %-9s %s\n", o.At.Format("15:04:05.000"), o.Kind, observationText(o))
	case o.Kind == timeline.Diagnosis:
		fmt.Fprintf(p.w, "  %s\n", observationText(o))
	}
}

func (p *progress) transition(o timeline.Observation) {
	if p.state != "" {
		writeState(p.w, p.state, o.At.Sub(p.entered), p.glass)
	}
	state := devicestate.State(o.Text)
	glass := configs.GlassText{Text: field(o, "glass"), Provenance: configs.Provenance(field(o, "provenance"))}
	if state == devicestate.Ready || state == devicestate.Failed {
		fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf("%-14s %9s  %s", state, "", glassText(glass)), " "))
		p.state = ""
		return
	}
	p.state, p.entered, p.glass = state, o.At, glass
}

// WriteLast writes the line of the state in which a boot ended, when [Progress] has not: a boot that was still
// waiting, or that was sent back to the sign-in screen.
func WriteLast(w io.Writer, r Result) {
	if len(r.States) == 0 {
		return
	}
	last := r.States[len(r.States)-1]
	if last.State != devicestate.Ready && last.State != devicestate.Failed {
		writeState(w, last.State, time.Duration(last.Duration), last.Glass)
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
