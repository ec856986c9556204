package configs

import (
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

var (
	profileType = reflect.TypeFor[Profile]()
	factFields  = indexFacts()
)

func indexFacts() map[string]int {
	fields := map[string]int{}
	for i := range profileType.NumField() {
		if name := profileType.Field(i).Tag.Get("fact"); name != "" {
			fields[name] = i
		}
	}
	return fields
}

// The longest duration that a fact may have.
const maxSpan = 366 * 24 * time.Hour

// fill reads the value of a fact into its field of Profile and returns it as text.
func (s *section) fill(field reflect.Value, tag reflect.StructTag) string {
	node := s.need("value")
	if node == nil {
		return ""
	}
	if field.Kind() != reflect.Slice {
		return s.fillOne(field, tag, node)
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		s.report("value", "expected a list with an entry at least, found %s", kindOf(node))
		return ""
	}
	field.Set(reflect.MakeSlice(field.Type(), len(list.Values), len(list.Values)))
	var texts []string
	for i, entry := range list.Values {
		texts = append(texts, s.fillOne(field.Index(i), tag, entry))
	}
	if field.Type().Elem().Kind() == reflect.String && strings.Contains(strings.Join(texts, ""), ",") {
		for i := range texts {
			texts[i] = strconv.Quote(texts[i])
		}
	}
	return strings.Join(texts, ", ")
}

func (s *section) fillOne(field reflect.Value, tag reflect.StructTag, node ast.Node) string {
	switch field.Interface().(type) {
	case time.Duration:
		d := s.spanOf("value", node, 0, maxSpan)
		field.SetInt(int64(d))
		return scalarText(node)
	case time.Time:
		t := s.timeOf("value", node)
		field.Set(reflect.ValueOf(t))
		return t.Format(time.RFC3339)
	}
	switch field.Kind() {
	case reflect.String:
		text := s.factText(tag, node)
		field.SetString(text)
		return text
	case reflect.Bool:
		b := s.flagOf("value", node)
		field.SetBool(b)
		return strconv.FormatBool(b)
	case reflect.Int:
		low, high := numberRange(tag, math.MaxInt32)
		n := s.numberOf("value", node, low, high)
		field.SetInt(int64(n))
		return strconv.Itoa(n)
	case reflect.Uint8, reflect.Uint16:
		low, high := numberRange(tag, 1<<field.Type().Bits()-1)
		n := s.numberOf("value", node, low, high)
		field.SetUint(uint64(n))
		return strconv.Itoa(n)
	}
	s.report("value", "no way to read a %s", field.Type())
	return ""
}

func (s *section) factText(tag reflect.StructTag, node ast.Node) string {
	var text string
	if tag.Get("quoted") != "" {
		text = s.digitsOf("value", node)
	} else {
		text = s.textOf("value", node)
	}
	if _, ok := textValue(node); !ok {
		return ""
	}
	if text == "" && tag.Get("empty") == "" {
		s.report("value", "is empty")
	}
	s.printable(text)
	if options := strings.Fields(tag.Get("oneof")); len(options) > 0 && !slices.Contains(options, text) {
		s.report("value", "%q is none of %s", text, strings.Join(options, ", "))
	}
	if form, ok := factForms[tag.Get("form")]; ok && !form.fits(text) {
		s.report("value", "expected %s, found %q", form.what, text)
	}
	return text
}

// factForms are the forms that the text of a fact may have to have.
var factForms = map[string]struct {
	what string
	fits func(string) bool
}{
	"oui":   {"the first three bytes of the addresses of stations, such as 00:04:F2", isOUI},
	"suite": {"a TLS suite up to TLS 1.2 as crypto/tls names it, such as TLS_RSA_WITH_AES_128_CBC_SHA", isSuite},
}

func isOUI(text string) bool {
	mac, err := net.ParseMAC(text + ":00:00:00")
	return err == nil && len(mac) == 6 && mac[0]&1 == 0
}

func isSuite(name string) bool {
	return slices.ContainsFunc(slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()), func(s *tls.CipherSuite) bool {
		return s.Name == name && slices.Contains(s.SupportedVersions, tls.VersionTLS12)
	})
}

// printable refuses text that would begin another line, of a header or on a terminal.
func (s *section) printable(text string) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		s.report("value", "%q has a line break or another control character", text)
	}
}

// numberRange reads a range tag, "1 65535".
func numberRange(tag reflect.StructTag, top int) (low, high int) {
	if _, err := fmt.Sscanf(tag.Get("range"), "%d %d", &low, &high); err != nil {
		return 0, top
	}
	return low, high
}
