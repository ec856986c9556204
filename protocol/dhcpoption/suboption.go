package dhcpoption

import "fmt"

// SubOption is one code, length and value inside of option 43 (RFC 2132, 8.4).
type SubOption struct {
	Code  uint8 // 1 to 254
	Value []byte
}

// ParseSubOptions cuts value into sub-options, in order. Padding (0) is skipped and the end marker (255), which some
// servers append, ends the list; ended tells whether it was there. With an error it still returns what came before.
func ParseSubOptions(value []byte) (subs []SubOption, ended bool, err error) {
	for i := 0; i < len(value); {
		code := value[i]
		i++
		switch code {
		case optionPad:
			continue
		case optionEnd:
			return subs, true, nil
		}
		if i == len(value) {
			return subs, false, fmt.Errorf("%d ends before its length", code)
		}
		n := int(value[i])
		i++
		if n > len(value)-i {
			return subs, false, fmt.Errorf("%d claims %d bytes, %d left", code, n, len(value)-i)
		}
		subs = append(subs, SubOption{code, value[i : i+n : i+n]})
		i += n
	}
	return subs, false, nil
}

// AppendSubOptions appends subs in their order, without an end marker.
func AppendSubOptions(b []byte, subs ...SubOption) ([]byte, error) {
	for _, sub := range subs {
		if sub.Code == optionPad || sub.Code == optionEnd {
			return nil, fmt.Errorf("dhcp: sub-option code %d is reserved", sub.Code)
		}
		if len(sub.Value) > 255 {
			return nil, fmt.Errorf("dhcp: sub-option %d of %d bytes, at most 255 expected", sub.Code, len(sub.Value))
		}
		b = append(append(b, sub.Code, byte(len(sub.Value))), sub.Value...)
	}
	return b, nil
}
