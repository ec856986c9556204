package rig_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// associationLife is min(certificate, 8 h) less 5 min, for a certificate that lives longer (sip.md §1.6).
const associationLife = 7*time.Hour + 55*time.Minute

// stay keeps the handset signed in for a while.
func (x *signedIn) stay(d time.Duration) report.Result {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return x.run.Stay(ctx)
}

// at returns when observations happened that match.
func (s *setting) at(kind timeline.Kind, text string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []time.Time
	for _, o := range s.observed {
		if o.Kind == kind && strings.Contains(o.Text, text) {
			out = append(out, o.At)
		}
	}
	return out
}

const renewingAssociation = "renewing the security association"

// TestAssociationRenewal renews three times in a day, on the connection that there is, while the registration stays.
func TestAssociationRenewal(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		began := time.Now()
		x.wantSuccess(x.stay(24*time.Hour - time.Minute)) // then provisioning is asked for again
		renewals := x.at(timeline.Note, renewingAssociation)
		if len(renewals) != 3 {
			x.t.Fatalf("renewed at %v\n%s", renewals, x.log())
		}
		for _, at := range renewals {
			if took := at.Sub(began); took < associationLife-time.Second || took > associationLife+time.Second {
				x.t.Errorf("renewed after %v, want %v", took, associationLife)
			}
			began = at
		}
		if got := x.saw(timeline.Received, "401 Unauthorized"); len(got) != 3*3 {
			x.t.Errorf("%d challenges, want three a renewal", len(got))
		}
		for _, text := range []string{"SUBSCRIBE 1 ", "Expires 0", "POST /CertProv", "POST /WebTicket"} {
			if got := x.saw(timeline.Sent, text); len(got) != 0 {
				x.t.Errorf("a renewal sends %q", got)
			}
		}
		if got := append(x.poolSaw(timeline.Note, "connection ended"), x.poolSaw(timeline.Dropped, "")...); len(got) != 0 {
			x.t.Errorf("the pool saw %q", got)
		}
		if list := x.registrar().Registrations(); len(list) != 1 || list[0].State != registrar.Registered || list[0].Since.After(x.registeredAt()) {
			x.t.Errorf("the registration began anew: %+v", list)
		}
		if after := x.load(); !slices.Equal(after.Certificate, before.Certificate) {
			x.t.Error("the certificate is another one")
		}
		x.answers("NOTIFY")
	})
}

// registeredAt is when the handset became Ready.
func (x *signedIn) registeredAt() time.Time {
	return x.first.States[len(x.first.States)-1].Entered.Time
}

// answers has the pool send a request, which the handset answers signed for the association of now.
func (x *signedIn) answers(method string) {
	x.t.Helper()
	x.wantSuccess(x.during(func() {
		p := registrar.Probe{Method: method, Event: eventSelf}
		if status, err := x.registrar().Probe(context.Background(), firstSIP, p); status != 200 || err != nil {
			x.t.Errorf("%s is answered %d, %v\n%s", method, status, err, x.poolLog())
		}
	}))
}

// TestRequestsDuringRenewal: what the pool asks before, between and after the four REGISTERs is answered, whichever
// association it has signed it for.
func TestRequestsDuringRenewal(t *testing.T) {
	for _, nth := range []int{0, 1, 2, 3, 4} {
		ready(t, nil, func(x *signedIn) {
			var wg sync.WaitGroup
			seen, ask := 0, func() {
				wg.Go(func() {
					p := registrar.Probe{Method: "NOTIFY", Event: eventSelf}
					if status, err := x.registrar().Probe(context.Background(), firstSIP, p); status != 200 || err != nil {
						x.t.Errorf("after REGISTER #%d of the renewal: %d, %v\n%s", nth, status, err, x.poolLog())
					}
				})
			}
			x.run.Timeline.Observe(func(o timeline.Observation) { // in the handset's goroutine
				switch {
				case o.Kind == timeline.Note && o.Text == renewingAssociation:
					seen = 1
					if nth == 0 {
						ask()
					}
				case seen > 0 && o.Kind == timeline.Sent && strings.HasPrefix(o.Text, "REGISTER"):
					if seen == nth {
						ask()
					}
					seen++
				}
			})
			x.wantSuccess(x.stay(associationLife + time.Minute))
			wg.Wait()
			if seen < 5 {
				x.t.Errorf("%d REGISTERs in the renewal", seen-1)
			}
			if got := x.saw(timeline.Dropped, ""); len(got) != 0 {
				x.t.Errorf("the handset dropped %q", got)
			}
		})
	}
}

