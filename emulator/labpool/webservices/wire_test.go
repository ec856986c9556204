package webservices

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// The documents of web-services.md, whole.
const (
	// §3.2, P1.
	documentRST = `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"
    xmlns:auth="http://schemas.xmlsoap.org/ws/2006/12/authorization"
    xmlns:wsa="http://www.w3.org/2005/08/addressing"
    xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"
    xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
    xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
    xmlns:wst="http://docs.oasis-open.org/ws-sx/ws-trust/200512">
  <soap:Header>
    <wsse:Security soap:mustUnderstand="1">
      <wsse:UsernameToken>
        <wsse:Username>%s</wsse:Username>
        <wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">%s</wsse:Password>
      </wsse:UsernameToken>
    </wsse:Security>
  </soap:Header>
  <soap:Body>
    <wst:RequestSecurityToken Context="7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10">
      <wst:TokenType>http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1</wst:TokenType>
      <wst:RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</wst:RequestType>
      <wsp:AppliesTo>
        <wsa:EndpointReference>
          <wsa:Address>https://pool.example.com/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1</wsa:Address>
        </wsa:EndpointReference>
      </wsp:AppliesTo>
      <!-- only when the SIP URI is already known (re-enrolment):
      <wst:Claims Dialect="urn:component:Microsoft.Rtc.WebAuthentication.2010:authclaims">
        <auth:ClaimType Uri="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri" Optional="false">
          <auth:Value>sip:alice@example.com</auth:Value>
        </auth:ClaimType>
      </wst:Claims> -->
      <wst:Entropy><wst:BinarySecret>AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=</wst:BinarySecret></wst:Entropy>
      <wst:KeyType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/SymmetricKey</wst:KeyType>
    </wst:RequestSecurityToken>
  </soap:Body>
</soap:Envelope>
`

	// §4.3; the CSR is ours.
	documentEnrol = `<?xml version="1.0"?>
<soap:Envelope xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wst="http://docs.oasis-open.org/ws-sx/ws-trust/200512" xmlns:auth="http://schemas.xmlsoap.org/ws/2006/12/authorization" xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy" xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">
  <soap:Header>
    <wsa:To>https://pool.example.com/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1</wsa:To>
    <wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address></wsa:ReplyTo>
    <wsa:MessageID>uuid:0f4f3a0e-52a9-5b5e-8d6f-7f0e2d7d9a01</wsa:MessageID>
    <wsa:Action>http://schemas.microsoft.com/OCS/AuthWebServices/GetAndPublishCert</wsa:Action>
    <wsse:Security><wsu:Timestamp xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" wsu:Id="timestamp"><Created xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">2012-01-02T03:04:05Z</Created><Expires xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">2012-01-02T11:04:05Z</Expires></wsu:Timestamp>%s<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></CanonicalizationMethod><SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"></SignatureMethod><Reference URI="#timestamp"><Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms><DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod><DigestValue>ckuQiZMLD9RjrcnZ1rdNbeYEpSc=</DigestValue></Reference></SignedInfo><SignatureValue>I+c5OF2E52lPIYz/pPvN39nIjHo=</SignatureValue><KeyInfo><wsse:SecurityTokenReference wsse:TokenType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"><wsse:KeyIdentifier ValueType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID">SamlSecurityToken-5d0f1c1e-3c0b-4a55-8c39-1b8f5e0f9a11</wsse:KeyIdentifier></wsse:SecurityTokenReference></KeyInfo></Signature></wsse:Security>
  </soap:Header>
  <soap:Body>
    <GetAndPublishCert xmlns="http://schemas.microsoft.com/OCS/AuthWebServices/" xmlns:wst="http://docs.oasis-open.org/ws-sx/ws-trust/200512/" xmlns:wstep="http://schemas.microsoft.com/windows/pki/2009/01/enrollment" DeviceId="{7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10}" Entity="alice@example.com">
      <wst:RequestSecurityToken>
        <wst:TokenType>http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3</wst:TokenType>
        <wst:RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</wst:RequestType>
        <wsse:BinarySecurityToken ValueType="http://schemas.microsoft.com/OCS/AuthWebServices.xsd#PKCS10" EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#Base64Binary">%s</wsse:BinarySecurityToken>
        <wstep:RequestID>27bc7543-8c9b-54a4-9d3f-67bfe8a461ea</wstep:RequestID>
      </wst:RequestSecurityToken>
    </GetAndPublishCert>
  </soap:Body>
</soap:Envelope>
`

	// §3.3, with the comment that stands for the server's signature.
)

