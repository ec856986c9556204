package compare

import (
	"fmt"
	"os"
	"regexp"

	"github.com/goccy/go-yaml"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios"
)

// Mask is one rule of a file of masks: what may differ without being a difference. Each pattern is a regular expression
// that has to match the whole; one that is missing matches all.
type Mask struct {
	Protocol string `yaml:"protocol"`
	Message  string `yaml:"message"`
	Field    string `yaml:"field"` // missing: the message is left out of the comparison
	Part     string `yaml:"part"`  // of the value, missing: all of it
	Why      string `yaml:"why"`

	protocol, message, field, part *regexp.Regexp
}

// Masks are the rules of a file.
type Masks []Mask

// maskFile is the file of masks.
type maskFile struct {
	Masks []Mask `yaml:"masks"`
}

// DefaultMasks are those of scenarios/masks.yaml.
func DefaultMasks() Masks {
	masks, err := parseMasks("masks.yaml", scenarios.Masks)
	if err != nil {
		panic(err) // it is part of the program
	}
	return masks
}

// LoadMasks reads a file of masks.
func LoadMasks(file string) (Masks, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("masks: %w", err)
	}
	return parseMasks(file, data)
}

func parseMasks(name string, data []byte) (Masks, error) {
	var file maskFile
	if err := yaml.UnmarshalWithOptions(data, &file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i := range file.Masks {
		m := &file.Masks[i]
		if m.Why == "" {
			return nil, fmt.Errorf("%s: mask %d does not say why", name, i+1)
		}
		for _, one := range []struct {
			key, text string
			into      **regexp.Regexp
			whole     bool
		}{
			{"protocol", m.Protocol, &m.protocol, true},
			{"message", m.Message, &m.message, true},
			{"field", m.Field, &m.field, true},
			{"part", m.Part, &m.part, false},
		} {
			if one.text == "" {
				continue
			}
			text := one.text
			if one.whole {
				text = "^(?:" + text + ")$"
			}
			compiled, err := regexp.Compile(text)
			if err != nil {
				return nil, fmt.Errorf("%s: mask %d: %s %q: %w", name, i+1, one.key, one.text, err)
			}
			*one.into = compiled
		}
	}
	return file.Masks, nil
}

func matches(pattern *regexp.Regexp, text string) bool {
	return pattern == nil || pattern.MatchString(text)
}

// masked stands for what may differ.
const masked = "…"

// leavesOut reports whether a message is no part of the comparison.
func (list Masks) leavesOut(m *exchange.Message) bool {
	for _, mask := range list {
		if mask.field == nil && matches(mask.protocol, m.Protocol) && matches(mask.message, m.Kind) {
			return true
		}
	}
	return false
}

// value is the value of a field as it is compared.
func (list Masks) value(m *exchange.Message, name, value string) string {
	for _, mask := range list {
		switch {
		case mask.field == nil || !matches(mask.protocol, m.Protocol) || !matches(mask.message, m.Kind) || !matches(mask.field, name):
		case mask.part == nil:
			return masked
		default:
			value = mask.part.ReplaceAllString(value, masked)
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
				f.Value = masked
			}
			fields[i] = f
		}
		m.Fields = fields
		out = append(out, m)
	}
	return out
}
