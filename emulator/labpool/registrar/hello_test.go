package registrar_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

// raw dials a port of the front end, sends text and returns all that comes back within a time.
func (l *lab) raw(port uint16, text string) (from string, back []byte) {
	l.Helper()
	station := l.station("raw", netip.MustParsePrefix("192.0.2.99/24"))
	conn, err := station.DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), port))
	l.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	l.must(err)
	l.must(conn.SetReadDeadline(time.Now().Add(time.Second)))
	back, _ = io.ReadAll(conn)
	synctest.Wait() // until it is told
	return conn.LocalAddr().String(), back
}

func fromHex(t *testing.T, text string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// oldHello is a ClientHello of TLS 1.0 as Windows CE's Schannel is taken to send it: no extension, not even their
// length, so no server name (sip.md §6, inferred). One suite of RSA key exchange: AES, RC4 or 3DES.
func oldHello(t *testing.T, suite string) string {
	return fromHex(t, "16 0301 002d 01 000029 0301 505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f 00 0002"+suite+" 01 00")
}

// TestOldHello: the answer is a ServerHello of TLS 1.0 with the suite and no extension, the certificate and the end of
// the flight.
func TestOldHello(t *testing.T) {
	for _, suite := range []string{"002f", "0035", "000a", "0005"} {
		virtual(t, func(l *lab) {
			_, back := l.raw(registrar.DefaultPort, oldHello(t, suite))
			if got := handshakeMessages(t, back); got != "02 0b 0e" {
				t.Errorf("%s: messages %s\n%s", suite, got, l.log())
			}
			const head = 5 + 4 // record and message
			if len(back) < 80 || string(back[:3]) != "\x16\x03\x01" || string(back[head:head+2]) != "\x03\x01" {
				t.Fatalf("%s: %x", suite, back[:min(len(back), 80)])
			}
			session := int(back[head+34])
			rest := back[head+35+session:]
			if hex.EncodeToString(rest[:2]) != suite || int(binary.BigEndian.Uint16(back[7:])) != 38+session {
				t.Errorf("%s: suite %x, ServerHello of %d bytes", suite, rest[:2], binary.BigEndian.Uint16(back[7:]))
			}
		})
	}
}

// handshakeMessages are the types of the handshake messages in records of TLS.
func handshakeMessages(t *testing.T, b []byte) string {
	t.Helper()
	var handshake []byte
	for len(b) >= 5 {
		n := 5 + int(binary.BigEndian.Uint16(b[3:]))
		if b[0] != 22 || len(b) < n {
			t.Fatalf("record %x", b[:min(len(b), 16)])
		}
		handshake = append(handshake, b[5:n]...)
		b = b[n:]
	}
	var out []string
	for len(handshake) >= 4 {
		out = append(out, hex.EncodeToString(handshake[:1]))
		handshake = handshake[min(len(handshake), 4+int(handshake[1])<<16+int(handshake[2])<<8+int(handshake[3])):]
	}
	return strings.Join(out, " ")
}

// TestForeignHello: what is no TLS on the port of TLS, and TLS on the other one, is named with its peer.
func TestForeignHello(t *testing.T) {
	for _, c := range []struct {
		name, text string
		port       uint16
		told, back string
	}{
		{
			"SSLv2", fromHex(t, "801f 01 0301 0006 0000 0010 00002f 00000a 00112233445566778899aabbccddeeff"), registrar.DefaultPort,
			"SSLv2-format hello, versions up to TLS 1.0 offered, 2 cipher specs", fromHex(t, "15 0301 0002 02 46"),
		},
		{
			"SIP", "REGISTER sip:lab.test SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.99\r\n\r\n", registrar.DefaultPort,
			`plain SIP, "REGISTER" to "sip:lab.test", on a port of TLS`, "",
		},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", registrar.DefaultPort, `plain HTTP, "GET" to "/", on a port of TLS`, "HTTP/1.1 400 Bad Request\r\n"},
		{"TLS", oldHello(t, "002f"), registrar.DefaultTCPPort, "TLS hello, on a port without TLS", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtual(t, func(l *lab) {
				from, back := l.raw(c.port, c.text)
				if !bytes.HasPrefix(back, []byte(c.back)) || c.back == "" && len(back) > 0 {
					t.Errorf("answered %q", back)
				}
				if want := "dropped " + from + " " + host + ": " + c.told; !strings.Contains(l.log(), want) {
					t.Errorf("no %q in\n%s", want, l.log())
				}
			}, withTCP)
		})
	}
}
