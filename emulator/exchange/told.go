package exchange

import "strings"

// What of a message is told. Whatever the lists below do not name is masked, so that PIN, password, ticket and key never
// get into an observation, whichever header or element a server puts them in.

// hidden stands for a value that is not told.
const hidden = "***"

var shownHeaders = set(
	// HTTP
	"Host", "User-Agent", "Content-Type", "Content-Length", "SOAPAction", "Connection", "Cache-Control", "Server", "Location",
	"Retry-After", "Transfer-Encoding", "Content-Encoding", "X-MS-Server-Fqdn", "X-Ms-diagnostics", "X-Powered-By",
	"X-AspNet-Version", "X-Content-Type-Options", "Strict-Transport-Security", "Accept-Encoding", "Accept-Language", "Expect",
	"Last-Modified", "Vary", "Pragma",
	// SIP
	"Via", "Max-Forwards", "From", "To", "CSeq", "Contact", "Supported", "Require", "Proxy-Require", "Accept", "Allow", "Event",
	"Expires", "Min-Expires", "Allow-Events", "Subscription-State", "Record-Route", "Route", "P-Asserted-Identity",
	"ms-keep-alive", "ms-subnet", "ms-diagnostics", "ms-diagnostics-public", "ms-piggyback-cseq", "presence-state", "Reason", "Warning",
	"Unsupported", "Content-Disposition", "ms-endpoint-location-data", "ms-user-logon-data", "ms-application-via",
)

// freshHeaders are made anew with each message or each boot. Those that shownHeaders would not name are not told either.
var (
	freshHeaders  = set("Date", "Call-ID")
	secretHeaders = set("Cookie", "Set-Cookie")
)

// parameterHeaders are addresses and routes, told parameter by parameter.
var (
	parameterHeaders = set("Via", "From", "To", "Contact", "Record-Route", "Route")
	freshParameters  = set("tag", "branch", "ms-received-port", "ms-received-cid")
)

// authHeaders carry proofs, of which only the parameters in shownParams are told.
var (
	authHeaders = set("Authorization", "WWW-Authenticate", "Authentication-Info", "Proxy-Authorization", "Proxy-Authenticate", "Proxy-Authentication-Info")
	shownParams = set("qop", "realm", "targetname", "version", "sts-uri", "cnum", "snum")
	freshParams = set("opaque", "gssapi-data", "crand", "srand", "response", "rspauth", "nonce", "cnonce")
)

var shownElements = set(
	// web services
	"Username", "To", "Address", "Action", "TokenType", "RequestType", "KeyType", "KeySize", "ComputedKey",
	"Audience", "NameIdentifier", "ConfirmationMethod", "faultcode", "faultstring", "ErrorId", "Value", "Text",
	"Reason", "ErrorCode", "ErrorReason", "machineName", "LabPinFailureReason",
	// device updates
	"DeviceType", "MacAddress", "Vendor", "Brand", "Model", "Revision", "Locale", "FileName", "Version", "Uri", "Sha256",
	// in-band provisioning and presence
	"ucEnforcePinLock", "ucMinPinLength", "ucPhoneTimeOut", "ucExchangeMWIPoll", "ucEnableSIPSecurityMode", "ucVoice802_1p", "ucDiffServVoice",
	"ucPC2PCAVEncryption", "loggingLevel", "updatesServerEnabled", "updatesServerInternalURL", "updatesServerExternalURL",
	"absInternalServerUrl", "absExternalServerUrl", "absWebServiceEnabled", "dlxInternalUrl", "dlxExternalUrl", "lisInternalUrl",
	"lisExternalUrl", "voicemailUri", "qosEnabled", "property", "line", "availability", "timezone", "endpointLocation",
)

// Elements that are made anew. Of the second list the value is not told.
var (
	freshElements       = set("MessageID", "RelatesTo", "Created", "Expires", "RequestID")
	freshSecretElements = set("BinarySecret", "SignatureValue", "DigestValue", "CipherValue", "BinarySecurityToken", "KeyIdentifier")
)

// shownAttributes are those that say what an element is about, by element; under "" those that do in any.
var shownAttributes = map[string]map[string]bool{
	"":     set("Type", "EncodingType", "ValueType", "Algorithm", "Dialect", "MajorVersion", "MinorVersion", "mustUnderstand", "lang"),
	"port": set("name"), "address": set("location"), "provisioningGroup": set("name"), "provisionGroup": set("name"), "property": set("name"),
	"category": set("name", "instance", "container", "version"), "roaming": set("type"), "categories": set("uri"),
	"publication": set("categoryName", "instance", "container", "version", "expireType"), "publications": set("uri"),
	"line": set("lineType"), "GetAndPublishCert": set("DeviceId", "Entity"),
	"GetAndPublishCertResponse": set("DeviceId", "Entity", "ResponseClass"), "GetRootCertChainsResponse": set("ResponseClass"),
	"ClaimType": set("Uri", "Optional"), "Claims": set("Dialect"), "state": set("type"),
}

var freshAttributes = map[string]map[string]bool{
	"Conditions": set("NotBefore", "NotOnOrAfter"), "AuthenticationStatement": set("AuthenticationInstant"),
	"Assertion": set("IssueInstant"),
}

func set(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[strings.ToLower(name)] = true
	}
	return out
}
