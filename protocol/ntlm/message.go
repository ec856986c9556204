// Package ntlm reads and writes the three messages of the NT LAN Manager protocol and computes NTLMv2 ([MS-NLMP]).
// Responses of LM and NTLMv1 and anonymous ones are read and refused.
//
// Where a message's fields stand in its payload is the sender's choice; what is written has them in the order of the
// examples of [MS-NLMP] 4.2.4.3, reserved bytes 0, and a version only if it was negotiated. That is the canonical form.
package ntlm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxSize bounds a message.
const MaxSize = 8 << 10

// Errors of reading and verifying. Each is wrapped with what was seen.
var (
	ErrMalformed = errors.New("not an NTLM message")
	ErrCharset   = errors.New("NTLM without a character set")
	ErrVersion   = errors.New("a response of LM or NTLMv1, NTLMv2 expected")
	ErrAnonymous = errors.New("an anonymous response")
	ErrProof     = errors.New("the response is not the password's")
	ErrMIC       = errors.New("the message integrity code is not that of the three messages")
)

// Type tells the messages apart.
type Type uint32

// The messages, in the order of a handshake.
const (
	TypeNegotiate    Type = 1
	TypeChallenge    Type = 2
	TypeAuthenticate Type = 3
)

const signature = "NTLMSSP\x00"

// Flags are the NegotiateFlags, [MS-NLMP] 2.2.2.5.
type Flags uint32

// The flags that have a meaning here.
const (
	Unicode                 Flags = 1 << 0
	OEM                     Flags = 1 << 1
	RequestTarget           Flags = 1 << 2
	Sign                    Flags = 1 << 4
	Seal                    Flags = 1 << 5
	NTLM                    Flags = 1 << 9
	Anonymous               Flags = 1 << 11
	DomainSupplied          Flags = 1 << 12
	WorkstationSupplied     Flags = 1 << 13
	AlwaysSign              Flags = 1 << 15
	TargetDomain            Flags = 1 << 16
	TargetServer            Flags = 1 << 17
	ExtendedSessionSecurity Flags = 1 << 19
	WithTargetInfo          Flags = 1 << 23
	WithVersion             Flags = 1 << 25
	Key128                  Flags = 1 << 29
	KeyExchange             Flags = 1 << 30
	Key56                   Flags = 1 << 31
)

// Has reports whether all of the given flags are set.
func (f Flags) Has(flags Flags) bool { return f&flags == flags }

// Version is that of the sender's system, for debugging, [MS-NLMP] 2.2.2.10.
type Version struct {
	Major, Minor uint8
	Build        uint16
	Revision     uint8 // of NTLM
}

const versionSize = 8

func parseVersion(b []byte) Version {
	return Version{b[0], b[1], binary.LittleEndian.Uint16(b[2:]), b[7]}
}

func (v Version) put(b []byte) {
	b[0], b[1], b[7] = v.Major, v.Minor, v.Revision
	binary.LittleEndian.PutUint16(b[2:], v.Build)
}

// TypeOf returns the type of a message, of which nothing else is checked but its size.
func TypeOf(b []byte) (Type, error) {
	switch {
	case len(b) > MaxSize:
		return 0, fmt.Errorf("%w: %d bytes, at most %d are read", ErrMalformed, len(b), MaxSize)
	case len(b) < len(signature)+4 || string(b[:len(signature)]) != signature:
		return 0, fmt.Errorf("%w: the signature NTLMSSP is missing", ErrMalformed)
	}
	return Type(binary.LittleEndian.Uint32(b[len(signature):])), nil
}

// check reports what is wrong with type and length of a message whose fields before the payload have fixed bytes.
func check(b []byte, want Type, fixed int) error {
	got, err := TypeOf(b)
	switch {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%w: type %d, %d expected", ErrMalformed, got, want)
	case len(b) < fixed:
		return fmt.Errorf("%w: type %d of %d bytes, %d at least expected", ErrMalformed, got, len(b), fixed)
	}
	return nil
}

// payload reads the fields of a message, each of which tells length, allocated length and offset of what it stands for.
type payload struct {
	b     []byte
	fixed int // bytes before the payload, at least
	first int // where the payload begins, as far as fields were read
	left  int // bytes that no field has taken yet
}

func newPayload(b []byte, fixed int) *payload { return &payload{b, fixed, len(b), len(b) - fixed} }

// take returns what the field at the given place stands for, nil if it is empty. Fields do not overlap.
func (p *payload) take(at int) ([]byte, error) {
	size, offset := int(binary.LittleEndian.Uint16(p.b[at:])), int64(binary.LittleEndian.Uint32(p.b[at+4:]))
	if size == 0 {
		return nil, nil
	}
	if size > p.left || offset < int64(p.fixed) || offset > int64(len(p.b)-size) {
		return nil, fmt.Errorf("%w: a field of %d bytes at %d in %d bytes", ErrMalformed, size, offset, len(p.b))
	}
	p.first, p.left = min(p.first, int(offset)), p.left-size
	return bytes.Clone(p.b[offset : int(offset)+size]), nil
}

// builder makes a message: fixed bytes, then the payload.
type builder struct {
	b   []byte
	err error
}

func newBuilder(t Type, fixed int) *builder {
	m := &builder{b: make([]byte, fixed)}
	copy(m.b, signature)
	binary.LittleEndian.PutUint32(m.b[len(signature):], uint32(t))
	return m
}

// put appends value to the payload and points to it from the field at the given place.
func (m *builder) put(at int, value []byte) {
	if len(value) > 0xffff {
		m.err = fmt.Errorf("%w: a field of %d bytes", ErrMalformed, len(value))
		return
	}
	binary.LittleEndian.PutUint16(m.b[at:], uint16(len(value)))
	binary.LittleEndian.PutUint16(m.b[at+2:], uint16(len(value)))
	binary.LittleEndian.PutUint32(m.b[at+4:], uint32(len(m.b)))
	m.b = append(m.b, value...)
}

// putText writes a name in the character set of the flags. Of an OEM character set, which depends on the country, only
// ASCII is written and read.
func (m *builder) putText(at int, text string, flags Flags) {
	switch {
	case !flags.Has(Unicode) && !isASCII(text):
		m.err = fmt.Errorf("%w: a name outside ASCII without Unicode", ErrMalformed)
	case !flags.Has(Unicode):
		m.put(at, []byte(text))
	case !utf8.ValidString(text):
		m.err = fmt.Errorf("%w: a name that is no Unicode", ErrMalformed)
	default:
		m.put(at, encodeText(text))
	}
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func (m *builder) appendTo(b []byte) ([]byte, error) {
	if m.err == nil && len(m.b) > MaxSize {
		m.err = fmt.Errorf("%w: %d bytes, at most %d are written", ErrMalformed, len(m.b), MaxSize)
	}
	if m.err != nil {
		return nil, m.err
	}
	return append(b, m.b...), nil
}

// encodeText is UTF-16, little endian.
func encodeText(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

func decodeText(b []byte, flags Flags) (string, error) {
	if !flags.Has(Unicode) {
		if !isASCII(string(b)) {
			return "", fmt.Errorf("%w: a name outside ASCII without Unicode", ErrMalformed)
		}
		return string(b), nil
	}
	if len(b)%2 != 0 {
		return "", fmt.Errorf("%w: a Unicode text of %d bytes", ErrMalformed, len(b))
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	text := string(utf16.Decode(units))
	if !bytes.Equal(encodeText(text), b) {
		return "", fmt.Errorf("%w: half a surrogate pair in a Unicode text", ErrMalformed)
	}
	return text, nil
}
