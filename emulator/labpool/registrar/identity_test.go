package registrar_test

import (
	"strings"
	"testing"
)

// TestIdentities are pairs of epid and +sip.instance of sip.md §4.3: real ones and those of the specifications.
func TestIdentities(t *testing.T) {
	for _, c := range []struct{ epid, uuid, gruu string }{
		{"01010101", "4b1682a8-f968-5701-83fc-7c6741dc6697", ""},
		{"2ebb6f264f", "124841e4-264d-52e8-96c5-d22aa8cdc316", ""},
		{"8248ca9ebb", "4233fd41-093b-5fd6-b5d2-651ed55969e6", ""},
		{"a0ae9e6cb0", "c1589240-e660-594f-a8b3-4b55f358cbc1", "QJJYwWDmT1mos0tV81jLwQAA"},
		{"451e9252b6", "e0de506b-a705-59cc-9bfa-d37593141231", "a1De4AWnzFmb-tN1kxQSMQAA"},
		{"2385f4c267", "c2ac9957-2d32-5c48-87c9-e8f8bcb0cd28", ""},
		{"8213020FD0F0CV", "e8c7bf50-c217-51c8-a203-227ca4874333", ""},
		{sipeEPID, "a0c0ec03-d891-500d-9f69-e02230202db1", "A-zAoJHYDVCfaeAiMCAtsQAA"},
	} {
		t.Run(c.epid, func(t *testing.T) {
			virtual(t, func(l *lab) {
				s := l.connect(user1, c.epid)
				answer := s.mustSignOn()
				if contact := answer.Get("Contact"); !strings.Contains(contact, `;+sip.instance="<urn:uuid:`+c.uuid+`>";gruu="sip:user1@lab.test;opaque=user:epid:`+c.gruu) {
					t.Errorf("Contact %q, want %s and %s", contact, c.uuid, c.gruu)
				}
				for name, value := range map[string]string{
					"upper case": `<sip:192.0.2.9:5061;transport=tls>;+sip.instance="<urn:uuid:` + strings.ToUpper(c.uuid) + `>"`,
					"none":       `<sip:192.0.2.9:5061;transport=tls>`,
					"GRUU":       "<" + s.gruu + ">",
				} {
					if got := s.wrongRegister("Contact", value); got.String() != "200 OK" || !strings.Contains(got.answer.Get("Contact"), c.uuid) {
						t.Errorf("instance %s: %s\n%s", name, got, l.log())
					}
				}
			})
		})
	}
}

// TestEPIDCaseCounts signs with the association of one epid and the other spelling in From.
func TestEPIDCaseCounts(t *testing.T) {
	virtual(t, func(l *lab) {
		s := signedOn(l)
		if got := s.wrongRegister("From", "<"+user1+">;tag=1;epid="+strings.ToUpper(sipeEPID)); got.String() != "401 Unauthorized, a fresh challenge" {
			t.Errorf("%s", got)
		}
	})
}

// TestUserHasNoCase signs on as another spelling of the certificate's user.
func TestUserHasNoCase(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect("sip:User1@Lab.Test", sipeEPID)
		if answer := s.mustSignOn(); !strings.Contains(answer.Get("Contact"), `gruu="sip:User1@Lab.Test;`) {
			t.Errorf("Contact %q", answer.Get("Contact"))
		}
	})
}
