package soap

import (
	"slices"

	"github.com/beevik/etree"
)

// Alike reports whether two elements of documents have the same exclusive canonical form, without writing it.
func Alike(a, b *etree.Element) bool {
	if a.Space != b.Space || a.Tag != b.Tag || a.NamespaceURI() != b.NamespaceURI() || !alikeAttributes(a, b) {
		return false
	}
	return slices.EqualFunc(content(a), content(b), func(x, y part) bool {
		if x.element != nil && y.element != nil {
			return Alike(x.element, y.element)
		}
		return x == y
	})
}

func alikeAttributes(a, b *etree.Element) bool {
	more := 0
	for _, y := range b.Attr {
		if !declares(y) {
			more++
		}
	}
	for _, x := range a.Attr {
		if declares(x) {
			continue
		}
		more--
		if !slices.ContainsFunc(b.Attr, func(y etree.Attr) bool {
			return x.Space == y.Space && x.Key == y.Key && x.Value == y.Value && x.NamespaceURI() == y.NamespaceURI()
		}) {
			return false
		}
	}
	return more == 0
}

// declares reports whether an attribute is the declaration of a namespace.
func declares(a etree.Attr) bool { return a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" }

// part is one of the things that an element holds.
type part struct {
	element             *etree.Element
	text, target, instr string
}

// content is what e holds. Comments do not count, as in the canonical form.
func content(e *etree.Element) []part {
	out := make([]part, 0, len(e.Child))
	for _, token := range e.Child {
		switch token := token.(type) {
		case *etree.Element:
			out = append(out, part{element: token})
		case *etree.ProcInst:
			out = append(out, part{target: token.Target, instr: token.Inst})
		case *etree.CharData:
			if last := len(out) - 1; last >= 0 && out[last].text != "" {
				out[last].text += token.Data
			} else if token.Data != "" {
				out = append(out, part{text: token.Data})
			}
		}
	}
	return out
}
