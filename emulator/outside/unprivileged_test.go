//go:build peers

package outside

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// resolver has the namespace's programs resolve names at the DNS server of serverIP, and be of the domain
// (ip-netns(8): /etc/netns/NAME).
func (n *namespace) resolver(domain string) {
	n.t.Helper()
	dir := filepath.Join("/etc/netns", n.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		os.RemoveAll(dir)
		os.Remove("/etc/netns") // if it is empty
	})
	if err := os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte("search "+domain+"\nnameserver "+serverIP+"\n"), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// asNobody makes a command that runs in the namespace as a user without any privilege.
func (n *namespace) asNobody(name string, args ...string) *exec.Cmd {
	n.t.Helper()
	return n.command("setpriv", append([]string{
		"--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", name,
	}, args...)...)
}

// withPIN gives the command litware's first user's PIN.
func withPIN(c *exec.Cmd) *exec.Cmd {
	c.Env = append(c.Environ(), "LPE_PIN=0712")
	return c
}

// addressed gives the computer of the namespace itself an address of the wire.
func (n *namespace) addressed() {
	n.t.Helper()
	n.ip("address", "add", "10.77.0.2/24", "dev", "eth0")
}

// TestUnprivileged: an ordinary user boots with --host and --target-fqdn, without DHCP, and is told what --interface and
// discovery lack.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	client.addressed()
	client.resolver(litware.domain)
	leases := startISC(server, litware.dhcp(t, "isc", nil))
	startNames(server, litware.names())
	startChrony(server)
	pool := startLitware(server)

	r := end(t, withPIN(client.asNobody(lpePath(), "boot", "--host", "--target-fqdn", litware.pool, "--phone-or-ext", "1219")))
	if r.code != 0 || !strings.Contains(r.out, "Result     : Success\n") || !strings.Contains(r.out, "TargetFqdn : "+litware.pool+"\n") {
		t.Errorf("--host: exit %d\n%s%s", r.code, r.out, r.err)
	}
	wantSignedOff(t, pool, 1)
	if text, _ := leases.log.sofar(); strings.Contains(text, "DHCPINFORM") || strings.Contains(text, "DHCPDISCOVER") {
		t.Errorf("DHCP was asked:\n%s", text)
	}
	r = end(t, withPIN(client.asNobody(lpePath(), "boot", "--interface", "eth0", "--phone-or-ext", "1219")))
	wantLacking(t, r, "CAP_NET_RAW", "setcap cap_net_raw+ep", "--host")
	for _, args := range [][]string{{"boot", "--host", "--phone-or-ext", "1219"}, {"dhcp", "discover", "--host"}} {
		wantLacking(t, end(t, withPIN(client.asNobody(lpePath(), args...))), "UDP port 68", "permission denied", "--target-fqdn")
	}
}

// wantLacking wants exit code 3, and every text in what the command says.
func wantLacking(t *testing.T, r ran, texts ...string) {
	t.Helper()
	if r.code != 3 || strings.Contains(r.out, "Success") {
		t.Errorf("exit %d, want 3\n%s%s", r.code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("it does not say %q:\n%s", text, r.err)
		}
	}
}

// TestCapability: CAP_NET_RAW on the program's file is all that --interface needs.
func TestCapability(t *testing.T) {
	t.Parallel()
	client, _, pool := newSite(t)
	dir, err := os.MkdirTemp("", "lpe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "lpe")
	client.run("cp", lpePath(), program)
	client.run("setcap", "cap_net_raw+ep", program)
	command := client.command("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all", program, "boot", "--interface", "eth0", "--phone-or-ext", "1219")
	if r := end(t, withPIN(command)); r.code != 0 {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	wantSignedOff(t, pool, 1)
}

// TestHostDiscovers: with the privilege to use port 68 the computer's own address asks and boots; if another program
// has that port, the way without DHCP is offered.
func TestHostDiscovers(t *testing.T) {
	t.Parallel()
	client, _, pool := newSite(t)
	client.addressed()
	client.resolver(litware.domain)
	r := client.lpe("dhcp", "discover", "--host", "--timeout", "20s")
	if r.code != 0 || !strings.Contains(r.out, "INFORM MS-UC-Client, ") || strings.Contains(r.out, "DISCOVER") || !strings.Contains(r.out, "Pool    : "+litware.pool+"\n") {
		t.Errorf("discover: exit %d\n%s%s", r.code, r.out, r.err)
	}
	r = end(t, withPIN(client.command(lpePath(), "boot", "--host", "--phone-or-ext", "1219", "-v")))
	if r.code != 0 || !strings.Contains(r.err, "by option43") {
		t.Errorf("boot: exit %d\n%s%s", r.code, r.out, r.err)
	}
	wantSignedOff(t, pool, 1)

	var holder net.PacketConn
	client.do(func() {
		var err error
		if holder, err = net.ListenPacket("udp4", ":68"); err != nil {
			t.Fatal(err)
		}
	})
	defer holder.Close()
	for _, args := range [][]string{{"boot", "--host", "--phone-or-ext", "1219"}, {"dhcp", "discover", "--host"}} {
		wantLacking(t, end(t, withPIN(client.command(lpePath(), args...))), "UDP port 68", "address already in use", "--target-fqdn")
	}
}

// TestInterfaceLacks: each interface that cannot be joined is exit code 3, with what to use instead.
func TestInterfaceLacks(t *testing.T) {
	t.Parallel()
	client, server, _ := newSite(t)
	client.addressed()
	boot := func(args ...string) ran {
		t.Helper()
		return end(t, withPIN(client.command(lpePath(), append([]string{"boot", "--phone-or-ext", "1219", "--interface"}, args...)...)))
	}
	wantLacking(t, boot("eth9"), "interface eth9 does not exist", "name one of eth0", "--host")
	wantLacking(t, boot("lo"), "loopback", "--host")
	wantLacking(t, boot("eth0", "--target-fqdn", litware.pool, "--target-address", "10.77.0.2"), "10.77.0.2, which is this computer itself", "--host")

	wireless := client.command("unshare", "--mount", "sh", "-c", // the kernel's mark of a wireless interface
		"mount -t tmpfs none /sys/devices/virtual/net/eth0 && mkdir /sys/class/net/eth0/wireless && exec "+lpePath()+" boot --phone-or-ext 1219 --interface eth0")
	wantLacking(t, end(t, withPIN(wireless)), "interface eth0 is wireless", "name a wired Ethernet interface", "--host")

	server.ip("link", "set", "eth0", "down")
	wantLacking(t, boot("eth0"), "interface eth0 has no link", "cable")
	client.ip("link", "set", "eth0", "down")
	wantLacking(t, boot("eth0"), "interface eth0 is down", "ip link set eth0 up")
}
