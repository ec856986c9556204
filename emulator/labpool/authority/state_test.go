package authority_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
)

const (
	user   = "sip:kenmyer@litwareinc.com"
	device = "0b0e0a9e-6cb0-594f-a8b3-4b55f358cbc1"
)

func open(t *testing.T, path string, pki configs.PKI) *authority.Authority {
	t.Helper()
	a, err := authority.New(authority.Config{PKI: pki, Name: "litware", State: path})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// enrol publishes a certificate for the device of user.
func enrol(t *testing.T, a *authority.Authority) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := a.IssueClient(csr, "kenmyer@litwareinc.com", user, device, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Publish(user, device, certificate); err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestStateSurvivesARestart(t *testing.T) {
	for name, pki := range map[string]configs.PKI{
		"root alone":   {Signature: "sha256", KeyBits: 2048},
		"intermediate": {Signature: "sha1", KeyBits: 2048, Intermediate: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lab.json")
			first := open(t, path, pki)
			certificate := enrol(t, first)

			second := open(t, path, pki)
			got, ok := second.Published(user, strings.ToUpper(device))
			if !ok || string(got.Raw) != string(certificate) {
				t.Error("the published certificate is another one after a restart")
			}
			if !second.ClientRoot().Equal(first.ClientRoot()) {
				t.Error("another client authority after a restart")
			}
			if !bytes.Equal(second.TicketKey(), first.TicketKey()) || len(first.TicketKey()) != 32 {
				t.Error("another ticket key after a restart")
			}
			server, err := second.Server([]string{"fe.litwareinc.com"}, authority.ServerOptions{})
			if err != nil {
				t.Fatal(err)
			}
			roots, between := x509.NewCertPool(), x509.NewCertPool()
			chain := first.Chains()[0]
			roots.AddCert(chain[len(chain)-1])
			for _, c := range chain[:len(chain)-1] {
				between.AddCert(c)
			}
			if pki.Signature == "sha256" { // crypto/x509 takes no other chain
				if _, err := server.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
					t.Errorf("a new server certificate, with the chain of before: %v", err)
				}
			} else if !bytes.Equal(server.Certificate[1], chain[0].Raw) {
				t.Error("a new server certificate comes with another intermediate than before")
			}

			kept, err := open(t, path, pki).Server([]string{"fe.litwareinc.com", "FE.litwareinc.com"}, authority.ServerOptions{})
			if err != nil || !bytes.Equal(kept.Certificate[0], server.Certificate[0]) || len(kept.Certificate) != len(server.Certificate) || kept.PrivateKey == nil {
				t.Errorf("another server certificate after a restart: %v", err)
			}
			if other, err := second.Server([]string{"fe.litwareinc.com"}, authority.ServerOptions{Expired: true}); err != nil || bytes.Equal(other.Certificate[0], server.Certificate[0]) {
				t.Errorf("a spoilt certificate is the kept one: %v", err)
			}

			if n, err := second.Revoke(user, device); n != 1 || err != nil {
				t.Errorf("revoked %d, %v", n, err)
			}
			if _, ok := open(t, path, pki).Published(user, device); ok {
				t.Error("a revoked certificate is published again after a restart")
			}
		})
	}
}

func TestBadState(t *testing.T) {
	pki := configs.PKI{Signature: "sha256", KeyBits: 2048}
	path := filepath.Join(t.TempDir(), "lab.json")
	open(t, path, pki)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text, want string
		pki              configs.PKI
	}{
		{"cut short", string(good[:len(good)/2]), "damaged", pki},
		{"another version", strings.Replace(string(good), `"version":2`, `"version":3`, 1), "version 3", pki},
		{"another lab", string(good), "of another lab than contoso", pki},
		{"no ticket key", regexp.MustCompile(`"ticket_key":"[^"]*"`).ReplaceAllString(string(good), `"ticket_key":""`), "ticket key of 0 bytes", pki},
		{"a server without a chain", strings.Replace(string(good), `"servers":null`, `"servers":[{}]`, 1), "without a chain", pki},
		{"another PKI", string(good), "remove the file", configs.PKI{Signature: "sha1", KeyBits: 2048}},
		{"no keys", `{"version":1,"pki":{"signature":"sha256","intermediate":false,"key_bits":2048}}`, "damaged", pki},
		{"too large", strings.Repeat(" ", 4<<20+1), "at most", pki},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		name := "litware"
		if c.name == "another lab" {
			name = "contoso"
		}
		_, err := authority.New(authority.Config{PKI: c.pki, Name: name, State: path})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "lab.json") {
			t.Errorf("%s: %v", c.name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

// TestUnsaved: what the state file does not hold is told, until it does.
func TestUnsaved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	a := open(t, filepath.Join(dir, "lab.json"), configs.PKI{Signature: "sha256", KeyBits: 2048})
	if err := a.Unsaved(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Server([]string{"pool.litwareinc.com"}, authority.ServerOptions{}); err == nil || a.Unsaved() == nil {
		t.Errorf("a file in place of the directory: %v, unsaved %v", err, a.Unsaved())
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	enrol(t, a)
	if err := a.Unsaved(); err != nil {
		t.Errorf("saved again: %v", err)
	}
}

// TestStateOfVersion1 had no ticket key; it gets one that stays.
func TestStateOfVersion1(t *testing.T) {
	pki := configs.PKI{Signature: "sha256", KeyBits: 2048}
	path := filepath.Join(t.TempDir(), "lab.json")
	enrol(t, open(t, path, pki))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := regexp.MustCompile(`"ticket_key":"[^"]*","servers":null,`).ReplaceAllString(strings.Replace(string(text), `"version":2`, `"version":1`, 1), "")
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	first := open(t, path, pki)
	if _, ok := first.Published(user, device); !ok || len(first.TicketKey()) != 32 {
		t.Errorf("published %v, ticket key of %d bytes", ok, len(first.TicketKey()))
	}
	if !bytes.Equal(open(t, path, pki).TicketKey(), first.TicketKey()) {
		t.Error("another ticket key the next time")
	}
}
