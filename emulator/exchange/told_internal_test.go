package exchange

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

// What is told of a message is what it is about; the rest is masked.
func TestRequestMasks(t *testing.T) {
	request := httpmessage.Request{
		Method: "POST", Target: "/WebTicket/WebTicketService.svc/pin",
		Header: []httpmessage.Header{
			{Name: "Host", Value: "pool.example"},
			{Name: "SOAPAction", Value: `"http://docs.example/RST/Issue"`},
			{Name: "Authorization", Value: "Basic c2VjcmV0OnNlY3JldA="},
			{Name: "Cookie", Value: "s=hidden-cookie"},
			{Name: "X-Ticket", Value: "hidden-ticket"},
		},
		Body: []byte(`<s:Envelope xmlns:s="s"><s:Header><w:MessageID xmlns:w="w">urn:1</w:MessageID><w:Security xmlns:w="w"><w:UsernameToken><w:Username>1219</w:Username>` +
			`<w:Password Type="plain" Hidden="hidden-value">07121863</w:Password></w:UsernameToken></w:Security></s:Header>` +
			`<s:Body><RST><TokenType>saml</TokenType><Claims/><Claims Id="hidden-id"><A>hidden-a</A></Claims><Entropy><BinarySecret>hidden-entropy</BinarySecret></Entropy></RST></s:Body></s:Envelope>`),
	}
	want := []Field{
		{Name: "request", Value: "POST /WebTicket/WebTicketService.svc/pin"},
		{Name: "Host", Value: "pool.example"},
		{Name: "SOAPAction", Value: `"http://docs.example/RST/Issue"`},
		{Name: "Authorization", Value: "Basic"},
		{Name: "Authorization;token", Value: "***", Origin: timeline.Masked},
		{Name: "Cookie", Value: "***", Origin: timeline.Fresh},
		{Name: "X-Ticket", Value: "***", Origin: timeline.Masked},
		{Name: "Envelope xmlns", Value: "s"},
		{Name: "Header/MessageID xmlns", Value: "w"},
		{Name: "Header/MessageID", Value: "urn:1", Origin: timeline.Fresh},
		{Name: "Header/Security xmlns", Value: "w"},
		{Name: "Header/Security/UsernameToken/Username", Value: "1219"},
		{Name: "Header/Security/UsernameToken/Password@Type", Value: "plain"},
		{Name: "Header/Security/UsernameToken/Password@Hidden", Value: "***", Origin: timeline.Masked},
		{Name: "Header/Security/UsernameToken/Password", Value: "***", Origin: timeline.Masked},
		{Name: "Body/RST xmlns"},
		{Name: "Body/RST/TokenType", Value: "saml"},
		{Name: "Body/RST/Claims"},
		{Name: "Body/RST/Claims[2]@Id", Value: "***", Origin: timeline.Fresh},
		{Name: "Body/RST/Claims[2]/A", Value: "***", Origin: timeline.Masked},
		{Name: "Body/RST/Entropy/BinarySecret", Value: "***", Origin: timeline.Fresh},
	}
	got := HTTPRequest(request)
	if diff := cmp.Diff(want, got.Fields); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := "POST /WebTicket/WebTicketService.svc/pin Issue"; got.Kind != want {
		t.Errorf("kind %q, want %q", got.Kind, want)
	}
}

