package dhcpserver

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

func (d Discovery) check() error {
	if d.UC != nil {
		if _, err := d.UC.Append(nil); err != nil {
			return err
		}
	}
	if len(d.SIPServers) > 0 {
		if _, err := dhcpoption.AppendSIPServers(nil, d.SIPServers...); err != nil {
			return err
		}
	}
	return nil
}

// answer is what a discovery fault spoils, with what a wrong value can be made of.
type answer struct {
	good   []byte // the value as it should be
	uc     dhcpoption.UC
	names  []string   // at least two
	server netip.Addr // an address of the pool's network
	domain string
}

// spoiler is a fault of one option. Its value is nil if the option is left out.
type spoiler struct {
	fault string
	value func(answer) ([]byte, error)
}

// The faults of option 43 and of option 120, with the bytes of discovery.md §4.
var (
	ucSpoilers = []spoiler{
		{"discovery=option43-missing", func(answer) ([]byte, error) { return nil, nil }},
		{"discovery=option43-foreign", func(answer) ([]byte, error) {
			return dhcpoption.AppendSubOptions(nil, dhcpoption.SubOption{Code: 1, Value: []byte("Siemens")})
		}},
		{"discovery=option43-port-binary", func(a answer) ([]byte, error) {
			a.uc.Port = "\x01\xbb"
			return dhcpoption.AppendSubOptions(nil, a.uc.SubOptions()...)
		}},
		{"discovery=option43-truncated", func(a answer) ([]byte, error) { return a.good[:len(a.good)-len("svc")], nil }},
		{"discovery=option43-hex-text", func(a answer) ([]byte, error) { return []byte(hex.EncodeToString(a.good)), nil }},
		{"discovery=option43-wrong-host", func(a answer) ([]byte, error) {
			a.uc.Host = strings.TrimSuffix("moved-web."+a.domain, ".")
			return a.uc.Append(nil)
		}},
		{"discovery=option43-bad-scheme", func(a answer) ([]byte, error) {
			a.uc.Scheme = "ftp"
			return dhcpoption.AppendSubOptions(nil, a.uc.SubOptions()...)
		}},
		{"discovery=reversed", func(a answer) ([]byte, error) {
			subs := a.uc.SubOptions()
			slices.Reverse(subs)
			value, err := dhcpoption.AppendSubOptions(nil, subs...)
			return append(value, 0xff), err
		}},
	}
	sipSpoilers = []spoiler{
		{"discovery=option120-missing", func(answer) ([]byte, error) { return nil, nil }},
		{"discovery=option120-text", func(a answer) ([]byte, error) { return []byte(a.names[0]), nil }},
		{"discovery=option120-no-type", func(a answer) ([]byte, error) { return a.good[1:], nil }},
		{"discovery=option120-address", func(a answer) ([]byte, error) { return append([]byte{1}, a.server.AsSlice()...), nil }},
		{"discovery=two-pools", func(a answer) ([]byte, error) { return dhcpoption.AppendSIPServers(nil, a.names...) }},
		{"discovery=compressed", func(a answer) ([]byte, error) { return dhcpoption.AppendSIPServersCompressed(nil, a.names...) }},
	}
)

// options returns 43 and 120 for class MS-UC-Client as the active faults leave them; struck is called with the name of
// each fault that changes them.
func (d Discovery) options(set *faults.Set, server netip.Addr, domain string, struck func(string)) (dhcpv4.Options, error) {
	for _, name := range []string{"discovery=responder-off", "discovery=class-case"} {
		if _, on := set.On(name); on {
			struck(name)
			return nil, nil
		}
	}
	options := dhcpv4.Options{}
	a := answer{names: twoNames(d.SIPServers), server: server, domain: domain}
	var ucErr, sipErr error
	if d.UC != nil {
		a.uc = *d.UC
		if a.good, ucErr = d.UC.Append(nil); ucErr == nil {
			ucErr = spoil(options, dhcpoption.OptionVendor, ucSpoilers, a, set, struck)
		}
	}
	if len(d.SIPServers) > 0 {
		if a.good, sipErr = dhcpoption.AppendSIPServers(nil, d.SIPServers...); sipErr == nil {
			sipErr = spoil(options, dhcpoption.OptionSIPServers, sipSpoilers, a, set, struck)
		}
	}
	return options, errors.Join(ucErr, sipErr)
}

// spoil sets the option to what the first active fault makes of it, to a.good if none is active.
func spoil(options dhcpv4.Options, code uint8, spoilers []spoiler, a answer, set *faults.Set, struck func(string)) error {
	value := a.good
	for _, s := range spoilers {
		if _, on := set.On(s.fault); !on {
			continue
		}
		struck(s.fault)
		var err error
		if value, err = s.value(a); err != nil {
			return fmt.Errorf("fault %s: %w", s.fault, err)
		}
		break
	}
	if value != nil {
		options[code] = value
	}
	return nil
}

// twoNames returns names, with a second one made of the first if there is only one: lyncpool.contoso.com and
// lyncpool2.contoso.com.
func twoNames(names []string) []string {
	if len(names) != 1 {
		return names
	}
	host, rest, _ := strings.Cut(names[0], ".")
	return []string{names[0], strings.TrimSuffix(host+"2."+rest, ".")}
}
