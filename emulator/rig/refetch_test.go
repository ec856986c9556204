package rig_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestProvisioningDaily: the settings of the phone are asked for each day, and nothing else of what a sign-in subscribes
// to; the update query goes along.
func TestProvisioningDaily(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		began := time.Now()
		x.wantSuccess(x.stay(73 * time.Hour))
		asked := x.at(timeline.Sent, "SUBSCRIBE 1 ")
		if len(asked) != 3 {
			x.t.Fatalf("asked at %v\n%s", asked, x.log())
		}
		for i, at := range asked {
			want := time.Duration(i+1) * x.Profile.ProvisionInterval
			if late := at.Sub(began) - want; late.Abs() > 5*time.Second {
				x.t.Errorf("asked after %v, want %v", at.Sub(began), want)
			}
		}
		day := []devicestate.State{devicestate.Provision, devicestate.UpdateCheck, devicestate.Ready}
		if got := x.path(); !slices.Equal(got, slices.Concat(day, day, day)) {
			x.t.Errorf("states %v", got)
		}
		if got := x.saw(timeline.Sent, "SERVICE"); len(got) != 0 {
			x.t.Errorf("published again: %q", got)
		}
		if got := x.saw(timeline.Sent, "ucdevice"); len(got) != 3 {
			x.t.Errorf("update queries %q", got)
		}
	})
}

// TestProvisioningRefused: a refetch that the pool refuses is noted, and made again the next day.
func TestProvisioningRefused(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.fault("provision=403")
		result := x.stay(25 * time.Hour)
		x.wantSuccess(result)
		if !hasWarning(result, "provision.403") {
			x.t.Errorf("warnings %v", result.Warnings)
		}
		x.mend("provision=403")
		x.forget()
		x.wantSuccess(x.stay(24 * time.Hour))
		if got := x.saw(timeline.Note, "provisioning: phone lock"); len(got) != 1 {
			x.t.Errorf("settings taken: %q\n%s", got, x.log())
		}
	})
}

// TestRegistrationLost: register-action added tells that the registration was gone, and with it the subscriptions; the
// handset provisions and publishes anew ([MS-SIPREGE] 3.1.1.5.1, sip.md §4.5).
func TestRegistrationLost(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.fault("ready=registration-lost:1")
		x.wantSuccess(x.stay(11 * time.Minute))
		got := x.saw(timeline.Sent, "SUBSCRIBE 1 ")
		want := []string{
			"SUBSCRIBE 1 vnd-microsoft-provisioning-v2, Expires 0", "SUBSCRIBE 1 vnd-microsoft-roaming-contacts", "SUBSCRIBE 1 vnd-microsoft-roaming-self",
		}
		if !slices.Equal(got, want) || len(x.saw(timeline.Sent, "SERVICE 1")) != 1 {
			x.t.Errorf("sent %q\n%s", got, x.log())
		}
		x.run.Handset.Do(devicestate.SignOut)
		x.until(devicestate.SignIn)
		if got := x.saw(timeline.Sent, "SUBSCRIBE 2 "); len(got) != 4 { // two were renewed before, the new ones are ended
			x.t.Errorf("sent %q\n%s", got, x.log())
		}
	})
}

// TestSubscriptionsGoOn: what the handset subscribed to is told it hours later.
func TestSubscriptionsGoOn(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		x.wantSuccess(x.stay(10 * time.Hour))
		x.forget()
		x.wantSuccess(x.during(func() {
			for _, event := range []string{eventSelf, "vnd-microsoft-roaming-contacts"} {
				n := registrar.Notification{Event: event, ContentType: "text/plain", Body: []byte("x")}
				if err := x.registrar().Notify(context.Background(), firstSIP, n); err != nil {
					x.t.Errorf("%s: %v", event, err)
				}
			}
		}))
		if got := x.saw(timeline.Received, "BENOTIFY"); len(got) != 2 {
			x.t.Errorf("told %q", got)
		}
	})
}

// TestSubscriptionUnknown: a handset that renews too late finds its dialogs gone, and subscribes anew.
func TestSubscriptionUnknown(t *testing.T) {
	ready(t, func(s *setting) { s.Profile.ResubscribeBefore = 0 }, func(x *signedIn) {
		x.wantSuccess(x.stay(11 * time.Minute))
		if got := x.saw(timeline.Received, "481"); len(got) != 1 {
			x.t.Errorf("%q\n%s", got, x.log())
		}
		if got := x.saw(timeline.Sent, "SUBSCRIBE 1 "); len(got) != 3 {
			x.t.Errorf("sent %q\n%s", got, x.log())
		}
		for _, r := range x.run.Pool.Registrations() {
			if r.State != registrar.Registered {
				x.t.Errorf("%+v", r)
			}
		}
	})
}

