package webservices

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// unknowns are what was told as unknown, text and what is shown of it.
func (r *room) unknowns() []string {
	var out []string
	for _, o := range r.told() {
		if o.Kind != timeline.Unknown {
			continue
		}
		text := o.Text
		for _, f := range o.Fields {
			if f.Name == "shown" {
				text += " | " + f.Value
			}
		}
		out = append(out, text)
	}
	return out
}

// What nobody has described is in the history, once, with its form and without PIN, password or ticket.
func TestUnknown(t *testing.T) {
	r := open(t)
	signIn := rst("1219", "0712")
	strange := r.pin(signIn)
	strange.body = bytes.Replace(strange.body, []byte("<soap:Body>"), []byte("<soap:Body><Device Serial=\"0712\">0712</Device>"), 1)
	digest := r.pin(signIn)
	digest.body = bytes.Replace(digest.body, []byte("#PasswordText"), []byte("#PasswordDigest"), 1)
	withHeader := r.pin(signIn)
	withHeader.header = map[string]string{"X-Phone-Pin": "0712", "X-Firmware": "4.0.7577.4463"}
	action := r.pin(signIn)
	action.action = `"http://schemas.microsoft.com/OCS/AuthWebServices/SignInByPin"`
	for _, m := range []message{
		get(webURL("/PhoneSettings/Settings.svc?pin=0712&user=kenmyer")),
		post(webURL("/PinAuth/PinAuth.svc"), "urn:x/SignIn", []byte(`<SignIn Pin="0712"><Phone>1219</Phone></SignIn>`)),
		{method: "PUT", url: pinURL(), body: []byte("pin=0712")},
		action, strange, digest, withHeader,
		get("http://" + host + "/"),
	} {
		r.send(m)
		r.send(m)
	}
	want := []string{
		`request GET /PhoneSettings/Settings.svc (web.path): query "pin"=***(4 digits); query "user"=***(7 characters); "User-Agent": "Go-http-client/1.1"; body 0 bytes`,
		`request POST /PinAuth/PinAuth.svc (web.path): "Content-Type": "text/xml"; "Soapaction": "\"urn:x/SignIn\""; "User-Agent": "Go-http-client/1.1"; body <SignIn Pin="***(4 digits)"><Phone>***(4 digits)</Phone></SignIn>`,
		`request PUT /WebTicket/WebTicketService.svc/pin (web.method): "User-Agent": "Go-http-client/1.1"; body xxx=####`,
		`request POST /WebTicket/WebTicketService.svc/pin SignInByPin (ticket.action) | "Content-Type": "text/xml"; `,
		`element "Device" of POST /WebTicket/WebTicketService.svc/pin Issue | in <soap:Envelope `,
		`password of type "oasis-200401-wss-username-token-profile-1.0#PasswordDigest" in POST /WebTicket/WebTicketService.svc/pin Issue | in <soap:Envelope `,
		`header "X-Firmware" of POST /WebTicket/WebTicketService.svc/pin Issue: "X-Firmware": "4.0.7577.4463"`,
		`header "X-Phone-Pin" of POST /WebTicket/WebTicketService.svc/pin Issue: "X-Phone-Pin": ***(4 digits)`,
		`request GET / (web.path): "User-Agent": "Go-http-client/1.1"; body 0 bytes`,
	}
	got := r.unknowns()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for _, o := range r.told() { // not its time and the peer's port, which may have these digits by chance
		if strings.Contains(o.Text+fmt.Sprint(o.Fields), "0712") {
			t.Errorf("the history holds the PIN: %s", o.Text)
		}
	}
}

// A sign-in as it is described leaves nothing unknown.
func TestTheDescribedIsKnown(t *testing.T) {
	r := open(t)
	for _, url := range []string{"http://" + host, "https://" + host} {
		r.mustSend(get(url + "/CertProv/CertProvisioningService.svc/mex"))
	}
	r.mustSend(r.enrol(r.enrolment(r.ticket("1219", "0712"))))
	r.mustSend(r.windowsPort(`LITWARE\kenmyer`, "Litware-2013", kenmyer))
	r.send(r.pin(rst("1219", "8431")))
	r.send(r.windowsPort(`LITWARE\kenmyer`, "wrong", ""))
	if got := r.unknowns(); len(got) > 0 {
		t.Errorf("told\n%s", strings.Join(got, "\n"))
	}
}

// A lab that takes either form counts a wrong PIN once, whichever it comes in, and tells which one it was.
func TestEitherPINForm(t *testing.T) {
	for _, form := range []webticket.Form{webticket.P1, webticket.P2} {
		r := open(t, func(l *configs.Lab, _ *Config) { l.PINForm = "any" })
		r.mustSend(r.pin(rst("1219", "0712", func(q *webticket.Request) { q.Form = form })))
		if a := r.send(r.pin(rst("1219", "8431", func(q *webticket.Request) { q.Form = form }))); a.said() != "HTTP 500, fault FailedAuthentication 28020" {
			t.Errorf("%s: %s", form, a.said())
		}
		if n := r.directory.Attempts(kenmyer); n != 1 {
			t.Errorf("%s: %d attempts counted", form, n)
		}
		for _, o := range r.told() {
			if !strings.Contains(o.Text, "PIN in form "+string(form)) {
				t.Errorf("%s: %s", form, o.Text)
			}
		}
	}
}

