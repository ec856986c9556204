//go:build peers

package outside

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestBootOnTheWire boots a handset from the cable to Ready among servers from elsewhere; of the lab are web services and
// registrar alone, on the sockets of another host. tshark finds no fault with the handset's frames.
func TestBootOnTheWire(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, dhcp, dns string
		lldp            bool // the switch tells the voice VLAN
		vlan            bool // it is told, by LLDP or by DHCP
		tag             string
	}{
		{name: "native VLAN", dhcp: "isc", dns: "unbound"},
		{name: "native VLAN", dhcp: "kea", dns: "dnsmasq"},
		{name: "native VLAN", dhcp: "dnsmasq", dns: "unbound"},
		{name: "voice VLAN by LLDP", dhcp: "isc", dns: "dnsmasq", lldp: true, vlan: true, tag: "8100a0c8"},
		{name: "voice VLAN by DHCP", dhcp: "kea", dns: "unbound", vlan: true, tag: "810000c8"},
	} {
		t.Run(test.name+"/"+test.dhcp+"/"+test.dns, func(t *testing.T) {
			t.Parallel()
			a, vlan := newAccess(t), voiceVLAN
			server := a.native
			if test.vlan {
				server = a.voice
			}
			if test.lldp {
				startLLDPD(a.port, "trunk", "configure ports trunk med policy application voice tagged vlan 200 priority voice dscp 46")
			} else if test.vlan {
				dhcpServers[test.dhcp](a.native, litware.dhcp(t, test.dhcp, &vlan))
			}
			dhcpServers[test.dhcp](server, litware.dhcp(t, test.dhcp, nil))
			nameServers[test.dns](server, litware.names())
			startChrony(server)
			pool := startLitware(server)

			p := newBridged(t, a.client)
			p.Capture, p.CaptureSecrets = filepath.Join(t.TempDir(), "boot.pcapng"), true
			result := p.boot()
			p.wantSuccess(result)
			if result.TargetURISource != "option43" || result.User.SIPAddress != litwareSIP || len(result.Warnings) > 0 {
				t.Errorf("URL by %s, %s, warnings %v", result.TargetURISource, result.User.SIPAddress, result.Warnings)
			}
			wantSignedOff(t, pool, 1)
			wantCleanCapture(t, p.Capture)
			frames := a.fromTrunk()
			if native := len(frames[""]); len(frames[test.tag]) < 100 || test.tag != "" && len(frames) > 2 || test.lldp && native > 0 {
				t.Errorf("tags %v, want %q", tagsOf(frames), test.tag)
			}
		})
	}
}

// wantCleanCapture wants every protocol of a boot and no fault.
func wantCleanCapture(t *testing.T, path string) {
	t.Helper()
	if bad := faults(t, path); bad != "" {
		t.Errorf("tshark finds fault with:\n%s", bad)
	}
	protocols := tsharkFields(t, path, "frame", "frame.protocols")
	for _, p := range []string{"lldp", "arp", "dhcp", "dns", "ntp", "http", "tls", "sip"} {
		if !strings.Contains(protocols, ":"+p) {
			t.Errorf("no %s in the capture", p)
		}
	}
	if signedRegisters(t, path) == 0 {
		t.Error("the signed REGISTER is not in clear")
	}
}

// TestTwoBootsAtOnce has two commands on one interface: two MAC addresses, two leases, two endpoints.
func TestTwoBootsAtOnce(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	leases := startISC(server, litware.dhcp(t, "isc", nil))
	startNames(server, litware.names())
	startChrony(server)
	pool := startLitware(server)
	results := make(chan ran, 2)
	for n := range 2 {
		command := client.command(lpePath(), "boot", "--interface", "eth0", "--phone-or-ext", "1219", "--mac", fmt.Sprintf("00:04:f2:00:00:0%d", n+1), "-v")
		command.Env = append(command.Environ(), "LPE_PIN=0712")
		go func() { results <- end(t, command) }()
	}
	for range 2 {
		if r := <-results; r.code != 0 || !strings.Contains(r.out, "Result     : Success\n") {
			t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
		}
	}
	for n := range 2 {
		leases.says(fmt.Sprintf("DHCPACK on 10.77.0.10%d to 00:04:f2:00:00:0", n))
	}
	wantSignedOff(t, pool, 2)
}
