package replay

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/soap"
)

// element is a recorded element of an XML document.
type element struct {
	name       string
	nth        int    // among those of this name in the element around
	space      string // namespace, if otherwise is set; else that of the element around
	otherwise  bool
	attributes []exchange.Field
	text       *exchange.Field
	inside     []*element
}

// ownElements are made anew as a whole: tickets, keys and what is signed.
var ownElements = []string{"Security", "RequestedSecurityToken", "RequestedProofToken", "Entropy"}

// ownAttributes are those that count what one endpoint has told one pool, by element.
var ownAttributes = map[string][]string{"publication": {"version"}}

// step is one step of a path: RequestSecurityToken, operation[2].
var step = regexp.MustCompile(`^([^\[\]/@ ]+)(?:\[([0-9]+)\])?$`)

// recordedDocument is the document that fields of a body tell of, nil if they tell of none that is whole.
func recordedDocument(fields []exchange.Field) *element {
	root := &element{} // of the document itself
	for i := range fields {
		f := fields[i]
		if f.Name == "body" || f.Name == "…" {
			return nil
		}
		path, space := strings.CutSuffix(f.Name, " xmlns")
		path, attribute, isAttribute := strings.Cut(path, "@")
		at := root
		for part := range strings.SplitSeq(path, "/") {
			if at = at.child(part); at == nil {
				return nil
			}
		}
		switch {
		case space:
			at.space, at.otherwise = f.Value, true
		case isAttribute:
			f.Name = attribute
			at.attributes = append(at.attributes, f)
		default:
			at.text = &f
		}
	}
	return root.document()
}

// child is the element inside that a step of a path leads to, nil if it is no step.
func (e *element) child(part string) *element {
	found := step.FindStringSubmatch(part)
	if found == nil {
		return nil
	}
	nth := 1
	if found[2] != "" {
		nth, _ = strconv.Atoi(found[2]) // a number too large is 0 or the largest, and no element's
	}
	for _, one := range e.inside {
		if one.name == found[1] && one.nth == nth {
			return one
		}
	}
	one := &element{name: found[1], nth: nth}
	e.inside = append(e.inside, one)
	return one
}

// document is the root element. The paths of a SOAP message begin below its envelope.
func (e *element) document() *element {
	if len(e.inside) == 0 {
		return nil
	}
	soapParts := []string{"Envelope", "Header", "Body"}
	if !slices.ContainsFunc(e.inside, func(one *element) bool { return !slices.Contains(soapParts, one.name) }) {
		envelope := &element{name: "Envelope", nth: 1}
		for _, one := range e.inside {
			if one.name == "Envelope" {
				envelope.space, envelope.otherwise, envelope.attributes = one.space, one.otherwise, one.attributes
			} else {
				envelope.inside = append(envelope.inside, one)
			}
		}
		return envelope
	}
	if len(e.inside) > 1 {
		return nil
	}
	return e.inside[0]
}

// replayedDocument is a body with the elements, attributes and texts that were recorded, in their order. What was not
// recorded, secrets and what is made anew, is that of own. A body that cannot be replayed is own.
func replayedDocument(own []byte, fields []exchange.Field) []byte {
	recorded := recordedDocument(fields)
	if recorded == nil {
		return own
	}
	doc, err := soap.Parse(own)
	if err != nil || doc.Root() == nil {
		doc = etree.NewDocument()
	}
	root := doc.Root()
	if root == nil || root.Tag != recorded.name || recorded.otherwise && root.NamespaceURI() != recorded.space {
		root = recorded.made(nil)
		doc.SetRoot(root)
	}
	recorded.put(root)
	out, err := doc.WriteToBytes()
	if err != nil {
		return own
	}
	if _, err := soap.Parse(out); err != nil {
		return own
	}
	return out
}

// spaceIn is the namespace that an element was recorded in: that of the element around, unless it is told.
func (e *element) spaceIn(around *etree.Element) string {
	if e.otherwise || around == nil {
		return e.space
	}
	return around.NamespaceURI()
}

