package webticket

import (
	"bytes"
	"encoding/xml"
	"io"

	"github.com/beevik/etree"
)

// raw is an element as it stood in the bytes: with its tags and without them.
type raw struct{ outer, inner []byte }

// rawElements cuts elements out of the bytes that doc was read from, in one pass.
func rawElements(b []byte, doc *etree.Document, elements ...*etree.Element) []raw {
	out := make([]raw, len(elements))
	wanted := map[int]int{} // number in document order → index
	for i, e := range elements {
		n, _ := countTo(&doc.Element, e)
		wanted[n] = i
	}
	decoder := xml.NewDecoder(bytes.NewReader(b))
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // as doc was read
	type start struct {
		number      int
		at, content int64
	}
	var open []start
	seen := 0
	for len(wanted) > 0 {
		before := decoder.InputOffset()
		token, err := decoder.RawToken()
		if err != nil {
			break // doc was not read from b
		}
		switch token.(type) {
		case xml.StartElement:
			seen++
			open = append(open, start{seen, before, decoder.InputOffset()})
		case xml.EndElement:
			s := open[len(open)-1]
			open = open[:len(open)-1]
			if i, ok := wanted[s.number]; ok {
				out[i] = raw{bytes.Clone(b[s.at:decoder.InputOffset()]), bytes.Clone(b[s.content:before])}
				delete(wanted, s.number)
			}
		}
	}
	return out
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
