package certprov_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/smallstep/pkcs7"

	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

// certificates makes n self-signed certificates.
func certificates(t testing.TB, n int) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for i := range n {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: fmt.Sprint("CA ", i)}, NotAfter: time.Unix(1<<31, 0)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, testKey().Public(), testKey())
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func signedData(t testing.TB, list []*x509.Certificate) []byte {
	t.Helper()
	der, err := pkcs7.DegenerateCertificate(raw(list))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func raw(list []*x509.Certificate) (out []byte) {
	for _, c := range list {
		out = append(out, c.Raw...)
	}
	return out
}

// web-services.md §2, candidate messages.
func TestRootChainRequest(t *testing.T) {
	reference := document(t, "testdata/chain-request.xml")
	want := certprov.RootChainRequest{Operation: xml.Name{Space: soap.NSServices, Local: "GetRootCertChains"}}
	got, err := certprov.ParseRootChainRequest([]byte(reference))
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	text, err := want.Append(nil)
	if err != nil || string(text) != compact(reference) {
		t.Errorf("%v\n%s", err, cmp.Diff(compact(reference), string(text)))
	}
	if certprov.DefaultRootChainOperation.Input != want.Operation ||
		certprov.DefaultRootChainOperation.Action != "http://schemas.microsoft.com/OCS/AuthWebServices/GetRootCertChains" {
		t.Errorf("default %+v", certprov.DefaultRootChainOperation)
	}
	for _, local := range []string{"", "a b", "a>", "a/"} {
		if _, err := (certprov.RootChainRequest{Operation: xml.Name{Local: local}}).Append(nil); !errors.Is(err, certprov.ErrRequest) {
			t.Errorf("operation %q: %v", local, err)
		}
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"no XML":      {"hello", soap.ErrMalformed},
		"no envelope": {"<Body><a/></Body>", certprov.ErrRequest},
		"no body":     {strings.ReplaceAll(reference, "s:Body", "s:Torso"), certprov.ErrRequest},
		"empty body":  {`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>`, certprov.ErrRequest},
	} {
		if _, err := certprov.ParseRootChainRequest([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRootChains(t *testing.T) {
	list := certificates(t, 2)
	reference := compact(document(t, "testdata/chain-response.xml"))
	text, err := certprov.AppendRootChains(nil, "GetRootCertChains", [][]*x509.Certificate{list})
	want := strings.Replace(reference, between(t, reference, "<RootCertChain>", "</RootCertChain>"), base64.StdEncoding.EncodeToString(signedData(t, list)), 1)
	if err != nil || cmp.Diff(want, string(text)) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, string(text)))
	}
	got, err := certprov.ParseRootChains(text)
	if err != nil || !bytes.Equal(raw(got), raw(list)) {
		t.Errorf("%d certificates, %v", len(got), err)
	}
	if _, err := certprov.AppendRootChains(nil, "x", [][]*x509.Certificate{certificates(t, certprov.MaxChain+1)}); !errors.Is(err, certprov.ErrChainTooLong) {
		t.Errorf("one certificate over: %v", err)
	}
}

// However the answer wraps and encodes certificates, they are found (web-services.md §2 item 4), each once.
func TestEncodings(t *testing.T) {
	list := certificates(t, 3)
	encode := base64.StdEncoding.EncodeToString
	lines := func(text string) string { return "\r\n  " + text[:64] + "\r\n  " + text[64:] + "\r\n" }
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"PKCS #7":                       {"<a>" + encode(signedData(t, list)) + "</a>", 3},
		"one certificate":               {"<a>" + encode(list[0].Raw) + "</a>", 1},
		"certificates in a row":         {"<a>" + encode(raw(list)) + "</a>", 3},
		"an element each":               {"<a><b>" + encode(list[0].Raw) + "</b><b>" + encode(list[1].Raw) + "</b></a>", 2},
		"two chains with one root":      {"<a>" + encode(raw(list[:2])) + "</a><a>" + encode(raw(list[1:])) + "</a>", 3},
		"lines":                         {"<a>" + lines(encode(list[0].Raw)) + "</a>", 1},
		"other text and base64 besides": {"<n>hello</n><n>AAAA</n><n>MIIB</n><a>" + encode(list[0].Raw) + "</a>", 1},
	} {
		text := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><x>` + c.body + `</x></s:Body></s:Envelope>`
		got, err := certprov.ParseRootChains([]byte(text))
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %d certificates, want %d; %v", name, len(got), c.want, err)
		}
	}
}

func TestNoRootChains(t *testing.T) {
	envelope := func(body string) string {
		return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + body + `</s:Body></s:Envelope>`
	}
	ten, eleven := certificates(t, certprov.MaxChain), certificates(t, certprov.MaxChain+1)
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"no XML":              {"hello", soap.ErrMalformed},
		"no envelope":         {"<a/>", certprov.ErrNoChain},
		"no body":             {`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>`, certprov.ErrNoChain},
		"empty":               {envelope(""), certprov.ErrNoChain},
		"text":                {envelope("<a>no certificate</a>"), certprov.ErrNoChain},
		"another ASN.1 value": {envelope("<a>" + base64.StdEncoding.EncodeToString([]byte{0x30, 0x03, 0x02, 0x01, 0x05}) + "</a>"), certprov.ErrNoChain},
		"cut short":           {envelope("<a>" + base64.StdEncoding.EncodeToString(ten[0].Raw[:200]) + "</a>"), certprov.ErrNoChain},
		"ten":                 {envelope("<a>" + base64.StdEncoding.EncodeToString(signedData(t, ten)) + "</a>"), nil},
		"eleven":              {envelope("<a>" + base64.StdEncoding.EncodeToString(signedData(t, eleven)) + "</a>"), certprov.ErrChainTooLong},
		"eleven in a row":     {envelope("<a>" + base64.StdEncoding.EncodeToString(raw(eleven)) + "</a>"), certprov.ErrChainTooLong},
	} {
		if _, err := certprov.ParseRootChains([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestMetadata(t *testing.T) {
	const base, issuer = "https://pool.example.com/CertProv/CertProvisioningService.svc", "https://pool.example.com/WebTicket/WebTicketService.svc"
	reference := compact(document(t, "../soap/testdata/certprov.wsdl"))
	got := string(certprov.WSDL(base, issuer, ""))
	if diff := cmp.Diff(reference, got); diff != "" {
		t.Error(diff)
	}
	m, err := soap.ParseMetadata([]byte(got))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := certprov.RootChainPort(m); ok {
		t.Error("a root chain port was found where there is none")
	}
	anonymous := strings.Replace(base, "https", "http", 1)
	m, err = soap.ParseMetadata(certprov.WSDL(base, issuer, anonymous))
	if err != nil {
		t.Fatal(err)
	}
	port, operation, ok := certprov.RootChainPort(m)
	if want := certprov.DefaultRootChainOperation; !ok || port.Location != anonymous || cmp.Diff(want, operation) != "" {
		t.Errorf("%v %q\n%s", ok, port.Location, cmp.Diff(want, operation))
	}
	if port, ok := m.Port(certprov.ProofPortName); !ok || port.Location != base+certprov.ProofSuffix || port.Issuer != issuer {
		t.Errorf("%v %+v", ok, port)
	}
}

func TestRootChainPort(t *testing.T) {
	operation := func(name string) soap.Operation {
		return soap.Operation{Name: name, Input: xml.Name{Local: name}}
	}
	for name, c := range map[string]struct {
		port soap.Port
		want string
	}{
		"http":                  {soap.Port{Name: "x", Location: "HTTP://pool/x", Operations: []soap.Operation{operation("GetRootCertChains")}}, "GetRootCertChains"},
		"named Anon":            {soap.Port{Name: "xAnonY", Location: "https://pool/x", Operations: []soap.Operation{operation("FetchChain")}}, "FetchChain"},
		"enrolment besides":     {soap.Port{Location: "http://pool/x", Operations: []soap.Operation{operation("GetAndPublishCert"), operation("Roots")}}, "Roots"},
		"enrolment alone":       {soap.Port{Location: "http://pool/x", Operations: []soap.Operation{operation("GetAndPublishCert")}}, ""},
		"https, another name":   {soap.Port{Name: "x", Location: "https://pool/x", Operations: []soap.Operation{operation("GetRootCertChains")}}, ""},
		"an operation of other": {soap.Port{Location: "http://pool/x", Operations: []soap.Operation{operation("Ping")}}, ""},
		"no input element":      {soap.Port{Location: "http://pool/x", Operations: []soap.Operation{{Name: "Roots"}}}, ""},
	} {
		_, got, ok := certprov.RootChainPort(soap.Metadata{Ports: []soap.Port{c.port}})
		if got.Name != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got.Name, ok)
		}
	}
}

func FuzzRootChains(f *testing.F) {
	text, err := certprov.AppendRootChains(nil, "GetRootCertChains", [][]*x509.Certificate{certificates(f, 2)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := certprov.ParseRootChains(b)
		if err != nil || len(list) > certprov.MaxChain {
			return
		}
		again, err := certprov.AppendRootChains(nil, "x", [][]*x509.Certificate{list})
		if err != nil {
			t.Fatal(err)
		}
		if second, err := certprov.ParseRootChains(again); err != nil || !bytes.Equal(raw(list), raw(second)) {
			t.Fatalf("%d certificates become %d: %v", len(list), len(second), err)
		}
	})
}
