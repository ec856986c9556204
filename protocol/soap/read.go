package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// Bounds of a document.
const (
	MaxSize       = 256 << 10
	MaxDepth      = 64
	MaxAttributes = 256 // of one element
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
	t, err := read(b, nil)
	return t.doc, err
}

// Raw is an element byte for byte: with its tags and without them.
type Raw struct{ Outer, Inner []byte }

// ParseRaw is [Parse], and gives the elements with that local name as they stood in b, of which they are parts.
func ParseRaw(b []byte, local ...string) (*etree.Document, map[*etree.Element]Raw, error) {
	t, err := read(b, local)
	return t.doc, t.found, err
}

func read(b []byte, local []string) (tree, error) {
	if len(b) > MaxSize {
		return tree{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if t := newTree(b, local); t.readPlain() {
		return t, nil
	}
	t := newTree(b, local)
	if err := t.readAny(); err != nil {
		return tree{}, err
	}
	return t, nil
}

// tree is a document that is being read.
type tree struct {
	text  []byte
	doc   *etree.Document
	at    *etree.Element // that is open
	open  []begun
	roots int
	local []string
	found map[*etree.Element]Raw // of the local names
}

// begun is where an element stands.
type begun struct{ tag, content int64 }

func newTree(text []byte, local []string) tree {
	t := tree{text: text, doc: etree.NewDocument(), local: local}
	t.at = &t.doc.Element
	if len(local) > 0 {
		t.found = map[*etree.Element]Raw{}
	}
	return t
}

// readAny reads with encoding/xml.
func (t *tree) readAny() error {
	d := xml.NewDecoder(bytes.NewReader(t.text))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // UTF-8, whatever it is said to be
	for {
		before := d.InputOffset()
		token, err := d.RawToken()
		switch {
		case err == io.EOF:
			return t.over()
		case err != nil:
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if err := t.take(token, before, d.InputOffset()); err != nil {
			return err
		}
	}
}

// take adds a token that stands in the document from one place to another.
func (t *tree) take(token xml.Token, from, to int64) error {
	switch token := token.(type) {
	case xml.StartElement:
		if err := t.begin(token.Name.Space, token.Name.Local, begun{from, to}); err != nil {
			return err
		}
		return t.addAttributes(token.Attr)
	case xml.EndElement:
		return t.end(token.Name.Space, token.Name.Local, from, to)
	case xml.CharData:
		return t.addText(string(token))
	case xml.Comment:
		t.at.CreateComment(string(token))
	case xml.ProcInst:
		t.at.CreateProcInst(token.Target, string(token.Inst))
	case xml.Directive:
		return fmt.Errorf("%w: a document type declaration", ErrMalformed)
	}
	return nil
}

func (t *tree) begin(space, tag string, place begun) error {
	if len(t.open) == MaxDepth {
		return fmt.Errorf("%w: more than %d levels", ErrTooDeep, MaxDepth)
	}
	if len(t.open) == 0 {
		t.roots++
	}
	e := &etree.Element{Space: space, Tag: tag}
	t.at.AddChild(e)
	t.at = e
	t.open = append(t.open, place)
	return nil
}

func (t *tree) end(space, tag string, from, to int64) error {
	if len(t.open) == 0 || t.at.Space != space || t.at.Tag != tag {
		return fmt.Errorf("%w: </%.40s> closes nothing", ErrMalformed, tag)
	}
	begun := t.open[len(t.open)-1]
	if slices.Contains(t.local, tag) {
		t.found[t.at] = Raw{t.text[begun.tag:to], t.text[begun.content:from]}
	}
	t.at, t.open = t.at.Parent(), t.open[:len(t.open)-1]
	return nil
}

func (t *tree) addText(text string) error {
	if len(t.open) == 0 && strings.Trim(text, " \t\r\n") != "" {
		return fmt.Errorf("%w: text outside the root element", ErrMalformed)
	}
	t.at.CreateText(text)
	return nil
}

func (t *tree) addAttributes(list []xml.Attr) error {
	if len(list) > MaxAttributes {
		return fmt.Errorf("%w: %d attributes of %.40s, at most %d", ErrTooLarge, len(list), t.at.Tag, MaxAttributes)
	}
	t.at.Attr = make([]etree.Attr, 0, len(list))
	for _, a := range list {
		name := a.Name.Local
		if a.Name.Space != "" {
			name = a.Name.Space + ":" + name
		} else if strings.Contains(name, ":") {
			return fmt.Errorf("%w: %.40q is no name of an attribute", ErrMalformed, name)
		}
		if err := t.addAttribute(name, a.Value); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) addAttribute(name, value string) error {
	before := len(t.at.Attr)
	if t.at.CreateAttr(name, value); len(t.at.Attr) == before {
		return fmt.Errorf("%w: attribute %.40s of %.40s stands twice", ErrMalformed, name, t.at.Tag)
	}
	return nil
}

// over reports what is missing at the document's end.
func (t *tree) over() error {
	if len(t.open) > 0 || t.roots != 1 {
		return fmt.Errorf("%w: %d root elements, %d not closed", ErrMalformed, t.roots, len(t.open))
	}
	return nil
}
