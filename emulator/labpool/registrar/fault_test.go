package registrar_test

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/provisioning"
)

// TestStatusFaults answer the signed REGISTER, signed, but never a sign-out (sip.md §4.6).
func TestStatusFaults(t *testing.T) {
	for fault, want := range map[string]string{
		"register=403": "403 Forbidden, ms-diagnostics 4141", "register=404": "404 Not Found, ms-diagnostics 1003",
		"register=480": "480 Temporarily Unavailable, ms-diagnostics 4000", "register=503": "503 Service Unavailable, ms-diagnostics 4000",
		"register=504": "504 Server time-out, ms-diagnostics 1007",
	} {
		t.Run(fault, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := l.connect(user1, sipeEPID)
				s.must(asError(s.associate()))
				if got := s.send(s.sign(s.register())); got.String() != want || !got.signed() {
					t.Errorf("%s, want %s", got, want)
				}
				if got := s.send(s.sign(s.register(expires("0")))); got.String() != "200 OK" {
					t.Errorf("sign-out: %s", got)
				}
			}, withFaults(fault))
		})
	}
	t.Run("twice", func(t *testing.T) {
		virtual(t, func(l *lab) {
			s := l.connect(user1, sipeEPID)
			s.must(asError(s.associate()))
			for _, want := range []string{"503 Service Unavailable, ms-diagnostics 4000", "503 Service Unavailable, ms-diagnostics 4000", "200 OK"} {
				if got := s.send(s.sign(s.register())); got.String() != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		}, withFaults("register=503:2"))
	})
}

// TestConnectionFaults strike a REGISTER of any kind.
func TestConnectionFaults(t *testing.T) {
	for fault, want := range map[string]func(outcome) bool{
		"register=timeout": func(o outcome) bool { return errors.Is(o.err, errSilence) },
		"register=reset":   func(o outcome) bool { return o.err != nil && !errors.Is(o.err, errSilence) },
		"register=garbage": func(o outcome) bool { return o.err != nil && !errors.Is(o.err, errSilence) },
	} {
		t.Run(fault, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := l.connect(user1, sipeEPID)
				if got := s.send(s.register()); !want(got) {
					t.Errorf("%s, %v", got, got.err)
				}
			}, withFaults(fault))
		})
	}
	t.Run("register=certificate-refused", func(t *testing.T) {
		virtual(t, func(l *lab) {
			if got := handshakeTo(l, l.connect(user1, sipeEPID)); got.String() != "401 Unauthorized, ms-diagnostics 1000, a fresh challenge" {
				t.Errorf("%s", got)
			}
		}, withFaults("register=certificate-refused"))
	})
}

// TestNoChallengeFaults: a 401 that offers nothing, and one that offers everything but TLS-DSK.
func TestNoChallengeFaults(t *testing.T) {
	for fault, want := range map[string][]string{
		"register=401": nil,
		"register=no-tls-dsk": {
			`NTLM realm="SIP Communications Service", targetname="` + host + `", version=4`,
			`Kerberos realm="SIP Communications Service", targetname="` + host + `", version=4`,
		},
	} {
		virtual(t, func(l *lab) {
			got := l.connect(user1, sipeEPID)
			answer := got.send(got.register())
			if answer.err != nil || answer.answer.Status != 401 || !slices.Equal(answer.answer.Values("WWW-Authenticate"), want) {
				t.Errorf("%s: %s, %q", fault, answer, answer.answer.Values("WWW-Authenticate"))
			}
		}, withFaults(fault))
	}
}

// TestTLSVersionFault: TLS 1.0 is not spoken any more, TLS 1.2 is.
func TestTLSVersionFault(t *testing.T) {
	virtual(t, func(l *lab) {
		l.connect(user1, sipeEPID) // by TLS 1.2
		address := netip.MustParsePrefix("192.0.2.90/24")
		conn, err := l.station("old handset", address).DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), 5061))
		l.must(err)
		defer conn.Close()
		old := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
		if err := old.HandshakeContext(l.soon()); err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
			t.Errorf("%v", err)
		}
	}, withFaults("register=tls-version"))
}

