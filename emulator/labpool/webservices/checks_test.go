package webservices

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/ntlm"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// wrong is one wrong message; by is the handset that sends it, nil for the room's own.
type wrong struct {
	message
	by *http.Client
}

// wrongMessages has at least one message for each row of the strictness table.
var wrongMessages = map[string][]func(*room) wrong{
	"web.path": {
		func(*room) wrong { return wrong{message: get(webURL("/WebTicket/WebTicketService.svc/Auth"))} },
		func(r *room) wrong { return plainPin(r, "http://"+host+"/WebTicket/WebTicketService.svc/pin") },
	},
	"web.method": {
		func(*room) wrong { return wrong{message: get(pinURL())} },
		func(*room) wrong {
			return wrong{message: message{method: http.MethodPut, url: chainURL() + "/mex"}}
		},
	},
	"web.content-type": {pinMessage(func(m message) message { m.contentType = "application/json"; return m })},
	"web.soapaction-quoted": {
		pinMessage(func(m message) message { m.action = ""; return m }),
		pinMessage(func(m message) message { m.action = webticket.Action; return m }),
		pinMessage(func(m message) message { m.action = `"` + webticket.Action; return m }),
		pinMessage(func(m message) message { m.action += ` ""`; return m }),
	},
	"web.size":  {func(*room) wrong { return wrong{message: post(pinURL(), webticket.Action, sized(soap.MaxSize+1))} }},
	"web.depth": {func(*room) wrong { return wrong{message: post(pinURL(), webticket.Action, nested(soap.MaxDepth+1))} }},
	"web.xml": {
		func(*room) wrong { return wrong{message: post(pinURL(), webticket.Action, []byte("<a><b></a>"))} },
		func(*room) wrong { return wrong{message: post(pinURL(), webticket.Action, nil)} },
		func(*room) wrong { return wrong{message: post(chainURL(), certprov.ActionRootChains, []byte("<a/>"))} },
		func(*room) wrong { return wrong{message: post(proofURL(), certprov.ActionEnroll, []byte("no XML"))} },
		func(*room) wrong { return wrong{message: post(chainURL()+"/mex", soap.ActionTransferGet, []byte("<"))} },
	},
	"web.metadata-action": {transfer(func(m message, t *testing.T) message { return m.edit(t, "transfer/Get", "transfer/Put") })},
	"web.metadata-to":     {transfer(func(m message, t *testing.T) message { return m.edit(t, host, "other.example.com") })},

	"chain.action":       {func(*room) wrong { return wrong{message: post(chainURL(), certprov.ActionEnroll, nested(2))} }},
	"chain.download-off": {chainOff},

	"ticket.action": {pinMessage(func(m message) message { m.action = `"` + certprov.ActionEnroll + `"`; return m })},
	"ticket.request": {
		pinText(`xmlns:wst="`+soap.NSTrust+`"`, `xmlns:wst="`+soap.NSTrustSlash+`"`),
		pinText("<wst:RequestSecurityToken ", "<wst:Request ", "</wst:RequestSecurityToken>", "</wst:Request>"),
		pinText("<wst:BinarySecret>", "<wst:BinarySecret>*"),
	},
	"ticket.token-type":   {pinText("#SAMLV1.1", "#SAMLV2.0")},
	"ticket.request-type": {pinText("http://schemas.xmlsoap.org/ws/2005/02/trust/Issue", soap.NSTrust+"/Issue")},
	"ticket.key-type":     {pinText("SymmetricKey<", "Bearer<")},
	"ticket.applies-to": {
		pinText("<wsa:Address>https://"+host, "<wsa:Address>https://other.example.com"),
		pinText("<wsa:Address>https://", "<wsa:Address>http://"),
	},
	"ticket.entropy": {
		pinRequest(func(q *webticket.Request) { q.Entropy = clientEntropy[:31] }),
		pinRequest(func(q *webticket.Request) { q.Entropy = append(slices.Clone(clientEntropy), 1) }),
		pinText("<wst:Entropy>", "<wst:Nothing>", "</wst:Entropy>", "</wst:Nothing>"),
	},
	"ticket.username-token": {
		pinRequest(func(q *webticket.Request) { q.Number, q.PIN = "", "" }),
		pinRequest(func(q *webticket.Request) { q.PIN = "" }),
	},
	"ticket.pin-form":  {pinRequest(func(q *webticket.Request) { q.Form = webticket.P2 }), p1AtP2},
	"ticket.number":    {pinRequest(func(q *webticket.Request) { q.Number = "9999" })},
	"ticket.pin":       {pinRequest(func(q *webticket.Request) { q.PIN = "0713" })},
	"ticket.pin-state": {pinOf("1221", "1111"), pinOf("1222", "3864"), pinOf("1223", "8205"), expired},
	"ticket.claim":     {pinRequest(func(q *webticket.Request) { q.SIPAddress = "sip:second@litwareinc.com" })},

	"ticket.login": {
		windows("", "", ""), byBasic(windows("", "", "")), authorized("Basic TElUV0FSRVxrZW5teWVyOkxpdHdhcmUtMjAxMw=="),
		byBasic(authorized("NTLM " + base64.StdEncoding.EncodeToString(negotiateMessage(sipeFlags)))), authorized("Negotiate YII="),
	},
	"ticket.ntlm-message": {
		authorized("NTLM"), authorized("NTLM *"), authorized("NTLM YII="), ntlmMessage(ntlm.Challenge{Flags: ntlm.Unicode}),
		ntlmMessage(ntlm.Negotiate{Flags: ntlm.NTLM}),
		answered(func(a *ntlm.Authenticate) { a.NTResponse = a.NTResponse[:40] }),
	},
	"ticket.ntlm-order":   {ntlmMessage(ntlm.Authenticate{Flags: ntlm.Unicode}), onAnotherConnection, answeredTwice},
	"ticket.ntlm-version": {answered(func(a *ntlm.Authenticate) { a.NTResponse = a.NTResponse[:24] }), answered(func(a *ntlm.Authenticate) { a.NTResponse = nil })},
	"ticket.ntlm-anonymous": {
		answered(func(a *ntlm.Authenticate) { a.Flags |= ntlm.Anonymous }),
		answered(func(a *ntlm.Authenticate) { a.User, a.NTResponse, a.LMResponse = "", nil, []byte{0} }),
	},
	"ticket.ntlm-mic": {answered(func(a *ntlm.Authenticate) { a.MIC[0] ^= 1 }), answered(func(a *ntlm.Authenticate) { a.Workstation = "OTHER" })},
	"ticket.password": {
		windows(`LITWARE\kenmyer`, "wrong", ""), windows(`LITWARE\nobody`, "Litware-2013", ""), windows(`OTHER\kenmyer`, "Litware-2013", ""),
		windows("kenmyer@example.com", "Litware-2013", ""), windows(`LITWARE\kenmyer`, "", ""),
		byBasic(windows(`LITWARE\kenmyer`, "wrong", "")), byBasic(windows(`LITWARE\nobody`, "Litware-2013", "")),
		answered(func(a *ntlm.Authenticate) { a.User = "second" }),
	},
	"ticket.enabled":     {windows(`LITWARE\disabled`, "Litware-2017", ""), byBasic(windows(`LITWARE\disabled`, "Litware-2017", ""))},
	"ticket.login-claim": {windows(`LITWARE\kenmyer`, "Litware-2013", "sip:second@litwareinc.com")},

	"ticket.client-certificate": {func(r *room) wrong { return wrong{message: r.certificatePort(kenmyer)} }},
	"ticket.published":          {unpublished, revoked, afterwards, noLongerEnabled},
	"ticket.certificate-claim": {
		func(r *room) wrong { return wrong{r.certificatePort("sip:second@litwareinc.com"), r.enrolled()} },
		func(r *room) wrong { return wrong{r.certificatePort(""), r.enrolled()} },
	},

	"enroll.action":            {enrolMessage(func(m message) message { m.action = `"` + certprov.ActionRootChains + `"`; return m })},
	"enroll.to":                {enrolText("<wsa:To>https://"+host, "<wsa:To>https://other.example.com")},
	"enroll.addressing-action": {enrolText(certprov.ActionEnroll+"</wsa:Action>", certprov.ActionRootChains+"</wsa:Action>")},
	"enroll.security": {
		enrolText(`<Signature xmlns="`+soap.NSSignature+`"><SignedInfo`, `<Other xmlns="`+soap.NSSignature+`"><SignedInfo`,
			"</Signature></wsse:Security>", "</Other></wsse:Security>"),
		enrolText("wsu:Timestamp", "wsu:Time", "</wsu:Timestamp", "</wsu:Time"),
		enrolText("<saml:Assertion", "<saml:Other", "</saml:Assertion", "</saml:Other"),
		enrolText("<wsse:Security>", "<wsse:Other>", "</wsse:Security>", "</wsse:Other>"),
	},
	"enroll.timestamp":      {enrolText(">2013-05-06T07:08:09Z</Created>", ">yesterday</Created>")},
	"enroll.key-identifier": {enrolText(`SAMLAssertionID">SamlSecurityToken`, `SAMLAssertionID">Saml`)},
	"enroll.ticket": {
		enrolText(` AssertionID="SamlSecurityToken`, ` AssertionID="Saml`, `SAMLAssertionID">SamlSecurityToken`, `SAMLAssertionID">Saml`),
	},
	"enroll.audience":  {otherAudience},
	"enroll.reference": {enrolText(`URI="#timestamp"`, `URI="#body"`), enrolText(`wsu:Id="timestamp"`, `wsu:Id=""`)},
	"enroll.algorithm": {
		enrolText("xmldsig#hmac-sha1", "xmldsig#rsa-sha1"), enrolText("xmldsig#sha1", "xmldsig#sha256"),
		enrolText(`CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#`, `CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315`),
	},
	"enroll.digest":    {enrolText("T15:08:09Z</Expires>", "T16:08:09Z</Expires>")},
	"enroll.signature": {enrolWith(func(_ *room, e *enrolment) { e.key = make([]byte, 32) }), enrolText("</SignedInfo><SignatureValue>", "</SignedInfo><SignatureValue>*")},
	"enroll.expires":   {enrolWith(func(r *room, _ *enrolment) { r.add(8*time.Hour + time.Second) }), longerThanGranted},
	"enroll.created":   {enrolWith(func(r *room, _ *enrolment) { r.add(-5*time.Minute - time.Second) })},
	"enroll.assertion": {enrolText("am:password", "am:X509-PKI")},
	"enroll.request": {
		enrolText(`xmlns:wst="`+soap.NSTrustSlash+`"`, `xmlns:wst="`+soap.NSTrust+`"`),
		enrolText("<GetAndPublishCert xmlns", "<GetCert xmlns", "</GetAndPublishCert>", "</GetCert>"),
		enrolText("profile-1.0#X509v3", "profile-1.0#PKCS7"), enrolText("200512/Issue<", "200512/Renew<"),
		enrolText("#PKCS10", "#PKCS7"), enrolText("\r\nMII", "\r\n*MII"),
	},
	"enroll.entity":    {enrolWith(func(_ *room, e *enrolment) { e.Entity = "second@litwareinc.com" })},
	"enroll.device-id": {enrolText(`DeviceId="{`+device+`}"`, `DeviceId="`+device+`"`), enrolText(`DeviceId="{7f`, `DeviceId="{`)},
	"enroll.csr": {
		enrolWith(func(_ *room, e *enrolment) { e.CSR = []byte("no CSR") }),
		enrolWith(func(_ *room, e *enrolment) { e.CSR[len(e.CSR)-1] ^= 1 }), // signature
		enrolWith(func(_ *room, e *enrolment) { e.CSR = ecdsaCSR() }),
		enrolWith(func(r *room, _ *enrolment) { r.webServices(func(w *configs.WebServices) { w.MinCSRKeySize = 2049 }) }),
		enrolWith(func(r *room, _ *enrolment) { r.webServices(func(w *configs.WebServices) { w.MaxCSRKeySize = 2047 }) }),
	},
}

