package format

import (
	"slices"

	"github.com/phone-edition/lpe/devicestate"
)

// userEvents are the events that only a step brings about.
var userEvents = map[devicestate.Event]func(Step) bool{
	devicestate.PowerOn:      func(step Step) bool { return step.Power == "on" },
	devicestate.PowerOff:     func(step Step) bool { return step.Power == "off" },
	devicestate.Reboot:       func(step Step) bool { return step.Do == "reboot" },
	devicestate.SignOut:      func(step Step) bool { return step.Do == "sign-out" },
	devicestate.HardReset:    func(step Step) bool { return step.Do == "hard-reset" },
	devicestate.FactoryReset: func(step Step) bool { return step.Do == "factory-reset" },
	devicestate.Retry:        func(step Step) bool { return step.Do == "retry" },
}

// graph is what state can follow on which, by the transition table and what is done in this scenario.
func (s *Scenario) graph() map[devicestate.State][]devicestate.State {
	out := map[devicestate.State][]devicestate.State{}
	for _, row := range devicestate.Rows() {
		if done, ofUser := userEvents[row.On]; ofUser && !slices.ContainsFunc(s.Steps, done) {
			continue
		}
		from, to := []devicestate.State{row.From}, []devicestate.State{row.To}
		if row.From == devicestate.Any {
			from = slices.DeleteFunc(devicestate.States(), func(s devicestate.State) bool { return s == devicestate.PoweredOff })
		}
		switch row.To {
		case devicestate.Same:
			continue
		case devicestate.Origin:
			to = devicestate.States()
		}
		for _, f := range from {
			out[f] = append(out[f], to...)
		}
	}
	return out
}

// reachable are the states that can come any time after one.
func reachable(graph map[devicestate.State][]devicestate.State, from devicestate.State) map[devicestate.State]bool {
	out := map[devicestate.State]bool{}
	open := []devicestate.State{from}
	for len(open) > 0 {
		next := graph[open[0]]
		open = open[1:]
		for _, state := range next {
			if !out[state] {
				out[state] = true
				open = append(open, state)
			}
		}
	}
	return out
}

// checkStates holds the list of states to the transition table.
func (s *Scenario) checkStates() {
	graph := s.graph()
	before, apart := devicestate.PoweredOff, false
	for i, one := range s.Expect.States {
		path := at("expect.states", i)
		if one.State == Any {
			switch {
			case apart:
				s.report(path, "%s stands for any number of states already", Any)
			case one.Within != 0 || one.After != 0:
				s.report(path, "%s is no state that has a time", Any)
			}
			apart = true
			continue
		}
		if one.Within != 0 && one.After > one.Within {
			s.report(path+".after", "%v is above within, %v", one.After, one.Within)
		}
		if !s.needState(path+".state", one.State) {
			return // what follows cannot be judged
		}
		state := devicestate.State(one.State)
		switch {
		case apart && !reachable(graph, before)[state]:
			s.report(path+".state", "no way leads from %s to %s with what is done here", before, state)
		case !apart && !slices.Contains(graph[before], state):
			s.report(path+".state", "%s cannot follow on %s at once with what is done here, see 'lpe states'", state, before)
		}
		before, apart = state, false
	}
}
