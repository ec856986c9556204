package certprov_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/protocol/certprov"
)

// web-services.md §4.1: CN=user@domain, RSA, SHA-1 self-signature, no attributes, no extensions.
func TestCSR(t *testing.T) {
	for sha1, want := range map[bool]x509.SignatureAlgorithm{true: x509.SHA1WithRSA, false: x509.SHA256WithRSA} {
		der, err := certprov.NewCSR(testKey(), "alice@example.com", sha1)
		if err != nil {
			t.Fatal(err)
		}
		csr, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		if csr.Subject.String() != "CN=alice@example.com" || csr.SignatureAlgorithm != want || len(csr.Extensions) != 0 || !testKey().PublicKey.Equal(csr.PublicKey) {
			t.Errorf("%s %v %d extensions", csr.Subject, csr.SignatureAlgorithm, len(csr.Extensions))
		}
		if _, err := certprov.CheckCSR(der, 1024, 16384); err != nil {
			t.Errorf("SHA-1 %v: %v", sha1, err)
		}
	}
}

func TestWrongCSR(t *testing.T) {
	good, err := certprov.NewCSR(testKey(), "alice@example.com", true)
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte(nil), good...)
	changed[len(changed)-1] ^= 1
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, curve)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		der      []byte
		min, max int
		want     string
	}{
		"nothing":                 {nil, 1024, 16384, "certificate request"},
		"cut short":               {good[:50], 1024, 16384, "certificate request"},
		"more behind it":          {append(good[:len(good):len(good)], 0), 1024, 16384, "certificate request"},
		"changed":                 {changed, 1024, 16384, "certificate request"},
		"elliptic":                {elliptical, 1024, 16384, "no RSA key"},
		"a bit too short":         {good, 1025, 16384, "1024 bits, 1025 to 16384"},
		"a bit too long":          {good, 512, 1023, "1024 bits, 512 to 1023"},
		"both bounds are allowed": {good, 1024, 1024, ""},
	} {
		_, err := certprov.CheckCSR(c.der, c.min, c.max)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
