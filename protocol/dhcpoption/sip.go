package dhcpoption

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Types of option 120: its first byte (RFC 3361, 3).
const (
	sipNames     = 0
	sipAddresses = 1
)

// ParseSIPServers reads option 120: the names of the SIP servers, in order. Compression pointers count from the byte
// after the type byte, as dnsmasq writes them (discovery.md §2.2), and point backwards. Zero bytes behind the last
// name are padding. The error is an *[Error].
func ParseSIPServers(value []byte) ([]string, error) {
	if len(value) == 0 {
		return nil, sipError(KindSIPEmpty, "no bytes, type 0 and a name expected")
	}
	if isText(value) {
		return nil, sipError(KindSIPText, "text %s, type 0 and DNS labels expected", excerpt(value))
	}
	switch value[0] {
	case sipNames:
		names, err := parseNames(value[1:])
		if err != nil && IsHostName(string(bytes.TrimRight(value[1:], "\x00"))) {
			return nil, sipError(KindSIPText, "type 0 and text %s, DNS labels expected", excerpt(value[1:]))
		}
		return names, err
	case sipAddresses:
		return nil, sipError(KindSIPAddress, "type 1 with addresses (%s), type 0 with names expected", excerpt(value[1:]))
	}
	return nil, sipError(KindSIPNoType, "first byte is %#02x, type 0 expected", value[0])
}

// AppendSIPServers appends option 120 with names, uncompressed.
func AppendSIPServers(b []byte, names ...string) ([]byte, error) {
	return appendSIPServers(b, names, nil)
}

// AppendSIPServersCompressed is [AppendSIPServers] with the compression of RFC 1035, 4.1.4, as dnsmasq applies it.
func AppendSIPServersCompressed(b []byte, names ...string) ([]byte, error) {
	return appendSIPServers(b, names, map[string]int{})
}

func appendSIPServers(b []byte, names []string, offsets map[string]int) ([]byte, error) {
	if len(names) == 0 {
		return nil, errors.New("dhcp: option 120 without a name")
	}
	b = append(b, sipNames)
	start := len(b)
	for _, name := range names {
		if !IsHostName(name) || len(name) > maxName-2 {
			return nil, fmt.Errorf("dhcp: name %s in option 120, a dotted name of at most %d characters expected", excerpt([]byte(name)), maxName-2)
		}
		for rest := name; ; {
			if at, ok := offsets[rest]; ok {
				b = append(b, byte(at>>8)|pointerBits, byte(at))
				break
			}
			if at := len(b) - start; offsets != nil && at < 1<<14 {
				offsets[rest] = at
			}
			label, tail, more := strings.Cut(rest, ".")
			b = append(append(b, byte(len(label))), label...)
			if !more {
				b = append(b, 0)
				break
			}
			rest = tail
		}
	}
	return b, nil
}

const (
	maxName     = 255  // bytes of a name on the wire (RFC 1035, 2.3.4)
	pointerBits = 0xc0 // of a length byte that begins a pointer
)

func parseNames(b []byte) ([]string, error) {
	var names []string
	for at := 0; at < len(b); {
		if len(names) > 0 && len(bytes.Trim(b[at:], "\x00")) == 0 {
			break
		}
		name, next, err := parseName(b, at)
		if err != nil {
			return nil, err
		}
		if name == "" {
			return nil, sipError(KindSIPEmpty, "name %d is empty", len(names)+1)
		}
		names, at = append(names, name), next
	}
	if names == nil {
		return nil, sipError(KindSIPEmpty, "type 0 without a name")
	}
	return names, nil
}

// parseName reads the name at b[at:] and returns the offset behind it.
func parseName(b []byte, at int) (name string, next int, err error) {
	var labels []string
	size, limit := 1, at // a pointer must lead to before limit, which sinks with each one
	for next = -1; ; {
		if at >= len(b) {
			return "", 0, sipError(KindSIPTruncated, "name %q ends without its root", strings.Join(labels, "."))
		}
		n := int(b[at])
		switch {
		case n == 0:
			if next < 0 {
				next = at + 1
			}
			return strings.Join(labels, "."), next, nil
		case n&pointerBits == pointerBits:
			if at+1 >= len(b) {
				return "", 0, sipError(KindSIPTruncated, "compression pointer cut off at offset %d", at)
			}
			to := (n&^pointerBits)<<8 | int(b[at+1])
			if to >= limit {
				return "", 0, sipError(KindSIPTruncated, "compression pointer at offset %d leads to %d, before %d expected", at, to, limit)
			}
			if next < 0 {
				next = at + 2
			}
			at, limit = to, to
			continue
		case n > 63:
			return "", 0, sipError(KindSIPTruncated, "label length %d at offset %d, at most 63 expected", n, at)
		case n > len(b)-at-1:
			return "", 0, sipError(KindSIPTruncated, "label at offset %d claims %d bytes, %d left", at, n, len(b)-at-1)
		}
		label := string(b[at+1 : at+1+n])
		if !isLabel(label) {
			return "", 0, sipError(KindSIPTruncated, "label at offset %d is %s, letters, digits and hyphens expected", at, excerpt([]byte(label)))
		}
		if size += n + 1; size > maxName {
			return "", 0, sipError(KindSIPTruncated, "name of more than %d bytes", maxName)
		}
		labels = append(labels, label)
		at += 1 + n
	}
}

// isText reports whether b is printable ASCII, trailing NULs aside.
func isText(b []byte) bool {
	b = bytes.TrimRight(b, "\x00")
	return len(b) > 0 && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
}
