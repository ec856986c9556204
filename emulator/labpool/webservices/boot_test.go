package webservices

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

func parseMetadata(t *testing.T, body []byte) soap.Metadata {
	t.Helper()
	m, err := soap.ParseMetadata(body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The whole way of web-services.md §0.1, every URL from metadata.
func TestAHandsetEnrols(t *testing.T) {
	r := open(t)

	anonymous := parseMetadata(t, r.mustSend(get(chainURL()+"/mex")).body)
	port, operation, ok := certprov.RootChainPort(anonymous)
	if !ok || port.Location != chainURL() {
		t.Fatalf("root chain port %+v, %v", port, ok)
	}
	body, err := certprov.RootChainRequest{Operation: operation.Input}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := certprov.ParseRootChains(r.mustSend(post(port.Location, operation.Action, body)).body)
	if err != nil {
		t.Fatal(err)
	}
	if len(chain) != 1 || !chain[0].Equal(r.authority.Chains()[0][0]) {
		t.Fatalf("chain of %d, want the lab's root", len(chain))
	}

	services := parseMetadata(t, r.mustSend(get(webURL("/CertProv/CertProvisioningService.svc/mex"))).body)
	proof, ok := services.Port(certprov.ProofPortName)
	if !ok || !proof.Proof || proof.Location != proofURL() {
		t.Fatalf("proof port %+v", proof)
	}
	if _, _, ok := certprov.RootChainPort(services); ok {
		t.Error("the root chain is offered over https")
	}
	transfer := post(proof.Issuer+"/mex", soap.ActionTransferGet, soap.AppendMetadataRequest(nil, proof.Issuer))
	transfer.contentType = "application/soap+xml; charset=utf-8"
	answer := r.mustSend(transfer)
	if got := answer.header.Get("Content-Type"); got != "application/soap+xml; charset=utf-8" {
		t.Errorf("metadata Content-Type %q", got)
	}
	pin, err := webticket.PINPort(parseMetadata(t, answer.body))
	if err != nil || pin.Location != pinURL() {
		t.Fatalf("PIN port %+v, %v", pin, err)
	}

	ticket := r.ticket("12065551219", "0712")
	if ticket.SIPAddress != kenmyer || ticket.Context != device || ticket.Audience != proofURL() ||
		ticket.Expires.Sub(ticket.Created) != 8*time.Hour || !ticket.Created.Equal(r.now()) || len(ticket.ServerEntropy) != 32 {
		t.Errorf("ticket %+v", ticket)
	}

	got, err := certprov.ParseResponse(r.mustSend(r.enrol(r.enrolment(ticket))).body)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(got.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if !certificate.PublicKey.(*rsa.PublicKey).Equal(&handsetKey().PublicKey) || certificate.Subject.CommonName != "kenmyer@litwareinc.com" ||
		certificateUser(certificate) != kenmyer || certificate.NotAfter.Sub(r.now()) != 4320*time.Hour || got.RequestID != device || got.DeviceID != device {
		t.Errorf("certificate of %v until %v in answer %+v", certificate.Subject, certificate.NotAfter, got)
	}
	if published, ok := r.authority.Published(kenmyer, device); !ok || !published.Equal(certificate) {
		t.Error("the certificate is not the published one")
	}
}

func TestEveryNumberOfAUserFindsThem(t *testing.T) {
	r := open(t)
	for _, number := range []string{"12065551219", "+12065551219", "1219"} {
		if got := r.ticket(number, "0712").SIPAddress; got != kenmyer {
			t.Errorf("%s: %s", number, got)
		}
	}
	for pin, user := range map[string]string{"4482": "sip:shared-a@litwareinc.com", "7719": "sip:shared-b@litwareinc.com"} {
		if got := r.ticket("12065551230", pin).SIPAddress; got != user {
			t.Errorf("shared number, PIN of %s: %s", user, got)
		}
	}
}

func TestAnswersCarryTheServersHeaders(t *testing.T) {
	r := open(t)
	want := map[string]string{
		"Cache-Control": "private", "Content-Type": "text/xml; charset=utf-8", "X-Ms-Server-Fqdn": host,
		"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Content-Type-Options": "nosniff",
	}
	for _, m := range []message{get(webURL("/CertProv/CertProvisioningService.svc/mex")), r.pin(rst("1219", "9999"))} {
		a := r.send(m)
		for name, value := range want {
			if got := a.header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", m.url, name, got, value)
			}
		}
		if a.header.Get("Content-Encoding") != "" || a.header.Get("Location") != "" {
			t.Errorf("%s: compressed or redirected: %v", m.url, a.header)
		}
	}
}

func TestPathsHaveNoCase(t *testing.T) {
	r := open(t)
	r.mustSend(get(webURL("/certprov/CertprovisioningService.SVC/MEX")))
	body, err := certprov.RootChainRequest{Operation: certprov.DefaultRootChainOperation.Input}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	r.mustSend(post(chainURL()+"/Anon", certprov.ActionRootChains, body))
}

func TestTheRootChainIsAnsweredUnderAnyNameWithRoot(t *testing.T) {
	r := open(t)
	body := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><DownloadRoots xmlns="http://schemas.microsoft.com/OCS/AuthWebServices/"/></s:Body></s:Envelope>`
	a := r.mustSend(post(chainURL(), "http://schemas.microsoft.com/OCS/AuthWebServices/DownloadRoots", []byte(body)))
	if !strings.Contains(string(a.body), "<DownloadRootsResponse ") {
		t.Errorf("answer %s", a.body)
	}
}

func TestMetadataFollowsTheSwitches(t *testing.T) {
	all := []string{webticket.WindowsPortName, webticket.PINPortName, webticket.CertificatePortName}
	for off, change := range map[string]setting{
		"":                            func(*configs.Lab, *Config) {},
		webticket.PINPortName:         func(l *configs.Lab, _ *Config) { l.WebServices.UsePINAuth = false },
		webticket.CertificatePortName: func(l *configs.Lab, _ *Config) { l.WebServices.UseCertificateAuth = false },
		webticket.WindowsPortName:     func(l *configs.Lab, _ *Config) { l.WebServices.WindowsAuth = windowsOff },
	} {
		r := open(t, change)
		if off == webticket.WindowsPortName {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				m := message{method: method, url: webURL("/WebTicket/WebTicketService.svc")}
				if a := r.send(m); a.status != http.StatusNotFound {
					t.Errorf("%s at the Windows port that is off: %s", method, a.said())
				}
			}
		}
		m := parseMetadata(t, r.mustSend(get(webURL("/WebTicket/WebTicketService.svc/mex"))).body)
		for _, name := range all {
			port, ok := m.Port(name)
			if ok == (name == off) {
				t.Errorf("without %q: port %s there: %v", off, name, ok)
			}
			if !ok {
				port.Location = map[string]string{
					webticket.PINPortName: pinURL(), webticket.CertificatePortName: webURL("/WebTicket/WebTicketService.svc/cert"),
					webticket.WindowsPortName: webURL("/WebTicket/WebTicketService.svc"),
				}[name]
				m := r.pin(rst("1219", "0712"))
				m.url = port.Location
				if a := r.send(m); a.status != http.StatusNotFound {
					t.Errorf("without %q: %s", off, a.said())
				}
			}
		}
	}
}

// The claim of the user's own SIP address is accepted, in any case.
func TestTheRightClaim(t *testing.T) {
	r := open(t)
	r.mustSend(r.pin(rst("1219", "0712", func(q *webticket.Request) { q.SIPAddress = "sip:KenMyer@litwareinc.com" })))
}

// A certificate that was enrolled gets the next ticket without a PIN.
func TestThePublishedCertificateGetsATicket(t *testing.T) {
	r := open(t)
	a, err := certprov.ParseResponse(r.mustSend(r.enrol(r.enrolment(r.ticket("1219", "0712")))).body)
	if err != nil {
		t.Fatal(err)
	}
	client := r.handset(tls.Certificate{Certificate: [][]byte{a.Certificate}, PrivateKey: handsetKey()})
	defer client.CloseIdleConnections()
	again, err := r.try(client, r.certificatePort(kenmyer))
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := webticket.ParseResponse(again.body)
	if err != nil || ticket.SIPAddress != kenmyer {
		t.Fatalf("%s: ticket for %q, %v", again.said(), ticket.SIPAddress, err)
	}
	r.mustSend(r.enrol(r.enrolment(ticket)))
}

func (r *room) certificatePort(claim string) message {
	m := r.pin(rst("", "", func(q *webticket.Request) { q.SIPAddress = claim }))
	m.url = webURL("/WebTicket/WebTicketService.svc/cert")
	return m
}

func TestTLSFollowsTheLab(t *testing.T) {
	for _, c := range []struct {
		min, max string
		version  uint16
		suite    uint16
		ok       bool
	}{
		{"1.0", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true},
		{"1.0", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, true},
		{"1.0", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_RC4_128_SHA, true},
		{"1.0", "1.2", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true},
		{"1.0", "1.2", tls.VersionTLS11, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true},
		{"1.0", "1.2", tls.VersionTLS13, 0, false},
		{"1.0", "1.3", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true},
		{"1.0", "1.3", tls.VersionTLS13, 0, true},
		{"1.2", "1.3", tls.VersionTLS11, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false},
		{"1.3", "1.3", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false},
		{"1.3", "1.3", tls.VersionTLS13, 0, true},
		{"1.2", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false},
	} {
		r := open(t, func(l *configs.Lab, _ *Config) { l.TLSMin, l.TLSMax = c.min, c.max })
		config := r.client.Transport.(*http.Transport).TLSClientConfig
		config.MinVersion, config.MaxVersion, config.CipherSuites = c.version, c.version, []uint16{c.suite}
		_, err := r.try(r.client, get(webURL("/CertProv/CertProvisioningService.svc/mex")))
		if (err == nil) != c.ok {
			t.Errorf("lab %s to %s, handset %s %s: %v", c.min, c.max, tls.VersionName(c.version), tls.CipherSuiteName(c.suite), err)
		}
	}
}

func TestALabWithAnUnknownTLSVersionDoesNotStart(t *testing.T) {
	for _, lab := range []*configs.Lab{{TLSMin: "0.9", TLSMax: "1.2"}, {TLSMin: "1.2", TLSMax: "1.0"}} {
		if _, err := Start(Config{Lab: lab}); err == nil {
			t.Errorf("TLS %s to %s started", lab.TLSMin, lab.TLSMax)
		}
	}
}
