package soap

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// ErrNoMetadata is returned when a document has no WSDL ports.
var ErrNoMetadata = errors.New("the document has no WSDL ports")

// Metadata is what a handset needs of a service's WSDL.
type Metadata struct{ Ports []Port }

// Port is one endpoint of a service.
type Port struct {
	Name, Location string
	Issuer         string // web ticket service, of an IssuedToken policy
	Proof, Bearer  bool   // EndorsingSupportingTokens, SignedSupportingTokens
	Operations     []Operation
}

// Operation is one operation of a port's binding.
type Operation struct {
	Name, Action string
	Input        xml.Name // element of the request's body
}

// Port finds a port by name in any case.
func (m Metadata) Port(name string) (Port, bool) {
	for _, p := range m.Ports {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return Port{}, false
}

// ParseMetadata reads a WSDL, bare or inside a mex answer: the whole tree is searched, the root never assumed.
func ParseMetadata(b []byte) (Metadata, error) {
	doc, err := Parse(b)
	if err != nil {
		return Metadata{}, err
	}
	var m Metadata
	root := doc.Root()
	for _, e := range FindAll(root, "port") {
		location := Attr(Child(e, "address"), "location")
		if location == "" {
			continue
		}
		port := Port{Name: Attr(e, "name"), Location: location}
		port.readPolicy(root)
		port.Operations = operations(root, e)
		m.Ports = append(m.Ports, port)
	}
	if len(m.Ports) == 0 {
		return m, ErrNoMetadata
	}
	return m, nil
}

func (p *Port) readPolicy(root *etree.Element) {
	for _, policy := range FindAll(root, "Policy") {
		if !strings.EqualFold(Attr(policy, "Id"), p.Name+"_policy") {
			continue
		}
		all := Path(policy, "ExactlyOne", "All")
		if tokens := Child(all, "EndorsingSupportingTokens"); tokens != nil {
			p.Proof = true
			p.Issuer = Text(Path(tokens, "Policy", "IssuedToken", "Issuer", "Address"))
		}
		p.Bearer = Child(all, "SignedSupportingTokens") != nil
	}
}

// operations follows port → binding → operation → soapAction and portType → message → part → element.
func operations(root, port *etree.Element) []Operation {
	binding := byName(root, "binding", QName(port, Attr(port, "binding")).Local)
	if binding == nil {
		return nil
	}
	portType := byName(root, "portType", QName(binding, Attr(binding, "type")).Local)
	var out []Operation
	for e := range binding.ChildElementsSeq() {
		if e.Tag != "operation" || e.SelectAttr("name") == nil {
			continue
		}
		op := Operation{Name: Attr(e, "name"), Action: Attr(Child(e, "operation"), "soapAction")}
		for _, abstract := range FindAll(portType, "operation") {
			if Attr(abstract, "name") == op.Name {
				op.Input = inputElement(root, Child(abstract, "input"))
			}
		}
		out = append(out, op)
	}
	return out
}

func inputElement(root, input *etree.Element) xml.Name {
	if input == nil {
		return xml.Name{}
	}
	message := byName(root, "message", QName(input, Attr(input, "message")).Local)
	part := Child(message, "part")
	if part == nil {
		return xml.Name{}
	}
	return QName(part, Attr(part, "element"))
}

func byName(root *etree.Element, tag, name string) *etree.Element {
	for _, e := range FindAll(root, tag) {
		if Attr(e, "name") == name {
			return e
		}
	}
	return nil
}

// AppendMetadataRequest writes a WS-Transfer Get (web-services.md §1.4); to is the service without /mex.
func AppendMetadataRequest(b []byte, to string) []byte {
	return fmt.Appendf(b, `<soap12:Envelope xmlns:soap12="%s" xmlns:wsa="%s"><soap12:Header>`+
		`<wsa:Action soap12:mustUnderstand="1">%s</wsa:Action><wsa:ReplyTo><wsa:Address>%s/anonymous</wsa:Address></wsa:ReplyTo>`+
		`<wsa:To soap12:mustUnderstand="1">%s</wsa:To></soap12:Header><soap12:Body/></soap12:Envelope>`,
		NSEnvelope12, NSAddressing, ActionTransferGet, NSAddressing, Escape(to))
}

// WrapMetadata puts a WSDL into the answer to a WS-Transfer Get (web-services.md §1.4, inferred).
func WrapMetadata(wsdl []byte) []byte {
	return fmt.Appendf(nil, `<s:Envelope xmlns:s="%s" xmlns:a="%s"><s:Header><a:Action s:mustUnderstand="1">`+
		`http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse</a:Action></s:Header><s:Body>`+
		`<Metadata xmlns="http://schemas.xmlsoap.org/ws/2004/09/mex" xmlns:wsx="http://schemas.xmlsoap.org/ws/2004/09/mex">`+
		`<wsx:MetadataSection Dialect="http://schemas.xmlsoap.org/wsdl/" Identifier="%s" xmlns="">%s</wsx:MetadataSection>`+
		`</Metadata></s:Body></s:Envelope>`, NSEnvelope12, NSAddressing, NSServices, wsdl)
}
