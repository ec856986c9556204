//go:build outside

package outside

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is for one step of a peer.
const patience = 20 * time.Second

// plainMasterSecret is an OpenSSL configuration without RFC 7627, as in the software of the time.
const plainMasterSecret = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = every\n[every]\nOptions = -ExtendedMasterSecret\n"

// openSSL is an openssl s_server or s_client of TLS 1.0 with AES128-SHA and nothing else.
type openSSL struct {
	command *exec.Cmd
	stdin   io.Closer // s_server and s_client end when it does
	keyLog  string
	ended   chan error

	mu   sync.Mutex
	text bytes.Buffer
}

// startOpenSSL starts it with the extended master secret, "yes", or without.
func startOpenSSL(t *testing.T, ems string, args ...string) *openSSL {
	t.Helper()
	dir, config := t.TempDir(), ""
	if ems != "yes" {
		config = plainMasterSecret
	}
	configFile := filepath.Join(dir, "openssl.cnf")
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &openSSL{keyLog: filepath.Join(dir, "keys.log"), ended: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	args = append(
		args, "-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0", "-keylogfile", s.keyLog,
		"-keymatexport", exporterLabel, "-keymatexportlen", "128",
	)
	s.command = exec.CommandContext(ctx, program(t, "openssl"), args...)
	s.command.Env = append(os.Environ(), "OPENSSL_CONF="+configFile)
	s.command.Stdout, s.command.Stderr = s, s
	var err error
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.command.Wait(); close(s.ended) }()
	t.Cleanup(func() {
		cancel()
		<-s.ended
	})
	return s
}

func (s *openSSL) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *openSSL) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until openssl has printed a line with the text, and returns it.
func (s *openSSL) await(t *testing.T, text string) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		_, after, found := strings.Cut(s.output(), text)
		if line, _, whole := strings.Cut(after, "\n"); found && whole {
			return line
		}
		select {
		case err := <-s.ended:
			t.Fatalf("openssl ended: %v\n%s", err, s.output())
		default:
		}
	}
	t.Fatalf("openssl does not print %q:\n%s", text, s.output())
	return ""
}

// address is where s_server listens.
func (s *openSSL) address(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(s.await(t, "ACCEPT "))
}

// end waits for openssl, whose peer has gone, and returns all that it printed.
func (s *openSSL) end(t *testing.T) string {
	t.Helper()
	s.stdin.Close()
	select {
	case <-s.ended: // not with 0: the peer closes without close_notify, as no application data was exchanged
	case <-time.After(patience):
		t.Fatalf("openssl does not end:\n%s", s.output())
	}
	return s.output()
}

func (s *openSSL) secrets(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(s.keyLog)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pair has certificates of both sides by one root, as values and as PEM files with their keys.
type pair struct {
	server, client                   tls.Certificate
	serverFile, clientFile, rootFile string
}

func newPair(t *testing.T) pair {
	t.Helper()
	dir := t.TempDir()
	root := issue(t, dir, "root", nil)
	server, client := issue(t, dir, "atl-cs-001.litwareinc.com", root), issue(t, dir, "handset@litwareinc.com", root)
	return pair{server.Certificate, client.Certificate, server.file, client.file, root.file}
}

type issued struct {
	tls.Certificate
	file string
}

// issue makes an RSA key and a certificate for it by the issuer, or by itself.
func issue(t *testing.T, dir, name string, by *issued) *issued {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: by == nil,
	}
	parent, signer := template, any(key)
	if by != nil {
		if parent, err = x509.ParseCertificate(by.Certificate.Certificate[0]); err != nil {
			t.Fatal(err)
		}
		signer = by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name+".pem")
	text := append(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})...,
	)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return &issued{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file}
}
