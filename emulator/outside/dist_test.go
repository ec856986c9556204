//go:build outside

package outside

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// copyTree copies the files of the project, those that git does not ignore.
func copyTree(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), program(t, "git"), "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range strings.Split(strings.TrimRight(string(names), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A release built twice, in different places, is the same, names no place, and tells its version.
func TestDistIsReproducible(t *testing.T) {
	var sums []string
	for range 2 {
		dir := copyTree(t)
		build := exec.CommandContext(t.Context(), program(t, "make"), "dist", "DIST=linux/amd64", "VERSION=1.2.3")
		build.Dir, build.Env = dir, append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		dist := filepath.Join(dir, "dist")
		check := exec.CommandContext(t.Context(), program(t, "sha256sum"), "--check", "--strict", "SHA256SUMS")
		check.Dir = dist
		if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 1 {
			t.Errorf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(text))
		bin := filepath.Join(dist, "lpe-linux-amd64")
		content, err := os.ReadFile(bin)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(dir)) {
			t.Error("the program names the place where it was built")
		}
		version, err := exec.CommandContext(t.Context(), bin, "version").Output()
		if err != nil || !strings.HasPrefix(string(version), "lpe 1.2.3 ") {
			t.Errorf("version %q, %v", version, err)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds differ:\n%s\n%s", sums[0], sums[1])
	}
}

// The image takes nothing from a registry, and what it copies is what make dist builds and .dockerignore lets through.
func TestImageDefinition(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	from := regexp.MustCompile(`(?m)^FROM (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(from) != 1 || from[0][1] != "scratch" {
		t.Errorf("it is built from %q", from)
	}
	source := regexp.MustCompile(`(?m)^COPY (\S+) /lpe$`).FindStringSubmatch(string(text))
	if source == nil || strings.NewReplacer("${TARGETOS}", "linux", "${TARGETARCH}", "amd64").Replace(source[1]) != "dist/lpe-linux-amd64" {
		t.Errorf("it copies %q", source)
	}
	ignored, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil || string(ignored) != "*\n!dist/lpe-linux-*\n" {
		t.Errorf("%q, %v", ignored, err)
	}
	if user := regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`); !user.Match(text) {
		t.Error("it runs as root")
	}
}
