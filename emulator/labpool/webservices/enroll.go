package webservices

import (
	"crypto/x509"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
)

// clockTolerance is how far ahead of the pool a timestamp's Created may be (web-services.md §7.3).
const clockTolerance = 5 * time.Minute

// deviceID is a UUID in braces (web-services.md §4.1).
var deviceID = regexp.MustCompile(`^\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}$`)

// enroll answers port CertProvisioningServiceWebTicketProof_SHA1: GetAndPublishCert, [MS-OCAUTHWS] 3.1.4.1.
func (s *Server) enroll(x *exchange) (response, *refusal) {
	if refused := x.message(certprov.ActionEnroll, checkEnrollAction); refused != nil {
		return response{}, refused
	}
	doc, err := x.document()
	if err != nil {
		return response{}, unreadable(err)
	}
	r, err := certprov.ReadRequest(doc)
	if refused := s.addressed(doc); refused != nil {
		return response{}, refused
	}
	ticket, refused := s.proof(x, doc)
	if refused != nil {
		return response{}, refused
	}
	if err != nil {
		return response{}, withInfo(checkEnrollRequest.refuse("%v", err), doc)
	}
	if !sameSIP(r.Entity, ticket.user) {
		return response{}, checkEntity.refuse("Entity %q, the ticket is for %s", shorten(r.Entity), ticket.user)
	}
	if id := soap.Attr(soap.Find(doc.Root(), "GetAndPublishCert"), "DeviceId"); !deviceID.MatchString(id) {
		return response{}, withInfo(checkDeviceID.refuse("DeviceId %q, a UUID in braces expected", shorten(id)), doc)
	}
	csr, refused := s.certificateRequest(r)
	if refused != nil {
		return response{}, withInfo(refused, doc)
	}
	return s.certify(x, r, csr, ticket.user)
}

// addressed checks the addressing headers: wsa:To is the URL posted to, wsa:Action the SOAPAction
// (web-services.md §4.2).
func (s *Server) addressed(doc *etree.Document) *refusal {
	header := soap.Child(doc.Root(), "Header")
	if to := soap.Text(soap.Child(header, "To")); !sameURL(to, s.proofURL()) {
		return checkTo.refuse("To %q, %s expected", shorten(to), s.proofURL())
	}
	if action := soap.Text(soap.Child(header, "Action")); action != certprov.ActionEnroll {
		return checkAction.refuse("Action %q, %s expected", shorten(action), certprov.ActionEnroll)
	}
	return nil
}

// proof verifies the web ticket and the possession of its key, in the order of web-services.md §7.3.
func (s *Server) proof(x *exchange, doc *etree.Document) (issued, *refusal) {
	p, err := soap.ReadProof(doc)
	switch {
	case errors.Is(err, soap.ErrTimestamp):
		return issued{}, checkTimestamp.refuse("%v", err)
	case errors.Is(err, soap.ErrKeyReference):
		return issued{}, checkKeyReference.refuse("%v", err)
	case err != nil:
		return issued{}, checkProof.refuse("%v", err)
	}
	ticket, ok := s.tickets.read(p)
	if !ok {
		return issued{}, checkTicket.refuse("no web ticket of this pool")
	}
	if ticket.genuine {
		x.who = ticket.user
	}
	if !sameURL(ticket.audience, s.proofURL()) {
		return issued{}, checkAudience.refuse("the web ticket is for %s", ticket.audience)
	}
	if refused := possession(p.Verify(ticket.key)); refused != nil {
		return issued{}, refused
	}
	x.auth = "web-ticket"
	now := s.cfg.Now()
	if _, struck := s.cfg.Faults.On("enroll=ticket-expired"); struck || now.After(p.Expires) || now.After(ticket.expires) {
		return issued{}, checkExpires.refuse("the web ticket has expired")
	}
	if p.Created.After(now.Add(clockTolerance)) {
		return issued{}, checkCreated.refuse("Created is %v ahead of the pool", p.Created.Sub(now).Round(time.Second))
	}
	if !ticket.genuine {
		return issued{}, checkAssertion.refuse("the assertion is not the one that was issued")
	}
	return ticket, nil
}

func possession(err error) *refusal {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, soap.ErrReference):
		return checkReference.refuse("%v", err)
	case errors.Is(err, soap.ErrAlgorithm):
		return checkAlgorithm.refuse("%v", err)
	case errors.Is(err, soap.ErrDigest):
		return checkDigest.refuse("%v", err)
	}
	return checkSignature.refuse("%v", err)
}

func (s *Server) certificateRequest(r certprov.Request) (*x509.CertificateRequest, *refusal) {
	if _, struck := s.cfg.Faults.On("enroll=csr-refused"); struck {
		return nil, checkCSR.refuse("fault: csr-refused")
	}
	on := s.cfg.Settings.WebServices()
	csr, err := certprov.CheckCSR(r.CSR, on.MinCSRKeySize, on.MaxCSRKeySize)
	if err != nil {
		return nil, checkCSR.refuse("%v", err)
	}
	return csr, nil
}

// certify issues the certificate and publishes it before the handset has it.
func (s *Server) certify(x *exchange, r certprov.Request, csr *x509.CertificateRequest, user string) (response, *refusal) {
	if _, struck := s.cfg.Faults.On("enroll=wrong-key"); struck {
		other, err := s.cfg.Certificate()
		if err != nil {
			return response{}, internal(err)
		}
		csr.PublicKey = other.Leaf.PublicKey
	}
	validity := time.Duration(s.cfg.Settings.WebServices().CertificateHours) * time.Hour
	certificate, err := s.cfg.Authority.IssueClient(csr, bareSIP(user), user, r.DeviceID, validity)
	if err != nil {
		return response{}, internal(err)
	}
	if err := s.cfg.Authority.Publish(user, r.DeviceID, certificate); err != nil {
		return response{}, internal(err)
	}
	body, err := certprov.Response{DeviceID: r.DeviceID, Entity: r.Entity, RequestID: r.RequestID, Certificate: certificate}.Append(nil)
	if err != nil {
		return response{}, internal(err)
	}
	x.what += ", certificate for " + user + " device " + r.DeviceID
	return response{status: http.StatusOK, contentType: typeXML, body: body}, nil
}

// withInfo writes a processing error as the ErrorInfo of the request's response.
func withInfo(refused *refusal, doc *etree.Document) *refusal {
	request := soap.Find(doc.Root(), "GetAndPublishCert")
	body, err := certprov.Response{
		DeviceID: strings.Trim(soap.Attr(request, "DeviceId"), "{}"), Entity: soap.Attr(request, "Entity"),
		ErrorCode: refused.way.info, ErrorReason: refused.way.reason,
	}.Append(nil)
	if err != nil {
		return internal(err)
	}
	refused.body = body
	return refused
}