func TestHeaders(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        []Field
	}{
		{"Authorization", `TLS-DSK qop="auth", opaque="84B5", realm="SIP, of all", gssapi-data="AAAA", version=4, crand="1f", cnum="1", response="2f", x="1"`, []Field{
			{Name: "Authorization", Value: "TLS-DSK"},
			{Name: "Authorization;qop", Value: `"auth"`},
			{Name: "Authorization;opaque", Value: "***", Origin: timeline.Fresh},
			{Name: "Authorization;realm", Value: `"SIP, of all"`},
			{Name: "Authorization;gssapi-data", Value: "***", Origin: timeline.Fresh},
			{Name: "Authorization;version", Value: "4"},
			{Name: "Authorization;crand", Value: "***", Origin: timeline.Fresh},
			{Name: "Authorization;cnum", Value: `"1"`},
			{Name: "Authorization;response", Value: "***", Origin: timeline.Fresh},
			{Name: "Authorization;x", Value: "***", Origin: timeline.Masked},
		}},
		{"WWW-Authenticate", "NTLM TlRMTVNTUAAB", []Field{{Name: "WWW-Authenticate", Value: "NTLM"}, {Name: "WWW-Authenticate;token", Value: "***", Origin: timeline.Masked}}},
		{"WWW-Authenticate", "Negotiate", []Field{{Name: "WWW-Authenticate", Value: "Negotiate"}}},
		{"Authorization", "a=secret", []Field{{Name: "Authorization", Value: "***", Origin: timeline.Masked}}},
		{"Authorization", "", []Field{{Name: "Authorization"}}},
		{"From", "<sip:a@x;user=phone>;tag=1f;epid=2f", []Field{
			{Name: "From", Value: "<sip:a@x;user=phone>"}, {Name: "From;tag", Value: "1f", Origin: timeline.Fresh}, {Name: "From;epid", Value: "2f"},
		}},
		{"Via", "SIP/2.0/TLS 10.0.0.2:50000;branch=z9;lr", []Field{
			{Name: "Via", Value: "SIP/2.0/TLS 10.0.0.2:50000"}, {Name: "Via;branch", Value: "z9", Origin: timeline.Fresh}, {Name: "Via;lr"},
		}},
	} {
		var f fields
		f.header(test.name, test.value)
		if diff := cmp.Diff(test.want, f.list); diff != "" {
			t.Errorf("%s: %s: -want +got:\n%s", test.name, test.value, diff)
		}
	}
}

// A name comes once in a message.
func TestNames(t *testing.T) {
	m := &sipmessage.Message{Status: 200, Reason: "OK", Body: []byte("<a><b/><b/></a>")}
	for range 3 {
		m.Add("Via", "SIP/2.0/TLS h;branch=1")
	}
	var got []string
	for _, f := range SIP(m).Fields {
		got = append(got, f.Name)
	}
	want := []string{"response", "Via", "Via;branch", "Via[2]", "Via[2];branch", "Via[3]", "Via[3];branch", "a/b", "a/b[2]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

var elementName = regexp.MustCompile(`^[A-Za-z]+$`)

// FuzzMasks puts a secret into a header, an element and an attribute that no list names: it is never told, no name comes
// twice, and what is told is bounded.
func FuzzMasks(f *testing.F) {
	const secret = "0712-secret-1863"
	f.Add("X-Unknown", "Ticket", `<a><b>text</b></a>`)
	f.Add("Authorization", "Password", `<a b="c"><d/></a>`)
	f.Add("Set-Cookie", "x", `<a>`)
	f.Fuzz(func(t *testing.T, header, element, body string) {
		key, name := strings.ToLower(header), strings.ToLower(element)
		if shownHeaders[key] || freshHeaders[key] || parameterHeaders[key] || shownElements[name] || freshElements[name] ||
			!elementName.MatchString(element) || strings.Contains(header+element+body, secret) {
			return
		}
		m := &sipmessage.Message{Status: 200, Reason: "OK", Body: []byte("<x><" + element + ` id="` + secret + `" foo="` + secret + `">` + secret + "</" + element + ">" + body + "</x>")}
		m.Add(header, "scheme "+secret)
		list := SIP(m).Fields
		text, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) {
			t.Errorf("header %q, element %q: %s", header, element, text)
		}
		if len(text) > 4*maxBytes || len(list) > maxFields+1 {
			t.Errorf("%d fields, %d bytes", len(list), len(text))
		}
		names := map[string]bool{}
		for _, field := range list {
			if names[field.Name] {
				t.Errorf("field %q comes twice", field.Name)
			}
			names[field.Name] = true
		}
		brief := Brief(list)
		if len(brief) > BriefFields+1 {
			t.Errorf("%d fields in brief", len(brief))
		}
		for _, field := range brief {
			if len(field.Value) > BriefBytes+len("…") {
				t.Errorf("field %q has %d bytes in brief", field.Name, len(field.Value))
			}
		}
	})
}
