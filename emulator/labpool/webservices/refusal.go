package webservices

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/strictness"
	"github.com/phone-edition/lpe/protocol/soap"
)

// refusalWay is how a wrong message is answered.
type refusalWay struct {
	status int
	fault  *soap.Fault // nil: no SOAP fault
	info   string      // ErrorCode of an ErrorInfo, empty: none
	reason string      // of the ErrorInfo
}

const (
	idNotEnabled = 28000
	idNoToken    = 28020
	noToken      = "No valid security token."
	notEnabled   = "User is not SIP enabled."

	nsNoAddressing = "http://schemas.microsoft.com/ws/2005/05/addressing/none"
)

// The ways. Fault codes other than FailedAuthentication are those of WCF, WS-Addressing and WS-Trust 1.3 §11,
// inferred for Lync; they carry no ErrorId, so that a handset does not take them for a refused PIN.
var (
	// noValidToken is the one answer to whatever is wrong with credentials and tickets (web-services.md §3.4: the
	// fault is sourced, its use here inferred).
	noValidToken = refusalWay{status: http.StatusInternalServerError, fault: &soap.Fault{
		Code: xml.Name{Space: soap.NSSecurity, Local: "FailedAuthentication"}, String: noToken, ErrorID: idNoToken, Reason: noToken,
	}}
	// userNotEnabled is for authentication by HTTP, [MS-OCAUTHWS] 3.2.4.1.
	userNotEnabled = refusalWay{status: http.StatusForbidden, fault: &soap.Fault{
		Code: xml.Name{Space: soap.NSSecurity, Local: "FailedAuthentication"}, String: notEnabled, ErrorID: idNotEnabled, Reason: notEnabled,
	}}
	actionNotSupported = faultWay(nsNoAddressing, "ActionNotSupported", "The action of the message is not one of this endpoint.")
	notThisEndpoint    = faultWay(soap.NSAddressing, "DestinationUnreachable", "The message is addressed to another endpoint.")
	actionMismatch     = faultWay(soap.NSAddressing, "ActionMismatch", "The SOAP action and the addressing action differ.")
	invalidRequest     = faultWay(soap.NSTrust, "InvalidRequest", "The request was invalid or malformed.")
	invalidScope       = faultWay(soap.NSTrust, "InvalidScope", "The request scope is invalid.")
	internalError      = faultWay(nsNoAddressing, "InternalServiceFault", "The server was unable to process the request due to an internal error.")

	badRequest  = refusalWay{status: http.StatusBadRequest}
	notFound    = refusalWay{status: http.StatusNotFound}
	notAllowed  = refusalWay{status: http.StatusMethodNotAllowed}
	tooLarge    = refusalWay{status: http.StatusRequestEntityTooLarge}
	unsupported = refusalWay{status: http.StatusUnsupportedMediaType}
	askForLogin = refusalWay{status: http.StatusUnauthorized}

	// A processing error of the enrolment is an ErrorInfo, not a fault, [MS-OCAUTHWS] 3.1.4.1; its inner form is the
	// lab's (web-services.md §4.4).
	csrRefused    = refusalWay{status: http.StatusOK, info: "InvalidCSR", reason: "The certification request is malformed."}
	enrollRefused = refusalWay{status: http.StatusOK, info: "InvalidRequest", reason: "The request is malformed."}
)

func faultWay(space, local, text string) refusalWay {
	return refusalWay{status: http.StatusInternalServerError, fault: &soap.Fault{Code: xml.Name{Space: space, Local: local}, String: text}}
}

// String tells the answer as docs/strictness.md shows it.
func (w refusalWay) String() string {
	text := fmt.Sprintf("HTTP %d", w.status)
	if w.fault != nil {
		text += ", fault " + w.fault.Code.Local
		if w.fault.ErrorID != 0 {
			text += fmt.Sprintf(" %d", w.fault.ErrorID)
		}
	}
	if w.info != "" {
		text += ", ErrorInfo " + w.info
	}
	return text
}

// A check is one row of the strictness table and the way it is answered.
type check struct {
	strictness.Check
	way refusalWay
}

// refuse answers a message that fails the check. The verdict goes to the history, never to the handset.
func (c check) refuse(verdict string, args ...any) *refusal {
	return &refusal{check: c.Stage + "." + c.Name, verdict: c.Stage + "." + c.Name + ": " + fmt.Sprintf(verdict, args...), way: c.way}
}

// refusal is the answer to a wrong message.
type refusal struct {
	check   string // stage.name
	verdict string
	way     refusalWay
	header  http.Header
	body    []byte // nil: as the way says
}

// internal is an answer for what cannot happen with a lab that is set up right.
func internal(err error) *refusal {
	return &refusal{check: "internal", verdict: "internal error: " + err.Error(), way: internalError}
}

func (r *refusal) response() response {
	a := plain(r.way.status)
	if r.way.fault != nil {
		a.contentType, a.body = typeXML, appendFault(*r.way.fault)
	}
	if r.body != nil {
		a.contentType, a.body = typeXML, r.body
	}
	a.header = r.header
	return a
}

// appendFault writes the fault with the OCSDiagnosticsFault detail if it has an ErrorId, else a bare SOAP 1.1 fault.
func appendFault(f soap.Fault) []byte {
	if body, err := f.Append(nil); err == nil {
		return body
	}
	return fmt.Appendf(nil, `<s:Envelope xmlns:s="%s"><s:Body><s:Fault><faultcode xmlns:a="%s">a:%s</faultcode>`+
		`<faultstring xml:lang="en-US">%s</faultstring></s:Fault></s:Body></s:Envelope>`,
		soap.NSEnvelope11, soap.Escape(f.Code.Space), soap.Escape(f.Code.Local), soap.Escape(strings.TrimSpace(f.String)))
}
