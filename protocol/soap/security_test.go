package soap_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/protocol/soap"
)

// The test vector of web-services.md §4.2.
const (
	clientEntropy = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	serverEntropy = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
	proofKey      = "df59132c2af6d230e4337732076a14561694be12838cc00203d63c816653d75b"
	timestampC14N = `<wsu:Timestamp xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" wsu:Id="timestamp"><Created xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">2012-01-02T03:04:05Z</Created><Expires xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">2012-01-02T11:04:05Z</Expires></wsu:Timestamp>`
	digestValue   = "ckuQiZMLD9RjrcnZ1rdNbeYEpSc="
	signature     = "I+c5OF2E52lPIYz/pPvN39nIjHo="
	assertion     = "SamlSecurityToken-5d0f1c1e-3c0b-4a55-8c39-1b8f5e0f9a11"
)

func unbase64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(proofKey)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPSHA1(t *testing.T) {
	secret, seed := unbase64(t, clientEntropy), unbase64(t, serverEntropy)
	for n := range 33 { // shorter outputs are the beginning of the vector
		if got := hex.EncodeToString(soap.PSHA1(secret, seed, n)); got != proofKey[:2*n] {
			t.Errorf("%d bytes: %s", n, got)
		}
	}
	if got := soap.PSHA1(secret, seed, 100); len(got) != 100 || !bytes.HasPrefix(got, key(t)) {
		t.Errorf("100 bytes: %x", got)
	}
	if bytes.Equal(soap.PSHA1(seed, secret, 32), key(t)) {
		t.Error("secret and seed can be exchanged")
	}
}

// section cuts the text between two strings out of a document of the reference.
func section(t testing.TB, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	text, _, closed := strings.Cut(rest, to)
	if !ok || !closed {
		t.Fatalf("no %s", from)
	}
	return text
}

