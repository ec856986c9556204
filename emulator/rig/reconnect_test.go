package rig_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// reconnectPath is the way back over the registrar that flash knows.
var reconnectPath = []devicestate.State{devicestate.Register, devicestate.Provision, devicestate.UpdateCheck, devicestate.Ready}

const retryingText = "Cannot connect to the server. Retrying. If the problem continues, contact your support team."

// losses are ways to lose the connection, and to have the pool back.
var losses = []struct {
	name       string
	within     time.Duration // it is noticed: at once, or at a refresh that is not answered
	lose, mend func(*signedIn)
}{
	{"front end stopped", time.Second, func(x *signedIn) { x.fault("register=pool-down") }, func(x *signedIn) { x.mend("register=pool-down") }},
	{"front end silent", 10 * time.Minute, func(x *signedIn) { x.carrier(x.Lab.FrontEnds[0].FQDN, false) }, func(x *signedIn) { x.carrier(x.Lab.FrontEnds[0].FQDN, true) }},
	{"cable unplugged", 10 * time.Minute, func(x *signedIn) { x.carrier(handsetStation, false) }, func(x *signedIn) { x.carrier(handsetStation, true) }},
	{"503 to each refresh", 10 * time.Minute, func(x *signedIn) { x.fault("register=503") }, func(x *signedIn) { x.mend("register=503") }},
}

func (x *signedIn) carrier(station string, up bool) { x.Cable.(labpool.Switch).SetCarrier(station, up) }

func (x *signedIn) fault(name string) {
	x.t.Helper()
	if err := x.run.Pool.SetFault(name, ""); err != nil {
		x.t.Fatal(err)
	}
}

func (x *signedIn) mend(name string) {
	x.t.Helper()
	if _, err := x.run.Pool.ClearFault(name); err != nil {
		x.t.Fatal(err)
	}
}

// TestReconnect: the handset goes on trying, the glass says so, and it is back by itself.
func TestReconnect(t *testing.T) {
	for _, loss := range losses {
		t.Run(loss.name, func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				before := x.load()
				loss.lose(x)
				result := x.stay(loss.within + 5*time.Minute)
				if result.Result != report.Failure || result.State == devicestate.Ready || !strings.Contains(result.Diagnosis, "goes on trying without end") {
					x.t.Errorf("code %q, state %s: %s", result.Code, result.State, result.Diagnosis)
				}
				if !hasWarning(result, "ready.connection-lost") {
					x.t.Errorf("warnings %v\n%s", result.Warnings, x.log())
				}
				if got := x.glass(); !slices.Contains(got, retryingText) || slices.Contains(got, "Locating server") {
					x.t.Errorf("the glass shows %q", got)
				}
				loss.mend(x)
				x.forget()
				x.wantSuccess(x.stay(x.Profile.ReconnectMost + time.Hour))
				if got := x.path(); len(got) < 3 || !slices.Equal(got[len(got)-3:], reconnectPath[1:]) {
					x.t.Errorf("states %v", got)
				}
				after := x.load()
				if after.EPID != before.EPID || !slices.Equal(after.Certificate, before.Certificate) || after.Registrar != before.Registrar {
					x.t.Errorf("epid, certificate or registrar changed: %s", after.Registrar)
				}
				if got := x.saw(timeline.Sent, "ucdevice"); len(got) != 0 {
					x.t.Errorf("a connection is no sign-in, yet sent %q", got)
				}
				if got := x.registration(); got != registrar.Registered {
					x.t.Errorf("the pool has the endpoint as %q", got)
				}
				x.answers("NOTIFY")
			})
		})
	}
}