// For each check one wrong message and the documented refusal.
func TestEveryCheckRefusesItsWrongMessage(t *testing.T) {
	for _, c := range Checks() {
		name := c.Stage + "." + c.Name
		if c.Wrong == "" || c.Refusal == "" || c.Source == "" || len(wrongMessages[name]) == 0 {
			t.Errorf("%s: incomplete, or nothing sends its wrong message", name)
		}
		for i, make := range wrongMessages[name] {
			t.Run(name, func(t *testing.T) {
				r := open(t)
				w := make(r)
				if w.by == nil {
					w.by = r.client
				}
				a, err := r.try(w.by, w.message)
				if err != nil {
					t.Fatal(err)
				}
				if got := a.said(); got != c.Refusal {
					t.Errorf("message %d: %s, want %s", i, got, c.Refusal)
				}
				history := r.told()
				if last := history[len(history)-1]; !strings.Contains(last.Text, ": "+name+": ") {
					t.Errorf("message %d: the history ends with %q", i, last.Text)
				}
			})
		}
	}
	if len(wrongMessages) != len(Checks()) {
		t.Errorf("%d kinds of wrong message for %d checks", len(wrongMessages), len(Checks()))
	}
}

func pinMessage(change func(message) message) func(*room) wrong {
	return func(r *room) wrong { return wrong{message: change(r.pin(rst("1219", "0712")))} }
}

