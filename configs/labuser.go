package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const maxName = 253 // octets of a DNS name, RFC 1035 §2.3.4

var (
	firmwareText = regexp.MustCompile(`^[0-9]{1,5}(\.[0-9]{1,5}){3}$`)
	fqdnText     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$`)
	sipText      = regexp.MustCompile(`^sip:[A-Za-z0-9._-]{1,64}@([a-z0-9.-]+)$`)
	lineText     = regexp.MustCompile(`^tel:\+([0-9]{3,15})(?:;ext=([0-9]{1,15}))?$`)
	loginText    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}\\[A-Za-z0-9._-]{1,64}$`)
	pinText      = regexp.MustCompile(`^[0-9]{4,24}$`)
)

// IsFQDN reports whether name is a full DNS name in lower case.
func IsFQDN(name string) bool { return len(name) <= maxName && fqdnText.MatchString(name) }

func (s *section) needFQDN(key string) string {
	name := s.needText(key)
	if name != "" && !IsFQDN(name) {
		s.report(key, "expected a full DNS name in lower case, such as atl-cs-001.litwareinc.com")
	}
	return name
}

func (s *section) needAddress(key string) netip.Addr {
	s.need(key)
	return s.address(key)
}

func (s *section) needPrefix(key string) netip.Prefix {
	s.need(key)
	return s.prefix(key)
}

func (l *Lab) readUsers(top *section) {
	for i, node := range top.list("users") {
		s := top.file.section(fmt.Sprintf("users[%d]", i+1), node)
		user := l.readUser(s)
		l.checkDuplicates(s, user)
		l.Users = append(l.Users, user)
		s.finish()
	}
	if len(l.Users) == 0 {
		top.report("users", "a user at least is needed")
	}
}

func (l *Lab) readUser(s *section) User {
	u := User{
		Name: s.needText("name"), SIPAddress: s.needText("sip"), LineURI: s.digits("line"), PIN: s.digits("pin"),
		Login: s.text("login"), Password: s.text("password"), Enabled: s.flag("enabled", true), Locked: s.flag("locked", false),
	}
	domain := sipText.FindStringSubmatch(u.SIPAddress)
	switch {
	case u.SIPAddress == "":
	case domain == nil:
		s.report("sip", "expected an address such as sip:kenmyer@%s", l.SIPDomain)
	case domain[1] != l.SIPDomain:
		s.report("sip", "the domain is not sip_domain, %s", l.SIPDomain)
	}
	if u.LineURI != "" && !lineText.MatchString(u.LineURI) {
		s.report("line", "expected a LineURI such as tel:+12065551219 or tel:+12065551219;ext=1219")
	}
	if u.PIN != "" {
		if err := l.Policy.Check(u.PIN, u.LineURI); err != nil {
			s.report("pin", "%v", err)
		}
	}
	if u.Login != "" && !loginText.MatchString(u.Login) {
		s.report("login", `expected a login such as LITWARE\kenmyer`)
	}
	if (u.Login == "") != (u.Password == "") {
		s.report("login", "login and password go together")
	}
	return u
}

// checkDuplicates compares a user with those above. Two users may share a number: then the PIN tells them apart
// (handset.md §1.1).
func (l *Lab) checkDuplicates(s *section, u User) {
	for _, other := range l.Users {
		switch {
		case u.Name != "" && u.Name == other.Name:
			s.report("name", "%q is the name of an earlier user", u.Name)
		case u.SIPAddress != "" && strings.EqualFold(u.SIPAddress, other.SIPAddress):
			s.report("sip", "%s has this address too", other.Name)
		case u.Login != "" && strings.EqualFold(u.Login, other.Login):
			s.report("login", "%s has this login too", other.Name)
		case u.PIN != "" && u.PIN == other.PIN && sharesNumber(u, other):
			s.report("line", "%s has this number or extension and this PIN too, nothing tells them apart", other.Name)
		}
	}
}

