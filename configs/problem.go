package configs

import (
	"fmt"
	"regexp"
	"strings"
)

// Problem is one mistake in a YAML file.
type Problem struct {
	File    string
	Line    int // 1-based, 0 if the mistake has no line
	Text    string
	Excerpt string // the line, with PINs and passwords masked
}

func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Excerpt == "" {
		return fmt.Sprintf("%s: %s", where, p.Text)
	}
	return fmt.Sprintf("%s: %s\n%6d | %s", where, p.Text, p.Line, p.Excerpt)
}

// Problems is every mistake found in a file, in the order of its lines.
type Problems []Problem

func (p Problems) Error() string {
	var lines []string
	for _, problem := range p {
		lines = append(lines, problem.Error())
	}
	return strings.Join(lines, "\n")
}

// err returns p as an error, nil when there is no problem.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

const maxExcerpt = 100

var (
	secretField  = regexp.MustCompile(`(?i)((?:pin|password)["']?\s*:)\s*\S.*$`)
	quotedDigits = regexp.MustCompile(`(["'])\d{4,24}["']`)
)

var (
	plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]{0,31}$`)
	keyed    = regexp.MustCompile(`^(\s*(?:- )?[A-Za-z_][A-Za-z0-9_.]{0,31}\s*:)(?:\s|$)`)
)

// keyOnly leaves of an excerpt its key, if it begins with one.
func keyOnly(excerpt string) string {
	if match := keyed.FindStringSubmatch(excerpt); match != nil {
		return match[1] + " …"
	}
	if excerpt == "" {
		return ""
	}
	return "…"
}

var (
	keyOrValue = regexp.MustCompile(`"(?:[^"\\]|\\.)*"?|'[^']*'?|[A-Za-z_][A-Za-z0-9_.]{0,31}\s*:(?:\s+|$)|[^\s{}\[\],]+`)
	values     = regexp.MustCompile(`…(?:\s*…)+`)
)

// keysOnly leaves of an excerpt the keys in it, also those between braces.
func keysOnly(excerpt string) string {
	excerpt = keyOrValue.ReplaceAllStringFunc(excerpt, func(found string) string {
		if key, isKey := strings.CutSuffix(strings.TrimSpace(found), ":"); found == "-" || isKey && plainKey.MatchString(strings.TrimSpace(key)) {
			return found
		}
		return "…"
	})
	return values.ReplaceAllString(excerpt, "…")
}

// excerpt shows a line of a file without the secrets that lab files hold.
func excerpt(line string) string {
	line = strings.TrimRight(line, " \t\r")
	line = secretField.ReplaceAllString(line, "$1 ***")
	line = quotedDigits.ReplaceAllString(line, "$1***$1")
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
	if runes := []rune(line); len(runes) > maxExcerpt {
		line = string(runes[:maxExcerpt]) + "…"
	}
	return line
}
