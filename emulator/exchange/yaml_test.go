package exchange_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func root(t interface{ Fatal(...any) }, text string) ast.Node {
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		t.Fatal(err, "\n"+text)
	}
	return file.Docs[0].Body
}

func read(node ast.Node) (list []exchange.Message, problems []string) {
	list = exchange.ReadYAML(node, func(line int, text string) { problems = append(problems, fmt.Sprintf("%d: %s", line, text)) })
	return list, problems
}

func TestYAML(t *testing.T) {
	list := []exchange.Message{
		{
			At: 3250 * time.Millisecond, State: devicestate.AddressAcquire, Sent: true, Protocol: "dhcp", Peer: "255.255.255.255", Kind: "DISCOVER",
			Fields: []exchange.Field{
				{Name: "xid", Value: "4a0afea5", Origin: timeline.Fresh},
				{Name: "option 60 vendor class", Value: `"CPE-OCPHONE" (4350)`},
				{Name: "Via[2];branch", Value: "0712"},
				{Name: "no", Value: ""},
				{Name: "Body/Password", Value: "***", Origin: timeline.Masked},
			},
		},
		{Protocol: "lldp", Kind: "LLDPDU"},
	}
	want := `  - at: 3.25s
    state: AddressAcquire
    sent: dhcp
    peer: "255.255.255.255"
    message: "DISCOVER"
    fields:
      xid: {fresh: "4a0afea5"}
      option 60 vendor class: '"CPE-OCPHONE" (4350)'
      Via[2];branch: "0712"
      "no": ""
      Body/Password: {masked: "***"}
  - at: 0s
    received: lldp
    message: "LLDPDU"
`
	var b bytes.Buffer
	exchange.WriteYAML(&b, "  ", list)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	got, problems := read(root(t, b.String()))
	if diff := cmp.Diff(list, got); diff != "" || problems != nil {
		t.Errorf("%q, -want +got:\n%s", problems, diff)
	}
}

// What is written is read as the same.
func TestYAMLAgain(t *testing.T) {
	text := rapid.StringMatching(`[ -~äπ—]{0,12}`)
	name := rapid.StringMatching(`[!-~ä]([ -~ä]{0,8}[!-~])?`)
	rapid.Check(t, func(t *rapid.T) {
		var list []exchange.Message
		for range rapid.IntRange(1, 3).Draw(t, "messages") {
			m := exchange.Message{
				At: time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "at")), Sent: rapid.Bool().Draw(t, "sent"), Protocol: name.Draw(t, "protocol"),
				Peer: text.Draw(t, "peer"), Kind: text.Draw(t, "kind"), State: rapid.SampledFrom(devicestate.States()).Draw(t, "state"),
			}
			seen := map[string]bool{}
			for range rapid.IntRange(0, 4).Draw(t, "fields") {
				f := exchange.Field{
					Name: name.Draw(t, "name"), Value: text.Draw(t, "value"),
					Origin: rapid.SampledFrom([]timeline.Origin{timeline.Recorded, timeline.Fresh, timeline.Masked}).Draw(t, "origin"),
				}
				if !seen[f.Name] {
					m.Fields = append(m.Fields, f)
				}
				seen[f.Name] = true
			}
			list = append(list, m)
		}
		var b bytes.Buffer
		exchange.WriteYAML(&b, "", list)
		got, problems := read(root(t, b.String()))
		if diff := cmp.Diff(list, got); diff != "" || problems != nil {
			t.Errorf("%q\n%s-want +got:\n%s", problems, b.String(), diff)
		}
	})
}

func TestYAMLProblems(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1":                                "1: a list of messages expected",
		"- x":                                 "1: a mapping of keys and values expected",
		"- at: 1s\n  sent: sip\n":             "1: a message needs message",
		"- at: 1s\n  message: x":              "1: a message needs one of sent and received",
		"- at: soon\n  sent: a\n  message: x": `1: at: a time since the start such as 3.25s expected, not "soon"`,
		"- at: 1s\n  sent: a\n  message: x\n  state: Here":                           `4: state: there is no state "Here"`,
		"- at: 1s\n  sent: a\n  message: x\n  foo: Here":                             `4: unknown key "foo" of a message`,
		"- at: 1s\n  sent: a\n  message: x\n  fields:\n    a: 1\n    a: 2":           `6: "a" comes twice`,
		"- at: 1s\n  sent: a\n  message: x\n  fields:\n    a: {secret: 1}":           `5: a: one of masked and fresh expected, not "secret"`,
		"- at: 1s\n  sent: a\n  message: x\n  fields:\n    a: [1]":                   `5: a text expected`,
		"- at: 1s\n  sent: a\n  message: [x]":                                        `3: a text expected`,
		"- at: 1s\n  sent: a\n  received: b\n  message: x":                           `1: a message needs one of sent and received`,
		"- at: 1s\n  sent: a\n  message: x\n  fields:\n    a: {fresh: 1, masked: 2}": `5: a: one of masked and fresh expected, not "masked"`,
	} {
		_, problems := read(root(t, text))
		if len(problems) == 0 || !strings.HasPrefix(problems[0], want) {
			t.Errorf("%s\nproblems %q, want %q", text, problems, want)
		}
	}
}
