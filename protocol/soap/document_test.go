package soap_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/soap"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, text string) *etree.Document {
	t.Helper()
	doc, err := soap.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

var (
	between = regexp.MustCompile(`>\s+<`)
	inTag   = regexp.MustCompile(`\s*\n\s*`)
)

// compact takes out the line breaks and indents that the reference has for its readers only.
func compact(b []byte) string {
	text := between.ReplaceAllString(strings.TrimSpace(string(b)), "><")
	return inTag.ReplaceAllString(text, " ")
}

func levels(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }

func TestParseAccepts(t *testing.T) {
	padded := "<a>" + strings.Repeat("x", soap.MaxSize-len("<a></a>")) + "</a>"
	for _, test := range []struct{ name, text string }{
		{"the largest document", padded},
		{"the deepest document", levels(soap.MaxDepth)},
		{"declaration, comments and blanks around the root", "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- a --><a/><!-- b -->\n"},
		{"byte order mark", "\ufeff<a/>"},
		{"the same attribute name of two namespaces", `<a xmlns:x="urn:x" x:id="1" id="2"/>`},
		{"the predefined entities", "<a>&lt;&amp;&gt;&quot;&apos;&#65;</a>"},
	} {
		doc, err := soap.Parse([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if doc.Root().Tag != "a" {
			t.Errorf("%s: root %s", test.name, doc.Root().Tag)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"one byte too many", "<a>" + strings.Repeat("x", soap.MaxSize-len("<a></a>")+1) + "</a>", soap.ErrTooLarge},
		{"one level too many", levels(soap.MaxDepth + 1), soap.ErrTooDeep},
		{"one level too many of another element", strings.Repeat("<a>", soap.MaxDepth) + "<b/>" + strings.Repeat("</a>", soap.MaxDepth), soap.ErrTooDeep},
		{"endless depth", strings.Repeat("<a>", 80000), soap.ErrTooDeep},
		{"nothing", "", soap.ErrMalformed},
		{"blanks", " \r\n", soap.ErrMalformed},
		{"no XML", "HTTP/1.1 200 OK", soap.ErrMalformed},
		{"declaration only", `<?xml version="1.0"?>`, soap.ErrMalformed},
		{"comment only", "<!-- a -->", soap.ErrMalformed},
		{"not closed", "<a><b></b>", soap.ErrMalformed},
		{"closed twice", "<a></a></a>", soap.ErrMalformed},
		{"closed by another", "<a></b>", soap.ErrMalformed},
		{"closed with a prefix of nothing", "<a></:a>", soap.ErrMalformed},
		{"closed without its prefix", "<a:b></b>", soap.ErrMalformed},
		{"closed by another prefix", `<x:a xmlns:x="u" xmlns:y="u"></y:a>`, soap.ErrMalformed},
		{"cut inside a tag", `<a href="x`, soap.ErrMalformed},
		{"cut inside a comment", "<a/><!-- b", soap.ErrMalformed},
		{"cut inside CDATA", "<a><![CDATA[b</a>", soap.ErrMalformed},
		{"two roots", "<a/><b/>", soap.ErrMalformed},
		{"text after the root", "<a/>b", soap.ErrMalformed},
		{"text before the root", "b<a/>", soap.ErrMalformed},
		{"attribute twice", `<a id="1" id="2"/>`, soap.ErrMalformed},
		{"attribute twice, further in", `<a><b x:id="1" c="" x:id="1"/></a>`, soap.ErrMalformed},
		{"attribute without quotes", "<a id=1/>", soap.ErrMalformed},
		{"document type", "<!DOCTYPE a><a/>", soap.ErrMalformed},
		{"document type with entities", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, soap.ErrMalformed},
		{"document type inside the root", "<a><!DOCTYPE a></a>", soap.ErrMalformed},
		{"document type after the root", "<a/><!DOCTYPE a>", soap.ErrMalformed},
		{"unknown entity", "<a>&nbsp;</a>", soap.ErrMalformed},
		{"unknown entity in an attribute", `<a b="&b;"/>`, soap.ErrMalformed},
		{"zero character", "<a>&#0;</a>", soap.ErrMalformed},
		{"no UTF-8", "<a>\xff</a>", soap.ErrMalformed},
		{"UTF-16", "\xff\xfe<\x00a\x00/\x00>\x00", soap.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			if doc, err := soap.Parse([]byte(test.text)); !errors.Is(err, test.want) || doc != nil {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// Every document of the reference, cut anywhere before its last tag ends, is refused.
func TestParseTruncated(t *testing.T) {
	files, err := filepath.Glob("testdata/*")
	if err != nil || len(files) != 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b := bytes.TrimSpace(read(t, filepath.Base(file)))
		if _, err := soap.Parse(b); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for n := range b {
			if _, err := soap.Parse(b[:n]); !errors.Is(err, soap.ErrMalformed) {
				t.Fatalf("%s cut to %d bytes: %v", file, n, err)
			}
		}
	}
}

func TestBody(t *testing.T) {
	const v11, v12 = soap.NSEnvelope11, soap.NSEnvelope12
	for _, test := range []struct{ text, want string }{
		{`<s:Envelope xmlns:s="` + v11 + `"><s:Header/><s:Body><a/></s:Body></s:Envelope>`, ""},
		{`<Envelope xmlns="` + v12 + `"><Body><a/></Body></Envelope>`, ""},
		{`<s:Envelope xmlns:s="urn:other"><s:Body/></s:Envelope>`, "the root is Envelope"},
		{`<Envelope><Body/></Envelope>`, "the root is Envelope"},
		{`<s:Body xmlns:s="` + v11 + `"/>`, "the root is Body"},
		{`<s:Envelope xmlns:s="` + v11 + `"><s:Header/></s:Envelope>`, "no Body"},
		{`<s:Envelope xmlns:s="` + v11 + `"><s:Header><s:Body/></s:Header></s:Envelope>`, "no Body"},
		{`<s:Envelope xmlns:s="` + v11 + `"><s:Body/><s:Body><a/></s:Body></s:Envelope>`, "more than one Body"},
	} {
		body, err := soap.Body(parse(t, test.text))
		if test.want == "" {
			if err != nil || soap.Child(body, "a") == nil {
				t.Errorf("%s: %v", test.text, err)
			}
			continue
		}
		if !errors.Is(err, soap.ErrEnvelope) || !strings.Contains(err.Error(), test.want) || body != nil {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
}

func TestSearch(t *testing.T) {
	doc := parse(t, `<a n="1"><x:b xmlns:x="urn:x" n="2"><c n="3"/></x:b><b n="4"><b n="5">  text <!-- no part of it -->here </b></b></a>`)
	root := doc.Root()
	for _, test := range []struct {
		name string
		got  *etree.Element
		want string
	}{
		{"root itself", soap.Find(root, "a"), "1"},
		{"first, whatever its prefix", soap.Find(root, "b"), "2"},
		{"below", soap.Find(root, "c"), "3"},
		{"absent", soap.Find(root, "d"), ""},
		{"in nothing", soap.Find(nil, "a"), ""},
		{"child", soap.Child(root, "b"), "2"},
		{"no grandchild", soap.Child(root, "c"), ""},
		{"child of nothing", soap.Child(nil, "a"), ""},
		{"path", soap.Path(root, "b", "c"), "3"},
		{"path that ends early", soap.Path(root, "d", "c"), ""},
		{"empty path", soap.Path(root), "1"},
	} {
		if got := soap.Attr(test.got, "n"); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	var all []string
	for _, e := range soap.FindAll(root, "b") {
		all = append(all, soap.Attr(e, "N"))
	}
	if diff := cmp.Diff([]string{"2", "4", "5"}, all); diff != "" || soap.FindAll(nil, "b") != nil {
		t.Errorf("FindAll: %s", diff)
	}
	if got := soap.Text(soap.Path(soap.FindAll(root, "b")[1], "b")); got != "text here" || soap.Text(nil) != "" {
		t.Errorf("Text = %q", got)
	}
}

func TestNames(t *testing.T) {
	root := parse(t, `<x:a xmlns:x="urn:1" xmlns="urn:2" id="one"><b xmlns:x="urn:3" x:ID="two"><x:c xmlns="" xmlns:id="urn:4"/></b></x:a>`).Root()
	b, c := soap.Find(root, "b"), soap.Find(root, "c")
	for _, test := range []struct {
		what      string
		got, want xml.Name
	}{
		{"element with a prefix", soap.Name(root), xml.Name{Space: "urn:1", Local: "a"}},
		{"element without", soap.Name(b), xml.Name{Space: "urn:2", Local: "b"}},
		{"prefix declared again", soap.Name(c), xml.Name{Space: "urn:3", Local: "c"}},
		{"no element", soap.Name(nil), xml.Name{}},
		{"prefix of the root", soap.QName(root, " x:t\n"), xml.Name{Space: "urn:1", Local: "t"}},
		{"nearest prefix", soap.QName(c, "x:t"), xml.Name{Space: "urn:3", Local: "t"}},
		{"default namespace", soap.QName(b, "t"), xml.Name{Space: "urn:2", Local: "t"}},
		{"no default namespace any more", soap.QName(c, "t"), xml.Name{Local: "t"}},
		{"unknown prefix", soap.QName(c, "y:t"), xml.Name{Local: "t"}},
		{"no scope", soap.QName(nil, "x:t"), xml.Name{Local: "t"}},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", test.what, test.got, test.want)
		}
	}
	if soap.Attr(root, "ID") != "one" || soap.Attr(b, "id") != "two" || soap.Attr(c, "id") != "" || soap.Attr(nil, "id") != "" {
		t.Errorf("Attr: %q %q %q", soap.Attr(root, "ID"), soap.Attr(b, "id"), soap.Attr(c, "id"))
	}
}

func TestEscape(t *testing.T) {
	for _, text := range []string{"", "plain", `<a b="c">&'`, "tab\tline\nreturn\r", "é 電話", "]]>"} {
		doc := parse(t, `<a b="`+soap.Escape(text)+`">`+soap.Escape(text)+`</a>`)
		if got := doc.Root().Text(); got != text {
			t.Errorf("content %q, want %q", got, text)
		}
		if got := soap.Attr(doc.Root(), "b"); got != text {
			t.Errorf("attribute %q, want %q", got, text)
		}
	}
}

// FuzzParse: what is accepted stays within the bounds, and its canonical form is a document whose canonical form is
// itself.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"certprov.wsdl", "webticket.wsdl", "enrollment.xml", "fault.xml", "mex-request.xml", "mex-response.xml"} {
		f.Add(read(f, name))
	}
	f.Add([]byte(`<a b="&#13;&quot;" a="2">&lt;&#13;<![CDATA[<&>]]><!-- c --><?d e?></a>`))
	f.Add([]byte(levels(soap.MaxDepth)))
	f.Fuzz(func(t *testing.T, b []byte) {
		doc, err := soap.Parse(b)
		if err != nil {
			if !errors.Is(err, soap.ErrTooLarge) && !errors.Is(err, soap.ErrTooDeep) && !errors.Is(err, soap.ErrMalformed) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		first, err := soap.Canonicalize(doc.Root())
		if err != nil {
			return // a prefix that nothing declares
		}
		if len(first) > soap.MaxSize {
			return
		}
		again, err := soap.Parse(first)
		if err != nil {
			t.Fatalf("the canonical form %q is refused: %v", first, err)
		}
		second, err := soap.Canonicalize(again.Root())
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("canonical form\n%q, again\n%q, %v", first, second, err)
		}
	})
}
