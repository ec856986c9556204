package exchange_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/emulator/exchange"
)

// copying keeps what is written.
type copying struct {
	net.Conn
	written bytes.Buffer
}

func (c *copying) Write(b []byte) (int, error) {
	c.written.Write(b)
	return c.Conn.Write(b)
}

func value(c exchange.Content, name string) string {
	i := slices.IndexFunc(c.Fields, func(f exchange.Field) bool { return f.Name == name })
	if i < 0 {
		return "none"
	}
	return c.Fields[i].Value
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pool.test"}, DNSNames: []string{"pool.test", "web.test"},
		NotBefore: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 3, 4, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// What is told of the hellos is what the other side's crypto/tls reads in them.
func TestHellos(t *testing.T) {
	for name, config := range map[string]*tls.Config{
		"TLS 1.2": {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, ServerName: "pool.test", CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
		}, CurvePreferences: []tls.CurveID{tls.CurveP384, tls.CurveP256}},
		"TLS 1.3":        {MinVersion: tls.VersionTLS13, ServerName: "web.test"},
		"without a name": {MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			defer far.Close()
			config.InsecureSkipVerify = true
			var heard *tls.ClientHelloInfo
			client, server := &copying{Conn: near}, &copying{Conn: far}
			done := make(chan error, 1)
			go func() {
				done <- tls.Server(server, &tls.Config{
					MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{certificate(t)},
					GetConfigForClient:     func(hello *tls.ClientHelloInfo) (*tls.Config, error) { heard = hello; return nil, nil },
					SessionTicketsDisabled: true,
				}).Handshake()
			}()
			conn := tls.Client(client, config)
			if err := conn.Handshake(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			names := func(ids []uint16, name func(uint16) string) string {
				var out []string
				for _, id := range ids {
					out = append(out, name(id))
				}
				return strings.Join(out, ", ")
			}
			var curves []string
			for _, id := range heard.SupportedCurves {
				curves = append(curves, id.String())
			}
			hello := client.written.Bytes()
			hello = hello[:5+int(hello[3])<<8+int(hello[4])]
			got := exchange.ClientHello(hello)
			for field, want := range map[string]string{
				"suites": names(heard.CipherSuites, tls.CipherSuiteName), "supported_versions": names(heard.SupportedVersions, tls.VersionName),
				"supported_groups": strings.Join(curves, ", "), "flight": "ClientHello", "broken": "none",
			} {
				if value(got, field) != want {
					t.Errorf("%s: %s, want %s", field, value(got, field), want)
				}
			}
			if n := len(strings.Split(value(got, "extensions"), ", ")); n != len(heard.Extensions) {
				t.Errorf("%d extensions in %s, want %d", n, value(got, "extensions"), len(heard.Extensions))
			}
			if have := value(got, "server_name"); have != heard.ServerName && (have != "none" || heard.ServerName != "") {
				t.Errorf("server name %s, want %s", have, heard.ServerName)
			}
			state := conn.ConnectionState()
			answer := exchange.ServerHello(server.written.Bytes(), state.PeerCertificates)
			if told := exchange.ServerHello(server.written.Bytes(), nil); state.Version == tls.VersionTLS12 {
				if diff := cmp.Diff(answer, told); diff != "" {
					t.Errorf("with the certificates in the flight: %s", diff)
				}
			}
			version := value(answer, "supported_versions")
			if version == "none" {
				version = value(answer, "version")
			}
			if version != tls.VersionName(state.Version) || value(answer, "suite") != tls.CipherSuiteName(state.CipherSuite) {
				t.Errorf("%s, %s, want %s, %s", version, value(answer, "suite"), tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
			}
			if want := "2026-01-02 to 2027-03-04"; value(answer, "certificate validity") != want || value(answer, "certificate names") != "pool.test web.test" {
				t.Errorf("certificate told as %v", answer.Fields)
			}
			if want := "ServerHello, Certificate, ServerKeyExchange, ServerHelloDone, ChangeCipherSpec, encrypted message"; state.Version == tls.VersionTLS12 && value(answer, "flight") != want {
				t.Errorf("flight %s, want %s", value(answer, "flight"), want)
			}
		})
	}
}

// TestBrokenFlights: what is wrong with a flight is told.
func TestBrokenFlights(t *testing.T) {
	for flight, want := range map[string]string{
		"\x16\x03\x01\x00\x05\x01\x00\x00":                             "the last record is cut off",
		"\x16\x03\x01\x00\x05\x01\x00\x00\x02\x03":                     "the last handshake message is cut off",
		"\x0e\x10\x01\x00\x02\x03\xff\x16\x00\x04\x00\x00":             "an empty handshake record",
		"\x16\x03\x01\x00\x04\x0e\x00\x00\x00\x14\x03\x01\x00\x01\x01": "none",
	} {
		if got := value(exchange.ClientHello([]byte(flight)), "broken"); got != want {
			t.Errorf("%x: %s, want %s", flight, got, want)
		}
	}
}

// A flight that is cut off anywhere is told as far as it goes.
func FuzzHello(f *testing.F) {
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0}, 3)
	f.Add([]byte{22, 3, 1, 0, 44, 1, 0, 0, 40, 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 2, 0, 47, 1}, 9)
	f.Add([]byte("\x0e\x10\x01\x00\x02\x03\xff\x16\x00\x04\x00\x00"), 7)
	f.Fuzz(func(t *testing.T, flight []byte, end int) {
		whole := exchange.ClientHello(flight)
		if end < 0 || end >= len(flight) {
			return
		}
		part := exchange.ClientHello(flight[:end])
		if end > 0 && value(part, "broken") == "none" && value(part, "flight") == value(whole, "flight") && value(whole, "broken") == "none" {
			t.Errorf("%x without its last %d bytes is told as whole", flight, len(flight)-end)
		}
		if diff := cmp.Diff(whole, exchange.ClientHello(flight)); diff != "" {
			t.Error(diff)
		}
	})
}
