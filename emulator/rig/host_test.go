package rig_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// hosted is a lab's pool on ports of the computer that it picked, and a handset that uses the computer's own sockets.
type hosted struct {
	*setting
	pool *labpool.Pool
}

func newHosted(t *testing.T, faults ...string) *hosted {
	t.Helper()
	h := &hosted{setting: newSetting(t, "litware", rig.DefaultProfile)}
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: loopback, Port: func(string, uint16) uint16 { return 0 }})
	pool, err := labpool.Start(labpool.Config{
		Lab: h.Lab, Cable: cable, Services: &labpool.Services{}, Faults: faults, DialledNumber: h.Credentials.Number, NewKey: h.PoolKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
		if err := cable.Close(); err != nil {
			t.Error(err)
		}
	})
	h.pool = pool
	h.Options.Lab, h.Host = nil, true
	h.Target = handset.Target{FQDN: litwareFQDN, Port: pool.Registrars[0].Port(), Address: loopback}
	h.Authorities = slices.Concat(pool.Authority.Chains()...) // the root chain is not on port 80 here
	h.Network.DNS, h.Profile.TimeFallback = loopback, loopback.String()
	return h
}

// TestHost boots against a pool on the computer's own sockets, with neither privilege nor DHCP.
func TestHost(t *testing.T) {
	h := newHosted(t)
	result := h.boot()
	h.wantSuccess(result)
	if result.TargetURISource != "sts-uri" || !strings.HasPrefix(result.TargetURI, "https://"+litwareFQDN+":") || result.TargetAddress != "127.0.0.1" {
		t.Errorf("URL %s by %s, address %s", result.TargetURI, result.TargetURISource, result.TargetAddress)
	}
	for _, state := range result.States {
		switch state.State {
		case devicestate.LinkDetect, devicestate.VlanDiscover, devicestate.AddressAcquire, devicestate.RootChain:
			if state.Outcome != report.Skipped {
				t.Errorf("%s ended %s", state.State, state.Outcome)
			}
		}
	}
	for _, protocol := range []string{"lldp", "dhcp"} {
		for _, state := range devicestate.States() {
			if got := h.times(timeline.Sent, state, protocol, ""); len(got) > 0 {
				t.Errorf("%s in %s\n%s", protocol, state, h.log())
			}
		}
	}
	if !hasWarning(result, "time.no-answer") && h.times(timeline.Received, devicestate.TimeSync, "ntp", "") == nil {
		t.Errorf("no time, no warning: %v", result.Warnings)
	}
}

// TestHostRefusals: what a pool on real sockets refuses has the codes that it has on a Segment.
func TestHostRefusals(t *testing.T) {
	for fault, code := range map[string]string{
		"register=refused": "register.refused", "ticket=wrong-pin": "ticket.refused", "register=403": "register.403",
	} {
		t.Run(fault, func(t *testing.T) {
			h := newHosted(t, fault)
			h.Target.URI = h.pool.CertProvURL()
			if result := h.boot(); result.Code != code {
				t.Errorf("code %q, want %q: %s\n%s", result.Code, code, result.Diagnosis, h.log())
			}
		})
	}
}

// TestHostWithoutPort68: another program holds the port that discovery needs, so that nothing is sent.
func TestHostWithoutPort68(t *testing.T) {
	if holder, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 68}); err == nil {
		defer holder.Close()
	} // else it is forbidden, which comes to the same
	s := newSetting(t, "litware", rig.DefaultProfile)
	s.Options.Lab, s.Host = nil, true
	run, err := rig.Start(s.Options)
	if err == nil {
		run.Close()
		t.Fatal("started")
	}
	var lacks *rig.ComputerError
	if !errors.As(err, &lacks) || !strings.Contains(err.Error(), "--target-fqdn") {
		t.Errorf("%v", err)
	}
	if len(s.observed) > 0 {
		t.Errorf("observed %s", s.log())
	}
}
