package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
	recorder "github.com/phone-edition/lpe/scenarios/record"
)

// Boot is the boot that a new scenario begins with.
type Boot struct {
	Name    string // of the scenario
	File    string // that it goes to, "": one here
	Lab     string // name or file
	Profile string
	User    string // of the lab, "": the first who can sign in
	Faults  []string
}

// Start boots and writes the scenario of that boot, with comments, for people to go on from.
func Start(ctx context.Context, b Boot, o rig.Options) ([]byte, error) {
	var err error
	if o.Lab, err = configs.LoadLab(b.Lab); err != nil {
		return nil, err
	}
	if o.Profile, err = configs.ProfileOf(b.Profile); err != nil {
		return nil, err
	}
	if b.User, o.Credentials, err = whoSignsIn(o.Lab, o.Profile, b.User); err != nil {
		return nil, err
	}
	if err := rig.CheckFaults(b.Faults, o.Credentials); err != nil {
		return nil, err
	}
	flash := &handset.MemoryFlash{}
	var seen []timeline.Observation
	o.Flash, o.Faults, o.Cable, o.Decode = flash, b.Faults, ethernet.NewPipe(ethernet.Options{}), true
	o.Observers = append(o.Observers, func(one timeline.Observation) { seen = append(seen, one) })
	run, err := rig.Start(o)
	if err != nil {
		return nil, err
	}
	result := run.Boot(ctx)
	kept, err := flash.Load()
	attempts := run.Pool.Directory.Attempts(sipOf(o.Lab, b.User))
	end := len(seen)
	if err := errors.Join(err, run.Close(), ctx.Err()); err != nil {
		return nil, err
	}
	return b.text(result, kept, seen[:end], attempts), nil
}

// whoSignsIn is a user of the lab with what he enters.
func whoSignsIn(lab *configs.Lab, profile *configs.Profile, name string) (string, handset.Credentials, error) {
	for _, u := range lab.Users {
		c := credentialsOf(u, profile.PIN)
		if can := !c.PIN.IsZero() && c.Number != "" || c.User != ""; can && (name == u.Name || name == "") {
			return u.Name, c, nil
		}
	}
	with := "login and password"
	if profile.PIN {
		with = "number and PIN"
	}
	if name != "" {
		name = fmt.Sprintf(" %q", name)
	}
	return "", handset.Credentials{}, fmt.Errorf("lab %s has no user%s who can sign in with %s", lab.Name, name, with)
}

func sipOf(lab *configs.Lab, name string) string {
	i := slices.IndexFunc(lab.Users, func(u configs.User) bool { return u.Name == name })
	if i < 0 {
		return ""
	}
	return lab.Users[i].SIPAddress
}

// text writes the scenario of a boot.
func (b Boot) text(r report.Result, flash devicestate.Flash, seen []timeline.Observation, attempts int) []byte {
	var w strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	line("# Made of a boot. What is expected is what happened: leave out what does not matter, and say in source why the rest")
	line("# has to be so. 'lpe scenario validate FILE' checks this file, 'lpe scenario run FILE --virtual' runs it.")
	line("# At a real pool, with --interface or --host, --phone-or-ext or --user say who signs in; faults and pool are left out.")
	line("name: %s", b.Name)
	line("description: %q", "A boot of "+b.Profile+" in lab "+b.Lab+".")
	line("source: %q", "a boot of this program; replace this with the document that says so")
	line("handset: {profile: %s} # set: {lldp.wait: 5s} replaces facts, see 'lpe profile show'", exchange.Scalar(recorder.Beside(b.File, b.Profile, configs.Profiles())))
	line("lab: {name: %q} # set: {network.lldp_policy: none} replaces settings, see 'lpe lab show'", recorder.Beside(b.File, b.Lab, configs.Labs()))
	if len(b.Faults) > 0 {
		line("faults: # further ones: 'lpe boot --list-faults'; at, for, after and until give them a time")
		for _, fault := range b.Faults {
			line("  - %q", fault)
		}
	}
	end := r.State
	if r.Result == report.Success {
		end = devicestate.Ready
	}
	line("steps:")
	line("  - power: on")
	if slices.ContainsFunc(r.States, func(s report.State) bool { return s.State == devicestate.SignIn }) {
		line("  - sign_in: %s # or dial: %q and enter_pin: %q", b.User, "NUMBER", "PIN")
	}
	last := 0
	for i, s := range r.States {
		if s.State == end {
			last = i
		}
	}
	if len(r.States) > 0 {
		took := r.States[last].Entered.Sub(r.States[0].Entered.Time)
		line("  - {wait: %s, within: %s} # it took %s", end, (2*took + time.Minute).Round(time.Minute), took.Round(time.Millisecond))
	}
	if stayed := r.Stayed().Round(time.Second); stayed > 0 {
		line("  - stay: %v # it did not get any further", stayed)
	} else {
		line("  # - stay: 8h")
	}
	line("expect:")
	line("  states: # \"...\" stands for any number of them; {state: Ready, within: 5s, after: 1s} gives one a time")
	for _, s := range r.States {
		line("    - %s", s.State)
	}
	b.glass(line, r)
	line("  result:")
	line("    state: %s", end)
	if r.Code != "" {
		line("    code: %s # %s", r.Code, strings.TrimSpace(strings.ReplaceAll(r.Error, "\n", " ")))
	}
	var warnings []string
	for _, one := range r.Warnings {
		warnings = append(warnings, one.Code)
	}
	line("    warnings: [%s]", strings.Join(warnings, ", "))
	b.messages(line, seen)
	line("  # never:")
	line("  #   - {code: ticket.refused}")
	line("  #   - {message: sent http, field: Authorization}")
	line("  flash: {user: %q, registrar: %q, certificate: %v, chain: %v}", flash.SIPAddress, flash.Registrar, len(flash.Certificate) > 0, len(flash.Chain) > 0)
	line("  pool:")
	line("    - {user: %s, attempts: %d}", b.User, attempts)
	return []byte(w.String())
}

func (b Boot) glass(line func(string, ...any), r report.Result) {
	var shown []string
	for _, s := range r.States {
		if text := s.Glass.Text; text != "" && (len(shown) == 0 || shown[len(shown)-1] != text) {
			shown = append(shown, text)
		}
	}
	if len(shown) == 0 {
		return
	}
	line("  glass:")
	for _, text := range shown {
		line("    - %q", text)
	}
}

// messages writes the message of each protocol that the handset sent first, with a field of it.
func (b Boot) messages(line func(string, ...any), seen []timeline.Observation) {
	told := map[string]bool{}
	for _, o := range seen {
		if o.Kind != timeline.Sent || o.Protocol != "http" && o.Protocol != "sip" && o.Protocol != "dhcp" || told[o.Protocol] {
			continue
		}
		for _, f := range o.Fields {
			if f.Name != "User-Agent" && f.Name != "Host" && f.Name != "option 60 vendor class" {
				continue
			}
			if len(told) == 0 {
				line("  messages: # the fields are those of 'lpe boot -o jsonl'")
			}
			told[o.Protocol] = true
			line("    - {message: %q, field: %q, equals: %q}", "sent "+o.Protocol+" "+o.Text, f.Name, f.Value)
			break
		}
	}
}
