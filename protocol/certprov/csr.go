package certprov

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
)

// NewCSR makes a PKCS #10 request with CN=subject, signed with SHA-1 or SHA-256.
func NewCSR(key *rsa.PrivateKey, subject string, sha1 bool) ([]byte, error) {
	algorithm := x509.SHA256WithRSA
	if sha1 {
		algorithm = x509.SHA1WithRSA
	}
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: subject}, SignatureAlgorithm: algorithm,
	}, key)
}

// CheckCSR verifies a request: its signature, and an RSA key of minBits to maxBits. Subject and version do not matter:
// Microsoft's own client puts binary data there, pidgin-sipe version 2 (web-services.md §4.1).
func CheckCSR(der []byte, minBits, maxBits int) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	key, ok := csr.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("certificate request: the key is no RSA key")
	}
	if bits := key.N.BitLen(); bits < minBits || bits > maxBits {
		return nil, fmt.Errorf("certificate request: an RSA key of %d bits, %d to %d are allowed", bits, minBits, maxBits)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	return csr, nil
}
