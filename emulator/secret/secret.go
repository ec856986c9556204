// Package secret keeps a PIN, a password or a key out of everything that is printed.
package secret

import (
	"crypto/subtle"
	"fmt"
)

const mask = "***"

// Value holds a secret text. Every way of formatting or marshalling it gives "***"; [Value.Reveal] is the only way to the text.
type Value struct{ text string }

// New wraps text.
func New(text string) Value { return Value{text} }

// Reveal returns the text, for the one place that puts it on the wire.
func (v Value) Reveal() string { return v.text }

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.text == "" }

// Equal compares in constant time for values of equal length.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.text), []byte(w.text)) == 1
}

// String returns the mask.
func (v Value) String() string { return mask }

// GoString returns the mask.
func (v Value) GoString() string { return mask }

// Format writes the mask for every verb.
func (v Value) Format(s fmt.State, _ rune) { fmt.Fprint(s, mask) }

// MarshalText returns the mask; JSON, YAML and XML encoders use it.
func (v Value) MarshalText() ([]byte, error) { return []byte(mask), nil }
