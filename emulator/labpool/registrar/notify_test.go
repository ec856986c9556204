package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// names are the headers of a message in their order.
func names(m *sipmessage.Message) string {
	var out []string
	for _, h := range m.Headers {
		out = append(out, h.Name)
	}
	return strings.Join(out, " ")
}

// during runs what the pool does while the test plays the handset.
func during(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return done
}

// fromPool is the next request of the pool, its signature checked.
func (s *sipe) fromPool() *sipmessage.Message {
	s.Helper()
	m, err := s.next()
	s.must(err)
	if !m.IsRequest() {
		s.Fatalf("%d %s instead of a request", m.Status, m.Reason)
	}
	if m.Get("Authentication-Info") != "" {
		s.must(s.verify(m))
	}
	return m
}

// answer is sipe's signed answer to a request of the pool.
func (s *sipe) answer(m *sipmessage.Message, status int) {
	s.Helper()
	s.must(s.conn.Send(s.sign(sipmessage.Response(m, status, "OK", randomTag()))))
}

// TestForcedSignOut is the NOTIFY of sip.md §8.10; sipe answers a signed 200, then signs out.
func TestForcedSignOut(t *testing.T) {
	for _, event := range []registrar.Event{registrar.Rejected, registrar.Unregistered, registrar.Deactivated} {
		t.Run(string(event), func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := signedOn(l)
				s.open(contactsRequest(s))
				done := during(func() error { return l.server.Deregister(l.soon(), user1, event) })
				m := s.fromPool()
				if want := "sip:" + s.local + ";transport=tls;ms-opaque=d3470f2e1d"; m.Method != "NOTIFY" || m.RequestURI != want {
					t.Errorf("%s %s, want NOTIFY %s", m.Method, m.RequestURI, want)
				}
				want, public := "Via Authentication-Info Max-Forwards From To Call-ID CSeq Event subscription-state", ""
				if event == registrar.Rejected {
					want, public = want+" ms-diagnostics-public", `4141;reason="User disabled"`
				}
				if got := names(m); got != want+" Content-Type Content-Length" {
					t.Errorf("headers %s", got)
				}
				for name, value := range map[string]string{
					"To": "<" + user1 + ">;epid=" + sipeEPID, "CSeq": "1 NOTIFY", "Event": "registration-notify", "Max-Forwards": "70",
					"subscription-state": "terminated;expires=0", "Content-Type": "text/registration-event", "ms-diagnostics-public": public,
				} {
					if got := m.Get(name); got != value {
						t.Errorf("%s: %q, want %q", name, got, value)
					}
				}
				if string(m.Body) != "deregistered;event="+string(event) {
					t.Errorf("body %q", m.Body)
				}
				s.answer(m, 200)
				l.must(<-done)
				s.await(l.soon(), "removed")
				delete(s.dialog, contactsEvent)
				if answer := s.call(s.sign(s.register(expires("0")))); answer.Status != 200 || answer.Get("Expires") != "0" {
					t.Errorf("sign-out: %d", answer.Status)
				}
			})
		})
	}
}

// TestForcedSignOutWithoutAnswer: another status is told, silence is no answer after 10 s, nobody there is an error.
func TestForcedSignOutWithoutAnswer(t *testing.T) {
	virtual(t, func(l *lab) {
		if err := l.server.Deregister(l.soon(), user1, registrar.Rejected); !errors.Is(err, registrar.ErrNotRegistered) {
			t.Errorf("nobody: %v", err)
		}
		s := signedOn(l)
		done := during(func() error { return l.server.Deregister(l.soon(), user1, registrar.Rejected) })
		s.answer(s.fromPool(), 481)
		if err := <-done; err == nil || !strings.Contains(err.Error(), "481") {
			t.Errorf("481: %v", err)
		}
		s.refresh()
		if err := l.server.Deregister(l.soon(), user1, registrar.Rejected); !errors.Is(err, registrar.ErrNoAnswer) {
			t.Errorf("silence: %v", err)
		}
	})
}

// TestNotify: BENOTIFY has no answer, NOTIFY does; both are in the dialog of their SUBSCRIBE, CSeq counts on from the
// piggybacked notification.
func TestNotify(t *testing.T) {
	change := registrar.Notification{Event: contactsEvent, ContentType: "application/vnd-microsoft-roaming-contacts+xml", Body: []byte(`<contactDelta deltaNum="2" prevDeltaNum="1"/>`)}
	for _, method := range []string{"BENOTIFY", "NOTIFY"} {
		t.Run(method, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := signedOn(l)
				asked := contactsRequest(s)
				if method == "NOTIFY" {
					var kept []sipmessage.Header
					for _, h := range asked.Headers {
						if h.Value != "ms-benotify" {
							kept = append(kept, h)
						}
					}
					asked.Headers = kept
				}
				answer := s.open(asked)
				for cseq := 2; cseq <= 3; cseq++ {
					done := during(func() error { return l.server.Notify(l.soon(), user1, change) })
					m := s.fromPool()
					if m.Method != method || m.Get("CSeq") != fmt.Sprintf("%d %s", cseq, method) || m.CallID() != asked.CallID() || m.RequestURI != s.gruu ||
						m.Get("From") != answer.Get("To") || m.Get("To") != asked.Get("From") || m.Get("Event") != contactsEvent ||
						m.Get("subscription-state") != "active;expires=600" || string(m.Body) != string(change.Body) {
						t.Errorf("%s", names(m))
						for _, h := range m.Headers {
							t.Errorf("%s: %s", h.Name, h.Value)
						}
					}
					if method == "NOTIFY" {
						s.answer(m, 200)
					}
					l.must(<-done)
				}
				s.want200(s.within(contactsEvent, 2, expires("0")))
				if err := l.server.Notify(l.soon(), user1, change); err == nil {
					t.Error("notified after the end of the subscription")
				}
			})
		})
	}
}

