package nameserver

import (
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestUnknown: a question that no document describes is told once for each who asks.
func TestUnknown(t *testing.T) {
	s, seen := server(t, config())
	for _, q := range []struct {
		kind dnsmessage.Type
		name string
		peer string
	}{
		{dnsmessage.TypeA, "web.contoso.com.", "192.0.2.1:1"}, // the zone has it
		{dnsmessage.TypeAAAA, "web.contoso.com.", "192.0.2.1:1"},
		{dnsmessage.TypeSRV, "_sip._tls.contoso.com.", "192.0.2.1:1"}, // described
		{dnsmessage.TypeA, "sipexternal.other.example.", "192.0.2.1:1"},
		{dnsmessage.TypeA, "time.windows.com.", "192.0.2.1:1"},
		{dnsmessage.TypeA, "lyncdiscoverinternal.contoso.com.", "192.0.2.1:1"},
		{dnsmessage.TypeA, "LyncDiscoverInternal.contoso.com.", "192.0.2.1:2"}, // again
		{dnsmessage.TypeA, "lyncdiscoverinternal.contoso.com.", "192.0.2.2:1"},
		{dnsmessage.TypeTXT, "web.contoso.com.", "192.0.2.1:1"},
		{dnsmessage.TypeSRV, "_telemetry._tcp.example.", "192.0.2.1:1"},
	} {
		if _, ok := s.answer(ask(q.kind, q.name), q.peer); !ok {
			t.Errorf("%s: no answer", q.name)
		}
	}
	if _, ok := s.answer([]byte{1, 2, 3}, "192.0.2.1:1"); ok {
		t.Error("three bytes are answered")
	}
	var told []string
	for _, o := range *seen {
		if o.Kind == timeline.Unknown {
			told = append(told, o.Peer+" "+o.Text)
		}
	}
	const want = "192.0.2.1:1 question A \"lyncdiscoverinternal.contoso.com\": NXDOMAIN\n" +
		"192.0.2.2:1 question A \"lyncdiscoverinternal.contoso.com\": NXDOMAIN\n" +
		"192.0.2.1:1 question TXT \"web.contoso.com\": NOERROR\n" +
		"192.0.2.1:1 question SRV \"_telemetry._tcp.example\": REFUSED"
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
	if last := (*seen)[len(*seen)-1]; last.Kind != timeline.Dropped || !strings.HasSuffix(last.Text, ": 010203") {
		t.Errorf("%+v", last)
	}
}
