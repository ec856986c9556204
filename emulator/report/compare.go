package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

// CompareSchema is the version of the JSON form of [Comparison].
const CompareSchema = "lpe.compare-warm/1"

// Comparison is a boot with full flash beside one with wiped flash, against the same pool.
type Comparison struct {
	Schema string `json:"schema"`
	// Parts is the first state where one fails and the other does not, or has no need of it; empty: they do not part.
	Parts       devicestate.State `json:"parts"`
	Why         string            `json:"why"`
	Differences []Difference      `json:"differences"` // of what they hold
	Warm        Result            `json:"warm"`        // with full flash
	Cold        Result            `json:"cold"`        // wiped
}

// Difference is something that the two hold and that is not the same.
type Difference struct {
	What string `json:"what"`
	Warm string `json:"warm"`
	Cold string `json:"cold"`
}

// Compare sets two boots side by side. differences are those of what flash holds afterwards.
func Compare(warm, cold Result, differences []Difference) Comparison {
	c := Comparison{Schema: CompareSchema, Warm: warm.finished(), Cold: cold.finished(), Differences: []Difference{}}
	for _, d := range append([]Difference{
		{"registrar", warm.TargetFQDN, cold.TargetFQDN}, {"certificate URL", warm.TargetURI, cold.TargetURI},
	}, differences...) {
		if d.Warm != d.Cold {
			c.Differences = append(c.Differences, d)
		}
	}
	for _, s := range devicestate.States() {
		w, k := warm.outcome(s), cold.outcome(s)
		switch {
		case k == Failed && w != Failed:
			c.Parts, c.Why = s, why("the wiped handset", cold, s, "the one with full flash", warm, w)
			return c
		case w == Failed && k != Failed:
			c.Parts, c.Why = s, why("the handset with full flash", warm, s, "the wiped one", cold, k)
			return c
		}
	}
	switch {
	case warm.Result == Success && cold.Result == Success:
		c.Why = "both sign in"
	default:
		c.Why = "both fail alike"
	}
	return c
}

// outcome is what became of the last stay in a state, empty if there was none. The sign-in screen that a refusal leads
// back to is no failure of its own.
func (r Result) outcome(s devicestate.State) string {
	out := ""
	for _, stay := range r.States {
		if stay.State == s {
			out = stay.Outcome
		}
	}
	if s == devicestate.SignIn && out == Failed && r.Stage != s.Stage() {
		return OK
	}
	return out
}

func why(failed string, r Result, in devicestate.State, other string, o Result, outcome string) string {
	text := failed + " fails in " + string(in)
	if r.Stage == in.Stage() && r.Code != "" {
		text += ", " + r.Code
	}
	switch {
	case outcome == "":
		text += "; " + other + " has no need of it"
	default:
		text += "; " + other + " does not"
	}
	if in == devicestate.Register && r.TargetFQDN != o.TargetFQDN {
		text += fmt.Sprintf(": it registers at %s, not at %s", o.TargetFQDN, r.TargetFQDN)
	}
	return text
}

// WriteComparison writes a line a state, then where they part, what differs, and the diagnosis of what failed.
func WriteComparison(w io.Writer, c Comparison) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s  %-18s  %s\n", "State", "Full flash", "Wiped")
	for _, s := range c.states() {
		mark := ""
		if s == c.Parts {
			mark = "  <- they part"
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%-14s  %-18s  %-18s%s", s, c.Warm.stay(s), c.Cold.stay(s), mark), " "))
	}
	parts := string(c.Parts)
	if parts == "" {
		parts = "nowhere"
	}
	lines := []labelled{{"Parts", parts, false}, {"Why", c.Why, false}}
	for _, d := range c.Differences {
		lines = append(lines, labelled{"Differs", fmt.Sprintf("%s: %s with full flash, %s when wiped", d.What, or(d.Warm), or(d.Cold)), false})
	}
	for _, one := range []struct {
		label string
		r     Result
	}{{"Full flash", c.Warm}, {"Wiped", c.Cold}} {
		text := string(one.r.Result)
		if one.r.Result != Success {
			text += ": " + one.r.Error + "\n" + one.r.Diagnosis
		}
		lines = append(lines, labelled{one.label, text, false})
	}
	b.WriteString("\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return writeLabels(w, lines)
}

func or(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// states are those that either was in, in the order of the boot.
func (c Comparison) states() []devicestate.State {
	return slices.DeleteFunc(devicestate.States(), func(s devicestate.State) bool {
		return c.Warm.outcome(s) == "" && c.Cold.outcome(s) == ""
	})
}

// stay is outcome and time of all stays in a state.
func (r Result) stay(s devicestate.State) string {
	outcome := r.outcome(s)
	if outcome == "" {
		return "-"
	}
	if s == devicestate.Ready || s == devicestate.Failed {
		return outcome
	}
	var total time.Duration
	for _, stay := range r.States {
		if stay.State == s {
			total += time.Duration(stay.Duration)
		}
	}
	return fmt.Sprintf("%-7s %7.3f s", outcome, total.Seconds())
}

// WriteComparisonJSON writes the comparison as one indented JSON object.
func WriteComparisonJSON(w io.Writer, c Comparison) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c)
}
