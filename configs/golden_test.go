package configs

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", file, diff)
	}
}

func TestProfileText(t *testing.T) {
	p, err := LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "polycom-cx600-4.0.7577.4463.txt", p.FactTable(false))
	golden(t, "polycom-cx600-4.0.7577.4463-provenance.txt", p.FactTable(true))
}

func TestLabText(t *testing.T) {
	for _, name := range Labs() {
		lab, err := LoadLab(name)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", lab.Text())
		b, err := json.MarshalIndent(lab, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", string(b)+"\n")
	}
}
