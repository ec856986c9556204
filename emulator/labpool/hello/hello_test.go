package hello_test

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/labpool/hello"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sslv2 is a hello of SSL 2.0 format for TLS 1.0 (RFC 5246 appendix E.2): two cipher specs of SSL 2.0 and five of TLS.
var sslv2 = "802e" + "01" + "0301" + "0015" + "0000" + "0010" +
	"010080" + "0700c0" + "000039" + "000035" + "00002f" + "00000a" + "000005" + "00112233445566778899aabbccddeeff"

func unhex(t testing.TB, text string) string {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// send writes text in pieces of a size to a watched connection and returns what is read from it, what came back to the
// peer, and the error of reading.
func send(t testing.TB, watch func(net.Conn) *hello.Conn, text string, size int) (read, back []byte, err error) {
	t.Helper()
	near, far := net.Pipe()
	deadline := time.Now().Add(5 * time.Second)
	near.SetDeadline(deadline)
	far.SetDeadline(deadline)
	written, answered := make(chan struct{}), make(chan []byte)
	go func() {
		defer close(written)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := io.WriteString(far, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	go func() {
		b, _ := io.ReadAll(far) // until the other end closes
		answered <- b
	}()
	conn := watch(near)
	for len(read) < len(text) && err == nil {
		var n int
		b := make([]byte, 100)
		n, err = conn.Read(b)
		read = append(read, b[:n]...)
	}
	if err != nil {
		if _, again := conn.Read(make([]byte, 1)); again != err {
			t.Errorf("then %v", again)
		}
	}
	conn.Close()
	back = <-answered
	<-written
	far.Close()
	return read, back, err
}

func TestForeign(t *testing.T) {
	for _, c := range []struct {
		name, text string
		watch      func(net.Conn) *hello.Conn
		kind       hello.Kind
		detail     string
		back       string
	}{
		{"SSLv2 hello", unhex(t, sslv2), hello.OnTLS, hello.SSLv2, "versions up to TLS 1.0 offered, 7 cipher specs", "\x15\x03\x01\x00\x02\x02\x46"},
		{"SSLv2 hello for SSL 3.0", strings.Replace(unhex(t, sslv2), "\x01\x03\x01", "\x01\x03\x00", 1), hello.OnTLS, hello.SSLv2, "up to SSL 3.0", "\x15\x03\x01\x00\x02\x02\x46"},
		{"SSLv2 hello for SSL 2.0", strings.Replace(unhex(t, sslv2), "\x01\x03\x01", "\x01\x00\x02", 1), hello.OnTLS, hello.SSLv2, "up to SSL 2.0", "\x15\x03\x01\x00\x02\x02\x46"},
		{"SSLv2 hello without TLS", unhex(t, sslv2), hello.OnPlain, hello.SSLv2, "up to TLS 1.0", "\x15\x03\x01\x00\x02\x02\x46"},
		{"HTTP", "GET /CertProv/CertProvisioningService.svc/mex?pin=1 HTTP/1.1\r\nHost: a\r\n\r\n", hello.OnTLS, hello.HTTP, `"GET" to "/CertProv/CertProvisioningService.svc/mex", on`, "HTTP/1.1 400 "},
		{"OPTIONS of HTTP", "OPTIONS * HTTP/1.1\r\n\r\n", hello.OnTLS, hello.HTTP, `"OPTIONS" to "*"`, "HTTP/1.1 400 "},
		{"SIP", "REGISTER sip:contoso.com SIP/2.0\r\nVia: SIP/2.0/TCP a\r\n\r\n", hello.OnTLS, hello.SIP, `"REGISTER" to "sip:contoso.com"`, ""},
		{"OPTIONS of SIP", "OPTIONS sip:contoso.com SIP/2.0\r\n\r\n", hello.OnTLS, hello.SIP, `"OPTIONS" to "sip:contoso.com"`, ""},
		{"NEGOTIATE", "NEGOTIATE sip:127.0.0.1:5061 SIP/2.0\r\n", hello.OnTLS, hello.SIP, `"NEGOTIATE"`, ""},
		{"other text", "hello\r\n", hello.OnTLS, hello.Binary, "7 bytes that begin 68 65 6c 6c 6f 0d 0a", ""},
		{"an endless line", strings.Repeat("x", 1000), hello.OnTLS, hello.Binary, "256 bytes that begin 78 78", ""},
		{"bytes", "\x00\x01\x02", hello.OnTLS, hello.Binary, "begin 00", ""},
		{"high bytes", "\x80\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", hello.OnTLS, hello.Binary, "begin 80", ""},
		{"TLS on a plain port", "\x16\x03\x01\x00\x05hello", hello.OnPlain, hello.TLS, "on a port without TLS", ""},
	} {
		for _, size := range []int{1, 7, 1000} {
			_, back, err := send(t, c.watch, c.text, size)
			var foreign *hello.Foreign
			if !errors.As(err, &foreign) || foreign.Kind != c.kind || !strings.Contains(err.Error(), c.detail) && size == 1000 {
				t.Errorf("%s in pieces of %d: %v", c.name, size, err)
			}
			if !strings.HasPrefix(string(back), c.back) || c.back == "" && len(back) > 0 {
				t.Errorf("%s in pieces of %d is answered %q", c.name, size, back)
			}
			if strings.Contains(err.Error(), "pin=") {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// What belongs to the port passes unchanged.
func TestOwn(t *testing.T) {
	for _, c := range []struct {
		name, text string
		watch      func(net.Conn) *hello.Conn
	}{
		{"TLS", "\x16\x03\x01\x02\x00" + strings.Repeat("\x01", 512), hello.OnTLS},
		{"one byte of TLS", "\x16", hello.OnTLS},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", hello.OnPlain},
		{"SIP keep-alive", "\r\n\r\n", hello.OnPlain},
		{"other bytes", "\x80\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x00", hello.OnPlain},
		{"long", strings.Repeat("x", 1000), hello.OnPlain},
	} {
		for _, size := range []int{1, 7, 2000} {
			read, back, err := send(t, c.watch, c.text, size)
			if string(read) != c.text || err != nil || len(back) > 0 {
				t.Errorf("%s in pieces of %d: read %q, %v, answered %q", c.name, size, read, err, back)
			}
		}
	}
}

// A peer that goes before it is clear what it sends is no foreigner.
func TestGone(t *testing.T) {
	for _, text := range []string{"", "\x80\x2e", "GE"} {
		near, far := net.Pipe()
		go func() {
			io.WriteString(far, text)
			far.Close()
		}()
		_, err := hello.OnTLS(near).Read(make([]byte, 10))
		var foreign *hello.Foreign
		if text == "" && err != io.EOF || text != "" && !errors.As(err, &foreign) {
			t.Errorf("%q: %v", text, err)
		}
		near.Close()
	}
}

// The error comes through Go's TLS as it is.
func TestThroughTLS(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		io.WriteString(far, unhex(t, sslv2))
		io.Copy(io.Discard, far)
	}()
	defer far.Close()
	err := tls.Server(hello.OnTLS(near), &tls.Config{}).Handshake()
	var foreign *hello.Foreign
	if !errors.As(err, &foreign) || foreign.Kind != hello.SSLv2 {
		t.Errorf("%v", err)
	}
}

// FuzzFirstBytes: what a port takes passes unchanged; what it does not take is named in one bounded line.
func FuzzFirstBytes(f *testing.F) {
	for _, seed := range []string{unhex(f, sslv2), "\x16\x03\x01\x00\x05hello", "GET / HTTP/1.1\r\n\r\n", "REGISTER sip:a SIP/2.0\r\n", "\x80", ""} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, secure bool) {
		watch := hello.OnPlain
		if secure {
			watch = hello.OnTLS
		}
		conn := watch(&constant{Reader: bytes.NewReader(b)})
		read, err := io.ReadAll(conn)
		var foreign *hello.Foreign
		switch {
		case errors.As(err, &foreign):
			if text := err.Error(); len(text) > 400 || strings.ContainsAny(text, "\r\n") || len(read) > 0 {
				t.Errorf("%q after %d bytes", text, len(read))
			}
		case err != nil || !bytes.Equal(read, b):
			t.Errorf("read %q, %v", read, err)
		case secure && len(b) > 0 && b[0] != 22:
			t.Errorf("%q was taken for TLS", b)
		}
	})
}

// constant is a connection that gives what it was made with and drops what is written.
type constant struct {
	io.Reader
	net.Conn
}

func (c *constant) Read(b []byte) (int, error)  { return c.Reader.Read(b) }
func (c *constant) Write(b []byte) (int, error) { return len(b), nil }
