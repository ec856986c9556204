//go:build outside || peers

package outside

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := filepath.Dir(lpePath()); dir != "." {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// lpePath is where the program was built, "" if it could not be. Anybody may execute it.
var lpePath = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "lpe")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ""
	}
	path := filepath.Join(dir, "lpe")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/lpe").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return ""
	}
	return path
})

// ran is a command that has ended.
type ran struct {
	out, err string
	code     int
}

func end(t *testing.T, c *exec.Cmd) ran {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{out.String(), errs.String(), c.ProcessState.ExitCode()}
}