// TestBackOff: the first registration is tried after half to all of the profile's time, each further one after twice as
// long, up to the most; when the handset is Ready again it begins anew.
func TestBackOff(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		lost := time.Now()
		x.fault("register=pool-down")
		x.stay(4 * time.Hour)
		at := x.at(timeline.Note, "the next registration in")
		waits := append([]time.Time{lost}, x.at(timeline.Diagnosis, "connecting for registering")...)
		if len(waits) < 12 || len(at) < 12 {
			x.t.Fatalf("%d attempts in 4 h\n%s", len(waits), x.log())
		}
		upper := x.Profile.ReconnectBase
		for i := 1; i < len(waits); i++ {
			wait := waits[i].Sub(waits[i-1])
			if wait < upper/2 || wait > upper+time.Second {
				x.t.Errorf("attempt %d after %v, want %v to %v", i, wait, upper/2, upper)
			}
			upper = min(2*upper, x.Profile.ReconnectMost)
		}
		x.mend("register=pool-down")
		x.wantSuccess(x.stay(x.Profile.ReconnectMost + time.Second))
		x.forget()
		lost = time.Now()
		x.fault("register=pool-down")
		x.stay(time.Minute)
		if first := x.at(timeline.Diagnosis, "connecting for registering"); len(first) == 0 || first[0].Sub(lost) > x.Profile.ReconnectBase {
			x.t.Errorf("the first attempt afterwards at %v, lost at %v", first, lost)
		}
	})
}

// TestJitter: handsets that lose the pool at once do not come back at once.
func TestJitter(t *testing.T) {
	waits := map[time.Duration]bool{}
	ready(t, nil, func(x *signedIn) {
		for range 12 {
			x.forget()
			lost := time.Now()
			x.fault("ready=connection-lost:1")
			x.wantSuccess(x.stay(11 * time.Minute))
			dropped := x.at(timeline.Diagnosis, "ready.connection-lost")
			if len(dropped) == 0 {
				dropped = x.at(timeline.Transition, string(devicestate.Register))
			}
			back := x.at(timeline.Transition, string(devicestate.Provision))
			if len(back) != 1 || len(dropped) == 0 {
				x.t.Fatalf("lost at %v, back at %v\n%s", lost, back, x.log())
			}
			waits[back[0].Sub(dropped[0]).Round(time.Second)] = true
		}
	})
	if len(waits) < 4 {
		t.Errorf("12 losses, and only these times to be back: %v", waits)
	}
}

// TestUserDuringBackOff: who signs out, reboots or takes the power away meanwhile is not held up.
func TestUserDuringBackOff(t *testing.T) {
	for event, want := range map[devicestate.Event]devicestate.State{
		devicestate.SignOut: devicestate.SignIn, devicestate.PowerOff: devicestate.PoweredOff, devicestate.Reboot: devicestate.LinkDetect,
	} {
		t.Run(string(event), func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				before := x.load()
				x.fault("register=pool-down")
				x.stay(5 * time.Minute)
				began := time.Now()
				x.run.Handset.Do(event)
				out := x.until(want)
				if took := time.Since(began); took > signOffLimit {
					x.t.Errorf("took %v", took)
				}
				if out.Machine.Reconnecting {
					x.t.Errorf("machine %+v", out.Machine)
				}
				if event == devicestate.SignOut {
					x.wantErased(before)
				}
			})
		})
	}
}

// TestSignOutInDiscoveryOfReconnection signs out in each state that a handset passes on the way back.
func TestSignOutInDiscoveryOfReconnection(t *testing.T) {
	for _, state := range []devicestate.State{devicestate.Register, devicestate.PoolDiscover, devicestate.SignIn} {
		t.Run(string(state), func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				before := x.load()
				once := false
				x.run.Timeline.Observe(func(o timeline.Observation) {
					if o.Kind == timeline.Transition && o.Text == string(state) && !once {
						once = true
						x.run.Handset.Do(devicestate.SignOut)
					}
				})
				x.fault("register=pool-down")
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				out, err := x.run.Handset.Run(ctx, func(m devicestate.Machine) bool { return m.Reason == devicestate.ReasonSignedOut })
				if err != nil || out.Machine.State != devicestate.SignIn {
					x.t.Fatalf("%v, state %s\n%s", err, out.Machine.State, x.log())
				}
				x.wantErased(before)
			})
		})
	}
}

