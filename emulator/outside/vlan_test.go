//go:build peers

package outside

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestVLANByDHCP: without LLDP the server of the native VLAN tells the voice VLAN. The handset gives the lease back and
// begins again there, tagged.
func TestVLANByDHCP(t *testing.T) {
	t.Parallel()
	for server := range dhcpServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			a := newAccess(t)
			vlan := voiceVLAN
			leases := dhcpServers[server](a.native, contoso.dhcp(t, server, &vlan))
			dhcpServers[server](a.voice, contoso.dhcp(t, server, nil))
			startNames(a.voice, records{domain: "contoso.com", hosts: []string{verdictPool}})
			p := newBridged(t, a.client).quick()
			wantVoice(t, p.reach(devicestate.RootChain))
			if !p.saw(timeline.Note, "voice VLAN 200 by DHCP") {
				t.Error("the VLAN was not told")
			}
			leases.says(map[string]string{"isc": "DHCPRELEASE", "kea": "DHCP4_RELEASE ", "dnsmasq": "DHCPRELEASE"}[server])

			frames := a.fromTrunk()
			var kinds []byte // of DHCP messages on the native VLAN
			for _, frame := range frames[""] {
				kind, ok := dhcpKind(frame)
				if !ok {
					t.Errorf("on the native VLAN %x", frame)
				}
				kinds = append(kinds, kind)
			}
			if !slices.Equal(slices.Compact(kinds), []byte{1, 3, 7}) { // DISCOVER, REQUEST, RELEASE
				t.Errorf("DHCP messages %v on the native VLAN", kinds)
			}
			if len(frames) != 2 || len(frames["810000c8"]) < 6 {
				t.Errorf("tags %v", tagsOf(frames))
			}
		})
	}
}

// TestNoVLANByDHCP: a lease without sub-option 10 is kept.
func TestNoVLANByDHCP(t *testing.T) {
	t.Parallel()
	for server := range dhcpServers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			a := newAccess(t)
			dhcpServers[server](a.native, contoso.dhcp(t, server, nil))
			startNames(a.native, records{domain: "contoso.com", hosts: []string{verdictPool}})
			p := newBridged(t, a.client).quick()
			wantVoice(t, p.reach(devicestate.RootChain))
			frames, discovers := a.fromTrunk(), 0
			for _, frame := range frames[""] {
				if kind, ok := dhcpKind(frame); ok && kind == 1 {
					discovers++
				}
			}
			if len(frames) != 1 || discovers != 1 {
				t.Errorf("tags %v, %d DISCOVERs", tagsOf(frames), discovers)
			}
		})
	}
}

// wantVoice wants registrar and URL without a warning.
func wantVoice(t *testing.T, out handset.Outcome) {
	t.Helper()
	if out.Reported || out.Registrar != verdictPool || out.CertificateURL != verdictURL || len(discoveryWarnings(out)) > 0 {
		t.Errorf("%v, registrar %s, URL %s, warnings %v", out.Failure, out.Registrar, out.CertificateURL, out.Warnings)
	}
}

// dhcpKind is the message type of an untagged frame from port 68 to port 67; option 53 is the first.
func dhcpKind(frame []byte) (byte, bool) {
	if len(frame) < 14+20+8+243 || !bytes.Equal(frame[34:38], []byte{0, 68, 0, 67}) || !bytes.Equal(frame[282:284], []byte{53, 1}) {
		return 0, false
	}
	return frame[284], true
}

func tagsOf(frames map[string][][]byte) map[string]int {
	out := map[string]int{}
	for tag, list := range frames {
		out[tag] = len(list)
	}
	return out
}

// TestAddressInUse: another host has the address that the server offers. The handset declines it and gets the next one.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	server.ip("address", "add", "10.77.0.100/24", "dev", "eth0") // which is the first to be leased
	leases := startISC(server, contoso.dhcp(t, "isc", nil))
	startNames(server, records{domain: "contoso.com", hosts: []string{verdictPool}})
	p := newBridged(t, client).quick()
	p.Profile.ARPProbe = 3 * time.Second // an answer ends it
	wantVoice(t, p.reach(devicestate.RootChain))
	leases.says("DHCPDECLINE of 10.77.0.100")
	if !p.saw(timeline.Note, "address 10.77.0.101/24") || !p.saw(timeline.Diagnosis, "address.duplicate", "10.77.0.100 is in use by") {
		t.Error("the conflict was not seen")
	}
}
