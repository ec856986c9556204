package webticket_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

const (
	assertionID = "SamlSecurityToken-5d0f1c1e-3c0b-4a55-8c39-1b8f5e0f9a11"
	remarkThere = "<!-- server's own signature over the assertion -->"
)

var (
	created = time.Date(2012, 1, 2, 3, 4, 5, 0, time.UTC)
	expires = time.Date(2012, 1, 2, 11, 4, 5, 0, time.UTC)
)

// cut takes the text from one string to another, both included.
func cut(t testing.TB, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	text, _, closed := strings.Cut(rest, to)
	if !ok || !closed {
		t.Fatalf("no %s", from)
	}
	return from + text + to
}

// ticket is what web-services.md §3.3 holds.
func ticket(t testing.TB) webticket.Ticket {
	t.Helper()
	text := string(read(t, "rstrc.xml"))
	inner := strings.TrimPrefix(cut(t, text, "<Lifetime>", "</Lifetime>"), "<Lifetime>")
	return webticket.Ticket{
		Context: deviceID, AppliesTo: proofURL, AssertionID: assertionID, SIPAddress: alice, Audience: proofURL,
		Assertion:     []byte(cut(t, text, "<saml:Assertion", "</saml:Assertion>")),
		LifetimeInner: []byte(strings.TrimSuffix(inner, "</Lifetime>")),
		Created:       created, Expires: expires, ServerEntropy: sequence(0x20),
	}
}

