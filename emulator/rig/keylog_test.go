package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyLogIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	for range 2 {
		f, err := openKeyLog(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("CLIENT_RANDOM 00 01\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "\n") != 2 {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{path, t.TempDir(), filepath.Join(t.TempDir(), "none", "keys")} {
		if _, err := openKeyLog(bad); err == nil {
			t.Errorf("%s was opened", bad)
		}
	}
}
