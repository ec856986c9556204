// Package replay runs a recorded or imported boot again, from either side, and tells what comes out otherwise. TLS and
// TLS-DSK are made anew, as are random numbers, tickets, signatures, dates and tags.
package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/record"
	"github.com/phone-edition/lpe/scenarios/run"
)

// Sides of a boot.
const (
	Handset = "handset" // sends what the recorded handset sent
	Pool    = "pool"    // is the pool of the scenario, for another handset
)

// ErrNothing means that a scenario holds no messages.
var ErrNothing = errors.New("the scenario holds no messages of a boot: write one with lpe boot --record or lpe scenario import")

// Result is what came of a replay.
type Result struct {
	State string // of the handset at the end
	Code  string // of its failure, "": none

	// Answers are what the other side says otherwise: the pool's answers, or the handset's requests.
	Answers compare.Comparison
	// Own is what this side says otherwise than was recorded, because it cannot.
	Own compare.Comparison
}

// Run replays the scenario as one of the sides. As the handset the pool is that of the options, as the pool the handset is
// the scenario's.
func Run(ctx context.Context, s *format.Scenario, as string, o run.Options, masks compare.Masks) (Result, error) {
	if len(s.Exchange) == 0 {
		return Result{}, fmt.Errorf("%s: %w", s.File, ErrNothing)
	}
	var kept record.Recorder
	o.Observers, o.Exchange = append(o.Observers, kept.Observe), true
	if as == Handset {
		o.Outgoing = newHandset(s.Exchange)
	} else {
		o.PoolOutgoing = newPool(s.Exchange)
	}
	came, err := run.Run(ctx, s, o)
	if err != nil {
		return Result{}, err
	}
	messages, lost := kept.Messages()
	if lost > 0 {
		return Result{}, fmt.Errorf("%s: %d messages more than a recording holds: what they say could not be compared", s.File, lost)
	}
	all := compare.Sides(compare.Side{Name: s.File, Messages: withoutStates(s.Exchange)}, compare.Side{Name: "replayed", Messages: messages}, masks)
	r := Result{State: came.State, Code: came.Code, Answers: all, Own: all}
	r.Answers.Differences, r.Own.Differences = nil, nil
	for _, d := range all.Differences {
		if byTimer(d) {
			continue
		}
		if d.Sent == (as == Handset) {
			r.Own.Differences = append(r.Own.Differences, d)
		} else {
			r.Answers.Differences = append(r.Answers.Differences, d)
		}
	}
	return r, nil
}

// byTimer reports whether a difference says only when something came, which is how busy this computer is, or that an
// announcement came before the lease or behind it: a timer of its own sends it, and the address at that time is in it.
func byTimer(d compare.Difference) bool {
	return d.What == compare.Timing || d.Protocol == "lldp" && (d.What == compare.MessageOrder || d.Field == "chassis")
}

func withoutStates(list []exchange.Message) []exchange.Message {
	var out []exchange.Message
	for _, m := range list {
		if m.Protocol != exchange.ProtocolState {
			out = append(out, m)
		}
	}
	return out
}
