//go:build outside

package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
)

// What is written for CI servers is valid against the schema of JUnit XML, whatever came of the boots.
func TestJUnitIsValid(t *testing.T) {
	failed := report.Result{Result: report.Failure, Code: "ticket.refused", Error: "<&> \x01 \"", Diagnosis: "two\nlines ]]>"}
	for name, results := range map[string][]report.Result{
		"none": {}, "not run": {{}}, "success": {{Result: report.Success}},
		"all": {{Result: report.Success}, failed, {Result: report.Failure, Code: string(devicestate.CodeInterrupted)}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "junit.xml")
			outputs, err := report.ParseOutputs([]string{"junit=" + file})
			if err != nil {
				t.Fatal(err)
			}
			outputs.Many = true
			if err := outputs.Open(&strings.Builder{}); err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				boot := outputs.Begin(" 1219  with blanks ")
				if err := outputs.Record(boot, "handset", r); err != nil {
					t.Fatal(err)
				}
			}
			if err := outputs.Finish(); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), program(t, "xmllint"), "--noout", "--schema", "testdata/junit.xsd", file).CombinedOutput(); err != nil {
				text, _ := os.ReadFile(file)
				t.Errorf("%v\n%s%s", err, out, text)
			}
		})
	}
}