func pinRequest(change func(*webticket.Request)) func(*room) wrong {
	return func(r *room) wrong { return wrong{message: r.pin(rst("1219", "0712", change))} }
}

func pinOf(number, pin string) func(*room) wrong {
	return func(r *room) wrong { return wrong{message: r.pin(rst(number, pin))} }
}

func pinText(pairs ...string) func(*room) wrong {
	return func(r *room) wrong { return wrong{message: edited(r.t, r.pin(rst("1219", "0712")), pairs)} }
}

func edited(t *testing.T, m message, pairs []string) message {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		m = m.edit(t, pairs[i], pairs[i+1])
	}
	return m
}

func plainPin(r *room, url string) wrong {
	m := r.pin(rst("1219", "0712"))
	m.url = url
	return wrong{message: m}
}

func transfer(change func(message, *testing.T) message) func(*room) wrong {
	return func(r *room) wrong {
		service := webURL("/WebTicket/WebTicketService.svc")
		return wrong{message: change(post(service+"/mex", soap.ActionTransferGet, soap.AppendMetadataRequest(nil, service)), r.t)}
	}
}

func chainOff(r *room) wrong {
	r.webServices(func(w *configs.WebServices) { w.EnableCertChainDownload = false })
	body, err := certprov.RootChainRequest{Operation: certprov.DefaultRootChainOperation.Input}.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, _, ok := certprov.RootChainPort(parseMetadata(r.t, r.mustSend(get(chainURL()+"/mex")).body)); ok {
		r.t.Error("the metadata offers the root chain")
	}
	return wrong{message: post(chainURL(), certprov.ActionRootChains, body)}
}

