package configs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Document is a YAML file that was read into a Go value. It remembers on which line each value stood.
type Document struct {
	file  *yamlFile
	lines map[string]int // by path, such as steps[2].wait
	read  bool
}

// ReadDocument reads a file into the struct that into points to. A field is the value of the key in its key tag; it is a
// text, a flag, a number, a duration, another such struct, a list of these, [Settings], or a [NodeReader]; a pointer is nil where the key
// is missing. Further tags: need, the key may not be missing; oneof, the values that a text may have; range, those of a
// number; quoted, a text that YAML would read as a number; short, the field that stands for its whole struct when that is
// a text; signed, a duration that may be below 0; empty, a text that may be empty.
//
// Every problem is kept for [Document.Err].
func ReadDocument(name string, data []byte, into any) *Document {
	d := &Document{file: parseBounded(name, data, MaxDocumentSize, maxDocumentKeys), lines: map[string]int{}}
	if d.file.root == nil || len(d.file.problems) > 0 {
		return d
	}
	d.read = true
	d.fillStruct("", d.file.root, reflect.ValueOf(into).Elem())
	return d
}

// Readable reports whether the file is YAML, so that what it says can be judged.
func (d *Document) Readable() bool { return d.read }

// Has reports whether the file has a value at path.
func (d *Document) Has(path string) bool { return d.lines[path] > 0 }

// Report adds a problem with the value at path. Where the file has none it is shown at what the value is missing in.
func (d *Document) Report(path, format string, args ...any) {
	d.file.problems = append(d.file.problems, d.Problem(path, format, args...))
}

// Problem is one with the value at path that the file alone does not have, such as what it is used for.
func (d *Document) Problem(path, format string, args ...any) Problem {
	return d.file.problem(d.Line(path), "%s", path+": "+fmt.Sprintf(format, args...))
}

// Line is where the value at path stands, or else what it is in; 0 if the file has neither.
func (d *Document) Line(path string) int {
	for {
		if line, ok := d.lines[path]; ok {
			return line
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return d.lines[""]
		}
		path = path[:i]
	}
}

// Err is all problems in the order of their lines, of type [Problems], nil if there are none.
func (d *Document) Err() error { return d.file.finish() }

// Settings are values that take the place of others, by the dotted name of those.
type Settings []Setting

// Setting is one value of [Settings].
type Setting struct {
	Name string
	Text string // as in the file
	node ast.Node
}

// maxJump is the longest signed duration.
const maxJump = 100 * 366 * 24 * time.Hour

var (
	durationType = reflect.TypeFor[time.Duration]()
	settingsType = reflect.TypeFor[Settings]()
)

// NodeReader reads its own part of a file, and reports each problem with its line.
type NodeReader interface {
	ReadNode(node ast.Node, report func(line int, text string))
}

func (d *Document) fillStruct(path string, node ast.Node, into reflect.Value) {
	s := d.file.section(path, node)
	if _, exists := d.lines[path]; !exists && node != nil {
		d.lines[path] = s.line
	}
	for i := range into.NumField() {
		tag := into.Type().Field(i).Tag
		key := tag.Get("key")
		if key == "" {
			continue
		}
		value := s.take(key)
		if value == nil {
			switch {
			case s.has(key):
				s.report(key, "has no value")
			case tag.Get("need") != "":
				s.report(key, "missing")
			}
			continue
		}
		d.lines[s.path(key)] = s.lineOfKey(key)
		d.fill(s, key, tag, value, into.Field(i))
	}
	s.finish()
}

func (d *Document) fill(s *section, key string, tag reflect.StructTag, node ast.Node, into reflect.Value) {
	switch into.Type() {
	case durationType:
		low, high := time.Duration(0), maxSpan
		if tag.Get("signed") != "" {
			low, high = -maxJump, maxJump
		}
		into.SetInt(int64(s.spanOf(key, node, low, high)))
		return
	case settingsType:
		into.Set(reflect.ValueOf(d.settings(s.path(key), node)))
		return
	}
	if reader, ok := into.Addr().Interface().(NodeReader); ok {
		reader.ReadNode(node, func(line int, text string) { d.file.report(line, "%s: %s", s.path(key), text) })
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		value := reflect.New(into.Type().Elem())
		d.fill(s, key, tag, node, value.Elem())
		into.Set(value)
	case reflect.Struct:
		d.fillShort(s.path(key), tag, node, into)
	case reflect.Slice:
		d.fillList(s, key, tag, node, into)
	case reflect.Bool:
		into.SetBool(s.flagOf(key, node))
	case reflect.Int, reflect.Uint64:
		low, high := numberRange(tag, 1_000_000)
		n := s.numberOf(key, node, low, high)
		if into.Kind() == reflect.Int {
			into.SetInt(int64(n))
		} else {
			into.SetUint(uint64(n))
		}
	case reflect.String:
		into.SetString(d.text(s, key, tag, node))
	default:
		panic("no way to read a " + into.Type().String()) // a mistake in the struct
	}
}

// text reads a text. One in quotes where there need not be any is a text too.
func (d *Document) text(s *section, key string, tag reflect.StructTag, node ast.Node) string {
	var text string
	if tag.Get("quoted") != "" {
		text = s.digitsOf(key, node)
	} else {
		text = s.textOf(key, node)
	}
	if _, ok := textValue(node); !ok {
		return ""
	}
	if options := strings.Fields(tag.Get("oneof")); len(options) > 0 && !slices.Contains(options, text) {
		s.report(key, "%q is none of %s", text, strings.Join(options, ", "))
	} else if text == "" && tag.Get("empty") == "" {
		s.report(key, "is empty")
	}
	return text
}

