package dhcpoption

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// SubVLAN is the sub-option of option 43 for class CPE-OCPHONE that holds the VLAN id ([B1], [T1]).
const SubVLAN = 10

// ParseVLAN reads the VLAN id from option 43 of class CPE-OCPHONE; 0 without an error means that there is no sub-option
// 10. How the id is encoded is not known (discovery.md §1.2): one byte, two or four bytes big endian, and ASCII digits
// are taken. The error is an *[Error].
func ParseVLAN(value []byte) (vid uint16, err error) {
	subs, _, err := ParseSubOptions(value)
	for _, sub := range subs {
		if sub.Code == SubVLAN {
			return parseVID(sub.Value)
		}
	}
	if err != nil {
		return 0, vendorError(KindTruncated, "sub-option %v", err)
	}
	return 0, nil
}

// AppendVLAN appends option 43 with the VLAN id as two bytes big endian (inferred).
func AppendVLAN(b []byte, vid uint16) ([]byte, error) {
	if vid < 1 || vid > 4094 {
		return nil, vendorError(KindVLANInvalid, "VLAN %d, 1 to 4094 expected", vid)
	}
	return AppendSubOptions(b, SubOption{SubVLAN, binary.BigEndian.AppendUint16(nil, vid)})
}

func parseVID(b []byte) (uint16, error) {
	var n uint64
	switch len(b) {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b))
	case 4:
		n = uint64(binary.BigEndian.Uint32(b))
	}
	if n >= 1 && n <= 4094 {
		return uint16(n), nil
	}
	if len(b) >= 2 && len(b) <= 4 && strings.Trim(string(b), "0123456789") == "" {
		if n, err := strconv.Atoi(string(b)); err == nil && n >= 1 && n <= 4094 {
			return uint16(n), nil
		}
	}
	return 0, vendorError(KindVLANInvalid, "sub-option 10 is %s, a VLAN from 1 to 4094 expected", vlanExcerpt(b))
}

func vlanExcerpt(b []byte) string {
	if len(b) == 0 {
		return "empty"
	}
	return fmt.Sprintf("%x", b[:min(len(b), 32)])
}
