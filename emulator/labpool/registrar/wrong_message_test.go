package registrar_test

import (
	"encoding/base64"
	"strings"

	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// wrongMessages are what is wrong before anybody is known: framing, headers, challenge, identifiers, flights.
var wrongMessages = map[string][]wrong{
	"register.sip": {{"text", func(l *lab) outcome {
		s := signedOn(l)
		_, err := s.raw.Write([]byte("HELO registrar\r\n\r\n"))
		s.must(err)
		return s.outcome()
	}, unsigned, nil}},
	"register.size": {
		{"message", func(l *lab) outcome {
			s := signedOn(l)
			s.raw.Write([]byte("REGISTER sip:lab.test SIP/2.0\r\nContent-Length: 65536\r\n\r\n" + strings.Repeat("x", 65536))) // may end early
			return s.outcome()
		}, unsigned, nil},
		{"header line", func(l *lab) outcome {
			s := signedOn(l)
			s.raw.Write([]byte("REGISTER sip:lab.test SIP/2.0\r\nSupported: " + strings.Repeat("x", 40<<10) + "\r\nContent-Length: 0\r\n\r\n")) // may end early
			return s.outcome()
		}, unsigned, nil},
	},
	"register.headers": {
		{"no From", missing("From"), unsigned, nil},
		{"no To", missing("To"), unsigned, nil},
		{"no Call-ID", missing("Call-ID"), unsigned, nil},
		{"no CSeq", missing("CSeq"), unsigned, nil},
		{"no Via", missing("Via"), unsigned, nil},
		{"CSeq of another method", func(l *lab) outcome {
			s := signedOn(l)
			m := s.register()
			m.Set("CSeq", "9 INVITE")
			return s.send(m)
		}, unsigned, nil},
		{"From not closed", func(l *lab) outcome {
			s := signedOn(l)
			m := s.register()
			m.Set("From", "<sip:user1@lab.test;tag=1")
			return s.send(m)
		}, unsigned, nil},
	},
	"register.method-unknown": {
		{"NEGOTIATE before authentication", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			return s.send(s.other("NEGOTIATE", "", ""))
		}, unsigned, nil},
		{"signed", func(l *lab) outcome { s := signedOn(l); return s.send(s.sign(s.other("NEGOTIATE", "", ""))) }, signed, nil},
	},
	"register.method": {{"MESSAGE", func(l *lab) outcome {
		s := signedOn(l)
		return s.send(s.sign(s.other("MESSAGE", "text/plain", "hello")))
	}, signed, nil}},
	"register.unauthenticated": {
		{"REGISTER", func(l *lab) outcome { s := l.connect(user1, sipeEPID); return s.send(s.register()) }, unsigned, nil},
		{"SUBSCRIBE", func(l *lab) outcome { s := signedOn(l); return s.send(contactsRequest(s)) }, unsigned, nil},
		{"another scheme", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			return s.send(s.register(sipmessage.Header{Name: "Authorization", Value: `NTLM qop="auth", gssapi-data="", version=4`}))
		}, unsigned, nil},
	},
	"register.unauthenticated-ack": {
		{"ACK", func(l *lab) outcome { s := l.connect(user1, sipeEPID); return s.send(s.other("ACK", "", "")) }, unsigned, nil},
		{"CANCEL", func(l *lab) outcome { s := l.connect(user1, sipeEPID); return s.send(s.other("CANCEL", "", "")) }, unsigned, nil},
	},
	"register.authorization": {{"quote not closed", func(l *lab) outcome {
		s := signedOn(l)
		return s.send(s.register(sipmessage.Header{Name: "Authorization", Value: `TLS-DSK qop="auth, realm=x`}))
	}, unsigned, nil}},
	"register.realm": {{"another", func(l *lab) outcome {
		return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.Realm = "SIP Communications" })
	}, unsigned, nil}},
	"register.targetname": {{"another", func(l *lab) outcome {
		return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.TargetName = poolName })
	}, unsigned, nil}},
	"register.endpoint-identifier": {
		{"in the handshake", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			return s.flight(s.clientHello(), func(m *sipmessage.Message) {
				m.Set("From", "<"+user1+">;tag=1")
				m.Set("Contact", "<sip:127.0.0.1:42308;transport=tls>")
			})
		}, unsigned, nil},
		{"signed", func(l *lab) outcome {
			s := signedOn(l)
			m := s.register()
			m.Set("From", "<"+user1+">;tag=1")
			m.Set("Contact", "<sip:127.0.0.1:42308;transport=tls>")
			return s.send(s.sign(m))
		}, signed, nil},
	},
	"register.epid": {
		{"in the handshake", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			return s.flight(s.clientHello(), setFrom("<"+user1+">;tag=1"))
		}, unsigned, nil},
		{"signed", func(l *lab) outcome { return signedOn(l).wrongRegister("From", "<"+user1+">;tag=1") }, signed, nil},
	},
	"register.epid-length": {{"65 digits", func(l *lab) outcome {
		s := l.connect(user1, sipeEPID)
		return s.flight(s.clientHello(), setFrom("<"+user1+">;tag=1;epid="+strings.Repeat("a", 65)))
	}, unsigned, nil}},
	"register.instance": {
		{"a stock UUID of version 5", func(l *lab) outcome {
			s := signedOn(l)
			return s.wrongRegister("Contact", `<sip:127.0.0.1:42308;transport=tls>;proxy=replace;+sip.instance="<urn:uuid:2fbbe037-0744-505e-9ce3-afe8a3a6b7c2>"`)
		}, signed, nil},
		{"no URN", func(l *lab) outcome {
			return signedOn(l).wrongRegister("Contact", `<sip:127.0.0.1:42308;transport=tls>;+sip.instance="a0c0ec03-d891-500d-9f69-e02230202db1"`)
		}, signed, nil},
		{"in the handshake", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			return s.flight(s.clientHello(), setFrom("<"+user1+">;tag=1;epid=01010101"))
		}, unsigned, nil},
	},
	"register.gruu": {{"of another endpoint", func(l *lab) outcome {
		s := signedOn(l)
		s.gruu = "sip:user1@lab.test;opaque=user:epid:QJJYwWDmT1mos0tV81jLwQAA;gruu"
		return s.send(s.sign(contactsRequest(s)))
	}, signed, nil}},
	"register.flight": {
		{"no base64", func(l *lab) outcome { return l.connect(user1, sipeEPID).flight("****", nil) }, unsigned, nil},
		{"no TLS", func(l *lab) outcome {
			return l.connect(user1, sipeEPID).flight(base64.StdEncoding.EncodeToString([]byte("GET / HTTP/1.1\r\n")), nil)
		}, unsigned, nil},
		{"24 KiB and a byte", func(l *lab) outcome {
			return l.connect(user1, sipeEPID).flight(base64.StdEncoding.EncodeToString(make([]byte, tlsdsk.MaxFlight+1)), nil)
		}, unsigned, nil},
		{"second flight of another handshake", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			h := s.inner()
			defer h.Close()
			out, _, err := h.Next(s.soon(), nil)
			s.must(err)
			p, err := challenge(s.flight(base64.StdEncoding.EncodeToString(out), nil).answer)
			s.must(err)
			in, err := base64.StdEncoding.DecodeString(p.GSSAPIData)
			s.must(err)
			out, _, err = h.Next(s.soon(), in)
			s.must(err)
			return s.send(s.register(sipmessage.Header{Name: "Authorization", Value: tlsdsk.AuthorizationHandshake(tlsdsk.Params{
				QOP: "auth", Opaque: "00000000", Realm: tlsdsk.Realm, TargetName: host, GSSAPIData: base64.StdEncoding.EncodeToString(out), Version: "4",
			})}))
		}, unsigned, nil},
		{"no client certificate", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			s.certificate.Certificate = nil
			return handshakeTo(l, s)
		}, unsigned, nil},
	},
}

// missing is a REGISTER without one of the headers that every request has.
func missing(name string) func(*lab) outcome {
	return func(l *lab) outcome { s := signedOn(l); return s.send(without(s.register(), name)) }
}
