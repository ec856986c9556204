package soap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/phone-edition/lpe/protocol/soap"
)

func TestManyAttributes(t *testing.T) {
	element := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ` a%d="1"`, i)
		}
		return "<a" + b.String() + "/>"
	}
	if _, err := soap.Parse([]byte(element(soap.MaxAttributes))); err != nil {
		t.Error(err)
	}
	if _, err := soap.Parse([]byte(element(soap.MaxAttributes + 1))); !errors.Is(err, soap.ErrTooLarge) {
		t.Errorf("one over: %v", err)
	}
}

func TestAttributeNames(t *testing.T) {
	for _, name := range []string{"b:", ":b", "b:c:d"} {
		if _, err := soap.Parse([]byte("<a " + name + `="1"/>`)); !errors.Is(err, soap.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRaw(t *testing.T) {
	const text = "\ufeff<?xml version='1.0'?>\r\n<a><b x = '1' >t&amp;<!-- c --><b/>u</b ><c>v</c><d><b y=\"2\"></b></d></a>"
	doc, raw, err := soap.ParseRaw([]byte(text), "b", "d")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range soap.FindAll(doc.Root(), "b") {
		got = append(got, string(raw[e].Outer), string(raw[e].Inner))
	}
	want := []string{
		"<b x = '1' >t&amp;<!-- c --><b/>u</b >", "t&amp;<!-- c --><b/>u",
		"<b/>", "",
		`<b y="2"></b>`, "",
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%q,\nwant %q", got, want)
	}
	if d := raw[soap.Child(doc.Root(), "d")]; string(d.Inner) != `<b y="2"></b>` || len(raw) != 4 {
		t.Errorf("%q of %d", d.Inner, len(raw))
	}
}

// FuzzRead holds Parse against the library's own reader: what it takes is the same tree there.
func FuzzRead(f *testing.F) {
	f.Add(`<?xml version="1.0" encoding="utf-16"?><a x="1" y:x="2"><![CDATA[b]]>c&#13;<!-- d --><?e f?><y:g/></a>`)
	f.Add("\ufeff<a:b>\r\n<c d='&lt;'/> </a:b>\n<!---->")
	f.Add(`<:a b:=""><c:/></:a>`)
	f.Add(`<a></b>`)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := soap.Parse([]byte(text))
		other := etree.NewDocument()
		other.ReadSettings.PreserveDuplicateAttrs = true
		otherErr := other.ReadFromString(strings.TrimPrefix(text, "\ufeff"))
		if err != nil {
			return
		}
		if otherErr != nil {
			t.Fatalf("taken, the library says %v", otherErr)
		}
		got, gotErr := doc.WriteToString()
		want, wantErr := other.WriteToString()
		if got != want || gotErr != nil || wantErr != nil {
			t.Errorf("%q, %v\n%q, %v", got, gotErr, want, wantErr)
		}
	})
}
