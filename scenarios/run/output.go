package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/wholefile"
	"github.com/phone-edition/lpe/scenarios/format"
)

// Schema is the version of the JSON form of results.
const Schema = "lpe.scenarios/1"

var forms = map[string]func(io.Writer, Summary) error{"list": nil, "json": writeJSON, "junit": writeJUnit}

// Outputs are where results go: in one form to standard output, in any number into files, each of which is written whole
// or not at all.
type Outputs struct {
	stdout string
	out    io.Writer
	files  []outputFile
}

type outputFile struct {
	form, path string
	file       *wholefile.File
}

// ParseOutputs reads FORM or FORM=FILE each. No form without file means list on standard output.
func ParseOutputs(values []string) (*Outputs, error) {
	o := &Outputs{}
	for _, value := range values {
		form, path, toFile := strings.Cut(value, "=")
		_, known := forms[form]
		switch {
		case !known:
			return nil, fmt.Errorf("list, json or junit expected, not %q", form)
		case toFile && path == "":
			return nil, fmt.Errorf("%s= names no file", form)
		case toFile && slices.ContainsFunc(o.files, func(f outputFile) bool { return f.path == path }):
			return nil, fmt.Errorf("%s is named twice", path)
		case toFile:
			o.files = append(o.files, outputFile{form: form, path: path})
		case o.stdout != "":
			return nil, fmt.Errorf("%s and %s are both for standard output; give one a file, as in %s=FILE", o.stdout, form, form)
		default:
			o.stdout = form
		}
	}
	if o.stdout == "" {
		o.stdout = "list"
	}
	return o, nil
}

// Open begins every file, so that one that cannot be written is found before anything is done.
func (o *Outputs) Open(stdout io.Writer) error {
	o.out = stdout
	for i := range o.files {
		file, err := wholefile.Create(o.files[i].path)
		if err != nil {
			return errors.Join(err, o.Discard())
		}
		o.files[i].file = file
	}
	return nil
}

// Discard leaves no file behind that was not finished.
func (o *Outputs) Discard() error {
	var errs []error
	for i := range o.files {
		if f := o.files[i].file; f != nil {
			errs = append(errs, f.Discard())
			o.files[i].file = nil
		}
	}
	return errors.Join(errs...)
}

// Summary is what came of several scenarios, in the order in which they were named.
type Summary struct {
	Began   time.Time
	Results []Result // one that was not run has no name
	list    []*format.Scenario
}

// NewSummary is the summary of scenarios that are to be run.
func NewSummary(list []*format.Scenario) *Summary {
	return &Summary{Began: time.Now(), Results: make([]Result, len(list)), list: list}
}

// Add takes a result.
func (s *Summary) Add(n int, r Result) { s.Results[n] = r }

// Count counts what came out as expected, and what did not.
func (s *Summary) Count() (passed, failed int) {
	for _, r := range s.Results {
		switch {
		case r.Name == "":
		case r.Passed:
			passed++
		default:
			failed++
		}
	}
	return passed, failed
}

// Told writes a result to standard output, if that is a list.
func (o *Outputs) Told(r Result) error {
	if o.stdout != "list" {
		return nil
	}
	return writeResult(o.out, r)
}

// Finish writes everything.
func (o *Outputs) Finish(s *Summary) error {
	var err error
	if o.stdout == "list" {
		err = writeLast(o.out, s)
	} else {
		err = forms[o.stdout](o.out, *s)
	}
	if err != nil {
		return err
	}
	for i, f := range o.files {
		write := forms[f.form]
		if f.form == "list" {
			write = writeList
		}
		if err := write(f.file, *s); err != nil {
			return err
		}
		o.files[i].file = nil
		if err := f.file.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func writeList(w io.Writer, s Summary) error {
	for _, r := range s.Results {
		if r.Name == "" {
			continue
		}
		if err := writeResult(w, r); err != nil {
			return err
		}
	}
	return writeLast(w, &s)
}

func writeLast(w io.Writer, s *Summary) error {
	passed, failed := s.Count()
	text := fmt.Sprintf("%d scenarios: %d passed, %d failed", len(s.Results), passed, failed)
	if left := len(s.Results) - passed - failed; left > 0 {
		text += fmt.Sprintf(", %d not run", left)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// writeResult writes a line, and of one that failed what differs.
func writeResult(w io.Writer, r Result) error {
	verdict := "ok  "
	if !r.Passed {
		verdict = "FAIL"
	}
	var b strings.Builder
	took := time.Duration(r.Took * float64(time.Second)).Round(time.Millisecond)
	came := r.State
	if r.Code != "" {
		came += " " + r.Code
	}
	fmt.Fprintf(&b, "%s  %-44s %12s  %s\n", verdict, r.Name, took, came)
	var shown []string
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "      %s:%d: %s: %s\n", r.File, d.Line, d.Path, d.Text)
		if slices.Equal(shown, d.Context) {
			continue // it stands above
		}
		shown = d.Context
		for _, line := range d.Context {
			fmt.Fprintf(&b, "        %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeJSON(w io.Writer, s Summary) error {
	passed, failed := s.Count()
	out := struct {
		Schema string   `json:"schema"`
		Passed int      `json:"passed"`
		Failed int      `json:"failed"`
		NotRun int      `json:"notRun"`
		List   []Result `json:"scenarios"`
	}{Schema, passed, failed, len(s.Results) - passed - failed, []Result{}}
	for _, r := range s.Results {
		if r.Name != "" {
			out.List = append(out.List, r)
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

func writeJUnit(w io.Writer, s Summary) error {
	var list []report.Check
	for n, r := range s.Results {
		check := report.Check{Name: s.list[n].Name, Took: time.Duration(r.Took * float64(time.Second)), NotRun: r.Name == ""}
		if len(r.Differences) > 0 {
			first := r.Differences[0]
			check.Failure, check.Type = fmt.Sprintf("%s:%d: %s: %s", r.File, first.Line, first.Path, first.Text), first.Path
			var b strings.Builder
			_ = writeResult(&b, r) // a strings.Builder takes everything
			check.Details = b.String()
		}
		list = append(list, check)
	}
	return report.WriteJUnitChecks(w, "lpe scenario run", "lpe.scenario", s.Began, list)
}
