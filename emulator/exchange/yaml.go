package exchange

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// The keys of a message in YAML. One of sent and received is there, and names the protocol.
const (
	keyAt       = "at"
	keyState    = "state"
	keySent     = "sent"
	keyReceived = "received"
	keyPeer     = "peer"
	keyMessage  = "message"
	keyFields   = "fields"
)

// WriteYAML writes messages as a list, each line behind indent. A value that is not recorded stands in a mapping of one
// key, its origin.
func WriteYAML(b *bytes.Buffer, indent string, list []Message) {
	for _, m := range list {
		way := keyReceived
		if m.Sent {
			way = keySent
		}
		fmt.Fprintf(b, "%s- %s: %v\n", indent, keyAt, m.At)
		if m.State != "" {
			fmt.Fprintf(b, "%s  %s: %s\n", indent, keyState, m.State)
		}
		fmt.Fprintf(b, "%s  %s: %s\n", indent, way, Scalar(m.Protocol))
		if m.Peer != "" {
			fmt.Fprintf(b, "%s  %s: %s\n", indent, keyPeer, Quoted(m.Peer))
		}
		fmt.Fprintf(b, "%s  %s: %s\n", indent, keyMessage, Quoted(m.Kind))
		if len(m.Fields) > 0 {
			fmt.Fprintf(b, "%s  %s:\n", indent, keyFields)
		}
		for _, f := range m.Fields {
			fmt.Fprintf(b, "%s    %s: %s\n", indent, Scalar(f.Name), FieldValue(f))
		}
	}
}

// FieldValue is the value of a field in YAML, on one line.
func FieldValue(f Field) string {
	if f.Origin == timeline.Recorded {
		return Quoted(f.Value)
	}
	return "{" + string(f.Origin) + ": " + Quoted(f.Value) + "}"
}

// plain is what YAML takes for a text wherever it stands, but for the words below.
var (
	plain    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./;@()\[\]+-]*( [A-Za-z0-9_./;@()\[\]+-]+)*$`)
	notPlain = regexp.MustCompile(`(?i)^(?:true|false|yes|no|on|off|y|n|null|nan|inf)$`)
)

// Scalar is a text in YAML, in quotes only where it needs them.
func Scalar(text string) string {
	if plain.MatchString(text) && !notPlain.MatchString(text) {
		return text
	}
	return Quoted(text)
}

// Quoted is a text in YAML, in quotes.
func Quoted(text string) string {
	if strings.Contains(text, `"`) && !strings.Contains(text, "'") && printable(text) == text {
		return "'" + text + "'"
	}
	return strconv.Quote(text)
}

// Messages are a part of a file.
type Messages []Message

// ReadNode reads them with [ReadYAML].
func (l *Messages) ReadNode(node ast.Node, report func(line int, text string)) {
	*l = ReadYAML(node, report)
}

// Bounds of a list that is read.
const maxMessages = 100_000

// ReadYAML reads what [WriteYAML] wrote. Each problem is reported with its line.
func ReadYAML(node ast.Node, report func(line int, text string)) []Message {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		report(line(node), "a list of messages expected")
		return nil
	}
	if len(list.Values) > maxMessages {
		report(line(node), fmt.Sprintf("more than %d messages", maxMessages))
		return nil
	}
	out := make([]Message, 0, len(list.Values))
	for _, entry := range list.Values {
		out = append(out, readMessage(entry, report))
	}
	return out
}

func readMessage(node ast.Node, report func(int, string)) (m Message) {
	ways := 0
	seen := map[string]bool{}
	each(node, report, func(key string, value ast.Node) {
		seen[key] = true
		switch key {
		case keyAt:
			text := textOf(value, report)
			at, err := time.ParseDuration(text)
			if err != nil || at < 0 {
				report(line(value), fmt.Sprintf("%s: a time since the start such as 3.25s expected, not %q", keyAt, text))
			}
			m.At = at
		case keyState:
			m.State = devicestate.State(textOf(value, report))
			if !known(m.State) {
				report(line(value), fmt.Sprintf("%s: there is no state %q", keyState, m.State))
			}
		case keySent, keyReceived:
			ways++
			m.Sent, m.Protocol = key == keySent, textOf(value, report)
		case keyPeer:
			m.Peer = textOf(value, report)
		case keyMessage:
			m.Kind = textOf(value, report)
		case keyFields:
			each(value, report, func(name string, value ast.Node) { m.Fields = append(m.Fields, readField(name, value, report)) })
		default:
			report(line(value), fmt.Sprintf("unknown key %q of a message", key))
		}
	})
	if ways != 1 {
		report(line(node), fmt.Sprintf("a message needs one of %s and %s, with its protocol", keySent, keyReceived))
	}
	for _, key := range []string{keyAt, keyMessage} {
		if !seen[key] {
			report(line(node), fmt.Sprintf("a message needs %s", key))
		}
	}
	return m
}

func known(s devicestate.State) bool {
	for _, one := range devicestate.States() {
		if one == s {
			return true
		}
	}
	return s == ""
}

func readField(name string, value ast.Node, report func(int, string)) Field {
	if _, ok := value.(ast.MapNode); !ok {
		return Field{Name: name, Value: textOf(value, report)}
	}
	f := Field{Name: name}
	each(value, report, func(key string, value ast.Node) {
		origin := timeline.Origin(key)
		if origin != timeline.Masked && origin != timeline.Fresh || f.Origin != "" {
			report(line(value), fmt.Sprintf("%s: one of %s and %s expected, not %q", name, timeline.Masked, timeline.Fresh, key))
		}
		f.Origin, f.Value = origin, textOf(value, report)
	})
	return f
}

// each calls do for the keys of a mapping. A key that comes twice is reported.
func each(node ast.Node, report func(int, string), do func(key string, value ast.Node)) {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		report(line(node), "a mapping of keys and values expected")
		return
	}
	seen := map[string]bool{}
	for it := mapping.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		if seen[key] {
			report(line(it.Key()), fmt.Sprintf("%q comes twice", key))
		}
		seen[key] = true
		do(key, it.Value())
	}
}

// textOf is a text, or whatever else stands on one line as it is written there: 0712 is no number here.
func textOf(node ast.Node, report func(int, string)) string {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value
	case ast.ScalarNode:
		return n.GetToken().Value
	}
	report(line(node), "a text expected")
	return ""
}

func line(node ast.Node) int {
	if node == nil || node.GetToken() == nil {
		return 0
	}
	return node.GetToken().Position.Line
}
