package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/emulator/trace"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// Form is an output form.
type Form string

// The output forms.
const (
	List   Form = "list"   // the labels of the cmdlet
	JSON   Form = "json"   // one object
	JSONL  Form = "jsonl"  // every event of the timeline as it comes, then the result, a line each
	JUnit  Form = "junit"  // XML for a CI server, a case each
	Nagios Form = "nagios" // one line of a monitoring plugin
	HTML   Form = "html"   // a page for people
)

// Forms lists them.
func Forms() []Form { return []Form{List, JSON, JSONL, JUnit, Nagios, HTML} }

// Outputs are where the results of a command go: in one form on standard output, in any number into files. A file is
// written whole or not at all. Use: [ParseOutputs], the fields, Open, then for each boot Begin, Observer and Record, at
// last Finish or Discard.
type Outputs struct {
	Many   bool          // many users: one summary on standard output instead of a result each; html shows the messages of failures
	Spaced bool          // labels of the list are those of the cmdlet's other style
	Warn   time.Duration // what is slower is a warning in the form nagios, 0: nothing is
	Mask   *Mask         // hides names in all of them, nil: they are shown

	stdout Form
	files  []outputFile
	out    io.Writer
	lines  []*trace.JSONLines
	cases  []*Case
}

type outputFile struct {
	form Form
	path string
	file *wholefile.File
}

// Files are the files with the flag that names each.
func (o *Outputs) Files() [][2]string {
	var out [][2]string
	for _, f := range o.files {
		out = append(out, [2]string{"-o " + string(f.form), f.path})
	}
	return out
}

// ParseOutputs reads FORM or FORM=FILE each. No form without file means list on standard output.
func ParseOutputs(values []string) (*Outputs, error) {
	o := &Outputs{}
	paths := map[string]bool{}
	for _, value := range values {
		name, path, toFile := strings.Cut(value, "=")
		form, err := parseForm(name)
		switch {
		case err != nil:
			return nil, err
		case toFile && path == "":
			return nil, fmt.Errorf("%s= names no file", name)
		case toFile && paths[path]:
			return nil, fmt.Errorf("%s is named twice", path)
		case toFile:
			paths[path] = true
			o.files = append(o.files, outputFile{form: form, path: path})
		case o.stdout != "":
			return nil, fmt.Errorf("%s and %s are both for standard output; give all but one a file, as in %s=FILE", o.stdout, form, form)
		default:
			o.stdout = form
		}
	}
	if o.stdout == "" {
		o.stdout = List
	}
	return o, nil
}

func parseForm(name string) (Form, error) {
	names := make([]string, 0, len(Forms()))
	for _, form := range Forms() {
		if string(form) == name {
			return form, nil
		}
		names = append(names, string(form))
	}
	last := len(names) - 1
	return "", fmt.Errorf("%s or %s expected, not %q", strings.Join(names[:last], ", "), names[last], name)
}

// Stdout is the form on standard output.
func (o *Outputs) Stdout() Form { return o.stdout }

// ToFiles reports whether anything goes into a file.
func (o *Outputs) ToFiles() bool { return len(o.files) > 0 }

// Detailed reports whether events are shown with their fields.
func (o *Outputs) Detailed() bool { return o.Has(JSONL) || o.Has(HTML) }

// Has reports whether a form is wanted, wherever it goes.
func (o *Outputs) Has(form Form) bool {
	if o.stdout == form {
		return true
	}
	for _, f := range o.files {
		if f.form == form {
			return true
		}
	}
	return false
}

// Open begins every file, so that one that cannot be written is found before anything is done.
func (o *Outputs) Open(stdout io.Writer) error {
	o.out = stdout
	if o.stdout == JSONL {
		o.lines = append(o.lines, trace.NewJSONLines(stdout))
	}
	for i := range o.files {
		f := &o.files[i]
		var err error
		if f.file, err = wholefile.Create(f.path); err != nil {
			return errors.Join(fmt.Errorf("output %s: %w", f.form, err), o.Discard())
		}
		if f.form == JSONL {
			o.lines = append(o.lines, trace.NewJSONLines(f.file))
		}
	}
	return nil
}

