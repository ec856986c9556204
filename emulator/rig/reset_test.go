package rig_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const resetQuestion = "The operation you have requested will erase all user-created date. Do you want to continue?" // handset.md §5.2 text 9

// TestReset: a reset is a power cut with keys held: the pool is told nothing, all that the user made is gone, and the
// handset boots cold, as the endpoint that it was (handset.md §5.5, §6).
func TestReset(t *testing.T) {
	for _, event := range []devicestate.Event{devicestate.HardReset, devicestate.FactoryReset} {
		t.Run(string(event), func(t *testing.T) {
			ready(t, func(s *setting) { s.UnlockPIN = secret.New("314159") }, func(x *signedIn) {
				before := x.load()
				if before.UnlockPIN == nil {
					x.t.Error("no unlock PIN")
				}
				var erased devicestate.Flash
				x.run.Timeline.Observe(func(o timeline.Observation) {
					if o.Kind == timeline.Transition && o.Text == string(devicestate.LinkDetect) {
						erased = x.load()
					}
				})
				x.run.Handset.Do(event)
				out := x.until(devicestate.Ready)
				x.wantPath(append([]devicestate.State{devicestate.Rebooting}, coldPath...))
				if asked := slices.Contains(x.glass(), resetQuestion); asked != (event == devicestate.HardReset) {
					x.t.Errorf("the glass shows %q", x.glass())
				}
				for _, text := range []string{"Expires 0", "SUBSCRIBE 2 "} {
					if got := x.saw(timeline.Sent, text); len(got) > 1 || len(got) == 1 && text == "SUBSCRIBE 2 " {
						x.t.Errorf("a reset sends %q", got) // in-band provisioning is asked for with Expires 0
					}
				}
				if got := x.poolSaw(timeline.Received, "signed off"); len(got) != 0 {
					x.t.Errorf("the pool saw %q", got)
				}
				if !erasedOf(erased) {
					x.t.Errorf("after the reset flash has %+v", erased)
				}
				after := x.load()
				if out.EPID != before.EPID || slices.Equal(after.Certificate, before.Certificate) || len(after.Chain) == 0 || !after.ClockKept {
					x.t.Errorf("epid %s then %s, or the old certificate, or no chain, or no clock", before.EPID, out.EPID)
				}
				if list := x.registrar().Registrations(); len(list) != 1 || list[0].State != registrar.Registered {
					x.t.Errorf("%+v", list)
				}
			})
		})
	}
}

// erasedOf reports whether nothing of the user or the pool is in flash.
func erasedOf(f devicestate.Flash) bool {
	return f.SIPAddress == "" && f.Number == "" && f.EPID == "" && f.PINForm == "" && len(f.Chain) == 0 && len(f.Certificate) == 0 && len(f.Key) == 0 &&
		f.Registrar == "" && f.OtherRegistrar == "" && len(f.RegistrarAddresses) == 0 && f.CertificateURL == "" && f.UpdateURL == "" &&
		f.UnlockPIN == nil && f.Refused == nil && !f.ClockKept && f.ClockOffset == 0
}

// TestResetAndFirmware: a hard reset keeps the firmware that an update installed, a factory reset brings back the one
// that the handset came with.
func TestResetAndFirmware(t *testing.T) {
	for event, factory := range map[devicestate.Event]bool{devicestate.HardReset: false, devicestate.FactoryReset: true} {
		ready(t, nil, func(x *signedIn) {
			x.Profile.UpdateInterval = time.Hour
			x.fault("update=image")
			x.run.Handset.Do(devicestate.Reboot)
			updated := x.until(devicestate.Ready).Profile.Name
			if updated == rig.DefaultProfile {
				x.t.Fatalf("no update\n%s", x.log())
			}
			x.mend("update=image")
			x.run.Handset.Do(event)
			want := updated
			if factory {
				want = rig.DefaultProfile
			}
			if got := x.until(devicestate.Ready).Profile.Name; got != want {
				x.t.Errorf("after %s the firmware is %s, want %s", event, got, want)
			}
		})
	}
}

// TestResetElsewhere resets a handset that is not Ready: it waits for somebody to sign in, looks for its pool, or failed.
func TestResetElsewhere(t *testing.T) {
	for name, before := range map[string]func(*signedIn){
		"signed out": func(x *signedIn) { x.run.Handset.Do(devicestate.SignOut); x.until(devicestate.SignIn) },
		"reconnecting": func(x *signedIn) {
			x.fault("register=pool-down")
			x.stay(10 * time.Minute)
			x.mend("register=pool-down")
		},
		"revoked": func(x *signedIn) {
			x.fault("ready=certificate-revoked")
			x.stay(10 * time.Minute)
			x.mend("ready=certificate-revoked")
		},
		"failed": func(x *signedIn) {
			x.fault("register=pool-down")
			x.stay(time.Minute)
			if err := x.run.Pool.Directory.Disable(firstSIP); err != nil {
				x.t.Error(err)
			}
			x.mend("register=pool-down")
			x.stay(time.Hour)
			if err := x.run.Pool.Directory.Enable(firstSIP); err != nil {
				x.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				before(x)
				x.forget()
				x.run.Handset.Do(devicestate.HardReset)
				x.until(devicestate.Ready)
				x.wantPath(append([]devicestate.State{devicestate.Rebooting}, coldPath...))
			})
		})
	}
}

// TestResetAfterAnotherCA: the root chain is learned at the first contact alone, so that a handset does not accept a pool
// with another CA before a hard reset (handset.md §6).
func TestResetAfterAnotherCA(t *testing.T) {
	flash, dir := &handset.MemoryFlash{}, t.TempDir()
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash, s.LabState = flash, filepath.Join(dir, "old.json")
		s.wantSuccess(s.boot())
	})
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash, s.LabState = flash, filepath.Join(dir, "new.json")
		other, err := prepared.Source(), error(nil) // other keys than the first lab's
		for range 6 {
			if _, err = other(2048); err != nil {
				t.Fatal(err)
			}
		}
		s.PoolKey = other
		x := &signedIn{setting: s, flash: flash, run: s.start()}
		if result := x.run.Boot(context.Background()); result.Code != "register.untrusted-chain" || result.Result != report.Failure {
			t.Errorf("code %q: %s", result.Code, result.Diagnosis)
		}
		x.run.Handset.Do(devicestate.HardReset)
		x.until(devicestate.Ready)
		if err := x.run.Close(); err != nil {
			t.Error(err)
		}
	})
}
