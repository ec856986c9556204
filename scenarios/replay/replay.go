// Package replay runs a recorded or imported boot again, from either side, and tells what comes out otherwise. TLS and
// TLS-DSK are made anew, as are random numbers, tickets, signatures, dates and tags.
package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/record"
	"github.com/phone-edition/lpe/scenarios/run"
)

// Sides of a boot.
const (
	Handset = "handset" // sends what the recorded handset sent
	Pool    = "pool"    // says what the recorded pool said
)

// ErrNothing means that a scenario holds no messages.
var ErrNothing = errors.New("the scenario holds no messages of a boot: write one with lpe boot --record or lpe scenario import")

// Result is what came of a replay.
type Result struct {
	State string // of the handset at the end, "": it is not this program's
	Code  string // of its failure, "": none
	Other bool   // it has come to another end than the recorded one

	Addresses []Address // that are others than in the recording
	Unseen    []string  // protocols that the recording holds nothing of, and which are not compared
	// Answers are what the other side says otherwise: the pool's answers, or the handset's requests.
	Answers compare.Comparison
	// Own is what this side says otherwise than was recorded, because it cannot.
	Own compare.Comparison
}

// Run replays the scenario as one of the sides. As the handset the pool is that of the options, as the pool the handset is
// the scenario's. A lab has the names of the recorded pool.
func Run(ctx context.Context, s *format.Scenario, as string, o run.Options, masks compare.Masks) (Result, error) {
	if len(s.Exchange) == 0 {
		return Result{}, fmt.Errorf("%s: %w", s.File, ErrNothing)
	}
	var kept record.Recorder
	o.Observers, o.Exchange = append(o.Observers, kept.Observe), true
	if as == Handset {
		o.Outgoing = newHandset(withoutUser(s.Exchange))
	} else {
		o.PoolOutgoing = newPool(s.Exchange)
	}
	placed := *s
	if !o.Real() {
		var err error
		if placed.Pool, err = labOf(s.Pool, s.Exchange, s.SignsIn()); err != nil {
			return Result{}, fmt.Errorf("%s: %w", s.File, err)
		}
	}
	came, err := run.Run(ctx, &placed, o)
	if err != nil {
		return Result{}, err
	}
	messages, lost := kept.Messages()
	if lost > 0 {
		return Result{}, fmt.Errorf("%s: %d messages more than a recording holds: what they say could not be compared", s.File, lost)
	}
	r := compared(s, messages, as, masks)
	r.State, r.Code = came.State, came.Code
	if want := s.Expect.Result; want != nil {
		r.Other = came.State != want.State || came.Code != want.Code
	} else {
		r.Other = came.Code != "" && waitsForReady(s) // of a boot that ended before that the messages do not tell how
	}
	return r, nil
}

func waitsForReady(s *format.Scenario) bool {
	return slices.ContainsFunc(s.Steps, func(step format.Step) bool { return step.Wait == string(devicestate.Ready) })
}

// compared holds what came out against the recording.
func compared(s *format.Scenario, messages []exchange.Message, as string, masks compare.Masks) Result {
	hidden := unseen(s.Exchange)
	messages = slices.DeleteFunc(played(messages), func(m exchange.Message) bool { return slices.Contains(hidden, m.Protocol) })
	recorded, addresses := moved(played(s.Exchange), messages)
	often := announced(recorded, messages)
	all := compare.Sides(compare.Side{Name: s.File, Messages: recorded}, compare.Side{Name: "replayed", Messages: messages}, masks)
	r := Result{Addresses: addresses, Unseen: hidden, Answers: all, Own: all}
	r.Answers.Differences, r.Own.Differences = nil, nil
	for _, d := range all.Differences {
		if byTimer(d) || often && d.Protocol == "lldp" && (d.What == compare.MessageMissing || d.What == compare.MessageAdded) {
			continue
		}
		if d.Sent == (as == Handset) {
			r.Own.Differences = append(r.Own.Differences, d)
		} else {
			r.Answers.Differences = append(r.Answers.Differences, d)
		}
	}
	return r
}

// unseen are the protocols that do not pass where a recording was taken, as at a pool or on a computer's own sockets: no boot
// speaks to a web service or a registrar without them.
func unseen(recorded []exchange.Message) []string {
	holds := func(protocols ...string) bool {
		return slices.ContainsFunc(recorded, func(m exchange.Message) bool { return slices.Contains(protocols, m.Protocol) })
	}
	if !holds("tls", "http", "sip") {
		return nil
	}
	var out []string
	for _, protocol := range []string{"lldp", "dhcp", "dns", "ntp"} {
		if !holds(protocol) {
			out = append(out, protocol)
		}
	}
	return out
}

// announced reports whether both have units of LLDP; how many is a matter of timers.
func announced(a, b []exchange.Message) bool {
	lldp := func(m exchange.Message) bool { return m.Protocol == "lldp" && m.Sent }
	return slices.ContainsFunc(a, lldp) && slices.ContainsFunc(b, lldp)
}

// byTimer reports whether a difference says only when something came, which is how busy this computer is, that an announcement
// came before the lease or the voice VLAN was known or behind it, since a timer of its own sends it, or that questions which are
// asked in parallel came in another order.
func byTimer(d compare.Difference) bool {
	switch {
	case d.What == compare.Timing, d.Protocol == "dns" && d.What == compare.MessageOrder:
		return true
	case d.Protocol != "lldp":
		return false
	}
	return d.What == compare.MessageOrder || d.Field == "chassis" || d.Field == "network policy" && strings.Contains(d.A+d.B, "unknown true")
}

// played are the messages that a replay is about: states are none, and ARP is the cable's.
func played(list []exchange.Message) []exchange.Message {
	var out []exchange.Message
	for _, m := range list {
		if m.Protocol != exchange.ProtocolState && m.Protocol != exchange.ProtocolARP {
			out = append(out, m)
		}
	}
	return out
}
