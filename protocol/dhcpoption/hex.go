package dhcpoption

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ParseHex reads bytes as people write them: hexadecimal digits with blanks, colons or dots between them and 0x in
// front of any group. Between colons one digit is a byte, as ISC dhcpd writes it.
func ParseHex(s string) ([]byte, error) {
	var digits strings.Builder
	for _, group := range strings.FieldsFunc(s, isBlank) {
		for part := range strings.SplitSeq(group, ":") {
			part = strings.TrimPrefix(strings.TrimPrefix(part, "0x"), "0X")
			if len(part) == 1 && strings.Contains(group, ":") {
				part = "0" + part
			}
			digits.WriteString(strings.ReplaceAll(part, ".", ""))
		}
	}
	if digits.Len() == 0 {
		return nil, errors.New("no hexadecimal digits")
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		return nil, fmt.Errorf("not hexadecimal: %w", err)
	}
	return b, nil
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// hexText returns the bytes that value spells in hexadecimal digits.
func hexText(value []byte) ([]byte, bool) {
	if !isText(value) {
		return nil, false
	}
	b, err := ParseHex(strings.TrimRight(string(value), "\x00"))
	return b, err == nil
}

// hexUC returns the option 43 that value spells in hexadecimal digits, as far as it can be read.
func hexUC(value []byte) ([]byte, bool) {
	b, ok := hexText(value)
	if !ok {
		return nil, false
	}
	u, _, _ := readUC(b)
	return b, u.Identifier == ClassUC || u.plausible()
}
