// Package provisioning holds the XML that follows a registration: in-band provisioning, roaming data and publication
// ([MS-SIPREGE], sip.md §5).
package provisioning

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Content types.
const (
	TypeProvisioning = "application/vnd-microsoft-roaming-provisioning-v2+xml"
	TypeContacts     = "application/vnd-microsoft-roaming-contacts+xml"
	TypeSelf         = "application/vnd-microsoft-roaming-self+xml"
	TypePublish      = "application/msrtc-category-publish+xml"
	TypeContainers   = "application/msrtc-setcontainermembers+xml"
	TypeFault        = "application/msrtc-fault+xml"
)

// Bounds of a document.
const (
	MaxSize  = 256 << 10
	MaxDepth = 64
)

// Errors of reading.
var (
	ErrTooLarge  = errors.New("XML document exceeds its bounds")
	ErrMalformed = errors.New("XML document is not as expected")
)

// decode reads b into v after checking size, depth and the root's name.
func decode(b []byte, root string, v any) error {
	if len(b) > MaxSize {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxSize)
	}
	decoder := xml.NewDecoder(bytes.NewReader(b))
	first := true
	for depth := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && !first {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if first && token.Name.Local != root {
				return fmt.Errorf("%w: root is %.40q, want %s", ErrMalformed, token.Name.Local, root)
			}
			first = false
			if depth++; depth > MaxDepth {
				return fmt.Errorf("%w: more than %d levels", ErrTooLarge, MaxDepth)
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return fmt.Errorf("%w: a document type declaration", ErrMalformed)
		}
	}
	if err := xml.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // fails only when the writer does
	return b.String()
}