// fillShort reads a struct, or the field that stands for all of it.
func (d *Document) fillShort(path string, tag reflect.StructTag, node ast.Node, into reflect.Value) {
	if isScalar(node) {
		if i := shortField(into.Type()); i >= 0 {
			field := into.Type().Field(i)
			s := &section{file: d.file, name: "", line: lineOf(node)}
			d.lines[path] = s.line
			d.lines[path+"."+field.Tag.Get("key")] = s.line
			d.fill(s, path, field.Tag, node, into.Field(i))
			return
		}
	}
	d.fillStruct(path, node, into)
}

// shortField is the index of the field that stands for its struct, -1 if none does.
func shortField(t reflect.Type) int {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("short") != "" {
			return i
		}
	}
	return -1
}

func (d *Document) fillList(s *section, key string, tag reflect.StructTag, node ast.Node, into reflect.Value) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		s.report(key, "expected a list, found %s", kindOf(node))
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values)))
	for i, entry := range list.Values {
		path := fmt.Sprintf("%s[%d]", s.path(key), i+1)
		d.lines[path] = lineOf(entry)
		one := &section{file: d.file, line: lineOf(entry)}
		if into.Index(i).Kind() == reflect.Struct {
			d.fillShort(path, tag, entry, into.Index(i))
			continue
		}
		if _, null := entry.(*ast.NullNode); null {
			one.report(path, "has no value")
			continue
		}
		d.fill(one, path, tag, entry, into.Index(i))
	}
}

// settings reads a mapping of dotted names to texts, flags, numbers, or lists of these.
func (d *Document) settings(path string, node ast.Node) Settings {
	s := d.file.section(path, node)
	var out Settings
	for _, key := range s.order {
		value := s.take(key)
		if value == nil {
			s.report(key, "has no value")
			continue
		}
		d.lines[s.path(key)] = s.lineOfKey(key)
		out = append(out, Setting{key, scalarText(value), value})
	}
	return out
}

// Lab reads a lab as [LoadLab] does, with the values of set in place of its own: names such as network.lldp_policy. What is
// wrong is reported at path, or where a value of set stands.
func (d *Document) Lab(path, nameOrPath string, set Settings) *Lab {
	places := map[string]string{}
	for _, one := range set {
		places[one.Name] = path + ".set." + one.Name
	}
	return d.lab(path, nameOrPath, set, places, false)
}

// LabSection is [Document.Lab] with further values, for one section of the lab, that stand at path: what a running pool is
// switched to.
func (d *Document) LabSection(path, nameOrPath string, set Settings, section string, further Settings) *Lab {
	places := map[string]string{}
	set = slices.Clone(set)
	for _, one := range further {
		places[section+"."+one.Name] = path + "." + one.Name
		one.Name = section + "." + one.Name
		set = append(set, one)
	}
	return d.lab(path, nameOrPath, set, places, true)
}

func (d *Document) lab(path, nameOrPath string, set Settings, places map[string]string, running bool) *Lab {
	file, data, err := readLab(nameOrPath)
	if err != nil {
		d.Report(path, "%v", err)
		return nil
	}
	lab, unused, err := parseLab(file, data, set, running)
	for _, name := range unused {
		d.Report(places[name], "a lab has no such setting")
	}
	var problems Problems
	switch {
	case err == nil:
		return lab
	case !errors.As(err, &problems):
		d.Report(path, "%v", err)
		return nil
	}
	for _, p := range problems {
		name, text, _ := strings.Cut(p.Text, ": ")
		if place, ok := places[name]; ok {
			d.Report(place, "%s", text)
			continue
		}
		d.Report(path, "lab %s: %s", nameOrPath, p.Text)
	}
	return nil
}

// Profile reads a profile as [ProfileOf] does, with the values of set in place of those of its facts. What is wrong is
// reported at path, where set stands.
func (d *Document) Profile(path, name string, set Settings) *Profile {
	profile, err := ProfileOf(name)
	if err != nil {
		d.Report(path+".profile", "%v", err)
		return nil
	}
	for _, one := range set {
		i, ok := factFields[one.Name]
		if !ok {
			d.Report(path+".set."+one.Name, "a profile has no such fact")
			continue
		}
		before := len(d.file.problems)
		s := d.file.section(path+".set."+one.Name, nil)
		s.line = d.Line(path + ".set." + one.Name)
		s.values["value"] = one.node
		text := s.fill(reflect.ValueOf(profile).Elem().Field(i), profileType.Field(i).Tag)
		for n := before; n < len(d.file.problems); n++ {
			d.file.problems[n].Text = strings.Replace(d.file.problems[n].Text, ".value:", ":", 1)
		}
		at := slices.IndexFunc(profile.Facts, func(f Fact) bool { return f.Name == one.Name })
		profile.Facts[at] = Fact{Name: one.Name, Value: text, Provenance: Assumed, Source: "set in " + d.file.name}
	}
	if profile.TLSMin > profile.TLSMax {
		d.Report(path+".set", "tls.min %s is above tls.max %s", profile.TLSMin, profile.TLSMax)
	}
	return profile
}
