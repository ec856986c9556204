package dhcpoption

import "fmt"

// Kinds of [Error]. "discovery." and a kind make a failure code.
const (
	KindForeign       = "option43-foreign"        // the vendor option of somebody else
	KindBadIdentifier = "option43-bad-identifier" // a Lync option 43 whose sub-option 1 is not MS-UC-Client
	KindHexText       = "option43-hex-text"       // hexadecimal digits typed into a text option
	KindTruncated     = "option43-truncated"      // a sub-option is longer than what is left
	KindBadScheme     = "option43-bad-scheme"     // sub-option 2 is not https
	KindNoHost        = "option43-no-host"        // no usable sub-option 3
	KindPortBinary    = "option43-port-binary"    // sub-option 4 is not a port in ASCII digits
	KindNoPath        = "option43-no-path"        // no usable sub-option 5
	KindVendorMissing = "option43-missing"        // a message without option 43

	KindSIPText      = "option120-text"      // a name as text where DNS labels are expected
	KindSIPNoType    = "option120-no-type"   // the type byte before the labels is missing or unknown
	KindSIPAddress   = "option120-address"   // type 1, addresses: of no use, TLS needs a name
	KindSIPTruncated = "option120-truncated" // the name list is cut off or its compression is broken
	KindSIPEmpty     = "option120-empty"     // no name at all
	KindSIPMissing   = "option120-missing"   // a message without option 120

	KindVLANInvalid = "vlan-invalid" // sub-option 10 is not a VLAN id from 1 to 4094
	KindNTPInvalid  = "ntp-invalid"  // option 42 is not a list of addresses; only [Judge] says it
)

// Error is the strict verdict on one option: what a handset cannot use and why.
type Error struct {
	Option uint8
	Kind   string // one of the Kind constants
	Detail string // what was seen and what was expected
}

func (e *Error) Error() string {
	return fmt.Sprintf("option %d: %s (%s)", e.Option, e.Detail, e.Kind)
}

func vendorError(kind, format string, args ...any) *Error {
	return &Error{OptionVendor, kind, fmt.Sprintf(format, args...)}
}

func sipError(kind, format string, args ...any) *Error {
	return &Error{OptionSIPServers, kind, fmt.Sprintf(format, args...)}
}
