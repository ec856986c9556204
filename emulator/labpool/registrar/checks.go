package registrar

import (
	"fmt"

	"github.com/phone-edition/lpe/emulator/labpool/strictness"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// methods are those of SIP and its extensions; true for the ones that a registrar of this lab takes.
var methods = map[string]bool{
	"REGISTER": true, "SUBSCRIBE": true, "SERVICE": true, "INVITE": true, "ACK": true, "CANCEL": true,
	"OPTIONS": false, "BYE": false, "MESSAGE": false, "INFO": false, "REFER": false, "NOTIFY": false, "BENOTIFY": false,
	"UPDATE": false, "PRACK": false, "PUBLISH": false,
}

const allowed = "REGISTER, SUBSCRIBE, SERVICE, INVITE, ACK, CANCEL"

var (
	challengeAll   = way{status: 401, reason: "Unauthorized", with: "a fresh challenge"}
	handshakeError = way{status: 401, reason: "Unauthorized", with: "a fresh challenge", diag: diagHandshake, text: "Final handshake failed"}
	nothing        = way{dropped: "dropped, no answer"}
	closing        = way{dropped: "the connection is closed"}
	badRequest     = way{status: 400, reason: "Bad Request"}
)

func endpointError(id int, text string) way {
	return way{status: 400, reason: "Bad Request", diag: id, text: text}
}

// The checks, in the order in which a message meets them.
var (
	checkSIP = newCheck("sip", "bytes that are no SIP message", closing,
		"sip.md §6; the closing inferred")
	checkSize = newCheck("size", fmt.Sprintf("a message of more than %d bytes, or a header line of more than %d", sipmessage.MaxSize, sipmessage.MaxHeaderLine),
		closing, "lab")
	checkHeaders = newCheck("headers", "From, To, Call-ID, CSeq or Via missing, or the method of CSeq another one",
		badRequest, "RFC 3261 8.1.1")
	checkMethodUnknown = newCheck("method-unknown", "a method that SIP does not know, NEGOTIATE among them",
		way{status: 501, reason: "Not Implemented"}, "sip.md §6, inferred")
	checkMethod = newCheck("method", "a known method that a registrar does not take, signed",
		way{status: 405, reason: "Method Not Allowed", extra: []sipmessage.Header{{Name: "Allow", Value: allowed}}}, "RFC 3261 21.4.6")
	checkUnauthenticated = newCheck("unauthenticated", "a request without TLS-DSK parameters",
		challengeAll, "[MS-SIPAE] 3.3.5.1")
	checkUnauthenticatedACK = newCheck("unauthenticated-ack", "an ACK or CANCEL without TLS-DSK parameters",
		nothing, "[MS-SIPAE] 3.3.5.1")
	checkAuthorization = newCheck("authorization", "TLS-DSK parameters that cannot be read",
		challengeAll, "inferred")
	checkRealm = newCheck("realm", "another realm than "+tlsdsk.Realm,
		challengeAll, "[MS-SIPAE] 3.3.5.1")
	checkTargetName = newCheck("targetname", "the targetname of another front end",
		challengeAll, "[MS-SIPAE] 3.3.5.1")
	checkEndpoint = newCheck("endpoint-identifier", "neither epid nor +sip.instance",
		endpointError(diagEndpoint, "Endpoint identifier is missing"), "[MS-SIPREGE] 3.1.2.5.1, [MS-OCER] 4010")
	checkEpid = newCheck("epid", "no epid in From",
		endpointError(diagNoEpid, "Epid parameter is missing"), "[MS-SIPRE] 3.2.4.1, [MS-OCER] 4011")
	checkEpidLength = newCheck("epid-length", fmt.Sprintf("an epid of more than %d bytes", maxEpid),
		endpointError(diagLongEpid, "Epid parameter is too long"), "[MS-OCER] 4012; the bound is the lab's")
	checkInstance = newCheck("instance", "a +sip.instance that is not derived from the epid",
		endpointError(diagEndpoint, "The instance is not derived from the epid"), "[MS-SIPAE] 3.3.5.2; the answer inferred")
	checkGRUU = newCheck("gruu", "a GRUU that the registrar did not make for this endpoint",
		endpointError(diagEndpoint, "The GRUU is not that of the endpoint"), "[MS-SIPAE] 3.3.5.2; the answer inferred")
	checkFlight = newCheck("flight", "gssapi-data that is not the next flight of the TLS handshake, or has more than 24 KiB",
		challengeAll, "sip.md §7.4, inferred")
	checkCertificateDates = newCheck("certificate-dates", "a client certificate that is expired or not valid yet",
		handshakeError, "inferred")
	checkPublished = newCheck("certificate-published", "a client certificate that is not the published copy for user and device",
		handshakeError, "[MS-OCAUTHWS] GetAndPublishCert; the answer inferred")
	checkAssociation = newCheck("association", "signed for an association that the registrar does not have, or that is over",
		challengeAll, "sip.md §1.6")
	checkNumber = newCheck("cnum", "a cnum that is 0 or no number",
		nothing, "sip.md §1.6, OfficeSIP")
	checkReplay = newCheck("cnum-replay", "a cnum that was there, or that is more than 255 below the highest",
		nothing, "sip.md §1.6, OfficeSIP")
	checkSignature = newCheck("signature", "a request whose response is not the HMAC of the message",
		challengeAll, "sip.md §7.4, inferred")
	checkFrom = newCheck("from", "a From that is not the user of the certificate",
		way{status: 403, reason: "Forbidden", diag: diagWrongUser, text: "The credentials may not act as the From URI"}, "[MS-OCER] 4004")
	checkAnswer = newCheck("answer-signature", "an answer to the registrar's own request, unsigned or signed wrong",
		nothing, "[MS-SIPAE] 3.2.5.2, the server's side inferred")

	checkEvent = newCheck("event", "a REGISTER for another event than registration",
		way{status: 489, reason: "Bad Event", diag: diagEvent, text: "The event is not registration"}, "[MS-SIPREGE] 2.2.1.1")
	checkExtension = newCheck("gruu-10", "Supported: msrtc-event-categories without gruu-10",
		way{
			status: 421, reason: "Extension Required", diag: diagExtension, text: "gruu-10 must be supported",
			extra: []sipmessage.Header{{Name: "Require", Value: "gruu-10"}},
		}, "[MS-SIPREGE] 3.1.2.5.1")
	checkContact = newCheck("contact", "a REGISTER without a Contact, or with an Expires that is no number of seconds",
		badRequest, "RFC 3261 10.2")
	checkUser = newCheck("user", "a user who is not in the directory any more",
		way{status: 404, reason: "Not Found", diag: diagUnknownUser, text: "User does not exist"}, "[MS-OCER] 1003")
	checkDisabled = newCheck("user-disabled", "a user who is not enabled",
		way{status: 403, reason: "Forbidden", diag: diagUserDisabled, text: disabledReason}, "[MS-OCER] 4141")

	checkSubscription = newCheck("event-package", "a SUBSCRIBE to an event that Allow-Events does not list",
		way{status: 489, reason: "Bad Event", extra: []sipmessage.Header{{Name: "Allow-Events", Value: allowEvents}}}, "RFC 6665 8.3.2").of("provision")
	checkAccept = newCheck("accept", "a provisioning SUBSCRIBE that does not accept "+typeProvisioning,
		way{status: 406, reason: "Not Acceptable"}, "[MS-SIPREGE] 2.2.2.1").of("provision")
	checkDialog = newCheck("dialog", "a SUBSCRIBE within a dialog that there is not",
		way{status: 481, reason: "Subscription Does Not Exist"}, "RFC 6665 4.2.1").of("provision")
	checkBody = newCheck("body", "a body that cannot be read as its Content-Type says",
		badRequest, "inferred").of("provision")
	checkContentType = newCheck("content-type", "a SERVICE of an unknown Content-Type",
		way{status: 415, reason: "Unsupported Media Type"}, "RFC 3261 21.4.13").of("provision")
	checkPublisher = newCheck("publisher", "publications for another user",
		way{status: 403, reason: "Forbidden"}, "inferred").of("provision")
	checkVersion = newCheck("version", "a publication whose version is not the current one",
		way{status: 409, reason: "Conflict", with: "msrtc-fault with the current versions"}, "sip.md §5.3.1").of("provision")
	checkPublications = newCheck("publications", fmt.Sprintf("more than %d publications of one user", maxPublications),
		way{status: 413, reason: "Request Entity Too Large"}, "lab").of("provision")
)

// Checks is the table of what a front end verifies.
func Checks() []strictness.Check {
	var out []strictness.Check
	for _, c := range []check{
		checkSIP, checkSize, checkHeaders, checkMethodUnknown, checkMethod, checkUnauthenticated, checkUnauthenticatedACK,
		checkAuthorization, checkRealm, checkTargetName, checkEndpoint, checkEpid, checkEpidLength, checkInstance, checkGRUU,
		checkFlight, checkCertificateDates, checkPublished, checkAssociation, checkNumber, checkReplay, checkSignature,
		checkFrom, checkAnswer, checkEvent, checkExtension, checkContact, checkUser, checkDisabled,
		checkSubscription, checkAccept, checkDialog, checkBody, checkContentType, checkPublisher, checkVersion, checkPublications,
	} {
		out = append(out, c.Check)
	}
	return out
}
