package webticket_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// The values of the messages in web-services.md §3.2 and §3.3.
const (
	deviceID      = "7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10"
	proofURL      = "https://pool.example.com/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1"
	clientEntropy = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	serverEntropy = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	issue         = "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue"
	symmetricKey  = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/SymmetricKey"
	saml11        = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"
	alice         = "sip:alice@example.com"
	prefix        = "before"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unbase64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sequence(0x00) is the client's entropy of the vector in web-services.md §4.2, sequence(0x20) the server's.
func sequence(from byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

var (
	between = regexp.MustCompile(`>\s+<`)
	inTag   = regexp.MustCompile(`\s*\n\s*`)
	remark  = regexp.MustCompile(`(?s)<!-- only when[^\n]*(.*?)-->`)
)

// compact takes out the line breaks and indents that the reference has for its readers only.
func compact(text string) string {
	return inTag.ReplaceAllString(between.ReplaceAllString(strings.TrimSpace(text), "><"), " ")
}

// rst is the request of web-services.md §3.2 in form P1, with its optional claims or without.
func rst(t testing.TB, withClaims bool) string {
	t.Helper()
	text := string(read(t, "rst.xml"))
	if withClaims {
		return remark.ReplaceAllString(text, "$1")
	}
	return remark.ReplaceAllString(text, "")
}

func inP2(text string) string {
	return strings.NewReplacer(">4034<", ">NDAzNA==<", ">73915<", ">NzM5MTU=<").Replace(text)
}

func withoutHeader(text string) string {
	from, to := strings.Index(text, "<soap:Header>"), strings.Index(text, "</soap:Header>")
	return text[:from] + text[to+len("</soap:Header>"):]
}

func TestRequest(t *testing.T) {
	base := webticket.Request{Context: deviceID, AppliesTo: proofURL, Entropy: sequence(0)}
	for _, test := range []struct {
		name, text, number, pin, sip string // number and PIN as they stand
		form                         webticket.Form
		plainNumber, plainPIN        string
	}{
		{"P1", rst(t, false), "4034", "73915", "", webticket.P1, "4034", "73915"},
		{"P1 with the user's address", rst(t, true), "4034", "73915", alice, webticket.P1, "4034", "73915"},
		{"P2", inP2(rst(t, false)), "NDAzNA==", "NzM5MTU=", "", webticket.P2, "4034", "73915"},
		{"authenticated by HTTP", withoutHeader(rst(t, true)), "", "", alice, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			written := base
			written.Number, written.PIN, written.Form, written.SIPAddress = test.plainNumber, test.plainPIN, test.form, test.sip
			got, err := written.Append([]byte(prefix))
			if diff := cmp.Diff(prefix+compact(test.text), string(got)); diff != "" || err != nil {
				t.Errorf("written: %v %s", err, diff)
			}
			want := base
			want.Number, want.PIN, want.SIPAddress = test.number, test.pin, test.sip
			want.TokenType, want.RequestType, want.KeyType = saml11, issue, symmetricKey
			back, err := webticket.ParseRequest([]byte(test.text))
			if diff := cmp.Diff(want, back); diff != "" || err != nil {
				t.Errorf("read: %v %s", err, diff)
			}
			if err := back.Check(); err != nil {
				t.Error(err)
			}
			number, pin, err := back.Decode(test.form)
			if number != test.plainNumber || pin != test.plainPIN || err != nil {
				t.Errorf("decoded %q %q %v", number, pin, err)
			}
		})
	}
	if diff := cmp.Diff(unbase64(t, clientEntropy), sequence(0)); diff != "" {
		t.Error(diff)
	}
}

// TestAuthSample reads the request that the dial-in page sends to /Auth (web-services.md §6): user name and password are
// base64, as form P2 has them. It asks for another kind of ticket than a handset, which the PIN port refuses.
func TestAuthSample(t *testing.T) {
	text := string(read(t, "auth.xml"))
	want := webticket.Request{
		Number: "ZXhhbXBsZVxhbGljZQ==", PIN: "c2VjcmV0", Context: "ec86f904-0000-4000-8000-000000000000",
		AppliesTo: "https://pool.example.com/WebTicket/WebTicketService.svc/Auth",
		TokenType: "urn:component:Microsoft.Rtc.WebAuthentication.2010:user-cwt-1", RequestType: issue, KeyType: symmetricKey,
	}
	for _, form := range []string{text, compact(text)} {
		got, err := webticket.ParseRequest([]byte(form))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("read: %v %s", err, diff)
		}
		number, pin, err := got.Decode(webticket.P2)
		if number != `example\alice` || pin != "secret" || err != nil {
			t.Errorf("decoded %q %q %v", number, pin, err)
		}
		if err := got.Check(); !errors.Is(err, webticket.ErrRequest) || !strings.Contains(err.Error(), "user-cwt-1") {
			t.Errorf("checked: %v", err)
		}
	}
}