func TestTicketRead(t *testing.T) {
	text := string(read(t, "rstrc.xml"))
	alone := strings.NewReplacer(cut(t, text, "<RequestSecurityTokenResponseCollection", ">"), "", "</RequestSecurityTokenResponseCollection>", "",
		"<RequestSecurityTokenResponse ", `<RequestSecurityTokenResponse xmlns="`+soap.NSTrust+`" `).Replace(text)
	for name, text := range map[string]string{"as received": text, "compact": compact(text), "no collection": alone, "byte order mark": "\ufeff" + text} {
		got, err := webticket.ParseResponse([]byte(text))
		if diff := cmp.Diff(ticket(t), got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestTicketBytes(t *testing.T) {
	want := prefix + compact(string(read(t, "rstrc.xml")))
	whole := ticket(t)
	got, err := whole.Append([]byte(prefix))
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	whole.LifetimeInner = nil
	got, err = whole.Append([]byte(prefix))
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("lifetime of the dates: %v %s", err, diff)
	}
}

func TestTicketAppendRefuses(t *testing.T) {
	for _, change := range []func(*webticket.Ticket){
		func(w *webticket.Ticket) { w.Assertion = nil },
		func(w *webticket.Ticket) { w.AssertionID = "" },
		func(w *webticket.Ticket) { w.ServerEntropy = nil },
	} {
		w := ticket(t)
		change(&w)
		if got, err := w.Append(nil); !errors.Is(err, webticket.ErrTicket) || got != nil {
			t.Errorf("%v: %s", err, got)
		}
	}
}

// The assertion of web-services.md §3.3; its signature, a remark there, is the lab's opaque value.
func TestNewAssertion(t *testing.T) {
	want := strings.Replace(string(ticket(t).Assertion), remarkThere, "<SignatureValue>AQID</SignatureValue>", 1)
	zone := time.FixedZone("", 3600)
	got := webticket.NewAssertion(webticket.AssertionFields{
		ID: assertionID, Issuer: "https://pool.example.com/", Audience: proofURL, SIPAddress: alice,
		Created: created.In(zone), Expires: expires.In(zone), EncryptedKey: make([]byte, 3), Signature: []byte{1, 2, 3},
	})
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestReadAssertion(t *testing.T) {
	want := webticket.AssertionFields{
		ID: assertionID, Issuer: "https://pool.example.com/", Audience: proofURL + "?a=1&b=<2>", SIPAddress: alice,
		Created: created, Expires: expires.Add(999 * time.Millisecond), EncryptedKey: make([]byte, 40), Signature: []byte{1, 2, 3},
	}
	good := string(webticket.NewAssertion(want))
	read := func(text string) (webticket.AssertionFields, error) {
		doc, err := soap.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return webticket.ReadAssertion(doc.Root())
	}
	got, err := read(good)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, change := range [][2]string{
		{`NotBefore="2`, `NotBefore="x`}, {`NotOnOrAfter="2`, `NotOnOrAfter="x`}, {"<e:CipherValue>", "<e:CipherValue>*"}, {"<SignatureValue>", "<SignatureValue>*"},
	} {
		if got, err := read(strings.Replace(good, change[0], change[1], 1)); !errors.Is(err, webticket.ErrTicket) {
			t.Errorf("%s: %+v, %v", change[1], got, err)
		}
	}
}

func TestLifetime(t *testing.T) {
	zone := time.FixedZone("", -7200)
	if diff := cmp.Diff(string(ticket(t).LifetimeInner), string(webticket.Lifetime(created.In(zone), expires.Add(999*time.Millisecond)))); diff != "" {
		t.Error(diff)
	}
}

// The vector of web-services.md §4.2.
func TestProofKey(t *testing.T) {
	const want = "df59132c2af6d230e4337732076a14561694be12838cc00203d63c816653d75b"
	if got := hex.EncodeToString(webticket.ProofKey(unbase64(t, clientEntropy), unbase64(t, serverEntropy))); got != want {
		t.Error(got)
	}
}

func TestTicketMasked(t *testing.T) {
	if got := ticket(t).String(); got != "web ticket for "+alice {
		t.Error(got)
	}
}

// A client that searches the bytes finds each element at its first mention (web-services.md §7.2 item 5), and the
// lifetime is canonical inside the timestamp.
func TestTicketForSearchingClients(t *testing.T) {
	w := ticket(t)
	w.LifetimeInner = nil
	w.Assertion = webticket.NewAssertion(webticket.AssertionFields{ID: assertionID, Audience: proofURL, SIPAddress: alice, Created: created, Expires: expires})
	b, err := w.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for tag, want := range map[string]int{"<Lifetime": 1, "<BinarySecret": 1, "<Assertion": 0, "<saml:Assertion": 1, ` AssertionID="`: 1} {
		if got := strings.Count(text, tag); got != want {
			t.Errorf("%s stands %d times, want %d", tag, got, want)
		}
	}
	if first, element := strings.Index(text, ":Assertion"), strings.Index(text, "<saml:Assertion"); first != element+len("<saml") {
		t.Errorf(":Assertion stands first at %d, the element at %d", first, element)
	}
	timestamp := `<wsu:Timestamp xmlns:wsu="` + soap.NSUtility + `" wsu:Id="timestamp">` + string(webticket.Lifetime(created, expires)) + `</wsu:Timestamp>`
	doc, err := soap.Parse([]byte(timestamp))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := soap.Canonicalize(doc.Root()); err != nil || string(got) != timestamp {
		t.Errorf("%v\n%s, want\n%s", err, got, timestamp)
	}
}

func TestTicketSIPAddress(t *testing.T) {
	whole := ticket(t)
	name := cut(t, string(whole.Assertion), "<saml:NameIdentifier ", "</saml:NameIdentifier>")
	attribute := func(value string) string {
		return "<saml:AttributeStatement><saml:Attribute><saml:AttributeValue>" + value + "</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"
	}
	for _, test := range []struct{ name, to, want string }{
		{"name", "<saml:NameIdentifier>SIP:Alice@example.com</saml:NameIdentifier>", "SIP:Alice@example.com"},
		{"attribute", attribute("x") + attribute("sip:b@example.com"), "sip:b@example.com"},
		{"name before the attribute", attribute("sip:b@example.com") + "<saml:NameIdentifier>sip:c@example.com</saml:NameIdentifier>", "sip:c@example.com"},
		{"name of another kind", "<saml:NameIdentifier>alice@example.com</saml:NameIdentifier>" + attribute("sip:b@example.com"), "sip:b@example.com"},
		{"none", "<saml:NameIdentifier>alice@example.com</saml:NameIdentifier>", ""},
		{"comment inside", "<saml:NameIdentifier>sip:alice@example.com<!-- -->.test</saml:NameIdentifier>", "sip:alice@example.com.test"},
	} {
		got, err := webticket.ParseResponse([]byte(strings.Replace(string(read(t, "rstrc.xml")), name, test.to, 1)))
		if err != nil || got.SIPAddress != test.want {
			t.Errorf("%s: %q %v, want %q", test.name, got.SIPAddress, err, test.want)
		}
	}
}

// Assertion and lifetime are cut out as they stand, whatever stands before and inside them.
func TestTicketBytesAreCutOut(t *testing.T) {
	whole := ticket(t)
	text, saml, life := string(read(t, "rstrc.xml")), string(whole.Assertion), string(whole.LifetimeInner)
	const opened = "<saml:Conditions "
	for _, test := range []struct{ name, from, to, assertion, lifetime string }{
		{"mentioned in a comment", "<s:Body>", "<!-- <saml:Assertion></saml:Assertion><Lifetime></Lifetime> --><s:Body>", saml, life},
		{"mentioned in CDATA", "<TokenType>", "<x><![CDATA[<saml:Assertion><Lifetime>]]></x><TokenType>", saml, life},
		{"mentioned in an instruction", "<s:Body>", "<?x <saml:Assertion><Lifetime>?><s:Body>", saml, life},
		{"lifetime of another element", "<s:Body>", "<s:Header><Lifetime>x</Lifetime></s:Header><s:Body>", saml, life},
		{"name that begins alike", opened, "<saml:AssertionIDReference>x</saml:AssertionIDReference>" + opened, "", life},
		{"assertion inside the assertion", opened, `<saml:Advice><saml:Assertion AssertionID="x"></saml:Assertion></saml:Advice>` + opened, "", life},
		{"blank in the end tag", "</saml:Assertion>", "</saml:Assertion \r\n>", "", life},
		{"sign in an attribute", `<saml:Assertion `, `<saml:Assertion x="a>b" `, "", life},
		{"prefixed lifetime", "Lifetime>", "t:Lifetime>", saml, life},
		{"attribute of the lifetime", "<Lifetime>", `<Lifetime x=">">`, saml, life},
		{"line ends", "</Created><Expires", "</Created>\r\n<Expires", saml, strings.Replace(life, "</Created><", "</Created>\r\n<", 1)},
		{"signs that need no escape", "</Created><Expires", "</Created><x>'\"></x><Expires", saml, strings.Replace(life, "</Created><", "</Created><x>'\"></x><", 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.ReplaceAll(text, test.from, test.to)
			if changed == text {
				t.Fatal("nothing was changed")
			}
			if test.assertion == "" {
				test.assertion = strings.ReplaceAll(saml, test.from, test.to)
			}
			got, err := webticket.ParseResponse([]byte(changed))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.assertion, string(got.Assertion)); diff != "" {
				t.Errorf("assertion: %s", diff)
			}
			if diff := cmp.Diff(test.lifetime, string(got.LifetimeInner)); diff != "" {
				t.Errorf("lifetime: %s", diff)
			}
		})
	}
}

func TestTicketRefused(t *testing.T) {
	text := string(read(t, "rstrc.xml"))
	for _, test := range []struct {
		name, from, to string
		want           error
		says           string
	}{
		{"truncated", "</s:Envelope>", "", soap.ErrMalformed, ""},
		{"document type", "<s:Envelope", "<!DOCTYPE a><s:Envelope", soap.ErrMalformed, "document type"},
		{"entity", alice, "&user;", soap.ErrMalformed, "user"},
		{"AssertionID twice", ` AssertionID="`, ` AssertionID="x" AssertionID="`, soap.ErrMalformed, "stands twice"},
		{"too large", alice, strings.Repeat("a", soap.MaxSize), soap.ErrTooLarge, ""},
		{"too deep", alice, strings.Repeat("<a>", soap.MaxDepth) + strings.Repeat("</a>", soap.MaxDepth), soap.ErrTooDeep, ""},
		{"wrong root", "s:Envelope", "s:Other", webticket.ErrTicket, "the root is Other"},
		{"no body", "s:Body", "s:Other", webticket.ErrTicket, "no Body"},
		{"several bodies", "</s:Body>", "</s:Body><s:Body/>", webticket.ErrTicket, "more than one Body"},
		{"fault", "RequestSecurityTokenResponse", "Fault", webticket.ErrTicket, "no RequestSecurityTokenResponse"},
		{"collection only", cut(t, text, "<RequestSecurityTokenResponse ", "</RequestSecurityTokenResponse>"), "", webticket.ErrTicket, "no RequestSecurityTokenResponse"},
		{"no token", "RequestedSecurityToken", "Other", webticket.ErrTicket, "no assertion"},
		{"no assertion", string(ticket(t).Assertion), "", webticket.ErrTicket, "no assertion"},
		{"no lifetime", "Lifetime>", "Other>", webticket.ErrTicket, "no lifetime"},
		{"no AssertionID", " AssertionID=", " ID=", webticket.ErrTicket, "no AssertionID"},
		{"empty AssertionID", ` AssertionID="` + assertionID, ` AssertionID="`, webticket.ErrTicket, "no AssertionID"},
		{"no entropy", "Entropy>", "Other>", webticket.ErrTicket, "no server entropy"},
		{"empty entropy", serverEntropy, "", webticket.ErrTicket, "no server entropy"},
		{"entropy is no base64", serverEntropy, "ICEi!", webticket.ErrTicket, "no server entropy"},
		{"empty lifetime", string(ticket(t).LifetimeInner), "", webticket.ErrTicket, "lifetime"},
		{"no Created", "Created", "Other", webticket.ErrTicket, "lifetime"},
		{"no Expires", "Expires", "Other", webticket.ErrTicket, "lifetime"},
		{"date without a zone", "03:04:05Z<", "03:04:05<", webticket.ErrTicket, "lifetime"},
		{"no such hour", "T11:04:05Z<", "T25:04:05Z<", webticket.ErrTicket, "lifetime"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.ReplaceAll(text, test.from, test.to)
			if changed == text {
				t.Fatal("nothing was changed")
			}
			_, err := webticket.ParseResponse([]byte(changed))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %v with %q", err, test.want, test.says)
			}
		})
	}
}

