// Package matrix runs scenarios with the profiles of many firmwares, and compares what each of them does with what it did
// when it was accepted.
package matrix

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/run"
)

// What a cell of the table says.
const (
	Same      = "same"
	Different = "different"
	New       = "new"    // there is no baseline
	Unfit     = "unfit"  // the scenario cannot be meant for this profile, and never was
	NotRun    = "no run" // interrupted
)

// Cell is one scenario with one profile.
type Cell struct {
	Scenario    string               `json:"scenario"`
	Profile     string               `json:"profile"`
	Verdict     string               `json:"verdict"`
	Passed      bool                 `json:"passed"` // the scenario came out as it expects
	Why         string               `json:"why,omitempty"`
	Differences []compare.Difference `json:"differences"`

	took     time.Duration
	messages []exchange.Message
}

// OK reports whether nothing has to be looked at.
func (c Cell) OK() bool { return c.Verdict == Same || c.Verdict == Unfit }

// Table is what came of every scenario with every profile.
type Table struct {
	Began     time.Time
	Scenarios []string
	Profiles  []string
	Cells     []Cell // scenario by scenario
	Baseline  string // the directory

	baselines map[string]*Baseline
}

// Runner runs scenarios in virtual time with their messages in the results, such as [run.AllExchanges].
type Runner func(ctx context.Context, list []*format.Scenario, done func(n int, r run.Result) error) error

// Profiles are those that a pattern names: shipped ones, or files if the pattern ends in .yaml.
func Profiles(pattern string) ([]string, error) {
	var out []string
	if strings.HasSuffix(pattern, ".yaml") {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("profiles %q: %w", pattern, err)
		}
		out = files
	} else {
		for _, name := range configs.Profiles() {
			ok, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("profiles %q: %w", pattern, err)
			}
			if ok {
				out = append(out, name)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no profile is called %q, see 'lpe profile list'", pattern)
	}
	return out, nil
}

// ProfileName is what a table and a baseline call a profile.
func ProfileName(nameOrFile string) string {
	return strings.TrimSuffix(filepath.Base(nameOrFile), ".yaml")
}

// Run runs every scenario with every profile and compares with the baselines in dir.
func Run(ctx context.Context, scenarios []*format.Scenario, profiles []string, dir string, masks compare.Masks, all Runner) (*Table, error) {
	t := &Table{Began: time.Now(), Baseline: dir, baselines: map[string]*Baseline{}}
	for _, p := range profiles {
		name := ProfileName(p)
		if slices.Contains(t.Profiles, name) {
			return nil, fmt.Errorf("two profiles are called %s", name)
		}
		t.Profiles = append(t.Profiles, name)
	}
	var list []*format.Scenario
	var cells []int // of list
	for _, s := range scenarios {
		baseline, err := LoadBaseline(dir, s.Name)
		if err != nil {
			return nil, err
		}
		t.Scenarios, t.baselines[s.Name] = append(t.Scenarios, s.Name), baseline
		for i, p := range profiles {
			c := Cell{Scenario: s.Name, Profile: t.Profiles[i], Verdict: NotRun, Differences: []compare.Difference{}}
			as, err := format.ParseAs(s.File, s.Text, p)
			if err == nil {
				list, cells = append(list, as), append(cells, len(t.Cells))
			} else if problem := unfit(p, err); problem != nil {
				return nil, problem
			} else {
				c.Verdict, c.Why = Unfit, err.Error()
				if baseline.Profiles[c.Profile] != nil {
					c.Verdict = Different
				}
			}
			t.Cells = append(t.Cells, c)
		}
	}
	err := all(ctx, list, func(n int, r run.Result) error {
		t.judge(&t.Cells[cells[n]], r, masks)
		return nil
	})
	return t, err
}

// unfit is nil if a scenario cannot be meant for a profile, else what is wrong with the profile itself.
func unfit(profile string, err error) error {
	if _, broken := configs.ProfileOf(profile); broken != nil {
		return errors.Join(broken)
	}
	return nil
}

func (t *Table) judge(c *Cell, r run.Result, masks compare.Masks) {
	c.Passed, c.messages = r.Passed, canonical(r, masks)
	c.took = time.Duration(r.Took * float64(time.Second))
	known, ok := t.baselines[c.Scenario].Profiles[c.Profile]
	if !ok {
		c.Verdict = New
		return
	}
	c.Verdict, c.Differences = Same, append(c.Differences, compare.Compare(known, c.messages, masks)...)
	if len(c.Differences) > 0 {
		c.Verdict = Different
	}
}

// OK reports whether every cell is.
func (t *Table) OK() bool { return !slices.ContainsFunc(t.Cells, func(c Cell) bool { return !c.OK() }) }

// Accept makes what was run the baseline, and saves it. A cell that was the same, and one that was not run, stays as it was.
func (t *Table) Accept() error {
	changed := map[string]bool{}
	for _, c := range t.Cells {
		b := t.baselines[c.Scenario]
		switch {
		case c.messages != nil && c.Verdict != Same:
			b.Profiles[c.Profile] = c.messages
			changed[c.Scenario] = true
		case c.Verdict == Different:
			delete(b.Profiles, c.Profile)
			changed[c.Scenario] = true
		}
	}
	var errs []error
	for _, name := range t.Scenarios {
		if changed[name] {
			errs = append(errs, t.baselines[name].Save(t.Baseline))
		}
	}
	return errors.Join(errs...)
}

func pairs(base, want []exchange.Message, same func(a, b exchange.Message) bool) [][2]int {
	return compare.Align(len(base), len(want), func(a, b int) bool { return same(base[a], want[b]) })
}
