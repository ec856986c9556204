package registrar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// TestExpires is the time granted: 600 s, or what is asked for between 300 and 900.
func TestExpires(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		for asked, want := range map[string]string{"": "600", "1": "300", "299": "300", "301": "301", "900": "900", "7200": "900"} {
			var extra []sipmessage.Header
			if asked != "" {
				extra = append(extra, expires(asked))
			}
			answer := s.refresh(extra...)
			if got := answer.Get("Expires"); got != want || !strings.Contains(answer.Get("Contact"), ";expires="+want+";") {
				t.Errorf("asked for %q: %q, Contact %q, want %s", asked, got, answer.Get("Contact"), want)
			}
		}
	})
}

// TestExpiresOfTheLab overrides the range for registrations; subscriptions are not its matter.
func TestExpiresOfTheLab(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		for _, extra := range [][]sipmessage.Header{nil, {expires("300")}, {expires("7200")}} {
			if got := s.refresh(extra...).Get("Expires"); got != "38" {
				t.Errorf("%v: Expires %q, want 38", extra, got)
			}
		}
		if got := s.open(s.subscribe("vnd-microsoft-roaming-contacts", "application/vnd-microsoft-roaming-contacts+xml", "")).Get("Expires"); got != "600" {
			t.Errorf("subscription: Expires %q, want 600", got)
		}
		if got := s.refresh(expires("0")).Get("Expires"); got != "0" {
			t.Errorf("signing off: Expires %q", got)
		}
	}, func(l *lab) { l.cfg.Lab.Registrar.Expires = 38 })
}

// TestExpiry: a registration that was not refreshed is over, and its refresh is an addition ([MS-SIPREGE] 3.1.1.5.1).
func TestExpiry(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		for range 2 {
			time.Sleep(590 * time.Second)
			if answer := s.refresh(); !strings.HasPrefix(answer.Get("presence-state"), `register-action="refreshed"`) {
				t.Errorf("presence-state %q", answer.Get("presence-state"))
			}
		}
		s.idle(610 * time.Second)
		if list := l.server.Registrations(); len(list) != 1 || list[0].State != registrar.Expired {
			t.Errorf("%+v", list)
		}
		if answer := s.refresh(); !strings.HasPrefix(answer.Get("presence-state"), `register-action="added"`) {
			t.Errorf("presence-state %q", answer.Get("presence-state"))
		}
		s.await(s.soon(), "registered")
	})
}

// TestEndpoints: every endpoint of a user is in the 200, the own one first, each with its own Contact and time left.
func TestEndpoints(t *testing.T) {
	virtual(t, func(l *lab) {
		first := signedOn(l)
		time.Sleep(100 * time.Second)
		second := l.connect(user1, "a0ae9e6cb0")
		contacts := second.mustSignOn().Values("Contact")
		if len(contacts) != 2 || !strings.Contains(contacts[0], second.uuid()) || !strings.Contains(contacts[1], first.uuid()) ||
			!strings.Contains(contacts[0], ";expires=600;") || !strings.Contains(contacts[1], ";expires=500;") {
			t.Errorf("Contacts %q", contacts)
		}
		if want := "<sip:" + second.local + ";transport=tls;ms-opaque=d3470f2e1d;ms-received-cid="; !strings.HasPrefix(contacts[0], want) {
			t.Errorf("Contact %q, want %s…: proxy=replace", contacts[0], want)
		}
		other := l.signOnAs(user2, sipeEPID)
		if contacts := other.refresh().Values("Contact"); len(contacts) != 1 {
			t.Errorf("another user's Contacts %q", contacts)
		}
		first.signOff()
		if contacts := second.refresh().Values("Contact"); len(contacts) != 1 {
			t.Errorf("Contacts after a sign-off %q", contacts)
		}
	})
}

