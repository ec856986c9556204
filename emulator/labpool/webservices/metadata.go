package webservices

import (
	"net/http"

	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

func (s *Server) certProvURL() string {
	return "https://" + s.safe + servicePath
}

// anonymousURL has no suffix, as the topology property CAHandlerInternalAnonUri (web-services.md §1.1).
func (s *Server) anonymousURL() string {
	return "http://" + s.plain + servicePath
}

func (s *Server) webTicketURL() string {
	return "https://" + s.safe + webTicketPath
}

// proofURL is the location of port CertProvisioningServiceWebTicketProof_SHA1, and so the audience of every ticket.
func (s *Server) proofURL() string { return s.certProvURL() + certprov.ProofSuffix }

func (s *Server) anonymousMetadata(x *exchange) (response, *refusal) {
	location := s.anonymousURL()
	if !s.chainDownload() {
		location = ""
	}
	return x.metadata(certprov.WSDL(s.certProvURL(), s.webTicketURL(), location), s.anonymousURL(), s.certProvURL())
}

func (s *Server) certProvMetadata(x *exchange) (response, *refusal) {
	return x.metadata(certprov.WSDL(s.certProvURL(), s.webTicketURL(), ""), s.certProvURL())
}

func (s *Server) webTicketMetadata(x *exchange) (response, *refusal) {
	on := s.cfg.Settings.WebServices()
	pin := on.UsePINAuth && !s.pinPortAbsent()
	location := s.webTicketURL()
	if s.listed("ticket", "clear-text") {
		location = "http://" + s.plain + webTicketPath
	}
	return x.metadata(webticket.WSDL(location, pin, !s.windowsOff(), on.UseCertificateAuth), s.webTicketURL())
}

// metadata answers a GET with the bare WSDL, and a WS-Transfer Get to one of the service's URLs with the WSDL in a
// SOAP 1.2 envelope (web-services.md §1.3, §1.4; the answer to the second form is inferred).
func (x *exchange) metadata(wsdl []byte, services ...string) (response, *refusal) {
	if x.request.Method == http.MethodGet {
		return response{status: http.StatusOK, contentType: typeXML, body: wsdl}, nil
	}
	if refused := x.contentType("application/soap+xml", "text/xml"); refused != nil {
		return response{}, refused
	}
	doc, err := x.document()
	if err != nil {
		return response{}, unreadable(err)
	}
	header := soap.Child(doc.Root(), "Header")
	if action := soap.Text(soap.Child(header, "Action")); action != soap.ActionTransferGet {
		return response{}, checkTransfer.refuse("Action %q, %s expected", shorten(action), soap.ActionTransferGet)
	}
	to := soap.Text(soap.Child(header, "To"))
	for _, service := range services {
		if sameURL(to, service) {
			return response{status: http.StatusOK, contentType: typeSOAP12, body: soap.WrapMetadata(wsdl)}, nil
		}
	}
	return response{}, checkTransferTo.refuse("To %q, %s expected", shorten(to), services[0])
}
