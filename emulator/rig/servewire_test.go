package rig_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/dhcpserver"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// shared is a cable that outlives who uses it.
type shared struct{ ethernet.Cable }

func (shared) Close() error { return nil }

// onWire serves a lab on a Segment that is the wire of an interface.
func onWire(t *testing.T, lab string, network bool) (*ethernet.Segment, rig.ServeOptions) {
	t.Helper()
	wire := ethernet.NewSegment(ethernet.Options{})
	t.Cleanup(func() {
		if err := wire.Close(); err != nil {
			t.Error(err)
		}
	})
	o := serveOptions(t, lab)
	o.Interface, o.Network, o.Cable = "eth0", network, shared{wire}
	return wire, o
}

// TestServeNetwork brings leases, VLAN, DNS and time to a wire, and a handset boots there as in the lab.
func TestServeNetwork(t *testing.T) {
	for _, lab := range configs.Labs() {
		t.Run(lab, func(t *testing.T) {
			t.Parallel()
			wire, o := onWire(t, lab, true)
			s := mustServe(t, o)
			b := newSetting(t, lab, rig.DefaultProfile)
			b.Options.Lab, b.Interface, b.Cable = nil, "eth0", shared{wire}
			b.Profile.PINForms = []string{"p2"}
			result := b.boot()
			b.wantSuccess(result)
			if result.TargetURI != s.Pool.CertProvURL() {
				t.Errorf("URL %s", result.TargetURI)
			}
		})
	}
}

// TestServeNetworkRefuses where another DHCP server is, on the native VLAN or on the voice VLAN.
func TestServeNetworkRefuses(t *testing.T) {
	for name, vlan := range map[string]uint16{"on interface eth0:": 0, "on interface eth0 in VLAN 200:": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, o := onWire(t, "contoso", true)
			station, err := wire.Join(ethernet.StationConfig{Name: "dhcp", MAC: net.HardwareAddr{2, 9, 9, 9, 9, 9}, Port: ethernet.Port{Access: vlan}})
			if err != nil {
				t.Fatal(err)
			}
			server := netip.MustParseAddr("10.30.200.9")
			if err := station.SetAddress(netip.PrefixFrom(server, 24), netip.Addr{}); err != nil {
				t.Fatal(err)
			}
			other, err := dhcpserver.Start(dhcpserver.Config{
				Station: station, Server: server, Subnet: netip.PrefixFrom(server, 24).Masked(), First: netip.MustParseAddr("10.30.200.100"), Leases: 9, LeaseTime: time.Hour,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			s, err := rig.Serve(t.Context(), o)
			var lacks *rig.ComputerError
			if err == nil || !errors.As(err, &lacks) || !strings.Contains(err.Error(), "DHCP server 10.30.200.9 is "+name) {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}

// TestServeInterrupted: Ctrl-C ends the listening for another DHCP server.
func TestServeInterrupted(t *testing.T) {
	_, o := onWire(t, "contoso", true)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if s, err := rig.Serve(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", s, err)
	}
}

// TestServeOnAWire: without the network nothing but INFORM is answered: whoever asks for an address gets none.
func TestServeOnAWire(t *testing.T) {
	wire, o := onWire(t, "litware", false)
	var mu sync.Mutex
	var observed []timeline.Observation
	o.Observers = append(o.Observers, func(o timeline.Observation) {
		mu.Lock()
		defer mu.Unlock()
		observed = append(observed, o)
	})
	s := mustServe(t, o)
	for _, a := range s.Ready.Addresses {
		if a.Service == "dns" || a.Service == "ntp" {
			t.Errorf("%+v", a)
		}
	}
	if got := at(t, s, "dhcp"); got != netip.MustParseAddrPort("10.20.0.10:67") {
		t.Errorf("DHCP at %s", got)
	}
	b := newSetting(t, "litware", rig.DefaultProfile)
	b.Options.Lab, b.Interface, b.Cable, b.Timeout = nil, "eth0", shared{wire}, 6*time.Second
	if result := b.boot(); result.Result != report.Failure || result.Code != "vlan.timeout" {
		t.Errorf("%s %s", result.Result, result.Code)
	}
	mu.Lock()
	defer mu.Unlock()
	dropped := 0
	for _, o := range observed {
		switch {
		case o.Protocol != "lldp" && o.Protocol != "dhcp":
		case o.Kind == timeline.Sent:
			t.Errorf("sent %s %s", o.Protocol, o.Text)
		case o.Kind == timeline.Dropped && strings.HasPrefix(o.Text, "DISCOVER: discovery.inform"):
			dropped++
		}
	}
	if dropped == 0 {
		t.Error("the handset's DISCOVER is not in the history")
	}
}

// TestServeAddressInUse: somebody else has the address of a machine of the lab.
func TestServeAddressInUse(t *testing.T) {
	wire, o := onWire(t, "litware", false)
	station, err := wire.Join(ethernet.StationConfig{Name: "printer", MAC: net.HardwareAddr{2, 9, 9, 9, 9, 9}})
	if err != nil {
		t.Fatal(err)
	}
	if err := station.SetAddress(netip.MustParsePrefix("10.20.0.10/24"), netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	s, err := rig.Serve(t.Context(), o)
	var lacks *rig.ComputerError
	if !errors.As(err, &lacks) || !strings.Contains(err.Error(), "10.20.0.10 is in use by 02:09:09:09:09:09: give the lab other addresses") {
		t.Errorf("%v, %v", s, err)
	}
}
