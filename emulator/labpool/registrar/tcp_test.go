package registrar_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

func withTCP(l *lab) { l.cfg.TCPPort = registrar.DefaultTCPPort }

// TestOverTCP: TLS-DSK and what follows are the same over TCP; the addresses that the registrar tells are those of TCP.
func TestOverTCP(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connectBy("tcp", user1, sipeEPID)
		s.mustSignOn()
		if list := l.server.Registrations(); len(list) != 1 || !strings.HasPrefix(list[0].Contact, "sip:"+s.local+";transport=tcp;") {
			t.Errorf("registered %+v", list)
		}
		for _, m := range []*sipmessage.Message{contactsRequest(s), provisioningRequest(s), selfRequest(s)} {
			if answer := s.open(m); answer.Status != 200 || answer.Get("Contact") != "<sip:fe01.lab.test:5060;transport=tcp>" {
				t.Errorf("%s: %d, Contact %s", m.Get("Event"), answer.Status, answer.Get("Contact"))
			}
		}
		if via := s.refresh().Get("Via"); !strings.HasPrefix(via, "SIP/2.0/tcp "+s.local+";") {
			t.Errorf("Via %s", via)
		}
		done := during(func() error { return l.server.Deregister(l.soon(), user1, registrar.Deactivated) })
		m := s.fromPool()
		if via := m.Get("Via"); !strings.HasPrefix(via, "SIP/2.0/TCP 192.0.2.10:5060;") {
			t.Errorf("Via %s", via)
		}
		s.answer(m, 200)
		l.must(<-done)

		other := l.connect(user2, sipeEPID) // TLS is taken beside it
		other.mustSignOn()
		if answer := other.open(contactsRequest(other)); answer.Get("Contact") != "<sip:fe01.lab.test:5061;transport=tls>" {
			t.Errorf("over TLS: Contact %s", answer.Get("Contact"))
		}
	}, withTCP)
}

// TestNoTCP: without being told so, the registrar does not take TCP.
func TestNoTCP(t *testing.T) {
	virtual(t, func(l *lab) {
		station := l.station("handset", netip.MustParsePrefix("192.0.2.99/24"))
		if conn, err := station.DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), registrar.DefaultTCPPort)); err == nil {
			conn.Close()
			t.Error("connected")
		}
		if a := l.server.Addresses(); a.TCP != "" || a.TLS != "fe01.lab.test:5061" {
			t.Errorf("%+v", a)
		}
	})
}

// TestRedirectsOverTCP stay on TCP where the target takes it.
func TestRedirectsOverTCP(t *testing.T) {
	both := registrar.Address{TLS: "fe02.lab.test:5061", TCP: "fe02.lab.test:5060"}
	alone := registrar.Address{TLS: "backup.lab.test:5061"}
	for contacts, home := range map[string][]registrar.Address{
		"<sip:fe02.lab.test:5060;transport=tcp>":                                                      {both},
		"<sip:backup.lab.test:5061;transport=tls>":                                                    {alone},
		"<sip:fe02.lab.test:5060;transport=TCP>;q=0.7|<sip:backup.lab.test:5061;transport=TLS>;q=0.3": {both, alone},
	} {
		t.Run(contacts, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := l.connectBy("tcp", user1, sipeEPID)
				s.must(asError(s.associate()))
				got := s.send(s.sign(s.register()))
				if got.answer == nil || strings.Join(got.answer.Values("Contact"), "|") != contacts {
					t.Errorf("%s, Contact %q", got, got.answer.Values("Contact"))
				}
			}, withTCP, func(l *lab) { l.cfg.Home = func() []registrar.Address { return home } })
		})
	}
}