// Begin adds a boot. Reports show boots in the order in which they were begun.
func (o *Outputs) Begin(name string) *Case {
	c := &Case{Name: o.Mask.Text(name)}
	o.cases = append(o.cases, c)
	return c
}

// Observer takes what is observed of a boot. Boots may be observed at the same time.
func (o *Outputs) Observer(c *Case) func(timeline.Observation) {
	keep := o.Has(HTML)
	return o.Mask.Observer(func(seen timeline.Observation) {
		if seen.Message != "" {
			seen.Fields = exchange.Brief(seen.Fields)
		}
		if keep {
			c.keep(seen)
		}
		for _, lines := range o.lines {
			lines.Observe(seen)
		}
	})
}

// InTurn is for boots of one name that follow one another: observe takes what is observed of the present one, record its
// result, and the next begins.
func (o *Outputs) InTurn(name, party string) (observe func(timeline.Observation), record func(Result) error) {
	var c *Case
	var mu sync.Mutex
	present := func() *Case {
		mu.Lock()
		defer mu.Unlock()
		if c == nil {
			c = o.Begin(name)
		}
		return c
	}
	observe = func(seen timeline.Observation) { o.Observer(present())(seen) }
	record = func(r Result) error {
		done := present()
		if r.TargetAddress != "" {
			done.Name += " at " + r.TargetAddress
		}
		c = nil
		return o.Record(done, party, r)
	}
	return observe, record
}

// Record takes the result of a boot, again if it changes. Boots are recorded one at a time.
func (o *Outputs) Record(c *Case, party string, r Result) error {
	c.Result = o.Mask.Result(r).finished()
	if o.Many && r.Result == Success {
		c.forget()
	}
	var errs []error
	for _, lines := range o.lines {
		lines.Result(o.Mask.Text(party), c.Result)
		errs = append(errs, lines.Err())
	}
	if !o.Many {
		switch o.stdout {
		case List:
			errs = append(errs, o.writeList(o.out, c.Result))
		case JSON:
			errs = append(errs, WriteJSON(o.out, c.Result))
		}
	}
	return errors.Join(errs...)
}

// Finish writes what is written at the end, and puts the files in their places.
func (o *Outputs) Finish() error {
	var errs []error
	if o.Many || o.stdout != List && o.stdout != JSON {
		errs = append(errs, o.write(o.out, o.stdout))
	}
	for i := range o.files {
		f := &o.files[i]
		if err := o.write(f.file, f.form); err != nil {
			errs = append(errs, fmt.Errorf("output %s: %w", f.path, err), f.file.Discard())
		} else if err := f.file.Commit(); err != nil {
			errs = append(errs, fmt.Errorf("output %s: %w", f.path, err))
		}
		f.file = nil
	}
	for _, lines := range o.lines {
		errs = append(errs, lines.Err())
	}
	return errors.Join(errs...)
}

// Discard gives up the files that are not written yet.
func (o *Outputs) Discard() error {
	var errs []error
	for i := range o.files {
		if f := &o.files[i]; f.file != nil {
			errs = append(errs, f.file.Discard())
			f.file = nil
		}
	}
	return errors.Join(errs...)
}

// write writes all cases in one form; what is written as it comes has been written.
func (o *Outputs) write(w io.Writer, form Form) error {
	switch form {
	case List:
		return o.writeLists(w)
	case JSON:
		return writeJSONs(w, o.cases, o.Many)
	case JUnit:
		return WriteJUnit(w, o.cases)
	case Nagios:
		return WriteNagios(w, o.cases, o.Warn)
	case HTML:
		return WriteHTML(w, o.cases)
	}
	return nil
}

func (o *Outputs) writeList(w io.Writer, r Result) error {
	if o.Spaced {
		return WriteSpacedList(w, r)
	}
	return WriteList(w, r)
}

// State is what a monitoring system makes of all that came of it.
func (o *Outputs) State() MonitorState { return monitorState(o.cases, o.Warn) }

// Tally counts what came of it.
func (o *Outputs) Tally() Tally { return tally(o.cases) }