func TestTicketBounds(t *testing.T) {
	text := string(read(t, "rstrc.xml"))
	full := text + strings.Repeat(" ", soap.MaxSize-len(text))
	if _, err := webticket.ParseResponse([]byte(full)); err != nil {
		t.Error(err)
	}
	if _, err := webticket.ParseResponse([]byte(full + " ")); !errors.Is(err, soap.ErrTooLarge) {
		t.Error(err)
	}
}

// FuzzParseResponse: a ticket that is read is written so that it is read the same.
func FuzzParseResponse(f *testing.F) {
	text := string(read(f, "rstrc.xml"))
	f.Add([]byte(text))
	f.Add([]byte(compact(text)))
	f.Add([]byte(strings.NewReplacer("Lifetime>", "t:Lifetime>", "saml:", "", "<s:Body>", "<!-- <Assertion> --><s:Body>").Replace(text)))
	f.Add([]byte(`<Envelope xmlns="` + soap.NSEnvelope11 + `"><Body><RequestSecurityTokenResponse><RequestedSecurityToken><Assertion AssertionID="a"/></RequestedSecurityToken>` +
		`<Entropy><BinarySecret>AA==</BinarySecret></Entropy><Lifetime><Created>2012-01-02T03:04:05Z</Created><Expires>2012-01-02T03:04:05.5+01:00</Expires></Lifetime></RequestSecurityTokenResponse></Body></Envelope>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := webticket.ParseResponse(b)
		if err != nil {
			return
		}
		written, err := w.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := webticket.ParseResponse(written)
		if errors.Is(err, soap.ErrTooLarge) || errors.Is(err, soap.ErrTooDeep) {
			return
		}
		if diff := cmp.Diff(w, again); diff != "" || err != nil {
			t.Errorf("%s: %v %s", written, err, diff)
		}
	})
}

// FuzzTicket: an assertion of any fields, in an answer of any fields, is read as it was written.
func FuzzTicket(f *testing.F) {
	f.Add(assertionID, "https://pool.example.com/", proofURL, alice, deviceID, int64(1325473445), sequence(0x20))
	f.Add("a\"<&>", "\r\n", "]]>", "sip:<!-- -->", "\x00\xff", int64(0), []byte{0})
	f.Fuzz(func(t *testing.T, id, issuer, audience, sip, context string, second int64, entropy []byte) {
		second %= 1 << 37 // four digits of a year
		from := time.Unix(max(second, -second), 0).UTC()
		want := webticket.Ticket{Context: context, AppliesTo: audience, AssertionID: id, ServerEntropy: entropy, Created: from, Expires: from.Add(8 * time.Hour)}
		want.Assertion = webticket.NewAssertion(webticket.AssertionFields{
			ID: id, Issuer: issuer, Audience: audience, SIPAddress: sip, Created: want.Created, Expires: want.Expires, EncryptedKey: entropy, Signature: entropy,
		})
		text, err := want.Append(nil)
		if id == "" || len(entropy) == 0 {
			if !errors.Is(err, webticket.ErrTicket) {
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
		got, err := webticket.ParseResponse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if strings.HasPrefix(sip, "sip:") && clean(sip) && got.SIPAddress != sip {
			t.Errorf("SIPAddress %q, want %q", got.SIPAddress, sip)
		}
		for _, field := range []struct{ name, got, want string }{
			{"Context", got.Context, context}, {"AssertionID", got.AssertionID, id}, {"AppliesTo", got.AppliesTo, audience}, {"Audience", got.Audience, audience},
		} {
			if clean(field.want) && field.got != field.want {
				t.Errorf("%s is %q, want %q", field.name, field.got, field.want)
			}
		}
		want.LifetimeInner = webticket.Lifetime(want.Created, want.Expires)
		want.Context, want.AssertionID, want.AppliesTo, want.Audience, want.SIPAddress = got.Context, got.AssertionID, got.AppliesTo, got.Audience, got.SIPAddress
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
