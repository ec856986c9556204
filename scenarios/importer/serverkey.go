package importer

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

// checkServerKey says why a file is no RSA key that can decrypt.
func checkServerKey(file []byte) error {
	block, _ := pem.Decode(file)
	if block == nil {
		return errors.New("no PEM in it")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		return err
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if _, isRSA := key.(*rsa.PrivateKey); err == nil && !isRSA {
			return errors.New("not an RSA key, and with no other can a capture be decrypted")
		}
		return err
	}
	return errors.New("it holds " + block.Type + ", an unencrypted private key expected")
}
