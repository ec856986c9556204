package rig_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const signOffLimit = 3 * time.Second

// close closes the run and returns how long that took.
func (x *signedIn) close() time.Duration {
	x.t.Helper()
	began := time.Now()
	if err := x.run.Close(); err != nil {
		x.t.Errorf("closing: %v", err)
	}
	return time.Since(began)
}

// TestInterruptWhenReady is Ctrl-C while the handset stays signed in.
func TestInterruptWhenReady(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.wantSuccess(x.during(func() {}))
		if took := x.close(); took > signOffLimit {
			x.t.Errorf("took %v", took)
		}
		x.wantSignOff()
		if got := x.registration(); got != registrar.SignedOff {
			x.t.Errorf("the pool has the endpoint as %q", got)
		}
	})
}

// TestInterruptWhenThePoolIsGone is Ctrl-C while nobody answers any more.
func TestInterruptWhenThePoolIsGone(t *testing.T) {
	for _, test := range []struct {
		name string
		lose func(*signedIn)
	}{
		{"no carrier at the front end", func(x *signedIn) { x.Cable.(labpool.Switch).SetCarrier(x.Lab.FrontEnds[0].FQDN, false) }},
		{"no carrier at the handset", func(x *signedIn) { x.Cable.(labpool.Switch).SetCarrier("handset", false) }},
		{"the front end knows the handset no more", func(x *signedIn) {
			if err := x.registrar().DropAssociations(context.Background()); err != nil {
				x.t.Error(err)
			}
		}},
		{"the front end has closed the connection", func(x *signedIn) {
			if err := x.registrar().Close(); err != nil {
				x.t.Error(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				test.lose(x)
				if took := x.close(); took > signOffLimit {
					x.t.Errorf("took %v\n%s", took, x.log())
				}
				if got := x.saw(timeline.Note, "signing off"); len(got) == 0 {
					x.t.Errorf("nothing tells that signing off failed\n%s", x.log())
				}
			})
		})
	}
}

// TestSignOutWhenThePoolIsGone: the handset signs out all the same.
func TestSignOutWhenThePoolIsGone(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.Cable.(labpool.Switch).SetCarrier(x.Lab.FrontEnds[0].FQDN, false)
		began := time.Now()
		x.run.Handset.Do(devicestate.SignOut)
		x.until(devicestate.SignIn)
		if took := time.Since(began); took > signOffLimit {
			x.t.Errorf("took %v", took)
		}
		x.wantErased(before)
		if got := x.saw(timeline.Sent, "REGISTER 5, Expires 0"); len(got) != 1 {
			x.t.Errorf("the registration is to be ended even when ending a subscription was not answered\n%s", x.log())
		}
	})
}

// booting starts a boot in the background and calls f when it has been in state for a while.
func booting(s *setting, state devicestate.State, f func(x *signedIn, cancel func())) (x *signedIn, result report.Result) {
	s.t.Helper()
	entered := make(chan struct{}, 1)
	s.Observers = append(s.Observers, func(o timeline.Observation) {
		if o.Kind == timeline.Transition && o.State == state {
			select {
			case entered <- struct{}{}:
			default:
			}
		}
	})
	x = &signedIn{setting: s, run: s.start()}
	x.run.Pool.Timeline.Observe(func(o timeline.Observation) {
		x.poolMu.Lock()
		defer x.poolMu.Unlock()
		x.pool = append(x.pool, o)
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan report.Result)
	go func() { ended <- x.run.Boot(ctx) }()
	<-entered
	time.Sleep(500 * time.Millisecond) // virtual
	synctest.Wait()
	cancelled := time.Now()
	f(x, cancel)
	result = <-ended
	if took := time.Since(cancelled); ctx.Err() != nil && took > signOffLimit {
		s.t.Errorf("the boot ended %v after the interruption", took)
	}
	return x, result
}

// TestInterruptInEachState is Ctrl-C while the handset waits there.
func TestInterruptInEachState(t *testing.T) {
	for _, test := range []struct {
		fault      string
		state      devicestate.State
		registered bool
	}{
		{fault: "link=no-carrier", state: devicestate.LinkDetect},
		{fault: "vlan=silent", state: devicestate.VlanDiscover},
		{fault: "address=silent", state: devicestate.AddressAcquire},
		{fault: "time=silent", state: devicestate.TimeSync},
		{fault: "discovery=silent", state: devicestate.PoolDiscover},
		{fault: "chain=timeout", state: devicestate.RootChain},
		{fault: "ticket=timeout", state: devicestate.WebTicket},
		{fault: "enroll=timeout", state: devicestate.Enroll},
		{fault: "register=timeout", state: devicestate.Register},
		{fault: "provision=timeout", state: devicestate.Provision, registered: true},
	} {
		t.Run(string(test.state), func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				s.Faults = []string{test.fault}
				x, result := booting(s, test.state, func(_ *signedIn, cancel func()) { cancel() })
				if result.Code != "boot.interrupted" || result.Stage != test.state.Stage() || result.State != test.state {
					x.t.Errorf("code %q, stage %q, state %s\n%s", result.Code, result.Stage, result.State, x.log())
				}
				if took := x.close(); took > signOffLimit {
					x.t.Errorf("took %v", took)
				}
				if got := x.poolSaw(timeline.Received, "signed off"); (len(got) == 1) != test.registered {
					x.t.Errorf("the pool saw sign-offs %q\n%s", got, x.poolLog())
				}
			})
		})
	}
}

