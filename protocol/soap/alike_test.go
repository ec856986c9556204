package soap_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/protocol/soap"
)

// alike compares, both ways round, and holds the answer against the canonical forms themselves.
func alike(t *testing.T, a, b string) bool {
	t.Helper()
	var forms [2][]byte
	x, err := soap.Parse([]byte(a))
	if err != nil {
		t.Fatal(err)
	}
	y, err := soap.Parse([]byte(b))
	if err != nil {
		t.Fatal(err)
	}
	got := soap.Alike(x.Root(), y.Root())
	if back := soap.Alike(y.Root(), x.Root()); back != got {
		t.Errorf("%s\n%s\nalike %v, the other way round %v", a, b, got, back)
	}
	for i, doc := range []string{a, b} {
		parsed, _ := soap.Parse([]byte(doc))
		if forms[i], err = soap.Canonicalize(parsed.Root()); err != nil {
			t.Fatal(err)
		}
	}
	if same := bytes.Equal(forms[0], forms[1]); got != same {
		t.Errorf("%s\n%s\nalike %v, canonical forms the same %v", forms[0], forms[1], got, same)
	}
	return got
}

func TestAlike(t *testing.T) {
	const element = `<a:x xmlns:a="urn:a" xmlns:b="urn:b" k="1" b:k="2"><y xmlns="urn:y">some text<z/></y>tail</a:x>`
	if !alike(t, element, element) {
		t.Error("not like itself")
	}
	for name, c := range map[string]struct {
		from, to string
		want     bool
	}{
		"a declaration that nothing uses":  {`<y xmlns="urn:y">`, `<y xmlns="urn:y" xmlns:c="urn:c">`, true},
		"a declaration again":              {`<y xmlns="urn:y">`, `<y xmlns="urn:y" xmlns:a="urn:a">`, true},
		"the order of attributes":          {`k="1" b:k="2"`, `b:k="2" k="1"`, true},
		"an empty element with two tags":   {`<z/>`, `<z></z>`, true},
		"a comment":                        {`<z/>`, `<!-- no text --><z/>`, true},
		"a comment within text":            {`some text`, `some<!-- no text --> text`, true},
		"a section":                        {`some text`, `some<![CDATA[ text]]>`, true},
		"a reference to a character":       {`some text`, `some&#32;text`, true},
		"another name":                     {`<z/>`, `<u/>`, false},
		"another prefix of the element":    {`<z/>`, `<a:z/>`, false},
		"another namespace of the element": {`xmlns="urn:y"`, `xmlns="urn:u"`, false},
		"another namespace of a prefix":    {`xmlns:a="urn:a"`, `xmlns:a="urn:u"`, false},
		"another namespace of a key":       {`xmlns:b="urn:b"`, `xmlns:b="urn:u"`, false},
		"another value":                    {`k="1"`, `k="3"`, false},
		"another key":                      {`k="1"`, `l="1"`, false},
		"a key less":                       {` k="1"`, ``, false},
		"a key more":                       {` k="1"`, ` k="1" l="1"`, false},
		"values exchanged":                 {`k="1" b:k="2"`, `k="2" b:k="1"`, false},
		"another text":                     {`some text`, `some other text`, false},
		"a blank more":                     {`<z/>`, `<z/> `, false},
		"an element less":                  {`<z/>`, ``, false},
		"an element more":                  {`<z/>`, `<z/><z/>`, false},
		"text elsewhere":                   {`<z/></y>tail`, `<z/>tail</y>`, false},
		"a processing instruction":         {`<z/>`, `<?do it?><z/>`, false},
		"the text of one":                  {`<z/>`, `&lt;?do it?&gt;<z/>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(element, c.from, c.to, 1)
			if changed == element {
				t.Fatalf("no %s", c.from)
			}
			if got := alike(t, element, changed); got != c.want {
				t.Errorf("alike %v", got)
			}
		})
	}
}

// FuzzAlike holds Alike against the canonical forms of whatever has one.
func FuzzAlike(f *testing.F) {
	f.Add(`<a x="1"><b/></a>`, `<a x="1"><b></b></a>`)
	f.Add(`<a xmlns="u"><?p q?>t</a>`, `<a xmlns="v">t<!---->u</a>`)
	f.Add(`<p:a xmlns:p="u" p:x="1"/>`, `<p:a p:x="1" xmlns:p="u" xmlns:q="u"/>`)
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, text := range []string{a, b} {
			doc, err := soap.Parse([]byte(text))
			if err != nil {
				return
			}
			if _, err = soap.Canonicalize(doc.Root()); err != nil {
				return
			}
		}
		alike(t, a, b)
	})
}
