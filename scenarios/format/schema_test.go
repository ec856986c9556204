package format_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/phone-edition/lpe/scenarios/format"
)

var update = flag.Bool("update", false, "write the golden files anew")

const schemaFile = "../../docs/scenario.schema.json"

// TestSchema holds the schema that is shipped to the types. Whether library and schema agree is checked from outside.
func TestSchema(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaFile, format.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, format.Schema()) {
		t.Errorf("%s is not that of the types: run this test with -update", schemaFile)
	}
}
