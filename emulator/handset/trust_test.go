package handset

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"
)

var testKeys = sync.OnceValue(func() map[int]*rsa.PrivateKey {
	keys := map[int]*rsa.PrivateKey{}
	for _, bits := range []int{1024, 2048} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			panic(err)
		}
		keys[bits] = key
	}
	return keys
})

var testNow = time.Date(2013, 5, 1, 12, 0, 0, 0, time.UTC)

// certSpec describes a certificate to make.
type certSpec struct {
	name      string
	sans      []string
	ca        bool
	bits      int
	algorithm x509.SignatureAlgorithm
	from, to  time.Time
}

func (s certSpec) make(t *testing.T, parent *x509.Certificate) *x509.Certificate {
	t.Helper()
	if s.bits == 0 {
		s.bits = 2048
	}
	if s.from.IsZero() {
		s.from, s.to = testNow.AddDate(-1, 0, 0), testNow.AddDate(1, 0, 0)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: s.name}, DNSNames: s.sans,
		NotBefore: s.from, NotAfter: s.to, IsCA: s.ca, BasicConstraintsValid: s.ca, SignatureAlgorithm: s.algorithm,
	}
	signer := testKeys()[2048]
	if parent == nil {
		parent, signer = template, testKeys()[s.bits]
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &testKeys()[s.bits].PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestTrust(t *testing.T) {
	const host = "atl-cs-001.litwareinc.com"
	root := certSpec{name: "Root", ca: true}.make(t, nil)
	sha1Root := certSpec{name: "SHA-1 root", ca: true, algorithm: x509.SHA1WithRSA}.make(t, nil)
	middle := certSpec{name: "Issuing", ca: true, algorithm: x509.SHA1WithRSA}.make(t, sha1Root)
	noAuthority := certSpec{name: "Server", sans: []string{"x"}}.make(t, root)
	stranger := certSpec{name: "Stranger", ca: true}.make(t, nil)
	leaf := func(s certSpec, parent *x509.Certificate) *x509.Certificate {
		if s.sans == nil {
			s.sans = []string{host}
		}
		s.name = "leaf"
		return s.make(t, parent)
	}
	day := 24 * time.Hour
	for _, test := range []struct {
		name    string
		anchors []*x509.Certificate
		chain   []*x509.Certificate
		edit    func(*trust)
		kind    string
	}{
		{name: "root in flash", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{}, root)}},
		{name: "name in another case", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{sans: []string{"ATL-CS-001.LitwareInc.com"}}, root)}},
		{name: "SHA-1 chain, intermediate sent", anchors: []*x509.Certificate{sha1Root}, chain: []*x509.Certificate{leaf(certSpec{algorithm: x509.SHA1WithRSA}, middle), middle}},
		{name: "SHA-1 chain, intermediate in flash", anchors: []*x509.Certificate{middle, sha1Root}, chain: []*x509.Certificate{leaf(certSpec{algorithm: x509.SHA1WithRSA}, middle)}},
		{name: "RSA-1024 leaf", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{bits: 1024}, root)}},
		{name: "wildcard where it may be", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{sans: []string{"*.litwareinc.com"}}, root)}},
		{
			name: "wildcard where it may not be", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{sans: []string{"*.litwareinc.com"}}, root)},
			edit: func(t *trust) { t.refuseWildcard = true }, kind: "wildcard-certificate",
		},
		{
			name: "wildcard and the name itself", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{sans: []string{"*.litwareinc.com", host}}, root)},
			edit: func(t *trust) { t.refuseWildcard = true },
		},
		{name: "wildcard of two labels", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{sans: []string{"*.com"}}, root)}, kind: "certificate-wrong-name"},
		{name: "another name", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{sans: []string{"other.litwareinc.com"}}, root)}, kind: "certificate-wrong-name"},
		{name: "expired", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{from: testNow.Add(-9 * day), to: testNow.Add(-day)}, root)}, kind: "certificate-expired"},
		{name: "not yet valid", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{from: testNow.Add(day), to: testNow.Add(9 * day)}, root)}, kind: "certificate-not-yet-valid"},
		{
			name: "not yet valid by a cold clock", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{}, root)},
			edit: func(t *trust) { t.now, t.clockSynced = time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC), false }, kind: "clock-not-set",
		},
		{name: "unknown root", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{}, stranger), stranger}, kind: "untrusted-chain"},
		{name: "no roots", chain: []*x509.Certificate{leaf(certSpec{}, root), root}, kind: "untrusted-chain"},
		{name: "intermediate missing", anchors: []*x509.Certificate{sha1Root}, chain: []*x509.Certificate{leaf(certSpec{}, middle)}, kind: "untrusted-chain"},
		{name: "intermediate alone is no root", anchors: []*x509.Certificate{middle}, chain: []*x509.Certificate{leaf(certSpec{}, middle)}, kind: "untrusted-chain"},
		{name: "issued by no authority", anchors: []*x509.Certificate{root}, chain: []*x509.Certificate{leaf(certSpec{}, noAuthority), noAuthority}, kind: "untrusted-chain"},
		{name: "no certificate", anchors: []*x509.Certificate{root}, kind: "tls-failed"},
		{name: "one certificate too many", anchors: []*x509.Certificate{root}, chain: append([]*x509.Certificate{leaf(certSpec{}, root)}, make([]*x509.Certificate, 10)...), kind: "untrusted-chain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := trust{anchors: test.anchors, now: testNow, clockSynced: true}
			if test.edit != nil {
				test.edit(&check)
			}
			err := check.verify(host, test.chain)
			var refused *CertificateError
			switch {
			case test.kind == "" && err != nil:
				t.Fatal(err)
			case test.kind != "" && !errors.As(err, &refused):
				t.Fatalf("accepted, want %s", test.kind)
			case test.kind != "" && refused.Kind != test.kind:
				t.Fatalf("%s: %v, want %s", refused.Kind, err, test.kind)
			}
		})
	}
}
