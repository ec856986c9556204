//go:build peers

package outside

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/timeserver"
)

// TestServedNetwork boots a handset on one end of a wire against a lab on the other: its own leases, the voice VLAN by
// LLDP-MED or none, DNS and time, with real frames.
func TestServedNetwork(t *testing.T) {
	for lab, c := range map[string]struct{ number, pin, vlan string }{
		"litware": {"1219", "0712", "untagged"},
		"contoso": {"4034", "73915", "VLAN 200"},
	} {
		t.Run(lab, func(t *testing.T) {
			client, server := newWire(t)
			pool := server.start(lpePath(), "pool", "serve", "--lab", lab, "--interface", "eth0", "--serve-network")
			pool.says("Other computers can reach this pool")
			got := client.lpe("boot", "--interface", "eth0", "--phone-or-ext", c.number, "--pin", c.pin, "-v")
			if got.code != 0 || !strings.Contains(got.err, c.vlan) {
				t.Errorf("exit %d\n%s%s", got.code, got.err, got.out)
			}
			pool.stop()
			if code := pool.command.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the pool ended with %d", code)
			}
		})
	}
}

// startNeighbour starts what a network has besides the pool, in a namespace: dnsmasq, which leases addresses of the
// litware lab's network and knows the pool's name, and a time server.
func startNeighbour(n *namespace) {
	n.t.Helper()
	n.ip("address", "add", "10.20.0.1/24", "dev", "eth0")
	conf := writeFile(n.t, "dnsmasq.conf", fmt.Sprintf(`
interface=eth0
bind-interfaces
no-resolv
no-hosts
no-ping
dhcp-range=10.20.0.100,10.20.0.150,255.255.255.0,10m
dhcp-option=option:ntp-server,10.20.0.1
domain=litwareinc.com
address=/atl-cs-001.litwareinc.com/10.20.0.10
dhcp-leasefile=%s
`, filepath.Join(n.t.TempDir(), "leases")))
	n.start("dnsmasq", "--keep-in-foreground", "--user=root", "--conf-file="+conf, "--pid-file="+filepath.Join(n.t.TempDir(), "pid"), "--log-facility=-").says("started")
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: netip.MustParseAddr("10.20.0.1")})
	n.do(func() {
		station, err := cable.Join(ethernet.StationConfig{Name: "time", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}})
		if err != nil {
			n.t.Fatal(err)
		}
		clock, err := timeserver.Start(timeserver.Config{Station: station})
		if err != nil {
			n.t.Fatal(err)
		}
		n.t.Cleanup(func() {
			if err := errors.Join(clock.Close(), cable.Close()); err != nil {
				n.t.Error(err)
			}
		})
	})
}

// TestServedBesideDHCP: the network's own server leases the address, the registrar answers INFORM, and the handset finds
// both.
func TestServedBesideDHCP(t *testing.T) {
	client, server := newWire(t)
	startNeighbour(server)
	pool := server.start(lpePath(), "pool", "serve", "--interface", "eth0")
	pool.says("Other computers can reach this pool")
	got := client.lpe("boot", "--interface", "eth0", "--phone-or-ext", "1219", "--pin", "0712", "-v")
	for _, want := range []string{"Result     : Success", "TargetFqdn : atl-cs-001.litwareinc.com"} {
		if !strings.Contains(got.out, want) {
			t.Fatalf("no %q in\n%s%s", want, got.err, got.out)
		}
	}

	// What the lab has no ears for is told: 802.1X, and a port that nobody listens on.
	rawSocket(t, client).send("0180c2000003" + "0004f2010203" + "888e" + "01010000")
	pool.says("frame of EtherType 888e to 01:80:c2:00:00:03: 01010000")
	client.ip("address", "add", "10.20.0.99/24", "dev", "eth0")
	client.do(func() {
		if conn, err := net.DialTimeout("tcp4", "10.20.0.10:8080", readyWithin); err == nil {
			conn.Close()
			t.Error("somebody listens on port 8080")
		}
	})
	pool.says("TCP connection to port 8080 of 10.20.0.10")
}

// TestServedNetworkRefused: where somebody else leases addresses the lab does not.
func TestServedNetworkRefused(t *testing.T) {
	client, server := newWire(t)
	startNeighbour(client)
	got := server.lpe("pool", "serve", "--interface", "eth0", "--serve-network")
	if got.code != 3 || !strings.Contains(got.err, "DHCP server 10.20.0.1 is on interface eth0") {
		t.Errorf("exit %d\n%s%s", got.code, got.err, got.out)
	}
}
