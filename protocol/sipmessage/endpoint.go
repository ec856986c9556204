package sipmessage

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
)

// namespace is the little-endian GUID form of fcacfb03-8a73-46ef-91b1-e5ebeeaba4fe (sip.md §4.3).
var namespace = [16]byte{0x03, 0xfb, 0xac, 0xfc, 0x73, 0x8a, 0xef, 0x46, 0x91, 0xb1, 0xe5, 0xeb, 0xee, 0xab, 0xa4, 0xfe}

// InstanceUUID derives the 16 GUID bytes of +sip.instance from an epid, spelled exactly as it is sent
// ([MS-SIPRE] 3.2, algorithm of sip.md §4.3). It is not the name-based UUID of RFC 9562.
func InstanceUUID(epid string) [16]byte {
	sum := sha1.Sum(append(namespace[:], epid...))
	var d [16]byte
	copy(d[:], sum[:])
	d[7] = d[7]&0x0f | 0x50
	d[8] = d[8]&0x3f | 0x80
	return d
}

// FormatUUID prints GUID bytes: the first three groups are little-endian; lower case.
func FormatUUID(d [16]byte) string {
	return fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x", d[3], d[2], d[1], d[0], d[5], d[4], d[7], d[6], d[8:10], d[10:])
}

// GRUU is the registrar's name for one endpoint of a user: a pure function of AOR (with sip:) and epid (sip.md §4.4).
func GRUU(aor, epid string) string {
	d := InstanceUUID(epid)
	id := base64.RawURLEncoding.EncodeToString(append(d[:], 0, 0))
	if !strings.HasPrefix(aor, "sip:") {
		aor = "sip:" + aor
	}
	return aor + ";opaque=user:epid:" + id + ";gruu"
}
