package configs

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// addSeeds gives a fuzz target the embedded files of a directory and inputs that have broken YAML readers.
func addSeeds(f *testing.F, pattern string) {
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		f.Fatal("no seeds:", pattern, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{
		"", "\n", "a", "a: b: c", "- - - -", "{", "[", "{a: [", "a: {b: c}}", "? a\n: b", "a: &x [*x]", "<<: {a: 1}", "%YAML 1.2", "--- \n---\n",
		"a: |\n  b\n c", "a: >-\n", "\"\\x", "'", "a: !!binary x", "a:\n\t- b", "users:\n  - name:", "{a: 1, a: 2}", "- {,}", "a: \"\\uD800\"",
		strings.Repeat("[", 100), strings.Repeat("{a: ", 100), strings.Repeat("- ", 100), "a: 08", "a: 0x", "a: 1e999", "a: .inf", "\x00", "\xff",
	} {
		f.Add([]byte(text))
	}
}

// checkProblems holds an error of a parser to its form: each problem with a text, within the file, and bounded.
func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("error %v (%T), Problems expected", err, err)
	}
	lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
	for _, p := range problems {
		if p.Text == "" || p.File == "" || p.Line < 0 || p.Line > lines+1 || len([]rune(p.Excerpt)) > maxExcerpt+1 {
			t.Fatalf("problem %#v of %d lines", p, lines)
		}
	}
}

func FuzzParseLab(f *testing.F) {
	addSeeds(f, "labs/*.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		lab, err := ParseLab("fuzz", data)
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		for _, u := range lab.Users {
			if u.PIN != "" && lab.Policy.Check(u.PIN, u.LineURI) != nil {
				t.Fatalf("accepted a PIN of %s that the policy forbids", u.Name)
			}
		}
		if lab.Text() == "" || len(lab.FrontEnds) == 0 || !lab.Network.Subnet.Contains(lab.Network.FirstLease) {
			t.Fatalf("accepted %+v", lab)
		}
		again, err := ParseLab("fuzz", lab.Format("again"))
		if err != nil || !reflect.DeepEqual(lab, again) {
			t.Fatalf("written and read again: %v\n%s", err, lab.Format())
		}
	})
}

func FuzzParseProfile(f *testing.F) {
	addSeeds(f, "profiles/*.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		profile, err := ParseProfile("fuzz", data, baseProfile)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v (%T), Problems expected", err, err)
			}
			return
		}
		for _, fact := range profile.Facts {
			if fact.Source == "" || fact.Provenance == "" {
				t.Fatalf("accepted %+v", fact)
			}
		}
	})
}

func FuzzParseFaults(f *testing.F) {
	addSeeds(f, "faults.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parseFaults("fuzz", data); err != nil {
			checkProblems(t, data, err)
		}
	})
}
