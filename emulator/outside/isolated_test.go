//go:build outside && linux

package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBootWithoutNetwork boots in a network namespace that has no interface but a loopback that is down, as
// `unshare -n` makes one: the lab needs no network at all.
func TestBootWithoutNetwork(t *testing.T) {
	lpe := filepath.Join(t.TempDir(), "lpe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", lpe, "../cmd/lpe").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, lab := range []string{"litware", "contoso"} {
		c := exec.CommandContext(t.Context(), lpe, "boot", "--lab", lab)
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if uid := os.Getuid(); uid != 0 {
			c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		}
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Result     : Success\n") {
			t.Errorf("lab %s: %v\n%s", lab, err, out)
		}
	}
}
