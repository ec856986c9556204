package registrar_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// TestRenewal builds another association on the same connection while the registration stays (sip.md §1.6): sipe goes
// on counting, and the old association ends with the first message that the new one signs.
func TestRenewal(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		old := *s
		s.must(asError(s.associate()))
		if s.opaque == old.opaque {
			t.Errorf("opaque %s again", s.opaque)
		}
		s.must(s.try200(old.sign(s.register()), &old)) // still good
		s.cnum = old.cnum
		if answer := s.refresh(); answer.Status != 200 || !strings.HasPrefix(answer.Get("presence-state"), `register-action="refreshed"`) {
			t.Errorf("%d, presence-state %q", answer.Status, answer.Get("presence-state"))
		}
		if s.snum != 1 || s.cnum < 3 {
			t.Errorf("snum %d, cnum %d, want 1 and the count to go on", s.snum, s.cnum)
		}
		old.cnum = s.cnum
		if got := s.send(old.sign(s.register())); got.String() != "401 Unauthorized, a fresh challenge" {
			t.Errorf("the old association: %s", got)
		}
		if list := l.server.Registrations(); len(list) != 1 || list[0].State != "registered" {
			t.Errorf("%+v", list)
		}
	})
}

// TestLostAssociations: the front end has forgotten them, sipe signs on again without a sign-off.
func TestLostAssociations(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		s.must(l.server.DropAssociations(l.soon()))
		if got := s.send(s.sign(s.register())); got.String() != "401 Unauthorized, a fresh challenge" {
			t.Errorf("%s", got)
		}
		if answer := s.mustSignOn(); !strings.HasPrefix(answer.Get("presence-state"), `register-action="refreshed"`) {
			t.Errorf("presence-state %q", answer.Get("presence-state"))
		}
	})
}

// TestAssociationIdles: 15 minutes, or Expires and 30 s after a REGISTER; keep-alives keep nothing but the connection.
func TestAssociationIdles(t *testing.T) {
	for expiry, life := range map[int]time.Duration{0: 15 * time.Minute, 300: 330 * time.Second, 600: 630 * time.Second, 900: 930 * time.Second} {
		for late, want := range map[time.Duration]string{-time.Second: "200 OK", time.Second: "401 Unauthorized, a fresh challenge"} {
			t.Run(fmt.Sprintf("%d s, %v late", expiry, late), func(t *testing.T) {
				virtual(t, func(l *lab) {
					s := signedOn(l)
					if expiry == 0 {
						s.want200(contactsRequest(s))
					} else if answer := s.refresh(expires(fmt.Sprint(expiry))); answer.Get("Expires") != fmt.Sprint(expiry) {
						t.Fatalf("Expires %q", answer.Get("Expires"))
					}
					s.idle(life + late)
					if got := s.send(s.sign(s.register())); got.String() != want {
						t.Errorf("%s, want %s\n%s", got, want, l.log())
					}
				})
			})
		}
	}
}

// idle lets time pass with keep-alives.
func (s *sipe) idle(d time.Duration) {
	s.Helper()
	for ; d > 0; d -= min(d, 5*time.Minute) {
		time.Sleep(min(d, 5*time.Minute))
		s.must(s.conn.KeepAlive())
	}
}

// TestInnerHandshakes are the suites and versions that clients of TLS-DSK have (sip.md §1.5).
func TestInnerHandshakes(t *testing.T) {
	for _, c := range []struct{ version, suite uint16 }{
		{tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		{tls.VersionTLS10, tls.TLS_RSA_WITH_AES_256_CBC_SHA},
		{tls.VersionTLS10, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA},
		{tls.VersionTLS10, tls.TLS_RSA_WITH_RC4_128_SHA},
		{tls.VersionTLS11, tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		{tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	} {
		t.Run(tls.VersionName(c.version)+" "+tls.CipherSuiteName(c.suite), func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := l.connect(user1, sipeEPID)
				s.innerVersion, s.innerSuites = c.version, []uint16{c.suite}
				s.mustSignOn()
				if answer := s.refresh(); answer.Status != 200 {
					t.Errorf("refresh: %d", answer.Status)
				}
			})
		})
	}
	t.Run("ECDHE alone", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.connect(user1, sipeEPID)
			s.innerVersion, s.innerSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
			if got := s.flight(s.clientHello(), nil); got.String() != "401 Unauthorized, a fresh challenge" {
				t.Errorf("%s", got)
			}
		})
	})
}

// TestHandshakeBeginsAnew: a flight without opaque, or with one that nobody gave, begins another handshake.
func TestHandshakeBeginsAnew(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)
		var given []string
		for range 3 {
			got := s.flight(s.clientHello(), nil)
			p, err := challenge(got.answer)
			s.must(err)
			if p.GSSAPIData == "" || p.STSURI != "" || p.Realm != tlsdsk.Realm || p.TargetName != host || len(p.Opaque) != 8 {
				t.Errorf("%+v", p)
			}
			given = append(given, p.Opaque)
		}
		if given[0] == given[1] || given[1] == given[2] {
			t.Errorf("opaque %v", given)
		}
		s.mustSignOn()
	})
}

// try200 sends a message that another association signed and wants its 200, which that association signs too.
func (s *sipe) try200(m *sipmessage.Message, by *sipe) error {
	s.Helper()
	s.must(s.conn.Send(m))
	got, err := s.next()
	switch {
	case err != nil:
		return err
	case got.Status != 200:
		return fmt.Errorf("%d %s", got.Status, got.Reason)
	}
	return by.verify(got)
}
