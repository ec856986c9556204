package handset

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// TestRedirectTargets takes the Contacts whose transport the handset takes, the highest q first, and at most two.
func TestRedirectTargets(t *testing.T) {
	const high, low = "High", "Low"
	for _, test := range []struct {
		name, mode, contacts, want string
	}{
		{"one", high, "<sip:fe.example:5061;transport=tls>", "[fe.example:5061 (redirect, tls)]"},
		{"no transport", high, "<sip:fe.example>", "[fe.example:5061 (redirect, tls)]"},
		{"highest q", high, "<sip:a.example;transport=TLS>;q=0.3|<sip:b.example;transport=TLS>;q=0.7", "[b.example:5061 (redirect, tls) a.example:5061 (redirect, tls)]"},
		{"the first two of equal q", high, "<sip:a.example>|<sip:b.example>|<sip:c.example>;q=1", "[a.example:5061 (redirect, tls) b.example:5061 (redirect, tls)]"},
		{"TCP under High", high, "<sip:fe.example:5060;transport=tcp>", "insecure"},
		{"UDP", low, "<sip:fe.example:5060;transport=udp>", "insecure"},
		{"TCP passed over", high, "<sip:a.example;transport=tcp>;q=0.9|<sip:b.example;transport=tls>;q=0.1", "[b.example:5061 (redirect, tls)]"},
		{"TCP", low, "<sip:fe.example:5060;transport=tcp>", "[fe.example:5060 (redirect, tcp)]"},
		{"no host", high, "<sip:;transport=tls>", "names no host"},
		{"no Contact", high, "", "no Contact"},
		{"bad q", high, "<sip:a.example>;q=x", "q value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &Handset{profile: &configs.Profile{SecurityMode: test.mode}}
			m := &sipmessage.Message{Status: 301}
			for _, contact := range strings.Split(test.contacts, "|") {
				if contact != "" {
					m.Add("Contact", contact)
				}
			}
			got, err := h.redirectTargets(m)
			var insecure *insecureRedirect
			switch {
			case test.want == "insecure":
				if !errors.As(err, &insecure) {
					t.Errorf("%v, %v", got, err)
				}
			case err != nil:
				if !strings.Contains(err.Error(), test.want) {
					t.Error(err)
				}
			case fmt.Sprint(got) != test.want:
				t.Errorf("%v, want %s", got, test.want)
			}
		})
	}
}
