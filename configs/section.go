package configs

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// section is one mapping of a file. Its methods take the value of a key, report what is wrong with it, and remember
// that the key is known.
type section struct {
	file   *yamlFile
	name   string // as in messages, empty for the whole file
	line   int
	values map[string]ast.Node
	keys   map[string]*token.Token
	order  []string
	known  map[string]bool
}

// section reads node as a mapping. It is empty, and usable, when node is none.
func (f *yamlFile) section(name string, node ast.Node) *section {
	s := &section{file: f, name: name, values: map[string]ast.Node{}, keys: map[string]*token.Token{}, known: map[string]bool{}}
	defer s.place()
	if node == nil {
		return s
	}
	s.line = lineOf(node)
	mapping, ok := node.(ast.MapNode)
	if !ok {
		f.report(s.line, "%s: expected a mapping of keys and values, found %s", s.label(), kindOf(node))
		return s
	}
	for it := mapping.MapRange(); it.Next(); {
		key := it.Key().GetToken()
		if _, twice := s.values[key.Value]; twice {
			f.report(key.Position.Line, "key %q stands twice in %s", key.Value, s.label())
			continue
		}
		if len(s.order) == 0 {
			s.line = key.Position.Line
		}
		s.order = append(s.order, key.Value)
		s.values[key.Value], s.keys[key.Value] = it.Value(), key
	}
	return s
}

// place puts the values of the file's set in place of the section's own.
func (s *section) place() {
	for _, one := range s.file.set {
		key, ok := one.Name, s.name == ""
		if !ok {
			key, ok = strings.CutPrefix(one.Name, s.name+".")
		}
		if !ok || strings.Contains(key, ".") {
			continue
		}
		if !s.has(key) {
			s.order = append(s.order, key)
		}
		s.values[key] = one.node
		if s.file.placed == nil {
			s.file.placed = map[string]bool{}
		}
		s.file.placed[one.Name] = true
	}
}

func (s *section) label() string {
	if s.name == "" {
		return "the file"
	}
	return s.name
}

// path is how messages name a key.
func (s *section) path(key string) string {
	if s.name == "" {
		return key
	}
	return s.name + "." + key
}

// lineOfKey is where key stands, the section's line if it is missing.
func (s *section) lineOfKey(key string) int {
	if t, ok := s.keys[key]; ok {
		return t.Position.Line
	}
	return s.line
}

func (s *section) report(key, format string, args ...any) {
	s.file.report(s.lineOfKey(key), s.path(key)+": "+format, args...)
}

func (s *section) has(key string) bool {
	_, ok := s.values[key]
	return ok
}

// take returns the value of key, nil if it is missing or null.
func (s *section) take(key string) ast.Node {
	s.known[key] = true
	node := s.values[key]
	if _, null := node.(*ast.NullNode); null {
		return nil
	}
	return node
}

// need is take for a key that has no default.
func (s *section) need(key string) ast.Node {
	node := s.take(key)
	if node == nil {
		s.report(key, "missing")
	}
	return node
}

// finish reports the keys that nothing has taken. Their values are not shown: a misspelt key can hold a secret.
func (s *section) finish() {
	for _, key := range s.order {
		if s.known[key] {
			continue
		}
		s.report(key, "unknown key")
		last := &s.file.problems[len(s.file.problems)-1]
		last.Excerpt = keysOnly(last.Excerpt)
		if !plainKey.MatchString(key) { // it may be a secret itself
			last.Text = strings.ReplaceAll(last.Text, key, "…")
		}
	}
}

// text returns a text, "" if the key is missing.
func (s *section) text(key string) string {
	return s.textOf(key, s.take(key))
}

// needText returns a text that may not be missing or empty.
func (s *section) needText(key string) string {
	node := s.need(key)
	text := s.textOf(key, node)
	if _, isText := textValue(node); isText && text == "" {
		s.report(key, "is empty")
	}
	return text
}

func (s *section) textOf(key string, node ast.Node) string {
	if node == nil {
		return ""
	}
	text, ok := textValue(node)
	switch {
	case ok:
	case isScalar(node):
		s.report(key, "expected a text, YAML reads it as %s; put it in quotes", kindOf(node))
	default:
		s.report(key, "expected a text, found %s", kindOf(node))
	}
	return text
}

// digits returns a text that must be quoted, because YAML reads it as a number otherwise: "" if the key is missing.
func (s *section) digits(key string) string {
	return s.digitsOf(key, s.take(key))
}

func (s *section) digitsOf(key string, node ast.Node) string {
	if node == nil {
		return ""
	}
	t := node.GetToken()
	if _, ok := textValue(node); !ok && isScalar(node) {
		if octal.MatchString(t.Value) {
			s.report(key, "must be in quotes: YAML reads digits after a leading 0 as an octal number, 010 becomes 8")
		} else {
			s.report(key, "must be in quotes, YAML reads it as %s", kindOf(node))
		}
		return ""
	}
	text := s.textOf(key, node)
	if t.Type == token.StringType {
		s.report(key, "must be in quotes, as every PIN, phone number, MAC address and firmware version")
	}
	return text
}

