package report_test

import (
	"os"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
)

const diagnosesPage = "../../docs/diagnoses.md"

func defaultProfile(t *testing.T) *configs.Profile {
	t.Helper()
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// TestDiagnosesPage compares docs/diagnoses.md with the catalogue, or writes it under -update.
func TestDiagnosesPage(t *testing.T) {
	got, err := report.DiagnosesPage(defaultProfile(t))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(diagnosesPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(diagnosesPage)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(want), "\r\n", "\n") != got {
		t.Errorf("%s is not what the catalogue says, 'make docs' writes it anew", diagnosesPage)
	}
	for _, d := range diagnoses(t) {
		if !strings.Contains(got, "\n### "+string(d.Code)+"\n") {
			t.Errorf("the page has no %s", d.Code)
		}
	}
}

func TestExplain(t *testing.T) {
	profile := defaultProfile(t)
	for _, code := range []devicestate.Code{"ticket.refused", "chain.off"} {
		e, ok := report.Explain(code, profile)
		if !ok {
			t.Fatalf("%s is not explained", code)
		}
		golden(t, "explain-"+string(code)+".txt", e.String())
	}
	if _, ok := report.Explain("ticket.nonsense", profile); ok {
		t.Error("a code that does not exist is explained")
	}
	table, err := report.DiagnosisTable()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(table, "\n"), len(diagnoses(t)); got != want {
		t.Errorf("%d lines of %d codes", got, want)
	}
}
