package tlsdsk_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func certificate(t *testing.T, name string, serial int64, padding int) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
	}
	if padding > 0 {
		template.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Value: make([]byte, padding)}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key().Public(), key())
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key()}
}

func configs(t *testing.T, version uint16, suites ...uint16) (client, server *tls.Config) {
	t.Helper()
	mine := certificate(t, "user1@lab.test", 2, 0)
	common := tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: suites}
	client, server = common.Clone(), common.Clone()
	client.InsecureSkipVerify = true
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &mine, nil }
	server.Certificates = []tls.Certificate{certificate(t, "fe01.lab.test", 1, 0)}
	server.ClientAuth = tls.RequireAnyClientCert
	return client, server
}

// shake runs the five flights of sip.md §1.1 and returns those of the server.
func shake(ctx context.Context, client, server *tlsdsk.Handshake) (flights [][]byte, err error) {
	var in []byte
	for round := range 2 {
		toServer, done, err := client.Next(ctx, in)
		if err != nil || done {
			return flights, fmt.Errorf("client, round %d: done %v: %w", round, done, err)
		}
		out, done, err := server.Next(ctx, toServer)
		if err != nil {
			return flights, fmt.Errorf("server, round %d: %w", round, err)
		}
		if done != (round == 1) {
			return flights, fmt.Errorf("server, round %d: done %v", round, done)
		}
		flights = append(flights, out)
		in = out
	}
	rest, done, err := client.Next(ctx, in)
	if err != nil || !done || len(rest) > 0 {
		return flights, fmt.Errorf("client's end: done %v, %d bytes left: %w", done, len(rest), err)
	}
	return flights, nil
}

func records(t *testing.T, flight []byte) (types []byte) {
	t.Helper()
	for len(flight) > 0 {
		if len(flight) < 5 || len(flight) < 5+int(flight[3])<<8+int(flight[4]) {
			t.Fatalf("flight ends inside a record: %x", flight)
		}
		types = append(types, flight[0])
		flight = flight[5+int(flight[3])<<8+int(flight[4]):]
	}
	return types
}

func TestHandshake(t *testing.T) {
	for _, c := range []struct {
		name           string
		version, suite uint16
		hash           crypto.Hash
	}{
		{"TLS 1.0 AES128-SHA", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, crypto.SHA1},
		{"TLS 1.0 3DES-SHA", tls.VersionTLS10, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, crypto.SHA1},
		{"TLS 1.0 RC4-SHA", tls.VersionTLS10, tls.TLS_RSA_WITH_RC4_128_SHA, crypto.SHA1},
		{"TLS 1.1 AES256-SHA", tls.VersionTLS11, tls.TLS_RSA_WITH_AES_256_CBC_SHA, crypto.SHA1},
		{"TLS 1.2 AES128-SHA256", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, crypto.SHA256},
		{"TLS 1.2 ECDHE AES256-SHA384", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, crypto.SHA384},
	} {
		t.Run(c.name, func(t *testing.T) {
			cc, sc := configs(t, c.version, c.suite)
			client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
			defer client.Close()
			defer server.Close()
			flights, err := shake(t.Context(), client, server)
			if err != nil {
				t.Fatal(err)
			}
			if got := records(t, flights[0]); !bytes.Equal(got, []byte{22}) {
				t.Errorf("server flight has records %d, want one of type 22", got)
			}
			if got := records(t, flights[1]); !bytes.Equal(got, []byte{20, 22}) {
				t.Errorf("server final has records %d, want ChangeCipherSpec and Finished", got)
			}
			agree(t, client, server)
			keys, err := client.Keys()
			if err != nil || keys.Hash != c.hash || client.Version() != c.version || client.CipherSuite() != c.suite {
				t.Errorf("hash %v, version %#x, suite %#x, %v", keys.Hash, client.Version(), client.CipherSuite(), err)
			}
			if got := server.PeerCertificates(); len(got) != 1 || got[0].Subject.CommonName != "user1@lab.test" {
				t.Errorf("the server saw certificates %v", got)
			}
			if got := client.PeerCertificates(); len(got) != 1 || got[0].Subject.CommonName != "fe01.lab.test" {
				t.Errorf("the client saw certificates %v", got)
			}
		})
	}
}

