package importer

import (
	"strconv"
	"strings"
)

// printable is a text from a capture as a terminal and a comment may show it.
func printable(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` && strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return quoted
	}
	return s
}
