package exchange

import (
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/httpmessage"
)

// HTTPRequest tells a request.
func HTTPRequest(m httpmessage.Request) Content {
	var f fields
	kind := m.Method + " " + m.Target
	f.add("request", kind)
	for _, h := range m.Header {
		f.header(h.Name, h.Value)
	}
	f.body(m.Body)
	if action := strings.Trim(m.Get("SOAPAction"), `"`); action != "" {
		kind += " " + action[strings.LastIndex(action, "/")+1:]
	}
	return Content{oneLine(kind), f.list}
}

// HTTPResponse tells a response.
func HTTPResponse(m httpmessage.Response) Content {
	var f fields
	kind := fmt.Sprintf("%d %s", m.Status, m.Reason)
	f.add("response", kind)
	for _, h := range m.Header {
		f.header(h.Name, h.Value)
	}
	f.body(m.Body)
	return Content{oneLine(kind), f.list}
}