// TestUserGoneMeanwhile: the pool is back and does not know the user any more: the handset stops.
func TestUserGoneMeanwhile(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.fault("register=pool-down")
		x.stay(time.Minute)
		if err := x.run.Pool.Directory.Disable(firstSIP); err != nil {
			x.t.Fatal(err)
		}
		x.mend("register=pool-down")
		result := x.stay(3 * time.Hour)
		if result.Code != "register.403" || result.State != devicestate.Failed || !strings.Contains(result.Diagnosis, "4141") && !strings.Contains(result.Diagnosis, "disabled") {
			x.t.Errorf("code %q, state %s: %s\n%s", result.Code, result.State, result.Diagnosis, x.log())
		}
	})
}

// TestDeactivatedWhileTheFrontEndStops: told to go away, the handset finds nobody, and comes back all the same.
func TestDeactivatedWhileTheFrontEndStops(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.during(func() {
			if err := x.registrar().Refuse(); err != nil {
				x.t.Error(err)
			}
			if err := x.registrar().Deregister(context.Background(), firstSIP, registrar.Deactivated); err != nil {
				x.t.Errorf("%v\n%s", err, x.poolLog())
			}
			time.Sleep(10 * time.Minute) // virtual
			if err := x.registrar().Listen(); err != nil {
				x.t.Error(err)
			}
		})
		x.wantSuccess(x.stay(x.Profile.ReconnectMost))
	})
}

// TestConnectionLostInProvision: the connection ends between registration and Ready; the boot goes on when it is back.
func TestConnectionLostInProvision(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Faults = []string{"provision=timeout"}
		s.Timeout = 2 * time.Minute
		x, result := booting(s, devicestate.Provision, func(x *signedIn, _ func()) {
			if err := x.registrar().Stop(); err != nil {
				x.t.Error(err)
			}
			time.Sleep(20 * time.Second) // virtual
			x.mend("provision=timeout")
			if err := x.registrar().Listen(); err != nil {
				x.t.Error(err)
			}
		})
		x.wantSuccess(result)
		if !hasWarning(result, "register.reset") {
			t.Errorf("warnings %v", result.Warnings)
		}
		x.close()
	})
}

// TestAddressesOfFlash: the name server is gone when the connection is lost; the addresses that worked last do.
func TestAddressesOfFlash(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.fault("dns=silent")
		x.fault("ready=connection-lost:1")
		x.wantSuccess(x.stay(20 * time.Minute))
		if got := x.saw(timeline.Note, "its addresses of flash are taken"); len(got) != 1 {
			x.t.Errorf("%q\n%s", got, x.log())
		}
	})
}

// contosoReady is ready in contoso, which has a Director and a backup pool.
func contosoReady(t *testing.T, prepare func(*setting), f func(*signedIn)) {
	t.Helper()
	virtual(t, "contoso", rig.DefaultProfile, func(s *setting) {
		x := &signedIn{setting: s, flash: &handset.MemoryFlash{}}
		s.Flash = x.flash
		if prepare != nil {
			prepare(s)
		}
		x.run = s.start()
		x.run.Pool.Timeline.Observe(func(o timeline.Observation) {
			x.poolMu.Lock()
			defer x.poolMu.Unlock()
			x.pool = append(x.pool, o)
		})
		x.first = x.run.Boot(context.Background())
		s.wantSuccess(x.first)
		x.forget()
		f(x)
		if err := x.run.Close(); err != nil {
			s.t.Errorf("closing: %v", err)
		}
	})
}

// at lists where the user has a live registration.
func (x *signedIn) registeredAtHosts() []string {
	var out []string
	for _, r := range x.run.Pool.Registrations() {
		if r.State == registrar.Registered {
			out = append(out, r.Host)
		}
	}
	return out
}

