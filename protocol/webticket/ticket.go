package webticket

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/protocol/soap"
)

// ErrTicket is wrapped by errors about an answer that holds no usable ticket.
var ErrTicket = errors.New("not a web ticket")

const proofKeySize = 32

// Ticket is a SAML 1.1 web ticket in its RequestSecurityTokenResponse.
type Ticket struct {
	Context, AppliesTo, AssertionID string
	SIPAddress                      string // from NameIdentifier or an attribute, "" if none begins with sip:
	Audience                        string
	Assertion                       []byte // byte for byte
	LifetimeInner                   []byte // inner XML of Lifetime, byte for byte
	Created, Expires                time.Time
	ServerEntropy                   []byte
}

// String masks the ticket.
func (t Ticket) String() string { return "web ticket for " + t.SIPAddress }

// ProofKey computes the key that both sides hold: P_SHA1 of the client's entropy as secret and the server's as seed.
func ProofKey(clientEntropy, serverEntropy []byte) []byte {
	return soap.PSHA1(clientEntropy, serverEntropy, proofKeySize)
}

// ParseResponse reads an answer, with or without the collection around the response.
func ParseResponse(b []byte) (Ticket, error) {
	var t Ticket
	doc, raw, err := soap.ParseRaw(b, "Assertion", "Lifetime")
	if err != nil {
		return t, err
	}
	body, err := soap.Body(doc)
	if err != nil {
		return t, fmt.Errorf("%w: %w", ErrTicket, err)
	}
	response := soap.Find(body, "RequestSecurityTokenResponse")
	if response == nil {
		return t, fmt.Errorf("%w: no RequestSecurityTokenResponse", ErrTicket)
	}
	t.Context = soap.Attr(response, "Context")
	t.AppliesTo = soap.Text(soap.Path(response, "AppliesTo", "EndpointReference", "Address"))
	assertion := soap.Find(soap.Child(response, "RequestedSecurityToken"), "Assertion")
	lifetime := soap.Child(response, "Lifetime")
	if assertion == nil || lifetime == nil {
		return t, fmt.Errorf("%w: no assertion or no lifetime", ErrTicket)
	}
	if t.AssertionID = soap.Attr(assertion, "AssertionID"); t.AssertionID == "" {
		return t, fmt.Errorf("%w: the assertion has no AssertionID", ErrTicket)
	}
	if t.ServerEntropy, err = base64.StdEncoding.DecodeString(soap.Text(soap.Path(response, "Entropy", "BinarySecret"))); err != nil || len(t.ServerEntropy) == 0 {
		return t, fmt.Errorf("%w: no server entropy", ErrTicket)
	}
	if t.Created, err = time.Parse(time.RFC3339, soap.Text(soap.Child(lifetime, "Created"))); err != nil {
		return t, fmt.Errorf("%w: lifetime: %w", ErrTicket, err)
	}
	if t.Expires, err = time.Parse(time.RFC3339, soap.Text(soap.Child(lifetime, "Expires"))); err != nil {
		return t, fmt.Errorf("%w: lifetime: %w", ErrTicket, err)
	}
	t.Audience = soap.Text(soap.Find(assertion, "Audience"))
	t.SIPAddress = sipAddress(assertion)
	t.Assertion, t.LifetimeInner = bytes.Clone(raw[assertion].Outer), bytes.Clone(raw[lifetime].Inner)
	return t, nil
}

func sipAddress(assertion *etree.Element) string {
	for _, local := range []string{"NameIdentifier", "AttributeValue"} {
		for _, e := range soap.FindAll(assertion, local) {
			if text := soap.Text(e); strings.HasPrefix(strings.ToLower(text), "sip:") {
				return text
			}
		}
	}
	return ""
}

// AssertionFields are the values of the lab's assertion.
type AssertionFields struct {
	ID, Issuer, Audience, SIPAddress string
	Created, Expires                 time.Time
	EncryptedKey                     []byte // opaque to the handset
	Signature                        []byte // opaque to the handset
}

const samlTime = "2006-01-02T15:04:05.000Z"

// NewAssertion writes a self-contained assertion (web-services.md §3.3; the inner skeleton is inferred).
func NewAssertion(f AssertionFields) []byte {
	created, expires := f.Created.UTC().Format(samlTime), f.Expires.UTC().Format(samlTime)
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `<saml:Assertion MajorVersion="1" MinorVersion="1" AssertionID="%s" Issuer="%s" IssueInstant="%s" xmlns:saml="%s">`+
		`<saml:Conditions NotBefore="%s" NotOnOrAfter="%s"><saml:AudienceRestrictionCondition><saml:Audience>%s</saml:Audience></saml:AudienceRestrictionCondition></saml:Conditions>`+
		`<saml:AuthenticationStatement AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password" AuthenticationInstant="%s"><saml:Subject>`+
		`<saml:NameIdentifier Format="%s">%s</saml:NameIdentifier><saml:SubjectConfirmation><saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:holder-of-key</saml:ConfirmationMethod>`+
		`<KeyInfo xmlns="%s"><e:EncryptedKey xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#kw-aes256"/>`+
		`<KeyInfo><KeyName>lab-key-1</KeyName></KeyInfo><e:CipherData><e:CipherValue>%s</e:CipherValue></e:CipherData></e:EncryptedKey></KeyInfo></saml:SubjectConfirmation></saml:Subject></saml:AuthenticationStatement>`+
		`<Signature xmlns="%s"><SignatureValue>%s</SignatureValue></Signature></saml:Assertion>`,
		soap.Escape(f.ID), soap.Escape(f.Issuer), created, soap.NSSAML, created, expires, soap.Escape(f.Audience), created, claimURI,
		soap.Escape(f.SIPAddress), soap.NSSignature, b64(f.EncryptedKey), soap.NSSignature, b64(f.Signature))
}

