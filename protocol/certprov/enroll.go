// Package certprov is the certificate provisioning service of [MS-OCAUTHWS] 3.1: the anonymous download of the root
// chain, the enrolment GetAndPublishCert, and the service's metadata.
package certprov

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/protocol/soap"
)

// SOAPActions.
const (
	ActionEnroll     = soap.NSServices + "GetAndPublishCert"
	ActionRootChains = soap.NSServices + "GetRootCertChains" // lab convention, no source
)

const (
	tokenX509    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	typePKCS10   = "http://schemas.microsoft.com/OCS/AuthWebServices.xsd#PKCS10"
	base64Binary = soap.NSSecurity + "#Base64Binary"
	requestIssue = soap.NSTrust + "/Issue"
	nsEnrollment = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment"
	lineLength   = 76
)

// ErrRequest is wrapped by errors about a request that is no usable GetAndPublishCert.
var ErrRequest = errors.New("not a certificate request")

// ErrResponse is wrapped by errors about an answer that is no GetAndPublishCertResponse.
var ErrResponse = errors.New("not an answer to a certificate request")

// Request is GetAndPublishCert.
type Request struct {
	To, MessageID string // URL posted to; a UUID
	DeviceID      string // UUID, braces are added
	Entity        string // user@domain
	RequestID     string // a UUID
	CSR           []byte // PKCS #10, DER
	Security      []byte // children of wsse:Security, see soap.AppendSecurity
}

// Append writes the request (web-services.md §4.3). The CSR has 76 columns and CR LF, as known clients write it.
func (r Request) Append(b []byte) ([]byte, error) {
	if len(r.CSR) == 0 || r.To == "" || r.DeviceID == "" || r.Entity == "" {
		return nil, fmt.Errorf("%w: it needs URL, device, entity and CSR", ErrRequest)
	}
	return fmt.Appendf(b, `<?xml version="1.0"?>`+"\n"+
		`<soap:Envelope xmlns:saml="%s" xmlns:soap="%s" xmlns:wst="%s" xmlns:auth="%s" xmlns:wsa="%s" xmlns:wsp="%s" xmlns:wsse="%s" xmlns:wsu="%s">`+
		`<soap:Header><wsa:To>%s</wsa:To><wsa:ReplyTo><wsa:Address>%s/anonymous</wsa:Address></wsa:ReplyTo><wsa:MessageID>uuid:%s</wsa:MessageID>`+
		`<wsa:Action>%s</wsa:Action><wsse:Security>%s</wsse:Security></soap:Header><soap:Body>`+
		`<GetAndPublishCert xmlns="%s" xmlns:wst="%s" xmlns:wstep="%s" DeviceId="{%s}" Entity="%s"><wst:RequestSecurityToken>`+
		`<wst:TokenType>%s</wst:TokenType><wst:RequestType>%s</wst:RequestType>`+
		`<wsse:BinarySecurityToken ValueType="%s" EncodingType="%s">%s</wsse:BinarySecurityToken>`+
		`<wstep:RequestID>%s</wstep:RequestID></wst:RequestSecurityToken></GetAndPublishCert></soap:Body></soap:Envelope>`,
		soap.NSSAML, soap.NSEnvelope11, soap.NSTrust, soap.NSAuth, soap.NSAddressing, soap.NSPolicy, soap.NSSecurity, soap.NSUtility,
		soap.Escape(r.To), soap.NSAddressing, soap.Escape(r.MessageID), ActionEnroll, r.Security,
		soap.NSServices, soap.NSTrustSlash, nsEnrollment, soap.Escape(r.DeviceID), soap.Escape(r.Entity),
		tokenX509, requestIssue, typePKCS10, base64Binary, wrapped(r.CSR), soap.Escape(r.RequestID)), nil
}

// wrapped is base64 with a line break before each line.
func wrapped(der []byte) string {
	text := base64.StdEncoding.EncodeToString(der)
	var b strings.Builder
	for len(text) > 0 {
		n := min(len(text), lineLength)
		b.WriteString("\r\n" + text[:n])
		text = text[n:]
	}
	return b.String()
}

// ParseRequest reads a request and returns its document too, for the proof in its header.
func ParseRequest(b []byte) (Request, *etree.Document, error) {
	doc, err := soap.Parse(b)
	if err != nil {
		return Request{}, nil, err
	}
	r, err := ReadRequest(doc)
	return r, doc, err
}