var (
	octal   = regexp.MustCompile(`^[+-]?0[0-9]+$`)
	decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)
)

// number returns a whole number from low to high, or preset if the key is missing.
func (s *section) number(key string, preset, low, high int) int {
	if node := s.take(key); node != nil {
		return s.numberOf(key, node, low, high)
	}
	return preset
}

func (s *section) numberOf(key string, node ast.Node, low, high int) int {
	text := scalarText(node)
	if _, ok := node.(*ast.IntegerNode); !ok || !decimal.MatchString(text) {
		s.report(key, "expected a decimal number from %d to %d", low, high)
		return low
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		s.report(key, "%s is not in the range %d to %d", text, low, high)
		return low
	}
	return n
}

// flag returns true or false, or preset if the key is missing.
func (s *section) flag(key string, preset bool) bool {
	if node := s.take(key); node != nil {
		return s.flagOf(key, node)
	}
	return preset
}

func (s *section) flagOf(key string, node ast.Node) bool {
	b, ok := node.(*ast.BoolNode)
	if !ok {
		s.report(key, "expected true or false, found %s", kindOf(node))
		return false
	}
	return b.Value
}

// span returns a duration such as 3m, or preset if the key is missing.
func (s *section) span(key string, preset, low, high time.Duration) time.Duration {
	if node := s.take(key); node != nil {
		return s.spanOf(key, node, low, high)
	}
	return preset
}

func (s *section) spanOf(key string, node ast.Node, low, high time.Duration) time.Duration {
	text, _ := textValue(node)
	d, err := time.ParseDuration(text)
	if err != nil {
		s.report(key, "expected a duration such as 90s or 8h")
		return low
	}
	if d < low || d > high {
		s.report(key, "%v is not in the range %v to %v", d, low, high)
		return low
	}
	return d
}

func (s *section) timeOf(key string, node ast.Node) time.Time {
	t, err := time.Parse(time.RFC3339, scalarText(node))
	if err != nil {
		s.report(key, "expected a time such as 2006-01-01T00:00:00Z")
	}
	return t.UTC()
}

// choice returns one of options, or preset if the key is missing.
func (s *section) choice(key, preset string, options ...string) string {
	node := s.take(key)
	if node == nil {
		if preset == "" {
			s.report(key, "missing, expected one of %s", strings.Join(options, ", "))
		}
		return preset
	}
	text := s.textOf(key, node)
	for _, option := range options {
		if text == option {
			return text
		}
	}
	s.report(key, "expected one of %s", strings.Join(options, ", "))
	return preset
}

// address returns an IPv4 address, the zero Addr if the key is missing.
func (s *section) address(key string) netip.Addr {
	node := s.take(key)
	if node == nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(scalarText(node))
	if err != nil || !a.Is4() {
		s.report(key, "expected an IPv4 address such as 10.20.0.10")
		return netip.Addr{}
	}
	return a
}

// prefix returns an IPv4 network, the zero Prefix if the key is missing.
func (s *section) prefix(key string) netip.Prefix {
	node := s.take(key)
	if node == nil {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(scalarText(node))
	if err != nil || !p.Addr().Is4() {
		s.report(key, "expected an IPv4 network such as 10.20.0.0/24")
		return netip.Prefix{}
	}
	if p != p.Masked() {
		s.report(key, "the network is %v, host bits are set", p.Masked())
	}
	return p.Masked()
}

// list returns the entries of a list, nil if the key is missing.
func (s *section) list(key string) []ast.Node {
	node := s.take(key)
	if node == nil {
		return nil
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		s.report(key, "expected a list, found %s", kindOf(node))
		return nil
	}
	return list.Values
}

// texts returns a text, or a list of texts.
func (s *section) texts(key string) []string {
	node := s.take(key)
	nodes := []ast.Node{node}
	switch n := node.(type) {
	case nil:
		return nil
	case *ast.SequenceNode:
		nodes = n.Values
	}
	var texts []string
	for _, node := range nodes {
		texts = append(texts, s.textOf(key, node))
	}
	return texts
}

// sub returns the mapping under key, an empty one if it is missing.
func (s *section) sub(key string) *section {
	sub := s.file.section(s.path(key), s.take(key))
	if sub.line == 0 {
		sub.line = s.lineOfKey(key)
	}
	return sub
}

func lineOf(node ast.Node) int {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// textValue returns the text of a text node.
func textValue(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

func isScalar(node ast.Node) bool {
	_, ok := node.(ast.ScalarNode)
	return ok
}

// scalarText is how a scalar is written in the file.
func scalarText(node ast.Node) string {
	if text, ok := textValue(node); ok {
		return text
	}
	if t := node.GetToken(); isScalar(node) && t != nil {
		return t.Value
	}
	return ""
}

func kindOf(node ast.Node) string {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.IntegerNode:
		return "a number"
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a floating-point number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode, nil:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	}
	return "something else"
}
