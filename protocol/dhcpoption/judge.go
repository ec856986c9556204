package dhcpoption

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Verdict is what a handset learns from DHCP options: the answer of `lpe dhcp decode`.
type Verdict struct {
	Pool    string   `json:"pool"`     // registrar's name from option 120
	CertURL string   `json:"cert_url"` // certificate provisioning URL from option 43
	VLAN    int      `json:"vlan"`     // from option 43, sub-option 10; 0 if there is none
	NTP     []string `json:"ntp"`      // addresses from option 42
	Error   string   `json:"error"`    // "" or each problem with its code, joined with "; "
}

// Input is what there is to judge: options' values, nil if not given, or a whole message (the UDP payload). An option
// given besides a message stands for the one in the message.
type Input struct {
	Option43  []byte
	Option120 []byte
	Packet    []byte
}

// Judge gives the verdict. An option alone is judged alone, in a message a missing one is an error. A message of class
// CPE-OCPHONE and an option 43 with nothing but sub-option 10 are judged as an answer to the VLAN request. Lenient
// keeps the error and adds what a tolerant reader recovers: a binary port, names as raw text or without type byte,
// hexadecimal text, a wrong identifier, the well-known path when the path was cut off.
func Judge(o Input, lenient bool) Verdict {
	v := Verdict{NTP: []string{}}
	if o.Packet == nil {
		if o.Option43 == nil && o.Option120 == nil {
			v.Error = "dhcp: no option and no message to judge"
			return v
		}
		v.judge(o, false, lenient)
		return v
	}
	m, err := Parse(o.Packet)
	if err != nil {
		v.Error = err.Error()
		return v
	}
	o.Option43 = orOption(o.Option43, m, OptionVendor)
	o.Option120 = orOption(o.Option120, m, OptionSIPServers)
	if servers, ok := m.Options[optionNTP]; ok {
		v.judgeNTP(servers)
	}
	v.judge(o, !strings.EqualFold(string(m.Options[OptionClass]), ClassVLAN), lenient)
	return v
}

// orOption returns given, else the message's option, not nil if it is there.
func orOption(given []byte, m *dhcpv4.DHCPv4, code uint8) []byte {
	value, ok := m.Options[code]
	if given != nil || !ok {
		return given
	}
	return append([]byte{}, value...)
}

// judge fills v; required says that 43 and 120 have to be there.
func (v *Verdict) judge(o Input, required, lenient bool) {
	switch {
	case o.Option43 != nil:
		v.judgeVendor(o.Option43, required, lenient)
	case required:
		v.problem(vendorError(KindVendorMissing, "absent, the certificate provisioning URL expected"))
	}
	switch {
	case o.Option120 != nil:
		v.judgeSIP(o.Option120, lenient)
	case required:
		v.problem(sipError(KindSIPMissing, "absent, the registrar's name expected"))
	}
}

func (v *Verdict) judgeVendor(value []byte, required, lenient bool) {
	vid, err := ParseVLAN(value)
	v.VLAN = int(vid)
	if invalid, ok := errors.AsType[*Error](err); ok && invalid.Kind == KindVLANInvalid {
		v.problem(err)
	}
	if !required && onlyVLAN(value) {
		return
	}
	u, err := ParseUC(value)
	if err == nil {
		v.CertURL = u.url()
		return
	}
	v.problem(err)
	if lenient {
		v.CertURL = recoverURL(value)
	}
}

func onlyVLAN(value []byte) bool {
	subs, _, err := ParseSubOptions(value)
	return err == nil && len(subs) == 1 && subs[0].Code == SubVLAN
}

func (v *Verdict) judgeSIP(value []byte, lenient bool) {
	names, err := ParseSIPServers(value)
	if err == nil {
		v.Pool = names[0]
		return
	}
	v.problem(err)
	if lenient {
		v.Pool = recoverPool(value)
	}
}

func (v *Verdict) judgeNTP(value []byte) {
	if len(value) == 0 || len(value)%4 != 0 {
		v.problem(&Error{optionNTP, KindNTPInvalid, fmt.Sprintf("%d bytes, addresses of 4 expected", len(value))})
		return
	}
	for i := 0; i < len(value); i += 4 {
		v.NTP = append(v.NTP, netip.AddrFrom4([4]byte(value[i:])).String())
	}
}

func (v *Verdict) problem(err error) {
	if v.Error != "" {
		v.Error += "; "
	}
	v.Error += err.Error()
}
