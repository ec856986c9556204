package sipmessage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

func TestDiagnostics(t *testing.T) {
	for text, want := range map[string]sipmessage.Diagnostics{
		`4141;reason="User disabled"`:                                  {ID: 4141, Reason: "User disabled"},
		`1000;reason="Final handshake failed";source="fe01.lab.test"`:  {ID: 1000, Reason: "Final handshake failed", Source: "fe01.lab.test"},
		`4004;reason="a; \"b\" \\ c";source="fe";HRESULT="0xC3E93EE7"`: {ID: 4004, Reason: `a; "b" \ c`, Source: "fe", Params: []sipmessage.Param{{Name: "HRESULT", Value: "0xC3E93EE7"}}},
		`2057`: {ID: 2057},
	} {
		got, ok := sipmessage.ParseDiagnostics(text)
		if !ok {
			t.Errorf("%s is refused", text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		if got.String() != text {
			t.Errorf("%s became %s", text, got)
		}
	}
	for _, text := range []string{"", "reason", `;reason="x"`, "-1", "+1", "99999999999", `x;reason="y"`} {
		if d, ok := sipmessage.ParseDiagnostics(text); ok {
			t.Errorf("%q: %+v", text, d)
		}
	}
}

// sip.md §4.5: the order of the headers that a response takes from its request.
func TestResponse(t *testing.T) {
	req := parse(t, read(t, "8.1-register.sip"))
	req.Headers = append([]sipmessage.Header{{Name: "Via", Value: "SIP/2.0/TLS 10.0.0.9:5061"}}, req.Headers...)
	m := sipmessage.Response(req, 404, "Not Found", "AA", sipmessage.Header{Name: "ms-diagnostics", Value: sipmessage.Diagnostics{ID: 4005}.String()})
	got, err := m.Append(nil)
	want := text("SIP/2.0 404 Not Found", "From: <sip:user1@lab.test>;tag=c5e826a828;epid=a0ae9e6cb0", "To: <sip:user1@lab.test>;tag=AA",
		"Call-ID: 6b2dec5dfd9a4eaf90180bb2f8f699ea", "CSeq: 1 REGISTER", "Via: SIP/2.0/TLS 10.0.0.9:5061", "Via: SIP/2.0/TLS 10.0.0.21:50123",
		"ms-diagnostics: 4005", "Content-Length: 0", "", "")
	if err != nil || string(got) != string(want) {
		t.Errorf("%s\n%v", got, err)
	}
	// A To tag stays, and none is made up.
	req.Set("To", "<sip:user1@lab.test>;tag=1")
	if m := sipmessage.Response(req, 200, "OK", "AA"); m.Get("To") != "<sip:user1@lab.test>;tag=1" {
		t.Error(m.Get("To"))
	}
	req.Set("To", "<sip:user1@lab.test>")
	if m := sipmessage.Response(req, 100, "Trying", "", sipmessage.Header{Name: "Content-Length", Value: "5"}); m.Get("To") != "<sip:user1@lab.test>" || len(m.Values("Content-Length")) != 1 {
		t.Error(m.Headers)
	}
}
