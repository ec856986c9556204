package webticket

import (
	"errors"
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/soap"
)

// Names of the service's ports (web-services.md §1.2) and their locations' suffixes.
const (
	PINPortName         = "WebTicketServicePin" // suffix /pin, inferred from the pattern of the others
	WindowsPortName     = "WebTicketServiceWinNegotiate"
	CertificatePortName = "WebTicketServiceCert"
	PINSuffix           = "/pin"
	CertificateSuffix   = "/cert"
)

// Errors of choosing a port.
var (
	ErrNoPINPort         = errors.New("PIN authentication is not offered")
	ErrNoWindowsPort     = errors.New("no port for Windows authentication")
	ErrNoCertificatePort = errors.New("no port for a client certificate")
)

// PINPort selects the port for number and PIN: by name, else by a location ending in /pin, never another (web-services.md §1.6).
func PINPort(m soap.Metadata) (soap.Port, error) {
	if port, ok := m.Port(PINPortName); ok {
		return port, nil
	}
	for _, port := range m.Ports {
		if strings.HasSuffix(strings.ToLower(port.Location), PINSuffix) {
			return port, nil
		}
	}
	return soap.Port{}, ErrNoPINPort
}

// WindowsPort selects the port for user name and password by its name; its location has no suffix to go by.
func WindowsPort(m soap.Metadata) (soap.Port, error) {
	if port, ok := m.Port(WindowsPortName); ok {
		return port, nil
	}
	return soap.Port{}, ErrNoWindowsPort
}

// CertificatePort selects the port for the client certificate: by name, else by a location ending in /cert.
func CertificatePort(m soap.Metadata) (soap.Port, error) {
	if port, ok := m.Port(CertificatePortName); ok {
		return port, nil
	}
	for _, port := range m.Ports {
		if strings.HasSuffix(strings.ToLower(port.Location), CertificateSuffix) {
			return port, nil
		}
	}
	return soap.Port{}, ErrNoCertificatePort
}

// WSDL writes the service's metadata; base is its URL (web-services.md §1.6; the policy of the PIN port is inferred).
func WSDL(base string, pin, windows, certificate bool) []byte {
	var policies, bindings, ports strings.Builder
	add := func(on bool, name, suffix, assertion string) {
		if !on {
			return
		}
		fmt.Fprintf(&policies, `<wsp:Policy wsu:Id="%s_policy"><wsp:ExactlyOne><wsp:All>%s</wsp:All></wsp:ExactlyOne></wsp:Policy>`, name, assertion)
		fmt.Fprintf(&bindings, `<wsdl:binding name="%s" type="tns:IWebTicketService"><wsp:PolicyReference URI="#%s_policy"/>`+
			`<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="IssueToken"><soap:operation soapAction="%s" style="document"/>`+
			`<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>`, name, name, Action)
		fmt.Fprintf(&ports, `<wsdl:port name="%s" binding="tns:%s"><soap:address location="%s"/></wsdl:port>`, name, name, soap.Escape(base+suffix))
	}
	add(windows, WindowsPortName, "", `<http:NegotiateAuthentication/>`)
	add(pin, PINPortName, PINSuffix, `<sp:SignedSupportingTokens><wsp:Policy><sp:UsernameToken sp:IncludeToken="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702/IncludeToken/AlwaysToRecipient"><wsp:Policy><sp:WssUsernameToken10/></wsp:Policy></sp:UsernameToken></wsp:Policy></sp:SignedSupportingTokens>`)
	add(certificate, CertificatePortName, CertificateSuffix, `<sp:EndorsingSupportingTokens><wsp:Policy><sp:X509Token/></wsp:Policy></sp:EndorsingSupportingTokens>`)
	return fmt.Appendf(nil, `<wsdl:definitions name="WebTicketService" targetNamespace="http://tempuri.org/" xmlns:tns="http://tempuri.org/" `+
		`xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:wsp="%s" xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl" `+
		`xmlns:sp="http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702" xmlns:http="http://schemas.microsoft.com/ws/06/2004/policy/http" xmlns:wsu="%s">%s`+
		`<wsdl:message name="IWebTicketService_IssueToken_InputMessage"><wsdl:part name="rst" type="q1:MessageBody" xmlns:q1="http://schemas.microsoft.com/Message"/></wsdl:message>`+
		`<wsdl:message name="IWebTicketService_IssueToken_OutputMessage"><wsdl:part name="IssueTokenResult" type="q2:MessageBody" xmlns:q2="http://schemas.microsoft.com/Message"/></wsdl:message>`+
		`<wsdl:portType name="IWebTicketService"><wsdl:operation name="IssueToken"><wsdl:input wsaw:Action="%s" message="tns:IWebTicketService_IssueToken_InputMessage"/>`+
		`<wsdl:output wsaw:Action="http://docs.oasis-open.org/ws-sx/ws-trust/200512/RSTRC/IssueFinal" message="tns:IWebTicketService_IssueToken_OutputMessage"/></wsdl:operation></wsdl:portType>`+
		`%s<wsdl:service name="WebTicketService">%s</wsdl:service></wsdl:definitions>`,
		soap.NSPolicy, soap.NSUtility, policies.String(), Action, bindings.String(), ports.String())
}
