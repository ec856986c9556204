package format

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Selector says which observations a message expectation is about.
type Selector struct {
	Kind     timeline.Kind
	Protocol string
	Text     string // how the text begins
}

// Matches reports whether o is one of them: its text begins with Text, and not in the middle of a word or a number.
func (m Selector) Matches(o timeline.Observation) bool {
	if o.Kind != m.Kind || o.Protocol != m.Protocol {
		return false
	}
	rest, ok := strings.CutPrefix(o.Text, m.Text)
	next, _ := utf8.DecodeRuneInString(rest)
	return ok && (m.Text == "" || rest == "" || !unicode.IsLetter(next) && !unicode.IsDigit(next))
}

var (
	kinds     = []string{string(timeline.Sent), string(timeline.Received), string(timeline.Dropped)}
	protocols = []string{"lldp", "dhcp", "arp", "dns", "tls", "http", "ntp", "sip"}
)

// ParseSelector reads a message of an expectation: kind, protocol and text.
func ParseSelector(text string) (Selector, error) {
	kind, rest, _ := strings.Cut(text, " ")
	protocol, begins, _ := strings.Cut(rest, " ")
	switch {
	case !slices.Contains(kinds, kind):
		return Selector{}, fmt.Errorf("expected a message such as: sent sip REGISTER 1; %q is none of %s", kind, strings.Join(kinds, ", "))
	case !slices.Contains(protocols, protocol):
		return Selector{}, fmt.Errorf("expected a message such as: sent sip REGISTER 1; %q is none of %s", protocol, strings.Join(protocols, ", "))
	}
	return Selector{timeline.Kind(kind), protocol, begins}, nil
}

func (s *Scenario) checkExpect() {
	e := &s.Expect
	anyStates := !slices.ContainsFunc(e.States, func(one State) bool { return one.State != Any })
	if anyStates && len(e.Glass)+len(e.Codes)+len(e.Messages)+len(e.Never)+len(e.Pool) == 0 && e.Result == nil && e.Flash == nil && s.doc.Has("expect") {
		s.report("expect", "nothing is expected, so that the scenario could not fail")
	}
	if e.Flash != nil && *e.Flash == (Flash{}) {
		s.report("expect.flash", "says nothing of what flash holds")
	}
	s.checkStates()
	if s.Profile != nil {
		for i, text := range e.Glass {
			s.needGlass(at("expect.glass", i), text)
		}
	}
	for i, code := range e.Codes {
		s.needCode(at("expect.codes", i), code)
	}
	s.checkResult()
	for i, m := range e.Messages {
		s.checkMessage(at("expect.messages", i), m)
	}
	for i, n := range e.Never {
		s.checkNever(at("expect.never", i), n)
	}
	if f := e.Flash; f != nil && f.Profile != nil && *f.Profile != "" && !slices.Contains(configs.Profiles(), *f.Profile) {
		s.report("expect.flash.profile", "no profile %q, see 'lpe profile list'", *f.Profile)
	}
	for i, a := range e.Pool {
		s.checkAccount(at("expect.pool", i), a)
	}
}

func (s *Scenario) needGlass(path, text string) {
	for _, glass := range s.Profile.Glass {
		if glass.Text == text {
			return
		}
	}
	if text != "" {
		s.report(path, "the glass of %s never shows %q, see 'lpe profile show %s'", s.Profile.Name, text, s.Profile.Name)
	}
}

// codes are all codes of failures and warnings.
func codes() map[string]bool {
	out := map[string]bool{}
	for _, state := range devicestate.States() {
		for _, code := range devicestate.Info(state).Codes {
			out[string(code)] = true
		}
	}
	for _, code := range []devicestate.Code{devicestate.CodeInterrupted, devicestate.CodeTimeout, devicestate.CodeRefused, devicestate.CodeInternal, devicestate.CodeNotSaved} {
		out[string(code)] = true
	}
	return out
}

func (s *Scenario) needCode(path, code string) {
	if code != "" && !codes()[code] {
		s.report(path, "no failure and no warning has the code %q, see 'lpe explain --list'", code)
	}
}

