//go:build unix

package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the transcripts in README.md anew")

const readme = "../../../README.md"

// console is a block of README: commands after "$ ", and what they print where README shows it.
var console = regexp.MustCompile("(?s)```console\n(.*?)```\n")

// TestReadmeBlocks: what README shows to be typed is run by a test, here or, where it takes tshark or a pool and a
// wire, among the tests against software from elsewhere.
func TestReadmeBlocks(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for n, fence := range regexp.MustCompile("(?m)^ *```.*$").FindAllString(string(text), -1) {
		if opens := n%2 == 0; opens && !slices.Contains([]string{"```console", "```console pool", "```console tshark"}, fence) || !opens && fence != "```" {
			t.Errorf("block begins or ends with %s", fence)
		}
	}
}

// TestReadme runs every command of README, in order, in one directory, and compares what README shows of the output.
// Times differ from run to run. `make test` is this test's own caller: of its transcript the packages are compared.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	fresh := console.ReplaceAllFunc(text, func(block []byte) []byte {
		return []byte("```console\n" + transcript(t, root, dir, string(console.FindSubmatch(block)[1])) + "```\n")
	})
	if *update {
		if err := os.WriteFile(readme, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(steady(text), steady(fresh)); diff != "" {
		t.Errorf("README.md differs, -update writes it anew (-shown +is):\n%s", diff)
	}
}

// transcript runs the commands of one block and adds what they print if the block shows output.
func transcript(t *testing.T, root, dir, block string) string {
	t.Helper()
	shows := !onlyCommands(block)
	var out strings.Builder
	for line := range strings.Lines(block) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
		if !ok {
			continue
		}
		out.WriteString("$ " + command + "\n")
		printed := perform(t, root, dir, command)
		if shows {
			out.WriteString(printed)
		}
	}
	return out.String()
}

func onlyCommands(block string) bool {
	for line := range strings.Lines(block) {
		if !strings.HasPrefix(line, "$ ") {
			return false
		}
	}
	return true
}

// perform runs one command as a user would in a shell: make at the root, the rest in dir.
func perform(t *testing.T, root, dir, command string) string {
	t.Helper()
	if command == "make test" {
		return testOutput(t, root)
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", command)
	if c.Dir = dir; strings.HasPrefix(command, "make ") || strings.HasPrefix(command, "go build ") {
		c.Dir = root
		c.Args[2] = strings.Replace(command, "-o lpe", "-o "+filepath.Join(dir, "lpe"), 1)
	}
	c.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	var printed bytes.Buffer
	c.Stdout, c.Stderr = &printed, &printed
	err := c.Run()
	var exit *exec.ExitError
	failed := strings.Contains(command, "--fault ")
	if ok := err == nil && !failed || asExit(err, &exit) && failed && exit.ExitCode() == exitFailed; !ok {
		t.Errorf("%s: %v\n%s", command, err, &printed)
	}
	return printed.String()
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}

var testLine = regexp.MustCompile(`(?m)^(?:ok  |\?   )\t(\S+)\t.*$`)

// testOutput is what `make test` prints, with the times that README has: this test is a part of it.
func testOutput(t *testing.T, root string) string {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for _, match := range testLine.FindAllStringSubmatch(string(text), -1) {
		known[match[1]] = match[0]
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{len .TestGoFiles}} {{len .XTestGoFiles}}`, "./...")
	list.Dir = root
	packages, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	out := "go test ./...\n"
	for line := range strings.Lines(string(packages)) {
		name, counts, _ := strings.Cut(strings.TrimSpace(line), " ")
		untested := counts == "0 0"
		switch old := known[name]; {
		case old != "" && strings.HasPrefix(old, "?") == untested:
			out += old + "\n"
		case untested:
			out += "?   \t" + name + "\t[no test files]\n"
		default:
			out += "ok  \t" + name + "\t0.100s\n"
		}
	}
	return out
}

// steady takes out of a text what differs from run to run.
func steady(text []byte) string {
	out := string(text)
	for pattern, mark := range map[string]string{
		`(?m)^Latency    : 00:00:\d\d\.\d{7}$`: "Latency    : (time)",
		`(?m) +\d+\.\d{3} s  `:                 " (time)  ",
		`(?m) +\d+\.\d{3} s$`:                  " (time)",
		`(?m)\t\d+\.\d{3}s$`:                   "\t(time)",
		`=\d+\.\d{3}s;`:                        "=(time);",
		` in \d+\.\d{3} s \|`:                  " in (time) |",
		`completed in '\d+\.\d{7}' secs`:       "completed in (time)",
	} {
		out = regexp.MustCompile(pattern).ReplaceAllString(out, mark)
	}
	return out
}
