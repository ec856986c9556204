package dhcpoption

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Sub-options of option 43 for class MS-UC-Client; Microsoft's names in comments ([T2], [T14]).
const (
	SubIdentifier = 1 // UCIdentifier
	SubScheme     = 2 // URLScheme
	SubHost       = 3 // WebServerFqdn
	SubPort       = 4 // WebServerPort
	SubPath       = 5 // CertProvRelPath
)

// CertProvPath is the path of the certificate provisioning service ([T1]).
const CertProvPath = "/CertProv/CertProvisioningService.svc"

// defaultPort is used when sub-option 4 is absent: Microsoft's script leaves it out when it is NULL ([T14]); that 443
// is meant then is inferred.
const defaultPort = "443"

// UC is option 43 of class MS-UC-Client: where to get certificates. All texts are plain ASCII on the wire, the port
// included ([T14], discovery.md §2.1).
type UC struct {
	Identifier string // MS-UC-Client
	Scheme     string // https
	Host       string // dotted name of the web services
	Port       string // decimal digits, "" if the sub-option is absent
	Path       string // begins with "/"
	Unknown    []SubOption
}

// NewUC returns what Microsoft's DHCPUtil makes for the web services on host.
func NewUC(host string) UC {
	return UC{Identifier: ClassUC, Scheme: "https", Host: host, Port: defaultPort, Path: CertProvPath}
}

// ParseUC reads option 43 strictly. Sub-options may come in any order, with padding and with an end marker behind
// them; unknown codes, a second one of a known code too, are kept in Unknown. The error is an *[Error]; what was read
// is returned besides it. That a handset is this strict is inferred (discovery.md §4).
func ParseUC(value []byte) (UC, error) {
	u, seen, err := readUC(value)
	if _, ok := hexUC(value); ok {
		return u, vendorError(KindHexText, "%d characters of hexadecimal text, bytes expected", len(value))
	}
	if u.Identifier != ClassUC && !u.plausible() {
		return u, vendorError(KindForeign, "no sub-option 1 with %q in it: %s", ClassUC, excerpt(value))
	}
	if err != nil {
		return u, vendorError(KindTruncated, "sub-option %v", err)
	}
	if seen[SubPort] && u.Port == "" {
		return u, vendorError(KindPortBinary, "sub-option 4 is empty, ASCII digits such as \"443\" expected")
	}
	return u, u.check()
}

func readUC(value []byte) (u UC, seen map[uint8]bool, err error) {
	subs, _, err := ParseSubOptions(value)
	seen = map[uint8]bool{}
	for _, sub := range subs {
		if field := u.field(sub.Code); field != nil && !seen[sub.Code] {
			*field, seen[sub.Code] = string(sub.Value), true
			continue
		}
		u.Unknown = append(u.Unknown, sub)
	}
	return u, seen, err
}

// Append appends option 43's value, sub-options in the order of their codes and then Unknown. It refuses what
// [ParseUC] refuses.
func (u UC) Append(b []byte) ([]byte, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	return AppendSubOptions(b, u.SubOptions()...)
}

// SubOptions lists the sub-options as Append writes them, checking nothing.
func (u UC) SubOptions() []SubOption {
	var subs []SubOption
	for code := uint8(SubIdentifier); code <= SubPath; code++ {
		value := *u.field(code)
		if code == SubPort && value == "" {
			continue
		}
		subs = append(subs, SubOption{code, []byte(value)})
	}
	return append(subs, u.Unknown...)
}

// URL returns the address of the certificate provisioning service, https://host:port/path, always with a port.
func (u UC) URL() (string, error) {
	if err := u.check(); err != nil {
		return "", err
	}
	return u.url(), nil
}

func (u UC) url() string {
	port := u.Port
	if port == "" {
		port = defaultPort
	}
	return fmt.Sprintf("%s://%s:%s%s", strings.ToLower(u.Scheme), u.Host, port, u.Path)
}

func (u *UC) field(code uint8) *string {
	switch code {
	case SubIdentifier:
		return &u.Identifier
	case SubScheme:
		return &u.Scheme
	case SubHost:
		return &u.Host
	case SubPort:
		return &u.Port
	case SubPath:
		return &u.Path
	}
	return nil
}

// plausible tells a Lync option 43 with a wrong identifier from the option of another vendor.
func (u UC) plausible() bool {
	return strings.HasPrefix(strings.ToLower(u.Scheme), "http") || strings.HasPrefix(u.Path, "/")
}

// check returns nil or an *Error.
func (u UC) check() error {
	if u.Identifier != ClassUC {
		return vendorError(KindBadIdentifier, "sub-option 1 is %s, %q expected", excerpt([]byte(u.Identifier)), ClassUC)
	}
	if !strings.EqualFold(u.Scheme, "https") {
		return vendorError(KindBadScheme, "sub-option 2 is %s, \"https\" expected", excerpt([]byte(u.Scheme)))
	}
	if !IsHostName(u.Host) {
		return vendorError(KindNoHost, "sub-option 3 is %s, a dotted name expected", excerpt([]byte(u.Host)))
	}
	if u.Port != "" && !isPort(u.Port) {
		return vendorError(KindPortBinary, "sub-option 4 is %s, ASCII digits such as \"443\" expected", excerpt([]byte(u.Port)))
	}
	if !isPath(u.Path) {
		return vendorError(KindNoPath, "sub-option 5 is %s, a path beginning with \"/\" expected", excerpt([]byte(u.Path)))
	}
	return nil
}

func isPort(s string) bool {
	if len(s) > 5 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") && len(s) <= 255 && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// IsHostName reports whether s is a dotted name of at most 255 characters with labels of 1 to 63 letters, digits,
// hyphens and underscores.
func IsHostName(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if len(s) < 1 || len(s) > 63 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// excerpt quotes a value for an error: as text if it is printable, else as hexadecimal digits; cut after 32 bytes.
func excerpt(value []byte) string {
	if len(value) == 0 {
		return "absent or empty"
	}
	more := ""
	if len(value) > 32 {
		value, more = value[:32], "…"
	}
	if bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Sprintf("%x%s", value, more)
	}
	return fmt.Sprintf("%q%s", value, more)
}
