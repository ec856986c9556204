package wholefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/phone-edition/lpe/emulator/wholefile"
)

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "file")
	if _, err := wholefile.Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	for _, text := range []string{"old", "0123456789"} {
		if err := wholefile.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := wholefile.Read(path, 10)
		if err != nil || string(got) != text {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if _, err := wholefile.Read(path, 9); err == nil {
		t.Error("a file of one byte more than the limit was read")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode != 0o600 {
		t.Errorf("mode %04o", mode)
	}
}

// A write that fails leaves the old file and nothing else.
func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "inside"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Write(path, []byte("text")); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestWritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := wholefile.Writable(dir); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	file := filepath.Join(dir, "file")
	if err := wholefile.Write(file, nil); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Writable(file); err == nil {
		t.Error("a file was taken for a directory")
	}
	if _, err := wholefile.Read(dir, 10); err == nil {
		t.Error("a directory was read")
	}
}

// A file that is begun is not there before it is committed, and never if it is discarded.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	content := func() string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, end := range []struct {
		how  func(*wholefile.File) error
		want string
	}{{(*wholefile.File).Discard, "old"}, {(*wholefile.File).Commit, "new text"}} {
		file, err := wholefile.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"new ", "text"} {
			if _, err := file.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if got := content(); got != "old" {
			t.Errorf("before the end the file is %q", got)
		}
		if err := end.how(file); err != nil {
			t.Fatal(err)
		}
		if got := content(); got != end.want {
			t.Errorf("the file is %q, want %q", got, end.want)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
	for _, wrong := range []string{dir, filepath.Join(dir, "none", "report"), filepath.Join(path, "report")} {
		var failed *fs.PathError
		if _, err := wholefile.Create(wrong); !errors.As(err, &failed) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