func agree(t *testing.T, client, server *tlsdsk.Handshake) {
	t.Helper()
	ck, err := client.Keys()
	if err != nil {
		t.Fatal(err)
	}
	sk, err := server.Keys()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ck.Client, sk.Client) || !bytes.Equal(ck.Server, sk.Server) || ck.Hash != sk.Hash {
		t.Error("the two sides have different keys")
	}
	if len(ck.Client) != 32 || len(ck.Server) != 32 || bytes.Equal(ck.Client, ck.Server) {
		t.Errorf("keys of %d and %d bytes", len(ck.Client), len(ck.Server))
	}
	if !tlsdsk.Verify(sk.Client, sk.Hash, "<a>", ck.SignClient("<a>")) || !tlsdsk.Verify(ck.Server, ck.Hash, "<b>", sk.SignServer("<b>")) {
		t.Error("a signature of the one side is refused by the other")
	}
	cr, cm, err := client.Secret()
	if err != nil {
		t.Fatal(err)
	}
	sr, sm, err := server.Secret()
	if err != nil || !bytes.Equal(cr, sr) || !bytes.Equal(cm, sm) || len(cr) != 32 || len(cm) != 48 {
		t.Errorf("key logs differ, %v", err)
	}
}

// The client can read a flight in as many records as crypto/tls writes itself, and small messages one by one.
func TestClientReadsSplitRecords(t *testing.T) {
	cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
	defer client.Close()
	defer server.Close()
	hello, _, err := client.Next(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	flight, _, err := server.Next(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}
	var split []byte
	for payload := flight[5:]; len(payload) > 0; {
		n := min(len(payload), 100)
		split = append(append(split, 22, 3, 1, 0, byte(n)), payload[:n]...)
		payload = payload[n:]
	}
	out, _, err := client.Next(t.Context(), split)
	if err != nil {
		t.Fatal(err)
	}
	final, done, err := server.Next(t.Context(), out)
	if err != nil || !done {
		t.Fatal(done, err)
	}
	if _, done, err = client.Next(t.Context(), final); err != nil || !done {
		t.Fatal(done, err)
	}
	agree(t, client, server)
}

// TLS 1.3 has no key derivation: sides that could speak it agree on 1.2.
func TestNeverTLS13(t *testing.T) {
	cc, sc := configs(t, 0)
	cc.MinVersion, cc.MaxVersion, sc.MinVersion, sc.MaxVersion = 0, 0, tls.VersionTLS10, tls.VersionTLS13
	client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
	defer client.Close()
	defer server.Close()
	if _, err := shake(t.Context(), client, server); err != nil {
		t.Fatal(err)
	}
	if client.Version() != tls.VersionTLS12 {
		t.Errorf("version %#x", client.Version())
	}
	agree(t, client, server)
}

func TestConfigIsCloned(t *testing.T) {
	cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	tlsdsk.NewClient(cc).Close()
	tlsdsk.NewServer(sc).Close()
	if cc.KeyLogWriter != nil || sc.KeyLogWriter != nil || sc.SessionTicketsDisabled {
		t.Error("the configuration that was given has changed")
	}
}

func TestHandshakeInVirtualTime(t *testing.T) {
	cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	synctest.Test(t, func(t *testing.T) {
		client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
		hello, _, err := client.Next(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Hour) // returns at once: the waiting handshake does not hold the bubble
		out, _, err := server.Next(t.Context(), hello)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, err := client.Next(t.Context(), out); done || err != nil {
			t.Fatal(done, err)
		}
		client.Close()
		server.Close()
		synctest.Wait()
	})
}

// Close ends the goroutine wherever the handshake is; goleak watches.
func TestCloseAnywhere(t *testing.T) {
	cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	for steps := range 5 {
		client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
		var flight []byte
		var err error
		for i := range steps {
			side := client
			if i%2 == 1 {
				side = server
			}
			if flight, _, err = side.Next(t.Context(), flight); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Keys(); !errors.Is(err, tlsdsk.ErrNotDone) {
			t.Errorf("keys after %d steps: %v", steps, err)
		}
		if client.Version() != 0 || client.CipherSuite() != 0 || client.PeerCertificates() != nil {
			t.Error("an unfinished handshake tells its state")
		}
		client.Close()
		client.Close()
		server.Close()
		if _, _, err := client.Next(t.Context(), nil); !errors.Is(err, tlsdsk.ErrClosed) {
			t.Errorf("Next after Close: %v", err)
		}
	}
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	sc.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		time.Sleep(time.Hour)
		return nil, nil
	}
	synctest.Test(t, func(t *testing.T) {
		client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
		defer client.Close()
		defer server.Close()
		hello, _, err := client.Next(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		if _, _, err := server.Next(ctx, hello); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}

func TestHandshakeRefuses(t *testing.T) {
	cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	other, _ := configs(t, tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	without := cc.Clone()
	without.GetClientCertificate = nil
	for _, c := range []struct {
		name   string
		client *tls.Config
	}{
		{"another version", other}, {"no client certificate", without},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, server := tlsdsk.NewClient(c.client), tlsdsk.NewServer(sc)
			defer client.Close()
			defer server.Close()
			if _, err := shake(t.Context(), client, server); err == nil {
				t.Fatal("the handshake ended well")
			}
			if _, err := server.Keys(); !errors.Is(err, tlsdsk.ErrNotDone) {
				t.Errorf("keys: %v", err)
			}
			if _, _, err := server.Next(t.Context(), nil); err == nil {
				t.Error("a failed handshake goes on")
			}
		})
	}
	for _, garbage := range []string{"garbage that is no TLS", "\x16\x03\x01\xff\xff", "\x15\x03\x01\x00\x02\x02\x28"} {
		server := tlsdsk.NewServer(sc)
		out, done, err := server.Next(t.Context(), []byte(garbage))
		if done || (err == nil && len(out) > 0) {
			t.Errorf("%q: %x %v %v", garbage, out, done, err)
		}
		server.Close()
	}
}

func TestFlightBound(t *testing.T) {
	_, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	t.Run("one byte over", func(t *testing.T) {
		server := tlsdsk.NewServer(sc)
		defer server.Close()
		if _, _, err := server.Next(t.Context(), make([]byte, tlsdsk.MaxFlight+1)); !errors.Is(err, tlsdsk.ErrFlightTooLarge) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("at the bound", func(t *testing.T) {
		server := tlsdsk.NewServer(sc)
		defer server.Close()
		flight := append([]byte{22, 3, 1, 0x3f, 0xff, 1, 0, 0x5f, 0xf7}, make([]byte, tlsdsk.MaxFlight-9)...)
		if _, _, err := server.Next(t.Context(), flight); errors.Is(err, tlsdsk.ErrFlightTooLarge) {
			t.Errorf("error %v", err)
		}
	})
	for padding, tooLarge := range map[int]bool{20 << 10: false, 25 << 10: true, 60 << 10: true} {
		t.Run(fmt.Sprintf("own flight with %d KiB of certificate", padding>>10), func(t *testing.T) {
			cc, sc := configs(t, tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
			sc.Certificates = []tls.Certificate{certificate(t, "fe01.lab.test", 3, padding)}
			client, server := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
			defer client.Close()
			defer server.Close()
			flights, err := shake(t.Context(), client, server)
			if tooLarge != errors.Is(err, tlsdsk.ErrFlightTooLarge) || (!tooLarge && err != nil) {
				t.Errorf("error %v", err)
			}
			if err == nil && !bytes.Equal(records(t, flights[0]), []byte{22, 22}) {
				t.Errorf("records %d, want two full ones", records(t, flights[0]))
			}
		})
	}
}

// Whatever a registrar is fed, it answers with whole records or an error.
func FuzzServerFlight(f *testing.F) {
	hello, err := base64.StdEncoding.DecodeString("FgMBADUBAAAxAwFrAt3g24ywIR2S9FmwOddE6ZBZf6swNl9r/H1yUuENBAAACgAEAAUALwA1AAMBAA==")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{hello, hello[:20], append(bytes.Clone(hello), 20, 3, 1, 0, 1, 1), {21, 3, 1, 0, 2, 2, 40}, {}, []byte("GET / HTTP/1.1\r\n\r\n")} {
		f.Add(seed)
	}
	sc := &tls.Config{MinVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}, ClientAuth: tls.RequireAnyClientCert}
	f.Fuzz(func(t *testing.T, flight []byte) {
		if sc.Certificates == nil {
			sc.Certificates = []tls.Certificate{certificate(t, "fe01.lab.test", 1, 0)}
		}
		server := tlsdsk.NewServer(sc)
		defer server.Close()
		out, done, err := server.Next(t.Context(), flight)
		if done || (err != nil && out != nil) {
			t.Fatalf("done %v, %d bytes, %v", done, len(out), err)
		}
		records(t, out)
	})
}
