package certprov

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/beevik/etree"
	"github.com/smallstep/pkcs7"

	"github.com/phone-edition/lpe/protocol/soap"
)

// MaxChain bounds the certificates of one chain.
const MaxChain = 10

// Errors of the root-chain download.
var (
	ErrNoChain      = errors.New("the answer holds no certificate")
	ErrChainTooLong = fmt.Errorf("the answer holds a chain of more than %d certificates", MaxChain)
)

// DefaultRootChainOperation is asked for when the metadata names none (web-services.md §2, lab convention).
var DefaultRootChainOperation = soap.Operation{
	Name: "GetRootCertChains", Action: ActionRootChains,
	Input: xml.Name{Space: soap.NSServices, Local: "GetRootCertChains"},
}

// RootChainRequest asks for the chains with an empty element of the name that the metadata gave.
type RootChainRequest struct{ Operation xml.Name }

// Append writes the request.
func (r RootChainRequest) Append(b []byte) ([]byte, error) {
	if r.Operation.Local == "" || strings.ContainsAny(r.Operation.Local, " <>&\"'/") {
		return nil, fmt.Errorf("%w: operation element %q", ErrRequest, r.Operation.Local)
	}
	return fmt.Appendf(b, `<s:Envelope xmlns:s="%s"><s:Body><%s xmlns="%s"/></s:Body></s:Envelope>`,
		soap.NSEnvelope11, r.Operation.Local, soap.Escape(r.Operation.Space)), nil
}

// ParseRootChainRequest reads a request.
func ParseRootChainRequest(b []byte) (RootChainRequest, error) {
	doc, err := soap.Parse(b)
	if err != nil {
		return RootChainRequest{}, err
	}
	return ReadRootChainRequest(doc)
}

// ReadRootChainRequest returns the name of the first element in the body.
func ReadRootChainRequest(doc *etree.Document) (RootChainRequest, error) {
	body, err := soap.Body(doc)
	if err != nil {
		return RootChainRequest{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	children := body.ChildElements()
	if len(children) == 0 {
		return RootChainRequest{}, fmt.Errorf("%w: the body is empty", ErrRequest)
	}
	return RootChainRequest{soap.Name(children[0])}, nil
}

// AppendRootChains writes the answer to the named operation: each chain as base64 of certificates-only PKCS #7.
func AppendRootChains(b []byte, operation string, chains [][]*x509.Certificate) ([]byte, error) {
	var content strings.Builder
	for _, chain := range chains {
		if len(chain) > MaxChain {
			return nil, ErrChainTooLong
		}
		var raw []byte
		for _, c := range chain {
			raw = append(raw, c.Raw...)
		}
		der, err := pkcs7.DegenerateCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("root chain: %w", err)
		}
		fmt.Fprintf(&content, "<RootCertChain>%s</RootCertChain>", base64.StdEncoding.EncodeToString(der))
	}
	return fmt.Appendf(b, `<s:Envelope xmlns:s="%s"><s:Body><%sResponse xmlns="%s" ResponseClass="Success"><RootCertChains>%s</RootCertChains></%sResponse></s:Body></s:Envelope>`,
		soap.NSEnvelope11, operation, soap.NSServices, content.String(), operation), nil
}

// ParseRootChains collects every certificate in the body, wherever and however it is encoded (web-services.md §2 item 4).
func ParseRootChains(b []byte) ([]*x509.Certificate, error) {
	doc, err := soap.Parse(b)
	if err != nil {
		return nil, err
	}
	body, err := soap.Body(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoChain, err)
	}
	var out []*x509.Certificate
	seen := map[string]bool{}
	for _, e := range leaves(body) {
		chain, err := certificates(soap.Text(e))
		if err != nil {
			return nil, err
		}
		for _, c := range chain {
			if !seen[string(c.Raw)] {
				seen[string(c.Raw)] = true
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 {
		return nil, ErrNoChain
	}
	return out, nil
}

func leaves(e *etree.Element) []*etree.Element {
	children := e.ChildElements()
	if len(children) == 0 {
		return []*etree.Element{e}
	}
	var out []*etree.Element
	for _, child := range children {
		out = append(out, leaves(child)...)
	}
	return out
}

// certificates decodes PKCS #7, one certificate or several in a row; a text that is none of these gives none.
func certificates(text string) ([]*x509.Certificate, error) {
	der, err := decode(text)
	if err != nil || len(der) == 0 || der[0] != 0x30 {
		return nil, nil
	}
	var chain []*x509.Certificate
	if message, err := pkcs7.Parse(der); err == nil {
		chain = message.Certificates
	} else if chain, err = x509.ParseCertificates(der); err != nil {
		return nil, nil
	}
	if len(chain) > MaxChain {
		return nil, ErrChainTooLong
	}
	return chain, nil
}

var chainOperation = regexp.MustCompile(`(?i)root|chain|cert`)

// RootChainPort finds the anonymous port and its operation: a location over http or a name with Anon, and an operation
// that is not the enrolment (web-services.md §2 item 2).
func RootChainPort(m soap.Metadata) (soap.Port, soap.Operation, bool) {
	for _, port := range m.Ports {
		if !strings.HasPrefix(strings.ToLower(port.Location), "http://") && !strings.Contains(strings.ToLower(port.Name), "anon") {
			continue
		}
		for _, op := range port.Operations {
			if op.Name != "GetAndPublishCert" && op.Input.Local != "" && chainOperation.MatchString(op.Name) {
				return port, op, true
			}
		}
	}
	return soap.Port{}, soap.Operation{}, false
}
