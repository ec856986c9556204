package soap

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

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
	if root == nil {
		return nil
	}
	return appendAll(nil, root, local)
}

func appendAll(out []*etree.Element, e *etree.Element, local string) []*etree.Element {
	if e.Tag == local {
		out = append(out, e)
	}
	for _, child := range e.Child {
		if child, ok := child.(*etree.Element); ok {
			out = appendAll(out, child, local)
		}
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
	if !strings.ContainsFunc(text, needsEscape) {
		return text
	}
	var b strings.Builder
	// EscapeText fails only when the writer does.
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

func needsEscape(c rune) bool { return c < ' ' || c > '~' || strings.ContainsRune(`"'&<>`, c) }