// examplePool is pool.example.com with alice, number 4034 and PIN 73915, as the documents have them.
func examplePool(t *testing.T, settings ...setting) *room {
	t.Helper()
	return open(t, append(settings, func(l *configs.Lab, c *Config) {
		c.Host = "pool.example.com"
		l.Users = []configs.User{{SIPAddress: "sip:alice@example.com", LineURI: "tel:+15555554034;ext=4034", PIN: "73915", Enabled: true}}
	})...)
}

func TestTheDocumentOfAPINRequest(t *testing.T) {
	for form, credentials := range map[string][2]string{"p1": {"4034", "73915"}, "p2": {"NDAzNA==", "NzM5MTU="}} {
		r := examplePool(t, func(l *configs.Lab, _ *Config) { l.PINForm = form })
		r.client.Transport.(*http.Transport).TLSClientConfig.VerifyConnection = nil
		body := fmt.Sprintf(documentRST, credentials[0], credentials[1])
		a := r.mustSend(post("https://pool.example.com/WebTicket/WebTicketService.svc/pin", webticket.Action, []byte(body)))
		ticket, err := webticket.ParseResponse(a.body)
		if err != nil || ticket.SIPAddress != "sip:alice@example.com" || ticket.Context != device {
			t.Errorf("%s: ticket %v, %v", form, ticket, err)
		}
	}
}

// The document of §4.3 with the entropies, digest and signature of the test vector in §4.2.
func TestTheDocumentOfAnEnrolment(t *testing.T) {
	r := examplePool(t)
	r.client.Transport.(*http.Transport).TLSClientConfig.VerifyConnection = nil
	r.set(time.Date(2012, 1, 2, 3, 4, 5, 0, time.UTC))
	client, server := make([]byte, 32), make([]byte, 32)
	for i := range client {
		client[i], server[i] = byte(i), byte(32+i)
	}
	const url = "https://pool.example.com/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1"
	assertion, err := r.server.tickets.write(webticket.AssertionFields{ // in place of the document's, whose key nobody has
		ID: "SamlSecurityToken-5d0f1c1e-3c0b-4a55-8c39-1b8f5e0f9a11", SIPAddress: "sip:alice@example.com", Audience: url,
		Created: r.now(), Expires: r.now().Add(8 * time.Hour),
	}, webticket.ProofKey(client, server))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(documentEnrol, assertion, wrappedCSR(t))
	got, err := certprov.ParseResponse(r.mustSend(post(url, certprov.ActionEnroll, []byte(body))).body)
	if err != nil || got.Entity != "alice@example.com" || got.DeviceID != device || got.RequestID != "27bc7543-8c9b-54a4-9d3f-67bfe8a461ea" {
		t.Fatalf("answer %+v, %v", got, err)
	}
	r.add(8*time.Hour + time.Second)
	if a := r.send(post(url, certprov.ActionEnroll, []byte(body))); a.said() != "HTTP 500, fault FailedAuthentication 28020" {
		t.Errorf("after Expires: %s", a.said())
	}
}