func p1AtP2(r *room) wrong {
	r.lab.PINForm = "p2"
	return wrong{message: r.pin(rst("1219", "0712"))}
}

func expired(r *room) wrong {
	if err := r.directory.Strike(kenmyer, directory.PINExpired, true); err != nil {
		r.t.Fatal(err)
	}
	return wrong{message: r.pin(rst("1219", "0712"))}
}

func windows(login, password, claim string) func(*room) wrong {
	return func(r *room) wrong {
		return wrong{message: r.windowsPort(login, password, claim)}
	}
}

func (r *room) windowsPort(login, password, claim string) message {
	r.t.Helper()
	m := r.pin(rst("", "", func(q *webticket.Request) { q.SIPAddress = claim }))
	m.url, m.login, m.password = webURL("/WebTicket/WebTicketService.svc"), login, password
	return m
}

// enrolled is a handset with the certificate that it enrolled as TLS client certificate.
func (r *room) enrolled() *http.Client {
	r.t.Helper()
	a, err := certprov.ParseResponse(r.mustSend(r.enrol(r.enrolment(r.ticket("1219", "0712")))).body)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.withCertificate(a.Certificate)
}

func (r *room) withCertificate(der []byte) *http.Client {
	client := r.handset(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: handsetKey()})
	r.t.Cleanup(client.CloseIdleConnections)
	return client
}

