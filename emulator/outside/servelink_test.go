//go:build peers

package outside

import (
	"strings"
	"testing"
	"time"
)

// TestServedLink: a pool on an interface tells that the cable was pulled, serves on when it is back, and ends with what
// is wrong when the interface is taken out of the computer.
func TestServedLink(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	pool := server.start(lpePath(), "pool", "serve", "--interface", "eth0", "--serve-network")
	pool.says("Other computers can reach this pool")
	boot := func() ran {
		return client.lpe("boot", "--interface", "eth0", "--phone-or-ext", "1219", "--pin", "0712")
	}
	client.ip("link", "set", "eth0", "down")
	pool.says("interface eth0 has no link: plug in its cable, or look at the other end; until then the pool reaches nobody")
	client.ip("link", "set", "eth0", "up")
	pool.says("interface eth0 has link again")
	if got := boot(); got.code != 0 {
		t.Errorf("after the link is back: exit %d\n%s%s", got.code, got.err, got.out)
	}
	server.ip("link", "delete", "eth0")
	select {
	case <-pool.ended:
	case <-time.After(stopWithin):
		t.Fatal("the pool goes on without its interface")
	}
	text, _ := pool.log.sofar()
	if code := pool.command.ProcessState.ExitCode(); code != 3 || !strings.Contains(text, "lpe: interface eth0 was removed: start again when it is back\n") {
		t.Errorf("exit %d\n%s", code, text)
	}
}
