package registrar_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// wrongSignatures are what is wrong with certificate, association, number and signature.
var wrongSignatures = map[string][]wrong{
	"register.certificate-dates": {{"expired", func(l *lab) outcome {
		s := l.connect(user1, sipeEPID)
		time.Sleep(4321 * time.Hour)
		s.dial()
		return handshakeTo(l, s)
	}, unsigned, nil}, {"not valid yet", func(l *lab) outcome { return handshakeTo(l, l.connect(user1, sipeEPID)) }, unsigned, []func(*lab){func(l *lab) {
		l.cfg.Now = func() time.Time { return time.Now().Add(-24 * time.Hour) }
	}}}},
	"register.certificate-published": {
		{"not published", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			l.authority.Revoke(user1, "")
			return handshakeTo(l, s)
		}, unsigned, nil},
		{"an older one", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			l.issue(user1, s.uuid(), true)
			return handshakeTo(l, s)
		}, unsigned, nil},
		{"that of another device", func(l *lab) outcome {
			s := l.connect(user1, sipeEPID)
			s.epid = "01010101"
			return handshakeTo(l, s)
		}, unsigned, nil},
	},
	"register.association": {
		{"unknown opaque", func(l *lab) outcome {
			return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.Opaque = "00000000" })
		}, unsigned, nil},
		{"another endpoint's", func(l *lab) outcome {
			s := signedOn(l)
			return s.wrongRegister("From", "<"+user1+">;tag=1;epid=01010101")
		}, unsigned, nil},
		{"another user's", func(l *lab) outcome {
			return signedOn(l).wrongRegister("From", "<"+user2+">;tag=1;epid="+sipeEPID)
		}, unsigned, nil},
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
		}, unsigned, nil},
	},
	"register.cnum": {
		{"0", func(l *lab) outcome { return signedOn(l).wrongNumber("0") }, unsigned, nil},
		{"no number", func(l *lab) outcome { return signedOn(l).wrongNumber("two") }, unsigned, nil},
	},
	"register.cnum-replay": {
		{"twice", func(l *lab) outcome { return signedOn(l).wrongNumber("1") }, unsigned, nil},
		{"below the window", func(l *lab) outcome {
			s := signedOn(l)
			s.cnum = 1000
			s.refresh()
			return s.wrongNumber("745")
		}, unsigned, nil},
	},
	"register.signature": append([]wrong{
		{"one bit", func(l *lab) outcome {
			return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) {
				last := p.Response[len(p.Response)-1:]
				digit, _ := strconv.ParseUint(last, 16, 8)
				p.Response = p.Response[:len(p.Response)-1] + strings.ToUpper(strconv.FormatUint(digit^1, 16))
			})
		}, unsigned, nil},
		{"none", func(l *lab) outcome {
			return signedOn(l).wrongAuthorization(func(p *tlsdsk.Params) { p.Response = "" })
		}, unsigned, nil},
		{"a header changed afterwards", func(l *lab) outcome {
			s := signedOn(l)
			m := s.sign(s.register())
			m.Add("Expires", "0")
			return s.send(m)
		}, unsigned, nil},
	}, everySignature()...),
	"register.from": {{"another user's certificate", func(l *lab) outcome {
		s := l.connect(user2, sipeEPID)
		s.certificate = l.issue(user1, s.uuid(), true)
		s.must(asError(s.associate()))
		return s.send(s.sign(s.register()))
	}, signed, nil}},
	"register.answer-signature": {
		{"unsigned", func(l *lab) outcome { return answerWrong(l, func(*sipe, *sipmessage.Message) {}) }, unsigned, nil},
		{"for another front end", func(l *lab) outcome {
			return answerWrong(l, func(s *sipe, m *sipmessage.Message) { s.target = poolName; s.sign(m); s.target = host })
		}, unsigned, nil},
		{"with another association", func(l *lab) outcome {
			return answerWrong(l, func(s *sipe, m *sipmessage.Message) {
				own := s.opaque
				s.opaque = "00000000"
				s.sign(m)
				s.opaque = own
			})
		}, unsigned, nil},
		{"signed wrong", func(l *lab) outcome {
			return answerWrong(l, func(s *sipe, m *sipmessage.Message) { s.sign(m); m.Status = 481 })
		}, unsigned, nil},
	},
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

// everySignature is a wrong signature of a request of every method that is answered, and of a REGISTER each part of
// whose signed text was changed afterwards.
func everySignature() []wrong {
	var out []wrong
	for method, request := range map[string]func(*sipe) *sipmessage.Message{
		"REGISTER":  func(s *sipe) *sipmessage.Message { return s.register() },
		"SUBSCRIBE": contactsRequest,
		"SERVICE":   func(s *sipe) *sipmessage.Message { return s.other("SERVICE", provisioning.TypePublish, publish) },
		"INVITE":    func(s *sipe) *sipmessage.Message { return s.other("INVITE", "", "") },
		"MESSAGE":   func(s *sipe) *sipmessage.Message { return s.other("MESSAGE", "text/plain", "hello") },
		"NEGOTIATE": func(s *sipe) *sipmessage.Message { return s.other("NEGOTIATE", "", "") },
	} {
		out = append(out, wrong{"of a " + method, func(l *lab) outcome {
			s := signedOn(l)
			m := request(s)
			s.cnum++
			p := s.authorization(m, strconv.Itoa(int(s.cnum)))
			p.Response = strings.Repeat("0", len(p.Response))
			m.Add("Authorization", tlsdsk.AuthorizationSigned(p))
			return s.send(m)
		}, unsigned, nil})
	}
	for _, part := range []sipmessage.Header{
		{Name: "Call-ID", Value: "another"},
		{Name: "CSeq", Value: "99 REGISTER"},
		{Name: "From", Value: "<" + user1 + ">;tag=another;epid=" + sipeEPID},
		{Name: "To", Value: "<" + user2 + ">"},
		{Name: "To", Value: "<" + user1 + ">;tag=another"},
		{Name: "P-Asserted-Identity", Value: "<" + user1 + ">,<tel:+12065551219>"},
		{Name: "P-Preferred-Identity", Value: "<tel:+12065551219>"},
		{Name: "Expires", Value: "600"},
	} {
		out = append(out, wrong{part.Name + " changed to " + part.Value, func(l *lab) outcome {
			s := signedOn(l)
			m := s.sign(s.register())
			m.Set(part.Name, part.Value)
			return s.send(m)
		}, unsigned, nil})
	}
	return out
}
