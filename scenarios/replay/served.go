package replay

import (
	"fmt"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/record"
)

// Served is a recorded pool for a handset that is not this program's.
type Served struct {
	scenario *format.Scenario
	heard    record.Pool
}

// Serve makes of a lab's pool that is to be served one that says what the recorded one said.
func Serve(s *format.Scenario, o *rig.ServeOptions) (*Served, error) {
	if len(s.Exchange) == 0 {
		return nil, fmt.Errorf("%s: %w", s.File, ErrNothing)
	}
	lab, err := labOf(s.Pool, s.Exchange, s.SignsIn())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	out := &Served{scenario: s}
	o.Lab, o.Outgoing, o.Ear = lab, newPool(s.Exchange), out.heard.Hear
	return out, nil
}

// Result holds what the handset that came the furthest said against the recording. ok: there was one.
func (s *Served) Result(masks compare.Masks) (r Result, ok bool, err error) {
	_, messages, lost, _ := s.heard.Handset()
	if lost > 0 {
		return r, true, fmt.Errorf("%s: %d messages more than a recording holds: what they say could not be compared", s.scenario.File, lost)
	}
	if len(messages) == 0 {
		return r, false, nil
	}
	return compared(s.scenario, messages, Pool, masks), true, nil
}
