package provisioning_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/provisioning"
)

// reader is one Parse function. again writes what was read, parses that and compares.
type reader struct {
	root  string
	parse func([]byte) error
	again func(*testing.T, []byte)
}

func readerOf[T interface {
	Append([]byte) ([]byte, error)
}](root string, parse func([]byte) (T, error),
) reader {
	return reader{root, func(b []byte) error { _, err := parse(b); return err }, func(t *testing.T, b []byte) {
		first, err := parse(b)
		if err != nil {
			return
		}
		text, err := first.Append(nil)
		if errors.Is(err, provisioning.ErrTooLarge) { // escapes are longer than what they stand for
			return
		}
		if err != nil {
			t.Fatalf("%q was read and is not written: %v", b, err)
		}
		second, err := parse(text)
		if err != nil || !cmp.Equal(first, second) {
			t.Fatalf("%q becomes\n%q: %v\n%s", b, text, err, cmp.Diff(first, second))
		}
	}}
}

var readers = []reader{
	readerOf("provisioningGroupList", provisioning.ParseGroupRequest),
	readerOf("provisionGroupList", provisioning.ParseGroups),
	readerOf("contactList", provisioning.ParseContacts),
	readerOf("roamingData", provisioning.ParseSelf),
	readerOf("publish", provisioning.ParsePublications),
	readerOf("Fault", provisioning.ParseFault),
	{"roamingList", func(b []byte) error { _, err := provisioning.ParseSelfRequest(b); return err }, nil},
	{"setContainerMembers", func(b []byte) error { _, err := provisioning.ParseContainerMembers(b); return err }, nil},
}

var documents = []string{groupRequest, groups, contactList, roamingList, roamingData, selfWithLine, containers, publish, wrongDelta}

// Each of these is refused by every reader, with one of the package's errors.
func TestMalformed(t *testing.T) {
	for _, r := range readers {
		for name, document := range map[string]string{
			"nothing":             "",
			"text":                "hello",
			"another root":        "<other/>",
			"cut short":           "<" + r.root + "><a>",
			"crossed":             "<" + r.root + "><a></b></" + r.root + ">",
			"two roots":           "<" + r.root + "/><" + r.root + "/>",
			"text after the root": "<" + r.root + "/>x",
			"document type":       `<!DOCTYPE x [<!ENTITY e "e">]><` + r.root + "/>",
			"unknown entity":      "<" + r.root + ">&e;</" + r.root + ">",
			"another charset":     `<?xml version="1.0" encoding="utf-16"?><` + r.root + "/>",
			"unquoted attribute":  "<" + r.root + " a=1/>",
		} {
			if err := r.parse([]byte(document)); !errors.Is(err, provisioning.ErrMalformed) {
				t.Errorf("%s, %s: %v", r.root, name, err)
			}
		}
	}
	for document, parse := range map[string]func([]byte) error{
		`<provisioningGroupList><provisioningGroup/></provisioningGroupList>`: readers[0].parse,
		`<provisioningGroupList><group name="a"/></provisioningGroupList>`:    readers[0].parse,
		`<provisionGroupList><provisionGroup/></provisionGroupList>`:          readers[1].parse,
		`<contactList/>`:                                           readers[2].parse,
		`<contactList deltaNum="0"/>`:                              readers[2].parse,
		`<contactList deltaNum="-1"/>`:                             readers[2].parse,
		`<contactList deltaNum="1"><group/></contactList>`:         readers[2].parse,
		`<roamingData><categories><x/></categories></roamingData>`: readers[3].parse,
		`<roamingData><containers><x/></containers></roamingData>`: readers[3].parse,
		`<publish/>`: readers[4].parse,
		`<publish><publications><x/></publications></publish>`: readers[4].parse,
		`<Fault/>`:                              readers[5].parse,
		`<roamingList/>`:                        readers[6].parse,
		`<roamingList><roaming/></roamingList>`: readers[6].parse,
		`<setContainerMembers><x/></setContainerMembers>`:                                                                                 readers[7].parse,
		`<setContainerMembers><container id="a" version="0"/></setContainerMembers>`:                                                      readers[7].parse,
		`<setContainerMembers><container id="1" version="0"><member/></container></setContainerMembers>`:                                  readers[7].parse,
		`<setContainerMembers><container id="1" version="2147483648"/></setContainerMembers>`:                                             readers[7].parse,
		`<publish><publications><publication categoryName="a" instance="4294967296" container="1" version="0"/></publications></publish>`: readers[4].parse,
		`<publish><publications><publication categoryName="a" instance="1" container="x" version="0"/></publications></publish>`:          readers[4].parse,
		`<publish><publications><publication categoryName="a" instance="1" container="1" version=""/></publications></publish>`:           readers[4].parse,
		`<Fault><Faultcode>x</Faultcode><details><operation index="1"/></details></Fault>`:                                                readers[5].parse,
		`<Fault><Faultcode>x</Faultcode><details><operation curVersion="1"/></details></Fault>`:                                           readers[5].parse,
		`<roamingData><categories><category name="a" instance="x" container="1" version="1"/></categories></roamingData>`:                 readers[3].parse,
		`<roamingData><categories><category name="a" instance="1" container="x" version="1"/></categories></roamingData>`:                 readers[3].parse,
		`<roamingData><categories><category name="a" instance="1" container="1" version="x"/></categories></roamingData>`:                 readers[3].parse,
	} {
		if err := parse([]byte(document)); !errors.Is(err, provisioning.ErrMalformed) {
			t.Errorf("%s: %v", document, err)
		}
	}
}

