package rig_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const unlockPIN = "314159"

func withUnlockPIN(s *setting) { s.UnlockPIN = secret.New(unlockPIN) }

// do hands the handset what the user does, and lets time pass.
func (x *signedIn) do(u func(), d time.Duration) devicestate.Machine {
	x.t.Helper()
	u()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	out, err := x.run.Handset.Run(ctx, nil)
	if err != nil {
		x.t.Errorf("%v\n%s", err, x.log())
	}
	return out.Machine
}

// TestPhoneLock: after the time of the pool's policy the phone locks; then nobody signs out before the unlock PIN is
// entered, and calls come in all the same (handset.md §4, §5.5).
func TestPhoneLock(t *testing.T) {
	ready(t, withUnlockPIN, func(x *signedIn) {
		began := time.Now()
		nothing := func() {}
		if m := x.do(nothing, x.Lab.Phone.PhoneLockTimeout-3*time.Second); m.Locked { // it was last used at power-on
			x.t.Errorf("locked after %v", time.Since(began))
		}
		if m := x.do(nothing, 4*time.Second); !m.Locked || m.State != devicestate.Ready {
			x.t.Fatalf("machine %+v\n%s", m, x.log())
		}
		if m := x.do(func() { x.run.Handset.Do(devicestate.SignOut) }, time.Minute); m.State != devicestate.Ready || !m.Locked {
			x.t.Errorf("a locked phone signs out: %+v", m)
		}
		if m := x.do(func() { x.run.Handset.Unlock(secret.New("000000")) }, time.Minute); !m.Locked {
			x.t.Error("another PIN unlocks the phone")
		}
		x.wantSuccess(x.during(func() {
			if status, err := x.registrar().Probe(context.Background(), firstSIP, registrar.Probe{Method: "INVITE"}); status != 488 || err != nil {
				x.t.Errorf("a call to a locked phone: %d, %v", status, err)
			}
		}))
		if m := x.do(func() { x.run.Handset.Unlock(secret.New(unlockPIN)) }, time.Minute); m.Locked {
			x.t.Error("the unlock PIN does not unlock the phone")
		}
		if m := x.do(nothing, x.Lab.Phone.PhoneLockTimeout); !m.Locked {
			x.t.Error("not locked again")
		}
		if m := x.do(func() { x.run.Handset.Unlock(secret.New(unlockPIN)); x.run.Handset.Do(devicestate.SignOut) }, time.Minute); m.State != devicestate.SignIn || m.Locked {
			x.t.Errorf("machine %+v", m)
		}
		for _, text := range []string{"the phone is locked", "the phone is unlocked", "unlock PIN is wrong", "before Switch User"} {
			if len(x.saw(timeline.Note, text)) == 0 {
				x.t.Errorf("nothing tells %q\n%s", text, x.log())
			}
		}
	})
}

// TestPhoneLockByHand: the user locks the phone himself; a phone without an unlock PIN cannot be locked.
func TestPhoneLockByHand(t *testing.T) {
	ready(t, withUnlockPIN, func(x *signedIn) {
		if m := x.do(func() { x.run.Handset.Do(devicestate.PhoneLock) }, time.Second); !m.Locked {
			x.t.Errorf("machine %+v", m)
		}
	})
	ready(t, nil, func(x *signedIn) {
		if result := x.during(func() { x.run.Handset.Do(devicestate.PhoneLock) }); result.Code != "lpe.refused" || !strings.Contains(result.Diagnosis, "no-unlock-pin") {
			x.t.Errorf("code %q: %s", result.Code, result.Diagnosis)
		}
	})
}

