package rig_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const firstSIP = "sip:kenmyer@litwareinc.com"

// signedIn is a handset that is Ready, and what handset and pool observed from then on.
type signedIn struct {
	*setting
	run   *rig.Run
	first report.Result
	flash *handset.MemoryFlash

	poolMu sync.Mutex
	pool   []timeline.Observation
}

// ready runs f with a handset that is Ready against litware, in virtual time, and closes everything.
func ready(t *testing.T, prepare func(*setting), f func(*signedIn)) {
	t.Helper()
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
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

// forget drops what was observed so far.
func (x *signedIn) forget() {
	x.mu.Lock()
	x.observed = nil
	x.mu.Unlock()
	x.poolMu.Lock()
	x.pool = nil
	x.poolMu.Unlock()
}

// saw returns the texts of the handset's observations of a kind that contain text.
func (s *setting) saw(kind timeline.Kind, text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return texts(s.observed, kind, text)
}

// poolSaw is saw for the pool.
func (x *signedIn) poolSaw(kind timeline.Kind, text string) []string {
	x.poolMu.Lock()
	defer x.poolMu.Unlock()
	return texts(x.pool, kind, text)
}

func texts(list []timeline.Observation, kind timeline.Kind, text string) []string {
	var out []string
	for _, o := range list {
		if o.Kind == kind && strings.Contains(o.Text, text) {
			out = append(out, o.Text)
		}
	}
	return out
}

func (x *signedIn) poolLog() string {
	x.poolMu.Lock()
	defer x.poolMu.Unlock()
	var b strings.Builder
	for _, o := range x.pool {
		fmt.Fprintf(&b, "%s %-10s %-5s %s %s\n", o.At.Format("15:04:05.000"), o.Kind, o.Protocol, o.Peer, o.Text)
	}
	return b.String()
}

// path returns the states entered.
func (s *setting) path() []devicestate.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []devicestate.State
	for _, o := range s.observed {
		if o.Kind == timeline.Transition {
			out = append(out, o.State)
		}
	}
	return out
}

// until drives the handset until it is in the state, a failure is reported or a minute is over.
func (x *signedIn) until(state devicestate.State) handset.Outcome {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := x.run.Handset.Run(ctx, func(m devicestate.Machine) bool { return m.State == state })
	if err != nil {
		x.t.Fatalf("%v\n%s", err, x.log())
	}
	if out.Machine.State != state {
		x.t.Fatalf("state %s, want %s\n%s%s", out.Machine.State, state, x.log(), x.poolLog())
	}
	return out
}

// during keeps the handset signed in while f runs and until it has nothing to do any more.
func (x *signedIn) during(f func()) report.Result {
	x.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan report.Result)
	go func() { ended <- x.run.Stay(ctx) }()
	synctest.Wait()
	f()
	synctest.Wait()
	cancel()
	return <-ended
}

func (x *signedIn) registrar() *registrar.Server { return x.run.Pool.Registrars[0] }

func (x *signedIn) registration() registrar.State {
	list := x.registrar().Registrations()
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1].State
}

func (x *signedIn) load() devicestate.Flash {
	x.t.Helper()
	f, err := x.flash.Load()
	if err != nil {
		x.t.Fatal(err)
	}
	return f
}

// wantErased holds flash after a sign-out: user, certificate and key are gone, all else is as before.
func (x *signedIn) wantErased(before devicestate.Flash) {
	x.t.Helper()
	f := x.load()
	if f.SIPAddress != "" || f.Number != "" || len(f.Certificate) > 0 || len(f.Key) > 0 || f.CertificateRefused {
		x.t.Errorf("flash still knows user %q, number %q, certificate of %d bytes, key of %d bytes, refused %v",
			f.SIPAddress, f.Number, len(f.Certificate), len(f.Key), f.CertificateRefused)
	}
	if len(f.Chain) == 0 || !slices.EqualFunc(f.Chain, before.Chain, slices.Equal) || f.Registrar != before.Registrar || f.Registrar == "" ||
		f.CertificateURL != before.CertificateURL || f.EPID != before.EPID || f.EPID == "" {
		x.t.Errorf("flash lost what a sign-out keeps: chain of %d, registrar %q, URL %q, epid %q", len(f.Chain), f.Registrar, f.CertificateURL, f.EPID)
	}
}

