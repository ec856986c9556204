package registrar_test

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// outcome is what comes back for a wrong message.
type outcome struct {
	status int
	diag   int
	fresh  bool // a challenge without gssapi-data
	signed bool
	err    error // errSilence, or the end of the connection
}

// send sends one message and tells what comes back, whoever it is for.
func (s *sipe) send(m *sipmessage.Message) outcome {
	s.Helper()
	s.must(s.conn.Send(m))
	return s.outcome()
}

func (s *sipe) outcome() outcome {
	got, err := s.next()
	if err != nil {
		return outcome{err: err}
	}
	o := outcome{status: got.Status, diag: diagnostics(got), signed: got.Get("Authentication-Info") != ""}
	if p, err := challenge(got); err == nil {
		o.fresh = p.GSSAPIData == "" && p.STSURI != ""
	}
	if o.signed {
		s.must(s.verify(got))
	}
	return o
}

// signedOn is an endpoint of user1 that is registered.
func signedOn(l *lab) *sipe { return l.signOnAs(user1, sipeEPID) }

// wrongAuthorization sends a REGISTER signed right, then changed.
func (s *sipe) wrongAuthorization(change func(*tlsdsk.Params)) outcome {
	m := s.register()
	s.cnum++
	p := s.authorization(m, strconv.Itoa(int(s.cnum)))
	change(&p)
	m.Add("Authorization", tlsdsk.AuthorizationSigned(p))
	return s.send(m)
}

// wrongNumber sends a REGISTER that is signed with the given cnum.
func (s *sipe) wrongNumber(num string) outcome {
	m := s.register()
	m.Add("Authorization", tlsdsk.AuthorizationSigned(s.authorization(m, num)))
	return s.send(m)
}

// wrongRegister sends a signed REGISTER with a header changed.
func (s *sipe) wrongRegister(name, value string) outcome {
	m := s.register()
	m.Set(name, value)
	return s.send(s.sign(m))
}

// without removes a header.
func without(m *sipmessage.Message, name string) *sipmessage.Message {
	var kept []sipmessage.Header
	for _, h := range m.Headers {
		if h.Name != name {
			kept = append(kept, h)
		}
	}
	m.Headers = kept
	return m
}

// handshakeTo runs REGISTER #1 to #3 with a certificate and tells the answer to the last one.
func handshakeTo(l *lab, s *sipe) outcome {
	l.Helper()
	refused := s.associate()
	if refused == nil {
		return outcome{status: 401}
	}
	p, err := challenge(refused)
	return outcome{status: refused.Status, diag: diagnostics(refused), fresh: err == nil && p.GSSAPIData == "" && p.STSURI != ""}
}

// flight sends gssapi-data as REGISTER #2.
func (s *sipe) flight(data string, change func(*sipmessage.Message)) outcome {
	m := s.register()
	m.Add("Authorization", tlsdsk.AuthorizationHandshake(tlsdsk.Params{
		QOP: "auth", Realm: tlsdsk.Realm, TargetName: host, GSSAPIData: data, Version: "4",
	}))
	if change != nil {
		change(m)
	}
	return s.send(m)
}

// clientHello is a right first flight in base64.
func (s *sipe) clientHello() string {
	h := s.inner()
	defer h.Close()
	out, _, err := h.Next(s.soon(), nil)
	s.must(err)
	return base64.StdEncoding.EncodeToString(out)
}

func setFrom(value string) func(*sipmessage.Message) {
	return func(m *sipmessage.Message) { m.Set("From", value) }
}

