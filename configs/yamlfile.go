package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a YAML file.
const (
	maxFileSize = 256 << 10 // bytes
	maxDepth    = 64        // mappings and lists inside each other
	maxKeys     = 5000      // the parser's time grows with the square of the keys in a mapping

	// Of a [Document], which may hold all messages of a boot. In one mapping there are maxKeys at most all the same.
	MaxDocumentSize = 8 << 20
	maxDocumentKeys = 250_000
)

// yamlFile is a file being read. Problems are collected, so that one run shows them all.
type yamlFile struct {
	name     string
	lines    []string
	root     ast.Node
	problems Problems

	set    Settings        // values in place of those of the file
	placed map[string]bool // names of set that a section took

	running bool // the file is of a pool that runs already
}

// parseFile checks the bounds of a file and parses it. Without problems its root is not nil.
func parseFile(name string, data []byte) *yamlFile {
	return parseBounded(name, data, maxFileSize, maxKeys)
}

func parseBounded(name string, data []byte, size, keys int) *yamlFile {
	f := &yamlFile{name: name}
	switch {
	case len(data) > size:
		f.report(0, "the file has %d bytes, at most %d are read", len(data), size)
		return f
	case !utf8.Valid(data):
		f.report(0, "the file is not UTF-8 text")
		return f
	}
	text := strings.TrimPrefix(string(data), "\ufeff") // as editors of Windows begin a file
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	f.lines = strings.Split(text, "\n")
	if i := slices.IndexFunc(f.lines, hasControl); i >= 0 {
		f.report(i+1, "the line has a control character")
		return f
	}
	tokens := lexer.Tokenize(text)
	if f.checkTokens(tokens, keys); len(f.problems) > 0 {
		return f
	}
	tree, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		f.reportSyntax(err)
		return f
	}
	var bodies []ast.Node
	for _, document := range tree.Docs {
		if document.Body != nil {
			bodies = append(bodies, document.Body)
		}
	}
	if len(bodies) != 1 {
		f.report(0, "the file holds %d documents, expected 1", len(bodies))
		return f
	}
	f.checkDepth(bodies[0], 1)
	f.root = bodies[0]
	return f
}

func hasControl(line string) bool {
	return strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == 0xfeff })
}

// checkTokens refuses what these files never need, before the parser builds a tree of it: anchors, aliases and merge
// keys (a small file can unfold to gigabytes), tags, directives, and nesting far over the bound.
func (f *yamlFile) checkTokens(tokens token.Tokens, mostKeys int) {
	refused := map[token.Type]string{
		token.AnchorType: "anchors", token.AliasType: "aliases", token.MergeKeyType: "merge keys",
		token.TagType: "tags", token.DirectiveType: "directives", token.MappingKeyType: "complex keys",
	}
	flow, keys, inFlow := 0, 0, 0
	type level struct{ column, keys int }
	var columns []level
	for i, t := range tokens {
		if what, ok := refused[t.Type]; ok {
			f.report(t.Position.Line, "%s are not used in these files", what)
			return
		}
		if t.Type == token.MappingValueType {
			keys++
		}
		if keys > mostKeys {
			f.report(t.Position.Line, "the file has more than %d keys", mostKeys)
			return
		}
		start := t
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow--
		case token.MappingValueType, token.SequenceEntryType:
			if flow > 0 {
				if inFlow++; inFlow > maxKeys {
					f.report(t.Position.Line, "a mapping in braces has more than %d keys", maxKeys)
					return
				}
				continue
			}
			inFlow = 0
			if t.Type == token.MappingValueType && i > 0 {
				start = tokens[i-1]
			}
			column := start.Position.Column
			now := level{column: column}
			for len(columns) > 0 && columns[len(columns)-1].column >= column {
				if last := columns[len(columns)-1]; last.column == column && t.Type == token.MappingValueType {
					now.keys = last.keys
				}
				columns = columns[:len(columns)-1]
			}
			if now.keys++; now.keys > maxKeys {
				f.report(t.Position.Line, "a mapping has more than %d keys", maxKeys)
				return
			}
			columns = append(columns, now)
		}
		if flow > maxDepth || len(columns) > maxDepth {
			f.reportDepth(t)
			return
		}
	}
}

func (f *yamlFile) checkDepth(node ast.Node, depth int) bool {
	var inside []ast.Node
	switch n := node.(type) {
	case ast.MapNode:
		for it := n.MapRange(); it.Next(); {
			inside = append(inside, it.Value())
		}
	case ast.ArrayNode:
		for it := n.ArrayRange(); it.Next(); {
			inside = append(inside, it.Value())
		}
	default:
		return true
	}
	if depth > maxDepth {
		f.reportDepth(node.GetToken())
		return false
	}
	return !slices.ContainsFunc(inside, func(n ast.Node) bool { return !f.checkDepth(n, depth+1) })
}

func (f *yamlFile) reportDepth(t *token.Token) {
	f.report(t.Position.Line, "mappings and lists are nested deeper than %d", maxDepth)
}

func (f *yamlFile) reportSyntax(err error) {
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		line := 0
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		f.report(line, "%s", syntax.GetMessage())
		last := &f.problems[len(f.problems)-1]
		last.Excerpt = keyOnly(last.Excerpt) // what is no key and value yet may be a secret
		return
	}
	f.report(0, "%v", err)
}

// report adds a problem at a 1-based line, 0 for none.
func (f *yamlFile) report(line int, format string, args ...any) {
	f.problems = append(f.problems, f.problem(line, format, args...))
}

func (f *yamlFile) problem(line int, format string, args ...any) Problem {
	problem := Problem{File: f.name, Line: line, Text: fmt.Sprintf(format, args...)}
	if line > 0 && line <= len(f.lines) {
		problem.Excerpt = excerpt(f.lines[line-1])
	}
	return problem
}

// finish returns the problems in the order of their lines.
func (f *yamlFile) finish() error {
	slices.SortStableFunc(f.problems, func(a, b Problem) int { return a.Line - b.Line })
	return f.problems.err()
}
