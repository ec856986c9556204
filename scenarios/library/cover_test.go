package library_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/library"
)

func all(t *testing.T) []*format.Scenario {
	t.Helper()
	var list []*format.Scenario
	for _, name := range library.Names() {
		s, err := library.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// TestEveryFault: each fault of faults.yaml has a scenario of its own, which expects the code or the warning that the
// list names, something of glass, states or messages, and something of the pool.
func TestEveryFault(t *testing.T) {
	list, err := configs.Faults()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*format.Scenario{}
	for _, s := range all(t) {
		byName[s.Name] = s
	}
	for _, f := range list {
		s := byName["fault-"+strings.Replace(f.Name, "=", "-", 1)]
		if s == nil {
			t.Errorf("%s has no scenario", f.Name)
			continue
		}
		if !strikes(s, f.Name) {
			t.Errorf("%s: the fault does not strike", s.Name)
		}
		e := s.Expect
		if len(e.States) == 0 || e.Result == nil || len(e.Pool) == 0 {
			t.Errorf("%s says nothing of states, result or pool", s.Name)
		}
		code := f.CodeIn(s.Pool.Name)
		if strings.HasPrefix(f.Name, "web=") || f.Name == "register=pool-down" {
			continue // what they give depends on what is asked for first
		}
		if code == "" {
			code = f.Warning
		}
		told := strings.Join(e.Codes, " ")
		if code != "" && !strings.Contains(told, code) {
			t.Errorf("%s expects the codes %q, and %s gives %s", s.Name, told, f.Name, code)
		}
	}
}

func strikes(s *format.Scenario, name string) bool {
	texts := []string{}
	for _, f := range s.Faults {
		texts = append(texts, f.Fault)
	}
	for _, step := range s.Steps {
		texts = append(texts, step.Fault)
	}
	for _, text := range texts {
		if f, err := faults.Parse(text); err == nil && f.Name == name {
			return true
		}
	}
	return false
}

// TestEveryFamily: there is a scenario with a handset of each family, and one in each lab.
func TestEveryFamily(t *testing.T) {
	families, labs := map[string]bool{}, map[string]bool{}
	for _, s := range all(t) {
		families[s.Profile.Family], labs[s.Pool.Name] = true, true
	}
	for _, name := range configs.Profiles() {
		p, err := configs.LoadProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !families[p.Family] {
			t.Errorf("no scenario has a handset of the family %s", p.Family)
		}
	}
	for _, lab := range configs.Labs() {
		if !labs[lab] {
			t.Errorf("no scenario is in lab %s", lab)
		}
	}
}

// TestEveryVerb: each thing that a step can do is done in a scenario.
func TestEveryVerb(t *testing.T) {
	done := map[string]bool{}
	for _, s := range all(t) {
		for _, step := range s.Steps {
			done[step.Verb] = true
		}
	}
	for _, verb := range format.Verbs() {
		if !done[verb] {
			t.Errorf("no scenario does %s", verb)
		}
	}
}

var head = regexp.MustCompile(`(?m)^(name|description|source): .*\n`)

// named is a fault by its name.
var named = regexp.MustCompile(`\b[a-z]+=[a-z0-9-]+`)

// TestNoCopies: no scenario is another one with another name, or with another fault of which nothing is seen.
func TestNoCopies(t *testing.T) {
	list := all(t)
	if len(list) < 60 {
		t.Errorf("%d scenarios", len(list))
	}
	said, done := map[string]string{}, map[string]string{}
	for _, s := range list {
		text := named.ReplaceAllString(head.ReplaceAllString(string(s.Text), ""), "a fault")
		if other, ok := done[text]; ok {
			t.Errorf("%s is a copy of %s", s.Name, other)
		}
		if other, ok := said[s.Description]; ok {
			t.Errorf("%s says the same of itself as %s", s.Name, other)
		}
		done[text], said[s.Description] = s.Name, s.Name
	}
}
