package course

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
)

// LabIn is the lab of a scenario that leads through states, in YAML. Where the handset asked for a VLAN by DHCP no switch had
// told it one.
func LabIn(name string, states []devicestate.State) string {
	if slices.Contains(states, devicestate.VlanDiscover) {
		return fmt.Sprintf("{name: %s, set: {network.lldp_policy: none}}", exchange.Scalar(name))
	}
	return fmt.Sprintf("{name: %s}", exchange.Scalar(name))
}

// Registered is the SIP address that the handset registered, "" if it did not. Who asks a registrar for the URL of its
// services names the registrar alone.
func Registered(messages []exchange.Message) string {
	for _, m := range messages {
		if !m.Sent || m.Protocol != "sip" || !strings.HasPrefix(m.Kind, "REGISTER ") {
			continue
		}
		for _, f := range m.Fields {
			if f.Name == "From" && strings.Contains(f.Value, "@") {
				return strings.Trim(f.Value, "<>")
			}
		}
	}
	return ""
}

// longest is how long the steps stay in a state at most.
const longest = 10 * time.Minute

// stayed is how long a boot went on in the state that it came to, and a little longer. A boot that came to Ready ended there.
func stayed(messages []exchange.Message, last devicestate.State) time.Duration {
	if last == devicestate.Ready {
		return 0
	}
	var first, end time.Duration
	begun := false
	for _, m := range messages {
		switch {
		case m.Protocol == "lldp", m.Protocol == exchange.ProtocolARP, m.State == "", !begun && m.State != last:
			continue
		case m.State != last:
			return stay(end - first)
		case !begun:
			first, begun = m.At, true
		}
		end = max(end, m.At)
	}
	return stay(end - first)
}

func stay(d time.Duration) time.Duration {
	const more = 2 * time.Second
	return min(max(d, 0).Truncate(time.Second)+more, longest)
}

// WriteSteps writes the steps that lead a handset in a lab through the states that its messages tell of, with a user of the
// lab who signs in if somebody did, and expects these states. A lab has no image to download of itself.
func WriteSteps(w io.Writer, user string, messages []exchange.Message) {
	states := Reached(messages)
	var list []devicestate.State
	for _, s := range states {
		if slices.Contains(order, s) {
			list = append(list, s)
		}
	}
	last := list[len(list)-1]
	fmt.Fprintln(w, "steps:\n  - power: on")
	if slices.Index(order, last) > slices.Index(order, devicestate.PoolDiscover) {
		fmt.Fprintf(w, "  - sign_in: %s\n", exchange.Scalar(user))
	}
	fmt.Fprintf(w, "  - {wait: %s, within: 10m}\n", last)
	if d := stayed(messages, last); d > 0 {
		fmt.Fprintf(w, "  - stay: %v\n", d)
	}
	fmt.Fprint(w, "expect:\n  states:\n")
	for _, s := range list {
		fmt.Fprintf(w, "    - ...\n    - %s\n", s)
	}
	fmt.Fprintln(w, "    - ...")
}