// TestFailoverAndFailback: the primary pool goes down, the backup takes over after 300 s, and gives back when the
// primary has been there again for 240 s; nobody signs out (handset.md §6).
func TestFailoverAndFailback(t *testing.T) {
	contosoReady(t, nil, func(x *signedIn) {
		primary, backup := x.Lab.FrontEnds[0].FQDN, x.Lab.Backup.FQDN
		if f := x.load(); f.Registrar != primary || f.OtherRegistrar != backup {
			x.t.Errorf("flash knows registrars %q and %q, want %q and %q", f.Registrar, f.OtherRegistrar, primary, backup)
		}
		down := time.Now()
		x.fault("register=pool-down")
		x.wantSuccess(x.stay(20 * time.Minute))
		over := x.at(timeline.Transition, string(devicestate.Provision))
		if len(over) != 1 || over[0].Sub(down) < 300*time.Second || over[0].Sub(down) > 300*time.Second+16*x.Profile.ReconnectBase {
			x.t.Fatalf("failed over at %v, down since %v\n%s", over, down, x.log())
		}
		if got := x.saw(timeline.Received, "301 Redirect"); len(got) == 0 {
			x.t.Errorf("before it takes over the backup sends endpoints to the primary\n%s", x.log())
		}
		if got := x.registeredAtHosts(); !slices.Contains(got, backup) {
			x.t.Errorf("registered at %v, want %s", got, backup)
		}
		if got := x.saw(timeline.Note, "backup registrar"); len(got) != 1 {
			x.t.Errorf("%q tell of the backup", got)
		}
		f := x.load()
		if f.Registrar != backup || f.OtherRegistrar != primary {
			x.t.Errorf("flash knows registrars %q and %q, want %q and %q", f.Registrar, f.OtherRegistrar, backup, primary)
		}
		x.answersAt(backup)

		x.forget()
		up := time.Now()
		x.mend("register=pool-down")
		x.wantSuccess(x.stay(30 * time.Minute))
		back := x.at(timeline.Transition, string(devicestate.Register))
		if len(back) != 1 || back[0].Sub(up) < 240*time.Second || back[0].Sub(up) > 240*time.Second+600*time.Second {
			x.t.Fatalf("failed back at %v, up since %v\n%s", back, up, x.log())
		}
		if got := x.at(timeline.Transition, string(devicestate.Ready)); len(got) != 1 || got[0].Sub(back[0]) > time.Second {
			x.t.Errorf("away from %v until %v", back, got)
		}
		if got := x.registeredAtHosts(); !slices.Equal(got, []string{primary}) {
			x.t.Errorf("registered at %v, want %s alone", got, primary)
		}
		if f := x.load(); f.Registrar != primary || f.OtherRegistrar != backup {
			x.t.Errorf("flash knows registrars %q and %q, want %q and %q", f.Registrar, f.OtherRegistrar, primary, backup)
		}
		for _, text := range []string{"/WebTicket", "/CertProv"} {
			if got := x.saw(timeline.Sent, text); len(got) != 0 {
				x.t.Errorf("sent %q", got)
			}
		}
		x.answersAt(primary)
	})
}

// answersAt is answers for one of several registrars.
func (x *signedIn) answersAt(host string) {
	x.t.Helper()
	x.wantSuccess(x.during(func() {
		for _, r := range x.run.Pool.Registrars {
			if r.Host() != host {
				continue
			}
			if status, err := r.Probe(context.Background(), x.Lab.Users[0].SIPAddress, registrar.Probe{Method: "OPTIONS"}); status != 200 || err != nil {
				x.t.Errorf("%s: %d, %v", host, status, err)
			}
		}
	}))
}

// TestWarmBootWhileFailedOver: a handset that boots while its pool is down finds the backup by what flash knows.
func TestWarmBootWhileFailedOver(t *testing.T) {
	contosoReady(t, nil, func(x *signedIn) {
		x.run.Handset.Do(devicestate.PowerOff)
		x.until(devicestate.PoweredOff)
		x.fault("register=pool-down")
		time.Sleep(6 * time.Minute) // virtual
		x.forget()
		if err := x.run.PowerOn(); err != nil {
			x.t.Fatal(err)
		}
		x.until(devicestate.Ready)
		if got := x.path(); slices.Contains(got, devicestate.PoolDiscover) || slices.Contains(got, devicestate.WebTicket) {
			x.t.Errorf("states %v", got)
		}
		if got := x.registeredAtHosts(); !slices.Contains(got, x.Lab.Backup.FQDN) {
			x.t.Errorf("registered at %v", got)
		}
	})
}