// wrappedCSR is a CSR as pidgin-sipe makes it: version field 2, SHA-1, 76 columns that end with CR LF but the last.
func wrappedCSR(t *testing.T) string {
	t.Helper()
	der, err := certprov.NewCSR(handsetKey(), "alice@example.com", true)
	if err != nil {
		t.Fatal(err)
	}
	var csr struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &csr); err != nil {
		t.Fatal(err)
	}
	tbs := bytes.Replace(csr.TBS.FullBytes, []byte{2, 1, 0}, []byte{2, 1, 2}, 1)
	sum := sha1.Sum(tbs)
	signature, err := rsa.SignPKCS1v15(rand.Reader, handsetKey(), crypto.SHA1, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	csr.TBS, csr.Signature = asn1.RawValue{FullBytes: tbs}, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	if der, err = asn1.Marshal(csr); err != nil {
		t.Fatal(err)
	}
	if parsed, err := x509.ParseCertificateRequest(der); err != nil || parsed.Version != 2 || parsed.SignatureAlgorithm != x509.SHA1WithRSA {
		t.Fatalf("CSR version 2: %v", err)
	}
	text := base64.StdEncoding.EncodeToString(der)
	return "\r\n" + regexp.MustCompile(`.{76}`).ReplaceAllString(text, "$0\r\n")
}

// sipeElement finds an element in the bytes as pidgin-sipe does: <Tag anywhere, else :Tag (web-services.md §7.2 item 5).
func sipeElement(t *testing.T, body, tag string) (whole, inner string) {
	t.Helper()
	start := strings.Index(body, "<"+tag)
	prefix := ""
	if start < 0 {
		colon := strings.Index(body, ":"+tag)
		if colon < 0 {
			t.Fatalf("no %s in %s", tag, body)
		}
		start = strings.LastIndexByte(body[:colon], '<')
		prefix = body[start+1 : colon+1]
	}
	closing := "</" + prefix + tag + ">"
	length := strings.Index(body[start:], closing)
	if length < 0 {
		t.Fatalf("no %s in %s", closing, body)
	}
	whole = body[start : start+length+len(closing)]
	return whole, whole[strings.IndexByte(whole, '>')+1 : len(whole)-len(closing)]
}

// The enrolment of an unmodified pidgin-sipe, web-services.md §7.2 items 2 to 8: it hashes what it found in the bytes
// without canonicalising, and its templates are full of blanks.
func TestPidginSipeEnrols(t *testing.T) {
	for switched, offered := range map[string]string{windowsNTLM: ntlmChallenge, windowsBasic: basicChallenge} {
		t.Run(switched, func(t *testing.T) {
			pidginSipeEnrols(t, open(t, func(l *configs.Lab, _ *Config) { l.WebServices.WindowsAuth = switched }), offered)
		})
	}
}

func pidginSipeEnrols(t *testing.T, r *room, offered string) {
	services := parseMetadata(t, r.mustSend(get(webURL("/CertProv/CertProvisioningService.svc/mex"))).body)
	proof, ok := services.Port("certprovisioningservicewebticketproof_sha1")
	if !ok {
		t.Fatal("no proof port")
	}
	tickets := parseMetadata(t, r.mustSend(get(proof.Issuer+"/mex")).body)
	negotiate, ok := tickets.Port("webticketservicewinnegotiate")
	if !ok {
		t.Fatal("no Windows port")
	}

	m := post(negotiate.Location, webticket.Action, []byte(fmt.Sprintf(sipeRST, proof.Location)))
	challenge := r.send(m)
	if challenge.status != http.StatusUnauthorized || strings.Join(challenge.header.Values("WWW-Authenticate"), ",") != offered {
		t.Fatalf("%s, %v", challenge.said(), challenge.header)
	}
	m.login, m.password = "kenmyer", "Litware-2013" // of the account LITWARE\kenmyer
	body := string(r.mustSend(m).body)

	assertion, _ := sipeElement(t, body, "Assertion")
	_, lifetime := sipeElement(t, body, "Lifetime")
	_, secret := sipeElement(t, body, "BinarySecret")
	for _, tag := range []string{"<Lifetime>", "<saml:Assertion ", "<BinarySecret "} {
		if n := strings.Count(body, tag); n != 1 {
			t.Errorf("%d of %s", n, tag)
		}
	}
	entropy, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`AssertionID="([^"]*)"`).FindStringSubmatch(assertion)[1]
	timestamp := `<wsu:Timestamp xmlns:wsu="` + soap.NSUtility + `" wsu:Id="timestamp">` + lifetime + `</wsu:Timestamp>`
	digest := sha1.Sum([]byte(timestamp))
	signedInfo := fmt.Sprintf(sipeSignedInfo, base64.StdEncoding.EncodeToString(digest[:]))
	mac := hmac.New(sha1.New, webticket.ProofKey(bytes.Repeat([]byte{'s'}, 32), entropy))
	mac.Write([]byte(signedInfo))
	security := timestamp + assertion + fmt.Sprintf(sipeSignature, signedInfo, base64.StdEncoding.EncodeToString(mac.Sum(nil)), id)
	enrol := fmt.Sprintf(sipeEnrol, proof.Location, security, wrappedCSR(t))

	got, err := certprov.ParseResponse(r.mustSend(post(proof.Location, certprov.ActionEnroll, []byte(enrol))).body)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(got.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if !certificate.PublicKey.(*rsa.PublicKey).Equal(&handsetKey().PublicKey) || certificate.NotAfter.Before(r.now().Add(time.Hour)) {
		t.Errorf("certificate until %v, or for another key", certificate.NotAfter)
	}
}

