package probe_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/emulator/probe"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
)

// stranger is a server that is no pool.
type stranger struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu    sync.Mutex
	ended bool
	open  map[net.Conn]bool
}

// startStranger serves each connection to its port of the computer with talk.
func startStranger(t *testing.T, talk func(net.Conn)) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stranger{listener: listener, open: map[net.Conn]bool{}}
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serving.Go(func() {
				defer conn.Close()
				if s.keep(conn) {
					talk(conn)
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.mu.Lock()
		s.ended = true
		for conn := range s.open {
			conn.Close()
		}
		s.mu.Unlock()
		s.serving.Wait()
	})
	return listener.Addr().(*net.TCPAddr).AddrPort().Port()
}

func (s *stranger) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = true
	return !s.ended
}

const strangeHost = "pool.example.com"

// strangeCertificate has an elliptic key, which no handset of the age takes, and a chain of many.
func strangeCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "evil\x1b[31m\nname"}, DNSNames: []string{strangeHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Certificate{PrivateKey: key}
	for range 30 {
		c.Certificate = append(c.Certificate, der)
	}
	return c
}

func overTLS(t *testing.T, talk func(net.Conn)) func(net.Conn) {
	config := &tls.Config{Certificates: []tls.Certificate{strangeCertificate(t)}, MinVersion: tls.VersionTLS10}
	return func(conn net.Conn) {
		secured := tls.Server(conn, config)
		if secured.Handshake() == nil {
			talk(secured)
		}
	}
}

// says answers the first line with text, n times, and hangs up.
func says(text string, n int) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			return
		}
		for range n {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

// webSite answers by path.
func webSite(pages map[string]string) func(net.Conn) {
	return func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for {
			request, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			io.Copy(io.Discard, request.Body)
			page, status := pages[request.URL.Path], "200 OK"
			if page == "" {
				status = "404 Not Found"
			}
			if request.Method == http.MethodPost && page != "" {
				page = string(soap.WrapMetadata([]byte(page)))
			}
			if _, err := fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(page), page); err != nil {
				return
			}
		}
	}
}

// TestInspectStrangers: servers that are no pool are told as what they are, soon, whatever they say.
func TestInspectStrangers(t *testing.T) {
	silent := func(conn net.Conn) { io.Copy(io.Discard, conn) }
	hangUp := func(net.Conn) {}
	endless := says(strings.Repeat("x", 1<<16), 1<<20)
	for _, test := range []struct {
		name          string
		sip, web, www func(net.Conn)
		timeout       time.Duration
		want          []string // codes
	}{
		{"hang up", hangUp, hangUp, hangUp, 30 * time.Second, []string{"!chain.reset", "!register.reset", "!ticket.reset"}},
		{"text", says("220 mail.example.com ESMTP\r\n", 1), says("SSH-2.0-x\r\n", 1), says("220 ftp\r\n", 1), 30 * time.Second, []string{"!chain.garbage", "!register.garbage", "!ticket.garbage"}},
		{"endless without TLS", endless, endless, endless, 30 * time.Second, []string{"!chain.garbage", "!register.garbage", "!ticket.garbage"}},
		{"silent", silent, silent, silent, 2 * time.Second, []string{"!inspect.partial"}},
		{
			"endless with TLS", overTLS(t, endless), overTLS(t, endless), endless, 30 * time.Second,
			[]string{"!register.garbage", "!chain.garbage", "!ticket.garbage", "inspect.metadata-form", "!register.tls-failed", "!register.untrusted-chain", "inspect.unknown-ca", "!ticket.tls-failed", "!ticket.untrusted-chain", "inspect.unknown-ca"},
		},
		{
			"other services with TLS", overTLS(t, says("HTTP/1.1 400 Bad Request\r\n\r\n", 1)), overTLS(t, says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1)), webSite(nil), 30 * time.Second,
			[]string{"!register.garbage", "!chain.http-404", "!ticket.garbage", "inspect.metadata-form", "!register.tls-failed", "!register.untrusted-chain", "inspect.unknown-ca", "!ticket.tls-failed", "!ticket.untrusted-chain", "inspect.unknown-ca"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			got := strangers(t, test.sip, test.web, test.www, test.timeout)
			if took := time.Since(began); took > test.timeout+5*time.Second {
				t.Errorf("took %v", took)
			}
			var codes []string
			for _, text := range told(got) {
				code, _, _ := strings.Cut(text, " ")
				codes = append(codes, code)
			}
			if diff := cmp.Diff(test.want, codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s%s", diff, inspectionText(t, got))
			}
			if text := inspectionText(t, got); strings.ContainsAny(text, "\x1b\r\x00") || len(text) > 64<<10 {
				t.Errorf("%d bytes: %.2000q", len(text), text)
			}
			if got.WouldSignIn {
				t.Error("would sign in")
			}
			if _, err := probe.Imitate(got); err != nil && len(got.Port(report.InspectedSIP).Certificates) > 0 {
				t.Error(err)
			}
		})
	}
}

func strangers(t *testing.T, sip, web, www func(net.Conn), timeout time.Duration) report.Inspection {
	t.Helper()
	o := rig.Options{Host: true, Profile: defaultProfile(t), Timeout: timeout}
	o.Network.Hosts = netip.MustParseAddr("127.0.0.1")
	return inspected(t, o, probe.Subject{
		Registrar: strangeHost, SIPPort: startStranger(t, sip), HTTPPort: startStranger(t, www),
		URL: fmt.Sprintf("https://%s:%d/CertProv/CertProvisioningService.svc", strangeHost, startStranger(t, web)),
	})
}

// TestInspectServerName: a server that takes only who names the host is none for a handset that does not.
func TestInspectServerName(t *testing.T) {
	certificate := strangeCertificate(t)
	config := &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName != strangeHost {
			return nil, errors.New("unrecognised name")
		}
		return &certificate, nil
	}}
	site := webSite(nil)
	server := func(conn net.Conn) {
		if secured := tls.Server(conn, config); secured.Handshake() == nil {
			site(secured)
		}
	}
	got := strangers(t, server, server, site, 30*time.Second)
	text := inspectionText(t, got)
	for _, want := range []string{"obstacle       ticket.tls-failed", "names the host in the hello (SNI), which this handset does not", "TLS          1.2, 1.3", "HTTP 404 Not Found while reading the metadata"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestInspectClearText: metadata that lead a handset to http are warned of.
func TestInspectClearText(t *testing.T) {
	site := webSite(map[string]string{
		"/CertProv/CertProvisioningService.svc/mex": string(certprov.WSDL("http://"+strangeHost+"/CertProv", "https://"+strangeHost+"/WebTicket", "")),
	})
	text := inspectionText(t, strangers(t, overTLS(t, says("x\r\n", 1)), overTLS(t, site), site, 30*time.Second))
	for _, want := range []string{report.FindingClearText, "certificates are asked for at http://" + strangeHost + "/CertProv/WebTicket_Proof_SHA1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
