package compare

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/phone-edition/lpe/emulator/exchange"
)

// Schema is the version of the JSON form of [Comparison].
const Schema = "lpe.diff/1"

// Comparison is two sides with what differs.
type Comparison struct {
	Schema      string       `json:"schema"`
	A           string       `json:"a"` // what the sides are called
	B           string       `json:"b"`
	MessagesA   int          `json:"messages_a"`
	MessagesB   int          `json:"messages_b"`
	NotCompared []string     `json:"not_compared,omitempty"` // protocols that one of the sides cannot know, see [Comparison.Reservations]
	Differences []Difference `json:"differences"`
}

// Sides compares two sides.
func Sides(a, b Side, masks Masks) Comparison {
	out := Comparison{
		Schema: Schema, A: a.Name, B: b.Name, MessagesA: len(a.Messages), MessagesB: len(b.Messages), Differences: Compare(a.Messages, b.Messages, masks),
	}
	if out.Differences == nil {
		out.Differences = []Difference{}
	}
	if has(a.Messages, exchange.ProtocolARP) != has(b.Messages, exchange.ProtocolARP) {
		out.NotCompared = []string{exchange.ProtocolARP}
	}
	return out
}

// Reservations say what was not compared, in sentences.
func (c Comparison) Reservations() []string {
	var out []string
	for _, protocol := range c.NotCompared {
		out = append(out, strings.ToUpper(protocol)+" is not compared: one of the sides holds none, as what is recorded at a pool or on a computer's own sockets.")
	}
	return out
}

// Where says which message a difference is in.
func (d Difference) Where() string {
	switch {
	case d.Protocol == exchange.ProtocolState:
		return "state " + d.Message
	case d.Protocol == ProtocolFile:
		return d.Message
	}
	way := "received"
	if d.Sent {
		way = "sent"
	}
	text := fmt.Sprintf("%s %s %s", d.Protocol, way, d.Message)
	if d.State != "" {
		text += " in " + string(d.State)
	}
	return text
}

// Sentence says in words what differs.
func (d Difference) Sentence() string {
	a, b := brief(d.A), brief(d.B)
	switch d.What {
	case MessageMissing:
		return "missing in B"
	case MessageAdded:
		return "only in B"
	case MessageOrder:
		return fmt.Sprintf("stands elsewhere: %s in A, %s in B", a, b)
	case MessageChanged:
		return fmt.Sprintf("is another message: %q in A, %q in B", a, b)
	case FieldMissing:
		return fmt.Sprintf("%s is missing in B: %q in A", d.Field, a)
	case FieldAdded:
		return fmt.Sprintf("%s is only in B: %q", d.Field, b)
	case FieldOrder:
		return fmt.Sprintf("%s stands elsewhere: %s in A, %s in B", d.Field, a, b)
	case FieldChanged:
		return fmt.Sprintf("%s is %q in A, %q in B", d.Field, a, b)
	case State:
		return fmt.Sprintf("in state %s in A, %s in B", a, b)
	case Timing:
		return fmt.Sprintf("comes %s in A, %s in B", a, b)
	}
	return d.What
}

// maxShown bounds a value in a sentence; JSON has all of it.
const maxShown = 200

func brief(text string) string {
	if len(text) <= maxShown {
		return text
	}
	end := maxShown
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// WriteText writes a line a message that differs, and under it a line a difference. It writes nothing where there is none.
func WriteText(w io.Writer, c Comparison) error {
	if len(c.Differences) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "A %s\nB %s\n", c.A, c.B)
	last := ""
	for _, d := range c.Differences {
		if where := fmt.Sprintf("%s (%s)", d.Where(), places(d)); where != last {
			fmt.Fprintln(&b, where)
			last = where
		}
		fmt.Fprintln(&b, "    "+d.Sentence())
	}
	fmt.Fprintf(&b, "%s\n", count(len(c.Differences)))
	for _, text := range c.Reservations() {
		fmt.Fprintln(&b, text)
	}
	_, err := io.WriteString(w, shown(b.String()))
	return err
}

// shown has U+FFFD in place of what a peer said and a terminal would do.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

func count(n int) string {
	if n == 1 {
		return "1 difference"
	}
	return fmt.Sprintf("%d differences", n)
}

func places(d Difference) string {
	switch {
	case d.PlaceB == 0:
		return fmt.Sprintf("message %d of A", d.PlaceA)
	case d.PlaceA == 0:
		return fmt.Sprintf("message %d of B", d.PlaceB)
	case d.PlaceA == d.PlaceB:
		return fmt.Sprintf("message %d", d.PlaceA)
	}
	return fmt.Sprintf("message %d of A, %d of B", d.PlaceA, d.PlaceB)
}

// WriteJSON writes the comparison as one indented JSON object.
func WriteJSON(w io.Writer, c Comparison) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"places": places, "count": count}).Parse(pageHTML))

// WriteHTML writes one page that needs nothing else, neither network nor script.
func WriteHTML(w io.Writer, c Comparison) error {
	var b bytes.Buffer // a page is written whole or not at all
	if err := page.Execute(&b, c); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
