package dhcpoption

import (
	"strconv"
	"strings"
)

// recoverURL returns the URL that a tolerant reader makes of an option 43 that [ParseUC] refused, or "".
func recoverURL(value []byte) string {
	if b, ok := hexUC(value); ok {
		value = b
	}
	u, _, err := readUC(value)
	if u.Identifier != ClassUC && !u.plausible() {
		return ""
	}
	u.Identifier = ClassUC
	u.Scheme = recoverScheme(trim(u.Scheme))
	u.Host = recoverHost(u.Host)
	u.Port = recoverPort(u.Port)
	u.Path = recoverPath(trim(u.Path), err != nil)
	if u.Host == "" {
		return ""
	}
	return u.url()
}

func trim(s string) string { return strings.Trim(s, "\x00 ") }

func recoverScheme(s string) string {
	if strings.EqualFold(s, "http") {
		return "http"
	}
	return "https"
}

// recoverHost takes DNS labels for the name that they spell.
func recoverHost(s string) string {
	if names, err := parseNames([]byte(s)); err == nil {
		return names[0]
	}
	if s = trim(s); IsHostName(s) {
		return s
	}
	return ""
}

// recoverPort takes up to four bytes for a big-endian number and anything else that is no port, such as the text of
// another number, for the default.
func recoverPort(s string) string {
	t := trim(s)
	if isPort(t) {
		return t
	}
	if t != "" && strings.Trim(t, "0123456789") == "" {
		return defaultPort
	}
	n := 0
	if len(s) <= 4 {
		for _, c := range []byte(s) {
			n = n<<8 | int(c)
		}
	}
	if n >= 1 && n <= 65535 {
		return strconv.Itoa(n)
	}
	return defaultPort
}

// recoverPath takes what is left of the well-known path for the whole of it; every documented deployment uses that
// path.
func recoverPath(s string, truncated bool) string {
	if strings.HasPrefix(CertProvPath, s) || truncated {
		return CertProvPath
	}
	if !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	if !isPath(s) {
		return CertProvPath
	}
	return s
}

// recoverPool returns the name that a tolerant reader makes of an option 120 that [ParseSIPServers] refused, or "".
// Addresses stay unused: TLS needs a name.
func recoverPool(value []byte) string {
	if b, ok := hexText(value); ok {
		if names, err := ParseSIPServers(b); err == nil {
			return names[0]
		}
	}
	if s := trim(string(value)); IsHostName(s) {
		return s
	}
	for _, labels := range [][]byte{value, cutType(value), append(cutType(value), 0)} {
		if names, err := parseNames(labels); err == nil {
			return names[0]
		}
	}
	return ""
}

// cutType returns a copy of value without a leading type byte 0.
func cutType(value []byte) []byte {
	if len(value) > 0 && value[0] == sipNames {
		value = value[1:]
	}
	return append([]byte{}, value...)
}
