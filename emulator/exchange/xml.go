package exchange

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/phone-edition/lpe/protocol/soap"
)

// xmlnsName ends the name of a field that tells the namespace of an element, where it is not that of the element around.
const xmlnsName = " xmlns"

// maxText bounds the text of one element. Nothing longer is told of any.
const maxText = 64 << 10

type element struct {
	path, name, space string
	text              strings.Builder
	inside            map[string]int // children by name
}

// body adds what stands in an XML document, in its order: attributes as Body/Thing@name, texts of elements that hold no
// other as Body/Thing. The path begins below a SOAP envelope. The second of two elements of a name is Thing[2].
func (f *fields) body(text []byte) {
	if len(text) == 0 {
		return
	}
	var open []*element
	found := false
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			if len(open) > 0 || !found {
				f.add("body", fmt.Sprintf("%d bytes that are no XML document", len(text)))
			}
			return
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) >= soap.MaxDepth {
				f.add("body", fmt.Sprintf("nested deeper than %d elements", soap.MaxDepth))
				return
			}
			found = true
			open = append(open, f.begin(open, t))
		case xml.CharData:
			if n := len(open); n > 0 && open[n-1].text.Len() < maxText {
				open[n-1].text.Write(t[:min(len(t), maxText)])
			}
		case xml.EndElement:
			f.end(open[len(open)-1])
			open = open[:len(open)-1]
		}
	}
}

func (f *fields) begin(open []*element, start xml.StartElement) *element {
	e := &element{name: start.Name.Local, space: start.Name.Space, path: start.Name.Local}
	space := ""
	if n := len(open); n > 0 {
		around := open[n-1]
		if around.inside == nil {
			around.inside = map[string]int{}
		}
		if around.inside[e.name]++; around.inside[e.name] > 1 {
			e.path += "[" + strconv.Itoa(around.inside[e.name]) + "]"
		}
		if n > 1 || around.name != "Envelope" {
			e.path = around.path + "/" + e.path
		}
		space = around.space
	}
	if e.space != space {
		f.add(e.path+xmlnsName, e.space)
	}
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		name, key := e.path+"@"+a.Name.Local, strings.ToLower(a.Name.Local)
		switch {
		case shownAttributes[e.name][key], shownAttributes[""][key]:
			f.add(name, a.Value)
		case freshAttributes[e.name][key]:
			f.fresh(name, a.Value)
		case key == "id", strings.HasSuffix(key, "id"):
			f.freshSecret(name)
		default:
			f.secret(name)
		}
	}
	return e
}

func (f *fields) end(e *element) {
	text, key := strings.TrimSpace(e.text.String()), strings.ToLower(e.name)
	switch {
	case e.inside != nil && text == "": // its elements tell it
	case text == "":
		f.add(e.path, "")
	case freshElements[key]:
		f.fresh(e.path, text)
	case freshSecretElements[key]:
		f.freshSecret(e.path)
	case shownElements[key]:
		f.add(e.path, text)
	default:
		f.secret(e.path)
	}
}