// Bounds: at them a document is read and written, one over it is not.
func TestBounds(t *testing.T) {
	nested := func(depth int) string { // the root is 1
		return `<provisionGroupList><provisionGroup name="a">` + strings.Repeat("<x>", depth-2) + strings.Repeat("</x>", depth-2) + `</provisionGroup></provisionGroupList>`
	}
	if err := readers[1].parse([]byte(nested(provisioning.MaxDepth))); err != nil {
		t.Errorf("depth %d: %v", provisioning.MaxDepth, err)
	}
	if err := readers[1].parse([]byte(nested(provisioning.MaxDepth + 1))); !errors.Is(err, provisioning.ErrTooDeep) {
		t.Errorf("depth %d: %v", provisioning.MaxDepth+1, err)
	}
	const frame = `<contactList deltaNum="1"><x></x></contactList>`
	sized := func(size int) string {
		return strings.Replace(frame, "<x>", "<x>"+strings.Repeat("a", size-len(frame)), 1)
	}
	if err := readers[2].parse([]byte(sized(provisioning.MaxSize))); err != nil {
		t.Errorf("%d bytes: %v", provisioning.MaxSize, err)
	}
	if err := readers[2].parse([]byte(sized(provisioning.MaxSize + 1))); !errors.Is(err, provisioning.ErrTooLarge) {
		t.Errorf("%d bytes: %v", provisioning.MaxSize+1, err)
	}

	deep := provisioning.Element{Name: "x"}
	for range provisioning.MaxDepth - 1 {
		deep = provisioning.Element{Name: "x", Children: []provisioning.Element{deep}}
	}
	if _, err := (provisioning.Contacts{DeltaNum: 1, Unknown: []provisioning.Element{deep}}).Append(nil); !errors.Is(err, provisioning.ErrTooDeep) {
		t.Errorf("written, depth %d: %v", provisioning.MaxDepth+1, err)
	}
	if _, err := (provisioning.Contacts{DeltaNum: 1, Unknown: deep.Children}).Append(nil); err != nil {
		t.Errorf("written, depth %d: %v", provisioning.MaxDepth, err)
	}
	large := provisioning.GroupRequest{Groups: []string{strings.Repeat("a", provisioning.MaxSize)}}
	if _, err := large.Append(nil); !errors.Is(err, provisioning.ErrTooLarge) {
		t.Errorf("written, too large: %v", err)
	}
	for _, name := range []string{"", "a b", "a>", `a"`} {
		if _, err := (provisioning.Contacts{DeltaNum: 1, Unknown: []provisioning.Element{{Name: name}}}).Append(nil); !errors.Is(err, provisioning.ErrMalformed) {
			t.Errorf("element %q: %v", name, err)
		}
		attr := provisioning.Element{Name: "x", Attrs: []provisioning.Attr{{Name: name}}}
		if _, err := (provisioning.Contacts{DeltaNum: 1, Unknown: []provisioning.Element{attr}}).Append(nil); !errors.Is(err, provisioning.ErrMalformed) {
			t.Errorf("attribute %q: %v", name, err)
		}
	}
}

func TestEscapes(t *testing.T) {
	want := provisioning.Group{Name: `"<&'>`, Shape: provisioning.List, Properties: []provisioning.Property{{Name: "a\tb", Value: "x < y & z\n"}}}
	text, err := provisioning.Groups{Groups: []provisioning.Group{want}}.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := provisioning.ParseGroups(text)
	if err != nil || cmp.Diff(want, got.Groups[0]) != "" {
		t.Errorf("%s: %v\n%s", text, err, cmp.Diff(want, got.Groups[0]))
	}
}

// FuzzDocuments: what a reader accepts is written so that it is read as the same.
func FuzzDocuments(f *testing.F) {
	for _, document := range documents {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, r := range readers {
			if err := r.parse(b); err == nil && r.again != nil {
				r.again(t, b)
			}
		}
		if read, err := provisioning.ParseGroups(b); err == nil {
			_, _ = read.Configuration()
		}
	})
}