func TestCanonicalize(t *testing.T) {
	enrollment := string(read(t, "enrollment.xml"))
	const utility = soap.NSUtility
	wsu := func(created string) string {
		return `<wsu:Timestamp xmlns:wsu="` + utility + `" wsu:Id="timestamp">` + created + `</wsu:Timestamp>`
	}
	for _, test := range []struct{ name, text, element, want string }{
		{"the timestamp of the vector", enrollment, "Timestamp", timestampC14N},
		{"the SignedInfo of §4.3", enrollment, "SignedInfo", "<SignedInfo" + section(t, enrollment, "<SignedInfo", "</SignedInfo>") + "</SignedInfo>"},
		{
			"empty elements", strings.NewReplacer(`xml-exc-c14n#"></CanonicalizationMethod>`, `xml-exc-c14n#" />`, `hmac-sha1"></SignatureMethod>`, `hmac-sha1"/>`).Replace(enrollment), "SignedInfo",
			"<SignedInfo" + section(t, enrollment, "<SignedInfo", "</SignedInfo>") + "</SignedInfo>",
		},
		{"prefix of an ancestor", wsu("<wsu:Created>1</wsu:Created>"), "Timestamp", wsu("<wsu:Created>1</wsu:Created>")},
		{"prefix declared again is dropped", wsu(`<wsu:Created xmlns:wsu="` + utility + `">1</wsu:Created>`), "Timestamp", wsu("<wsu:Created>1</wsu:Created>")},
		{"prefix moves to its first use", `<a xmlns:x="urn:x" xmlns:y="urn:y"><b><x:c/></b></a>`, "b", `<b><x:c xmlns:x="urn:x"></x:c></b>`},
		{"attributes in order", `<b z="1" a="2" xmlns:y="urn:1" xmlns:x="urn:2" x:k="3" y:k="4"></b>`, "b", `<b xmlns:x="urn:2" xmlns:y="urn:1" a="2" z="1" y:k="4" x:k="3"></b>`},
		{"text and comments", "<b><!-- c --> <![CDATA[<]]>&#62;&amp;\r\n</b>", "b", "<b> &lt;&gt;&amp;\n</b>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc := parse(t, test.text)
			for range 2 { // the document is left as it was
				got, err := soap.Canonicalize(soap.Find(doc.Root(), test.element))
				if err != nil || string(got) != test.want {
					t.Errorf("%v\n%s, want\n%s", err, got, test.want)
				}
			}
		})
	}
	for _, text := range []string{"<b><x:c/></b>", `<a xmlns:x="urn:x" xmlns:x2="urn:x"><b x3:k="1"/></a>`} {
		if got, err := soap.Canonicalize(soap.Find(parse(t, text).Root(), "b")); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// The security header of web-services.md §4.3.
func TestAppendSecurity(t *testing.T) {
	enrollment := string(read(t, "enrollment.xml"))
	want := section(t, enrollment, "<wsse:Security>", "</wsse:Security>")
	lifetime := section(t, timestampC14N, `wsu:Id="timestamp">`, "</wsu:Timestamp>")
	saml := "<saml:Assertion" + section(t, enrollment, "<saml:Assertion", "</saml:Assertion>") + "</saml:Assertion>"
	got, err := soap.AppendSecurity([]byte(prefix), []byte(lifetime), []byte(saml), assertion, key(t))
	if err != nil || string(got) != prefix+want {
		t.Errorf("%v\n%s, want\n%s", err, got, want)
	}
	for _, lifetime := range []string{"<Created>", "</wsu:Timestamp>", "<x:Created>2012</x:Created>", "<!DOCTYPE a>"} {
		if got, err := soap.AppendSecurity(nil, []byte(lifetime), []byte(saml), assertion, key(t)); err == nil {
			t.Errorf("%s: %s", lifetime, got)
		}
	}
}

func TestReadProof(t *testing.T) {
	doc := parse(t, string(read(t, "enrollment.xml")))
	p, err := soap.ReadProof(doc)
	if err != nil {
		t.Fatal(err)
	}
	created, expires := time.Date(2012, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2012, 1, 2, 11, 4, 5, 0, time.UTC)
	if p.AssertionID != assertion || !p.Created.Equal(created) || !p.Expires.Equal(expires) || p.Assertion != soap.Find(doc.Root(), "Assertion") {
		t.Errorf("%+v", p)
	}
	if err := p.Verify(key(t)); err != nil {
		t.Error(err)
	}
}

// verify reads and verifies the enrolment request with one text replaced.
func verify(t testing.TB, from, to string) error {
	t.Helper()
	text := string(read(t, "enrollment.xml"))
	changed := strings.ReplaceAll(text, from, to)
	if changed == text {
		t.Fatalf("%q does not stand there", from)
	}
	p, err := soap.ReadProof(parse(t, changed))
	if err != nil {
		return err
	}
	return p.Verify(key(t))
}

// What web-services.md §4.2, §4.3 and §7.2 have a verifier accept.
func TestProofAccepted(t *testing.T) {
	for _, test := range []struct{ name, from, to string }{
		{"spaces in the signature", "</SignedInfo><SignatureValue>", "</SignedInfo> <SignatureValue> "},
		{"spaces around the pieces", "</wsu:Timestamp><saml:Assertion", "</wsu:Timestamp>\r\n<saml:Assertion"},
		{"TokenType of WSS 1.1", "<wsse:SecurityTokenReference wsse:TokenType", `<wsse:SecurityTokenReference xmlns:w="` + soap.NSSecurity11 + `" w:TokenType`},
		{"no TokenType", ` wsse:TokenType="` + soap.TokenSAML11 + `"`, ""},
		{"empty elements", "></SignatureMethod>", "/>"},
		{"timestamp's declarations in another order", `xmlns:wsu="` + soap.NSUtility + `" wsu:Id="timestamp"`, `wsu:Id="timestamp" xmlns:wsu="` + soap.NSUtility + `"`},
		{"comment in the timestamp", "</wsu:Timestamp>", "<!-- c --></wsu:Timestamp>"},
		{"body", "<wstep:RequestID>", "<wstep:RequestID>x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := verify(t, test.from, test.to); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestProofRefused(t *testing.T) {
	const transform = `<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform>`
	enrollment := string(read(t, "enrollment.xml"))
	reference := "<Reference " + section(t, enrollment, "<Reference ", "</Reference>") + "</Reference>"
	saml := "<saml:Assertion" + section(t, enrollment, "<saml:Assertion", "</saml:Assertion>") + "</saml:Assertion>"
	element := "<Signature " + section(t, enrollment, "<Signature ", "</Signature>") + "</Signature>"
	for _, test := range []struct {
		name, from, to string
		want           error
	}{
		{"no header", "soap:Header>", "soap:Other>", soap.ErrNoProof},
		{"no Security", "wsse:Security>", "wsse:Other>", soap.ErrNoProof},
		{"no timestamp", "wsu:Timestamp", "wsu:Other", soap.ErrNoProof},
		{"no assertion", saml, "", soap.ErrNoProof},
		{"no signature", element, "", soap.ErrNoProof},
		{"two signatures", element, element + element, soap.ErrNoProof},
		{"two timestamps", timestampC14N, timestampC14N + timestampC14N, soap.ErrNoProof},
		{"two assertions", saml, saml + saml, soap.ErrNoProof},
		{"no AssertionID", `AssertionID="SamlSecurityToken-5d0f1c1e-3c0b-4a55-8c39-1b8f5e0f9a11" Issuer`, "Issuer", soap.ErrKeyReference},
		{"key of another assertion", assertion + "</wsse:KeyIdentifier>", "other</wsse:KeyIdentifier>", soap.ErrKeyReference},
		{"no key identifier", "wsse:KeyIdentifier", "wsse:Other", soap.ErrKeyReference},
		{"no Created", "Created", "Other", soap.ErrTimestamp},
		{"no Expires", "Expires", "Other", soap.ErrTimestamp},
		{"date without a zone", "03:04:05Z</Created>", "03:04:05</Created>", soap.ErrTimestamp},
		{"date without a time", "2012-01-02T11:04:05Z", "2012-01-02", soap.ErrTimestamp},
		{"no such day", "2012-01-02T11:04:05Z", "2012-02-30T11:04:05Z", soap.ErrTimestamp},
		{"no SignedInfo", "SignedInfo", "Other", soap.ErrReference},
		{"no reference", reference, "", soap.ErrReference},
		{"two references", reference, reference + reference, soap.ErrReference},
		{"reference to another element", "#timestamp", "#body", soap.ErrReference},
		{"timestamp without an Id", ` wsu:Id="timestamp"`, "", soap.ErrReference},
		{"empty Id", `wsu:Id="timestamp"`, `wsu:Id=""`, soap.ErrReference},
		{"other canonical form", `<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`, `<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">`, soap.ErrAlgorithm},
		{"other signature", "hmac-sha1", "rsa-sha1", soap.ErrAlgorithm},
		{"other digest", "xmldsig#sha1", "xmldsig#sha256", soap.ErrAlgorithm},
		{"no digest method", "DigestMethod", "Other", soap.ErrAlgorithm},
		{"no transform", transform, "", soap.ErrAlgorithm},
		{"two transforms", transform, transform + transform, soap.ErrAlgorithm},
		{"timestamp changed", "2012-01-02T11:04:05Z", "2012-01-02T11:04:06Z", soap.ErrDigest},
		{"blank in the timestamp", "</Created>", "</Created> ", soap.ErrDigest},
		{"other digest value", digestValue, "AAAA", soap.ErrDigest},
		{"digest is no base64", digestValue, "ckuQ!", soap.ErrDigest},
		{"SignedInfo changed", "</SignedInfo>", " </SignedInfo>", soap.ErrSignature},
		{"other signature value", signature, digestValue, soap.ErrSignature},
		{"signature cut", signature, "I+c5OF2E52lPIYz/", soap.ErrSignature},
		{"signature is no base64", signature, "I+c5!", soap.ErrSignature},
		{"no signature value", "SignatureValue", "Other", soap.ErrSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := verify(t, test.from, test.to); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
	p, err := soap.ReadProof(parse(t, enrollment))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(key(t)[:31]); !errors.Is(err, soap.ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	p, err = soap.ReadProof(parse(t, strings.Replace(enrollment, "<Created ", `<Created x:y="" `, 1)))
	if err == nil {
		err = p.Verify(key(t))
	}
	if err == nil {
		t.Error("a timestamp with an unknown prefix is verified")
	}
}

// FuzzSecurity: what is written around a lifetime and an identity is read and verified with the same key only.
func FuzzSecurity(f *testing.F) {
	f.Add("2012-01-02T03:04:05Z", "2012-01-02T11:04:05Z", assertion, []byte("key"))
	f.Add("2012-01-02T03:04:05.123+02:00", " 2012-01-02T11:04:05Z\r\n", `a"<&>`, []byte{})
	f.Fuzz(func(t *testing.T, created, expires, id string, key []byte) {
		const utility = ` xmlns="` + soap.NSUtility + `">`
		lifetime := "<Created" + utility + soap.Escape(created) + "</Created><Expires" + utility + soap.Escape(expires) + "</Expires>"
		saml := `<saml:Assertion xmlns:saml="` + soap.NSSAML + `" AssertionID="` + soap.Escape(id) + `"/>`
		security, err := soap.AppendSecurity(nil, []byte(lifetime), []byte(saml), id, key)
		if err != nil {
			t.Fatal(err)
		}
		doc := parse(t, `<s:Envelope xmlns:s="`+soap.NSEnvelope11+`" xmlns:wsse="`+soap.NSSecurity+`"><s:Header><wsse:Security>`+string(security)+`</wsse:Security></s:Header></s:Envelope>`)
		p, err := soap.ReadProof(doc)
		if err != nil {
			if !errors.Is(err, soap.ErrTimestamp) && !errors.Is(err, soap.ErrKeyReference) {
				t.Fatal(err)
			}
			return
		}
		if err := p.Verify(key); err != nil {
			t.Errorf("%s: %v", security, err)
		}
		if err := p.Verify(append(bytes.Clone(key), 1)); !errors.Is(err, soap.ErrSignature) {
			t.Errorf("another key: %v", err)
		}
	})
}

// FuzzReadProof: no request is verified whose timestamp is not the one that was signed.
func FuzzReadProof(f *testing.F) {
	f.Add(read(f, "enrollment.xml"))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := soap.Parse(b)
		if err != nil {
			return
		}
		p, err := soap.ReadProof(doc)
		if err != nil {
			return
		}
		if p.Verify(key(t)) != nil {
			return
		}
		if got, err := soap.Canonicalize(soap.Path(doc.Root(), "Header", "Security", "Timestamp")); err != nil || string(got) != timestampC14N {
			t.Errorf("verified: %s, %v", got, err)
		}
	})
}
