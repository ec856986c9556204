// Package unknown keeps what peers send and no document of this project describes: once for each peer, on one bounded
// line, and without what could be a secret. What nobody knows may hold a PIN anywhere, so a value is shown only if it is
// of a kind that cannot be one; of the others the length is told.
package unknown

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
)

// Bounds of what is shown, in bytes.
const (
	maxName  = 80
	maxValue = 160
	maxBytes = 64
	maxBody  = 2000
)

// Name quotes what a peer calls something.
func Name(text string) string { return fmt.Sprintf("%.*q", maxName, text) }

// Bytes is the beginning of a message that cannot hold a secret, in hexadecimal.
func Bytes(b []byte) string {
	if len(b) > maxBytes {
		return fmt.Sprintf("%s… of %d bytes", hex.EncodeToString(b[:maxBytes]), len(b))
	}
	return hex.EncodeToString(b)
}

// Header is a header line. Credentials are masked but for their scheme.
func Header(name, value string) string {
	if secretName.MatchString(name) {
		scheme, _, found := strings.Cut(value, " ")
		if !found || !token.MatchString(scheme) {
			return Name(name) + ": " + mask(value)
		}
		return Name(name) + ": " + scheme + " " + mask(value[len(scheme)+1:])
	}
	if looksSecret(value) {
		return Name(name) + ": " + mask(value)
	}
	return Name(name) + ": " + fmt.Sprintf("%.*q", maxValue, value)
}

// Parameter is a named value, such as one of a query.
func Parameter(name, text string) string { return Name(name) + "=" + value(text) }

var (
	secretName = regexp.MustCompile(`(?i)auth|cookie|pin|passw|pwd|secret|token|ticket|cred|key`)
	token      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,30}$`)

	// harmless is what is shown of an unknown value: URIs, addresses of SIP, times, versions, MAC addresses, UUIDs, flags.
	harmless = regexp.MustCompile(`^(https?://[^\s?#@]*(#[A-Za-z][\w.-]*)?|urn:[^\s?]*|sips?:([^\s?:@]*@)?[^\s?@]*|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?|\d{1,5}(\.\d{1,5}){1,4}|([0-9A-Fa-f]{2}[-:]){5}[0-9A-Fa-f]{2}|` +
		`\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?|true|false|[01])$`)
	numbers = regexp.MustCompile(`^\+?[0-9]+$`)
	base64s = regexp.MustCompile(`^[A-Za-z0-9+/\r\n]{8,}={0,2}$`)
)

// looksSecret reports whether a header's value could be a PIN or a key.
func looksSecret(value string) bool {
	return numbers.MatchString(value) && len(value) >= 4 && len(value) <= 24
}

// mask tells kind and length of a value.
func mask(value string) string {
	switch {
	case value == "":
		return `""`
	case numbers.MatchString(value):
		return fmt.Sprintf("***(%d digits)", len(value))
	case base64s.MatchString(value):
		return fmt.Sprintf("***(base64 of %d)", len(value))
	}
	return fmt.Sprintf("***(%d characters)", len(value))
}

func value(text string) string {
	text = strings.TrimSpace(text)
	if harmless.MatchString(text) && len(text) <= maxValue {
		return text
	}
	return mask(text)
}

// namesOfProtocol are attributes whose values are words of a protocol.
var namesOfProtocol = regexp.MustCompile(`^(Type|ValueType|EncodingType|Algorithm|Dialect|URI|Uri|Id|mustUnderstand|actor|role|Optional|Version|version|lang)$`)

// Body shows a body: XML by its elements, attributes and namespaces, anything else by its characters' kinds.
func Body(b []byte) string {
	if len(bytes.TrimSpace(b)) == 0 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	text, whole := elements(b)
	if text == "" {
		text, whole = kinds(b), len(b) <= maxValue
	}
	if !whole {
		text += fmt.Sprintf("… of %d bytes", len(b))
	}
	return text
}

// elements writes XML anew with masked values, as far as it can be read and has room; "" if it is none.
func elements(b []byte) (text string, whole bool) {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	var out strings.Builder
	for out.Len() < maxBody {
		t, err := d.RawToken()
		if err != nil {
			return out.String(), d.InputOffset() >= int64(len(b))
		}
		switch t := t.(type) {
		case xml.StartElement:
			out.WriteString("<" + qualified(t.Name))
			for _, a := range t.Attr {
				shown := value(a.Value)
				if isNamespace(a.Name) || namesOfProtocol.MatchString(a.Name.Local) && !looksSecret(a.Value) {
					shown = fmt.Sprintf("%.*s", maxValue, a.Value)
				}
				fmt.Fprintf(&out, " %s=%.*q", qualified(a.Name), maxValue, shown)
			}
			out.WriteString(">")
		case xml.EndElement:
			out.WriteString("</" + qualified(t.Name) + ">")
		case xml.CharData:
			if content := strings.TrimSpace(string(t)); content != "" {
				if out.Len() == 0 {
					return "", false // text before any element
				}
				out.WriteString(value(content))
			}
		}
	}
	return out.String(), false
}

func isNamespace(n xml.Name) bool { return n.Space == "xmlns" || n.Space == "" && n.Local == "xmlns" }

func qualified(n xml.Name) string {
	name := n.Local
	if n.Space != "" {
		name = n.Space + ":" + n.Local
	}
	if quoted := fmt.Sprintf("%.*q", maxName, name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// kinds shows text by the kinds of its characters: x for a letter, # for a digit, a dot for what cannot be printed.
func kinds(b []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '#'
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			return 'x'
		case r < ' ' || r > '~':
			return '.'
		}
		return r
	}, string(b[:min(len(b), maxValue)]))
}
