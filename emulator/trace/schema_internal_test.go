package trace

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	tableRow = regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|")
	kindName = regexp.MustCompile(`(?m)^\s+\w+\s+Kind\s+= "(\w+)"`)
)

// members are the names of a struct in JSON, those of embedded structs too.
func members(of reflect.Type) []string {
	var out []string
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			out = append(out, members(f.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			out = append(out, name)
		}
	}
	return out
}

// docs/jsonl.md names every member and every kind, and no other.
func TestJSONLinesPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/jsonl.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../timeline/timeline.go")
	if err != nil {
		t.Fatal(err)
	}
	want := append(members(reflect.TypeFor[line]()), members(reflect.TypeFor[resultLine]())...)
	for _, kind := range kindName.FindAllStringSubmatch(string(source), -1) {
		want = append(want, kind[1])
	}
	want = append(want, string(KindResult))
	var got []string
	for _, row := range tableRow.FindAllStringSubmatch(string(page), -1) {
		got = append(got, row[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(slices.Compact(want), slices.Compact(got)) {
		t.Errorf("the page has %q, the program %q", got, want)
	}
	if !strings.Contains(string(page), "`"+Schema+"`") {
		t.Errorf("the page does not name %s", Schema)
	}
}