// TestAssociationLost: the front end has forgotten the association; the handset builds another one, and the
// registration stays (sip.md §1.6).
func TestAssociationLost(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		if err := x.registrar().DropAssociations(context.Background()); err != nil {
			x.t.Fatal(err)
		}
		result := x.stay(time.Hour)
		x.wantSuccess(result)
		if !hasWarning(result, "register.association-lost") || len(x.at(timeline.Note, renewingAssociation)) != 1 {
			x.t.Errorf("warnings %v\n%s", result.Warnings, x.log())
		}
		if list := x.registrar().Registrations(); len(list) != 1 || list[0].State != registrar.Registered || list[0].Since.After(x.registeredAt()) {
			x.t.Errorf("the registration began anew: %+v", list)
		}
		x.answers("NOTIFY")
	})
}

// TestAssociationLostInProvision: each step is done once, with the association that is good for it.
func TestAssociationLostInProvision(t *testing.T) {
	for _, at := range []string{"SUBSCRIBE 1 vnd-microsoft-provisioning-v2", "SUBSCRIBE 1 vnd-microsoft-roaming-contacts", "SUBSCRIBE 1 vnd-microsoft-roaming-self", "SERVICE 1"} {
		t.Run(at, func(t *testing.T) {
			virtual(t, "litware", "polycom-cx600-4.0.7577.4463", func(s *setting) {
				run := s.start()
				once := false
				run.Timeline.Observe(func(o timeline.Observation) {
					if o.Kind == timeline.Sent && strings.HasPrefix(o.Text, at) && !once {
						once = true
						if err := run.Pool.Registrars[0].DropAssociations(context.Background()); err != nil {
							t.Error(err)
						}
					}
				})
				result := run.Boot(context.Background())
				s.wantSuccess(result)
				if !hasWarning(result, "register.association-lost") {
					t.Errorf("warnings %v", result.Warnings)
				}
				var got []string
				for _, text := range s.saw(timeline.Received, "200 OK to S") {
					got = append(got, strings.Fields(text)[3])
				}
				if !slices.Equal(got, []string{"SUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE", "SERVICE"}) {
					t.Errorf("the pool took %v\n%s", got, s.log())
				}
				if err := run.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// renewalOf is when a certificate of the lab is renewed after it was issued: at 80 % of its life, which begins five
// minutes before (design of this project).
func renewalOf(hours int) time.Duration {
	const backdating = 5 * time.Minute
	return (time.Duration(hours)*time.Hour+backdating)*80/100 - backdating
}

// TestCertificateRenewal: a new certificate, by the one held, and an association by the new one; nobody signs out, and
// no PIN is sent.
func TestCertificateRenewal(t *testing.T) {
	const hours = certificateHours
	ready(t, func(s *setting) { s.Lab.WebServices.CertificateHours = hours }, func(x *signedIn) {
		if err := x.run.Pool.SetFault("ticket=wrong-pin", ""); err != nil { // the PIN is another one by now
			x.t.Fatal(err)
		}
		before, began := x.load(), time.Now()
		x.wantSuccess(x.stay((hours - 1) * time.Hour))
		renewed := x.at(timeline.Transition, string(devicestate.WebTicket))
		if len(renewed) != 1 || renewed[0].Sub(began)-renewalOf(hours) > time.Second || renewalOf(hours)-renewed[0].Sub(began) > time.Second {
			x.t.Errorf("renewed at %v, want once, after %v", renewed, renewalOf(hours))
		}
		after := x.load()
		if slices.Equal(after.Certificate, before.Certificate) || slices.Equal(after.Key, before.Key) {
			x.t.Error("flash has the old certificate or key")
		}
		if after.EPID != before.EPID || after.Number != before.Number || after.Number == "" || after.SIPAddress != before.SIPAddress {
			x.t.Errorf("the user is another one: %q, %q", after.SIPAddress, after.Number)
		}
		published := x.run.Pool.Authority.List(firstSIP)
		if len(published) != 1 || !slices.Equal(published[0].Certificate.Raw, after.Certificate) {
			x.t.Errorf("%d certificates are published, or another one", len(published))
		}
		if got := x.path(); !slices.Equal(withoutTheDaily(got), []devicestate.State{devicestate.WebTicket, devicestate.Enroll, devicestate.Ready}) {
			x.t.Errorf("states %v", got)
		}
		if got := x.saw(timeline.Sent, "/WebTicketService.svc/pin"); len(got) != 0 {
			x.t.Errorf("sent %q", got)
		}
		if at, by := x.at(timeline.Note, renewingAssociation), x.at(timeline.Transition, string(devicestate.Enroll)); !slices.ContainsFunc(at, func(t time.Time) bool { return t.Sub(by[0]).Abs() < time.Second }) {
			x.t.Errorf("no association by the new certificate, renewed at %v and %v", at, by)
		}
		for _, shown := range x.glass() {
			if shown == "Downloading certificate" {
				x.t.Error("the glass tells of a renewal")
			}
		}
		if list := x.registrar().Registrations(); len(list) != 1 || list[0].Since.After(x.registeredAt()) {
			x.t.Errorf("the registration began anew: %+v", list)
		}
		x.run.Handset.Do(devicestate.Reboot)
		x.until(devicestate.Ready)
	})
}

// withoutTheDaily leaves out of a path what a handset does each day: provisioning, the update query, and being Ready
// again.
func withoutTheDaily(path []devicestate.State) []devicestate.State {
	day := []devicestate.State{devicestate.Provision, devicestate.UpdateCheck, devicestate.Ready}
	var out []devicestate.State
	for len(path) > 0 {
		if len(path) >= len(day) && slices.Equal(path[:len(day)], day) {
			path = path[len(day):]
			continue
		}
		out, path = append(out, path[0]), path[1:]
	}
	return out
}

// glass is what the display showed.
func (s *setting) glass() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, o := range s.observed {
		for _, f := range o.Fields {
			if o.Kind == timeline.Transition && f.Name == "glass" {
				out = append(out, f.Value)
			}
		}
	}
	return out
}

// TestCertificateRenewalRefused: the certificate is revoked before its renewal, which finds that out.
func TestCertificateRenewalRefused(t *testing.T) {
	ready(t, func(s *setting) { s.Lab.WebServices.CertificateHours = 8 }, func(x *signedIn) { // renewed before the association
		if n, err := x.run.Pool.Authority.Revoke(firstSIP, ""); n != 1 || err != nil {
			x.t.Fatalf("%d revoked, %v", n, err)
		}
		result := x.stay(8 * time.Hour)
		if result.Code != "ticket.certificate-refused" || result.State != devicestate.SignIn || result.Stage != devicestate.StageTicket {
			x.t.Errorf("code %q, state %s: %s\n%s", result.Code, result.State, result.Diagnosis, x.log())
		}
		if f := x.load(); !f.CertificateRefused || len(f.Certificate) == 0 || f.SIPAddress == "" {
			x.t.Errorf("flash has refused %v, a certificate of %d bytes, user %q", f.CertificateRefused, len(f.Certificate), f.SIPAddress)
		}
		if got := x.registration(); got != registrar.SignedOff {
			x.t.Errorf("the pool has the endpoint as %q", got)
		}
		if got := x.saw(timeline.Sent, "/WebTicketService.svc/cert"); len(got) != 1 {
			x.t.Errorf("sent %q", got)
		}
	})
}

// TestCertificateRenewalInTrouble: the web services are down at first; the handset stays signed in and tries again.
func TestCertificateRenewalInTrouble(t *testing.T) {
	for fault, code := range map[string]string{
		"ticket=timeout:1": "ticket.timeout", "ticket=reset:2": "ticket.reset", "enroll=csr-refused": "enroll.csr-refused",
		"enroll=ticket-expired": "enroll.ticket-refused", "enroll=http-500:1": "enroll.http-500",
	} {
		t.Run(fault, func(t *testing.T) {
			ready(t, func(s *setting) { s.Lab.WebServices.CertificateHours = 8 }, func(x *signedIn) {
				before := x.load()
				if err := x.run.Pool.SetFault(fault, ""); err != nil {
					x.t.Fatal(err)
				}
				x.wantSuccess(x.stay(renewalOf(8) + time.Minute))
				if got := x.load(); !slices.Equal(got.Certificate, before.Certificate) || got.CertificateRefused {
					x.t.Error("the old certificate is gone")
				}
				if x.diagnosed(code) == 0 {
					x.t.Errorf("%s is not diagnosed\n%s", code, x.log())
				}
				f, err := faults.Parse(fault)
				if err != nil {
					x.t.Fatal(err)
				}
				if _, err := x.run.Pool.ClearFault(f.Name); err != nil {
					x.t.Fatal(err)
				}
				x.wantSuccess(x.stay(x.Profile.RenewRetry))
				if got := x.load(); slices.Equal(got.Certificate, before.Certificate) {
					x.t.Errorf("not renewed\n%s", x.log())
				}
				x.answers("NOTIFY")
			})
		})
	}
}

// TestSwitchUserDuringRenewal: who signs out while the certificate is renewed is signed off, and nothing of him stays.
func TestSwitchUserDuringRenewal(t *testing.T) {
	for _, state := range []devicestate.State{devicestate.WebTicket, devicestate.Enroll} {
		ready(t, func(s *setting) { s.Lab.WebServices.CertificateHours = 8 }, func(x *signedIn) {
			before := x.load()
			x.run.Timeline.Observe(func(o timeline.Observation) {
				if o.Kind == timeline.Transition && o.Text == string(state) {
					x.run.Handset.Do(devicestate.SignOut)
				}
			})
			ctx, cancel := context.WithTimeout(context.Background(), 8*time.Hour)
			defer cancel()
			out, err := x.run.Handset.Run(ctx, func(m devicestate.Machine) bool { return m.State == devicestate.SignIn })
			if err != nil || out.Machine.State != devicestate.SignIn {
				x.t.Fatalf("%v, state %s\n%s", err, out.Machine.State, x.log())
			}
			x.wantErased(before)
			if got := x.registration(); got != registrar.SignedOff {
				x.t.Errorf("the pool has the endpoint as %q", got)
			}
		})
	}
}

// TestCertificateEnds: without certificate authentication at the web services nothing renews the certificate; when it
// ends, the registrar refuses it.
func TestCertificateEnds(t *testing.T) {
	ready(t, func(s *setting) {
		s.Lab.WebServices.CertificateHours, s.Lab.WebServices.UseCertificateAuth = 24, false
	}, func(x *signedIn) {
		result := x.stay(48 * time.Hour)
		if result.Code != "register.certificate-refused" || result.State != devicestate.SignIn {
			x.t.Errorf("code %q, state %s: %s\n%s", result.Code, result.State, result.Diagnosis, x.log())
		}
		if x.diagnosed("ticket.certificate-not-offered") == 0 {
			x.t.Errorf("the missing port is not diagnosed\n%s", x.log())
		}
		if n := len(x.at(timeline.Note, renewingAssociation)); n > 6 { // the last two in the certificate's last minutes
			x.t.Errorf("%d renewals of the association in a day", n)
		}
	})
}