// TestProbe: what the pool sends to try a handset: signed, unsigned, signed wrong; the ACK to an INVITE.
func TestProbe(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		probe := func(p registrar.Probe) <-chan error {
			return during(func() error {
				status, err := l.server.Probe(l.soon(), user1, p)
				if err == nil && status != 486 && status != 0 {
					err = fmt.Errorf("status %d", status)
				}
				return err
			})
		}
		done := probe(registrar.Probe{Method: "INVITE"})
		m := s.fromPool()
		if m.Method != "INVITE" || m.Get("Authentication-Info") == "" {
			t.Errorf("%s %s", m.Method, names(m))
		}
		s.answer(m, 100)
		s.answer(m, 486)
		if ack := s.fromPool(); ack.Method != "ACK" || ack.CallID() != m.CallID() {
			t.Errorf("%s of %s", ack.Method, ack.CallID())
		}
		l.must(<-done)

		done = probe(registrar.Probe{Method: "BENOTIFY", Event: "presence", Signing: registrar.Unsigned})
		if m := s.fromPool(); m.Get("Authentication-Info") != "" {
			t.Errorf("signed: %s", names(m))
		}
		l.must(<-done)

		done = probe(registrar.Probe{Method: "NOTIFY", Event: "presence", Signing: registrar.Spoiled})
		m, err := s.next()
		l.must(err)
		if err := s.verify(m); err == nil || err.Error() != "invalid message signature received" {
			t.Errorf("%v", err)
		}
		if err := <-done; !errors.Is(err, registrar.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestDocuments holds order and form of what the front end sends to sip.md §8.2, §8.4, §8.6, §8.8 and §8.9.
func TestDocuments(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)
		match := func(m *sipmessage.Message, name, pattern string) {
			t.Helper()
			if !regexp.MustCompile("^" + pattern + "$").MatchString(m.Get(name)) {
				t.Errorf("%s %q, want %s", name, m.Get(name), pattern)
			}
		}
		const common = "From To Call-ID CSeq Via"
		first := s.call(s.register())
		if got := names(first); got != "Date WWW-Authenticate "+common+" Server Content-Length" {
			t.Errorf("401: %s", got)
		}
		match(first, "WWW-Authenticate", regexp.QuoteMeta(`TLS-DSK realm="SIP Communications Service", targetname="`+host+`", version=4, sts-uri="`+stsURI+`"`))
		match(first, "Date", "Sat, 01 Jan 2000 00:00:00 GMT")
		match(first, "To", `<sip:user1@lab\.test>;tag=[0-9A-F]{32}`)
		match(first, "Via", `SIP/2\.0/tls [0-9.:]+;branch=z9hG4bK[0-9A-F]{20};ms-received-port=[0-9]+;ms-received-cid=[0-9A-F]+`)
		if first.Get("From") == "" || first.Get("Server") != "RTC/5.0" || first.Get("Content-Length") != "0" {
			t.Errorf("401: From %q, Server %q", first.Get("From"), first.Get("Server"))
		}

		second := s.flight(s.clientHello(), nil).answer
		match(second, "WWW-Authenticate", `TLS-DSK opaque="[0-9A-F]{8}", gssapi-data="[A-Za-z0-9+/]+=*", targetname="fe01\.lab\.test", realm="SIP Communications Service", version=4`)

		answer := s.mustSignOn()
		if got := names(answer); got != "Authentication-Info "+common+" Contact Expires presence-state Allow-Events ms-keep-alive Supported Server Supported Supported Supported Content-Length" {
			t.Errorf("200: %s", got)
		}
		match(answer, "Authentication-Info", `TLS-DSK qop="auth", opaque="[0-9A-F]{8}", srand="[0-9A-F]{8}", snum="1", rspauth="[0-9a-f]{40}", targetname="fe01\.lab\.test", realm="SIP Communications Service", version=4`)
		match(answer, "presence-state", `register-action="added";primary-cluster-type="central";is-connected-to-primary="yes"`)
		match(answer, "ms-keep-alive", "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300")
		if got := strings.Join(answer.Values("Supported"), "|"); got != "adhoclist|msrtc-event-categories|ms-keepalive-deregister|ms-userservices-state-notification" {
			t.Errorf("Supported %s", got)
		}

		answer = s.want200(provisioningRequest(s))
		if got := names(answer); got != "Authentication-Info Contact "+common+" Expires Event subscription-state ms-piggyback-cseq Supported Server Content-Type Content-Length" {
			t.Errorf("provisioning: %s", got)
		}
		match(answer, "Contact", `<sip:fe01\.lab\.test:5061;transport=tls>`)
		match(answer, "subscription-state", "terminated;expires=0")
		match(answer, "Supported", "ms-benotify, ms-piggyback-first-notify")
	})
}
