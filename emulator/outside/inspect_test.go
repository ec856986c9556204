//go:build outside

package outside

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

const inspectedHost = "pool.example.com"

// opensslServer starts openssl s_server with a certificate of its own making, and tells its port.
func opensslServer(t *testing.T, key, digest string, args ...string) uint16 {
	t.Helper()
	openssl, dir := program(t, "openssl"), t.TempDir()
	pem := filepath.Join(dir, "server.pem")
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	request := []string{
		"req", "-x509", "-noenc", "-days", "20", digest, "-subj", "/CN=" + inspectedHost, "-addext", "subjectAltName=DNS:*.example.com",
		"-newkey", key, "-keyout", pem, "-out", pem + ".crt",
	}
	if out, err := exec.CommandContext(ctx, openssl, request...).CombinedOutput(); err != nil {
		cancel()
		t.Fatalf("openssl req: %v\n%s", err, out)
	}
	command := exec.CommandContext(ctx, openssl, append([]string{"s_server", "-accept", "127.0.0.1:0", "-key", pem, "-cert", pem + ".crt"}, args...)...)
	command.Env = append(os.Environ(), "OPENSSL_CONF="+filepath.Join(dir, "none"))
	stdin, err := command.StdinPipe() // it ends with its standard input
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ports, read := make(chan uint16, 1), make(chan struct{})
	go func() {
		defer close(read)
		told := regexp.MustCompile(`ACCEPT 127\.0\.0\.1:(\d+)`)
		var text []byte
		buffer := make([]byte, 4096)
		for found := false; ; {
			n, err := out.Read(buffer)
			text = append(text, buffer[:n]...)
			if m := told.FindSubmatch(text); m != nil && !found {
				found = true
				port, _ := strconv.ParseUint(string(m[1]), 10, 16)
				ports <- uint16(port)
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		cancel()
		<-read
		command.Wait() // killed
	})
	select {
	case port := <-ports:
		return port
	case <-read:
	case <-ctx.Done():
	}
	t.Fatal("openssl s_server tells no port")
	return 0
}

// TestInspectOpenSSL: openssl's own server is seen with the versions, suites and certificate that it was given, and is
// no pool, whether it answers with pages, echoes backwards or holds its peace.
func TestInspectOpenSSL(t *testing.T) {
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		key, digest string
		args        []string
		versions    []string
		suites      []string
		handset     bool
		certificate string // key and signature
		codes       []string
	}{
		{
			"of the age", "rsa:1024", "-sha1",
			[]string{"-tls1", "-cipher", "AES128-SHA:AES256-SHA:@SECLEVEL=0", "-rev"},
			[]string{"1.0"},
			[]string{"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"},
			true, "RSA 1024, SHA1-RSA",
			[]string{"inspect.suites", "inspect.weak-key", "inspect.expires-soon", "register.wildcard-certificate", "ticket.wildcard-certificate"},
		},
		{
			"of today", "rsa:2048", "-sha256",
			[]string{"-no_tls1", "-no_tls1_1", "-www"},
			[]string{"1.2", "1.3"},
			nil, false, "RSA 2048, SHA256-RSA",
			[]string{"register.tls-version", "ticket.tls-version", "ticket.garbage", "inspect.expires-soon"},
		},
		{
			"elliptic", "ec:" + curve(t), "-sha256",
			[]string{"-tls1_2", "-WWW"},
			[]string{"1.2"},
			nil, false, "ECDSA, ECDSA-SHA256",
			[]string{"register.tls-version", "ticket.tls-version", "register.untrusted-chain"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // they wait for what does not come
			port := opensslServer(t, test.key, test.digest, test.args...)
			o := rig.Options{Host: true, Profile: profile, Timeout: 2 * patience}
			o.Network.Hosts = netip.MustParseAddr("127.0.0.1")
			began := time.Now()
			got, err := probe.Inspect(t.Context(), o, probe.Subject{
				Registrar: inspectedHost, SIPPort: port, HTTPPort: port, URL: fmt.Sprintf("https://%s:%d/CertProv/CertProvisioningService.svc", inspectedHost, port),
			})
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := report.WriteInspection(&text, got); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 2*patience {
				t.Errorf("took %v", took)
			}
			for _, service := range []string{report.InspectedSIP, report.InspectedWeb} {
				seen := got.Port(service)
				if !slices.Equal(seen.Spoken(), test.versions) || seen.Handset.OK != test.handset || len(seen.Certificates) != 1 {
					t.Fatalf("%s: versions %v, handset %v, %d certificates\n%s", service, seen.Spoken(), seen.Handset, len(seen.Certificates), text.String())
				}
				slices.Sort(seen.Suites)
				if test.suites != nil && !slices.Equal(seen.Suites, test.suites) || len(seen.Suites) == 0 {
					t.Errorf("%s: suites %v, want %v", service, seen.Suites, test.suites)
				}
				c := seen.Certificates[0]
				if made := c.Key + ", " + c.Signature; made != test.certificate || !slices.Equal(c.Names, []string{"*.example.com"}) || c.Subject != inspectedHost {
					t.Errorf("%s: certificate %+v, want %s", service, c, test.certificate)
				}
			}
			for _, code := range test.codes {
				if !slices.ContainsFunc(got.Findings, func(f report.Finding) bool { return f.Code == code }) {
					t.Errorf("no %s in\n%s", code, text.String())
				}
			}
			if got.WouldSignIn {
				t.Error("a handset would sign in")
			}
			if saved, err := probe.Imitate(got); err != nil {
				t.Error(err)
			} else if _, err := configs.ParseLab("saved.yaml", saved); err != nil {
				t.Errorf("%v\n%s", err, saved)
			}
		})
	}
}

// curve makes a file of curve parameters.
func curve(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "curve.pem")
	if out, err := exec.CommandContext(t.Context(), program(t, "openssl"), "ecparam", "-name", "prime256v1", "-out", file).CombinedOutput(); err != nil {
		t.Fatalf("openssl ecparam: %v\n%s", err, out)
	}
	return file
}
