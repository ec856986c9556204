package rig_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// The user name and password of form P1 and P2 for 12065551219 and 0712 (web-services.md §3.2).
const (
	tokenP1 = `<wsse:Username>12065551219</wsse:Username><wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">0712</wsse:Password>`
	tokenP2 = `<wsse:Username>MTIwNjU1NTEyMTk=</wsse:Username><wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">MDcxMg==</wsse:Password>`
)

// tokens are the UsernameTokens that the handset sent.
func (x *tapped) tokens() []string {
	x.t.Helper()
	var out []string
	for _, c := range x.tap.connections() {
		for _, m := range x.messagesOf(c) {
			_, token, ok := strings.Cut(m.body, "<wsse:UsernameToken>")
			if token, _, _ = strings.Cut(token, "</wsse:UsernameToken>"); ok {
				out = append(out, token)
			}
		}
	}
	return out
}

// TestPINForms: without a remembered form P1 goes first, and P2 once after ErrorId 28020; the form that worked is
// remembered, and with it no other one is tried.
func TestPINForms(t *testing.T) {
	for _, test := range []struct {
		lab        string // the form that it takes
		remembered string
		want       []string
		boots      bool
	}{
		{"p1", "", []string{tokenP1}, true},
		{"p2", "", []string{tokenP1, tokenP2}, true},
		{"p2", "p2", []string{tokenP2}, true},
		{"p1", "p2", []string{tokenP2}, false},
		{"p2", "p1", []string{tokenP1}, false},
	} {
		t.Run(fmt.Sprintf("lab %s, remembered %q", test.lab, test.remembered), func(t *testing.T) {
			flash := &handset.MemoryFlash{}
			prepare := func(s *setting) {
				lab := *s.Lab
				lab.PINForm = test.lab
				s.Lab, s.Flash, s.Credentials.PIN = &lab, flash, secret.New("0712")
				if err := flash.Save(devicestate.Flash{Version: devicestate.FlashVersion, PINForm: test.remembered}); err != nil {
					t.Fatal(err)
				}
			}
			onTap(t, "litware", rig.DefaultProfile, prepare, func(x *tapped) {
				if test.boots {
					x.boot()
				} else {
					x.refused()
				}
				if got := x.tokens(); !slices.Equal(got, test.want) {
					t.Errorf("tokens %q, want %q", got, test.want)
				}
				if got, err := flash.Load(); err != nil || test.boots && got.PINForm != test.lab {
					t.Errorf("form %q is remembered, %v", got.PINForm, err)
				}
				if n := x.pool.Directory.Attempts(firstSIP); n != 0 {
					t.Errorf("%d wrong attempts counted", n)
				}
			})
		})
	}
}

// refused drives the handset until its number and PIN are refused.
func (x *tapped) refused() {
	x.t.Helper()
	if err := x.handset.PowerOn(x.Credentials); err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), x.Timeout)
	defer cancel()
	out, err := x.handset.Run(ctx, func(devicestate.Machine) bool { return false })
	if err != nil || out.Machine.State != devicestate.SignIn || out.Failure == nil || out.Failure.Code != "ticket.refused" {
		x.t.Fatalf("%v, state %s, failure %v\n%s", err, out.Machine.State, out.Failure, x.log())
	}
}

// TestCertificateOfAnother: the registrar answers 403 with 4004 when the certificate may not act as the From URI. That is
// a refused certificate, which flash keeps and marks, not a user who is forbidden to register.
func TestCertificateOfAnother(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.reboot(func(f *devicestate.Flash) { f.SIPAddress = "sip:second@litwareinc.com" })
		out := x.until(devicestate.SignIn) // on the way to Register
		if out.Reported {
			x.t.Fatalf("reported %v", out.Failure)
		}
		out, err := x.run.Handset.Run(context.Background(), func(m devicestate.Machine) bool { return m.State == devicestate.SignIn })
		if err != nil || !out.Reported || out.Failure.Code != "register.certificate-refused" || out.Machine.State != devicestate.SignIn {
			x.t.Errorf("%v, state %s, failure %v\n%s", err, out.Machine.State, out.Failure, x.log())
		}
		if got := x.saw(timeline.Received, "403 Forbidden to REGISTER 4, ms-diagnostics 4004"); len(got) != 1 {
			x.t.Errorf("no 403 with 4004\n%s", x.log())
		}
		if f := x.load(); !f.CertificateRefused || !slices.Equal(f.Certificate, before.Certificate) {
			x.t.Errorf("certificate refused %v, of %d bytes", f.CertificateRefused, len(f.Certificate))
		}
	})
}
