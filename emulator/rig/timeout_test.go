package rig_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestTimeout ends the boot while it waits. The code is that of the failure seen last there, else that of the stage.
func TestTimeout(t *testing.T) {
	for _, test := range []struct {
		fault   string
		timeout time.Duration
		code    string
		state   devicestate.State
		goesOn  string // how long the hardware would
	}{
		{"link=no-carrier", 5 * time.Second, "link.no-carrier", devicestate.LinkDetect, "without end"},
		{"link=silent", time.Second, "link.timeout", devicestate.LinkDetect, "waits 3s for a voice policy"},
		{"vlan=silent", 5 * time.Second, "vlan.timeout", devicestate.VlanDiscover, "12s"},
		{"address=silent", 3 * time.Second, "address.timeout", devicestate.AddressAcquire, "2m4s"},
		{"address=silent", 6 * time.Second, "address.no-offer", devicestate.AddressAcquire, "2m4s"},
		{"address=no-ack", 6 * time.Second, "address.no-ack", devicestate.AddressAcquire, "2m4s"},
		{"address=nak", 3 * time.Second, "address.nak", devicestate.AddressAcquire, "2m4s"},
		{"time=silent", 3 * time.Second, "time.timeout", devicestate.TimeSync, "4s"},
		{"discovery=silent", 10 * time.Second, "discovery.timeout", devicestate.PoolDiscover, "30s"},
		{"chain=timeout", 5 * time.Second, "chain.timeout", devicestate.RootChain, "8s"},
		{"chain=reset", 5 * time.Second, "chain.reset", devicestate.RootChain, "10s"},
		{"chain=http-500", 5 * time.Second, "chain.http-500", devicestate.RootChain, "10s"},
		{"ticket=timeout", 5 * time.Second, "ticket.timeout", devicestate.WebTicket, "8s"},
		{"ticket=refused", 5 * time.Second, "ticket.connection-refused", devicestate.WebTicket, "10s"},
		{"enroll=timeout", 5 * time.Second, "enroll.timeout", devicestate.Enroll, "8s"},
		{"enroll=http-500", 5 * time.Second, "enroll.http-500", devicestate.Enroll, "10s"},
		{"register=timeout", 5 * time.Second, "register.timeout", devicestate.Register, "8s"},
		{"register=503", 5 * time.Second, "register.503", devicestate.Register, "10s"},
		{"provision=timeout", 5 * time.Second, "provision.timeout", devicestate.Provision, "8s"},
	} {
		t.Run(test.fault+" "+test.timeout.String(), func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				s.Faults, s.Timeout = []string{test.fault}, test.timeout
				began := time.Now()
				result := s.boot()
				if took := time.Since(began); took > test.timeout+signOffLimit {
					t.Errorf("took %v", took)
				}
				if result.Result != report.Failure || result.Code != test.code || result.State != test.state || result.Stage != test.state.Stage() {
					t.Errorf("code %q, state %s, stage %q\n%s", result.Code, result.State, result.Stage, s.log())
				}
				if want := "The handset "; !strings.Contains(result.Diagnosis, want) || !strings.Contains(result.Diagnosis, test.goesOn) {
					t.Errorf("diagnosis %q does not tell how long the hardware goes on (%s)", result.Diagnosis, test.goesOn)
				}
			})
		})
	}
}

// TestTimeoutWithoutStage: a state that belongs to no stage gives a code all the same.
func TestTimeoutWithoutStage(t *testing.T) {
	for _, test := range []struct {
		event devicestate.Event
		state devicestate.State
	}{{devicestate.Reboot, devicestate.Rebooting}, {devicestate.PowerOff, devicestate.PoweredOff}} {
		t.Run(string(test.state), func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				s.Observers = append(s.Observers, func(o timeline.Observation) {
					if o.Kind == timeline.Transition && o.State == test.state {
						time.Sleep(time.Minute) // virtual: the time is over when the state begins
					}
				})
				run := s.start()
				run.Handset.Do(test.event)
				result := run.Boot(context.Background())
				if err := run.Close(); err != nil {
					t.Error(err)
				}
				if result.Code != "boot.timeout" || result.State != test.state || result.Stage != "" || result.Error == "" {
					t.Errorf("code %q, state %s, stage %q, error %q", result.Code, result.State, result.Stage, result.Error)
				}
				if strings.Contains(result.Diagnosis, "for each answer") {
					t.Errorf("diagnosis %q", result.Diagnosis)
				}
			})
		})
	}
}

