package handset

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// What is decoded tells what a message is about and masks the rest.
func TestDecodeMasks(t *testing.T) {
	request := httpmessage.Request{
		Method: "POST", Target: "/WebTicket/WebTicketService.svc/pin",
		Header: []httpmessage.Header{
			{Name: "Host", Value: "pool.example"},
			{Name: "Authorization", Value: "Basic c2VjcmV0OnNlY3JldA="},
			{Name: "Cookie", Value: "s=hidden-cookie"},
			{Name: "X-Ticket", Value: "hidden-ticket"},
		},
		Body: []byte(`<s:Envelope xmlns:s="s"><s:Header><w:Security xmlns:w="w"><w:UsernameToken><w:Username>1219</w:Username>` +
			`<w:Password Type="hidden-type">07121863</w:Password></w:UsernameToken></w:Security></s:Header>` +
			`<s:Body><RST><TokenType>saml</TokenType><Entropy><BinarySecret>hidden-entropy</BinarySecret></Entropy></RST></s:Body></s:Envelope>`),
	}
	want := []timeline.Field{
		{Name: "request", Value: "POST /WebTicket/WebTicketService.svc/pin"},
		{Name: "Host", Value: "pool.example"},
		{Name: "Authorization", Value: "Basic ***"},
		{Name: "Cookie", Value: "***"},
		{Name: "X-Ticket", Value: "***"},
		{Name: "UsernameToken/Username", Value: "1219"},
		{Name: "UsernameToken/Password", Value: "***"},
		{Name: "RST/TokenType", Value: "saml"},
		{Name: "Entropy/BinarySecret", Value: "***"},
	}
	if diff := cmp.Diff(want, decodeRequest(request)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestMaskParams(t *testing.T) {
	for value, want := range map[string]string{
		`TLS-DSK qop="auth", opaque="84B5", realm="SIP", gssapi-data="AAAA", version=4, crand="1f", cnum="1", response="2f"`: `TLS-DSK qop="auth", ***, realm="SIP", ***, version=4, ***, cnum="1", ***`,
		"NTLM TlRMTVNTUAAB": "NTLM ***",
		"Negotiate":         "Negotiate",
		"a=secret":          "***",
		"":                  "",
		`Basic realm="x"`:   `Basic realm="x"`,
	} {
		if got := maskParams(value); got != want {
			t.Errorf("%q is told as %q, want %q", value, got, want)
		}
	}
}

var elementName = regexp.MustCompile(`^[A-Za-z]+$`)

// FuzzDecodeMasks puts a secret into a header and an element that no list names: it is never told, and what is told
// is bounded.
func FuzzDecodeMasks(f *testing.F) {
	const secret = "0712-secret-1863"
	f.Add("X-Unknown", "Ticket", `<a><b>text</b></a>`)
	f.Add("Authorization", "Password", `<a b="c"><d/></a>`)
	f.Add("Set-Cookie", "x", `<a>`)
	f.Fuzz(func(t *testing.T, header, element, body string) {
		if shownHeaders[strings.ToLower(header)] || shownElements[strings.ToLower(element)] || !elementName.MatchString(element) || strings.Contains(header+element+body, secret) {
			return
		}
		m := &sipmessage.Message{Status: 200, Reason: "OK", Body: []byte("<x><" + element + ">" + secret + "</" + element + ">" + body + "</x>")}
		m.Add(header, "scheme "+secret)
		fields := decodeSIP(m)
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("header %q, element %q: %s", header, element, text)
		}
		if len(fields) > maxFields+1 {
			t.Errorf("%d fields", len(fields))
		}
		for _, field := range fields {
			if len(field.Value) > maxFieldText+len("…") {
				t.Errorf("field %q has %d bytes", field.Name, len(field.Value))
			}
		}
	})
}
