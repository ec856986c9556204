package registrar_test

import (
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// unknowns are what was told as unknown.
func (l *lab) unknowns() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, o := range l.observed {
		if o.Kind == timeline.Unknown {
			out = append(out, o.Text)
		}
	}
	return strings.Join(out, "\n")
}

// TestUnknown: methods, headers and ways of authentication that no document describes are told once, without secrets.
func TestUnknown(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)
		for range 2 {
			m := s.register(sipmessage.Header{Name: "X-Phone-Lock", Value: "0712"}, sipmessage.Header{Name: "ms-text", Value: "new"})
			s.call(m)
			s.cseq++
		}
		m := s.register()
		m.Add("Authorization", `NTLM qop="auth", gssapi-data="TlRMTVNTUAAD"`)
		s.call(m)
		s.call(s.other("NEGOTIATE", "application/x-compress", "abc"))
		s.mustSignOn()
		const want = `fe01.lab.test: header "X-Phone-Lock" of REGISTER: "X-Phone-Lock": ***(4 digits)` + "\n" +
			`fe01.lab.test: header "ms-text" of REGISTER: "ms-text": "new"` + "\n" +
			`fe01.lab.test: authentication by "NTLM" of REGISTER: "Authorization": NTLM ***(38 characters)` + "\n" +
			`fe01.lab.test: method "NEGOTIATE": to "sip:user1@lab.test", headers "Via From To Max-Forwards CSeq User-Agent Call-ID Content-Type Contact Content-Length", 3 bytes of "application/x-compress"`
		if got := l.unknowns(); got != want {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
	})
}

// TestSipeIsKnown: nothing of what pidgin-sipe sends is unknown.
func TestSipeIsKnown(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.signOnAs(user1, sipeEPID)
		s.want200(provisioningRequest(s))
		s.open(contactsRequest(s))
		s.open(selfRequest(s))
		s.want200(s.other("SERVICE", "application/msrtc-category-publish+xml", publish))
		s.signOff()
		if got := l.unknowns(); got != "" {
			t.Errorf("told\n%s", got)
		}
	})
}