func TestRequestAppendRefuses(t *testing.T) {
	whole := webticket.Request{Number: "4034", PIN: "73915", Form: webticket.P1, AppliesTo: proofURL, Entropy: sequence(0)}
	if _, err := whole.Append(nil); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*webticket.Request){
		func(r *webticket.Request) { r.AppliesTo = "" },
		func(r *webticket.Request) { r.Entropy = nil },
		func(r *webticket.Request) { r.Form = "" },
		func(r *webticket.Request) { r.Form = "p3" },
	} {
		r := whole
		change(&r)
		if got, err := r.Append(nil); !errors.Is(err, webticket.ErrRequest) || got != nil {
			t.Errorf("%v: %s", err, got)
		}
	}
}

func TestRequestMasked(t *testing.T) {
	r := webticket.Request{Number: "4034", PIN: "73915", AppliesTo: proofURL}
	if got := r.String(); got != "web ticket request for "+proofURL {
		t.Error(got)
	}
}

func TestParseRequestRefuses(t *testing.T) {
	p1 := rst(t, false)
	for _, test := range []struct {
		name, from, to string
		want           error
		says           string
	}{
		{"truncated", "</soap:Envelope>", "", soap.ErrMalformed, ""},
		{"document type", "<soap:Envelope", "<!DOCTYPE a><soap:Envelope", soap.ErrMalformed, "document type"},
		{"entity", "4034", "&number;", soap.ErrMalformed, "number"},
		{"too large", "4034", strings.Repeat("4", soap.MaxSize), soap.ErrTooLarge, ""},
		{"too deep", "4034", strings.Repeat("<a>", soap.MaxDepth) + strings.Repeat("</a>", soap.MaxDepth), soap.ErrTooDeep, ""},
		{"wrong root", "soap:Envelope", "soap:Other", webticket.ErrRequest, "the root is Other"},
		{"envelope of another namespace", soap.NSEnvelope11, "urn:other", webticket.ErrRequest, "the root is Envelope"},
		{"no body", "soap:Body", "soap:Other", webticket.ErrRequest, "no Body"},
		{"several bodies", "<soap:Body>", "<soap:Body/><soap:Body>", webticket.ErrRequest, "more than one Body"},
		{"another message", "RequestSecurityToken", "Other", webticket.ErrRequest, "no RequestSecurityToken"},
		{"namespace with a slash", soap.NSTrust + `"`, soap.NSTrust + `/"`, webticket.ErrRequest, "no RequestSecurityToken"},
		{"entropy is no base64", clientEntropy, "AAEC!", webticket.ErrRequest, "entropy"},
		{"entropy is cut", clientEntropy, "AAECA", webticket.ErrRequest, "entropy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.ReplaceAll(p1, test.from, test.to)
			if text == p1 {
				t.Fatal("nothing was changed")
			}
			if _, err := webticket.ParseRequest([]byte(text)); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %v with %q", err, test.want, test.says)
			}
		})
	}
}

func TestRequestBounds(t *testing.T) {
	p1 := rst(t, false)
	full := p1 + strings.Repeat(" ", soap.MaxSize-len(p1))
	if _, err := webticket.ParseRequest([]byte(full)); err != nil {
		t.Error(err)
	}
	if _, err := webticket.ParseRequest([]byte(full + " ")); !errors.Is(err, soap.ErrTooLarge) {
		t.Error(err)
	}
	nested := func(n int) string { // below Envelope and Body
		return strings.Replace(p1, "</soap:Body>", strings.Repeat("<a>", n)+strings.Repeat("</a>", n)+"</soap:Body>", 1)
	}
	if _, err := webticket.ParseRequest([]byte(nested(soap.MaxDepth - 2))); err != nil {
		t.Error(err)
	}
	if _, err := webticket.ParseRequest([]byte(nested(soap.MaxDepth - 1))); !errors.Is(err, soap.ErrTooDeep) {
		t.Error(err)
	}
}