// pidgin-sipe's requests: the shapes of web-services.md §3.1, §4.2, §4.3, with blanks between the elements.
const (
	sipeRST = `<?xml version="1.0"?>
<soap:Envelope xmlns:auth="http://schemas.xmlsoap.org/ws/2006/12/authorization" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy" xmlns:wst="http://docs.oasis-open.org/ws-sx/ws-trust/200512">
 <soap:Body> <wst:RequestSecurityToken Context="7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10">
  <wst:TokenType>http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1</wst:TokenType>
  <wst:RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue</wst:RequestType>
  <wsp:AppliesTo> <wsa:EndpointReference> <wsa:Address>%s</wsa:Address> </wsa:EndpointReference> </wsp:AppliesTo>
  <wst:Claims Dialect="urn:component:Microsoft.Rtc.WebAuthentication.2010:authclaims"> <auth:ClaimType Uri="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri" Optional="false"> <auth:Value>sip:kenmyer@litwareinc.com</auth:Value> </auth:ClaimType> </wst:Claims>
  <wst:Entropy> <wst:BinarySecret>c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=</wst:BinarySecret> </wst:Entropy>
  <wst:KeyType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/SymmetricKey</wst:KeyType>
 </wst:RequestSecurityToken> </soap:Body>
</soap:Envelope>`

	sipeSignedInfo = `<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></CanonicalizationMethod><SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"></SignatureMethod><Reference URI="#timestamp"><Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms><DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod><DigestValue>%s</DigestValue></Reference></SignedInfo>`

	sipeSignature = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"> %s <SignatureValue>%s</SignatureValue> <KeyInfo> <wsse:SecurityTokenReference wsse:TokenType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"> <wsse:KeyIdentifier ValueType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID">%s</wsse:KeyIdentifier> </wsse:SecurityTokenReference> </KeyInfo> </Signature>`

	sipeEnrol = `<?xml version="1.0"?>
<soap:Envelope xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">
 <soap:Header> <wsa:To>%s</wsa:To> <wsa:ReplyTo> <wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address> </wsa:ReplyTo>
  <wsa:MessageID>uuid:0f4f3a0e-52a9-5b5e-8d6f-7f0e2d7d9a01</wsa:MessageID>
  <wsa:Action>http://schemas.microsoft.com/OCS/AuthWebServices/GetAndPublishCert</wsa:Action> <wsse:Security>%s</wsse:Security> </soap:Header>
 <soap:Body> <GetAndPublishCert DeviceId="{7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10}" Entity="kenmyer@litwareinc.com" xmlns="http://schemas.microsoft.com/OCS/AuthWebServices/" xmlns:wst="http://docs.oasis-open.org/ws-sx/ws-trust/200512/">
  <wst:RequestSecurityToken> <wst:TokenType>http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3</wst:TokenType>
   <wst:RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue</wst:RequestType>
   <wsse:BinarySecurityToken ValueType="http://schemas.microsoft.com/OCS/AuthWebServices.xsd#PKCS10" EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#Base64Binary"> %s </wsse:BinarySecurityToken>
   <wstep:RequestID xmlns:wstep="http://schemas.microsoft.com/windows/pki/2009/01/enrollment">27bc7543-8c9b-54a4-9d3f-67bfe8a461ea</wstep:RequestID>
  </wst:RequestSecurityToken> </GetAndPublishCert> </soap:Body>
</soap:Envelope>`
)