// wantSignOff holds the messages of a sign-off: each subscription ended, then the registration.
func (x *signedIn) wantSignOff() {
	x.t.Helper()
	got := append(x.saw(timeline.Sent, "SUBSCRIBE"), x.saw(timeline.Sent, "REGISTER")...)
	want := []string{
		"SUBSCRIBE 2 vnd-microsoft-roaming-contacts, Expires 0", "SUBSCRIBE 2 vnd-microsoft-roaming-self, Expires 0", "REGISTER 5, Expires 0",
	}
	if !slices.Equal(got, want) {
		x.t.Errorf("sent %q, want %q\n%s", got, want, x.log())
	}
	if got := x.poolSaw(timeline.Received, "signed off"); len(got) != 1 {
		x.t.Errorf("the pool saw %q, want one sign-off\n%s", got, x.poolLog())
	}
	if got := x.saw(timeline.Received, "200 OK to REGISTER 5"); len(got) != 1 {
		x.t.Errorf("answers to the sign-off: %q\n%s", got, x.log())
	}
	if got := x.poolSaw(timeline.Note, "connection ended"); len(got) == 0 {
		x.t.Errorf("the connection stays\n%s", x.poolLog())
	}
}

func TestSignOut(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.run.Handset.Do(devicestate.SignOut)
		out := x.until(devicestate.SignIn)
		synctest.Wait()
		if out.Machine.Reason != devicestate.ReasonSignedOut || out.Machine.Memory.Certificate || out.Machine.Memory.Credentials {
			x.t.Errorf("machine %+v", out.Machine)
		}
		x.wantErased(before)
		x.wantSignOff()
		if got := x.registration(); got != registrar.SignedOff {
			x.t.Errorf("the pool has the endpoint as %q", got)
		}
	})
}

// TestSignInAfterSignOut powers the handset off after a sign-out: chain, registrar and epid are still there, the
// certificate is a new one.
func TestSignInAfterSignOut(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.run.Handset.Do(devicestate.SignOut)
		x.until(devicestate.SignIn)
		x.run.Handset.Do(devicestate.PowerOff)
		x.until(devicestate.PoweredOff)
		x.forget()
		if err := x.run.PowerOn(); err != nil {
			x.t.Fatal(err)
		}
		x.until(devicestate.Ready)
		after := x.load()
		if after.EPID != before.EPID || slices.Equal(after.Certificate, before.Certificate) || after.SIPAddress != before.SIPAddress {
			x.t.Errorf("epid %s then %s, user %q then %q", before.EPID, after.EPID, before.SIPAddress, after.SIPAddress)
		}
		if got := x.path(); slices.Contains(got, devicestate.PoolDiscover) || !slices.Contains(got, devicestate.Enroll) {
			x.t.Errorf("states %v", got)
		}
	})
}

// TestForcedSignOut has the pool end the registration with each event of sip.md §5.4.
func TestForcedSignOut(t *testing.T) {
	for _, event := range []registrar.Event{registrar.Rejected, registrar.Unregistered} {
		t.Run(string(event), func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				before := x.load()
				result := x.during(func() {
					if err := x.registrar().Deregister(context.Background(), firstSIP, event); err != nil {
						x.t.Errorf("%v\n%s", err, x.poolLog())
					}
				})
				if result.Code != "ready.signed-out" || result.State != devicestate.SignIn || result.Stage != devicestate.StageReady {
					x.t.Errorf("code %q, state %s, stage %q: %s\n%s", result.Code, result.State, result.Stage, result.Diagnosis, x.log())
				}
				if !strings.Contains(result.Diagnosis, string(event)) {
					x.t.Errorf("diagnosis %q does not name %s", result.Diagnosis, event)
				}
				x.wantErased(before)
				if got := x.poolSaw(timeline.Received, "200 OK to NOTIFY"); len(got) != 1 {
					x.t.Errorf("answers to the NOTIFY: %q\n%s", got, x.poolLog())
				}
				x.wantSignOff()
			})
		})
	}
}

// TestDeactivated: the endpoint has to go away and register again, with what it has.
func TestDeactivated(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		result := x.during(func() {
			if err := x.registrar().Deregister(context.Background(), firstSIP, registrar.Deactivated); err != nil {
				x.t.Errorf("%v\n%s%s", err, x.poolLog(), x.log())
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := x.registrar().AwaitState(ctx, firstSIP, before.EPID, registrar.Registered); err != nil {
				x.t.Errorf("%v\n%s", err, x.log())
			}
			time.Sleep(5 * time.Second) // virtual: provisioning and update query
		})
		x.wantSuccess(result)
		want := []devicestate.State{devicestate.Register, devicestate.Provision, devicestate.UpdateCheck, devicestate.Ready}
		if got := x.path(); !slices.Equal(got, want) {
			x.t.Errorf("states %v, want %v", got, want)
		}
		after := x.load()
		if after.EPID != before.EPID || !slices.Equal(after.Certificate, before.Certificate) {
			x.t.Error("epid or certificate changed")
		}
		if got := x.saw(timeline.Sent, "Expires 0"); len(got) != 1 { // in-band provisioning is asked for with Expires 0
			x.t.Errorf("sent %q", got)
		}
	})
}
