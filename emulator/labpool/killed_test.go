package labpool_test

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
)

// writerOf is the variable that makes this test's program write state into a directory until it is killed.
const writerOf = "LPE_TEST_STATE_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerOf); dir != "" {
		fmt.Fprintln(os.Stderr, writeState(dir, os.Stdout))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

const keptUser = "sip:kenmyer@litwareinc.com"

func openState(dir string) (*authority.Authority, *directory.Directory, error) {
	a, err := authority.New(authority.Config{
		PKI: configs.PKI{Signature: "sha256", KeyBits: 1024}, Name: "litware", State: filepath.Join(dir, "authority.json"),
	})
	if err != nil {
		return nil, nil, err
	}
	d, err := directory.New(directory.Config{
		Policy: configs.PINPolicy{MinPasswordLength: 4}, Lab: "litware", State: filepath.Join(dir, "directory.json"),
		Accounts: []directory.Account{{User: directory.User{SIPAddress: keptUser, LineURI: "tel:+12065551219", Enabled: true}, PIN: pinOf(0)}},
	})
	return a, d, err
}

// pinOf is the n-th PIN, one that the policy takes.
func pinOf(n int) string { return fmt.Sprintf("40%07d7", n) }

func deviceOf(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n%50) }

// writeState publishes a certificate and sets a PIN, again and again, and says so when each is done.
func writeState(dir string, out io.Writer) error {
	a, d, err := openState(dir)
	if err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		certificate, err := a.IssueClient(&x509.CertificateRequest{PublicKey: key.Public()}, "kenmyer@litwareinc.com", keptUser, deviceOf(n), time.Hour)
		if err != nil {
			return err
		}
		issued, err := x509.ParseCertificate(certificate)
		if err != nil {
			return err
		}
		if err := a.Publish(keptUser, deviceOf(n), certificate); err != nil {
			return err
		}
		fmt.Fprintln(out, "published", deviceOf(n), issued.SerialNumber)
		if err := d.SetPIN(keptUser, pinOf(n)); err != nil {
			return err
		}
		fmt.Fprintln(out, "set", n)
	}
}

// TestKilledWhileWriting kills a process that writes state, at any moment, and finds everything that it said it had
// written, and at most the one thing that it had not come to say yet.
func TestKilledWhileWriting(t *testing.T) {
	dir := t.TempDir()
	for range 20 {
		published, pin := killWriter(t, dir)
		a, d, err := openState(dir)
		if err != nil {
			t.Fatalf("after the kill: %v", err)
		}
		found := map[string]string{}
		for _, p := range a.List(keptUser) {
			found[p.DeviceID] = p.Certificate.SerialNumber.String()
		}
		lost := 0
		for device, serial := range published {
			if found[device] != serial {
				lost++
			}
		}
		if lost > 1 || len(found) < len(published) { // one may have been replaced without a word
			t.Errorf("%d of %d certificates are lost", lost, len(published))
		}
		_, refused := d.SignIn("12065551219", pinOf(pin), time.Now())
		if refused != nil {
			_, refused = d.SignIn("12065551219", pinOf(pin+1), time.Now())
		}
		if refused != nil {
			t.Errorf("neither PIN %d nor the next one: %v", pin, refused)
		}
	}
}

// killWriter lets a process write for a moment and returns what it said.
func killWriter(t *testing.T, dir string) (published map[string]string, pin int) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), writerOf+"="+dir)
	c.Stderr = os.Stderr
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	published = map[string]string{}
	lines := bufio.NewScanner(pipe)
	for end := (time.Time{}); lines.Scan(); {
		line := lines.Text()
		if device, serial, ok := strings.Cut(strings.TrimPrefix(line, "published "), " "); ok && strings.HasPrefix(line, "published") {
			published[device] = serial
		} else if _, err := fmt.Sscanf(line, "set %d", &pin); err != nil {
			t.Errorf("it says %q", line)
		}
		switch {
		case end.IsZero() && pin > 0: // it runs
			end = time.Now().Add(time.Duration(mathrand.Int64N(int64(30 * time.Millisecond))))
		case !end.IsZero() && time.Now().After(end):
			if err := c.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if c.Wait() == nil || pin == 0 {
		t.Fatal("the writer ended by itself")
	}
	return published, pin
}