// TestTooManyEndpoints: the one registered first makes room and is told.
func TestTooManyEndpoints(t *testing.T) {
	virtual(t, func(l *lab) {
		first := signedOn(l)
		second := l.signOnAs(user1, "a0ae9e6cb0")
		l.signOnAs(user1, "01010101")
		m, err := first.next()
		l.must(err)
		l.must(first.verify(m))
		if m.Method != "NOTIFY" || m.Get("Event") != "registration-notify" || string(m.Body) != "deregistered;event=unregistered" {
			t.Errorf("%s %s, body %q", m.Method, m.Get("Event"), m.Body)
		}
		l.must(first.conn.Send(first.sign(sipmessage.Response(m, 200, "OK", randomTag()))))
		first.await(l.soon(), "removed")
		second.await(l.soon(), "registered")
		if answer := second.refresh(); !strings.HasPrefix(answer.Get("presence-state"), `register-action="refreshed"`) {
			t.Errorf("presence-state %q", answer.Get("presence-state"))
		}
	}, func(l *lab) { l.cfg.Lab.Registrar.MaxEndpointsPerUser = 2 })
}

// TestPublicationVersions counts on at each publication; after a 409 sipe sends again with the versions that it was
// told (sip.md §5.3.1). What lasts as long as its endpoint goes with it.
func TestPublicationVersions(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		s.want200(s.other("SERVICE", provisioning.TypePublish, publish))
		refused := s.call(s.sign(s.other("SERVICE", provisioning.TypePublish, publish)))
		fault, err := provisioning.ParseFault(refused.Body)
		l.must(err)
		if refused.Status != 409 || fault.Code != provisioning.WrongVersion || fmt.Sprint(fault.Operations) != "[{1 1} {2 1} {3 1}]" {
			t.Errorf("%d, %+v", refused.Status, fault)
		}
		again := s.want200(s.other("SERVICE", provisioning.TypePublish, strings.ReplaceAll(publish, `version="0"`, `version="1"`)))
		self, err := provisioning.ParseSelf(again.Body)
		l.must(err)
		if again.Get("Content-Type") != provisioning.TypeSelf || self.Version("device", 3662149179, 2) != 2 || self.Version("state", 536870912, 2) != 2 {
			t.Errorf("%s %s", again.Get("Content-Type"), again.Body)
		}
		s.signOff()

		s = signedOn(l)
		roamed, err := provisioning.ParseSelf(s.want200(selfRequest(s)).Body)
		l.must(err)
		if d, m, u := roamed.Version("device", 3662149179, 2), roamed.Version("state", 1034190691, 2), roamed.Version("state", 536870912, 2); d != 0 || m != 0 || u != 2 {
			t.Errorf("after the sign-off device %d, machineState %d, userState %d, want 0, 0, 2", d, m, u)
		}
	})
}

// TestReconnect: a new connection with a new Call-ID is an addition, in place of the older registration.
func TestReconnect(t *testing.T) {
	virtual(t, func(l *lab) {
		signedOn(l)
		again := l.connect(user1, sipeEPID)
		answer := again.mustSignOn()
		if contacts := answer.Values("Contact"); len(contacts) != 1 || !strings.HasPrefix(answer.Get("presence-state"), `register-action="added"`) {
			t.Errorf("presence-state %q, Contacts %q", answer.Get("presence-state"), contacts)
		}
		done := during(func() error { return l.server.Deregister(l.soon(), user1, registrar.Deactivated) })
		again.answer(again.fromPool(), 200) // the NOTIFY goes to the newer connection
		l.must(<-done)
	})
}

// TestPublicationsOfOthersStay when an endpoint signs out.
func TestPublicationsOfOthersStay(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		s.want200(s.other("SERVICE", provisioning.TypePublish, publish))
		l.signOnAs(user1, "a0ae9e6cb0").signOff()
		self, err := provisioning.ParseSelf(s.want200(selfRequest(s)).Body)
		l.must(err)
		if v := self.Version("device", 3662149179, 2); v != 1 {
			t.Errorf("device has version %d, want 1", v)
		}
	})
}
