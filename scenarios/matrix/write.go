package matrix

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/scenarios/compare"
)

// Schema is the version of the JSON form of a [Table].
const Schema = "lpe.matrix/1"

// Write writes a table in the form list, json or junit.
func (t *Table) Write(w io.Writer, form string) error {
	switch form {
	case "json":
		return t.writeJSON(w)
	case "junit":
		return t.writeJUnit(w)
	}
	return t.writeList(w)
}

// comparison is what differs in a cell; A is the baseline.
func (t *Table) comparison(c Cell) compare.Comparison {
	return compare.Comparison{
		Schema: compare.Schema, A: fmt.Sprintf("the baseline of %s with %s", c.Scenario, c.Profile), B: "this run", Differences: c.Differences,
	}
}

// in says in a word or two what a cell says.
func (c Cell) in() string {
	text := c.Verdict
	if n := len(c.Differences); n > 0 {
		text = fmt.Sprintf("%d differ", n)
		if n == 1 {
			text = "1 differs"
		}
	}
	if !c.Passed && c.Verdict != Unfit && c.Verdict != NotRun {
		text += ", failed"
	}
	return text
}

func (t *Table) writeList(w io.Writer) error {
	var b strings.Builder
	width := 0
	for _, p := range t.Profiles {
		width = max(width, len(p))
	}
	for i, s := range t.Scenarios {
		fmt.Fprintf(&b, "%d %s\n", i+1, s)
	}
	fmt.Fprintf(&b, "\n%-*s", width, "")
	for i := range t.Scenarios {
		fmt.Fprintf(&b, "  %-17d", i+1)
	}
	b.WriteString("\n")
	for n, p := range t.Profiles {
		line := fmt.Sprintf("%-*s", width, p)
		for i := range t.Scenarios {
			line += fmt.Sprintf("  %-17s", t.Cells[i*len(t.Profiles)+n].in())
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, c := range t.Cells {
		if c.OK() || c.Verdict == NotRun {
			continue
		}
		b.WriteString("\n" + t.about(c))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// about says in sentences what is to be looked at in a cell.
func (t *Table) about(c Cell) string {
	var b strings.Builder
	switch {
	case len(c.Differences) > 0:
		_ = compare.WriteText(&b, t.comparison(c)) // a strings.Builder takes everything
	case c.Verdict == New:
		fmt.Fprintf(&b, "%s with %s has no baseline in %s; --update accepts what it gives\n", c.Scenario, c.Profile, t.Baseline)
	default:
		fmt.Fprintf(&b, "%s with %s has a baseline, and cannot be run: %s\n", c.Scenario, c.Profile, c.Why)
	}
	return b.String()
}

// WriteAccepted says what [Table.Accept] accepted.
func (t *Table) WriteAccepted(w io.Writer) error {
	n := 0
	for _, c := range t.Cells {
		if c.OK() || c.Verdict == NotRun {
			continue
		}
		n++
		text := t.about(c)
		if c.Verdict == New {
			text = fmt.Sprintf("%s with %s is new: %d states and messages\n", c.Scenario, c.Profile, len(c.messages)-1)
		}
		if _, err := io.WriteString(w, "accepted: "+text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d accepted, the others are as they were\n", n, len(t.Cells))
	return err
}

func (t *Table) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Schema string `json:"schema"`
		OK     bool   `json:"ok"`
		Cells  []Cell `json:"cells"`
	}{Schema, t.OK(), t.Cells})
}

func (t *Table) writeJUnit(w io.Writer) error {
	var list []report.Check
	for _, c := range t.Cells {
		check := report.Check{Name: c.Scenario + " with " + c.Profile, Took: c.took, NotRun: c.Verdict == NotRun || c.Verdict == Unfit}
		if !c.OK() && c.Verdict != NotRun {
			check.Details = t.about(c)
			check.Failure, check.Type = strings.SplitN(check.Details, "\n", 2)[0], c.Verdict
			if len(c.Differences) > 0 {
				check.Failure = c.Differences[0].Where() + ": " + c.Differences[0].Sentence()
			}
		}
		list = append(list, check)
	}
	return report.WriteJUnitChecks(w, "lpe scenario matrix", "lpe.matrix", t.Began, list)
}
