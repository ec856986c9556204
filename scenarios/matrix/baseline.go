package matrix

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// Version is the version of baseline files. A file of another one is refused.
const Version = "lpe.baseline/1"

// Baseline is what a scenario gave with each profile when it was accepted.
type Baseline struct {
	Scenario string
	Profiles map[string][]exchange.Message
}

// A file of baselines has the messages of some profiles in full. Those of any other are told by what is different:
//
//	like: the profile whose messages they are, but for
//	values: value for value, wherever that one has it,
//	change: and at that message (counted from 0) so many of it are others.
const (
	keyVersion  = "version"
	keyScenario = "scenario"
	keyProfiles = "profiles"
	keyMessages = "messages"
	keyLike     = "like"
	keyValues   = "values"
	keyChange   = "change"
	keyAt       = "at"
	keyDrop     = "drop"
)

const maxBaseline = 16 << 20 // bytes of a file

func baselineFile(dir, scenario string) string { return filepath.Join(dir, scenario+".yaml") }

// LoadBaseline reads the baseline of a scenario. One that is not there is empty.
func LoadBaseline(dir, scenario string) (*Baseline, error) {
	b := &Baseline{Scenario: scenario, Profiles: map[string][]exchange.Message{}}
	file := baselineFile(dir, scenario)
	info, err := os.Stat(file)
	switch {
	case os.IsNotExist(err):
		return b, nil
	case err != nil:
		return nil, fmt.Errorf("baseline: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxBaseline:
		return nil, fmt.Errorf("baseline %s: a regular file of at most %d bytes expected", file, maxBaseline)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	return b, b.read(file, data)
}

// Save writes the file.
func (b *Baseline) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return wholefile.Write(baselineFile(dir, b.Scenario), b.Text())
}

// Text is the file.
func (b *Baseline) Text() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# What the scenario %s gives with each profile. Written by lpe scenario matrix --update.\n", b.Scenario)
	fmt.Fprintf(&out, "%s: %s\n%s: %s\n%s:\n", keyVersion, Version, keyScenario, b.Scenario, keyProfiles)
	names := slices.Sorted(maps.Keys(b.Profiles))
	full := b.inFull(names)
	for _, name := range full {
		fmt.Fprintf(&out, "  %s:\n    %s:\n", exchange.Scalar(name), keyMessages)
		exchange.WriteYAML(&out, "      ", b.Profiles[name])
	}
	for _, name := range names {
		if slices.Contains(full, name) {
			continue
		}
		var best []byte
		for _, like := range full {
			if text := b.difference(name, like); best == nil || len(text) < len(best) {
				best = text
			}
		}
		out.Write(best)
	}
	return out.Bytes()
}

// inFull chooses the profiles whose messages are written in full: the first, and each whose difference from those before
// would be half as long as itself.
func (b *Baseline) inFull(names []string) []string {
	var full []string
	for _, name := range names {
		var whole bytes.Buffer
		exchange.WriteYAML(&whole, "      ", b.Profiles[name])
		if !slices.ContainsFunc(full, func(like string) bool { return 2*len(b.difference(name, like)) < whole.Len() }) {
			full = append(full, name)
		}
	}
	return full
}

// difference is what the file has of a profile that is like another.
func (b *Baseline) difference(name, like string) []byte {
	base, want := b.Profiles[like], b.Profiles[name]
	values := replacements(base, want)
	hunks := hunksOf(replaced(base, values), want)
	var out bytes.Buffer
	fmt.Fprintf(&out, "  %s:\n    %s: %s\n", exchange.Scalar(name), keyLike, exchange.Scalar(like))
	if len(values) > 0 {
		fmt.Fprintf(&out, "    %s:\n", keyValues)
		for _, from := range slices.Sorted(maps.Keys(values)) {
			fmt.Fprintf(&out, "      %s: %s\n", exchange.Quoted(from), exchange.Quoted(values[from]))
		}
	}
	if len(hunks) > 0 {
		fmt.Fprintf(&out, "    %s:\n", keyChange)
	}
	for _, h := range hunks {
		fmt.Fprintf(&out, "      - %s: %d\n        %s: %d\n", keyAt, h.at, keyDrop, h.drop)
		if len(h.messages) > 0 {
			fmt.Fprintf(&out, "        %s:\n", keyMessages)
			exchange.WriteYAML(&out, "          ", h.messages)
		}
	}
	return out.Bytes()
}

