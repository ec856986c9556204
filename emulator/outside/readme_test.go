//go:build peers

package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
)

// poolBlock is a block of README whose commands take a pool and a wire.
var poolBlock = regexp.MustCompile("(?s)```console pool\n(.*?)```\n")

// TestReadmeOnTheWire runs the commands of README that need a pool, as an ordinary user does, in a directory with the
// program and the PIN: README's pool.contoso.com is litware's under another name.
func TestReadmeOnTheWire(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	place := site{"contoso.com", "pool.contoso.com"}
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	lab.Pool, lab.Web, lab.FrontEnds[0].FQDN, lab.SIPDomain, lab.DNSDomain = place.pool, place.pool, place.pool, place.domain, place.domain
	for i := range lab.Users {
		lab.Users[i].SIPAddress = strings.Replace(lab.Users[i].SIPAddress, "litwareinc.com", place.domain, 1)
	}
	client, server := newWire(t)
	client.addressed()
	client.resolver(place.domain)
	startISC(server, place.dhcp(t, "isc", nil))
	startNames(server, place.names())
	startChrony(server)
	startLLDPD(server, "eth0", "configure ports eth0 med policy application voice dscp 46")
	startLab(server, lab)

	dir, err := os.MkdirTemp("", "lpe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	client.run("cp", lpePath(), filepath.Join(dir, "lpe"))
	client.run("chown", "nobody", dir, filepath.Join(dir, "lpe"))
	shell := func(line string) *exec.Cmd {
		c := client.command("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all", "sh", "-c", line)
		if root, ok := strings.CutPrefix(line, "sudo "); ok {
			c = client.command("sh", "-c", root)
		}
		c.Dir = dir
		return c
	}
	if r := end(t, shell("(umask 077; echo 0712 > pin)")); r.code != 0 {
		t.Fatal(r.err)
	}
	commands := 0
	for _, block := range poolBlock.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if !ok {
				t.Errorf("README shows output: %s", line)
			}
			commands++
			c := shell(strings.Replace(line, "go run ./emulator/cmd/lpe", "./lpe", 1))
			if !strings.Contains(line, "--pin-file") { // which is asked for on the terminal
				c = withPIN(c)
			}
			if r := end(t, c); r.code != 0 {
				t.Errorf("%s: exit %d\n%s%s", line, r.code, r.out, r.err)
			}
		}
	}
	if commands < 5 {
		t.Errorf("README has %d such commands", commands)
	}
}