func (s *Scenario) checkResult() {
	r := s.Expect.Result
	if r == nil {
		return
	}
	s.needCode("expect.result.code", r.Code)
	if r.Warnings != nil {
		for i, code := range *r.Warnings {
			s.needCode(at("expect.result.warnings", i), code)
		}
	}
	if r.Profile != "" && !slices.Contains(configs.Profiles(), r.Profile) {
		s.report("expect.result.profile", "no profile %q, see 'lpe profile list'", r.Profile)
	}
	if !s.needState("expect.result.state", r.State) {
		return
	}
	state := devicestate.State(r.State)
	switch {
	case state == devicestate.Ready && r.Code != "":
		s.report("expect.result.code", "a handset that is Ready has no failure code; what it got over is a warning")
	case state == devicestate.Failed && r.Code == "":
		s.report("expect.result.state", "a handset in Failed has a failure code")
	}
	if list := s.Expect.States; len(list) > 0 {
		if last := list[len(list)-1].State; last != Any && last != r.State {
			s.report("expect.result.state", "the list of states ends with %s, not %s", last, r.State)
		}
	}
}

func (s *Scenario) checkMessage(path string, m Message) {
	s.checkSelector(path, m.Message)
	s.needLabel(path+".after", m.After)
	s.needPattern(path+".matches", m.Matches)
	ways := 0
	for _, given := range []bool{m.Equals != nil, m.Matches != "", m.Absent} {
		if given {
			ways++
		}
	}
	counts := m.Count != nil || m.Least != 0 || m.Most != nil
	switch {
	case m.Field == "" && ways > 0:
		s.report(path, "names no field that equals, matches or absent is about")
	case m.Field != "" && ways != 1:
		s.report(path+".field", "goes with one of equals, matches and absent")
	case counts && m.Field != "":
		s.report(path+".field", "a count is of messages, not of fields")
	case counts && m.Nth != 0:
		s.report(path+".nth", "goes with a field, not with a count")
	case m.Count != nil && (m.Least != 0 || m.Most != nil):
		s.report(path+".count", "says all; least and most do not go with it")
	case m.Most != nil && m.Least > *m.Most:
		s.report(path+".least", "%d is above most, %d", m.Least, *m.Most)
	}
}

func (s *Scenario) checkSelector(path, text string) {
	if text == "" {
		return
	}
	if _, err := ParseSelector(text); err != nil {
		s.report(path+".message", "%v", err)
	}
}

func (s *Scenario) needPattern(path, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		s.report(path, "%v", err)
	}
}

func (s *Scenario) checkNever(path string, n Never) {
	s.needLabel(path+".after", n.After)
	s.needPattern(path+".matches", n.Matches)
	what := 0
	for _, text := range []string{n.State, n.Code, n.Glass, n.Message} {
		if text != "" {
			what++
		}
	}
	switch {
	case what != 1:
		s.report(path, "expected one of state, code, glass and message")
	case n.Field != "" && n.Message == "":
		s.report(path+".field", "goes with a message")
	case n.Matches != "" && n.Field == "":
		s.report(path+".matches", "goes with a field")
	}
	s.checkSelector(path, n.Message)
	s.needCode(path+".code", n.Code)
	if n.State != "" {
		s.needState(path+".state", n.State)
	}
	if n.Glass != "" && s.Profile != nil {
		s.needGlass(path+".glass", n.Glass)
	}
	if n.State != "" && n.After == "" {
		if slices.ContainsFunc(s.Expect.States, func(listed State) bool { return listed.State == n.State }) {
			s.report(path+".state", "%s must never be entered, and is in the list of states", n.State)
		}
	}
}

var endpointStates = []string{"registered", "signed-off", "removed", "expired"}

func (s *Scenario) checkAccount(path string, a Account) {
	s.needUser(path+".user", a.User)
	if a == (Account{User: a.User}) {
		s.report(path, "says nothing of the user")
	}
	if a.RegisteredAt != nil {
		for i, host := range *a.RegisteredAt {
			if host == handsetStation {
				s.report(at(path+".registered_at", i), "the handset is no registrar")
			}
			s.checkStation(at(path+".registered_at", i), host)
		}
	}
	if a.Endpoints != nil {
		for i, state := range *a.Endpoints {
			if !slices.Contains(endpointStates, state) {
				s.report(at(path+".endpoints", i), "%q is none of %s", state, strings.Join(endpointStates, ", "))
			}
		}
	}
}
