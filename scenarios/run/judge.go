package run

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/format"
)

// judge holds what came of the scenario to what it expects.
func (e *engine) judge(result *Result) {
	boot := e.run.Result(e.failed)
	if e.run.Handset.Outcome().Failure == nil && e.failed == nil {
		boot.Code = "" // it waits, and nothing went wrong
	}
	result.tell(boot)
	list := e.record.all()
	if e.record.lost > 0 {
		e.differs("steps", "more than %d events, what came later was not looked at", maxObservations)
	}
	e.judgeStates(list)
	e.judgeOrder("expect.glass", "the glass showed", e.scenario.Expect.Glass, list, glassOf)
	e.judgeOrder("expect.codes", "the codes were", e.scenario.Expect.Codes, list, codeOf)
	for i, m := range e.scenario.Expect.Messages {
		e.judgeMessage(at("expect.messages", i), m, list)
	}
	for i, n := range e.scenario.Expect.Never {
		e.judgeNever(at("expect.never", i), n, list)
	}
	e.judgeResult(boot)
	e.judgeFlash()
	if e.run.Pool != nil {
		for i, a := range e.scenario.Expect.Pool {
			e.judgeAccount(at("expect.pool", i), a)
		}
	}
}

// tell puts what the handset has come to into the result.
func (r *Result) tell(boot report.Result) {
	r.State, r.Code = string(boot.State), boot.Code
	if boot.Result == report.Success {
		r.State = string(devicestate.Ready)
	}
	var text bytes.Buffer
	if err := report.WriteJSON(&text, boot); err == nil {
		r.Boot = text.Bytes()
	}
}

// judgeStates holds the states that were entered to the list.
func (e *engine) judgeStates(list []timeline.Observation) {
	want := e.scenario.Expect.States
	if len(want) == 0 {
		return
	}
	seen := e.record.entered
	next, before, anywhere := 0, e.began, false
	for i, one := range want {
		if one.State == format.Any {
			anywhere = true
			continue
		}
		found := next
		if anywhere {
			// The last entry is about the last state, unless more may follow.
			for found < len(seen) && (string(seen[found].state) != one.State || i == len(want)-1 && found != len(seen)-1) {
				found++
			}
		}
		path := at("expect.states", i)
		switch {
		case found >= len(seen) && i == len(want)-1 && slices.ContainsFunc(seen[min(next, len(seen)):], func(v visit) bool { return string(v.state) == one.State }):
			e.differsAt(path, e.record.lastVisit(), "the list ends with %s, and the handset went on to %s", one.State, seen[len(seen)-1].state)
			return
		case found >= len(seen):
			e.differsAt(path, e.record.lastVisit(), "%s was not entered%s", one.State, afterState(seen, next))
			return
		case string(seen[found].state) != one.State:
			e.differsAt(path, seen[found].n, "the handset entered %s, not %s", seen[found].state, one.State)
			return
		}
		when := list[seen[found].n].At
		took := when.Sub(before)
		if one.Within > 0 && took > one.Within {
			e.differsAt(path+".within", seen[found].n, "%s was entered after %v, not within %v", one.State, took.Round(time.Millisecond), one.Within)
		}
		if took < one.After {
			e.differsAt(path+".after", seen[found].n, "%s was entered after %v already, not after %v", one.State, took.Round(time.Millisecond), one.After)
		}
		next, before, anywhere = found+1, when, false
	}
	if next < len(seen) && !anywhere {
		e.differsAt(at("expect.states", len(want)-1), seen[next].n, "the handset went on to %s, and the list ends with %s", seen[next].state, want[len(want)-1].State)
	}
}

func afterState(seen []visit, next int) string {
	if next == 0 {
		return ""
	}
	return fmt.Sprintf(" after %s", seen[next-1].state)
}

// judgeOrder looks for texts in their order; told is what an observation tells of them, "" if nothing.
func (e *engine) judgeOrder(path, what string, want []string, list []timeline.Observation, told func(timeline.Observation) string) {
	n := 0
	for i, text := range want {
		for n < len(list) && told(list[n]) != text {
			n++
		}
		if n < len(list) {
			n++
			continue
		}
		var all []string
		for _, o := range list {
			if one := told(o); one != "" && (len(all) == 0 || all[len(all)-1] != one) {
				all = append(all, one)
			}
		}
		e.differs(at(path, i), "%q did not come then; %s in all: %s", text, what, strings.Join(all, " | "))
		return
	}
}

func codeOf(o timeline.Observation) string {
	if o.Kind != timeline.Diagnosis {
		return ""
	}
	return o.Code
}

func glassOf(o timeline.Observation) string {
	if o.Kind != timeline.Transition {
		return ""
	}
	glass, _ := fieldOf(o, timeline.FieldGlass)
	return glass
}