// ReadAssertion is the inverse of [NewAssertion], for the pool that wrote it. What an assertion of another making has
// besides is not seen: whoever trusts the fields writes the assertion anew and compares.
func ReadAssertion(e *etree.Element) (AssertionFields, error) {
	conditions := soap.Child(e, "Conditions")
	subject := soap.Path(e, "AuthenticationStatement", "Subject")
	f := AssertionFields{
		ID: soap.Attr(e, "AssertionID"), Issuer: soap.Attr(e, "Issuer"),
		Audience:   soap.Text(soap.Path(conditions, "AudienceRestrictionCondition", "Audience")),
		SIPAddress: soap.Text(soap.Child(subject, "NameIdentifier")),
	}
	var errs [4]error
	f.Created, errs[0] = time.Parse(samlTime, soap.Attr(conditions, "NotBefore"))
	f.Expires, errs[1] = time.Parse(samlTime, soap.Attr(conditions, "NotOnOrAfter"))
	f.EncryptedKey, errs[2] = base64.StdEncoding.DecodeString(soap.Text(soap.Path(subject, "SubjectConfirmation", "KeyInfo", "EncryptedKey", "CipherData", "CipherValue")))
	f.Signature, errs[3] = base64.StdEncoding.DecodeString(soap.Text(soap.Path(e, "Signature", "SignatureValue")))
	if err := errors.Join(errs[:]...); err != nil {
		return f, fmt.Errorf("%w: assertion: %w", ErrTicket, err)
	}
	return f, nil
}

// Lifetime writes the inner XML of Lifetime so that it is canonical inside the timestamp (web-services.md §7.2 item 5).
func Lifetime(created, expires time.Time) []byte {
	return fmt.Appendf(nil, `<Created xmlns="%s">%s</Created><Expires xmlns="%s">%s</Expires>`,
		soap.NSUtility, created.UTC().Format(time.RFC3339), soap.NSUtility, expires.UTC().Format(time.RFC3339))
}

// Append writes the answer (web-services.md §3.3). Lifetime and BinarySecret have no prefix and stand once, because
// known clients find them by searching the text.
func (t Ticket) Append(b []byte) ([]byte, error) {
	if len(t.Assertion) == 0 || len(t.ServerEntropy) == 0 || t.AssertionID == "" {
		return nil, fmt.Errorf("%w: it needs assertion, id and entropy", ErrTicket)
	}
	lifetime := t.LifetimeInner
	if len(lifetime) == 0 {
		lifetime = Lifetime(t.Created, t.Expires)
	}
	return fmt.Appendf(b, `<s:Envelope xmlns:s="%s"><s:Body><RequestSecurityTokenResponseCollection xmlns="%s" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">`+
		`<RequestSecurityTokenResponse Context="%s"><TokenType>%s</TokenType><RequestedSecurityToken>%s</RequestedSecurityToken>`+
		`<RequestedAttachedReference><SecurityTokenReference xmlns="%s"><KeyIdentifier ValueType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID">%s</KeyIdentifier></SecurityTokenReference></RequestedAttachedReference>`+
		`<AppliesTo xmlns="%s"><EndpointReference xmlns="%s"><Address>%s</Address></EndpointReference></AppliesTo>`+
		`<RequestedProofToken><ComputedKey>%s/CK/PSHA1</ComputedKey></RequestedProofToken><Entropy><BinarySecret Type="%s/Nonce">%s</BinarySecret></Entropy>`+
		`<Lifetime>%s</Lifetime><KeySize>%d</KeySize></RequestSecurityTokenResponse></RequestSecurityTokenResponseCollection></s:Body></s:Envelope>`,
		soap.NSEnvelope11, soap.NSTrust, soap.Escape(t.Context), soap.TokenSAML11, t.Assertion, soap.NSSecurity, soap.Escape(t.AssertionID),
		soap.NSPolicy, soap.NSAddressing, soap.Escape(t.AppliesTo), soap.NSTrust, soap.NSTrust,
		base64.StdEncoding.EncodeToString(t.ServerEntropy), lifetime, proofKeySize*8), nil
}