// ReadRequest reads a request that was parsed.
func ReadRequest(doc *etree.Document) (Request, error) {
	var r Request
	envelope, err := soap.Body(doc)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	body := soap.Child(envelope, "GetAndPublishCert")
	if body == nil || body.NamespaceURI() != soap.NSServices {
		return r, fmt.Errorf("%w: no GetAndPublishCert of %s in the body", ErrRequest, soap.NSServices)
	}
	rst := soap.Child(body, "RequestSecurityToken")
	if rst == nil || rst.NamespaceURI() != soap.NSTrustSlash {
		return r, fmt.Errorf("%w: no RequestSecurityToken of %s", ErrRequest, soap.NSTrustSlash)
	}
	token := soap.Child(rst, "BinarySecurityToken")
	for _, f := range []struct{ name, got, want string }{
		{"TokenType", soap.Text(soap.Child(rst, "TokenType")), tokenX509},
		{"RequestType", soap.Text(soap.Child(rst, "RequestType")), requestIssue},
		{"ValueType", soap.Attr(token, "ValueType"), typePKCS10},
	} {
		if f.got != f.want {
			return r, fmt.Errorf("%w: %s is %q", ErrRequest, f.name, f.got)
		}
	}
	header := soap.Child(doc.Root(), "Header")
	r.To = soap.Text(soap.Child(header, "To"))
	r.MessageID = strings.TrimPrefix(soap.Text(soap.Child(header, "MessageID")), "uuid:")
	r.DeviceID = strings.Trim(soap.Attr(body, "DeviceId"), "{}")
	r.Entity = soap.Attr(body, "Entity")
	r.RequestID = soap.Text(soap.Child(rst, "RequestID"))
	if r.CSR, err = decode(soap.Text(token)); err != nil {
		return r, fmt.Errorf("%w: CSR: %w", ErrRequest, err)
	}
	return r, nil
}

// decode reads base64 with blanks and line breaks anywhere.
func decode(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

// Response is GetAndPublishCertResponse: a certificate, or an error in HTTP 200.
type Response struct {
	DeviceID, Entity, RequestID string
	Certificate                 []byte // X.509, DER; empty in the error shape
	ErrorCode, ErrorReason      string
}

// Append writes the answer (web-services.md §4.4; attributes and the inner shape of ErrorInfo are the lab's).
func (r Response) Append(b []byte) ([]byte, error) {
	if (len(r.Certificate) == 0) == (r.ErrorCode == "") {
		return nil, fmt.Errorf("%w: it holds either a certificate or an error code", ErrResponse)
	}
	class, content := "Success", fmt.Sprintf(`<RequestSecurityTokenResponse xmlns="%s"><TokenType>%s</TokenType><RequestedSecurityToken>`+
		`<BinarySecurityToken xmlns="%s" ValueType="%s" EncodingType="%s">%s</BinarySecurityToken></RequestedSecurityToken>`+
		`<RequestID xmlns="%s">%s</RequestID></RequestSecurityTokenResponse>`,
		soap.NSTrustSlash, tokenX509, soap.NSSecurity, tokenX509, base64Binary, base64.StdEncoding.EncodeToString(r.Certificate), nsEnrollment, soap.Escape(r.RequestID))
	if r.ErrorCode != "" {
		class, content = "Error", fmt.Sprintf(`<ErrorInfo><ErrorCode>%s</ErrorCode><Reason>%s</Reason></ErrorInfo>`, soap.Escape(r.ErrorCode), soap.Escape(r.ErrorReason))
	}
	return fmt.Appendf(b, `<s:Envelope xmlns:s="%s"><s:Body><GetAndPublishCertResponse xmlns="%s" DeviceId="{%s}" Entity="%s" ResponseClass="%s">%s</GetAndPublishCertResponse></s:Body></s:Envelope>`,
		soap.NSEnvelope11, soap.NSServices, soap.Escape(r.DeviceID), soap.Escape(r.Entity), class, content), nil
}

// ParseResponse reads an answer. ErrorInfo is read generically: its schema is not public.
func ParseResponse(b []byte) (Response, error) {
	var r Response
	doc, err := soap.Parse(b)
	if err != nil {
		return r, err
	}
	envelope, err := soap.Body(doc)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrResponse, err)
	}
	body := soap.Child(envelope, "GetAndPublishCertResponse")
	if body == nil {
		return r, fmt.Errorf("%w: no GetAndPublishCertResponse", ErrResponse)
	}
	r.DeviceID, r.Entity = strings.Trim(soap.Attr(body, "DeviceId"), "{}"), soap.Attr(body, "Entity")
	r.RequestID = soap.Text(soap.Find(body, "RequestID"))
	token := soap.Path(body, "RequestSecurityTokenResponse", "RequestedSecurityToken", "BinarySecurityToken")
	if token == nil {
		info := soap.Child(body, "ErrorInfo")
		r.ErrorCode, r.ErrorReason = soap.Text(soap.Find(info, "ErrorCode")), soap.Text(soap.Find(info, "Reason"))
		if r.ErrorCode == "" {
			r.ErrorCode = "unknown"
		}
		return r, nil
	}
	if r.Certificate, err = decode(soap.Text(token)); err != nil {
		return r, fmt.Errorf("%w: certificate: %w", ErrResponse, err)
	}
	if len(r.Certificate) == 0 {
		return r, fmt.Errorf("%w: the certificate is empty", ErrResponse)
	}
	return r, nil
}
