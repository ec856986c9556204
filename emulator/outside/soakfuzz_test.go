//go:build peers && soak

package outside

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fuzzAtOnce is how many targets are fuzzed at the same time, each by one worker: twice the cores of a small
// machine, where so each target has half of its time.
const fuzzAtOnce = 4

// target is a fuzz target of a package.
type target struct{ name, dir, binary string }

// TestSoakFuzz fuzzes every target of the module for a time. What fails stays in the package's testdata, as `go test
// -fuzz` leaves it, and is to become a named row of a table.
func TestSoakFuzz(t *testing.T) {
	targets := fuzzTargets(t)
	fmt.Printf("soak.fuzz: %d targets, %s each, %d at the same time\n", len(targets), *soakFuzz, fuzzAtOnce)
	slots := make(chan struct{}, fuzzAtOnce)
	var all sync.WaitGroup
	runs := make([]int, len(targets))
	for i, one := range targets {
		slots <- struct{}{}
		all.Go(func() {
			runs[i] = one.fuzz(t)
			<-slots
		})
	}
	all.Wait()
	sum, least := 0, 0
	for i, n := range runs {
		if sum += n; n < runs[least] {
			least = i
		}
	}
	fmt.Printf("soak.fuzz: %d inputs, the fewest, %d, of %s\n", sum, runs[least], targets[least].name)
}

// fuzzTargets finds and builds them.
func fuzzTargets(t *testing.T) (out []target) {
	t.Helper()
	list := exec.Command("go", "list", "-json=Dir,ImportPath,TestGoFiles,XTestGoFiles", "../../...")
	text, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	name := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)
	builds := t.TempDir()
	for d := json.NewDecoder(strings.NewReader(string(text))); ; {
		var p struct {
			Dir, ImportPath           string
			TestGoFiles, XTestGoFiles []string
		}
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		binary := filepath.Join(builds, strings.ReplaceAll(p.ImportPath, "/", "_"))
		before := len(out)
		for _, file := range append(p.TestGoFiles, p.XTestGoFiles...) {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range name.FindAllSubmatch(text, -1) {
				out = append(out, target{string(found[1]), p.Dir, binary})
			}
		}
		if len(out) > before {
			finish(t, exec.Command("go", "test", "-c", "-fuzz=.", "-o", binary, p.ImportPath)) // with what guides the fuzzer
		}
	}
	if len(out) == 0 {
		t.Fatal("no fuzz target found")
	}
	return out
}

var (
	executed = regexp.MustCompile(`execs: (\d+)`)

	// overtime is how Go before 1.27 may end when the time is over, with nothing found (go.dev/issue/75804).
	overtime = regexp.MustCompile(`--- FAIL: Fuzz\w+ \([\d.]+s\)\n    context deadline exceeded\nFAIL\n$`)
)

// fuzz fuzzes one target and tells how many inputs were tried.
func (f target) fuzz(t *testing.T) (tried int) {
	ctx, cancel := context.WithTimeout(t.Context(), *soakFuzz+2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, f.binary, "-test.run=^$", "-test.fuzz=^"+f.name+"$", "-test.fuzztime="+soakFuzz.String(),
		"-test.fuzzminimizetime=20x", "-test.parallel=1", "-test.fuzzcachedir="+t.TempDir())
	c.Dir = f.dir
	out, err := c.CombinedOutput()
	if found := executed.FindAllSubmatch(out, -1); len(found) > 0 {
		tried, _ = strconv.Atoi(string(found[len(found)-1][1]))
	}
	if overtime.Match(out) {
		err = nil
	}
	if err != nil || tried == 0 {
		t.Errorf("%s of %s: %d inputs, %v\n%s", f.name, f.dir, tried, err, out)
	}
	return tried
}
