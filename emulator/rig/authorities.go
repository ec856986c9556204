package rig

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/phone-edition/lpe/emulator/wholefile"
)

const maxAuthorities = 256 << 10

// ReadAuthorities reads the certificates of a PEM file; no file, no certificates.
func ReadAuthorities(path string) ([]*x509.Certificate, error) {
	if path == "" {
		return nil, nil
	}
	text, err := wholefile.Read(path, maxAuthorities)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, certificate)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no PEM certificate", path)
	}
	return out, nil
}
