// Package soap holds what the two web services of the pool have in common: bounded XML, faults, WSDL metadata, exclusive
// canonicalisation and the WS-Security header with its proof-of-possession signature.
package soap

// Namespaces, [MS-OCAUTHWS] 2.2.1 and the standards that it builds on.
const (
	NSEnvelope11 = "http://schemas.xmlsoap.org/soap/envelope/"
	NSEnvelope12 = "http://www.w3.org/2003/05/soap-envelope"
	NSAddressing = "http://www.w3.org/2005/08/addressing"
	NSPolicy     = "http://schemas.xmlsoap.org/ws/2004/09/policy"
	NSSecurity   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	NSSecurity11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
	NSUtility    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	NSTrust      = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"  // of the web ticket
	NSTrustSlash = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/" // of the enrolment, with the slash
	NSSignature  = "http://www.w3.org/2000/09/xmldsig#"
	NSSAML       = "urn:oasis:names:tc:SAML:1.0:assertion"
	NSAuth       = "http://schemas.xmlsoap.org/ws/2006/12/authorization"
	NSServices   = "http://schemas.microsoft.com/OCS/AuthWebServices/"
	NSWebAuth    = "urn:component:Microsoft.Rtc.WebAuthentication.2010"

	TokenSAML11       = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"
	ActionTransferGet = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"

	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
	hmacSHA1      = NSSignature + "hmac-sha1"
	digestSHA1    = NSSignature + "sha1"
	assertionID   = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID"
)