// TestRefusedConnections: the port is closed until Listen, or that many connections are reset.
func TestRefusedConnections(t *testing.T) {
	try := func(l *lab, last byte) error {
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, last}), 24)
		conn, err := l.station(address.String(), address).DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), 5061))
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err = conn.Write([]byte{22}); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		return err
	}
	t.Run("always", func(t *testing.T) {
		virtual(t, func(l *lab) {
			if err := try(l, 90); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%v", err)
			}
			l.must(l.server.Listen())
			l.must(l.server.Listen())
			signedOn(l)
			l.must(l.server.Refuse())
			if err := try(l, 91); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("after Refuse: %v", err)
			}
		}, withFaults("register=refused"))
	})
}

// TestBackupRegistrar takes endpoints while it is in charge, and sends them home when it is no more: at the next refresh,
// but for those that leave.
func TestBackupRegistrar(t *testing.T) {
	var home []registrar.Address
	primary := []registrar.Address{{TLS: "fe02.lab.test:5061"}}
	virtual(t, func(l *lab) {
		s := signedOn(l)
		if answer := s.refresh(); answer.Status != 200 {
			t.Errorf("in charge: %d", answer.Status)
		}
		home = primary
		got := s.send(s.sign(s.register()))
		if got.String() != "301 Redirect request to Home Server" || got.answer.Get("Contact") != "<sip:fe02.lab.test:5061;transport=tls>" || !got.signed() {
			t.Errorf("%s, Contact %q", got, got.answer.Get("Contact"))
		}
		if list := l.server.Registrations(); len(list) != 1 || list[0].State != registrar.Removed {
			t.Errorf("%+v", list)
		}
		if got := s.send(s.sign(s.register(expires("0")))); got.String() != "301 Redirect request to Home Server" {
			t.Errorf("sign-out of one who is not registered: %s", got)
		}
		home = nil
		s.mustSignOn()
		home = primary
		if got := s.send(s.sign(s.register(expires("0")))); got.String() != "200 OK" {
			t.Errorf("sign-out: %s", got)
		}
		if list := l.server.Registrations(); list[len(list)-1].State != registrar.SignedOff {
			t.Errorf("%+v", list)
		}
	}, func(l *lab) { l.cfg.Home = func() []registrar.Address { return home } })
}

// TestStop ends the connections; the ports open again.
func TestStop(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		s.must(l.server.Stop())
		if _, ended := s.ends(time.Second); !ended {
			t.Error("the connection stays")
		}
		address := netip.MustParsePrefix("192.0.2.92/24")
		station := l.station("later", address)
		if conn, err := station.DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), 5061)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v, %v", conn, err)
		}
		s.must(l.server.Listen())
		conn, err := station.DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), 5061))
		s.must(err)
		conn.Close()
	})
}

// TestReadyFaults strike a refresh and nothing else.
func TestReadyFaults(t *testing.T) {
	for fault, want := range map[string]string{
		"ready=association-lost:1": "401 Unauthorized, a fresh challenge", "ready=certificate-revoked": "401 Unauthorized, a fresh challenge",
		"ready=registration-lost:1": "200 OK", "ready=connection-lost:1": "",
	} {
		t.Run(fault, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := signedOn(l)
				s.want200(contactsRequest(s))
				got := s.send(s.sign(s.register()))
				switch {
				case want == "":
					if got.err == nil || errors.Is(got.err, errSilence) {
						t.Errorf("%s, %v, want a reset", got, got.err)
					}
				case got.String() != want:
					t.Errorf("%s, want %s", got, want)
				case fault == "ready=registration-lost:1" && !strings.HasPrefix(got.answer.Get("presence-state"), `register-action="added"`):
					t.Errorf("presence-state %q", got.answer.Get("presence-state"))
				}
				if want == "401 Unauthorized, a fresh challenge" {
					err := asError(s.associate())
					if revoked := fault == "ready=certificate-revoked"; (err != nil) != revoked {
						t.Errorf("then %v", err)
					}
				}
			}, withFaults(fault))
		})
	}
}

