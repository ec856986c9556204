package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/provisioning"
)

// TestBounds: a connection holds 16 associations and 64 subscriptions, the oldest goes first.
func TestBounds(t *testing.T) {
	t.Run("associations", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.connect(user1, sipeEPID)
			var made []*sipe
			for range 17 {
				s.must(asError(s.associate()))
				one := *s
				made = append(made, &one)
			}
			for i, want := range map[int]string{0: "401 Unauthorized, a fresh challenge", 1: "200 OK"} {
				one := made[i]
				one.cseq = 1000 + i
				if got := one.send(one.sign(one.register())); got.String() != want {
					t.Errorf("association %d: %s, want %s", i, got, want)
				}
			}
		})
	})
	t.Run("subscriptions", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := signedOn(l)
			first := contactsRequest(s)
			answer := s.want200(first)
			for range 64 {
				time.Sleep(time.Second)
				s.open(contactsRequest(s))
			}
			s.want200(s.within(contactsEvent, 2))
			s.asked[contactsEvent], s.dialog[contactsEvent] = first, answer
			if got := s.send(s.sign(s.within(contactsEvent, 2))); got.String() != "481 Subscription Does Not Exist" {
				t.Errorf("the first one: %s", got)
			}
		})
	})
}

// TestSubscriptionEnds: it is renewed in its dialog, alone, and ends with its time.
func TestSubscriptionEnds(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		if answer := s.open(contactsRequest(s)); answer.Get("Expires") != "600" || answer.Get("subscription-state") != "active;expires=600" {
			t.Errorf("Expires %q, %q", answer.Get("Expires"), answer.Get("subscription-state"))
		}
		time.Sleep(480 * time.Second)
		renewed := s.want200(s.within(contactsEvent, 2, expires("120")))
		if renewed.Get("Expires") != "120" || renewed.Get("ms-piggyback-cseq") != "" || len(renewed.Body) != 0 {
			t.Errorf("Expires %q, ms-piggyback-cseq %q, body %q", renewed.Get("Expires"), renewed.Get("ms-piggyback-cseq"), renewed.Body)
		}
		time.Sleep(121 * time.Second)
		s.refresh()
		if got := s.send(s.sign(s.within(contactsEvent, 3))); got.String() != "481 Subscription Does Not Exist" {
			t.Errorf("%s", got)
		}
	})
}

// TestProvisioningGroups gives what was asked for and is known, in the order asked for, each once.
func TestProvisioningGroups(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		asked := provisioning.GroupRequest{Groups: []string{
			"mediaConfiguration", "ServerConfiguration", "meetingPolicy", "endpointConfiguration", "ucPolicy", "ServerConfiguration", "locationPolicy",
		}}
		body, err := asked.Append(nil)
		l.must(err)
		answer := s.want200(s.subscribe(provisioningEvent, provisioning.TypeProvisioning, string(body), expires("0")))
		groups, err := provisioning.ParseGroups(answer.Body)
		l.must(err)
		var got []string
		for _, g := range groups.Groups {
			got = append(got, g.Name)
		}
		if want := []string{"mediaConfiguration", "ServerConfiguration", "endpointConfiguration", "ucPolicy", "locationPolicy"}; !slices.Equal(got, want) {
			t.Errorf("groups %v, want %v", got, want)
		}
		c, err := groups.Configuration()
		l.must(err)
		if !c.EnforcePINLock || c.MinPINLength != 6 || c.PhoneTimeout != 10*time.Minute || c.SecurityMode != "High" || c.VoiceDiffServ != 40 ||
			!c.UpdatesEnabled || c.UpdatesInternalURL != "https://pool.lab.test:443/RequestHandler/ucdevice.upx" {
			t.Errorf("%+v", c)
		}
		if roamed := string(s.want200(selfRequest(s)).Body); !strings.Contains(roamed, lineURI) {
			t.Errorf("roaming-self lacks the line: %s", roamed)
		}
	})
}

// TestInvite: a user of the lab cannot be called, another does not exist.
func TestInvite(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		for uri, want := range map[string]string{user2: "480 Temporarily Unavailable", "sip:ocschat@lab.test": "404 Not Found, ms-diagnostics 1003"} {
			m := s.request("INVITE", uri, "<"+uri+">", randomText(16), 1)
			m.Add("Content-Length", "0")
			if answer := s.call(s.sign(m)); (outcome{answer: answer}).String() != want {
				t.Errorf("%s: %d %s, want %s", uri, answer.Status, answer.Reason, want)
			}
		}
		cancel := s.request("CANCEL", user2, "<"+user2+">", randomText(16), 1)
		cancel.Add("Content-Length", "0")
		if got := s.send(s.sign(cancel)); got.String() != "481 Call Leg/Transaction Does Not Exist" {
			t.Errorf("CANCEL: %s", got)
		}
	})
}

// TestNeverAnswered: an ACK never, a CANCEL not unless it is signed right ([MS-SIPAE] 3.3.5.1).
func TestNeverAnswered(t *testing.T) {
	for _, method := range []string{"ACK", "CANCEL"} {
		t.Run(method, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := signedOn(l)
				m := s.sign(s.other(method, "", ""))
				m.Set("Call-ID", "another")
				if got := s.send(m); !errors.Is(got.err, errSilence) {
					t.Errorf("signed wrong: %s", got)
				}
				m = s.other(method, "", "")
				m.Add("Authorization", `TLS-DSK qop="auth, realm=x`)
				if got := s.send(without(m, "Via")); !errors.Is(got.err, errSilence) {
					t.Errorf("malformed: %s", got)
				}
			})
		})
	}
}

// TestAwaitState waits for a state, over expiry too, and tells what there is when it does not come.
func TestAwaitState(t *testing.T) {
	virtual(t, func(l *lab) {
		signedOn(l)
		began := time.Now()
		late, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if one, err := l.server.AwaitState(late, user1, "", registrar.Expired); err != nil || one.EPID != sipeEPID || time.Since(began).Round(time.Second) != 600*time.Second {
			t.Errorf("%+v after %v, %v", one, time.Since(began), err)
		}
		one, err := l.server.AwaitState(l.soon(), user1, sipeEPID, registrar.SignedOff)
		if !errors.Is(err, context.DeadlineExceeded) || one.State != registrar.Expired {
			t.Errorf("%+v, %v", one, err)
		}
	})
}

// TestSTSURI changes the address in challenges, or takes it out.
func TestSTSURI(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)
		for _, uri := range []string{stsURI, "https://other.lab.test/CertProv/CertProvisioningService.svc", ""} {
			l.server.SetSTSURI(uri)
			p, err := challenge(s.call(s.register()))
			if err != nil || p.STSURI != uri {
				t.Errorf("%q, %v, want %q", p.STSURI, err, uri)
			}
		}
	})
}

// TestBackup: the backup pool's front end says that it is not the primary one ([MS-SIPREGE] 2.2.1.4).
func TestBackup(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)
		if got, want := s.mustSignOn().Get("presence-state"), fmt.Sprintf(`register-action="added";primary-cluster-type="central";is-connected-to-primary=%q`, "no"); got != want {
			t.Errorf("presence-state %q, want %q", got, want)
		}
	}, func(l *lab) { l.cfg.Lab.Backup = &configs.Host{FQDN: host} })
}
