package importer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// block is one of pcapng.
func block(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	n := uint32(len(body) + 12)
	out := order.AppendUint32(order.AppendUint32(nil, kind), n)
	return order.AppendUint32(append(out, body...), n)
}

func section(order binary.AppendByteOrder) []byte {
	body := order.AppendUint16(order.AppendUint16(order.AppendUint32(nil, magicSame), 1), 0)
	return block(order, blockSection, order.AppendUint64(body, 1<<64-1))
}

func secretsOf(order binary.AppendByteOrder, kind uint32, text string) []byte {
	body := order.AppendUint32(order.AppendUint32(nil, kind), uint32(len(text)))
	return block(order, blockSecrets, append(body, text...))
}

func written(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Secrets are found wherever they stand, in either byte order; those of other kinds are none.
func TestEmbeddedSecrets(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		file := section(order)
		file = append(file, secretsOf(order, secretsTLS, "CLIENT_RANDOM 00 01\n")...)
		file = append(file, block(order, 6, make([]byte, 33))...)
		file = append(file, secretsOf(order, 0x57474b4c, "WireGuard")...)
		file = append(file, secretsOf(order, secretsTLS, "CLIENT_RANDOM 02 03")...)
		whole, err := embeddedSecrets(written(t, file))
		if want := "CLIENT_RANDOM 00 01\n\nCLIENT_RANDOM 02 03\n"; err != nil || string(whole) != want {
			t.Errorf("%v: %q, %v", order, whole, err)
		}
		for n := range file { // cut short: a part, and no panic
			part, err := embeddedSecrets(written(t, file[:n]))
			if err != nil || !strings.HasPrefix(string(whole), string(part)) {
				t.Fatalf("%v: cut at %d: %q, %v", order, n, part, err)
			}
		}
	}
	huge := secretsOf(binary.LittleEndian, secretsTLS, "x")
	binary.LittleEndian.PutUint32(huge[12:], 1<<30)
	if _, err := embeddedSecrets(written(t, append(section(binary.LittleEndian), huge...))); !errors.Is(err, ErrNoCapture) {
		t.Errorf("secrets longer than their block: %v", err)
	}
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
