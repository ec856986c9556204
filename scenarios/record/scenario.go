package record

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/scenarios/course"
)

// Boot is what a recording tells of a boot besides its messages.
type Boot struct {
	File    string            // that the recording goes to
	Profile string            // of the handset
	Lab     string            // name or file, "": the pool was a real one
	User    string            // of the lab, who signed in; of a pool's recording whoever it is where that was not seen
	Users   map[string]string // of the lab, by SIP address
	Faults  []string          // of the lab
	Warm    bool              // the handset's flash was not empty
	Pool    bool              // it was recorded at the pool, which knows of states and firmware what messages tell
	Others  int               // handsets that were left out
	Stayed  time.Duration
	Result  report.Result
}

// Scenario is the scenario of a boot, with its messages: what 'scenario run' does again, what 'scenario diff' compares.
func Scenario(b Boot, messages []exchange.Message, lost int) []byte {
	var w bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	var states []devicestate.State
	recognised := ""
	if b.Pool {
		b.Profile, recognised = course.Recognise(messages)
		b.User, states = b.user(messages), course.Reached(messages)
	}
	line("# Recorded of a boot. The steps and what is expected are for 'lpe scenario run'; exchange has every message, with secrets masked,")
	line("# for 'lpe scenario diff'. A value that is fresh is made anew by each boot.")
	if b.Pool {
		line("# It was recorded at the pool: the states are those that the messages tell of, and ARP is not among them.")
		line("# The profile is the nearest that there is: %s.", recognised)
	}
	if b.Others > 0 {
		line("# %d other handsets were left out: record one at a time.", b.Others)
	}
	if b.Lab == "" {
		line("# The pool was a real one: run in a lab, the same is done by the lab's user.")
	}
	line("name: %s", exchange.Scalar(Name(b.File)))
	if b.Pool {
		line("description: %q", "A boot at the pool of lab "+b.Lab+" that was recorded.")
		line("source: %q", "a handset at this program's pool")
	} else {
		line("description: %q", "A recorded boot of "+b.Profile+".")
		line("source: %q", "a boot of this program that was recorded")
	}
	line("handset:")
	line("  profile: %s", exchange.Scalar(Beside(b.File, b.Profile, configs.Profiles())))
	if mac := b.Result.Handset.MAC; mac != "" {
		line("  mac: %q", strings.ReplaceAll(mac, "-", ":"))
	}
	if b.Lab != "" {
		line("lab: %s", course.LabIn(Beside(b.File, b.Lab, configs.Labs()), states))
	}
	if len(b.Faults) > 0 {
		line("faults:")
		for _, fault := range b.Faults {
			line("  - %s", exchange.Quoted(fault))
		}
	}
	if b.Pool {
		course.WriteSteps(&w, b.User, messages)
	} else {
		b.steps(line, dialled(messages))
		b.expect(line)
	}
	if lost > 0 {
		line("# %d later messages were not kept.", lost)
	}
	if len(messages) > 0 {
		line("exchange:")
		exchange.WriteYAML(&w, "  ", messages)
	}
	return w.Bytes()
}

// Beside is how a scenario in file names a lab or a profile: one that the program brings by its name, a file by its way
// from there.
func Beside(file, nameOrFile string, brought []string) string {
	if slices.Contains(brought, nameOrFile) || filepath.IsAbs(nameOrFile) {
		return nameOrFile
	}
	from, err := filepath.Abs(filepath.Dir(file))
	to, err2 := filepath.Abs(nameOrFile)
	if err != nil || err2 != nil {
		return nameOrFile
	}
	if way, err := filepath.Rel(from, to); err == nil {
		return filepath.ToSlash(way)
	}
	return to // on another volume
}

// user is the user of the lab who registered.
func (b Boot) user(messages []exchange.Message) string {
	if name := b.Users[strings.ToLower(course.Registered(messages))]; name != "" {
		return name
	}
	return b.User
}

// noName is what is no part of a scenario's name.
var noName = regexp.MustCompile(`[^a-z0-9]+`)

// Name is the name of a scenario in a file.
func Name(file string) string {
	base := strings.ToLower(filepath.Base(file))
	name := strings.Trim(noName.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "-"), "-")
	if name == "" {
		return "recorded"
	}
	return name
}

// Codes of a PIN and of a password that was wrong. Neither is recorded.
const (
	refused         = "ticket.refused"
	passwordRefused = "ticket.password-refused"
)

// wrong reports whether the boot ended with a PIN or a password that the pool refused.
func (b Boot) wrong() bool { return b.Result.Code == refused || b.Result.Code == passwordRefused }

// dialled is the number of a user whose PIN was refused.
func dialled(messages []exchange.Message) string {
	for _, m := range messages {
		for _, f := range m.Fields {
			if m.Sent && f.Name == "Header/Security/UsernameToken/Username" && f.Value != "" {
				return f.Value
			}
		}
	}
	return "1"
}

func (b Boot) steps(line func(string, ...any), number string) {
	signsIn := slices.ContainsFunc(b.Result.States, func(s report.State) bool { return s.State == devicestate.SignIn })
	line("steps:")
	line("  - power: on")
	switch {
	case signsIn && b.Result.Code == refused:
		line("  - dial: %q", number)
		line("  - enter_pin: %q # which is as wrong as the one that was entered", "0000")
	case signsIn && b.Result.Code == passwordRefused:
		line(`  - login: {user: 'LAB\nobody', password: "0000"} # which are as wrong as those that were entered`)
	case signsIn || b.Warm:
		line("  - sign_in: %s", exchange.Scalar(b.User))
	}
	if n := len(b.Result.States); n > 1 && b.Result.State == devicestate.SignIn { // for the second time
		line("  - {wait: %s, within: 10m}", b.Result.States[n-2].State)
	}
	if end := b.end(); end != "" {
		line("  - {wait: %s, within: 10m}", end)
	}
	if stayed := max(b.Stayed, b.Result.Stayed()).Round(time.Second); stayed > 0 {
		line("  - stay: %v", stayed)
	}
}

// end is the state that the boot came to, "" if it never began.
func (b Boot) end() devicestate.State {
	switch {
	case b.Result.Result == report.Success:
		return devicestate.Ready
	case len(b.Result.States) == 0:
		return ""
	}
	return b.Result.State
}

func (b Boot) expect(line func(string, ...any)) {
	line("expect:")
	if b.Lab == "" || b.Warm || b.Stayed > 0 || b.wrong() || len(b.Result.States) == 0 {
		line("  states: [LinkDetect, ...]")
		if b.wrong() {
			line("  result: {state: %s, code: %s}", b.Result.State, b.Result.Code)
		}
		return
	}
	line("  states:")
	for _, s := range b.Result.States {
		line("    - %s", s.State)
	}
	if b.Result.Result == report.Success {
		line("  result: {state: Ready}")
		return
	}
	line("  result: {state: %s, code: %s}", b.Result.State, b.Result.Code)
}
