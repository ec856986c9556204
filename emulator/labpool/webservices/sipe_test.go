package webservices

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// What pidgin-sipe takes out of answers, in its own way: web-services.md §7.2 with the paths of sip.md §7.2.

// path finds an element as sipe does: the first child of each local name, case counts, prefixes do not.
func path(t *testing.T, body []byte, names ...string) *etree.Element {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(body); err != nil {
		t.Fatal(err)
	}
	at := doc.Root()
	for _, name := range names {
		var next *etree.Element
		for _, child := range at.ChildElements() {
			if child.Tag == name {
				next = child
				break
			}
		}
		if next == nil {
			t.Fatalf("no %s of %v in %s", name, names, body)
		}
		at = next
	}
	return at
}

// port is the location of a port in metadata.
func port(t *testing.T, body []byte, name string) string {
	t.Helper()
	for _, p := range path(t, body, "service").ChildElements() {
		if p.Tag != "port" || !strings.EqualFold(p.SelectAttrValue("name", ""), name) {
			continue
		}
		for _, child := range p.ChildElements() {
			if child.Tag == "address" {
				return child.SelectAttrValue("location", "")
			}
		}
	}
	t.Fatalf("no port %s", name)
	return ""
}

func TestWhatSipeFindsInMetadata(t *testing.T) {
	r := open(t)
	body := r.mustSend(get(webURL("/CertProv/CertProvisioningService.svc/mex"))).body
	if root := path(t, body); root.Tag != "definitions" {
		t.Errorf("root %s", root.Tag)
	}
	if got := port(t, body, "CertProvisioningServiceWebTicketProof_SHA1"); got != proofURL() {
		t.Errorf("proof port at %s", got)
	}
	issuer := ""
	for _, policy := range path(t, body).ChildElements() {
		if policy.Tag == "Policy" && policy.SelectAttrValue("Id", "") == "CertProvisioningServiceWebTicketProof_SHA1_policy" {
			inner := etree.NewDocumentWithRoot(policy.Copy())
			text, err := inner.WriteToBytes()
			if err != nil {
				t.Fatal(err)
			}
			issuer = strings.TrimSpace(path(t, text, "ExactlyOne", "All", "EndorsingSupportingTokens", "Policy", "IssuedToken", "Issuer", "Address").Text())
		}
	}
	if issuer != webURL("/WebTicket/WebTicketService.svc") {
		t.Errorf("issuer %q", issuer)
	}
	if got := port(t, r.mustSend(get(issuer+"/mex")).body, "WebTicketServiceWinNegotiate"); got != issuer {
		t.Errorf("Windows port at %s", got)
	}
}

func TestWhatSipeFindsInATicket(t *testing.T) {
	r := open(t)
	before := r.now()
	raw := r.mustSend(r.windowsPort(`LITWARE\kenmyer`, "Litware-2013", "")).body
	body := string(raw)

	// Each name once in the way that sipe looks for it: <Tag anywhere, else :Tag.
	for _, forbidden := range []string{"<Assertion", "<saml:Lifetime", ":Lifetime", ":BinarySecret"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("%s is in the way: %s", forbidden, body)
		}
	}
	for _, once := range []string{"<Lifetime", "<BinarySecret", ":Assertion ", `AssertionID="`} {
		if n := strings.Count(body, once); n != 1 {
			t.Errorf("%s is there %d times", once, n)
		}
	}
	assertion, _ := sipeElement(t, body, "Assertion")
	if !regexp.MustCompile(`^<saml:Assertion [^>]*AssertionID="[^"]+"`).MatchString(assertion) {
		t.Errorf("assertion %s", assertion)
	}
	// Of its own: no prefix is declared further out.
	var prefixes []string
	decoder := xml.NewDecoder(strings.NewReader(assertion))
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && !strings.Contains(e.Name.Space, ":") {
			prefixes = append(prefixes, e.Name.Space) // encoding/xml leaves an unknown prefix as it is
		}
	}
	if len(prefixes) > 0 {
		t.Errorf("prefixes %v are not declared in %s", prefixes, assertion)
	}

	// The raw text is what canonicalisation makes of it.
	_, lifetime := sipeElement(t, body, "Lifetime")
	timestamp := `<wsu:Timestamp xmlns:wsu="` + soap.NSUtility + `" wsu:Id="timestamp">` + lifetime + `</wsu:Timestamp>`
	doc, err := soap.Parse([]byte(timestamp))
	if err != nil {
		t.Fatal(err)
	}
	if form, err := soap.Canonicalize(doc.Root()); err != nil || string(form) != timestamp {
		t.Errorf("timestamp\n%s\ncanonical\n%s, %v", timestamp, form, err)
	}
	_, text := sipeElement(t, body, "Expires")
	if expires, err := time.Parse(time.RFC3339, text); err != nil || !strings.HasSuffix(text, "Z") || expires.Before(before.Add(time.Minute)) {
		t.Errorf("Expires %q", text)
	}
	_, secret := sipeElement(t, body, "BinarySecret")
	if entropy, err := base64.StdEncoding.DecodeString(secret); err != nil || len(entropy) != 32 {
		t.Errorf("entropy %q", secret)
	}
}