// TestPhoneLockPolicy: when and whether the phone locks is the pool's to say.
func TestPhoneLockPolicy(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(*setting)
		locked  bool
		warning string
	}{
		{"not enforced", func(s *setting) { s.Lab.Phone.EnforcePhoneLock = false }, false, ""},
		{"timeout 0", func(s *setting) { s.Lab.Phone.PhoneLockTimeout = 0 }, false, ""},
		{"timeout 59 min", func(s *setting) { s.Lab.Phone.PhoneLockTimeout = 59 * time.Minute }, false, ""},
		{"timeout 1 min", func(s *setting) { s.Lab.Phone.PhoneLockTimeout = time.Minute }, true, ""},
		{"PIN too short", func(s *setting) { s.UnlockPIN = secret.New("31415") }, false, "provision.unlock-pin"},
		{"a shorter one will do", func(s *setting) { s.Lab.Phone.MinPhonePinLength, s.UnlockPIN = 4, secret.New("3141") }, true, ""},
		{"PIN too long", func(s *setting) { s.UnlockPIN = secret.New("3141592653589793") }, false, "provision.unlock-pin"},
		{"PIN of letters", func(s *setting) { s.UnlockPIN = secret.New("abcdef") }, false, "provision.unlock-pin"},
		{"no PIN", func(s *setting) { s.UnlockPIN = secret.Value{} }, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ready(t, func(s *setting) { withUnlockPIN(s); test.prepare(s) }, func(x *signedIn) {
				if m := x.do(func() {}, 30*time.Minute); m.Locked != test.locked {
					x.t.Errorf("locked %v, want %v\n%s", m.Locked, test.locked, x.log())
				}
				if got := hasWarning(x.first, "provision.unlock-pin"); got != (test.warning != "") {
					x.t.Errorf("warnings %v", x.first.Warnings)
				}
			})
		})
	}
}

// TestUnlockPINStays: it is the phone's: it outlives power and sign-out, not a hard reset, and stands nowhere as text.
func TestUnlockPINStays(t *testing.T) {
	ready(t, withUnlockPIN, func(x *signedIn) {
		set := x.load().UnlockPIN
		x.run.Handset.Do(devicestate.SignOut)
		x.until(devicestate.SignIn)
		x.run.Handset.Do(devicestate.PowerOff)
		x.until(devicestate.PoweredOff)
		if err := x.run.PowerOn(); err != nil {
			x.t.Fatal(err)
		}
		if m := x.until(devicestate.Ready).Machine; !m.Memory.UnlockPIN || m.Locked {
			x.t.Errorf("machine %+v", m)
		}
		if got := x.load().UnlockPIN; set == nil || got == nil || string(got.Sum) != string(set.Sum) {
			x.t.Errorf("unlock PIN %v then %v", set, got)
		}
		if m := x.do(func() {}, 11*time.Minute); !m.Locked {
			x.t.Error("not locked")
		}
		if m := x.do(func() { x.run.Handset.Unlock(secret.New(unlockPIN)) }, time.Second); m.Locked {
			x.t.Error("not unlocked")
		}
		kept, err := json.Marshal(x.load())
		if err != nil {
			x.t.Fatal(err)
		}
		if text := x.log() + x.poolLog() + string(kept) + fmt.Sprintf("%+v", x.run.Handset.Outcome()); strings.Contains(text, unlockPIN) {
			x.t.Error("the unlock PIN is told")
		}
	})
}

// TestSignedOutWhileLocked: what the pool decides does not wait for a PIN.
func TestSignedOutWhileLocked(t *testing.T) {
	ready(t, withUnlockPIN, func(x *signedIn) {
		x.do(func() { x.run.Handset.Do(devicestate.PhoneLock) }, time.Second)
		result := x.during(func() {
			if err := x.registrar().Deregister(context.Background(), firstSIP, registrar.Rejected); err != nil {
				x.t.Error(err)
			}
		})
		if result.Code != "ready.signed-out" || result.State != devicestate.SignIn {
			x.t.Errorf("code %q, state %s", result.Code, result.State)
		}
		if m := x.run.Handset.Outcome().Machine; m.Locked {
			x.t.Errorf("machine %+v", m)
		}
	})
}