func TestNoCredentials(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Credentials, s.Timeout = handset.Credentials{}, 10*time.Second
		result := s.boot()
		if result.Code != "sign-in.no-credentials" || result.State != devicestate.SignIn || !strings.Contains(result.Diagnosis, "without end") {
			t.Errorf("code %q, state %s: %s\n%s", result.Code, result.State, result.Diagnosis, s.log())
		}
	})
}

// TestRefusals: what has no use for an event ends the run under a name, and the endpoint is signed off.
func TestRefusals(t *testing.T) {
	for event, name := range map[devicestate.Event]string{
		devicestate.PhoneLock: "no-unlock-pin", devicestate.PhoneUnlock: "stale", devicestate.Retry: "stale", devicestate.PowerOn: "already-on",
	} {
		t.Run(string(event), func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				result := x.during(func() { x.run.Handset.Do(event) })
				if result.Code != "lpe.refused" || result.State != devicestate.Ready || result.Stage != devicestate.StageReady ||
					!strings.Contains(result.Diagnosis, string(event)) || !strings.Contains(result.Diagnosis, name) {
					x.t.Errorf("code %q, state %s, stage %q: %s", result.Code, result.State, result.Stage, result.Diagnosis)
				}
				x.close()
				x.wantSignOff()
			})
		})
	}
}

// TestExpectedUser compares the user that number and PIN belong to with the one expected.
func TestExpectedUser(t *testing.T) {
	for _, test := range []struct{ want, code string }{
		{"sip:second@litwareinc.com", "ticket.other-user"},
		{"sip:kenmyer@contoso.com", "ticket.other-user"},
		{firstSIP, ""},
		{"SIP:KenMyer@LitwareInc.com", ""},
		{"kenmyer@litwareinc.com", ""},
	} {
		t.Run(test.want, func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				flash := &handset.MemoryFlash{}
				s.Credentials.ExpectedSIP, s.Flash = test.want, flash
				result := s.boot()
				if result.Code != test.code {
					t.Fatalf("code %q, want %q: %s\n%s", result.Code, test.code, result.Diagnosis, s.log())
				}
				if test.code == "" {
					return
				}
				if result.State != devicestate.Failed || result.Stage != devicestate.StageTicket ||
					!strings.Contains(result.Diagnosis, firstSIP) || !strings.Contains(result.Diagnosis, test.want) {
					t.Errorf("state %s, stage %q: %s", result.State, result.Stage, result.Diagnosis)
				}
				f, err := flash.Load()
				if err != nil || f.SIPAddress != "" || len(f.Certificate) > 0 {
					t.Errorf("flash knows %q, %v", f.SIPAddress, err)
				}
				if result.User.SIPAddress != "" {
					t.Errorf("nobody signed in, the result names %q", result.User.SIPAddress)
				}
			})
		})
	}
}

// TestExpectedUserInFlash: a warm boot does not sign in somebody else than expected, and flash keeps who was.
func TestExpectedUserInFlash(t *testing.T) {
	flash, state := &handset.MemoryFlash{}, filepath.Join(t.TempDir(), "lab.json")
	for _, test := range []struct {
		want, code string
		enrolls    bool
	}{{"", "", true}, {"sip:second@litwareinc.com", "ticket.other-user", false}, {firstSIP, "", false}, {"", "", false}} {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Flash, s.LabState, s.Credentials.ExpectedSIP = flash, state, test.want
			if result := s.boot(); result.Code != test.code {
				t.Fatalf("%q expected: code %q, want %q\n%s", test.want, result.Code, test.code, s.log())
			}
			if got := slices.Contains(s.path(), devicestate.Enroll); got != test.enrolls {
				t.Errorf("%q expected: states %v", test.want, s.path())
			}
		})
	}
}
