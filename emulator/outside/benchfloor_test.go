//go:build bench && unix

package outside

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// operations are the cryptographic operations of one boot, both sides.
type operations struct {
	outerTLS int // handshakes, one of them with the client certificate
	sip      int // signed messages, each signed by one side and verified by the other
}

const floorRounds = 20

// bare does them without anything else and returns the processor time of one boot.
func (o operations) bare(t *testing.T, keys []*rsa.PrivateKey, keygen bool) time.Duration {
	t.Helper()
	root := selfSign(t, keys[0], "root")
	server := sign(t, root, keys[0], keys[1], "atl-cs-001.litwareinc.com")
	client := sign(t, root, keys[0], keys[2], "kenmyer@litwareinc.com")
	signing := tlsdsk.Keys{Client: make([]byte, 32), Server: make([]byte, 32), Hash: crypto.SHA1}
	input := string(make([]byte, 250))
	took, _ := spent(floorRounds, func() {
		for range floorRounds {
			key := keys[2]
			if keygen {
				var err error
				if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
					t.Fatal(err)
				}
			}
			for i := range o.outerTLS {
				handshake(t, server, client, i == 0)
				verify(t, root, server)
			}
			handshake(t, server, client, true) // TLS-DSK
			csr, err := certprov.NewCSR(key, "kenmyer@litwareinc.com", true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := certprov.CheckCSR(csr, 1024, 16384); err != nil {
				t.Fatal(err)
			}
			sign(t, root, keys[0], key, "kenmyer@litwareinc.com")
			for range o.sip {
				tlsdsk.Verify(signing.Client, signing.Hash, input, signing.SignClient(input))
			}
		}
	})
	return took
}

func handshake(t *testing.T, server, client tls.Certificate, mutual bool) {
	t.Helper()
	suites := []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	sc := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: suites, Certificates: []tls.Certificate{server}}
	cc := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: suites, InsecureSkipVerify: true}
	if mutual {
		sc.ClientAuth = tls.RequireAnyClientCert
		cc.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &client, nil }
	}
	c, s := tlsdsk.NewClient(cc), tlsdsk.NewServer(sc)
	defer c.Close()
	defer s.Close()
	var flight []byte
	for range 3 {
		var err error
		if flight, _, err = c.Next(context.Background(), flight); err != nil {
			t.Fatal(err)
		}
		if len(flight) == 0 {
			return
		}
		if flight, _, err = s.Next(context.Background(), flight); err != nil {
			t.Fatal(err)
		}
	}
}

// verify checks the server's certificate and the root's own signature, as a handset does once a connection.
func verify(t *testing.T, root *x509.Certificate, server tls.Certificate) {
	t.Helper()
	leaf, err := x509.ParseCertificate(server.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*x509.Certificate{leaf, root} {
		if err := root.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
			t.Fatal(err)
		}
	}
}

func selfSign(t *testing.T, key *rsa.PrivateKey, name string) *x509.Certificate {
	t.Helper()
	template := template(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sign(t *testing.T, root *x509.Certificate, rootKey, key *rsa.PrivateKey, name string) tls.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template(name), root, &key.PublicKey, rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

// turn is a run of bytes in one direction of a connection.
type turn struct {
	fromHandset bool
	size        int
}

// cableCPU carries the bytes of one boot's TCP connections over two bare stations.
func cableCPU(t *testing.T) time.Duration {
	t.Helper()
	flows := recordFlows(t)
	segment := ethernet.NewSegment(ethernet.Options{})
	defer segment.Close()
	join := func(name string, last byte) ethernet.Station {
		s, err := segment.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, last}})
		if err == nil {
			err = s.SetAddress(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), 24), netip.Addr{})
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	client, server := join("client", 1), join("server", 2)
	listener, err := server.ListenTCP(5061)
	if err != nil {
		t.Fatal(err)
	}
	took, _ := spent(floorRounds, func() {
		for range floorRounds {
			for _, turns := range flows {
				carry(t, client, listener, turns)
			}
		}
	})
	return took
}

func carry(t *testing.T, client ethernet.Station, listener net.Listener, turns []turn) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		play(t, conn, turns, false)
	})
	conn, err := client.DialTCP(context.Background(), netip.MustParseAddrPort("10.0.0.2:5061"))
	if err != nil {
		t.Fatal(err)
	}
	play(t, conn, turns, true)
	conn.Close()
	wg.Wait()
}

func play(t *testing.T, conn net.Conn, turns []turn, handset bool) {
	for _, turn := range turns {
		var err error
		if turn.fromHandset == handset {
			_, err = conn.Write(make([]byte, turn.size))
		} else {
			_, err = io.ReadFull(conn, make([]byte, turn.size))
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// recordFlows boots once and reads the TCP payload sizes off the tap, in order, a list a connection.
func recordFlows(t *testing.T) [][]turn {
	t.Helper()
	byPort := map[uint16][]turn{}
	var ports []uint16
	var mu sync.Mutex
	tap := func(f ethernet.TappedFrame) {
		b := f.Frame
		if f.Direction != ethernet.Sent || len(b) < 54 || binary.BigEndian.Uint16(b[12:]) != 0x0800 || b[23] != 6 {
			return
		}
		ip := b[14:]
		tcp := ip[int(ip[0]&0xf)*4 : binary.BigEndian.Uint16(ip[2:])]
		size := len(tcp) - int(tcp[12]>>4)*4
		if size == 0 {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		port, fromHandset := binary.BigEndian.Uint16(tcp), true
		if f.Station != "handset" {
			port, fromHandset = binary.BigEndian.Uint16(tcp[2:]), false
		}
		list, known := byPort[port]
		if !known {
			ports = append(ports, port)
		}
		if n := len(list); n > 0 && list[n-1].fromHandset == fromHandset {
			list[n-1].size += size
		} else {
			list = append(list, turn{fromHandset, size})
		}
		byPort[port] = list
	}
	bootOn(t, ethernet.NewSegment(ethernet.Options{Tap: tap}))
	mu.Lock()
	defer mu.Unlock()
	var out [][]turn
	for _, port := range ports {
		out = append(out, byPort[port])
	}
	return out
}

func bootOn(t *testing.T, cable ethernet.Cable) {
	t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	run, err := rig.Start(rig.Options{Lab: lab, Profile: profile, Credentials: rig.FirstUser(lab, profile), Timeout: time.Minute, Cable: cable})
	if err != nil {
		t.Fatal(err)
	}
	if result := run.Boot(context.Background()); result.Code != "" {
		t.Errorf("%s: %s", result.Code, result.Diagnosis)
	}
	if err := run.Close(); err != nil {
		t.Error(err)
	}
}
