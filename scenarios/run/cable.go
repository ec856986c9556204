package run

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
)

// Real reports whether the handset is on a real cable.
func (o Options) Real() bool { return o.Interface != "" || o.Host }

// check refuses what cannot be done on the cable, every part of it.
func (e *engine) check() error {
	s := e.scenario
	var errs []error
	wrong := func(path, text string, args ...any) {
		errs = append(errs, s.Problem(path, text, args...))
	}
	if s.Handset.Kept && e.options.Flash == "" {
		wrong("handset.kept", "the handset has a flash from before: name its directory with --flash")
	}
	e.checkPlace(wrong)
	switch {
	case e.options.Real():
		e.checkReal(wrong)
	case e.options.SignsIn != nil:
		wrong("steps", "in a lab its users sign in, and nobody else")
	}
	return errors.Join(errs...)
}

// checkReal refuses what needs a pool that is this program's.
func (e *engine) checkReal(wrong func(path, text string, args ...any)) {
	s := e.scenario
	const notOurs = "and the pool on a real cable is not this program's: leave out --interface and --host"
	if len(s.Faults) > 0 {
		wrong("faults", "faults are made in a lab, "+notOurs)
	}
	for i, step := range s.Steps {
		switch path := at("steps", i) + "." + step.Verb; {
		case step.Verb == "sign_in":
			e.checkSignIn(path, step.SignIn, wrong)
		case !slices.Contains(ofHandset, step.Verb):
			wrong(path, "is done to a lab, "+notOurs)
		}
	}
	if len(s.Expect.Pool) > 0 {
		wrong("expect.pool", "looks into a lab, "+notOurs)
	}
}

// checkSignIn wants to know who signs in at a real pool in the place of a user of the lab. That is one user.
func (e *engine) checkSignIn(path, user string, wrong func(path, text string, args ...any)) {
	who, profile := e.options.SignsIn, e.scenario.Profile
	switch first := e.scenario.SignsIn(); {
	case who == nil:
		wrong(path, "users of a lab are not those of a real pool: say who signs in with --phone-or-ext or --user, or in the file with dial and enter_pin, or with login")
	case user != first:
		wrong(path, "one user signs in at a real pool in the place of %s, and %s is another one: leave it out, or say who signs in with dial and enter_pin, or with login", first, user)
	case who.User == "" && !profile.PIN:
		wrong(path, "%s takes user name and password alone, and a number signs in", profile.Model)
	case who.User != "" && !profile.Password:
		wrong(path, "%s takes number and PIN alone, and a user name signs in", profile.Model)
	}
}

// place is where the pool is.
func (e *engine) place() rig.Place { return e.options.Place.Over(e.scenario.Target) }

// checkPlace holds what is said of the pool's place to the cable.
func (e *engine) checkPlace(wrong func(path, text string, args ...any)) {
	if of := e.place().OfRealPool(); len(of) > 0 && !e.options.Real() {
		wrong("target", "%s: for a real pool, and this one is a lab in this process: name --interface or --host, or leave that out", strings.Join(of, ", "))
	}
	new(rig.Options).Locate(e.place(), func(field string, err error) { wrong("target."+field, "%v", err) })
}

// ofHandset are the verbs that need no lab.
var ofHandset = []string{"power", "wipe_flash", "dial", "enter_pin", "login", "do", "phone_unlock", "wait", "stay"}

// identify says which handset it is, and in whose pool.
func (e *engine) identify(o *rig.Options) error {
	s := e.scenario
	if s.Handset.MAC != "" {
		var err error
		if o.MAC, err = net.ParseMAC(s.Handset.MAC); err != nil {
			return err
		}
	}
	o.Profile = s.Profile
	if e.options.Real() {
		// Its address is that of the user's handset, but for one that lpe boot knows: there the flash is the computer's.
		o.Interface, o.Apart, o.Credentials = e.options.Interface, e.options.Flash == "", e.whoEnters()
	} else {
		// The faults of the directory, and the handset's MAC address, are those of one user; who signs in is a step.
		o.Lab, o.Credentials = s.Pool, rig.FirstUser(s.Pool, s.Profile)
		if u, ok := s.UserNamed(s.Lab.User); ok {
			o.Credentials = credentialsOf(u, s.Profile.PIN)
		}
	}
	var err error
	o.MAC, err = o.HandsetMAC()
	return err
}

// whoEnters is who signs in first at a real pool.
func (e *engine) whoEnters() handset.Credentials {
	for _, step := range e.scenario.Steps {
		switch step.Verb {
		case "sign_in":
			return e.entered(step)
		case "dial":
			return handset.Credentials{Number: step.Dial}
		case "login":
			return handset.Credentials{User: step.Login.User}
		}
	}
	return handset.Credentials{}
}

// lanes are the scenarios that run one after the other, by their places in the list: on a real cable those of one
// handset, and all of them where one discovers with the computer's one UDP port 68.
func lanes(list []*format.Scenario, o Options) ([][]int, error) {
	var out [][]int
	owners := map[string]int{}
	for n, s := range list {
		e := &engine{scenario: s, options: o}
		if !o.Real() {
			out = append(out, []int{n})
			continue
		}
		var who rig.Options
		if err := e.identify(&who); err != nil {
			return nil, err
		}
		if i, known := owners[who.MAC.String()]; known {
			out[i] = append(out[i], n)
			continue
		}
		owners[who.MAC.String()] = len(out)
		out = append(out, []int{n})
	}
	discovers := func(s *format.Scenario) bool { return (&engine{scenario: s, options: o}).place().FQDN == "" }
	if o.Host && slices.ContainsFunc(list, discovers) {
		return [][]int{slices.Sorted(slices.Values(slices.Concat(out...)))}, nil
	}
	return out, nil
}
