package soap

import (
	"bytes"
	"strings"

	"github.com/beevik/etree"
)

// Nearly everything that handsets and pools send is plain: tags, and text of printable ASCII without references.
// encoding/xml takes three times as long for it, which was a fifth of what a boot costs beside its cryptography. Whatever
// else there is in a document, and whatever is wrong with it, is left to encoding/xml.

// readPlain reads a plain document. It reports false of any other one, and leaves a part of the tree.
func (t *tree) readPlain() bool {
	at := t.readDeclaration()
	for at < len(t.text) {
		if t.text[at] != '<' {
			text := string(before(t.text[at:], '<'))
			at += len(text)
			if strings.Contains(text, "\r") {
				text = lineBreaks.Replace(text)
			}
			if !isPlain(text) || t.addText(text) != nil {
				return false
			}
			continue
		}
		tag := before(t.text[at:], '>')
		from, to := at, at+len(tag)+1
		if to > len(t.text) || !t.readTag(tag[1:], int64(from), int64(to)) {
			return false
		}
		at = to
	}
	return t.over() == nil
}

// lineBreaks makes line breaks one character (XML 1.0, 2.11).
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// declarations are what XML declarations of plain documents say.
var declarations = []string{`version="1.0"`, `version="1.0" encoding="utf-8"`}

// readDeclaration returns where the XML declaration ends.
func (t *tree) readDeclaration() int {
	for _, said := range declarations {
		if whole := "<?xml " + said + "?>"; bytes.HasPrefix(t.text, []byte(whole)) {
			t.doc.CreateProcInst("xml", said)
			return len(whole)
		}
	}
	return 0
}

// readTag reads what stands between < and >.
func (t *tree) readTag(tag []byte, from, to int64) bool {
	if tag, ends := bytes.CutPrefix(tag, []byte("/")); ends {
		return t.closes(tag) && t.end(t.at.Space, t.at.Tag, from, to) == nil
	}
	tag, empty := bytes.CutSuffix(tag, []byte("/"))
	name, rest := cutName(string(tag))
	if !name.ok() || t.begin(name.space, name.local, begun{from, to}) != nil || !t.readAttributes(skipBlanks(rest)) {
		return false
	}
	return !empty || t.end(name.space, name.local, to, to) == nil
}

// closes reports whether an end tag is that of the open element.
func (t *tree) closes(tag []byte) bool {
	space, local, prefixed := bytes.Cut(bytes.TrimRight(tag, " \t\n"), []byte(":"))
	if !prefixed {
		space, local = nil, space
	}
	return prefixed == (t.at.Space != "") && string(space) == t.at.Space && string(local) == t.at.Tag
}

func (t *tree) readAttributes(text string) bool {
	t.at.Attr = make([]etree.Attr, 0, strings.Count(text, "="))
	for text != "" {
		name, rest := cutName(text)
		rest, equals := strings.CutPrefix(skipBlanks(rest), "=")
		if rest = skipBlanks(rest); !name.ok() || !equals || rest == "" || rest[0] != '"' && rest[0] != '\'' {
			return false
		}
		value, rest, closed := strings.Cut(rest[1:], rest[:1])
		if !closed || !isPlain(value) || len(t.at.Attr) == MaxAttributes || t.addAttribute(name.whole, value) != nil {
			return false
		}
		text = skipBlanks(rest)
	}
	return true
}

// before is b as far as c, or all of it.
func before(b []byte, c byte) []byte {
	if i := bytes.IndexByte(b, c); i >= 0 {
		return b[:i]
	}
	return b
}

// plainName is the name of an element or an attribute, the zero one if it is not plain.
type plainName struct{ whole, space, local string }

func (n plainName) ok() bool { return n.local != "" }

// cutName splits text behind the name that it begins with.
func cutName(text string) (name plainName, rest string) {
	end := 0
	for end < len(text) && (isLetter(text[end]) || end > 0 && isWithinName(text[end])) {
		end++
	}
	name.whole, rest = text[:end], text[end:]
	var prefixed bool
	if name.space, name.local, prefixed = strings.Cut(name.whole, ":"); !prefixed {
		name.space, name.local = "", name.whole
	}
	if strings.Contains(name.local, ":") {
		return plainName{}, rest
	}
	return name, rest
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }

func isWithinName(c byte) bool { return '0' <= c && c <= '9' || c == '-' || c == '.' || c == ':' }

// isPlain reports whether text stands for itself. It may have no square bracket, as ]]> is not allowed everywhere.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n' || c == '\t':
		case c < ' ' || c > '~' || c == '<' || c == '&' || c == ']':
			return false
		}
	}
	return true
}

func skipBlanks(text string) string {
	for text != "" && (text[0] == ' ' || text[0] == '\t' || text[0] == '\n') {
		text = text[1:]
	}
	return text
}