func TestWhatSipeFindsInAnEnrolment(t *testing.T) {
	r := open(t)
	body := r.mustSend(r.enrol(r.enrolment(r.ticket("1219", "0712")))).body
	token := path(t, body, "Body", "GetAndPublishCertResponse", "RequestSecurityTokenResponse", "RequestedSecurityToken", "BinarySecurityToken")
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(token.Text()), ""))
	if err != nil {
		t.Fatal(err)
	}
	if published, ok := r.authority.Published(kenmyer, device); !ok || !bytes.Equal(published.Raw, der) || published.NotAfter.Before(r.now().Add(time.Hour)) {
		t.Errorf("not the published certificate, or over within the hour: %v", ok)
	}
}

// Whatever sipe asks for is answered 200 but for the challenge: no redirect, no compression though it is offered, and
// the connection stays unless the answer says otherwise.
func TestSipeIsAnsweredPlainly(t *testing.T) {
	r := open(t, func(l *configs.Lab, _ *Config) { l.WebServices.WindowsAuth = windowsBasic })
	ticket := r.windowsPort(`LITWARE\kenmyer`, "Litware-2013", "")
	anonymous := r.windowsPort("", "", "")
	for name, c := range map[string]struct {
		m      message
		status int
	}{
		"metadata of provisioning": {get(webURL("/CertProv/CertProvisioningService.svc/mex")), http.StatusOK},
		"metadata of tickets":      {get(webURL("/WebTicket/WebTicketService.svc/mex")), http.StatusOK},
		"ticket without a login":   {anonymous, http.StatusUnauthorized},
		"ticket":                   {ticket, http.StatusOK},
		"enrolment":                {r.enrol(r.enrolment(r.ticket("1219", "0712"))), http.StatusOK},
		"another path":             {get(webURL("/CertProv//CertProvisioningService.svc/../x")), http.StatusNotFound},
		"a slash more":             {get(webURL("/CertProv/CertProvisioningService.svc/mex/")), http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(c.m.method, c.m.url, bytes.NewReader(c.m.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept-Encoding", "gzip, deflate")
			if c.m.method == http.MethodPost {
				request.Header["SOAPAction"] = []string{c.m.action}
				request.Header.Set("Content-Type", c.m.contentType)
			}
			if c.m.login != "" {
				request.SetBasicAuth(c.m.login, c.m.password)
			}
			response, err := r.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			h := response.Header
			if response.StatusCode != c.status || h.Get("Content-Encoding") != "" || h.Get("Location") != "" || response.Close {
				t.Errorf("HTTP %d, %v, close %v", response.StatusCode, h, response.Close)
			}
			want := ""
			if c.status == http.StatusUnauthorized {
				want = basicChallenge
			}
			if got := strings.Join(h.Values("WWW-Authenticate"), ", "); got != want {
				t.Errorf("challenge %q, want %q", got, want)
			}
		})
	}
}

// Without a login a lab with NTLM offers that, and says nothing of Negotiate, which pidgin-sipe would try first. The
// message is pidgin-sipe's (peers/sipe/transcript-full-signin.txt).
func TestSipeIsOfferedNTLM(t *testing.T) {
	r := open(t)
	m := r.windowsPort("", "", "")
	for authorization, want := range map[string]string{
		"": `^NTLM$`, "NTLM TlRMTVNTUAABAAAABYKIogAAAAAoAAAAAAAAACgAAAAFASgKAAAADw==": `^NTLM TlRMTVNTUAACAAAA[A-Za-z0-9+/]+=*$`,
	} {
		m.authorization = authorization
		a := r.send(m)
		if got := a.header.Values("WWW-Authenticate"); a.status != http.StatusUnauthorized || len(got) != 1 || !regexp.MustCompile(want).MatchString(got[0]) {
			t.Errorf("%q is answered %s with %q, want %s", authorization, a.said(), got, want)
		}
	}
}

// An entity with and without sip:, in any case, is the same user; so is a device in any case.
func TestWhatSipeCallsTheUser(t *testing.T) {
	for _, entity := range []string{"kenmyer@litwareinc.com", "sip:kenmyer@litwareinc.com", "SIP:KenMyer@LitwareInc.com"} {
		r := open(t)
		e := r.enrolment(r.ticket("1219", "0712"))
		e.Entity, e.DeviceID = entity, strings.ToUpper(device)
		if _, err := certprov.ParseResponse(r.mustSend(r.enrol(e)).body); err != nil {
			t.Errorf("%s: %v", entity, err)
		}
		if _, ok := r.authority.Published(kenmyer, device); !ok {
			t.Errorf("%s: nothing is published", entity)
		}
	}
}

// The RST may claim the user's own address, or none (the Windows port knows who logged in).
func TestWhatSipeClaims(t *testing.T) {
	r := open(t)
	for _, claim := range []string{"", kenmyer, "kenmyer@litwareinc.com"} {
		ticket, err := webticket.ParseResponse(r.mustSend(r.windowsPort(`LITWARE\kenmyer`, "Litware-2013", claim)).body)
		if err != nil || ticket.SIPAddress != kenmyer {
			t.Errorf("claim %q: %s, %v", claim, fmt.Sprint(ticket.SIPAddress), err)
		}
	}
}