// revocations are the moments at which a handset learns that its certificate is revoked.
var revocations = []struct {
	name  string
	learn func(*signedIn)
}{
	{"renewal of the association", func(*signedIn) {}},
	{"association lost", func(x *signedIn) {
		if err := x.registrar().DropAssociations(context.Background()); err != nil {
			x.t.Error(err)
		}
	}},
	{"connection lost", func(x *signedIn) {
		if err := x.registrar().Stop(); err != nil {
			x.t.Error(err)
		}
		if err := x.registrar().Listen(); err != nil {
			x.t.Error(err)
		}
	}},
	{"reboot", func(x *signedIn) { x.run.Handset.Do(devicestate.Reboot) }},
}

// TestCertificateRevoked: the handset keeps its certificate, marked refused, and waits for somebody to sign in; it does
// not try that certificate again (handset.md §0 item 10).
func TestCertificateRevoked(t *testing.T) {
	for _, moment := range revocations {
		t.Run(moment.name, func(t *testing.T) {
			ready(t, nil, func(x *signedIn) {
				before := x.load()
				if n, err := x.run.Pool.Authority.Revoke(firstSIP, ""); n != 1 || err != nil {
					x.t.Fatalf("%d revoked, %v", n, err)
				}
				moment.learn(x)
				result := x.stay(8 * time.Hour)
				if result.Code != "register.certificate-refused" || result.State != devicestate.SignIn {
					x.t.Fatalf("code %q, state %s: %s\n%s", result.Code, result.State, result.Diagnosis, x.log())
				}
				f := x.load()
				if !f.CertificateRefused || !slices.Equal(f.Certificate, before.Certificate) || f.SIPAddress != before.SIPAddress {
					x.t.Errorf("flash has refused %v, user %q", f.CertificateRefused, f.SIPAddress)
				}
				synctest.Wait()
				if got := x.poolSaw(timeline.Note, "connection ended"); len(got) == 0 {
					x.t.Errorf("the connection stays\n%s", x.poolLog())
				}
				x.forget()
				x.run.Handset.Do(devicestate.Reboot) // nobody enters a PIN
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				if out, err := x.run.Handset.Run(ctx, nil); err != nil || out.Machine.State != devicestate.SignIn || len(x.saw(timeline.Sent, "REGISTER")) != 0 {
					x.t.Errorf("%v, state %s\n%s", err, out.Machine.State, x.log())
				}
				x.signInAgain(before)
			})
		})
	}
}

// signInAgain takes the power away and enters number and PIN: a new certificate is published.
func (x *signedIn) signInAgain(before devicestate.Flash) {
	x.t.Helper()
	x.run.Handset.Do(devicestate.PowerOff)
	x.until(devicestate.PoweredOff)
	if err := x.run.PowerOn(); err != nil {
		x.t.Fatal(err)
	}
	x.until(devicestate.Ready)
	if f := x.load(); f.CertificateRefused || slices.Equal(f.Certificate, before.Certificate) || f.EPID != before.EPID {
		x.t.Errorf("flash has refused %v, or the old certificate, or epid %s", f.CertificateRefused, f.EPID)
	}
}

// TestRevokedWhileOnTheBackup: a handset that failed over is refused as well.
func TestRevokedWhileOnTheBackup(t *testing.T) {
	contosoReady(t, nil, func(x *signedIn) {
		x.fault("register=pool-down")
		x.wantSuccess(x.stay(20 * time.Minute))
		if n, err := x.run.Pool.Authority.Revoke(x.Lab.Users[0].SIPAddress, ""); n != 1 || err != nil {
			x.t.Fatalf("%d revoked, %v", n, err)
		}
		result := x.stay(8 * time.Hour)
		if result.Code != "register.certificate-refused" || result.State != devicestate.SignIn || !strings.Contains(result.Diagnosis, "challenge") {
			x.t.Errorf("code %q, state %s: %s\n%s", result.Code, result.State, result.Diagnosis, x.log())
		}
	})
}
