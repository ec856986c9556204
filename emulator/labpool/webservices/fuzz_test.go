package webservices

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// afterwards says that the services hold nothing of those who came when their time is over, and answer as ever.
func (r *room) afterwards() {
	r.t.Helper()
	r.client.CloseIdleConnections()
	time.Sleep(writeTimeout + idleTimeout)
	synctest.Wait()
	if n := r.server.Connections(); n != 0 {
		r.t.Errorf("%d connections afterwards", n)
	}
	r.mustSend(get(webURL("/CertProv/CertProvisioningService.svc/mex")))
	r.client.CloseIdleConnections()
	for _, o := range r.told() {
		if len(o.Text) > 3000 || strings.Contains(o.Text, ": internal error: ") {
			r.t.Errorf("observation of %d bytes: %.200q", len(o.Text), o.Text)
		}
	}
}

// FuzzPlainPort is anything that comes to port 80: each answer is one of HTTP, none is an internal error, and what is of
// XML is SOAP or a document of metadata.
func FuzzPlainPort(f *testing.F) {
	for _, text := range []string{
		"GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"GET /CertProv/CertProvisioningService.svc/mex HTTP/1.0\r\n\r\n",
		"POST /CertProv/CertProvisioningService.svc/anon HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nSOAPAction: \"" + certprov.ActionRootChains + "\"\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n",
		"POST /CertProv/CertProvisioningService.svc HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x00\x02\x01\x00",
	} {
		f.Add([]byte(text))
		f.Add([]byte(text + text))
	}
	handsetKey()
	f.Fuzz(func(t *testing.T, text []byte) {
		synctest.Test(t, func(t *testing.T) {
			r := open(t)
			conn := r.tcp()
			go conn.Write(text) // fails if the server closes before
			synctest.Wait()
			if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(conn)
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
			conn.Close()
			checkAnswers(t, text, said)
			r.afterwards()
		})
	})
}

// checkAnswers reads what came back to requests. If one of them may be HEAD it is not clear where an answer ends.
func checkAnswers(t *testing.T, asked, said []byte) {
	t.Helper()
	head := bytes.Contains(asked, []byte("HEAD"))
	answers := bufio.NewReader(bytes.NewReader(said))
	for {
		if _, err := answers.Peek(1); err == io.EOF {
			return
		}
		a, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%q: %v", said, err)
		}
		if head {
			return
		}
		body, err := io.ReadAll(a.Body)
		if err != nil {
			t.Errorf("%v in %q", err, said)
		}
		if strings.Contains(a.Header.Get("Content-Type"), "xml") {
			if _, err := soap.Parse(body); err != nil {
				t.Errorf("%v in %q", err, body)
			}
		}
	}
}

// FuzzSecurePort is anything that a handset may ask on port 443: no answer is an internal error, what is of XML parses,
// and a ticket goes to nobody but who sent the PIN of a user.
func FuzzSecurePort(f *testing.F) {
	const tickets, proof = "/WebTicket/WebTicketService.svc", "/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1"
	request, err := rst("1219", "0712").Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("POST", tickets+"/pin", webticket.Action, "text/xml", "", request)
	f.Add("POST", tickets, webticket.Action, "text/xml; charset=utf-8", "NTLM TlRMTVNTUAABAAAABYKIogAAAAAoAAAAAAAAACgAAAAFASgKAAAADw==", request)
	f.Add("POST", tickets, webticket.Action, "text/xml", `Basic TElUV0FSRVxrZW5teWVyOkxpdHdhcmUtMjAxMw==`, request)
	f.Add("POST", tickets+"/cert", webticket.Action, "text/xml", "", request)
	f.Add("POST", proof, certprov.ActionEnroll, "text/xml", "", []byte(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>`))
	f.Add("GET", tickets+"/mex", "", "", "", []byte(nil))
	f.Add("POST", "/CertProv/CertProvisioningService.svc/mex", soap.ActionTransferGet, "application/soap+xml", "", []byte("<a/>"))
	f.Fuzz(func(t *testing.T, method, path, action, contentType, authorization string, body []byte) {
		synctest.Test(t, func(t *testing.T) {
			r := open(t)
			m := message{method: method, url: webURL(path), contentType: contentType, authorization: authorization, body: body}
			if action != "" {
				m.action = `"` + action + `"`
			}
			a, err := r.try(r.client, m)
			if err != nil {
				return // the client does not send this
			}
			if strings.Contains(a.header.Get("Content-Type"), "xml") && method != http.MethodHead {
				if _, err := soap.Parse(a.body); err != nil {
					t.Errorf("%v in %q", err, a.body)
				}
			}
			if ticket, err := webticket.ParseResponse(a.body); err == nil && !r.sentPIN(body) {
				t.Errorf("a ticket for %s", ticket.SIPAddress)
			}
			r.afterwards()
		})
	})
}

// sentPIN reports whether a body holds the PIN of a user, or what can be decoded to one.
func (r *room) sentPIN(body []byte) bool {
	request, err := webticket.ParseRequest(body)
	if err != nil {
		return false
	}
	for _, u := range r.lab.Users {
		if u.PIN != "" && request.PIN == u.PIN {
			return true
		}
	}
	return false
}
