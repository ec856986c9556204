package report

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// index makes a folded name findable by its head, so that a text costs the same with one name as with ten thousand.
func (m *Mask) index(name string) {
	h := head(name)
	at, _ := slices.BinarySearchFunc(m.heads[h], name, func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	m.heads[h] = slices.Insert(m.heads[h], at, name)
}

// words replaces the known names, in upper or lower case, where they stand as words: between what is neither letter,
// digit nor underscore. It is called with the lock held.
func (m *Mask) words(text string) string {
	if len(m.names) == 0 {
		return text
	}
	var b strings.Builder
	for text != "" {
		n := m.nameAt(text)
		if n > 0 {
			b.WriteString(m.placeholder(text[:n]))
		} else {
			n = len(head(text))
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// nameAt is the length of the placeholder or the known name that a text begins with, 0: of none.
func (m *Mask) nameAt(text string) int {
	if at := leading.FindStringIndex(text); at != nil && !goesOn(text[at[1]:]) {
		return at[1]
	}
	for _, name := range m.heads[fold(head(text))] {
		if n := bytesOf(text, utf8.RuneCountInString(name)); fold(text[:n]) == name && !goesOn(text[n:]) {
			return n
		}
	}
	return 0
}

// bytesOf is the length of the first runes of a text.
func bytesOf(text string, runes int) int {
	for i := range text {
		if runes == 0 {
			return i
		}
		runes--
	}
	return len(text)
}

// head is the word that a text begins with, or what is in front of one, a rune of it.
func head(text string) string {
	for i, c := range text {
		if !ofWord(c) {
			_, size := utf8.DecodeRuneInString(text)
			return text[:max(i, size)]
		}
	}
	return text
}

// goesOn reports whether a text begins with more of a word.
func goesOn(text string) bool {
	c, _ := utf8.DecodeRuneInString(text)
	return text != "" && ofWord(c)
}

func ofWord(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c) }

// fold makes one text of those that differ in upper and lower case.
func fold(text string) string {
	return strings.Map(func(c rune) rune {
		least := c
		for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, text)
}
