package importer

import (
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whoever has opened a connection and shows no more can be named, with all its addresses and the first frame that tells of it.
func TestNamedWhoOpenedConnections(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	c := &census{
		byMAC: map[string]*Party{}, byIP: map[netip.Addr]*Party{}, opened: map[netip.Addr]*Party{},
		left: []string{"3 frames are inside MPLS: they are not read."},
	}
	for i, source := range []string{"10.0.0.9:1", "10.0.0.3:1", "10.0.0.9:2"} {
		c.see(frame{Number: 7 + i, From: mac, TTL: 64, Source: addrPort(t, source), Target: addrPort(t, "10.0.0.1:80"), TCP: &segment{SYN: true}})
	}
	const nobody = ", and nobody who asks for an address or speaks to a registrar\n" +
		"3 frames are inside MPLS: they are not read. Capture on the phone's own wire, or at the pool."
	for name, want := range map[string]string{
		mac.String():        "MAC 02:00:00:00:00:01; IP 10.0.0.9, 10.0.0.3; first in frame 7",
		"10.0.0.3":          "MAC 02:00:00:00:00:01; IP 10.0.0.3; first in frame 8",
		"10.0.0.4":          "no handset is in the capture: none with IP address 10.0.0.4" + nobody,
		"02:00:00:00:00:02": "no handset is in the capture: none with MAC address 02:00:00:00:00:02" + nobody,
	} {
		got := ""
		if p, err := c.named(name); err != nil {
			got = err.Error()
		} else {
			got = p.String()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
