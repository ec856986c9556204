package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
)

// schemaURI is the dialect of [Schema].
const schemaURI = "https://json-schema.org/draft/2020-12/schema"

// durationPattern is what time.ParseDuration reads of what scenarios write.
const durationPattern = `^-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`

// Schema is a JSON Schema of scenarios, made of the types that they are read into. What only the whole of a file tells, such
// as whether a wait can end, it does not know.
func Schema() []byte {
	top := schemaOf(reflect.TypeFor[Scenario](), "")
	top = append(object{
		{"$schema", schemaURI},
		{"title", "A scenario of lpe"},
		{"description", "What is done with a Lync Phone Edition handset and its pool, and what has to come of it."},
	}, top...)
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		panic(err) // it is made of texts
	}
	return text.Bytes()
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(m.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func schemaOf(t reflect.Type, tag reflect.StructTag) object {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return object{{"type", "string"}, {"pattern", durationPattern}}
	case reflect.TypeFor[configs.Settings]():
		scalar := []string{"string", "number", "boolean"}
		return object{{"type", "object"}, {"additionalProperties", object{
			{"type", append(scalar, "array", "object")}, {"items", object{{"type", scalar}}},
		}}}
	}
	if t == reflect.TypeFor[exchange.Messages]() {
		return object{{"type", "array"}, {"items", messageSchema}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), tag)
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Int, reflect.Uint64:
		out := object{{"type", "integer"}}
		var low, high int
		if _, err := fmt.Sscanf(tag.Get("range"), "%d %d", &low, &high); err == nil {
			out = append(out, member{"minimum", low}, member{"maximum", high})
		}
		return out
	case reflect.Slice:
		return object{{"type", "array"}, {"items", schemaOf(t.Elem(), tag)}}
	case reflect.Struct:
		return schemaOfStruct(t)
	}
	out := object{{"type", "string"}}
	if options := strings.Fields(tag.Get("oneof")); len(options) > 0 {
		return append(out, member{"enum", options})
	}
	if tag.Get("empty") == "" {
		out = append(out, member{"minLength", 1})
	}
	return out
}

// messageSchema is that of what [exchange.ReadYAML] reads.
var messageSchema = func() object {
	text := object{{"type", "string"}}
	origin := func(name string) object {
		return object{{"type", "object"}, {"properties", object{{name, text}}}, {"required", []string{name}}, {"additionalProperties", false}}
	}
	return object{
		{"type", "object"},
		{"properties", object{
			{"at", object{{"type", "string"}, {"pattern", durationPattern}}},
			{"state", text},
			{"sent", object{{"description", "the protocol, of a message of the handset"}, {"type", "string"}}},
			{"received", object{{"description", "the protocol, of a message to the handset"}, {"type", "string"}}},
			{"peer", text},
			{"message", text},
			{"fields", object{{"type", "object"}, {"additionalProperties", object{{"oneOf", []object{text, origin("fresh"), origin("masked")}}}}}},
		}},
		{"additionalProperties", false},
		{"required", []string{"at", "message"}},
		{"oneOf", []object{{{"required", []string{"sent"}}}, {{"required", []string{"received"}}}}},
	}
}()

func schemaOfStruct(t reflect.Type) object {
	var properties object
	required, verbs := []string{}, []object{}
	var short object
	for f := range fields(t) {
		key, property := f.Tag.Get("key"), schemaOf(f.Type, f.Tag)
		if doc := f.Tag.Get("doc"); doc != "" {
			property = append(object{{"description", doc}}, property...)
		}
		properties = append(properties, member{key, property})
		if f.Tag.Get("need") != "" {
			required = append(required, key)
		}
		if f.Tag.Get("verb") != "" {
			verbs = append(verbs, object{{"required", []string{key}}})
		}
		if f.Tag.Get("short") != "" {
			short = property
		}
	}
	out := object{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}}
	if len(required) > 0 {
		out = append(out, member{"required", required})
	}
	if len(verbs) > 0 {
		out = append(out, member{"oneOf", verbs})
	}
	if short != nil {
		return object{{"oneOf", []object{short, out}}}
	}
	return out
}