// reading is a file of baselines that is read.
type reading struct {
	file     string
	lines    []string
	problems []string
}

func (r *reading) report(line int, text string) {
	where := r.file
	if line > 0 {
		where = fmt.Sprintf("%s:%d", r.file, line)
	}
	problem := where + ": " + text
	if line > 0 && line <= len(r.lines) {
		problem += fmt.Sprintf("\n%6d | %s", line, r.lines[line-1])
	}
	r.problems = append(r.problems, problem)
}

const maxProblems = 20

func (r *reading) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	if n := len(r.problems); n > maxProblems {
		r.problems = append(r.problems[:maxProblems], fmt.Sprintf("and %d more", n-maxProblems))
	}
	return fmt.Errorf("%s", strings.Join(r.problems, "\n"))
}

func (b *Baseline) read(file string, data []byte) error {
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	r := &reading{file: file, lines: strings.Split(string(data), "\n")}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return fmt.Errorf("%s: one document expected", file)
	}
	top := r.mapping(tree.Docs[0].Body)
	if version := r.text(top[keyVersion]); version != Version {
		return fmt.Errorf("%s is a baseline of version %q, and this program compares with %q: run lpe scenario matrix with --update in a new directory, or take the program that wrote it", file, version, Version)
	}
	if of := r.text(top[keyScenario]); of != "" && of != b.Scenario {
		r.report(lineOf(top[keyScenario]), fmt.Sprintf("the baseline of scenario %s, not of %s", of, b.Scenario))
		return r.err()
	}
	profiles, derived := r.mapping(top[keyProfiles]), map[string][]exchange.Message{}
	for name, node := range profiles {
		if one := r.mapping(node); one[keyMessages] != nil {
			b.Profiles[name] = exchange.ReadYAML(one[keyMessages], r.report)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		one := r.mapping(profiles[name])
		if one[keyMessages] != nil {
			continue
		}
		base, ok := b.Profiles[r.text(one[keyLike])]
		if !ok {
			r.report(lineOf(profiles[name]), fmt.Sprintf("%s is like %q, of which the file has no messages", name, r.text(one[keyLike])))
			continue
		}
		values := map[string]string{}
		if one[keyValues] != nil {
			for from, to := range r.mapping(one[keyValues]) {
				values[from] = r.text(to)
			}
		}
		list, err := applied(replaced(base, values), r.hunks(one[keyChange]))
		if err != nil {
			r.report(lineOf(profiles[name]), fmt.Sprintf("%s: %v", name, err))
		}
		derived[name] = list // and is no base itself
	}
	maps.Copy(b.Profiles, derived)
	return r.err()
}

func (r *reading) hunks(node ast.Node) []hunk {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		if node != nil {
			r.report(lineOf(node), "a list of changes expected")
		}
		return nil
	}
	var out []hunk
	for _, entry := range list.Values {
		one := r.mapping(entry)
		h := hunk{at: r.number(one[keyAt]), drop: r.number(one[keyDrop])}
		if one[keyMessages] != nil {
			h.messages = exchange.ReadYAML(one[keyMessages], r.report)
		}
		out = append(out, h)
	}
	return out
}

func (r *reading) mapping(node ast.Node) map[string]ast.Node {
	out := map[string]ast.Node{}
	mapping, ok := node.(ast.MapNode)
	if !ok {
		r.report(lineOf(node), "a mapping expected")
		return out
	}
	for it := mapping.MapRange(); it.Next(); {
		out[textOf(it.Key())] = it.Value()
	}
	return out
}

func (r *reading) text(node ast.Node) string {
	if node == nil {
		return ""
	}
	if _, ok := node.(ast.ScalarNode); !ok {
		r.report(lineOf(node), "a text expected")
	}
	return textOf(node)
}

