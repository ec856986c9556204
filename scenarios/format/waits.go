package format

import (
	"slices"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/rig"
)

// standing is how things stand before a step, as far as the file tells.
type standing struct {
	power    bool
	linkless bool // since before the boot
	signedIn bool // somebody has entered who he is
	booted   bool // a wait for Ready is behind: what flash and memory hold is not known any more
	unplug   bool
}

// checkWaits looks for waits that cannot end: because of something that no step changes, or that a step changes only
// after the wait.
func (s *Scenario) checkWaits() {
	now := standing{signedIn: s.Handset.Kept, booted: s.Handset.Kept}
	graph := s.graph()
	for i, step := range s.Steps {
		switch {
		case step.Power == "on":
			now.power, now.linkless = true, now.unplug
		case step.Power == "off":
			now.power, now.booted = false, s.Handset.Kept
		case step.Unplug == handsetStation:
			now.unplug = true
		case step.Plug == handsetStation:
			now.unplug, now.linkless = false, false
		case step.SignIn != "" || step.EnterPIN != "" || step.Login != nil:
			if !now.power {
				s.report(at("steps", i), "the handset has no power, so that nobody can sign in")
			}
			now.signedIn = true
		case step.Do == "sign-out":
			now.signedIn = false
		case step.Do == "reboot":
			now.linkless = now.unplug
		case step.Do == "hard-reset" || step.Do == "factory-reset":
			now.linkless, now.signedIn = now.unplug, false
		case step.WipeFlash && now.power:
			s.report(at("steps", i)+".wipe_flash", "flash can be emptied while the power is off alone")
		case step.WipeFlash:
			now.signedIn = false
		case step.Verb == "wait" && slices.Contains(devicestate.States(), devicestate.State(step.Wait)):
			s.checkWait(i, devicestate.State(step.Wait), now, graph)
			now.booted = now.booted || step.Wait == string(devicestate.Ready)
		}
	}
}

func (s *Scenario) checkWait(i int, want devicestate.State, now standing, graph map[devicestate.State][]devicestate.State) {
	path := at("steps", i) + ".wait"
	boots := slices.Index(devicestate.States(), want)
	beyond := func(state devicestate.State) bool {
		return boots > slices.Index(devicestate.States(), state) && boots <= slices.Index(devicestate.States(), devicestate.Ready) &&
			want != devicestate.Rebooting
	}
	switch {
	case want == devicestate.PoweredOff && now.power:
		s.report(path, "the handset has power, and no step before takes it away")
	case want == devicestate.PoweredOff:
	case !now.power:
		s.never(path, i, "the handset has no power", func(later Step) bool { return later.Power == "on" })
	case want != devicestate.LinkDetect && now.linkless:
		s.never(path, i, "the handset has no link", func(later Step) bool { return later.Plug == handsetStation })
	case beyond(devicestate.SignIn) && !now.signedIn:
		s.never(path, i, "nobody has signed in", func(later Step) bool {
			return later.SignIn != "" || later.EnterPIN != "" || later.Login != nil
		})
	case !reachable(graph, devicestate.PoweredOff)[want]:
		s.report(path, "no way leads to %s with what is done here", want)
	case !now.booted && s.Handset.Set == nil && s.Lab.Set == nil && s.Target == rig.Place{}:
		s.checkBlocked(path, i, beyond)
	}
}

// never reports a wait that does not end, and whether a later step would end it: then wait and step wait for each other.
func (s *Scenario) never(path string, i int, why string, ends func(Step) bool) {
	for n := i; n < len(s.Steps); n++ {
		if ends(s.Steps[n]) {
			s.report(path, "a cyclic wait: %s until %s (line %d) is done, and that is done only after this wait", why, at("steps", n), s.Line(at("steps", n)))
			return
		}
	}
	s.report(path, "never ends: %s, and no step changes that", why)
}

// checkBlocked looks for a fault that ends the first boot before the state that is waited for.
func (s *Scenario) checkBlocked(path string, i int, beyond func(devicestate.State) bool) {
	for n, f := range s.Faults {
		from := -1
		if f.After != "" {
			from = s.labels[f.After]
		}
		until, ends := s.labels[f.Until]
		if f.At > 0 || f.For > 0 || from >= i || ends && until < i {
			continue
		}
		s.blocked(path, i, s.parsed[n], beyond, func(later Step) bool {
			return f.Until != "" && later.Label == f.Until || later.ClearFault == s.parsed[n].Name
		})
	}
	active := map[string]faults.Fault{}
	for _, step := range s.Steps[:i] {
		if f, _, err := faults.Known(step.Fault); err == nil && step.Fault != "" {
			active[f.Name] = f
		}
		delete(active, step.ClearFault)
	}
	for _, f := range active {
		s.blocked(path, i, f, beyond, func(later Step) bool { return later.ClearFault == f.Name })
	}
}

func (s *Scenario) blocked(path string, i int, f faults.Fault, beyond func(devicestate.State) bool, ends func(Step) bool) {
	_, entry, err := faults.Known(f.String())
	if err != nil || f.Param != (faults.Param{}) {
		return
	}
	byPassword := slices.ContainsFunc(s.Steps, func(step Step) bool { return step.Login != nil }) || !s.Profile.PIN
	if entry.SignIn == "pin" && byPassword || entry.SignIn == "password" && !byPassword {
		return
	}
	stage := devicestate.Stage("")
	for _, state := range devicestate.States() {
		for _, code := range devicestate.Info(state).Codes {
			if string(code) == entry.CodeIn(s.Pool.Name) {
				stage = state.Stage()
			}
		}
	}
	place := slices.IndexFunc(devicestate.States(), func(state devicestate.State) bool { return stage != "" && state.Stage() == stage })
	if place < 0 || stage == devicestate.StageUpdate || !beyond(devicestate.States()[place]) || strings.HasPrefix(entry.Name, "ready=") || s.passed(i) >= place {
		return
	}
	s.never(path, i, "fault "+f.String()+" ends the boot with "+entry.CodeIn(s.Pool.Name), ends)
}

// passed is how far in the order of the boot the handset has come before step i, as far as the steps tell.
func (s *Scenario) passed(i int) int {
	furthest := 0
	for _, step := range s.Steps[:i] {
		state := devicestate.State(step.Wait)
		if step.SignIn != "" || step.EnterPIN != "" || step.Login != nil {
			state = devicestate.SignIn
		}
		furthest = max(furthest, slices.Index(devicestate.States(), state))
	}
	return furthest
}
