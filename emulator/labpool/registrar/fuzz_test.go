package registrar_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// fuzzed is the trust of all labs that are fuzzed: to make one costs more than what is done to the lab.
var fuzzed struct {
	once sync.Once
	trust
}

// fuzz runs f with a lab over TCP in virtual time. Afterwards, when strangers' time is over, the lab holds nothing of
// them and challenges a handset as ever.
func fuzz(t *testing.T, f func(*lab)) {
	t.Helper()
	makeKeys()
	synctest.Test(t, func(t *testing.T) {
		fuzzed.once.Do(func() { fuzzed.trust = newTrust(t) })
		l := newLabOf(t, fuzzed.trust, overTCPToo)
		defer l.close()
		f(l)
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		if held := l.held(); held != (registrar.Held{}) {
			t.Errorf("held afterwards: %+v\n%s", held, l.log())
		}
		for _, o := range l.observed {
			if len(o.Text) > 2000 || strings.ContainsAny(o.Text, "\r\n") {
				t.Errorf("observation of %d bytes: %.200q", len(o.Text), o.Text)
			}
		}
		s := l.connectBy("tcp", user1, sipeEPID)
		if _, err := challenge(s.call(s.register())); err != nil {
			t.Errorf("a handset afterwards: %v\n%s", err, l.log())
		}
		s.conn.Close()
	})
}

// said writes to a port and returns what is answered until nothing more comes.
func (l *lab) said(port uint16, text []byte) []byte {
	l.Helper()
	conn := l.open(l.station("stranger", netip.MustParsePrefix("192.0.2.99/24")), port)
	go conn.Write(text) // fails if the front end closes before
	synctest.Wait()
	l.must(conn.SetReadDeadline(time.Now().Add(time.Second)))
	answered, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ECONNRESET) {
		l.Fatalf("reading the answers: %v", err)
	}
	l.must(conn.Close())
	return answered
}

// FuzzConnection is anything that a stranger says over TCP: each answer is a response that names the server, and none
// grants anything.
func FuzzConnection(f *testing.F) {
	for _, message := range strangers {
		f.Add([]byte(message))
		f.Add([]byte("\r\n\r\n" + message + message[:len(message)/2]))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fuzz(t, func(l *lab) {
			for rest := l.said(registrar.DefaultTCPPort, text); len(rest) > 0; {
				end := strings.Index(string(rest), "\r\n\r\n")
				if end < 0 {
					t.Fatalf("half an answer: %q", rest)
				}
				end += 4
				m, err := sipmessage.Parse(rest[:end]) // none of these has a body
				if err != nil || m.IsRequest() || m.Status < 400 || m.Get("Server") == "" {
					t.Errorf("%q: %v", rest[:end], err)
				}
				rest = rest[end:]
			}
		})
	})
}

// strangers are messages that nobody has signed.
var strangers = []string{
	lines("REGISTER sip:lab.test SIP/2.0", "Content-Length: 0"),
	lines("REGISTER sip:lab.test SIP/2.0", "Authorization: TLS-DSK qop=\"auth\", realm=\"SIP Communications Service\", targetname=\"fe01.lab.test\", gssapi-data=\"FgMBADUBAAAxAwFrAuL6pVmr5q7+0azb+pZ1PeBYVmZnW8TuL7MXC/TPIgAACgAEAAUALwA1AAMBAA==\", version=4", "Content-Length: 0"),
	lines("REGISTER sip:lab.test SIP/2.0", "Authorization: TLS-DSK qop=\"auth\", opaque=\"BCDC0C9D\", realm=\"SIP Communications Service\", targetname=\"fe01.lab.test\", version=4, crand=\"45511646\", cnum=\"1\", response=\"EAD21BA5AD595B363C78AE2C9CAB6D96AE1A3E40\"", "Content-Length: 0"),
	lines("NEGOTIATE sip:127.0.0.1:5061 SIP/2.0", "Compression: LZ77-64K", "Content-Length: 0"),
	lines("CANCEL sip:user1@lab.test SIP/2.0", "Content-Length: 0"),
	lines("SIP/2.0 200 OK", "Content-Length: 2") + "ab",
	"GET / HTTP/1.1\r\nHost: lab.test\r\n\r\n",
	"\x16\x03\x01\x00\x35\x01\x00\x00\x31\x03\x01",
}

// lines is a message of user1 with a start line and further headers.
func lines(start string, headers ...string) string {
	method, _, _ := strings.Cut(start, " ")
	head := []string{
		start, "Via: SIP/2.0/TCP 192.0.2.99:50123;branch=z9hG4bK1", "From: <sip:user1@lab.test>;tag=1;epid=" + sipeEPID, "To: <sip:user1@lab.test>",
		"Call-ID: 1", "CSeq: 1 " + method,
	}
	return strings.Join(append(head, headers...), "\r\n") + "\r\n\r\n"
}