// TestChecks sends the wrong message of every check and expects its documented refusal.
func TestChecks(t *testing.T) {
	const closed = "closed" // instead of a status
	fresh := outcome{status: 401, fresh: true}
	signed := func(status, diag int) outcome { return outcome{status: status, diag: diag, signed: true} }
	nothing := outcome{err: errSilence}
	cases := map[string][]struct {
		wrong  string
		do     func(*lab) outcome
		want   outcome
		ending string
	}{
		"register.sip": {{"text", func(l *lab) outcome {
			s := signedOn(l)
			_, err := s.raw.Write([]byte("HELO registrar\r\n\r\n"))
			s.must(err)
			return s.outcome()
		}, outcome{}, closed}},
		"register.size": {
			{"message", func(l *lab) outcome {
				s := signedOn(l)
				s.raw.Write([]byte("REGISTER sip:lab.test SIP/2.0\r\nContent-Length: 65536\r\n\r\n" + strings.Repeat("x", 65536))) // may end early
				return s.outcome()
			}, outcome{}, closed},
			{"header line", func(l *lab) outcome {
				s := signedOn(l)
				s.raw.Write([]byte("REGISTER sip:lab.test SIP/2.0\r\nSupported: " + strings.Repeat("x", 40<<10) + "\r\nContent-Length: 0\r\n\r\n")) // may end early
				return s.outcome()
			}, outcome{}, closed},
		},
		"register.headers": {
			{"no From", func(l *lab) outcome { s := signedOn(l); return s.send(without(s.register(), "From")) }, outcome{status: 400}, ""},
			{"no Call-ID", func(l *lab) outcome { s := signedOn(l); return s.send(without(s.register(), "Call-ID")) }, outcome{status: 400}, ""},
			{"CSeq of another method", func(l *lab) outcome {
				s := signedOn(l)
				m := s.register()
				m.Set("CSeq", "9 INVITE")
				return s.send(m)
			}, outcome{status: 400}, ""},
			{"From not closed", func(l *lab) outcome {
				s := signedOn(l)
				m := s.register()
				m.Set("From", "<sip:user1@lab.test;tag=1")
				return s.send(m)
			}, outcome{status: 400}, ""},
		},
		"register.method-unknown": {
			{"NEGOTIATE before authentication", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				return s.send(s.other("NEGOTIATE", "", ""))
			}, outcome{status: 501}, ""},
			{"signed", func(l *lab) outcome { s := signedOn(l); return s.send(s.sign(s.other("NEGOTIATE", "", ""))) }, signed(501, 0), ""},
		},
		"register.method": {{"MESSAGE", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.other("MESSAGE", "text/plain", "hello")))
		}, signed(405, 0), ""}},
		"register.unauthenticated": {
			{"REGISTER", func(l *lab) outcome { s := l.connect(user1, sipeEPID); return s.send(s.register()) }, fresh, ""},
			{"SUBSCRIBE", func(l *lab) outcome { s := signedOn(l); return s.send(contactsRequest(s)) }, fresh, ""},
			{"another scheme", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				return s.send(s.register(sipmessage.Header{Name: "Authorization", Value: `NTLM qop="auth", gssapi-data="", version=4`}))
			}, fresh, ""},
		},
		"register.unauthenticated-ack": {
			{"ACK", func(l *lab) outcome { s := l.connect(user1, sipeEPID); return s.send(s.other("ACK", "", "")) }, nothing, ""},
			{"CANCEL", func(l *lab) outcome { s := l.connect(user1, sipeEPID); return s.send(s.other("CANCEL", "", "")) }, nothing, ""},
		},
		"register.authorization": {{"quote not closed", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.register(sipmessage.Header{Name: "Authorization", Value: `TLS-DSK qop="auth, realm=x`}))
		}, fresh, ""}},
		"register.realm": {{"another", func(l *lab) outcome {
			return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.Realm = "SIP Communications" })
		}, fresh, ""}},
		"register.targetname": {{"another", func(l *lab) outcome {
			return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.TargetName = poolName })
		}, fresh, ""}},
		"register.endpoint-identifier": {
			{"in the handshake", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				return s.flight(s.clientHello(), func(m *sipmessage.Message) {
					m.Set("From", "<"+user1+">;tag=1")
					m.Set("Contact", "<sip:127.0.0.1:42308;transport=tls>")
				})
			}, outcome{status: 400, diag: 4010}, ""},
			{"signed", func(l *lab) outcome {
				s := signedOn(l)
				m := s.register()
				m.Set("From", "<"+user1+">;tag=1")
				m.Set("Contact", "<sip:127.0.0.1:42308;transport=tls>")
				return s.send(s.sign(m))
			}, signed(400, 4010), ""},
		},
		"register.epid": {
			{"in the handshake", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				return s.flight(s.clientHello(), setFrom("<"+user1+">;tag=1"))
			}, outcome{status: 400, diag: 4011}, ""},
			{"signed", func(l *lab) outcome { return signedOn(l).wrongRegister("From", "<"+user1+">;tag=1") }, signed(400, 4011), ""},
		},
		"register.epid-length": {{"65 digits", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			return s.flight(s.clientHello(), setFrom("<"+user1+">;tag=1;epid="+strings.Repeat("a", 65)))
		}, outcome{status: 400, diag: 4012}, ""}},
		"register.instance": {
			{"a stock UUID of version 5", func(l *lab) outcome {
				s := signedOn(l)
				return s.wrongRegister("Contact", `<sip:127.0.0.1:42308;transport=tls>;proxy=replace;+sip.instance="<urn:uuid:2fbbe037-0744-505e-9ce3-afe8a3a6b7c2>"`)
			}, signed(400, 4010), ""},
			{"no URN", func(l *lab) outcome {
				return signedOn(l).wrongRegister("Contact", `<sip:127.0.0.1:42308;transport=tls>;+sip.instance="a0c0ec03-d891-500d-9f69-e02230202db1"`)
			}, signed(400, 4010), ""},
			{"in the handshake", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				return s.flight(s.clientHello(), setFrom("<"+user1+">;tag=1;epid=01010101"))
			}, outcome{status: 400, diag: 4010}, ""},
		},
		"register.gruu": {{"of another endpoint", func(l *lab) outcome {
			s := signedOn(l)
			s.gruu = "sip:user1@lab.test;opaque=user:epid:QJJYwWDmT1mos0tV81jLwQAA;gruu"
			return s.send(s.sign(contactsRequest(s)))
		}, signed(400, 4010), ""}},
		"register.flight": {
			{"no base64", func(l *lab) outcome { return l.connect(user1, sipeEPID).flight("****", nil) }, fresh, ""},
			{"no TLS", func(l *lab) outcome {
				return l.connect(user1, sipeEPID).flight(base64.StdEncoding.EncodeToString([]byte("GET / HTTP/1.1\r\n")), nil)
			}, fresh, ""},
			{"24 KiB and a byte", func(l *lab) outcome {
				return l.connect(user1, sipeEPID).flight(base64.StdEncoding.EncodeToString(make([]byte, tlsdsk.MaxFlight+1)), nil)
			}, fresh, ""},
			{"no client certificate", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				s.certificate.Certificate = nil
				return handshakeTo(l, s)
			}, fresh, ""},
		},
		"register.certificate-dates": {{"expired", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			time.Sleep(4321 * time.Hour)
			s.dial()
			return handshakeTo(l, s)
		}, outcome{status: 401, diag: 1000, fresh: true}, ""}},
		"register.certificate-published": {
			{"not published", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				l.authority.Revoke(user1, "")
				return handshakeTo(l, s)
			}, outcome{status: 401, diag: 1000, fresh: true}, ""},
			{"an older one", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				l.issue(user1, s.uuid(), true)
				return handshakeTo(l, s)
			}, outcome{status: 401, diag: 1000, fresh: true}, ""},
			{"that of another device", func(l *lab) outcome {
				s := l.connect(user1, sipeEPID)
				s.epid = "01010101"
				return handshakeTo(l, s)
			}, outcome{status: 401, diag: 1000, fresh: true}, ""},
		},
		"register.association": {
			{"unknown opaque", func(l *lab) outcome {
				return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.Opaque = "00000000" })
			}, fresh, ""},
			{"another endpoint's", func(l *lab) outcome {
				s := signedOn(l)
				return s.wrongRegister("From", "<"+user1+">;tag=1;epid=01010101")
			}, fresh, ""},
			{"older than its life", func(l *lab) outcome {
				s := signedOn(l)
				for range 60 { // 8 h in steps of 8 min
					if answer := s.refresh(); answer.Status != 200 {
						l.Fatalf("refresh: %d", answer.Status)
					}
					time.Sleep(8 * time.Minute)
				}
				time.Sleep(time.Second)
				return s.send(s.sign(s.register()))
			}, fresh, ""},
		},
		"register.cnum": {
			{"0", func(l *lab) outcome { return signedOn(l).wrongNumber("0") }, nothing, ""},
			{"no number", func(l *lab) outcome { return signedOn(l).wrongNumber("two") }, nothing, ""},
		},
		"register.cnum-replay": {
			{"twice", func(l *lab) outcome { return signedOn(l).wrongNumber("1") }, nothing, ""},
			{"below the window", func(l *lab) outcome {
				s := signedOn(l)
				s.cnum = 1000
				s.refresh()
				return s.wrongNumber("745")
			}, nothing, ""},
		},
		"register.signature": {
			{"one bit", func(l *lab) outcome {
				return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) {
					last := p.Response[len(p.Response)-1:]
					digit, _ := strconv.ParseUint(last, 16, 8)
					p.Response = p.Response[:len(p.Response)-1] + strings.ToUpper(strconv.FormatUint(digit^1, 16))
				})
			}, fresh, ""},
			{"none", func(l *lab) outcome {
				return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.Response = "" })
			}, fresh, ""},
			{"a header changed afterwards", func(l *lab) outcome {
				s := signedOn(l)
				m := s.sign(s.register())
				m.Add("Expires", "0")
				return s.send(m)
			}, fresh, ""},
		},
		"register.from": {{"another user's certificate", func(l *lab) outcome {
			s := l.connect(user2, sipeEPID)
			s.certificate = l.issue(user1, s.uuid(), true)
			s.must(asError(s.associate()))
			return s.send(s.sign(s.register()))
		}, signed(403, 4004), ""}},
		"register.answer-signature": {
			{"unsigned", func(l *lab) outcome { return answerWrong(l, func(*sipe, *sipmessage.Message) {}) }, nothing, ""},
			{"signed wrong", func(l *lab) outcome {
				return answerWrong(l, func(s *sipe, m *sipmessage.Message) { s.sign(m); m.Status = 481 })
			}, nothing, ""},
		},
		"register.event": {{"presence", func(l *lab) outcome { return signedOn(l).wrongRegister("Event", "presence") }, signed(489, 4055), ""}},
		"register.gruu-10": {{"without", func(l *lab) outcome {
			return signedOn(l).wrongRegister("Supported", "adhoclist, msrtc-event-categories")
		}, signed(421, 2057), ""}},
		"register.contact": {
			{"none", func(l *lab) outcome { s := signedOn(l); return s.send(s.sign(without(s.register(), "Contact"))) }, signed(400, 0), ""},
			{"Expires", func(l *lab) outcome { return signedOn(l).wrongRegister("Expires", "soon") }, signed(400, 0), ""},
		},
		"register.user": {{"removed", func(l *lab) outcome {
			s := l.connect(removed, sipeEPID)
			s.must(asError(s.associate()))
			return s.send(s.sign(s.register()))
		}, signed(404, 1003), ""}},
		"register.user-disabled": {{"disabled", func(l *lab) outcome {
			s := l.connect(disabled, sipeEPID)
			s.must(asError(s.associate()))
			return s.send(s.sign(s.register()))
		}, signed(403, 4141), ""}},
		"provision.event-package": {{"message-summary", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.subscribe("message-summary", "application/simple-message-summary", "")))
		}, signed(489, 0), ""}},
		"provision.accept": {{"another type", func(l *lab) outcome {
			s := signedOn(l)
			m := provisioningRequest(s)
			m.Set("Accept", "application/vnd-microsoft-roaming-provisioning+xml")
			return s.send(s.sign(m))
		}, signed(406, 0), ""}},
		"provision.dialog": {
			{"none", func(l *lab) outcome {
				s := signedOn(l)
				m := contactsRequest(s)
				m.Set("To", "<"+user1+">;tag=1")
				return s.send(s.sign(m))
			}, signed(481, 0), ""},
			{"ended", func(l *lab) outcome {
				s := signedOn(l)
				s.open(contactsRequest(s))
				s.want200(s.within(contactsEvent, 2, expires("0")))
				return s.send(s.sign(s.within(contactsEvent, 3)))
			}, signed(481, 0), ""},
		},
		"provision.body": {
			{"no group list", func(l *lab) outcome {
				s := signedOn(l)
				return s.send(s.sign(s.subscribe(provisioningEvent, provisioning.TypeProvisioning, roaming, expires("0"))))
			}, signed(400, 0), ""},
			{"no roaming list", func(l *lab) outcome {
				s := signedOn(l)
				return s.send(s.sign(s.subscribe(selfEvent, provisioning.TypeSelf, "<roamingList")))
			}, signed(400, 0), ""},
			{"no publications", func(l *lab) outcome {
				s := signedOn(l)
				return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, containers)))
			}, signed(400, 0), ""},
			{"no container members", func(l *lab) outcome {
				s := signedOn(l)
				return s.send(s.sign(s.other("SERVICE", provisioning.TypeContainers, publish)))
			}, signed(400, 0), ""},
		},
		"provision.content-type": {{"text", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.other("SERVICE", "text/plain", "hello")))
		}, signed(415, 0), ""}},
		"provision.publisher": {{"another user", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, strings.ReplaceAll(publish, `publications uri="sip:user1`, `publications uri="sip:user2`))))
		}, signed(403, 0), ""}},
		"provision.version": {{"1 before there is one", func(l *lab) outcome {
			s := signedOn(l)
			return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, strings.Replace(publish, `version="0"`, `version="1"`, 1))))
		}, signed(409, 0), ""}},
		"provision.publications": {{"257", func(l *lab) outcome {
			s := signedOn(l)
			p := provisioning.Publications{URI: user1}
			for i := range 257 {
				p.List = append(p.List, provisioning.Publication{Category: "note", Instance: uint32(i), Container: 2, ExpireType: "static"})
			}
			body, err := p.Append(nil)
			s.must(err)
			return s.send(s.sign(s.other("SERVICE", provisioning.TypePublish, string(body))))
		}, signed(413, 0), ""}},
	}
	for _, check := range registrar.Checks() {
		name := check.Stage + "." + check.Name
		list := cases[name]
		if len(list) == 0 {
			t.Errorf("%s: no wrong message", name)
		}
		for _, c := range list {
			t.Run(name+"/"+c.wrong, func(t *testing.T) {
				virtual(t, func(l *lab) {
					got := c.do(l)
					switch {
					case c.ending == closed:
						if got.err == nil || got.err == errSilence {
							t.Errorf("%+v, want the end of the connection", got)
						}
					case got != c.want:
						t.Errorf("%+v, want %+v\n%s", got, c.want, l.log())
					}
					if c.ending == "" && c.want.status != 0 && !strings.HasPrefix(check.Refusal, fmt.Sprint(c.want.status)) {
						t.Errorf("table says %q", check.Refusal)
					}
					if !strings.Contains(l.log(), name+": ") && c.ending == "" {
						t.Errorf("the timeline does not name %s\n%s", name, l.log())
					}
				})
			})
		}
		delete(cases, name)
	}
	for name := range cases {
		t.Errorf("%s is no check", name)
	}
}

// answerWrong lets the pool end a registration and answers its NOTIFY in a wrong way: it counts as no answer.
func answerWrong(l *lab, spoil func(*sipe, *sipmessage.Message)) outcome {
	s := signedOn(l)
	ended := make(chan error, 1)
	go func() { ended <- l.server.Deregister(l.soon(), user1, registrar.Rejected) }()
	m, err := s.next()
	s.must(err)
	s.must(s.verify(m))
	answer := sipmessage.Response(m, 200, "OK", randomTag())
	spoil(s, answer)
	s.must(s.conn.Send(answer))
	if err := <-ended; err == nil {
		l.Error("the wrong answer was taken")
	}
	return s.outcome()
}

// TestChecksHaveSources holds the table that docs/strictness.md is made of to its form.
func TestChecksHaveSources(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range registrar.Checks() {
		name := c.Stage + "." + c.Name
		if c.Wrong == "" || c.Refusal == "" || c.Source == "" || seen[name] {
			t.Errorf("%s: %+v", name, c)
		}
		seen[name] = true
	}
}
