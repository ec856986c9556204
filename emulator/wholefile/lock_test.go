//go:build unix || windows

package wholefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/phone-edition/lpe/emulator/wholefile"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, err := wholefile.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := wholefile.Lock(dir); !errors.Is(err, wholefile.ErrLocked) {
		t.Errorf("locked twice: %v, %v", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	third, err := wholefile.Lock(dir)
	if err != nil {
		t.Fatalf("after the end of the first: %v", err)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}
}

// TestLockSweeps: what an interrupted write has left goes, and nothing else.
func TestLockSweeps(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	if err := wholefile.Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state.json.new.123", "notes.txt", "news"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("ne"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := wholefile.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if got := filepath.Join(names...); got != filepath.Join("lock", "news", "notes.txt", "state.json") {
		t.Errorf("%v", names)
	}
	if text, err := wholefile.Read(path, 10); err != nil || string(text) != "old" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := wholefile.Lock(path); err == nil {
		t.Error("a file was locked as a directory")
	}
}
