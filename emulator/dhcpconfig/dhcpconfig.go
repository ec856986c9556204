// Package dhcpconfig writes what an administrator pastes into a DHCP server so that handsets find their pool: options 43
// and 120 for class MS-UC-Client, and the VLAN for class CPE-OCPHONE, in the words of each server (discovery.md §3 and §4).
package dhcpconfig

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// Values are what the handsets of one pool have to hear.
type Values struct {
	sip  string
	uc   dhcpoption.UC
	vlan uint16 // 0: none

	option120, option43 []byte
	option43VLAN        []byte // of class CPE-OCPHONE; nil without a VLAN
}

const (
	maxName   = 253 // characters of a dotted name (RFC 1035, 2.3.4)
	maxOption = 255 // bytes of an option; a longer one would have to be split (RFC 3396)
)

// New takes the names of the registrar and of the web services, and the voice VLAN (nil: none).
func New(sipServer, webServer string, vlan *int) (*Values, error) {
	if err := checkName("SIP server", sipServer); err != nil {
		return nil, err
	}
	if err := checkName("web server", webServer); err != nil {
		return nil, err
	}
	v := &Values{sip: sipServer, uc: dhcpoption.NewUC(webServer)}
	var err error
	if v.option120, err = dhcpoption.AppendSIPServers(nil, sipServer); err != nil {
		return nil, err
	}
	if v.option43, err = v.uc.Append(nil); err != nil {
		return nil, err
	}
	if err := checkSize("SIP server", sipServer, 120, v.option120); err != nil {
		return nil, err
	}
	if err := checkSize("web server", webServer, 43, v.option43); err != nil {
		return nil, err
	}
	if vlan == nil {
		return v, nil
	}
	if *vlan < 1 || *vlan > 4094 {
		return nil, fmt.Errorf("VLAN %d is not from 1 to 4094", *vlan)
	}
	v.vlan = uint16(*vlan)
	v.option43VLAN, err = dhcpoption.AppendVLAN(nil, v.vlan)
	return v, err
}

// checkName wants a dotted name: handsets verify it against a certificate.
func checkName(what, name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("%s %s is an address: a name is needed, for TLS verifies names", what, name)
	}
	if len(name) > maxName {
		return fmt.Errorf("%s of %d characters is no name: %d are allowed", what, len(name), maxName)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		switch {
		case label == "":
			return fmt.Errorf("%s %q has an empty label: a name such as lyncpool.contoso.com is needed, without a dot at its end", what, name)
		case len(label) > 63:
			return fmt.Errorf("%s %q has a label of %d characters, 63 are allowed", what, name, len(label))
		case strings.Trim(label, letters) != "":
			return fmt.Errorf("%s %q has a label with more than letters, digits and hyphens", what, name)
		}
	}
	if len(labels) == 1 {
		return fmt.Errorf("%s %q is not fully qualified: a name such as %s.contoso.com is needed", what, name, name)
	}
	if last := labels[len(labels)-1]; strings.Trim(last, digits) == "" {
		return fmt.Errorf("%s %q ends with a number, as an address does: a name is needed, for TLS verifies names", what, name)
	}
	return nil
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_" + digits
)

func checkSize(what, name string, code int, option []byte) error {
	if over := len(option) - maxOption; over > 0 {
		return fmt.Errorf("%s of %d characters makes option %d %d bytes long, %d are allowed: a name of at most %d characters fits",
			what, len(name), code, len(option), maxOption, len(name)-over)
	}
	return nil
}
