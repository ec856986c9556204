package webservices

import (
	"errors"
	"net/http"
	"strings"

	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
)

// action is the SOAPAction of a request. It must be there and quoted: servers bind authentication to it
// (web-services.md §5).
func (x *exchange) action() (string, *refusal) {
	header := x.request.Header.Get("SOAPAction")
	text, ok := strings.CutPrefix(header, `"`)
	if ok {
		text, ok = strings.CutSuffix(text, `"`)
	}
	if !ok || strings.Contains(text, `"`) {
		return "", checkQuoted.refuse("SOAPAction missing or not quoted")
	}
	x.what += " " + shorten(lastSegment(text))
	return text, nil
}

func lastSegment(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }

// message checks what every SOAP 1.1 request has: an XML content type and the action.
func (x *exchange) message(action string, wrong check) *refusal {
	if refused := x.contentType("text/xml"); refused != nil {
		return refused
	}
	got, refused := x.action()
	if refused != nil {
		return refused
	}
	if got != action {
		return wrong.refuse("SOAPAction %q expected", action)
	}
	return nil
}

func (x *exchange) contentType(accepted ...string) *refusal {
	kind, _, _ := strings.Cut(x.request.Header.Get("Content-Type"), ";")
	for _, a := range accepted {
		if strings.EqualFold(strings.TrimSpace(kind), a) {
			return nil
		}
	}
	return checkContentType.refuse("Content-Type %s expected", strings.Join(accepted, " or "))
}

// unreadable tells a body beyond the bounds from one that is no XML.
func unreadable(err error) *refusal {
	switch {
	case errors.Is(err, soap.ErrTooLarge):
		return checkSize.refuse("%v", err)
	case errors.Is(err, soap.ErrTooDeep):
		return checkDepth.refuse("%v", err)
	}
	return checkXML.refuse("%v", err)
}

// rootChain answers the anonymous download of the root chain. Operation and elements have no source: lab convention
// of web-services.md §2.
func (s *Server) rootChain(x *exchange) (response, *refusal) {
	if refused := x.contentType("text/xml"); refused != nil {
		return response{}, refused
	}
	action, refused := x.action()
	if refused != nil {
		return response{}, refused
	}
	if !strings.Contains(lastSegment(action), "Root") {
		return response{}, checkChainAction.refuse("an operation with Root in its name expected")
	}
	if !s.chainDownload() {
		return response{}, checkChainOff.refuse("EnableCertChainDownload is off")
	}
	doc, err := x.document()
	if err != nil {
		return response{}, unreadable(err)
	}
	request, err := certprov.ReadRootChainRequest(doc)
	if err != nil {
		return response{}, unreadable(err)
	}
	chains := s.cfg.Authority.Chains()
	if _, on := s.cfg.Faults.On(faultNoRoot); on {
		chains = nil
	}
	body, err := certprov.AppendRootChains(nil, request.Operation.Local, chains)
	if err != nil {
		return response{}, internal(err)
	}
	return response{status: http.StatusOK, contentType: typeXML, body: body}, nil
}

// chainDownload is the switch EnableCertChainDownload, or a fault that has it off.
func (s *Server) chainDownload() bool {
	_, off := s.cfg.Faults.On("chain=off")
	return s.cfg.Settings.WebServices().EnableCertChainDownload && !off
}
