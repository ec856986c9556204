package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// check is what the cmdlet says when there is no web ticket or no certificate (handset.md §7.3 C, E).
const check = `CHECK :
- Web service url is valid and the web services are functional
- If using PhoneNo\PIN to authenticate, make sure they match the user uri
- If using NTLM\Kerberos auth, make sure you provided valid credentials
`

// registerException is what the cmdlet says of a registration that failed (handset.md §7.3 H).
const registerException = "The endpoint is unable to register. See the ErrorCode for specific reason"

// verbose writes the account of the cmdlet's -Verbose (handset.md §7.3 C, E, H, O and §7.4): each state is an activity,
// and each message and decision in it a line. What the cmdlet has no words for is in ours.
type verbose struct {
	w io.Writer

	mu        sync.Mutex
	state     devicestate.State
	entered   time.Time
	code      string // of the last diagnosis in the state
	registrar string
}

func (v *verbose) observe(o timeline.Observation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case o.Kind == timeline.Transition:
		v.transition(o)
	case o.Kind == timeline.Note && len(o.Fields) > 0:
		io.WriteString(v.w, v.beginning(o))
	default:
		if o.Kind == timeline.Diagnosis {
			v.code = o.Code
		}
		fmt.Fprintf(v.w, "  %s %-9s %s\n", o.At.Format("15:04:05.000"), o.Kind, observationText(o))
	}
}

// transition ends the activity of the state that is left and begins that of the next one.
func (v *verbose) transition(o timeline.Observation) {
	if v.state != "" {
		if v.state == devicestate.Register && field(o, timeline.FieldOutcome) == OK {
			fmt.Fprintf(v.w, "Registration hit against sip/%s\n", v.registrar)
		}
		text := ""
		if d, ok := Lookup(devicestate.Code(v.code)); ok && field(o, timeline.FieldOutcome) == Failed {
			text = d.Error
		}
		writeEnd(v.w, v.state, o.At.Sub(v.entered), text)
	}
	state := devicestate.State(o.Text)
	glass := glassText(configs.GlassText{Text: field(o, timeline.FieldGlass), Provenance: configs.Provenance(field(o, timeline.FieldProvenance))})
	v.state, v.entered, v.code = state, o.At, ""
	if state == devicestate.Ready || state == devicestate.Failed {
		v.state = "" // they last
		fmt.Fprintln(v.w, state)
	} else {
		fmt.Fprintf(v.w, "'%s' activity started.\n", state)
	}
	if glass != "" {
		fmt.Fprintf(v.w, "  Glass : %s\n", glass)
	}
}

// beginning is the cmdlet's words for what a stage works with.
func (v *verbose) beginning(o timeline.Observation) string {
	switch number, user := field(o, timeline.FieldNumber), field(o, timeline.FieldUser); {
	case number != "":
		return fmt.Sprintf("Using PIN auth with Phone\\Ext : %s Pin : ****\n", strings.TrimPrefix(number, "+"))
	case field(o, timeline.FieldEndpoint) != "":
		return fmt.Sprintf("Trying to download a CS certificate for User : %s endpoint : %s\nWeb Service url : %s\n",
			strings.TrimPrefix(user, "sip:"), field(o, timeline.FieldEndpoint), field(o, timeline.FieldURL))
	case field(o, timeline.FieldRegistrar) != "":
		v.registrar = field(o, timeline.FieldRegistrar)
		return fmt.Sprintf("Sending Registration request:\nTarget Fqdn = %s\nUser Sip Address = %s\nRegistrar Port = %s.\nAuth Type 'ClientCertificate' is selected.\n",
			v.registrar, user, field(o, timeline.FieldPort))
	case user != "":
		return fmt.Sprintf("Using Windows auth with User : %s Password : ****\n", user)
	}
	return fmt.Sprintf("  %s\n", observationText(o))
}

// writeEnd ends an activity; errorText is empty when it went well.
func writeEnd(w io.Writer, s devicestate.State, d time.Duration, errorText string) {
	if errorText == "" {
		fmt.Fprintf(w, "'%s' activity completed in '%s' secs.\n", s, ticks(d))
		return
	}
	switch s {
	case devicestate.WebTicket:
		fmt.Fprint(w, "Could not get web ticket\n"+check)
	case devicestate.Enroll:
		fmt.Fprint(w, "Could not download a CS certificate from web service.\n"+check)
	case devicestate.Register:
		errorText = registerException
	}
	fmt.Fprintf(w, "An exception '%s' occurred during Workflow %s execution.\n", errorText, s)
}

// ticks is seconds with seven decimals, as the cmdlet writes them.
func ticks(d time.Duration) string {
	n := max(int64(d), 0) / 100
	return fmt.Sprintf("%d.%07d", n/10_000_000, n%10_000_000)
}
