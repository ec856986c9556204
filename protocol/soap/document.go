package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// Bounds of a document.
const (
	MaxSize  = 256 << 10
	MaxDepth = 64
)

// Errors of Parse and Body.
var (
	ErrTooLarge  = errors.New("XML document exceeds its bounds")
	ErrTooDeep   = errors.New("XML document is nested too deeply")
	ErrMalformed = errors.New("XML document is malformed")
	ErrEnvelope  = errors.New("not a SOAP envelope")
)

// Parse reads a document within the bounds: one root element, no document type declaration, no attribute twice.
func Parse(b []byte) (*etree.Document, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	doc := etree.NewDocument()
	doc.ReadSettings.MaxDepth = MaxDepth
	doc.ReadSettings.PreserveDuplicateAttrs = true // else the last one wins unseen
	err := doc.ReadFromBytes(bytes.TrimPrefix(b, []byte("\ufeff")))
	switch {
	case errors.Is(err, etree.ErrMaxDepth):
		return nil, fmt.Errorf("%w: more than %d levels", ErrTooDeep, MaxDepth)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := checkTree(doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return doc, nil
}

// checkTree refuses what the reader lets pass.
func checkTree(doc *etree.Document) error {
	roots := 0
	for _, token := range doc.Child {
		switch token := token.(type) {
		case *etree.Element:
			roots++
		case *etree.CharData:
			if !token.IsWhitespace() {
				return errors.New("text outside the root element")
			}
		}
	}
	if roots != 1 {
		return fmt.Errorf("%d root elements", roots)
	}
	return checkElement(&doc.Element)
}

func checkElement(e *etree.Element) error {
	if len(e.Attr) > 1 {
		seen := make(map[xml.Name]bool, len(e.Attr))
		for _, a := range e.Attr {
			name := xml.Name{Space: a.Space, Local: a.Key}
			if seen[name] {
				return fmt.Errorf("attribute %s of %s stands twice", a.FullKey(), e.Tag)
			}
			seen[name] = true
		}
	}
	for _, token := range e.Child {
		switch token := token.(type) {
		case *etree.Directive:
			return errors.New("a document type declaration")
		case *etree.Element:
			if err := checkElement(token); err != nil {
				return err
			}
		}
	}
	return nil
}

// Body returns the only body of a SOAP 1.1 or 1.2 envelope.
func Body(doc *etree.Document) (*etree.Element, error) {
	root := doc.Root()
	if name := Name(root); name.Local != "Envelope" || name.Space != NSEnvelope11 && name.Space != NSEnvelope12 {
		return nil, fmt.Errorf("%w: the root is %s", ErrEnvelope, name.Local)
	}
	var body *etree.Element
	for child := range root.ChildElementsSeq() {
		if child.Tag != "Body" {
			continue
		}
		if body != nil {
			return nil, fmt.Errorf("%w: more than one Body", ErrEnvelope)
		}
		body = child
	}
	if body == nil {
		return nil, fmt.Errorf("%w: no Body", ErrEnvelope)
	}
	return body, nil
}

// Find returns the first element with that local name, depth first, root included.
func Find(root *etree.Element, local string) *etree.Element {
	if root == nil || root.Tag == local {
		return root
	}
	for child := range root.ChildElementsSeq() {
		if found := Find(child, local); found != nil {
			return found
		}
	}
	return nil
}

// FindAll returns every element with that local name in document order.
func FindAll(root *etree.Element, local string) []*etree.Element {
	var out []*etree.Element
	if root == nil {
		return nil
	}
	if root.Tag == local {
		out = append(out, root)
	}
	for child := range root.ChildElementsSeq() {
		out = append(out, FindAll(child, local)...)
	}
	return out
}

// Child returns the first child element with that local name, or nil.
func Child(e *etree.Element, local string) *etree.Element {
	if e == nil {
		return nil
	}
	for child := range e.ChildElementsSeq() {
		if child.Tag == local {
			return child
		}
	}
	return nil
}

// Path follows local names from e.
func Path(e *etree.Element, locals ...string) *etree.Element {
	for _, local := range locals {
		e = Child(e, local)
	}
	return e
}

// Text is the trimmed text of e, "" for nil.
func Text(e *etree.Element) string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.Text())
}

// Attr returns the attribute with that local name, whatever its prefix.
func Attr(e *etree.Element, local string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attr {
		if strings.EqualFold(a.Key, local) && a.Space != "xmlns" {
			return a.Value
		}
	}
	return ""
}

// Name resolves the element's namespace.
func Name(e *etree.Element) xml.Name {
	if e == nil {
		return xml.Name{}
	}
	return xml.Name{Space: e.NamespaceURI(), Local: e.Tag}
}

// QName resolves a text of the form prefix:local in the scope of e.
func QName(e *etree.Element, text string) xml.Name {
	prefix, local, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok {
		prefix, local = "", prefix
	}
	for at := e; at != nil; at = at.Parent() {
		for _, a := range at.Attr {
			if prefix == "" && a.Space == "" && a.Key == "xmlns" || prefix != "" && a.Space == "xmlns" && a.Key == prefix {
				return xml.Name{Space: a.Value, Local: local}
			}
		}
	}
	return xml.Name{Local: local}
}

// Escape writes text so that it can stand in element content or a double-quoted attribute.
func Escape(text string) string {
	var b strings.Builder
	// EscapeText fails only when the writer does.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
