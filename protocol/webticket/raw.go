package webticket

import (
	"bytes"
	"encoding/xml"
	"io"

	"github.com/beevik/etree"
)

// rawElement cuts e out of the bytes that doc was read from: with its tags and without them.
func rawElement(b []byte, doc *etree.Document, e *etree.Element) (outer, inner []byte) {
	wanted, _ := countTo(&doc.Element, e)
	decoder := xml.NewDecoder(bytes.NewReader(b))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // as doc was read
	seen, depth := 0, 0
	var start, content int64
	for {
		before := decoder.InputOffset()
		token, err := decoder.RawToken()
		if err != nil {
			return nil, nil // doc was not read from b
		}
		switch token.(type) {
		case xml.StartElement:
			if seen++; seen == wanted {
				start, content = before, decoder.InputOffset()
			}
			if seen >= wanted {
				depth++
			}
		case xml.EndElement:
			if seen < wanted {
				continue
			}
			if depth--; depth == 0 {
				return bytes.Clone(b[start:decoder.InputOffset()]), bytes.Clone(b[content:before])
			}
		}
	}
}

// countTo counts the elements below e in document order, up to target and with it.
func countTo(e, target *etree.Element) (n int, found bool) {
	for child := range e.ChildElementsSeq() {
		n++
		if child == target {
			return n, true
		}
		below, found := countTo(child, target)
		if n += below; found {
			return n, true
		}
	}
	return n, false
}
