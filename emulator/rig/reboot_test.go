package rig_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

var (
	warmPath = []devicestate.State{
		devicestate.LinkDetect, devicestate.AddressAcquire, devicestate.UpdateLookup, devicestate.TimeSync, devicestate.SignIn,
		devicestate.Register, devicestate.Provision, devicestate.UpdateCheck, devicestate.Ready,
	}
	coldPath = []devicestate.State{
		devicestate.LinkDetect, devicestate.AddressAcquire, devicestate.UpdateLookup, devicestate.TimeSync, devicestate.PoolDiscover,
		devicestate.SignIn, devicestate.RootChain, devicestate.WebTicket, devicestate.Enroll, devicestate.Register,
		devicestate.Provision, devicestate.UpdateCheck, devicestate.Ready,
	}
)

func (x *signedIn) wantPath(want []devicestate.State) {
	x.t.Helper()
	if got := x.path(); !slices.Equal(got, want) {
		x.t.Errorf("states %v, want %v\n%s", got, want, x.log())
	}
}

// TestReboot reboots by the user's wish: a warm boot with what flash holds.
func TestReboot(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.run.Handset.Do(devicestate.Reboot)
		out := x.until(devicestate.Ready)
		x.wantPath(append([]devicestate.State{devicestate.Rebooting}, warmPath...))
		x.wantSameEndpoint(before, out)
		if got := x.poolSaw(timeline.Received, "signed off"); len(got) != 1 {
			x.t.Errorf("sign-offs before the reboot: %q\n%s", got, x.poolLog())
		}
		if got := x.registration(); got != registrar.Registered {
			x.t.Errorf("the pool has the endpoint as %q", got)
		}
	})
}

func (x *signedIn) wantSameEndpoint(before devicestate.Flash, out handset.Outcome) {
	x.t.Helper()
	after := x.load()
	if out.EPID != before.EPID || !slices.Equal(after.Certificate, before.Certificate) || !slices.Equal(after.Key, before.Key) {
		x.t.Errorf("epid %s then %s, or another certificate", before.EPID, out.EPID)
	}
	if out.URLSource != "flash" || out.CertificateURL != x.first.TargetURI || out.Registrar != x.first.TargetFQDN {
		x.t.Errorf("%s by %s, registrar %s", out.CertificateURL, out.URLSource, out.Registrar)
	}
	if !after.ClockKept || after.ClockOffset.Abs() > time.Second {
		x.t.Errorf("clock kept %v, %v off", after.ClockKept, after.ClockOffset)
	}
	for _, text := range []string{"POST", "INFORM", "GetRootChain"} {
		for _, sent := range x.saw(timeline.Sent, text) {
			if sent != "POST /RequestHandler/ucdevice.upx" && sent != "POST /RequestHandlerExt/ucdevice.upx" {
				x.t.Errorf("a warm boot sends %q", sent)
			}
		}
	}
}

// TestPowerCut takes the power away: the pool is told nothing, and the next boot is warm.
func TestPowerCut(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.run.Handset.Do(devicestate.PowerOff)
		x.until(devicestate.PoweredOff)
		if got := x.saw(timeline.Sent, ""); len(got) != 0 {
			x.t.Errorf("a handset without power sends %q", got)
		}
		if got := x.registration(); got != registrar.Registered {
			x.t.Errorf("the pool has the endpoint as %q", got)
		}
		x.forget()
		if err := x.run.PowerOn(); err != nil {
			x.t.Fatal(err)
		}
		x.wantSameEndpoint(before, x.until(devicestate.Ready))
		x.wantPath(warmPath)
		if n := len(x.registrar().Registrations()); n != 1 {
			x.t.Errorf("%d registrations of one handset", n)
		}
	})
}

// TestColdBoot wipes flash while the power is off: everything is done again, and the endpoint is the same.
func TestColdBoot(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.run.Handset.Do(devicestate.PowerOff)
		x.until(devicestate.PoweredOff)
		x.forget()
		if err := x.flash.Save(devicestate.Flash{}); err != nil {
			x.t.Fatal(err)
		}
		if err := x.run.PowerOn(); err != nil {
			x.t.Fatal(err)
		}
		out := x.until(devicestate.Ready)
		x.wantPath(coldPath)
		after := x.load()
		if after.EPID != before.EPID {
			x.t.Errorf("epid %s then %s: one handset of one user is one endpoint", before.EPID, after.EPID)
		}
		if slices.Equal(after.Certificate, before.Certificate) {
			x.t.Error("the certificate of a wiped flash is back")
		}
		if out.URLSource != "option43" {
			x.t.Errorf("certificate URL by %s", out.URLSource)
		}
		if n := x.run.Pool.Directory.Attempts(firstSIP); n != 0 {
			x.t.Errorf("%d PIN failures counted", n)
		}
	})
}

// TestClockOverReboot: the clock that a time server set once holds in a warm boot, without one it is the cold date's.
func TestClockOverReboot(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.run.Handset.Do(devicestate.PowerOff)
		x.until(devicestate.PoweredOff)
		time.Sleep(signedInDays * 24 * time.Hour) // virtual
		x.forget()
		if err := x.run.PowerOn(); err != nil {
			x.t.Fatal(err)
		}
		x.until(devicestate.Ready)
		if after := x.load(); !after.ClockKept || (after.ClockOffset-before.ClockOffset).Abs() > time.Second {
			x.t.Errorf("offset %v then %v", before.ClockOffset, after.ClockOffset)
		}
	})
}

// TestUpdateOutlivesThePower installs an image; the next boot of another run, with the same flash, starts it.
func TestUpdateOutlivesThePower(t *testing.T) {
	flash, state := &handset.MemoryFlash{}, filepath.Join(t.TempDir(), "lab.json")
	var first report.Result
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash, s.LabState, s.Faults = flash, state, []string{"update=image"}
		first = s.boot()
		s.wantSuccess(first)
		if first.Handset.Profile == rig.DefaultProfile {
			t.Errorf("the handset still runs %s\n%s", first.Handset.Profile, s.log())
		}
	})
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash, s.LabState = flash, state
		result := s.boot()
		s.wantSuccess(result)
		if result.Handset != first.Handset {
			t.Errorf("first %+v, then %+v", first.Handset, result.Handset)
		}
		if got := s.path(); !slices.Equal(got, warmPath) {
			t.Errorf("states %v\n%s", got, s.log())
		}
	})
}