func unpublished(r *room) wrong {
	der, err := certprov.NewCSR(handsetKey(), "kenmyer@litwareinc.com", true)
	if err != nil {
		r.t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		r.t.Fatal(err)
	}
	certificate, err := r.authority.IssueClient(csr, "kenmyer@litwareinc.com", kenmyer, device, time.Hour)
	if err != nil {
		r.t.Fatal(err)
	}
	return wrong{r.certificatePort(kenmyer), r.withCertificate(certificate)}
}

func revoked(r *room) wrong {
	by := r.enrolled()
	r.authority.Revoke(kenmyer, "")
	return wrong{r.certificatePort(kenmyer), by}
}

func afterwards(r *room) wrong {
	r.webServices(func(w *configs.WebServices) { w.CertificateHours = 8 })
	by := r.enrolled()
	r.add(9 * time.Hour)
	return wrong{r.certificatePort(kenmyer), by}
}

func noLongerEnabled(r *room) wrong {
	by := r.enrolled()
	if err := r.directory.Disable(kenmyer); err != nil {
		r.t.Fatal(err)
	}
	return wrong{r.certificatePort(kenmyer), by}
}

func enrolMessage(change func(message) message) func(*room) wrong {
	return func(r *room) wrong { return wrong{message: change(r.enrol(r.enrolment(r.ticket("1219", "0712"))))} }
}

func enrolText(pairs ...string) func(*room) wrong {
	return enrolMessageOf(func(r *room, m message) message { return edited(r.t, m, pairs) })
}

func enrolMessageOf(change func(*room, message) message) func(*room) wrong {
	return func(r *room) wrong {
		return wrong{message: change(r, r.enrol(r.enrolment(r.ticket("1219", "0712"))))}
	}
}

func enrolWith(change func(*room, *enrolment)) func(*room) wrong {
	return func(r *room) wrong {
		e := r.enrolment(r.ticket("1219", "0712"))
		change(r, &e)
		return wrong{message: r.enrol(e)}
	}
}

// otherAudience enrols with a ticket for another service of the pool.
func otherAudience(r *room) wrong {
	m := r.pin(rst("1219", "0712", func(q *webticket.Request) { q.AppliesTo = webURL("/groupexpansion/service.svc") }))
	ticket, err := webticket.ParseResponse(r.mustSend(m).body)
	if err != nil {
		r.t.Fatal(err)
	}
	return wrong{message: r.enrol(r.enrolment(ticket))}
}

// longerThanGranted signs a timestamp that outlives the ticket.
func longerThanGranted(r *room) wrong {
	e := r.enrolment(r.ticket("1219", "0712"))
	e.ticket.LifetimeInner = webticket.Lifetime(e.ticket.Created, e.ticket.Expires.Add(time.Hour))
	r.add(8*time.Hour + time.Second)
	return wrong{message: r.enrol(e)}
}

func ecdsaCSR() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		panic(err)
	}
	return der
}

// A key as small as MinCSRKeySize and as large as MaxCSRKeySize is allowed.
func TestKeySizesUpToTheLimits(t *testing.T) {
	for _, bits := range []int{1024, 2048} {
		r := open(t, func(l *configs.Lab, _ *Config) {
			l.WebServices.MinCSRKeySize, l.WebServices.MaxCSRKeySize = bits, bits
		})
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		e := r.enrolment(r.ticket("1219", "0712"))
		if e.CSR, err = certprov.NewCSR(key, "kenmyer@litwareinc.com", false); err != nil {
			t.Fatal(err)
		}
		if a := r.send(r.enrol(e)); a.said() != "HTTP 200" {
			t.Errorf("%d bits: %s", bits, a.said())
		}
	}
}

func sized(n int) []byte {
	head, tail := "<a>", "</a>"
	return []byte(head + strings.Repeat("x", n-len(head)-len(tail)) + tail)
}

func nested(n int) []byte { return []byte(strings.Repeat("<a>", n) + strings.Repeat("</a>", n)) }

// At its bounds a document is read: what is refused is that it is no request.
func TestDocumentsAtTheBoundsAreRead(t *testing.T) {
	r := open(t)
	for name, body := range map[string][]byte{"size": sized(soap.MaxSize), "depth": nested(soap.MaxDepth)} {
		if a := r.send(post(pinURL(), webticket.Action, body)); a.said() != "HTTP 500, fault InvalidRequest" {
			t.Errorf("%s: %s", name, a.said())
		}
	}
}
