package registrar

import (
	"fmt"
	"net"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// describedHeaders are those of requests and answers of clients in sip.md §1.3, §4.1, §5 and §8, and those that RFC 3261
// has every message carry, in lower case.
var describedHeaders = lowerSet("Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Length", "Content-Type",
	"User-Agent", "UserAgent", "Supported", "Require", "Proxy-Require", "Accept", "Allow", "Allow-Events", "Event", "Expires",
	"Authorization", "Proxy-Authorization", "Subscription-State", "Route", "Record-Route", "P-Preferred-Identity", "P-Asserted-Identity",
	"ms-keep-alive", "ms-subnet", "Ms-Device-Info", "ms-diagnostics", "ms-client-diagnostics", "Ms-Conversation-ID", "Roster-Manager", "EndPoints",
	"ms-text-format", "Server", "Reason", "Subject")

func lowerSet(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[strings.ToLower(name)] = true
	}
	return set
}

// tellUnknown names what of a message no document describes: its method, headers, and a way of authentication that this
// registrar does not take.
func (c *connection) tellUnknown(m *sipmessage.Message) {
	tell := func(what string, detail func() string) {
		who, _, err := net.SplitHostPort(c.peer)
		if err != nil {
			who = c.peer
		}
		c.s.unknown.Tell(c.peer, who, c.s.cfg.Host+": "+what, detail)
	}
	if _, known := methods[m.Method]; m.IsRequest() && !known {
		tell(fmt.Sprintf("method %.20q", m.Method), func() string { return fmt.Sprintf("to %.80q, %s", m.RequestURI, headerNames(m)) })
	}
	for _, h := range m.Headers {
		switch name := strings.ToLower(h.Name); {
		case !describedHeaders[name]:
			tell("header "+unknown.Name(h.Name)+" of "+kindOf(m), func() string { return unknown.Header(h.Name, h.Value) })
		case name == "authorization" || name == "proxy-authorization":
			if scheme, _, _ := strings.Cut(h.Value, " "); !strings.EqualFold(scheme, tlsdsk.Scheme) {
				tell(fmt.Sprintf("authentication by %.20q of %s", scheme, kindOf(m)), func() string { return unknown.Header(h.Name, h.Value) })
			}
		}
	}
}

func kindOf(m *sipmessage.Message) string {
	if !m.IsRequest() {
		_, method := m.CSeq()
		return fmt.Sprintf("answer to %.20s", method)
	}
	return fmt.Sprintf("%.20s", m.Method)
}

func headerNames(m *sipmessage.Message) string {
	var names []string
	for _, h := range m.Headers {
		names = append(names, h.Name)
	}
	return fmt.Sprintf("headers %.300q, %d bytes of %.60q", strings.Join(names, " "), len(m.Body), m.Get("Content-Type"))
}