// raw sends text to a port of the pool and returns all that comes back.
func (r *room) raw(port uint16, text string) (from string, back []byte) {
	r.t.Helper()
	conn, err := r.phone.DialTCP(r.t.Context(), netip.AddrPortFrom(poolAddress.Addr(), port))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		r.t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	back, _ = io.ReadAll(conn)
	return conn.LocalAddr().String(), back
}

// What is no HTTP, or no TLS where TLS is spoken, is named with its peer; net/http alone says nothing of it.
func TestForeignAndUnreadable(t *testing.T) {
	const sslv2 = "\x80\x1f\x01\x03\x01\x00\x06\x00\x00\x00\x10\x00\x00\x2f\x00\x00\x0a0123456789abcdef"
	for _, c := range []struct {
		name, text string
		port       uint16
		told, back string
	}{
		{"SSLv2", sslv2, portHTTPS, "SSLv2-format hello, versions up to TLS 1.0 offered, 2 cipher specs", "\x15\x03\x01\x00\x02\x02\x46"},
		{"HTTP", "GET /CertProv/?pin=0712 HTTP/1.1\r\nHost: a\r\n\r\n", portHTTPS, `plain HTTP, "GET" to "/CertProv/", on a port of TLS`, "HTTP/1.1 400 "},
		{"SIP", "REGISTER sip:a SIP/2.0\r\n\r\n", portHTTPS, `plain SIP, "REGISTER" to "sip:a"`, ""},
		{"TLS on port 80", "\x16\x03\x01\x00\x05hello", portHTTP, "TLS hello, on a port without TLS", "HTTP/1.1 400 "},
		{"no request line", "hello?0712 there\r\n\r\n", portHTTP, `no HTTP request that can be read: "hello", headers ""`, "HTTP/1.1 400 "},
		{"no Host", "GET / HTTP/1.1\r\nX-Pin: 0712\r\n\r\n", portHTTP, `no HTTP request that can be read: "GET / HTTP/1.1", headers "X-Pin"`, "HTTP/1.1 400 "},
		{"too large", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 64<<10), portHTTP, `no HTTP request that can be read: "GET / HTTP/1.1"`, "HTTP/1.1 431 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t)
			from, back := r.raw(c.port, c.text)
			if !strings.HasPrefix(string(back), c.back) || c.back == "" && len(back) > 0 {
				t.Errorf("answered %.40q", back)
			}
			if err := r.server.Close(); err != nil {
				t.Error(err)
			}
			var found bool
			for _, o := range r.told() {
				found = found || o.Kind == timeline.Dropped && o.Peer == from && strings.HasPrefix(o.Text, c.told)
				if strings.Contains(o.Text, "0712") {
					t.Errorf("told %s", o.Text)
				}
			}
			if !found {
				t.Errorf("told %v", r.told())
			}
		})
	}
}

// OPTIONS * is a request like any other: it is refused, and told.
func TestOptions(t *testing.T) {
	r := open(t)
	_, back := r.raw(portHTTP, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if got := r.unknowns(); !strings.HasPrefix(string(back), "HTTP/1.1 404 ") || len(got) != 1 || !strings.HasPrefix(got[0], "request OPTIONS * (web.path)") {
		t.Errorf("%.20q, told %q", back, got)
	}
}

// A hello of TLS 1.0 without any extension, and so without a server name, is shaken hands with: ServerHello, the
// certificate, the request for one, the end of the flight.
func TestOldHello(t *testing.T) {
	const random = "PQRSTUVWXYZ[\\]^_`abcdefghijklmno"
	for _, suite := range []string{"\x00\x2f", "\x00\x35", "\x00\x0a", "\x00\x05"} {
		r := open(t)
		conn, err := r.phone.DialTCP(t.Context(), netip.AddrPortFrom(poolAddress.Addr(), portHTTPS))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01"+random+"\x00\x00\x02"+suite+"\x01\x00")
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		var messages []byte // their types
		for len(messages) < 4 {
			head := make([]byte, 5)
			if _, err := io.ReadFull(conn, head); err != nil || head[0] != 22 || head[1] != 3 || head[2] != 1 {
				t.Fatalf("%x: record %x, %v, after messages %x", suite, head, err, messages)
			}
			body := make([]byte, int(head[3])<<8|int(head[4]))
			if _, err := io.ReadFull(conn, body); err != nil {
				t.Fatal(err)
			}
			if len(messages) == 0 {
				session := int(body[38])
				if got := string(body[39+session : 41+session]); got != suite || len(body) < 42+session || int(body[3]) != 38+session {
					t.Errorf("suite %x: ServerHello %x", suite, body[:min(len(body), 90)])
				}
			}
			for len(body) >= 4 {
				messages = append(messages, body[0])
				body = body[4+int(body[1])<<16+int(body[2])<<8+int(body[3]):]
			}
		}
		if !bytes.Equal(messages, []byte{2, 11, 13, 14}) {
			t.Errorf("%x: messages %x", suite, messages)
		}
	}
}
