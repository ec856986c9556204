package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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
	return read(b, func(*etree.Element, Raw) {})
}

// Raw is an element byte for byte: with its tags and without them.
type Raw struct{ Outer, Inner []byte }

// ParseRaw is [Parse], and gives the elements with that local name as they stood in b, of which they are parts.
func ParseRaw(b []byte, local ...string) (*etree.Document, map[*etree.Element]Raw, error) {
	found := map[*etree.Element]Raw{}
	doc, err := read(b, func(e *etree.Element, raw Raw) {
		for _, name := range local {
			if e.Tag == name {
				found[e] = raw
			}
		}
	})
	return doc, found, err
}

// read gives each element to ended when its end has come.
func read(b []byte, ended func(*etree.Element, Raw)) (*etree.Document, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	r := reader{decoder: xml.NewDecoder(bytes.NewReader(b)), doc: etree.NewDocument()}
	r.decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // UTF-8, whatever it is said to be
	r.at = &r.doc.Element
	for {
		before := r.decoder.InputOffset()
		token, err := r.decoder.RawToken()
		switch {
		case err == io.EOF && len(r.open) == 0 && r.roots == 1:
			return r.doc, nil
		case err == io.EOF:
			return nil, fmt.Errorf("%w: %d root elements, %d not closed", ErrMalformed, r.roots, len(r.open))
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if end, ok := token.(xml.EndElement); ok {
			if len(r.open) == 0 || r.at.Space != end.Name.Space || r.at.Tag != end.Name.Local {
				return nil, fmt.Errorf("%w: </%.40s> closes nothing", ErrMalformed, end.Name.Local)
			}
			begun := r.open[len(r.open)-1]
			ended(r.at, Raw{b[begun.tag:r.decoder.InputOffset()], b[begun.content:before]})
			r.at, r.open = r.at.Parent(), r.open[:len(r.open)-1]
			continue
		}
		if err := r.take(token, before); err != nil {
			return nil, err
		}
	}
}

// reader makes the tree of a document.
type reader struct {
	decoder *xml.Decoder
	doc     *etree.Document
	at      *etree.Element // that is open
	open    []begun
	roots   int
}

// begun is where an element stands.
type begun struct{ tag, content int64 }

func (r *reader) take(token xml.Token, before int64) error {
	switch token := token.(type) {
	case xml.StartElement:
		if len(r.open) == MaxDepth {
			return fmt.Errorf("%w: more than %d levels", ErrTooDeep, MaxDepth)
		}
		if len(r.open) == 0 {
			r.roots++
		}
		e := &etree.Element{Space: token.Name.Space, Tag: token.Name.Local}
		if err := addAttributes(e, token.Attr); err != nil {
			return err
		}
		r.at.AddChild(e)
		r.at = e
		r.open = append(r.open, begun{before, r.decoder.InputOffset()})
	case xml.CharData:
		text := string(token)
		if len(r.open) == 0 && strings.Trim(text, " \t\r\n") != "" {
			return fmt.Errorf("%w: text outside the root element", ErrMalformed)
		}
		r.at.CreateText(text)
	case xml.Comment:
		r.at.CreateComment(string(token))
	case xml.ProcInst:
		r.at.CreateProcInst(token.Target, string(token.Inst))
	case xml.Directive:
		return fmt.Errorf("%w: a document type declaration", ErrMalformed)
	}
	return nil
}

func addAttributes(e *etree.Element, list []xml.Attr) error {
	if len(list) > MaxAttributes {
		return fmt.Errorf("%w: %d attributes of %.40s, at most %d", ErrTooLarge, len(list), e.Tag, MaxAttributes)
	}
	e.Attr = make([]etree.Attr, 0, len(list))
	for _, a := range list {
		name := a.Name.Local
		if a.Name.Space != "" {
			name = a.Name.Space + ":" + name
		} else if strings.Contains(name, ":") {
			return fmt.Errorf("%w: %.40q is no name of an attribute", ErrMalformed, name)
		}
		before := len(e.Attr)
		if e.CreateAttr(name, a.Value); len(e.Attr) == before {
			return fmt.Errorf("%w: attribute %.40s of %.40s stands twice", ErrMalformed, name, e.Tag)
		}
	}
	return nil
}
