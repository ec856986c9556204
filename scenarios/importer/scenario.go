package importer

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/scenarios/course"
	"github.com/phone-edition/lpe/scenarios/format"
)

// Exchange are the messages as a scenario keeps them.
func (b *Boot) Exchange() []exchange.Message {
	out := make([]exchange.Message, len(b.Messages))
	for i, m := range b.Messages {
		out[i] = m.Message
	}
	return out
}

// Scenario is the boot as the file of a scenario: what was captured, and steps that lead a handset of the profile through
// the same states in a lab.
func (b *Boot) Scenario(profile string) ([]byte, error) {
	lab, known, err := b.lab()
	if err != nil {
		return nil, err
	}
	if len(lab.Users) == 0 {
		return nil, fmt.Errorf("lab %s has no user", lab.Name)
	}
	file := filepath.Base(b.File)
	var out bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("# Imported from %s: the boot of the handset with %s", printable(file), printable(b.Handset.String()))
	line("# exchange holds what was captured: recorded values as they are, secrets masked, and marked as fresh what a boot makes anew.")
	if !known {
		line("# The steps run in lab %s: the captured pool is none of this program's, and its users' PINs are in no scenario.", lab.Name)
	}
	for _, a := range b.Account() {
		for _, lack := range a.Missing {
			line("# Missing in the capture, %s: %s; %s.", a.Stage, printable(lack.What), lack.Why)
		}
	}
	line("name: %s", scenarioName(file))
	line("description: %s", exchange.Quoted(fmt.Sprintf("The boot that %s holds, %d messages in %v.", file, len(b.Messages), b.lasted())))
	line("source: %s", exchange.Quoted(fmt.Sprintf("%s frames %s", file, b.frames())))
	line("handset:\n  profile: %s", profile)
	if mac := b.Handset.MAC; mac != nil && b.Handset.onLink && mac[0]&1 == 0 {
		line("  mac: %q", strings.ToUpper(mac.String()))
	}
	states := course.Reached(b.Exchange())
	line("lab: %s", course.LabIn(lab.Name, states))
	course.WriteSteps(&out, b.user(lab), b.Exchange())
	line("exchange:")
	exchange.WriteYAML(&out, "  ", b.Exchange())
	if _, err := format.Parse(file, out.Bytes()); err != nil {
		return nil, fmt.Errorf("the scenario of the capture: %w", err)
	}
	return out.Bytes(), nil
}

// user is the lab's user who registered, else the first.
func (b *Boot) user(lab *configs.Lab) string {
	registered := course.Registered(b.Exchange())
	for _, u := range lab.Users {
		if strings.EqualFold(u.SIPAddress, registered) {
			return u.Name
		}
	}
	return lab.Users[0].Name
}

// lab is the shipped lab with the SIP domain of the capture, else the default one.
func (b *Boot) lab() (lab *configs.Lab, known bool, err error) {
	for _, name := range configs.Labs() {
		lab, err := configs.LoadLab(name)
		if err != nil {
			return nil, false, err
		}
		for _, m := range b.Messages {
			if m.spoken != nil && m.spoken.SIP != nil && m.Sent && m.spoken.SIP.Method == "REGISTER" && m.spoken.SIP.RequestURI == "sip:"+lab.SIPDomain {
				return lab, true, nil
			}
		}
	}
	lab, err = configs.LoadLab(labpool.DefaultLab)
	return lab, false, err
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

func scenarioName(file string) string {
	name := strings.ToLower(strings.TrimSuffix(file, filepath.Ext(file)))
	return strings.Trim("import-"+notInName.ReplaceAllString(name, "-"), "-")
}

func (b *Boot) lasted() string {
	last := slices.MaxFunc(b.Messages, func(x, y Message) int { return cmp.Compare(x.At, y.At) })
	return last.At.Round(time.Millisecond).String()
}

func (b *Boot) frames() string {
	return fmt.Sprintf("%d to %d", b.Messages[0].Frame, b.Messages[len(b.Messages)-1].Frame)
}
