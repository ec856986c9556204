package course

import (
	"fmt"
	"io"
	"slices"
	"strings"

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

// Registered is the SIP address that the handset registered, "" if it did not.
func Registered(messages []exchange.Message) string {
	for _, m := range messages {
		if !m.Sent || m.Protocol != "sip" || !strings.HasPrefix(m.Kind, "REGISTER ") {
			continue
		}
		for _, f := range m.Fields {
			if f.Name == "From" {
				return strings.Trim(f.Value, "<>")
			}
		}
	}
	return ""
}

// WriteSteps writes the steps that lead a handset in a lab through the states that were seen, with a user of the lab who
// signs in if somebody did, and expects these states. A lab has no image to download of itself.
func WriteSteps(w io.Writer, user string, states []devicestate.State) {
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
	fmt.Fprintf(w, "  - {wait: %s, within: 10m}\nexpect:\n  states:\n", last)
	for _, s := range list {
		fmt.Fprintf(w, "    - ...\n    - %s\n", s)
	}
	fmt.Fprintln(w, "    - ...")
}