// FuzzTLSPort is anything that comes to the port of TLS: it is answered by TLS if at all, but for HTTP, and ends in time.
func FuzzTLSPort(f *testing.F) {
	for _, text := range append(strangers, "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", "\x16\x03\x01\x00\x02\x01\x00", "\x15\x03\x01\x00\x02\x02\x28") {
		f.Add([]byte(text))
	}
	f.Add(clientHello(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		fuzz(t, func(l *lab) {
			answered := l.said(registrar.DefaultPort, text)
			if len(answered) > 0 && (answered[0] < 20 || answered[0] > 23) && !strings.HasPrefix(string(answered), "HTTP/1.1 400 ") {
				t.Errorf("%q answered by %q", text, answered)
			}
		})
	})
}

// FuzzSigned is what a handset that has signed on may say, signed right: each request has one final answer that is
// signed right, and the registration goes on.
func FuzzSigned(f *testing.F) {
	const self = `<roamingList xmlns="http://schemas.microsoft.com/2006/09/sip/roaming-self"><roaming type="categories"/></roamingList>`
	const groups = `<provisioningGroupList xmlns="http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist"><provisioningGroup name="ucPolicy"/></provisioningGroupList>`
	const publish = `<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence"><publications uri="sip:user1@lab.test">` +
		`<publication categoryName="state" instance="1" container="2" version="0" expireType="endpoint"/></publications></publish>`
	f.Add("SUBSCRIBE", "vnd-microsoft-roaming-self", "application/vnd-microsoft-roaming-self+xml", "", "", self)
	f.Add("SUBSCRIBE", "vnd-microsoft-provisioning-v2", "application/vnd-microsoft-roaming-provisioning-v2+xml", "Expires", "0", groups)
	f.Add("SUBSCRIBE", "vnd-microsoft-roaming-contacts", "application/vnd-microsoft-roaming-contacts+xml", "Expires", "60", "")
	f.Add("SERVICE", "", "application/msrtc-category-publish+xml", "", "", publish)
	f.Add("SERVICE", "", "application/msrtc-setcontainermembers+xml", "", "", "<setContainerMembers/>")
	f.Add("REGISTER", "registration", "", "Expires", "7200", "")
	f.Add("INVITE", "", "application/sdp", "Expires", "", "v=0\r\n")
	f.Add("ACK", "", "", "", "", "")
	f.Add("CANCEL", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, method, event, contentType, name, value, body string) {
		if !token.MatchString(method) {
			return // CSeq could not repeat it
		}
		fuzz(t, func(l *lab) {
			s := l.connectBy("tcp", user1, sipeEPID)
			s.mustSignOn()
			for range 2 { // the second time may find what the first one made
				m := s.other(method, contentType, body)
				for _, h := range []sipmessage.Header{{Name: "Event", Value: event}, {Name: "Accept", Value: contentType}, {Name: name, Value: value}} {
					if h.Name != "" && h.Value != "" {
						m.Headers = append(m.Headers, h) // behind those that every message has
					}
				}
				s.sign(m)
				if _, err := m.Append(nil); err != nil {
					break // no message
				}
				s.asks(m)
			}
			if held := l.held(); held.Associations > 1 || held.Dialogs > 2 {
				t.Errorf("%+v after two requests", held)
			}
			s.conn.Close()
		})
	})
}

var token = regexp.MustCompile(`^[!%'*+.0-9A-Z_a-z~-]+$`) // RFC 3261 §25.1

// asks sends a request whose answer must be right, unless the front end refuses to read on. There is none to an ACK.
func (s *sipe) asks(m *sipmessage.Message) {
	s.Helper()
	var answer *sipmessage.Message
	var err error
	if m.Method == "ACK" {
		err = s.conn.Send(m)
	} else {
		answer, err = s.try(m)
	}
	synctest.Wait() // the log too has it
	switch {
	case errors.Is(err, sipstack.ErrEnded) && strings.Contains(s.log(), "connection closed: "):
	case err != nil:
		s.Errorf("%s: %v\n%s", m.Method, err, s.log())
	case answer != nil && (answer.Status == 401 || answer.Status >= 500 && answer.Status != 501):
		s.Errorf("%s: %d %s\n%s", m.Method, answer.Status, answer.Reason, s.log())
	}
}

// clientHello is what a client of Go's TLS says first.
func clientHello(f *testing.F) []byte {
	f.Helper()
	near, far := net.Pipe()
	go tls.Client(near, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12}).Handshake() // fails
	defer near.Close()
	hello := make([]byte, 2048)
	n, err := far.Read(hello)
	if err != nil {
		f.Fatal(err)
	}
	return hello[:n]
}
