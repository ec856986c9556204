package certprov_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
)

// document reads a complete message of web-services.md; compact is the same without the white space between elements.
func document(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func compact(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.Trim(line, " \n")
		if strings.HasPrefix(line, "xmlns:") {
			b.WriteString(" ") // attributes on a line of their own
		}
		b.WriteString(line)
	}
	return b.String()
}

const (
	shortened = "MIICYTCCAUkCAQIw...PKCS10, 76 columns, CRLF..." // the CSR as web-services.md §4.3 prints it
	leaf      = "MIIC...DER..."                                  // the certificate of §4.4
)

// between returns the part of text from start to end, without them.
func between(t *testing.T, text, start, end string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, start)
	inner, _, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("no %s…%s in %s", start, end, text)
	}
	return inner
}

// web-services.md §4.3, with a CSR of 100 bytes: two lines of base64, the first of 76 columns, after CR LF.
func TestRequest(t *testing.T) {
	const line1 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	const line2 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
	reference := document(t, "../soap/testdata/enrollment.xml")
	want := `<?xml version="1.0"?>` + "\n" + strings.Replace(
		compact(strings.TrimPrefix(reference, `<?xml version="1.0"?>`)), shortened, "\r\n"+line1+"\r\n"+line2, 1)
	request := certprov.Request{
		To:        "https://pool.example.com/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1",
		MessageID: "0f4f3a0e-52a9-5b5e-8d6f-7f0e2d7d9a01",
		DeviceID:  "7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10",
		Entity:    "alice@example.com",
		RequestID: "27bc7543-8c9b-54a4-9d3f-67bfe8a461ea",
		CSR:       make([]byte, 100),
		Security:  []byte(between(t, want, "<wsse:Security>", "</wsse:Security>")),
	}
	got, err := request.Append([]byte("before"))
	if err != nil || cmp.Diff("before"+want, string(got)) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff("before"+want, string(got)))
	}

	// As the reference prints it, indented, it is read to the same.
	read, doc, err := certprov.ParseRequest([]byte(strings.Replace(reference, shortened, line1+"\n"+line2, 1)))
	if err != nil || doc == nil {
		t.Fatal(err)
	}
	request.Security = nil
	if diff := cmp.Diff(request, read); diff != "" {
		t.Error(diff)
	}
	if proof, err := soap.ReadProof(doc); err != nil || proof.AssertionID != "SamlSecurityToken-5d0f1c1e-3c0b-4a55-8c39-1b8f5e0f9a11" {
		t.Errorf("%+v, %v", proof, err)
	}

	for name, spoil := range map[string]func(*certprov.Request){
		"URL":    func(r *certprov.Request) { r.To = "" },
		"device": func(r *certprov.Request) { r.DeviceID = "" },
		"entity": func(r *certprov.Request) { r.Entity = "" },
		"CSR":    func(r *certprov.Request) { r.CSR = nil },
	} {
		bad := request
		spoil(&bad)
		if _, err := bad.Append(nil); !errors.Is(err, certprov.ErrRequest) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestWrongRequest(t *testing.T) {
	good := strings.Replace(document(t, "../soap/testdata/enrollment.xml"), shortened, "MIIB", 1)
	if _, _, err := certprov.ParseRequest([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, to string
		want     error
	}{
		"no XML":                      {"<soap:Envelope", "<soap:", soap.ErrMalformed},
		"no envelope":                 {"soap:Envelope", "soap:Letter", certprov.ErrRequest},
		"another operation":           {"GetAndPublishCert ", "GetCert ", soap.ErrMalformed}, // the end tag stays
		"another namespace":           {`<GetAndPublishCert xmlns="http://schemas.microsoft.com/OCS/AuthWebServices/"`, `<GetAndPublishCert xmlns="urn:x"`, certprov.ErrRequest},
		"trust without slash (§4.1)":  {`xmlns:wst="http://docs.oasis-open.org/ws-sx/ws-trust/200512/"`, `xmlns:wst="http://docs.oasis-open.org/ws-sx/ws-trust/200512"`, certprov.ErrRequest},
		"another token type":          {"#X509v3</wst:TokenType>", "#X509v1</wst:TokenType>", certprov.ErrRequest},
		"request type of 2005/02":     {"ws-trust/200512/Issue</wst:RequestType>", "ws-trust/200502/Issue</wst:RequestType>", certprov.ErrRequest},
		"another value type":          {"#PKCS10", "#PKCS7", certprov.ErrRequest},
		"CSR that is no base64":       {"MIIB", "MI!B", certprov.ErrRequest},
		"no RequestSecurityToken":     {"wst:RequestSecurityToken>", "wst:Other>", certprov.ErrRequest},
		"no BinarySecurityToken":      {"wsse:BinarySecurityToken", "wsse:Other", certprov.ErrRequest},
		"two bodies":                  {"</soap:Body>", "</soap:Body><soap:Body/>", certprov.ErrRequest},
		"document type":               {"<soap:Envelope", "<!DOCTYPE x><soap:Envelope", soap.ErrMalformed},
		"more than 256 KiB of blanks": {"</soap:Envelope>", strings.Repeat(" ", soap.MaxSize) + "</soap:Envelope>", soap.ErrTooLarge},
	} {
		text := strings.ReplaceAll(good, c.from, c.to)
		if text == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, _, err := certprov.ParseRequest([]byte(text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestResponse(t *testing.T) {
	for _, c := range []struct {
		file string
		want certprov.Response
	}{
		{"testdata/enroll-response.xml", certprov.Response{
			DeviceID: "7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10", Entity: "alice@example.com", RequestID: "27bc7543-8c9b-54a4-9d3f-67bfe8a461ea",
			Certificate: []byte{0x30, 0x82, 0x01},
		}},
		{"testdata/enroll-error.xml", certprov.Response{
			DeviceID: "7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10", Entity: "alice@example.com",
			ErrorCode: "InvalidCSR", ErrorReason: "The certification request is malformed.",
		}},
	} {
		reference := strings.Replace(document(t, c.file), leaf, "MIIB", 1)
		got, err := certprov.ParseResponse([]byte(reference))
		if err != nil || cmp.Diff(c.want, got) != "" {
			t.Errorf("%s: %v\n%s", c.file, err, cmp.Diff(c.want, got))
		}
		text, err := c.want.Append(nil)
		if err != nil || cmp.Diff(compact(reference), string(text)) != "" {
			t.Errorf("%s: %v\n%s", c.file, err, cmp.Diff(compact(reference), string(text)))
		}
	}
	for _, bad := range []certprov.Response{{}, {Certificate: []byte{0x30}, ErrorCode: "x"}} {
		if _, err := bad.Append(nil); !errors.Is(err, certprov.ErrResponse) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestWrongResponse(t *testing.T) {
	good := strings.Replace(document(t, "testdata/enroll-response.xml"), leaf, "MIIB", 1)
	for name, c := range map[string]struct {
		from, to string
		want     error
	}{
		"no XML":                         {"<s:Envelope", "<s:", soap.ErrMalformed},
		"no envelope":                    {"s:Envelope", "s:Letter", certprov.ErrResponse},
		"another answer":                 {"GetAndPublishCertResponse", "GetCertResponse", certprov.ErrResponse},
		"certificate that is no base64":  {"MIIB", "MI!B", certprov.ErrResponse},
		"certificate that is not there":  {"MIIB", "", certprov.ErrResponse},
		"certificate of blanks":          {"MIIB", " \r\n ", certprov.ErrResponse},
		"answer in a second, other body": {"</s:Body>", "</s:Body><s:Body/>", certprov.ErrResponse},
	} {
		if _, err := certprov.ParseResponse([]byte(strings.ReplaceAll(good, c.from, c.to))); !errors.Is(err, c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// HTTP 200 without a token is a failure, however ErrorInfo looks (§4.4).
	got, err := certprov.ParseResponse([]byte(strings.ReplaceAll(good, "RequestSecurityTokenResponse", "Something")))
	if err != nil || got.ErrorCode != "unknown" || len(got.Certificate) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzEnroll: what is read as a request or an answer is written so that it is read as the same.
func FuzzEnroll(f *testing.F) {
	f.Add([]byte(strings.Replace(document(f, "../soap/testdata/enrollment.xml"), shortened, "MIIB", 1)))
	f.Add([]byte(strings.Replace(document(f, "testdata/enroll-response.xml"), leaf, "MIIB", 1)))
	f.Add([]byte(document(f, "testdata/enroll-error.xml")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if first, _, err := certprov.ParseRequest(b); err == nil {
			if text, err := first.Append(nil); err == nil && len(text) <= soap.MaxSize {
				if second, _, err := certprov.ParseRequest(text); err != nil || !cmp.Equal(first, second) {
					t.Fatalf("%q becomes %q: %v\n%s", b, text, err, cmp.Diff(first, second))
				}
			}
		}
		if first, err := certprov.ParseResponse(b); err == nil {
			text, err := first.Append(nil)
			if err != nil {
				t.Fatalf("%q was read and is not written: %v", b, err)
			}
			if len(first.Certificate) > 0 && len(text) <= soap.MaxSize {
				if second, err := certprov.ParseResponse(text); err != nil || !bytes.Equal(first.Certificate, second.Certificate) || first.Entity != second.Entity {
					t.Fatalf("%q becomes %q: %v\n%s", b, text, err, cmp.Diff(first, second))
				}
			}
		}
	})
}
