package exchange

import (
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// SIP tells a request or a response.
func SIP(m *sipmessage.Message) Content {
	var f fields
	if m.IsRequest() {
		f.add("request", m.Method+" "+m.RequestURI)
	} else {
		f.add("response", fmt.Sprintf("%d %s", m.Status, m.Reason))
	}
	for _, h := range m.Headers {
		f.header(h.Name, h.Value)
	}
	if strings.EqualFold(m.Get("Content-Type"), "text/registration-event") {
		f.registrationEvent(string(m.Body))
	} else {
		f.body(m.Body)
	}
	return Content{oneLine(SIPKind(m)), f.list}
}

// KeepAlive is the double CRLF that keeps a connection open (sip.md §4.7).
func KeepAlive() Content {
	return Content{"keep-alive", []Field{{Name: "bytes", Value: "0d0a0d0a"}}}
}

// SIPKind says in a line what message it is.
func SIPKind(m *sipmessage.Message) string {
	num, method := m.CSeq()
	if !m.IsRequest() {
		return fmt.Sprintf("%d %s to %s %s", m.Status, m.Reason, method, num)
	}
	text := fmt.Sprintf("%s %s", m.Method, num)
	if event := m.Get("Event"); event != "" && m.Method != "REGISTER" {
		text += " " + event
	}
	if m.Get("Expires") == "0" {
		text += ", Expires 0"
	}
	return text
}

// registrationEvent adds what a pool tells of a registration that it ended: deregistered;event=rejected.
func (f *fields) registrationEvent(body string) {
	parts := split(body, ';')
	f.add("body", parts[0])
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		if name == "event" {
			f.add("body;event", value)
		} else {
			f.secret("body;parameter")
		}
	}
}