// TestInterruptWhileRegistering interrupts at the very REGISTER that the pool answers with 200.
func TestInterruptWhileRegistering(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s.Observers = append(s.Observers, func(o timeline.Observation) {
			if o.Kind == timeline.Sent && o.Text == "REGISTER 4" {
				cancel()
			}
		})
		run := s.start()
		result := run.Boot(ctx)
		if result.Code != "boot.interrupted" || result.Stage != devicestate.StageRegister {
			s.t.Errorf("code %q, stage %q\n%s", result.Code, result.Stage, s.log())
		}
		if err := run.Close(); err != nil {
			s.t.Error(err)
		}
		for _, r := range run.Pool.Registrars[0].Registrations() {
			if r.State != registrar.SignedOff {
				s.t.Errorf("the endpoint stays %s\n%s", r.State, s.log())
			}
		}
		if got := s.saw(timeline.Sent, "REGISTER 5, Expires 0"); len(got) != 1 {
			s.t.Errorf("no sign-off\n%s", s.log())
		}
	})
}

// TestFailureAfterRegistrationSignsOff: whatever ends a boot, an endpoint that was registered is signed off.
func TestFailureAfterRegistrationSignsOff(t *testing.T) {
	t.Run("timeout in Provision", func(t *testing.T) {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Faults, s.Timeout = []string{"provision=timeout"}, 5*time.Second
			x, result := booting(s, devicestate.Provision, func(*signedIn, func()) {})
			if result.Code != "provision.timeout" || result.Stage != devicestate.StageProvision {
				x.t.Errorf("code %q, stage %q\n%s", result.Code, result.Stage, x.log())
			}
			if took := x.close(); took > signOffLimit {
				x.t.Errorf("took %v", took)
			}
			if got := x.poolSaw(timeline.Received, "signed off"); len(got) != 1 {
				x.t.Errorf("the pool saw sign-offs %q\n%s", got, x.poolLog())
			}
		})
	})
	t.Run("signed out in Provision", func(t *testing.T) {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Faults = []string{"provision=timeout"}
			x, result := booting(s, devicestate.Provision, func(x *signedIn, _ func()) {
				if err := x.registrar().Deregister(context.Background(), firstSIP, registrar.Rejected); err != nil {
					x.t.Error(err)
				}
			})
			if result.Code != "ready.signed-out" || result.State != devicestate.SignIn {
				x.t.Errorf("code %q, state %s\n%s", result.Code, result.State, x.log())
			}
			x.close()
			if got := x.poolSaw(timeline.Received, "signed off"); len(got) != 1 {
				x.t.Errorf("the pool saw sign-offs %q\n%s", got, x.poolLog())
			}
		})
	})
}

// TestInterruptInTheDailyQuery is Ctrl-C while a handset that stays signed in asks for updates.
func TestInterruptInTheDailyQuery(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Profile.UpdateInterval = 2 * time.Hour
		run := s.start()
		defer run.Close()
		s.wantSuccess(run.Boot(context.Background()))
		ctx, interrupt := context.WithTimeout(context.Background(), 7*time.Hour)
		defer interrupt()
		run.Timeline.Observe(func(o timeline.Observation) {
			if o.Kind == timeline.Transition && o.Text == string(devicestate.UpdateCheck) {
				interrupt()
			}
		})
		s.wantSuccess(run.Stay(ctx))
		if ctx.Err() != context.Canceled {
			t.Error("the handset asked for no update")
		}
	})
}

// whileRegistering boots, and has do called when the signed REGISTER is about to be sent. It returns how many REGISTERs
// there were.
func (s *setting) whileRegistering(do func(*handset.Handset)) (run *rig.Run, result report.Result, registers int) {
	due, done := make(chan struct{}), make(chan struct{})
	s.Observers = append(s.Observers, func(o timeline.Observation) {
		if o.State == devicestate.Register && o.Kind == timeline.Sent && o.Protocol == "sip" {
			if registers++; registers == 4 {
				close(due)
				<-done
			}
		}
	})
	run = s.start()
	go func() {
		<-due
		do(run.Handset)
		close(done)
	}()
	return run, run.Boot(context.Background()), registers
}

// TestEnterWhileRegistering: what interrupts a registration without ending it leaves one connection, one association and
// one endpoint behind.
func TestEnterWhileRegistering(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		run, result, registers := s.whileRegistering(func(h *handset.Handset) { h.Enter(s.Credentials) })
		s.wantSuccess(result)
		if registers <= 4 {
			s.t.Errorf("%d REGISTERs: the registration was not interrupted\n%s", registers, s.log())
		}
		synctest.Wait()
		held, err := run.Pool.Held(context.Background())
		if want := (registrar.Held{Connections: 1, Associations: 1, Dialogs: held.Registrars.Dialogs}); err != nil || held.Registrars != want {
			s.t.Errorf("the pool holds %+v, want %+v: %v\n%s", held.Registrars, want, err, s.log())
		}
		if err := run.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

// TestSignOutWhileRegistering: the pool may have registered the endpoint already, so that it is signed off.
func TestSignOutWhileRegistering(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		run, result, _ := s.whileRegistering(func(h *handset.Handset) { h.Do(devicestate.SignOut) })
		if result.State != devicestate.SignIn {
			s.t.Errorf("state %s\n%s", result.State, s.log())
		}
		list := run.Pool.Registrars[0].Registrations()
		if len(list) != 1 || list[0].State != registrar.SignedOff {
			s.t.Errorf("the pool has %+v\n%s", list, s.log())
		}
		if err := run.Close(); err != nil {
			s.t.Error(err)
		}
	})
}
