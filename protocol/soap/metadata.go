package soap

import (
	"bytes"
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
	w := index(doc.Root())
	for _, e := range FindAll(doc.Root(), "port") {
		location := Attr(Child(e, "address"), "location")
		if location == "" {
			continue
		}
		port := Port{Name: Attr(e, "name"), Location: location, Operations: w.operations(e)}
		port.readPolicy(w.policies[strings.ToLower(port.Name+"_policy")])
		m.Ports = append(m.Ports, port)
	}
	if len(m.Ports) == 0 {
		return m, ErrNoMetadata
	}
	return m, nil
}

func (p *Port) readPolicy(policy *etree.Element) {
	all := Path(policy, "ExactlyOne", "All")
	if tokens := Child(all, "EndorsingSupportingTokens"); tokens != nil {
		p.Proof = true
		p.Issuer = Text(Path(tokens, "Policy", "IssuedToken", "Issuer", "Address"))
	}
	p.Bearer = Child(all, "SignedSupportingTokens") != nil
}

// wsdl holds the first element of each name, so that many ports cost no more than one walk each.
type wsdl struct {
	policies                      map[string]*etree.Element // by Id in lower case
	bindings, portTypes, messages map[string]*etree.Element
	ofBinding                     map[*etree.Element][]Operation
	inputs                        map[*etree.Element]map[string]xml.Name // of a portType, by operation
}

func index(root *etree.Element) wsdl {
	return wsdl{
		policies: first(root, "Policy", func(e *etree.Element) string { return strings.ToLower(Attr(e, "Id")) }),
		bindings: first(root, "binding", name), portTypes: first(root, "portType", name), messages: first(root, "message", name),
		ofBinding: map[*etree.Element][]Operation{}, inputs: map[*etree.Element]map[string]xml.Name{},
	}
}

func name(e *etree.Element) string { return Attr(e, "name") }

func first(root *etree.Element, tag string, key func(*etree.Element) string) map[string]*etree.Element {
	out := map[string]*etree.Element{}
	for _, e := range FindAll(root, tag) {
		if k := key(e); k != "" && out[k] == nil {
			out[k] = e
		}
	}
	return out
}

// operations follows port → binding → operation → soapAction and portType → message → part → element.
func (w wsdl) operations(port *etree.Element) []Operation {
	binding := w.bindings[QName(port, Attr(port, "binding")).Local]
	if binding == nil {
		return nil
	}
	if known, ok := w.ofBinding[binding]; ok {
		return known
	}
	inputs := w.inputsOf(w.portTypes[QName(binding, Attr(binding, "type")).Local])
	var out []Operation
	for e := range binding.ChildElementsSeq() {
		if e.Tag == "operation" && name(e) != "" {
			out = append(out, Operation{Name: name(e), Action: Attr(Child(e, "operation"), "soapAction"), Input: inputs[name(e)]})
		}
	}
	w.ofBinding[binding] = out
	return out
}

func (w wsdl) inputsOf(portType *etree.Element) map[string]xml.Name {
	if known, ok := w.inputs[portType]; ok {
		return known
	}
	out := map[string]xml.Name{}
	for _, e := range FindAll(portType, "operation") {
		if _, ok := out[name(e)]; !ok {
			out[name(e)] = w.inputElement(Child(e, "input"))
		}
	}
	w.inputs[portType] = out
	return out
}

func (w wsdl) inputElement(input *etree.Element) xml.Name {
	if input == nil {
		return xml.Name{}
	}
	part := Child(w.messages[QName(input, Attr(input, "message")).Local], "part")
	if part == nil {
		return xml.Name{}
	}
	return QName(part, Attr(part, "element"))
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
	if _, rest, ok := bytes.Cut(wsdl, []byte("?>")); ok && bytes.HasPrefix(wsdl, []byte("<?xml ")) {
		wsdl = rest // a declaration may only begin a document
	}
	return fmt.Appendf(nil, `<s:Envelope xmlns:s="%s" xmlns:a="%s"><s:Header><a:Action s:mustUnderstand="1">`+
		`http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse</a:Action></s:Header><s:Body>`+
		`<Metadata xmlns="http://schemas.xmlsoap.org/ws/2004/09/mex" xmlns:wsx="http://schemas.xmlsoap.org/ws/2004/09/mex">`+
		`<wsx:MetadataSection Dialect="http://schemas.xmlsoap.org/wsdl/" Identifier="%s" xmlns="">%s</wsx:MetadataSection>`+
		`</Metadata></s:Body></s:Envelope>`, NSEnvelope12, NSAddressing, NSServices, wsdl)
}
