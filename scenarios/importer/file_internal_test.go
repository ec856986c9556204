package importer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func written(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckFile(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "text": "hello", "one byte": "\x0a"} {
		if err := checkFile(written(t, []byte(content))); !errors.Is(err, ErrNoCapture) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := checkFile(t.TempDir()); err == nil {
		t.Error("a directory was taken")
	}
	if err := checkFile(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for magic := range magics {
		if err := checkFile(written(t, []byte(magic+"rest"))); err != nil {
			t.Errorf("%x: %v", magic, err)
		}
	}
}

// A key log without a secret in it is none.
func TestSecretLine(t *testing.T) {
	random, master := strings.Repeat("0a", 32), strings.Repeat("0B", 48)
	for text, ok := range map[string]bool{
		"CLIENT_RANDOM " + random + " " + master + "\n":                            true,
		"# a comment\r\nCLIENT_TRAFFIC_SECRET_0 " + random + " " + master + "\r\n": true,
		"RSA 0011223344556677 " + master:                                           true,
		"hello\n":                                                                  false,
		"":                                                                         false,
		"CLIENT_RANDOM " + random[:10] + " " + master:                              false,
	} {
		if got := secretLine.MatchString(text); got != ok {
			t.Errorf("%.40q: %v", text, got)
		}
	}
}

func TestServerKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, one := range []struct {
		kind string
		der  []byte
		ok   bool
	}{
		{"RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), true},
		{"PRIVATE KEY", pkcs8(key), true},
		{"PRIVATE KEY", pkcs8(curve), false},
		{"PRIVATE KEY", []byte("garbage"), false},
		{"RSA PRIVATE KEY", []byte("garbage"), false},
		{"CERTIFICATE", pkcs8(key), false},
		{"ENCRYPTED PRIVATE KEY", pkcs8(key), false},
	} {
		if err := checkServerKey(pem.EncodeToMemory(&pem.Block{Type: one.kind, Bytes: one.der})); (err == nil) != one.ok {
			t.Errorf("%s: %v", one.kind, err)
		}
	}
	if checkServerKey([]byte("no PEM")) == nil {
		t.Error("a text was taken for a key")
	}
}