// made is a new element for the element around, nil: it is the root.
func (e *element) made(around *etree.Element) *etree.Element {
	out := etree.NewElement(e.name)
	if space := e.spaceIn(around); space != defaultSpace(around) {
		out.CreateAttr("xmlns", space)
	}
	return out
}

// defaultSpace is the namespace of an element without a prefix inside e.
func defaultSpace(e *etree.Element) string {
	for ; e != nil; e = e.Parent() {
		if a := e.SelectAttr("xmlns"); a != nil {
			return a.Value
		}
	}
	return ""
}

// put gives an element what was recorded of it.
func (e *element) put(to *etree.Element) {
	e.putAttributes(to)
	if len(e.inside) == 0 {
		e.putText(to)
		return
	}
	own := to.ChildElements()
	for _, token := range slices.Clone(to.Child) {
		to.RemoveChild(token)
	}
	for _, one := range e.inside {
		child := nth(own, one)
		if child != nil {
			to.AddChild(child)
		}
		switch {
		case child == nil:
			child = one.made(to)
			to.AddChild(child)
		case child.NamespaceURI() != one.spaceIn(to):
			to.RemoveChild(child)
			child = one.made(to)
			to.AddChild(child)
		case slices.Contains(ownElements, child.Tag):
			continue
		}
		one.put(child)
	}
}

// putText gives an element that holds no other its text.
func (e *element) putText(to *etree.Element) {
	if e.text == nil {
		return
	}
	for _, child := range to.ChildElements() {
		to.RemoveChild(child)
	}
	own := strings.TrimSpace(to.Text())
	if e.text.Origin == timeline.Recorded && own != e.text.Value && !sameName(own, e.text.Value) {
		to.SetText(atOwnPort(e.text.Value, own))
	}
}

// nth is the element of a list that a recorded one stands for, nil if there is none.
func nth(list []*etree.Element, of *element) *etree.Element {
	n := 0
	for _, one := range list {
		if one.Tag == of.name {
			if n++; n == of.nth {
				return one
			}
		}
	}
	return nil
}

func (e *element) putAttributes(to *etree.Element) {
	out := slices.DeleteFunc(slices.Clone(to.Attr), func(a etree.Attr) bool { return a.Space != "xmlns" && a.FullKey() != "xmlns" })
	for _, f := range e.attributes {
		name := numbered.ReplaceAllString(f.Name, "")
		is := func(a etree.Attr) bool { return a.Key == name && a.Space != "xmlns" }
		i := slices.IndexFunc(to.Attr, is)
		if i < 0 && f.Origin == timeline.Recorded {
			to.CreateAttr(name, f.Value)
			i = slices.IndexFunc(to.Attr, is)
		}
		if i < 0 {
			continue
		}
		a := to.Attr[i]
		if f.Origin == timeline.Recorded && !sameName(a.Value, f.Value) && !slices.Contains(ownAttributes[to.Tag], name) {
			a.Value = atOwnPort(f.Value, a.Value)
		}
		out = append(out, a)
	}
	to.Attr = out
}

// atOwnPort is a recorded URL at the port that its host has now.
func atOwnPort(recorded, own string) string {
	was, err := url.Parse(recorded)
	is, ownErr := url.Parse(own)
	if err != nil || ownErr != nil || was.Host == "" || was.Scheme != is.Scheme || !strings.EqualFold(was.Hostname(), is.Hostname()) || was.Host == is.Host {
		return recorded
	}
	was.Host = is.Host
	return was.String()
}

// qualified is a name with a prefix. Which namespace that stands for was not recorded.
var qualified = regexp.MustCompile(`^[A-Za-z_][\w.-]*:([A-Za-z_][\w.-]*)$`)

// sameName reports whether two values are names that differ by their prefix at most.
func sameName(a, b string) bool {
	left, right := qualified.FindStringSubmatch(strings.TrimSpace(a)), qualified.FindStringSubmatch(strings.TrimSpace(b))
	return left != nil && right != nil && left[1] == right[1]
}