func sharesNumber(a, b User) bool {
	numbers := LineNumbers(b.LineURI)
	return slices.ContainsFunc(LineNumbers(a.LineURI), func(n string) bool { return slices.Contains(numbers, n) })
}

// LineNumbers returns what can be dialled for a LineURI: the directory number without plus, and the extension if there
// is one.
func LineNumbers(lineURI string) []string {
	parts := lineText.FindStringSubmatch(lineURI)
	if parts == nil {
		return nil
	}
	return slices.DeleteFunc(parts[1:], func(n string) bool { return n == "" })
}

// ByLogin finds the user whom a login names: DOMAIN\user; user alone, in the lab's domain as under IIS's
// defaultLogonDomain, because pidgin-sipe leaves the domain out (sip-sec-basic.c); or user@domain, the user principal
// name that Active Directory gives by default, with the domain's DNS name.
func (l *Lab) ByLogin(login string) (User, bool) {
	name, domain, isPrincipal := strings.Cut(login, "@")
	for _, u := range l.Users {
		_, account, ok := strings.Cut(u.Login, `\`)
		if !ok {
			continue
		}
		if strings.EqualFold(u.Login, login) || strings.EqualFold(account, name) && (!isPrincipal || strings.EqualFold(domain, l.DNSDomain)) {
			return u, true
		}
	}
	return User{}, false
}

// String is the user without PIN and password.
func (u User) String() string {
	return fmt.Sprintf("%s %s %s", u.Name, u.SIPAddress, u.LineURI)
}

// GoString is String: %#v must not show the PIN either.
func (u User) GoString() string { return u.String() }

// MarshalJSON writes the user with "***" for PIN and password, and "" where there is none.
func (u User) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name       string `json:"name"`
		SIPAddress string `json:"sip_address"`
		LineURI    string `json:"line_uri"`
		PIN        string `json:"pin"`
		Login      string `json:"login"`
		Password   string `json:"password"`
		Enabled    bool   `json:"enabled"`
		Locked     bool   `json:"locked"`
	}{u.Name, u.SIPAddress, u.LineURI, masked(u.PIN), u.Login, masked(u.Password), u.Enabled, u.Locked})
}

func masked(secret string) string {
	if secret == "" {
		return ""
	}
	return "***"
}

// Errors of [PINPolicy.Check].
var (
	ErrPINNotDigits = errors.New("the PIN is not 4 to 24 digits")
	ErrPINTooShort  = errors.New("the PIN is shorter than the policy allows")
	ErrPINCommon    = errors.New("the PIN is a common pattern, which the policy forbids: one digit only, four consecutive digits, or the user's own number")
)

// Check holds a PIN to the policy: its length, and unless AllowCommonPatterns that its digits are not all equal, that
// it has no four consecutive digits such as 1234 or 4321, and that it is not the number or extension of the LineURI
// (Set-CsPinPolicy). The errors do not show the PIN.
func (p PINPolicy) Check(pin, lineURI string) error {
	if !pinText.MatchString(pin) {
		return ErrPINNotDigits
	}
	if len(pin) < p.MinPasswordLength {
		return fmt.Errorf("%w, which is %d digits", ErrPINTooShort, p.MinPasswordLength)
	}
	if p.AllowCommonPatterns {
		return nil
	}
	if strings.Count(pin, pin[:1]) == len(pin) || hasRun(pin, 1) || hasRun(pin, -1) || slices.Contains(LineNumbers(lineURI), pin) {
		return ErrPINCommon
	}
	return nil
}

// hasRun reports whether four digits in a row each differ from the one before by step.
func hasRun(pin string, step int) bool {
	length := 1
	for i := 1; i < len(pin); i++ {
		length++
		if int(pin[i])-int(pin[i-1]) != step {
			length = 1
		}
		if length == 4 {
			return true
		}
	}
	return false
}