// A request without one of its elements is read; Check and the empty field tell what it lacks.
func TestRequestWithGaps(t *testing.T) {
	text := rst(t, true)
	for _, test := range []struct {
		name, from, to string
		change         func(*webticket.Request)
		says           string // of Check
	}{
		{"no context", ` Context="` + deviceID + `"`, "", func(r *webticket.Request) { r.Context = "" }, ""},
		{"no token type", "wst:TokenType", "wst:Other", func(r *webticket.Request) { r.TokenType = "" }, "TokenType"},
		{"other token type", "SAMLV1.1", "SAMLV2.0", func(r *webticket.Request) { r.TokenType = strings.Replace(saml11, "1.1#SAMLV1.1", "1.1#SAMLV2.0", 1) }, "TokenType"},
		{"request type of 200512", issue, soap.NSTrust + "/Issue", func(r *webticket.Request) { r.RequestType = soap.NSTrust + "/Issue" }, "RequestType"},
		{"no request type", "wst:RequestType", "wst:Other", func(r *webticket.Request) { r.RequestType = "" }, "RequestType"},
		{"no key type", "wst:KeyType", "wst:Other", func(r *webticket.Request) { r.KeyType = "" }, "KeyType"},
		{"no address", "wsa:Address", "wsa:Other", func(r *webticket.Request) { r.AppliesTo = "" }, ""},
		{"no entropy", "wst:Entropy", "wst:Other", func(r *webticket.Request) { r.Entropy = []byte{} }, "entropy"},
		{"claim of another kind", "claims/uri", "claims/upn", func(r *webticket.Request) { r.SIPAddress = "" }, ""},
		{"claim behind another", "<auth:ClaimType", `<auth:ClaimType Uri="urn:other"><auth:Value>x</auth:Value></auth:ClaimType><auth:ClaimType`, func(*webticket.Request) {}, ""},
		{"no token", "wsse:UsernameToken", "wsse:Other", func(r *webticket.Request) { r.Number, r.PIN = "", "" }, ""},
		{"no number", "wsse:Username>", "wsse:Other>", func(r *webticket.Request) { r.Number = "" }, ""},
		{"no PIN", "wsse:Password", "wsse:Other", func(r *webticket.Request) { r.PIN = "" }, ""},
		{"blanks", ">4034<", ">\r\n  4034 <", func(*webticket.Request) {}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.ReplaceAll(text, test.from, test.to)
			if changed == text {
				t.Fatal("nothing was changed")
			}
			want, err := webticket.ParseRequest([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			test.change(&want)
			got, err := webticket.ParseRequest([]byte(changed))
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			err = got.Check()
			if (test.says == "") != (err == nil) || err != nil && (!errors.Is(err, webticket.ErrRequest) || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("Check: %v, want %q", err, test.says)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ number, pin, says string }{
		{"4034!", "NzM5MTU=", "user name"}, {"NDAzNA==", "73915", "password"}, {"NDAzNA", "", "user name"},
	} {
		number, pin, err := webticket.Request{Number: test.number, PIN: test.pin}.Decode(webticket.P2)
		if !errors.Is(err, webticket.ErrRequest) || !strings.Contains(err.Error(), test.says) || number+pin != "" {
			t.Errorf("%+v: %q %q %v", test, number, pin, err)
		}
		if strings.Contains(err.Error(), test.number) {
			t.Errorf("%v tells the number", err)
		}
	}
}

// FuzzParseRequest: a request that is read and passes Check is written so that it is read the same, in either form.
func FuzzParseRequest(f *testing.F) {
	for _, text := range []string{rst(f, false), rst(f, true), inP2(rst(f, false)), withoutHeader(rst(f, true))} {
		f.Add([]byte(text))
	}
	f.Add([]byte(`<Envelope xmlns="` + soap.NSEnvelope11 + `"><Body><RequestSecurityToken xmlns="` + soap.NSTrust + `" Context="c"><TokenType>` + saml11 + `</TokenType><RequestType>` + issue +
		`</RequestType><AppliesTo><EndpointReference><Address>a</Address></EndpointReference></AppliesTo><Entropy><BinarySecret>AA==</BinarySecret></Entropy><KeyType>` + symmetricKey + `</KeyType></RequestSecurityToken></Body></Envelope>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := webticket.ParseRequest(b)
		if err != nil || r.Check() != nil || r.AppliesTo == "" {
			return
		}
		for _, form := range []webticket.Form{webticket.P1, webticket.P2} {
			written := r
			written.Form = form
			text, err := written.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > soap.MaxSize {
				return
			}
			again, err := webticket.ParseRequest(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if again.Number, again.PIN, err = again.Decode(form); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s", text, diff)
			}
		}
	})
}

// clean reports whether text comes back from an XML document as it was written.
func clean(text string) bool {
	return utf8.ValidString(text) && strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

// FuzzRequest: whatever its fields are, a request that is written is read; clean fields come back, and in form P2
// any number and PIN.
func FuzzRequest(f *testing.F) {
	f.Add("4034", "73915", deviceID, proofURL, alice, sequence(0))
	f.Add(" +1 <&>", "\"'\r\n", "]]>", "a\x00b\xff", "<!-- -->", []byte{0})
	f.Fuzz(func(t *testing.T, number, pin, id, appliesTo, sip string, entropy []byte) {
		for _, form := range []webticket.Form{webticket.P1, webticket.P2} {
			want := webticket.Request{Number: number, PIN: pin, Form: form, Context: id, AppliesTo: appliesTo, SIPAddress: sip, Entropy: entropy}
			text, err := want.Append(nil)
			if appliesTo == "" || len(entropy) == 0 {
				if !errors.Is(err, webticket.ErrRequest) {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > soap.MaxSize {
				return
			}
			got, err := webticket.ParseRequest(text)
			if err == nil {
				err = got.Check()
			}
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			gotNumber, gotPIN, err := got.Decode(form)
			if err != nil {
				t.Fatal(err)
			}
			for _, field := range []struct {
				name, got, want string
				exact           bool
			}{
				{"Number", gotNumber, number, form == webticket.P2},
				{"PIN", gotPIN, pin, form == webticket.P2},
				{"Context", got.Context, id, false},
				{"AppliesTo", got.AppliesTo, appliesTo, false},
				{"SIPAddress", got.SIPAddress, sip, false},
				{"Entropy", string(got.Entropy), string(entropy), true},
			} {
				if (field.exact || clean(field.want)) && field.got != field.want {
					t.Errorf("%s: %s is %q, want %q", form, field.name, field.got, field.want)
				}
			}
		}
	})
}