// TestRedirects have the form of production with one target and that of a Director with two (sip.md §4.6).
func TestRedirects(t *testing.T) {
	const one, two = "fe02.lab.test:5061", "backup.lab.test:5061"
	home := func(names ...string) func(*lab) {
		var list []registrar.Address
		for _, name := range names {
			list = append(list, registrar.Address{TLS: name})
		}
		return func(l *lab) { l.cfg.Home = func() []registrar.Address { return list } }
	}
	neighbour := func(l *lab) { l.cfg.Neighbour = func() registrar.Address { return registrar.Address{TLS: one} } }
	for name, c := range map[string]struct {
		contacts string
		then     string // what the next REGISTER gets
		changes  []func(*lab)
	}{
		"Director":               {"<sip:fe02.lab.test:5061;transport=tls>", "301 Redirect request to Home Server", []func(*lab){home(one)}},
		"Director with a backup": {"<sip:fe02.lab.test:5061;transport=TLS>;q=0.7|<sip:backup.lab.test:5061;transport=TLS>;q=0.3", "301 Redirect request to Home Server", []func(*lab){home(one, two)}},
		"register=redirect":      {"<sip:fe02.lab.test:5061;transport=tls>", "200 OK", []func(*lab){withFaults("register=redirect"), neighbour}},
		"alone":                  {"<sip:fe01.lab.test:5061;transport=tls>", "200 OK", []func(*lab){withFaults("register=redirect")}},
		"register=redirect-loop": {"<sip:fe01.lab.test:5061;transport=tls>", "301 Redirect request to Home Server", []func(*lab){withFaults("register=redirect-loop"), neighbour}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := l.connect(user1, sipeEPID)
				s.must(asError(s.associate()))
				got := s.send(s.sign(s.register()))
				if got.String() != "301 Redirect request to Home Server" || !got.signed() || s.snum != 1 {
					t.Fatalf("%s, signed %v, snum %d\n%s", got, got.signed(), s.snum, l.log())
				}
				if contacts := strings.Join(got.answer.Values("Contact"), "|"); contacts != c.contacts || got.answer.Get("Expires") != "2592000" {
					t.Errorf("Contact %s, Expires %s", contacts, got.answer.Get("Expires"))
				}
				if order := names(got.answer); strings.Replace(order, "Contact Contact", "Contact", 1) != "Authentication-Info From To Call-ID CSeq Via Contact Expires Content-Length" {
					t.Errorf("headers %s", order)
				}
				if list := l.server.Registrations(); len(list) != 0 {
					t.Errorf("registered: %+v", list)
				}
				if got := s.send(s.sign(s.register())); got.String() != c.then {
					t.Errorf("then %s, want %s", got, c.then)
				}
			}, c.changes...)
		})
	}
}

// TestProvisioningFaults strike the one-shot provisioning SUBSCRIBE alone.
func TestProvisioningFaults(t *testing.T) {
	for fault, want := range map[string]func(outcome) bool{
		"provision=403":     func(o outcome) bool { return o.String() == "403 Forbidden" && o.signed() },
		"provision=timeout": func(o outcome) bool { return errors.Is(o.err, errSilence) },
		"provision=garbage": func(o outcome) bool {
			_, err := provisioning.ParseGroups(o.answer.Body)
			return o.answer.Status == 200 && o.signed() && err != nil
		},
	} {
		t.Run(fault, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := signedOn(l)
				if got := s.send(s.sign(provisioningRequest(s))); !want(got) {
					t.Errorf("%s", got)
				}
				s.want200(contactsRequest(s))
				s.want200(selfRequest(s))
				s.want200(s.other("SERVICE", provisioning.TypePublish, publish))
			}, withFaults(fault))
		})
	}
}
