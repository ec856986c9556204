package importer_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/importer"
)

// Without tshark it is said what the computer lacks, and what is to be installed.
func TestWithoutTshark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boot.pcapng")
	if err := os.WriteFile(file, []byte("\x0a\x0d\x0d\x0a"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	_, err := importer.Read(t.Context(), file, importer.Options{})
	var lacks *rig.ComputerError
	if !errors.As(err, &lacks) || !strings.Contains(err.Error(), "apt-get install tshark") {
		t.Errorf("got %v", err)
	}
}
