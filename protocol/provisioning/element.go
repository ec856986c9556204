// Package provisioning is what a handset asks of its home pool and publishes there once it is registered: in-band
// provisioning ([MS-SIPREGE] 2.2.2), roaming contacts, roaming self and categories.
package provisioning

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of a document.
const (
	MaxSize  = 256 << 10 // bytes
	MaxDepth = 64        // elements, the root is 1
)

// Errors that every Parse function of this package wraps.
var (
	ErrTooLarge  = errors.New("XML document is too large")
	ErrTooDeep   = errors.New("XML document is too deep")
	ErrMalformed = errors.New("not the XML document expected")
)

// Attr is one attribute; Name includes its prefix.
type Attr struct{ Name, Value string }

// Element is an XML element as written: prefixes are kept, namespaces are not resolved. It carries what this package
// has no type for, so that it survives. Comments and white space between elements do not.
type Element struct {
	Name     string // with its prefix
	Attrs    []Attr
	Children []Element
	Text     string // character data, of all places joined
}

// Local is the name without its prefix.
func (e Element) Local() string {
	_, local, ok := strings.Cut(e.Name, ":")
	if !ok {
		return e.Name
	}
	return local
}

// Attr returns the value of an attribute, or "".
func (e Element) Attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}

// Child returns the first child with that local name.
func (e Element) Child(local string) (Element, bool) {
	for _, c := range e.Children {
		if c.Local() == local {
			return c, true
		}
	}
	return Element{}, false
}

// parseRoot reads a bounded document whose root has that local name.
func parseRoot(b []byte, local string) (Element, error) {
	root, err := parseDocument(b)
	if err != nil {
		return root, err
	}
	if root.Local() != local {
		return root, fmt.Errorf("%w: root %.40q, expected %s", ErrMalformed, root.Name, local)
	}
	return root, nil
}

func parseDocument(b []byte) (Element, error) {
	if len(b) > MaxSize {
		return Element{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("charset %.20q, expected utf-8", charset)
	}
	var open []Element
	var root *Element
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Element{}, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return Element{}, fmt.Errorf("%w: it has a document type", ErrMalformed)
		case xml.StartElement:
			if root != nil && len(open) == 0 {
				return Element{}, fmt.Errorf("%w: a second root %.40q", ErrMalformed, token.Name.Local)
			}
			if len(open) == MaxDepth {
				return Element{}, fmt.Errorf("%w: more than %d elements", ErrTooDeep, MaxDepth)
			}
			e := Element{Name: qualified(token.Name)}
			if len(token.Attr) > 0 {
				e.Attrs = make([]Attr, len(token.Attr))
			}
			for i, a := range token.Attr {
				e.Attrs[i] = Attr{qualified(a.Name), a.Value}
			}
			open = append(open, e)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1].Name != qualified(token.Name) {
				return Element{}, fmt.Errorf("%w: </%.40s> closes nothing", ErrMalformed, token.Name.Local)
			}
			e := open[len(open)-1]
			open = open[:len(open)-1]
			if strings.TrimSpace(e.Text) == "" && len(e.Children) > 0 {
				e.Text = ""
			}
			if len(open) == 0 {
				root = &e
				continue
			}
			parent := &open[len(open)-1]
			parent.Children = append(parent.Children, e)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].Text += string(token)
			} else if len(bytes.TrimSpace(token)) > 0 {
				return Element{}, fmt.Errorf("%w: text outside the root", ErrMalformed)
			}
		}
	}
	if root == nil || len(open) > 0 {
		return Element{}, fmt.Errorf("%w: it ends inside an element", ErrMalformed)
	}
	return *root, nil
}

func qualified(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// appendDocument writes root and refuses what Parse would refuse.
func appendDocument(b []byte, root Element) ([]byte, error) {
	w := bytes.NewBuffer(b)
	if err := root.write(w, 1); err != nil {
		return nil, err
	}
	if w.Len()-len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, w.Len()-len(b), MaxSize)
	}
	return w.Bytes(), nil
}

func (e Element) write(w *bytes.Buffer, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("%w: more than %d elements", ErrTooDeep, MaxDepth)
	}
	if err := checkName(e.Name); err != nil {
		return err
	}
	w.WriteString("<")
	w.WriteString(e.Name)
	for _, a := range e.Attrs {
		if err := checkName(a.Name); err != nil {
			return err
		}
		w.WriteString(" ")
		w.WriteString(a.Name)
		w.WriteString(`="`)
		escape(w, a.Value)
		w.WriteString(`"`)
	}
	if len(e.Children) == 0 && e.Text == "" {
		w.WriteString("/>")
		return nil
	}
	w.WriteString(">")
	escape(w, e.Text)
	for _, c := range e.Children {
		if err := c.write(w, depth+1); err != nil {
			return err
		}
	}
	w.WriteString("</")
	w.WriteString(e.Name)
	w.WriteString(">")
	return nil
}

func checkName(name string) error {
	if name == "" || strings.ContainsAny(name, " \t\r\n<>&\"'=/") {
		return fmt.Errorf("%w: %.40q is no name", ErrMalformed, name)
	}
	return nil
}

func escape(w *bytes.Buffer, text string) {
	if !strings.ContainsFunc(text, needsEscape) {
		w.WriteString(text)
		return
	}
	_ = xml.EscapeText(w, []byte(text)) // a bytes.Buffer takes everything
}

func needsEscape(c rune) bool { return c < ' ' || c > '~' || strings.ContainsRune(`"'&<>`, c) }

// el builds an element; attrs are name, value, name, value.
func el(name string, attrs []string, children ...Element) Element {
	e := Element{Name: name, Children: children}
	for i := 0; i+1 < len(attrs); i += 2 {
		e.Attrs = append(e.Attrs, Attr{attrs[i], attrs[i+1]})
	}
	return e
}

func textEl(name, text string) Element { return Element{Name: name, Text: text} }