func textOf(node ast.Node) string {
	if s, ok := node.(*ast.StringNode); ok {
		return s.Value
	}
	return node.GetToken().Value
}

func (r *reading) number(node ast.Node) int {
	n := 0
	if _, err := fmt.Sscanf(r.text(node), "%d", &n); err != nil || n < 0 {
		r.report(lineOf(node), "a number expected")
	}
	return n
}

func lineOf(node ast.Node) int {
	if node == nil || node.GetToken() == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// hunk puts messages in the place of others.
type hunk struct {
	at, drop int // of the base
	messages []exchange.Message
}

// replacements are the values of base that stand otherwise in want, each the same way everywhere.
func replacements(base, want []exchange.Message) map[string]string {
	out := map[string]string{}
	spoiled := map[string]bool{}
	note := func(from, to string) {
		if old, ok := out[from]; ok && old != to {
			spoiled[from] = true
		}
		out[from] = to
	}
	for _, p := range pairs(base, want, sameShape) {
		if p[0] < 0 || p[1] < 0 {
			continue
		}
		a, b := base[p[0]], want[p[1]]
		note(a.Peer, b.Peer)
		for i, f := range a.Fields {
			note(f.Value, b.Fields[i].Value)
		}
	}
	for from, to := range out {
		if spoiled[from] || from == to {
			delete(out, from)
		}
	}
	return out
}

// sameShape reports whether two messages differ in values alone.
func sameShape(a, b exchange.Message) bool {
	if a.Sent != b.Sent || a.Protocol != b.Protocol || a.Kind != b.Kind || a.State != b.State || len(a.Fields) != len(b.Fields) {
		return false
	}
	for i, f := range a.Fields {
		if g := b.Fields[i]; f.Name != g.Name || f.Origin != g.Origin {
			return false
		}
	}
	return true
}

func same(a, b exchange.Message) bool {
	return a.Peer == b.Peer && sameShape(a, b) && slices.Equal(a.Fields, b.Fields)
}

func replaced(list []exchange.Message, values map[string]string) []exchange.Message {
	out := slices.Clone(list)
	for i := range out {
		if to, ok := values[out[i].Peer]; ok {
			out[i].Peer = to
		}
		out[i].Fields = slices.Clone(out[i].Fields)
		for n, f := range out[i].Fields {
			if to, ok := values[f.Value]; ok {
				out[i].Fields[n].Value = to
			}
		}
	}
	return out
}

// gap is how long after the message before one comes.
func gap(list []exchange.Message, i int) time.Duration {
	if i == 0 {
		return list[0].At
	}
	return list[i].At - list[i-1].At
}

// hunksOf are what makes want of base.
func hunksOf(base, want []exchange.Message) []hunk {
	var out []hunk
	open := false
	a := 0
	for _, p := range pairs(base, want, same) {
		if p[0] >= 0 && p[1] >= 0 && gap(base, p[0]) == gap(want, p[1]) {
			a, open = p[0]+1, false
			continue
		}
		if !open {
			out = append(out, hunk{at: a})
			open = true
		}
		h := &out[len(out)-1]
		if p[0] >= 0 {
			h.drop++
			a = p[0] + 1
		}
		if p[1] >= 0 {
			h.messages = append(h.messages, want[p[1]])
		}
	}
	return out
}

// applied makes the changes. Times are counted on from message to message.
func applied(base []exchange.Message, hunks []hunk) ([]exchange.Message, error) {
	var out []exchange.Message
	a := 0
	take := func(until int) {
		for ; a < until; a++ {
			m := base[a]
			m.At = gap(base, a)
			if n := len(out); n > 0 {
				m.At += out[n-1].At
			}
			out = append(out, m)
		}
	}
	for _, h := range hunks {
		if h.at < a || h.drop < 0 || h.at+h.drop > len(base) {
			return nil, fmt.Errorf("a change at message %d of %d does not fit", h.at, len(base))
		}
		take(h.at)
		a += h.drop
		out = append(out, h.messages...)
	}
	take(len(base))
	return out, nil
}