// Whatever is wrong with number and PIN, one fault answers it, byte for byte the one of web-services.md §3.4 (without
// the blanks of its print).
func TestTheFaultOfAPINFailure(t *testing.T) {
	const fault = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode xmlns:a="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">a:FailedAuthentication</faultcode><faultstring xml:lang="en-US">No valid security token.</faultstring><detail><OCSDiagnosticsFault xmlns="urn:component:Microsoft.Rtc.WebAuthentication.2010" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><Ms-Diagnostics-Fault><ErrorId>28020</ErrorId><Reason>%s</Reason></Ms-Diagnostics-Fault><NameValuePairs xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"/>%s</OCSDiagnosticsFault></detail></s:Fault></s:Body></s:Envelope>`
	expire := func(r *room) {
		if err := r.directory.Strike("sip:second@litwareinc.com", directory.PINExpired, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		number, pin string
		reason      directory.Reason
		text        string
	}{
		{"1219", "0713", directory.IncorrectPIN, "The PIN is wrong."},
		{"9999", "0712", directory.UserDoesNotExist, "No user has this number."},
		{"1221", "0712", directory.PINNotSet, "The PIN is not set."},
		{"1222", "3864", directory.UserPINAccountLocked, "The PIN is locked."},
		{"1223", "8205", directory.UserPINDisabled, "The user is disabled."},
		{"1220", "5937", directory.PINExpired, "The PIN has expired."},
	} {
		for _, verbose := range []bool{false, true} {
			r := open(t, func(l *configs.Lab, _ *Config) { l.WebServices.VerbosePINFailures = verbose })
			expire(r)
			want := fmt.Sprintf(fault, "No valid security token.", "")
			if verbose {
				want = fmt.Sprintf(fault, c.text, fmt.Sprintf(`<LabPinFailureReason xmlns="urn:example:lab">%s</LabPinFailureReason>`, c.reason))
			}
			if a := r.send(r.pin(rst(c.number, c.pin))); a.status != http.StatusInternalServerError || string(a.body) != want {
				t.Errorf("%s, verbose %v: %d\n%s\nwant\n%s", c.reason, verbose, a.status, a.body, want)
			}
		}
	}
}

// A handset that tries P1 and then P2 costs the user one counted attempt for one wrong PIN, whatever the lab's form.
func TestAWrongPINIsCountedOnce(t *testing.T) {
	for _, form := range []string{"p1", "p2"} {
		for pin, want := range map[string]int{"0713": 1, "0712": 0} {
			r := open(t, func(l *configs.Lab, _ *Config) { l.PINForm = form })
			for _, sent := range []webticket.Form{webticket.P1, webticket.P2} {
				r.send(r.pin(rst("12065551219", pin, func(q *webticket.Request) { q.Form = sent })))
			}
			if got := r.directory.Attempts(kenmyer); got != want {
				t.Errorf("lab %s, PIN right: %v: %d attempts counted, want %d", form, want == 0, got, want)
			}
		}
	}
}

// The fault of a user who is not enabled at the Windows port comes with its header, [MS-OCAUTHWS] 3.2.4.1.
func TestTheHeaderOfAUserWhoIsNotEnabled(t *testing.T) {
	r := open(t)
	a := r.send(r.windowsPort(`LITWARE\disabled`, "Litware-2017", ""))
	want := `28000;source="` + host + `";reason="User is not SIP enabled."`
	if got := a.header.Get("X-Ms-diagnostics"); got != want {
		t.Errorf("X-Ms-diagnostics %q, want %q", got, want)
	}
}
