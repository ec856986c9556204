package compare

import (
	"fmt"
	"os"
	"regexp"
	"slices"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios"
)

// Mask is one rule of a file of masks: what may differ without being a difference. Each pattern is a regular expression
// that has to match the whole; one that is missing matches all.
type Mask struct {
	Protocol string `key:"protocol"`
	Message  string `key:"message"`
	State    string `key:"state"`
	Field    string `key:"field"`    // missing: the rule is about the message as a whole
	Part     string `key:"part"`     // of the value, or the group in it; missing: all of it
	Optional bool   `key:"optional"` // the message, or the field, may be missing; what it says is compared
	Repeats  bool   `key:"repeats"`  // the rule is about messages that come again; only with optional
	Why      string `key:"why" need:"yes"`

	protocol, message, state, field, part *regexp.Regexp
}

// Masks are the rules of a file.
type Masks []Mask

// DefaultMasks are those of scenarios/masks.yaml.
func DefaultMasks() Masks {
	masks, err := parseMasks("scenarios/masks.yaml", scenarios.Masks)
	if err != nil {
		panic(err) // it is part of the program
	}
	return masks
}

// LoadMasks reads a file of masks. The error names every mistake.
func LoadMasks(file string) (Masks, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > configs.MaxDocumentSize:
		return nil, fmt.Errorf("%s: a regular file of at most %d bytes expected", file, configs.MaxDocumentSize)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseMasks(file, data)
}

func parseMasks(name string, data []byte) (Masks, error) {
	var file struct {
		Masks []Mask `key:"masks" need:"yes"`
	}
	doc := configs.ReadDocument(name, data, &file)
	for i := range file.Masks {
		file.Masks[i].compile(func(key, format string, args ...any) {
			doc.Report(fmt.Sprintf("masks[%d].%s", i+1, key), format, args...)
		})
	}
	return file.Masks, doc.Err()
}

func (m *Mask) compile(report func(key, format string, args ...any)) {
	whole := func(text string) string { return "^(?:" + text + ")$" }
	for _, one := range []struct {
		key, text, pattern string
		into               **regexp.Regexp
	}{
		{"protocol", m.Protocol, whole(m.Protocol), &m.protocol},
		{"message", m.Message, whole(m.Message), &m.message},
		{"state", m.State, whole(m.State), &m.state},
		{"field", m.Field, whole(m.Field), &m.field},
		{"part", m.Part, m.Part, &m.part},
	} {
		if one.text == "" {
			continue
		}
		compiled, err := regexp.Compile(one.pattern)
		if err != nil {
			report(one.key, "%q is no regular expression: %v", one.text, err)
		}
		*one.into = compiled
	}
	if m.Repeats && (!m.Optional || m.Field != "") {
		report("repeats", "is about whole messages that are optional")
	}
	if m.Part != "" && m.Field == "" {
		report("part", "is of a field, and none is named")
	}
}

// about reports whether a rule is about a message.
func (m *Mask) about(one *exchange.Message) bool {
	return matches(m.protocol, one.Protocol) && matches(m.message, one.Kind) && matches(m.state, string(one.State))
}

func matches(pattern *regexp.Regexp, text string) bool {
	return pattern == nil || pattern.MatchString(text)
}

// hidden stands for what may differ.
const hidden = "…"

// leavesOut reports whether a message is no part of the comparison.
func (list Masks) leavesOut(m *exchange.Message) bool {
	for _, mask := range list {
		if mask.field == nil && !mask.Optional && mask.about(m) {
			return true
		}
	}
	return false
}

// optional reports whether a message may be missing, or with a name its field. repeats: both sides have such a message, and
// one of them once more.
func (list Masks) optional(m *exchange.Message, name string, repeats bool) bool {
	for _, mask := range list {
		if !mask.Optional || mask.Repeats && !repeats || !mask.about(m) {
			continue
		}
		if mask.field == nil && name == "" || mask.field != nil && name != "" && mask.field.MatchString(name) {
			return true
		}
	}
	return false
}

// value is the value of a field as it is compared.
func (list Masks) value(m *exchange.Message, name, value string) string {
	for _, mask := range list {
		switch {
		case mask.field == nil || mask.Optional || !mask.about(m) || !mask.field.MatchString(name):
		case mask.part == nil:
			return hidden
		default:
			value = hide(mask.part, value)
		}
	}
	return value
}

// hide hides what a pattern matches, or the first group in it if it has one.
func hide(part *regexp.Regexp, value string) string {
	if part.NumSubexp() == 0 {
		return part.ReplaceAllString(value, hidden)
	}
	found := part.FindAllStringSubmatchIndex(value, -1)
	for _, at := range slices.Backward(found) {
		if from, to := at[2], at[3]; from >= 0 {
			value = value[:from] + hidden + value[to:]
		}
	}
	return value
}

// Apply puts … for what may differ, and for what is fresh or masked.
func (list Masks) Apply(messages []exchange.Message) []exchange.Message {
	out := make([]exchange.Message, 0, len(messages))
	for _, m := range messages {
		if list.leavesOut(&m) {
			continue
		}
		fields := make([]exchange.Field, len(m.Fields))
		for i, f := range m.Fields {
			if f.Origin == "" {
				f.Value = list.value(&m, f.Name, f.Value)
			} else {
				f.Value = hidden
			}
			fields[i] = f
		}
		m.Fields = fields
		out = append(out, m)
	}
	return out
}
