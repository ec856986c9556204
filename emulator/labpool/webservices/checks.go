package webservices

import "github.com/phone-edition/lpe/emulator/labpool/strictness"

// What the services check. Stage web means the requests of every stage.
var (
	// Web: every request.
	checkPath = newCheck("web", "path", notFound,
		"A path that is no service of the port, or a port that a switch has off", "web-services.md §3.4, client mapping, inferred")
	checkMethod = newCheck("web", "method", notAllowed,
		"A method other than POST, and GET for metadata", "RFC 9110 §15.5.6")
	checkContentType = newCheck("web", "content-type", unsupported,
		"A Content-Type other than text/xml", "web-services.md §5; status inferred")
	checkQuoted = newCheck("web", "soapaction-quoted", actionNotSupported,
		"SOAPAction missing or without quotes", "web-services.md §5, pidgin-sipe commit 3cb2536d; fault inferred")
	checkSize = newCheck("web", "size", tooLarge,
		"A body of more than 256 KiB", "lab")
	checkDepth = newCheck("web", "depth", badRequest,
		"XML nested more than 64 levels", "lab")
	checkXML = newCheck("web", "xml", badRequest,
		"A body that is no XML, or has a document type declaration, or no such message", "inferred from WCF")

	// Metadata and root chain.
	checkTransfer = newCheck("web", "metadata-action", badRequest,
		"WS-Transfer with an Action other than Get", "web-services.md §1.4; status lab")
	checkTransferTo = newCheck("web", "metadata-to", badRequest,
		"WS-Transfer Get whose To is another service", "web-services.md §1.4; status lab")
	checkChainAction = newCheck("chain", "action", actionNotSupported,
		"SOAPAction without Root in its last segment", "web-services.md §2, lab convention")
	checkChainOff = newCheck("chain", "download-off", actionNotSupported,
		"Root chain asked for while EnableCertChainDownload is off", "Set-CsWebServiceConfiguration help; fault inferred")

	// Web ticket.
	checkTicketAction = newCheck("ticket", "action", actionNotSupported,
		"SOAPAction other than RST/Issue", "[MS-OCAUTHWS] 3.2.4.1; fault inferred")
	checkRST = newCheck("ticket", "request", invalidRequest,
		"No RequestSecurityToken of the WS-Trust 200512 namespace without slash, or entropy that is no base64", "web-services.md §3.1, pidgin-sipe commit 7800ad66; fault inferred")
	checkTokenType = newCheck("ticket", "token-type", invalidRequest,
		"TokenType other than SAMLV1.1", "web-services.md §3.1; fault inferred")
	checkRequestType = newCheck("ticket", "request-type", invalidRequest,
		"RequestType other than Issue of 2005/02", "web-services.md §3.1; fault inferred")
	checkKeyType = newCheck("ticket", "key-type", invalidRequest,
		"KeyType other than SymmetricKey", "web-services.md §3.1; fault inferred")
	checkAppliesTo = newCheck("ticket", "applies-to", invalidScope,
		"AppliesTo that is no https URL of the pool's web services", "web-services.md §3.1; fault inferred")
	checkEntropy = newCheck("ticket", "entropy", invalidRequest,
		"Entropy of other than 32 bytes", "web-services.md §3.1; that others are refused is inferred")
	checkUsernameToken = newCheck("ticket", "username-token", noValidToken,
		"No number or no PIN at the PIN port", "web-services.md §3.2, inferred")
	checkPINForm = newCheck("ticket", "pin-form", noValidToken,
		"Number and PIN in the form that the lab does not take; not counted", "web-services.md §3.2, inferred")
	checkNumber = newCheck("ticket", "number", noValidToken,
		"A number that no user has; not counted", "web-services.md §3.4, inferred")
	checkPIN = newCheck("ticket", "pin", noValidToken,
		"A wrong PIN; counted once", "web-services.md §3.4, inferred")
	checkPINState = newCheck("ticket", "pin-state", noValidToken,
		"The right PIN of a user without PIN sign-in: no PIN set, expired, locked, disabled, not unique", "web-services.md §3.4, UCMA PinFailureReason; inferred")
	checkClaim = newCheck("ticket", "claim", noValidToken,
		"claims/uri of another user than the one of number and PIN", "web-services.md §3.4, Test-CsPhoneBootstrap help; inferred")
	checkLogin = newCheck("ticket", "login", askForLogin,
		"No credentials at the Windows port, or by another scheme than the lab's", "RFC 4559 §4; web-services.md §7.2 item 4")
	checkNTLMMessage = newCheck("ticket", "ntlm-message", askForLogin,
		"An NTLM message that is none, is a CHALLENGE, or is without a character set", "[MS-NLMP] 2.2.1; status inferred")
	checkNTLMOrder = newCheck("ticket", "ntlm-order", askForLogin,
		"An AUTHENTICATE without a CHALLENGE on the same connection, or a second one to it", "RFC 4559 §6; status inferred")
	checkNTLMVersion = newCheck("ticket", "ntlm-version", askForLogin,
		"A response of LM or NTLMv1", "[MS-NLMP] 3.2.5.1.2 with LmCompatibilityLevel 5; status inferred")
	checkNTLMAnonymous = newCheck("ticket", "ntlm-anonymous", askForLogin,
		"An anonymous response", "[MS-NLMP] 3.2.5.1.2; status inferred")
	checkNTLMMIC = newCheck("ticket", "ntlm-mic", askForLogin,
		"A message integrity code that is not that of the three messages", "[MS-NLMP] 3.2.5.1.2; status inferred")
	checkPassword = newCheck("ticket", "password", askForLogin,
		"A wrong login or password at the Windows port", "RFC 4559 §4; web-services.md §7.2 item 4")
	checkEnabled = newCheck("ticket", "enabled", userNotEnabled,
		"Login of a user who is not enabled", "[MS-OCAUTHWS] 3.2.4.1")
	checkLoginClaim = newCheck("ticket", "login-claim", noValidToken,
		"claims/uri of another user than the one who logged in", "web-services.md §3.4, inferred")
	checkClientCertificate = newCheck("ticket", "client-certificate", noValidToken,
		"No client certificate at the certificate port", "lab convention, inferred")
	checkPublished = newCheck("ticket", "published", noValidToken,
		"A client certificate that is not the published copy, or not valid now", "lab convention, inferred")
	checkCertificateClaim = newCheck("ticket", "certificate-claim", noValidToken,
		"claims/uri missing, or of another user than the certificate's", "lab convention, inferred")

	// Enrolment, in the order of web-services.md §7.3.
	checkEnrollAction = newCheck("enroll", "action", actionNotSupported,
		"SOAPAction other than GetAndPublishCert", "[MS-OCAUTHWS] 3.1.4.1; fault inferred")
	checkTo = newCheck("enroll", "to", notThisEndpoint,
		"wsa:To other than the URL posted to", "web-services.md §4.2; fault inferred from WS-Addressing")
	checkAction = newCheck("enroll", "addressing-action", actionMismatch,
		"wsa:Action other than the SOAPAction", "web-services.md §4.2; fault inferred from WS-Addressing")
	checkProof = newCheck("enroll", "security", noValidToken,
		"Timestamp, Assertion or Signature missing in wsse:Security", "web-services.md §4.2, §4.4, inferred")
	checkTimestamp = newCheck("enroll", "timestamp", noValidToken,
		"Created or Expires that is no time", "web-services.md §4.2, §4.4, inferred")
	checkKeyReference = newCheck("enroll", "key-identifier", noValidToken,
		"KeyIdentifier other than the AssertionID", "web-services.md §4.2, §4.4, inferred")
	checkTicket = newCheck("enroll", "ticket", noValidToken,
		"An AssertionID that was never issued", "web-services.md §7.3, inferred")
	checkAudience = newCheck("enroll", "audience", noValidToken,
		"A web ticket for another service", "web-services.md §7.3, inferred")
	checkReference = newCheck("enroll", "reference", noValidToken,
		"A signature with another reference than the timestamp's Id", "web-services.md §7.3, inferred")
	checkAlgorithm = newCheck("enroll", "algorithm", noValidToken,
		"Other algorithms than exclusive canonicalisation, SHA-1, HMAC-SHA1", "web-services.md §4.2, inferred")
	checkDigest = newCheck("enroll", "digest", noValidToken,
		"A timestamp that was changed", "web-services.md §7.3, inferred")
	checkSignature = newCheck("enroll", "signature", noValidToken,
		"A signature by another key", "web-services.md §7.3, inferred")
	checkExpires = newCheck("enroll", "expires", noValidToken,
		"A web ticket after its Expires", "web-services.md §7.3, inferred")
	checkCreated = newCheck("enroll", "created", noValidToken,
		"Created more than five minutes ahead of the pool", "web-services.md §7.3, inferred")
	checkAssertion = newCheck("enroll", "assertion", noValidToken,
		"An assertion that was changed", "web-services.md §7.3, inferred")
	checkEnrollRequest = newCheck("enroll", "request", enrollRefused,
		"No GetAndPublishCert with a RequestSecurityToken of the WS-Trust namespace with slash, its TokenType, RequestType and PKCS10 token", "[MS-OCAUTHWS] 3.1.4.1, pidgin-sipe commit 7800ad66; ErrorInfo's form is the lab's")
	checkEntity = newCheck("enroll", "entity", noValidToken,
		"Entity of another user than the web ticket's", "web-services.md §7.3, inferred")
	checkDeviceID = newCheck("enroll", "device-id", enrollRefused,
		"DeviceId that is no UUID in braces", "web-services.md §4.1; ErrorInfo's form is the lab's")
	checkCSR = newCheck("enroll", "csr", csrRefused,
		"A CSR that is malformed, has a wrong signature, no RSA key, or a key size outside MinCSRKeySize to MaxCSRKeySize", "web-services.md §4.1, Set-CsWebServiceConfiguration help; ErrorInfo's form is the lab's")
)

