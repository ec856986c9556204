package webservices

import (
	"net/http"
	"strings"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/protocol/soap"
)

// describedElements are those of requests in web-services.md §1.4, §2, §3.1, §3.2 and §4, whatever their namespace. What
// is below opaqueElements is the service's own or of XML signatures.
var (
	describedElements = set("Envelope", "Header", "Body", "Action", "To", "ReplyTo", "Address", "MessageID",
		"Security", "UsernameToken", "Username", "Password", "Timestamp", "Created", "Expires", "Assertion", "Signature",
		"RequestSecurityToken", "TokenType", "RequestType", "KeyType", "AppliesTo", "EndpointReference", "Claims", "ClaimType", "Value",
		"Entropy", "BinarySecret", "GetAndPublishCert", "BinarySecurityToken", "RequestID")
	opaqueElements = set("Assertion", "Signature")
)

// passwordText is the form of a password that is described (web-services.md §3.2).
const passwordText = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"

// formChecks are the checks that a request fails by its form, so that it may be one that nobody has described; the
// others are about who sends it and when.
var formChecks = func() map[string]bool {
	names := map[string]bool{}
	for _, c := range []check{
		checkPath, checkMethod, checkContentType, checkQuoted, checkSize, checkDepth, checkXML, checkTransfer, checkTransferTo, checkChainAction,
		checkTicketAction, checkRST, checkTokenType, checkRequestType, checkKeyType, checkEntropy, checkUsernameToken, checkPINForm,
		checkEnrollAction, checkProof, checkTimestamp, checkKeyReference, checkReference, checkAlgorithm, checkEnrollRequest, checkDeviceID,
	} {
		names[c.Stage+"."+c.Name] = true
	}
	return names
}()

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, name := range names {
		out[name] = true
	}
	return out
}

// tellUnknown names what of a request no document describes: all of it, its headers, its elements.
func (s *Server) tellUnknown(x *exchange, found route, refused *refusal) {
	r := x.request
	asked, _, _ := strings.Cut(x.what, ",") // without what came of it
	if refused != nil {
		if check, _, _ := strings.Cut(refused.verdict, ":"); formChecks[check] && (found.answer == nil || check != checkPath.Stage+"."+checkPath.Name) {
			s.unknown.TellRequest(r, "request "+asked+" ("+check+")", func() string { return unknown.Request(r, x.body) })
			return
		}
	}
	s.unknown.TellHeaders(r, asked)
	if len(x.body) == 0 {
		return
	}
	if doc, err := x.document(); err == nil {
		if kind := soap.Attr(soap.Find(soap.Child(doc.Root(), "Header"), "Password"), "Type"); kind != "" && kind != passwordText {
			s.unknown.TellRequest(r, "password of type "+unknown.Name(lastSegment(kind))+" in "+asked, func() string { return "in " + unknown.Body(x.body) })
		}
		for _, e := range undescribed(doc.Root(), nil) {
			s.unknown.TellRequest(r, "element "+unknown.Name(e.Tag)+" of "+asked, func() string { return "in " + unknown.Body(x.body) })
		}
	}
}

// undescribed finds elements that no document has, the outermost ones.
func undescribed(e *etree.Element, found []*etree.Element) []*etree.Element {
	switch {
	case opaqueElements[e.Tag]:
		return found
	case !describedElements[e.Tag] && !strings.Contains(e.Tag, "Root"): // the operation for root chains is the lab's convention
		return append(found, e)
	}
	for child := range e.ChildElementsSeq() {
		found = undescribed(child, found)
	}
	return found
}

// agent is the User-Agent of a request, which is an open question of handsets (web-services.md §5).
func agent(r *http.Request) string { return shorten(r.Header.Get("User-Agent")) }
