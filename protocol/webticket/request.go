// Package webticket is the web ticket service of [MS-OCAUTHWS] 3.2: the request with number and PIN, the ticket, and the
// service's metadata.
package webticket

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/protocol/soap"
)

// Action is the SOAPAction of the request.
const Action = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"

const (
	requestType  = "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue" // 2005/02 inside a 200512 request, as real ones have it
	keySymmetric = soap.NSTrust + "/SymmetricKey"
	claimURI     = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri"
	dialect      = soap.NSWebAuth + ":authclaims"
	passwordText = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
)

// Form is how number and PIN are written in the UsernameToken; no primary source tells which one the PIN port takes
// (web-services.md §3.2, inferred).
type Form string

// The two forms.
const (
	P1 Form = "p1" // as text
	P2 Form = "p2" // base64 of the UTF-8 text, as on the /Auth port
)

// ErrRequest is wrapped by errors about a request that is no usable RequestSecurityToken.
var ErrRequest = errors.New("not a web ticket request")

// Request is a RequestSecurityToken. In one that was parsed, Number and PIN are the text of the UsernameToken as it
// stands; Decode reads them in a form.
type Request struct {
	Number, PIN        string // empty: no UsernameToken
	Form               Form
	Context, AppliesTo string
	Entropy            []byte
	SIPAddress         string // claim claims/uri, "" if there is none
	TokenType          string // of a parsed request
	RequestType        string // of a parsed request
	KeyType            string // of a parsed request
}

// String masks number and PIN.
func (r Request) String() string { return "web ticket request for " + r.AppliesTo }

// Append writes the request (web-services.md §3.2).
func (r Request) Append(b []byte) ([]byte, error) {
	if r.AppliesTo == "" || len(r.Entropy) == 0 {
		return nil, fmt.Errorf("%w: it needs AppliesTo and entropy", ErrRequest)
	}
	token, err := r.usernameToken()
	if err != nil {
		return nil, err
	}
	claims := ""
	if r.SIPAddress != "" {
		claims = fmt.Sprintf(`<wst:Claims Dialect="%s"><auth:ClaimType Uri="%s" Optional="false"><auth:Value>%s</auth:Value></auth:ClaimType></wst:Claims>`,
			dialect, claimURI, soap.Escape(r.SIPAddress))
	}
	return fmt.Appendf(b, `<soap:Envelope xmlns:soap="%s" xmlns:auth="%s" xmlns:wsa="%s" xmlns:wsp="%s" xmlns:wsse="%s" xmlns:wsu="%s" xmlns:wst="%s">`+
		`%s<soap:Body><wst:RequestSecurityToken Context="%s"><wst:TokenType>%s</wst:TokenType><wst:RequestType>%s</wst:RequestType>`+
		`<wsp:AppliesTo><wsa:EndpointReference><wsa:Address>%s</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>%s`+
		`<wst:Entropy><wst:BinarySecret>%s</wst:BinarySecret></wst:Entropy><wst:KeyType>%s</wst:KeyType></wst:RequestSecurityToken></soap:Body></soap:Envelope>`,
		soap.NSEnvelope11, soap.NSAuth, soap.NSAddressing, soap.NSPolicy, soap.NSSecurity, soap.NSUtility, soap.NSTrust,
		token, soap.Escape(r.Context), soap.TokenSAML11, requestType, soap.Escape(r.AppliesTo), claims,
		base64.StdEncoding.EncodeToString(r.Entropy), keySymmetric), nil
}

func (r Request) usernameToken() (string, error) {
	if r.Number == "" && r.PIN == "" {
		return "", nil
	}
	number, pin := r.Number, r.PIN
	switch r.Form {
	case P1:
	case P2:
		number, pin = base64.StdEncoding.EncodeToString([]byte(number)), base64.StdEncoding.EncodeToString([]byte(pin))
	default:
		return "", fmt.Errorf("%w: PIN form %q", ErrRequest, r.Form)
	}
	return fmt.Sprintf(`<soap:Header><wsse:Security soap:mustUnderstand="1"><wsse:UsernameToken><wsse:Username>%s</wsse:Username>`+
		`<wsse:Password Type="%s">%s</wsse:Password></wsse:UsernameToken></wsse:Security></soap:Header>`,
		soap.Escape(number), passwordText, soap.Escape(pin)), nil
}

// ParseRequest reads a request, of a handset or of a client that authenticates by HTTP.
func ParseRequest(b []byte) (Request, error) {
	doc, err := soap.Parse(b)
	if err != nil {
		return Request{}, err
	}
	return ReadRequest(doc)
}

// ReadRequest reads a request that was parsed.
func ReadRequest(doc *etree.Document) (Request, error) {
	var r Request
	body, err := soap.Body(doc)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	rst := soap.Child(body, "RequestSecurityToken")
	if rst == nil || rst.NamespaceURI() != soap.NSTrust {
		return r, fmt.Errorf("%w: no RequestSecurityToken of %s in the body", ErrRequest, soap.NSTrust)
	}
	r.Context = soap.Attr(rst, "Context")
	r.TokenType, r.RequestType, r.KeyType = soap.Text(soap.Child(rst, "TokenType")), soap.Text(soap.Child(rst, "RequestType")), soap.Text(soap.Child(rst, "KeyType"))
	r.AppliesTo = soap.Text(soap.Path(rst, "AppliesTo", "EndpointReference", "Address"))
	if r.Entropy, err = base64.StdEncoding.DecodeString(soap.Text(soap.Path(rst, "Entropy", "BinarySecret"))); err != nil {
		return r, fmt.Errorf("%w: entropy: %w", ErrRequest, err)
	}
	for _, claim := range soap.FindAll(soap.Child(rst, "Claims"), "ClaimType") {
		if soap.Attr(claim, "Uri") == claimURI {
			r.SIPAddress = soap.Text(soap.Child(claim, "Value"))
			break
		}
	}
	if token := soap.Find(soap.Child(doc.Root(), "Header"), "UsernameToken"); token != nil {
		r.Number, r.PIN = soap.Text(soap.Child(token, "Username")), soap.Text(soap.Child(token, "Password"))
	}
	return r, nil
}

// Check reports what of a parsed request is not as every known client sends it.
func (r Request) Check() error {
	for _, f := range []struct{ name, got, want string }{
		{"TokenType", r.TokenType, soap.TokenSAML11}, {"RequestType", r.RequestType, requestType}, {"KeyType", r.KeyType, keySymmetric},
	} {
		if f.got != f.want {
			return fmt.Errorf("%w: %s is %q", ErrRequest, f.name, f.got)
		}
	}
	if len(r.Entropy) == 0 {
		return fmt.Errorf("%w: no entropy", ErrRequest)
	}
	return nil
}

// Decode reads number and PIN in the form.
func (r Request) Decode(form Form) (number, pin string, err error) {
	if form != P2 {
		return r.Number, r.PIN, nil
	}
	n, err := base64.StdEncoding.DecodeString(r.Number)
	if err != nil {
		return "", "", fmt.Errorf("%w: the user name is no base64", ErrRequest)
	}
	p, err := base64.StdEncoding.DecodeString(r.PIN)
	if err != nil {
		return "", "", fmt.Errorf("%w: the password is no base64", ErrRequest)
	}
	return string(n), string(p), nil
}
