package soap

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestPlain: documents of handsets and pools are read without encoding/xml.
func TestPlain(t *testing.T) {
	for _, name := range []string{"certprov.wsdl", "webticket.wsdl", "fault.xml", "mex-request.xml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if tree := newTree(text, nil); !tree.readPlain() {
			t.Errorf("%s is not plain", name)
		}
		holdPlain(t, text)
	}
}

// FuzzPlain holds what is read without encoding/xml against what is read with it.
func FuzzPlain(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?>` + "\n" + `<a b="1" y:c = '2'><y:d e=""/>t]` + "\r\n" + `</a >`))
	f.Add([]byte(`<?xml version="1.0" encoding="utf-8"?><a><b/><b>` + "\r" + `></b></a> `))
	f.Add([]byte(`<a b="/"c="2"/><!---->`))
	f.Add([]byte(`<a:b:c/>`))
	f.Add([]byte(`<a b='>'></a>`))
	f.Add([]byte(`<a></:a>`))
	f.Add([]byte(`<a:b></b>`))
	f.Add([]byte(`<a:b></ab:b>`))
	f.Add([]byte(`<a></a:>`))
	f.Fuzz(holdPlain)
}

func holdPlain(t *testing.T, text []byte) {
	local := []string{"a", "b", "Assertion"}
	plain, other := newTree(text, local), newTree(text, local)
	if !plain.readPlain() {
		return
	}
	if err := other.readAny(); err != nil {
		t.Fatalf("encoding/xml says %v", err)
	}
	got, gotErr := plain.doc.WriteToString()
	want, wantErr := other.doc.WriteToString()
	if got != want || gotErr != nil || wantErr != nil {
		t.Errorf("%q, %v\n%q, %v", got, gotErr, want, wantErr)
	}
	if len(plain.found) != len(other.found) {
		t.Fatalf("%d raw elements, %d expected", len(plain.found), len(other.found))
	}
	for _, name := range local {
		elements := FindAll(other.doc.Root(), name)
		for i, e := range FindAll(plain.doc.Root(), name) {
			got, want := plain.found[e], other.found[elements[i]]
			if !bytes.Equal(got.Outer, want.Outer) || !bytes.Equal(got.Inner, want.Inner) {
				t.Errorf("%s %d: %q %q\n%q %q", name, i+1, got.Outer, got.Inner, want.Outer, want.Inner)
			}
		}
	}
}
