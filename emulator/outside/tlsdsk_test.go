//go:build outside

package outside

import (
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

const exporterLabel = "client EAP encryption"

// TestTLSDSKWithServer runs the handset's TLS-DSK handshake with openssl s_server, with the extended master secret and,
// as clients and servers of the time did, without it.
func TestTLSDSKWithServer(t *testing.T) {
	for _, ems := range []string{"yes", "no"} {
		t.Run("extended master secret "+ems, func(t *testing.T) {
			t.Parallel()
			pair := newPair(t)
			s := startOpenSSL(
				t, ems, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert", pair.serverFile, "-no_ticket",
				"-Verify", "1", "-verify_return_error", "-CAfile", pair.rootFile,
			)
			conn, err := net.Dial("tcp", s.address(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			client := tlsdsk.NewClient(&tls.Config{
				MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: handsetSuites(t), InsecureSkipVerify: true,
				GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair.client, nil },
			})
			defer client.Close()
			hello, _, err := client.Next(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			write(t, conn, hello)
			first := readFlight(t, conn)
			mine, done, err := client.Next(t.Context(), first)
			if err != nil || done || len(mine) == 0 {
				t.Fatalf("after the server's first flight: %d bytes, done %t, %v", len(mine), done, err)
			}
			write(t, conn, mine)
			if out, done, err := client.Next(t.Context(), readFlight(t, conn)); err != nil || !done || len(out) != 0 {
				t.Fatalf("after the server's last flight: %d bytes, done %t, %v", len(out), done, err)
			}
			s.await(t, "Keying material:")
			conn.Close()
			output := s.end(t)
			if !strings.Contains(output, "CN = handset@litwareinc.com") {
				t.Errorf("openssl does not name the handset's certificate:\n%s", output)
			}
			compareKeys(t, client, ems, s.secrets(t), hello, first, output)
		})
	}
}

// handsetSuites are what the default handset offers.
func handsetSuites(t *testing.T) (ids []uint16) {
	t.Helper()
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Contains(profile.TLSSuites, s.Name) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// TestTLSDSKWithClient runs the registrar's side with openssl s_client, in the same two ways.
func TestTLSDSKWithClient(t *testing.T) {
	for _, ems := range []string{"yes", "no"} {
		t.Run("extended master secret "+ems, func(t *testing.T) {
			t.Parallel()
			pair := newPair(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s := startOpenSSL(
				t, ems, "s_client", "-connect", l.Addr().String(), "-cert", pair.clientFile, "-verify_return_error",
				"-CAfile", pair.rootFile,
			)
			if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			conn, err := l.Accept()
			if err != nil {
				t.Fatalf("%v\n%s", err, s.output())
			}
			defer conn.Close()
			server := tlsdsk.NewServer(&tls.Config{
				MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
				Certificates: []tls.Certificate{pair.server}, ClientAuth: tls.RequireAnyClientCert,
			})
			defer server.Close()
			hello := readFlight(t, conn)
			first, _, err := server.Next(t.Context(), hello)
			if err != nil {
				t.Fatal(err)
			}
			write(t, conn, first)
			last, done, err := server.Next(t.Context(), readFlight(t, conn))
			if err != nil || !done {
				t.Fatalf("after the client's last flight: done %t, %v", done, err)
			}
			write(t, conn, last)
			if got := server.PeerCertificates()[0].Subject.CommonName; got != "handset@litwareinc.com" {
				t.Errorf("client certificate of %q", got)
			}
			s.await(t, "Keying material:")
			conn.Close()
			output := s.end(t)
			compareKeys(t, server, ems, s.secrets(t), hello, first, output)
		})
	}
}

// compareKeys holds the keys of our side against those that follow from openssl's own master secret and from the key
// block that openssl exported.
func compareKeys(t *testing.T, ours *tlsdsk.Handshake, ems string, keyLog, clientFlight, serverFlight []byte, output string) {
	t.Helper()
	clientRandom, serverRandom := random(t, clientFlight), random(t, serverFlight)
	if ours.Version() != tls.VersionTLS10 || ours.CipherSuite() != tls.TLS_RSA_WITH_AES_128_CBC_SHA {
		t.Errorf("TLS %#x with suite %#x", ours.Version(), ours.CipherSuite())
	}
	if got := answersExtendedMasterSecret(t, serverFlight); got != (ems == "yes") {
		t.Errorf("extended master secret: %t, want %s", got, ems)
	}
	master := masterSecret(t, keyLog, clientRandom)
	_, ourMaster, err := ours.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ourMaster, master) {
		t.Fatalf("the master secrets differ")
	}
	block := prf10(master, exporterLabel, append(bytes.Clone(clientRandom), serverRandom...), 128)
	if exported := exportedBlock(t, output); !bytes.Equal(exported, block) {
		t.Errorf("openssl exports %x, its master secret gives %x", exported, block)
	}
	keys, err := ours.Keys()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(keys.Client, block[64:96]) || !bytes.Equal(keys.Server, block[96:128]) {
		t.Errorf("keys %x and %x, the key block is %x", keys.Client, keys.Server, block)
	}
	if got, want := keys.SignClient("text"), hex.EncodeToString(sum(sha1.New, block[64:96], []byte("text"))); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func masterSecret(t *testing.T, keyLog, clientRandom []byte) []byte {
	t.Helper()
	for line := range strings.Lines(string(keyLog)) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), fmt.Sprintf("CLIENT_RANDOM %x ", clientRandom)); ok {
			return unhex(t, rest)
		}
	}
	t.Fatalf("openssl's key log has no such handshake:\n%s", keyLog)
	return nil
}

// exportedBlock is what openssl's -keymatexport prints.
func exportedBlock(t *testing.T, output string) []byte {
	t.Helper()
	_, after, ok := strings.Cut(output, "Keying material:")
	if !ok {
		t.Fatalf("openssl exports no key block:\n%s", output)
	}
	return unhex(t, strings.Fields(after)[0])
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// random is that of the hello message at the start of a flight.
func random(t *testing.T, flight []byte) []byte {
	t.Helper()
	if len(flight) < 43 {
		t.Fatalf("a flight of %d bytes", len(flight))
	}
	return flight[11:43] // after record header (5), message header (4), version (2)
}

// answersExtendedMasterSecret looks for RFC 7627's extension, 23 without content, in the ServerHello of a flight.
func answersExtendedMasterSecret(t *testing.T, flight []byte) bool {
	t.Helper()
	size := int(flight[6])<<16 + int(flight[7])<<8 + int(flight[8])
	if 9+size > len(flight) {
		t.Fatalf("a ServerHello of %d bytes in a flight of %d", size, len(flight))
	}
	return bytes.Contains(flight[43:9+size], []byte{0, 23, 0, 0})
}

const (
	changeCipherSpec = 20
	handshakeRecord  = 22
	clientHello      = 1
	serverHelloDone  = 14
)

// readFlight reads the records of one flight: up to ClientHello or ServerHelloDone, or the one after ChangeCipherSpec.
func readFlight(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var flight, messages []byte
	for encrypted := false; ; {
		record := make([]byte, 5)
		if _, err := io.ReadFull(conn, record); err != nil {
			t.Fatalf("after %d bytes of a flight: %v", len(flight), err)
		}
		body := make([]byte, int(record[3])<<8|int(record[4]))
		if _, err := io.ReadFull(conn, body); err != nil {
			t.Fatal(err)
		}
		flight = append(append(flight, record...), body...)
		switch {
		case record[0] == changeCipherSpec:
			encrypted = true
			continue
		case record[0] != handshakeRecord:
			t.Fatalf("a record of type %d: %x", record[0], body)
		case encrypted:
			return flight
		}
		for messages = append(messages, body...); len(messages) >= 4; {
			size := 4 + int(messages[1])<<16 + int(messages[2])<<8 + int(messages[3])
			if len(messages) < size {
				break
			}
			if messages[0] == clientHello || messages[0] == serverHelloDone {
				return flight
			}
			messages = messages[size:]
		}
	}
}

func write(t *testing.T, conn net.Conn, b []byte) {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}