func fieldOf(o timeline.Observation, name string) (string, bool) {
	i := slices.IndexFunc(o.Fields, func(f timeline.Field) bool { return f.Name == name })
	if i < 0 {
		return "", false
	}
	return o.Fields[i].Value, true
}

// from is where to begin in the list.
func (e *engine) from(label string) int {
	if label == "" {
		return 0
	}
	n, done := e.after[label]
	if !done {
		return e.record.len() // its step was not done
	}
	return n
}

// mostOthers bounds how many other messages are told where none is as expected.
const mostOthers = 12

// others tells the messages of the same kind and protocol.
func others(selector format.Selector, m format.Message, list []timeline.Observation, since string) string {
	selector.Text = ""
	var texts []string
	for _, o := range list {
		if selector.Matches(o) && strings.Contains(o.Peer, m.Peer) && !slices.Contains(texts, o.Text) {
			texts = append(texts, o.Text)
		}
	}
	what := fmt.Sprintf("%s %s", selector.Kind, selector.Protocol)
	if m.Peer != "" {
		what += " of peer " + m.Peer
	}
	what += since
	switch more := len(texts) - mostOthers; {
	case len(texts) == 0:
		return "; there is no " + what
	case more > 0:
		texts = append(texts[:mostOthers], fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("; %s in all: %s", what, strings.Join(texts, " | "))
}

func (e *engine) judgeMessage(path string, m format.Message, list []timeline.Observation) {
	selector, err := format.ParseSelector(m.Message)
	if err != nil {
		e.differs(path, "%v", err)
		return
	}
	var found []int
	for n := e.from(m.After); n < len(list); n++ {
		if selector.Matches(list[n]) && strings.Contains(list[n].Peer, m.Peer) {
			found = append(found, n)
		}
	}
	last := e.record.last()
	if len(found) > 0 {
		last = found[len(found)-1]
	}
	instead, since := "", ""
	if m.After != "" {
		since = " after step " + m.After
	}
	if len(found) == 0 {
		instead = others(selector, m, list[e.from(m.After):], since)
	}
	switch {
	case m.Count != nil && len(found) > *m.Count:
		e.differsAt(path+".count", found[*m.Count], "%d times %q%s, not %d", len(found), m.Message, since, *m.Count)
		return
	case m.Count != nil && len(found) < *m.Count:
		e.differsAt(path+".count", last, "%d times %q%s, not %d%s", len(found), m.Message, since, *m.Count, instead)
		return
	case len(found) < m.Least:
		e.differsAt(path+".least", last, "%d times %q%s, not %d at least%s", len(found), m.Message, since, m.Least, instead)
		return
	case m.Most != nil && len(found) > *m.Most:
		e.differsAt(path+".most", found[*m.Most], "%d times %q%s, not %d at most", len(found), m.Message, since, *m.Most)
		return
	case m.Count != nil || m.Most != nil || m.Least != 0:
		return
	}
	nth := max(m.Nth, 1)
	if len(found) < nth {
		e.differsAt(path+".message", last, "there are %d of %q%s, not %d%s", len(found), m.Message, since, nth, instead)
		return
	}
	if m.Field != "" {
		e.judgeField(path, m, found[nth-1], list[found[nth-1]])
	}
}

func (e *engine) judgeField(path string, m format.Message, n int, o timeline.Observation) {
	var values, names []string
	for _, f := range o.Fields {
		names = append(names, f.Name)
		if strings.EqualFold(f.Name, m.Field) {
			values = append(values, f.Value)
		}
	}
	shown := strings.Join(values, "; ")
	switch {
	case m.Absent && len(values) > 0:
		e.differsAt(path+".absent", n, "%q has the field %s: %s", m.Message, m.Field, shown)
	case m.Absent:
	case len(values) == 0:
		e.differsAt(path+".field", n, "%q has no field %s, it has %s", m.Message, m.Field, strings.Join(names, ", "))
	case m.Equals != nil && !slices.Contains(values, *m.Equals):
		e.differsAt(path+".equals", n, "the field %s of %q is %q, not %q", m.Field, m.Message, shown, *m.Equals)
	case m.Matches != "" && !slices.ContainsFunc(values, regexp.MustCompile(m.Matches).MatchString):
		e.differsAt(path+".matches", n, "the field %s of %q is %q, which does not match %s", m.Field, m.Message, shown, m.Matches)
	}
}

func (e *engine) judgeNever(path string, never format.Never, list []timeline.Observation) {
	happens := func(o timeline.Observation) bool {
		switch {
		case never.State != "":
			return o.Kind == timeline.Transition && o.Text == never.State
		case never.Code != "":
			return o.Code == never.Code
		case never.Glass != "":
			return glassOf(o) == never.Glass
		}
		selector, err := format.ParseSelector(never.Message)
		if err != nil || !selector.Matches(o) {
			return false
		}
		if never.Field == "" {
			return true
		}
		return slices.ContainsFunc(o.Fields, func(f timeline.Field) bool {
			return strings.EqualFold(f.Name, never.Field) && regexp.MustCompile(never.Matches).MatchString(f.Value)
		})
	}
	for n := e.from(never.After); n < len(list); n++ {
		if happens(list[n]) {
			e.differsAt(path, n, "it happened: %s", strings.TrimSpace(line(list[n], e.began)))
			return
		}
	}
}

func (e *engine) judgeResult(r report.Result) {
	want := e.scenario.Expect.Result
	if want == nil {
		return
	}
	state := r.State
	if r.Result == report.Success {
		state = devicestate.Ready
	}
	why := ""
	if r.Code != "" {
		why = " (" + r.Code + ": " + r.Diagnosis + ")"
	}
	if string(state) != want.State {
		e.differsAt("expect.result.state", e.record.lastVisit(), "the handset is in %s, not in %s%s", state, want.State, why)
		why = ""
	}
	if r.Code != want.Code {
		e.differsAt("expect.result.code", e.record.lastVisit(), "the code is %q, not %q%s", r.Code, want.Code, why)
	}
	if want.Warnings != nil {
		var got []string
		for _, w := range r.Warnings {
			got = append(got, w.Code)
		}
		sorted := slices.Sorted(slices.Values(*want.Warnings))
		slices.Sort(got)
		if !slices.Equal(got, sorted) {
			e.differs("expect.result.warnings", "the warnings are %q, not %q", got, sorted)
		}
	}
	if want.User != "" && want.User != r.User.SIPAddress {
		e.differs("expect.result.user", "the user is %q, not %q", r.User.SIPAddress, want.User)
	}
	if want.Profile != "" && want.Profile != r.Handset.Profile {
		e.differs("expect.result.profile", "%s runs, not %s", r.Handset.Profile, want.Profile)
	}
}

func (e *engine) judgeFlash() {
	want := e.scenario.Expect.Flash
	if want == nil {
		return
	}
	f, err := e.flash.Load()
	if err != nil {
		e.differs("expect.flash", "%v", err)
		return
	}
	text := func(key, got string, want *string) {
		if want != nil && got != *want {
			e.differs("expect.flash."+key, "flash has %q, not %q", got, *want)
		}
	}
	flag := func(key string, got bool, want *bool) {
		if want != nil && got != *want {
			e.differs("expect.flash."+key, "it is %v, not %v", got, *want)
		}
	}
	text("user", f.SIPAddress, want.User)
	text("registrar", f.Registrar, want.Registrar)
	text("other_registrar", f.OtherRegistrar, want.OtherRegistrar)
	text("certificate_url", f.CertificateURL, want.CertificateURL)
	flag("certificate", len(f.Certificate) > 0 && len(f.Key) > 0, want.Certificate)
	flag("certificate_refused", f.CertificateRefused, want.CertificateRefused)
	flag("credentials_refused", f.Refused != nil, want.CredentialsRefused)
	flag("chain", len(f.Chain) > 0, want.Chain)
	flag("epid", f.EPID != "", want.EPID)
	flag("unlock_pin", f.UnlockPIN != nil, want.UnlockPIN)
	flag("clock_kept", f.ClockKept, want.ClockKept)
	text("pin_form", f.PINForm, want.PINForm)
	text("profile", f.Profile, want.Profile)
}

func (e *engine) judgeAccount(path string, want format.Account) {
	pool, sip := e.run.Pool, e.sip(want.User)
	if got := pool.Directory.Attempts(sip); want.Attempts != nil && got != *want.Attempts {
		e.differs(path+".attempts", "%d wrong PINs were counted, not %d", got, *want.Attempts)
	}
	if want.Locked != nil {
		switch info, err := pool.Directory.PINInfo(sip); {
		case err != nil:
			e.differs(path+".locked", "%v", err)
		case info.LockedOut != *want.Locked:
			e.differs(path+".locked", "it is %v, not %v", info.LockedOut, *want.Locked)
		}
	}
	if got := len(pool.Authority.List(sip)); want.Certificates != nil && got != *want.Certificates {
		e.differs(path+".certificates", "%d certificates are published, not %d", got, *want.Certificates)
	}
	var hosts, states []string
	for _, one := range pool.Registrations() {
		if !strings.EqualFold(one.SIP, sip) {
			continue
		}
		states = append(states, string(one.State))
		if one.State == "registered" {
			hosts = append(hosts, one.Host)
		}
	}
	if want.RegisteredAt != nil && !same(hosts, *want.RegisteredAt) {
		e.differs(path+".registered_at", "registered at %q, not %q", hosts, *want.RegisteredAt)
	}
	if want.Endpoints != nil && !same(states, *want.Endpoints) {
		e.differs(path+".endpoints", "the endpoints are %q, not %q", states, *want.Endpoints)
	}
}

// same compares lists in any order.
func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