func newCheck(stage, name string, way refusalWay, wrong, source string) check {
	return check{strictness.Check{Stage: stage, Name: name, Wrong: wrong, Refusal: way.String(), Source: source}, way}
}

// Checks lists what the services verify, for docs/strictness.md.
func Checks() []strictness.Check {
	var out []strictness.Check
	for _, c := range []check{
		checkPath, checkMethod, checkContentType, checkQuoted, checkSize, checkDepth, checkXML, checkTransfer,
		checkTransferTo,
		checkChainAction, checkChainOff,
		checkTicketAction, checkRST, checkTokenType, checkRequestType, checkKeyType, checkAppliesTo, checkEntropy,
		checkUsernameToken, checkPINForm, checkNumber, checkPIN, checkPINState, checkClaim, checkLogin,
		checkNTLMMessage, checkNTLMOrder, checkNTLMVersion, checkNTLMAnonymous, checkNTLMMIC, checkPassword,
		checkEnabled, checkLoginClaim, checkClientCertificate, checkPublished, checkCertificateClaim,
		checkEnrollAction, checkTo, checkAction, checkProof, checkTimestamp, checkKeyReference, checkTicket,
		checkAudience, checkReference, checkAlgorithm, checkDigest, checkSignature, checkExpires, checkCreated,
		checkAssertion, checkEnrollRequest, checkEntity, checkDeviceID, checkCSR,
	} {
		out = append(out, c.Check)
	}
	return out
}
