package certprov

import (
	"bytes"
	"fmt"

	"github.com/phone-edition/lpe/protocol/soap"
)

// Names of the service's ports. The anonymous one is a lab convention (web-services.md §2).
const (
	ProofPortName     = "CertProvisioningServiceWebTicketProof_SHA1"
	AnonymousPortName = "CertProvisioningServiceAnon"
	ProofSuffix       = "/WebTicket_Proof_SHA1"
	AnonymousSuffix   = "/anon"
)

// WSDL writes the service's metadata (web-services.md §1.5): the proof port at base (https), whose tickets come from
// issuer, and, if anonymous is not empty, the root-chain operation at that http location.
func WSDL(base, issuer, anonymous string) []byte {
	var b bytes.Buffer
	b.Grow(4608)
	fmt.Fprintf(&b, `<wsdl:definitions name="CertProvisioningService" targetNamespace="%s" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" `+
		`xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="%s" xmlns:wsp="%s" xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702" `+
		`xmlns:wsa10="%s" xmlns:wsu="%s" xmlns:wsx="http://schemas.xmlsoap.org/ws/2004/09/mex" xmlns:xsd="http://www.w3.org/2001/XMLSchema">`,
		soap.NSServices, soap.NSServices, soap.NSPolicy, soap.NSAddressing, soap.NSUtility)
	b.WriteString(proofPolicy(issuer))
	b.WriteString(messages("GetAndPublishCert"))
	if anonymous != "" {
		b.WriteString(messages("GetRootCertChains"))
	}
	portType := func(operation, name string) {
		fmt.Fprintf(&b, `<wsdl:portType name="%s"><wsdl:operation name="%s"><wsdl:input message="tns:%sMsg"/><wsdl:output message="tns:%sResponseMsg"/></wsdl:operation></wsdl:portType>`,
			name, operation, operation, operation)
	}
	portType("GetAndPublishCert", "CertProvisioningService")
	if anonymous != "" {
		portType("GetRootCertChains", AnonymousPortName)
	}
	b.WriteString(binding(ProofPortName, "CertProvisioningService", "GetAndPublishCert", ActionEnroll, true))
	if anonymous != "" {
		b.WriteString(binding(AnonymousPortName, AnonymousPortName, "GetRootCertChains", ActionRootChains, false))
	}
	b.WriteString(`<wsdl:service name="CertProvisioningService">`)
	fmt.Fprintf(&b, `<wsdl:port name="%s" binding="tns:%s"><soap:address location="%s"/></wsdl:port>`, ProofPortName, ProofPortName, soap.Escape(base+ProofSuffix))
	if anonymous != "" {
		fmt.Fprintf(&b, `<wsdl:port name="%s" binding="tns:%s"><soap:address location="%s"/></wsdl:port>`, AnonymousPortName, AnonymousPortName, soap.Escape(anonymous))
	}
	b.WriteString(`</wsdl:service></wsdl:definitions>`)
	return b.Bytes()
}

func messages(operation string) string {
	return fmt.Sprintf(`<wsdl:message name="%sMsg"><wsdl:part name="parameters" element="tns:%s"/></wsdl:message>`+
		`<wsdl:message name="%sResponseMsg"><wsdl:part name="parameters" element="tns:%sResponse"/></wsdl:message>`, operation, operation, operation, operation)
}

func binding(name, portType, operation, action string, policy bool) string {
	reference := ""
	if policy {
		reference = fmt.Sprintf(`<wsp:PolicyReference URI="#%s_policy"/>`, name)
	}
	return fmt.Sprintf(`<wsdl:binding name="%s" type="tns:%s">%s<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="%s">`+
		`<soap:operation soapAction="%s" style="document"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>`,
		name, portType, reference, operation, action)
}

func proofPolicy(issuer string) string {
	issuer = soap.Escape(issuer)
	return fmt.Sprintf(`<wsp:Policy wsu:Id="%s_policy"><wsp:ExactlyOne><wsp:All><sp:EndorsingSupportingTokens><wsp:Policy>`+
		`<sp:IssuedToken sp:IncludeToken="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702/IncludeToken/AlwaysToRecipient"><sp:Issuer>`+
		`<wsa10:Address>%s</wsa10:Address><wsa10:Metadata><wsx:Metadata><wsx:MetadataSection><wsx:MetadataReference><wsa10:Address>%s/mex</wsa10:Address>`+
		`</wsx:MetadataReference></wsx:MetadataSection></wsx:Metadata></wsa10:Metadata></sp:Issuer><sp:RequestSecurityTokenTemplate xmlns:t="%s">`+
		`<t:TokenType>%s</t:TokenType><t:KeyType>%s/SymmetricKey</t:KeyType></sp:RequestSecurityTokenTemplate><wsp:Policy><sp:RequireInternalReference/></wsp:Policy>`+
		`</sp:IssuedToken></wsp:Policy></sp:EndorsingSupportingTokens><sp:TransportBinding><wsp:Policy><sp:TransportToken><wsp:Policy><sp:HttpsToken/></wsp:Policy></sp:TransportToken>`+
		`<sp:AlgorithmSuite><wsp:Policy><sp:Basic256/></wsp:Policy></sp:AlgorithmSuite><sp:Layout><wsp:Policy><sp:Lax/></wsp:Policy></sp:Layout><sp:IncludeTimestamp/></wsp:Policy></sp:TransportBinding>`+
		`</wsp:All></wsp:ExactlyOne></wsp:Policy>`, ProofPortName, issuer, issuer, soap.NSTrust, soap.TokenSAML11, soap.NSTrust)
}
