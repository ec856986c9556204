//go:build outside

package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tsharkBlock is a block of README whose commands take tshark.
var tsharkBlock = regexp.MustCompile("(?s)```console tshark\n(.*?)```\n")

// TestReadmeWithTshark runs the commands of README that read captures, in order, in one directory. All succeed, and where
// two things are compared they do not differ: nothing is printed.
func TestReadmeWithTshark(t *testing.T) {
	program(t, "tshark")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(lpePath(), filepath.Join(dir, "lpe")); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, block := range tsharkBlock.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if !ok {
				t.Errorf("README shows output: %s", line)
			}
			commands++
			c := exec.CommandContext(t.Context(), "sh", "-c", line)
			c.Dir = dir
			r := end(t, c)
			if r.code != 0 || strings.Contains(line, " diff ") && r.out != "" {
				t.Errorf("%s: exit %d\n%s%s", line, r.code, r.out, r.err)
			}
		}
	}
	if commands < 4 {
		t.Errorf("README has %d such commands", commands)
	}
}
