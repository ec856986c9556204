package dhcpconfig

import "github.com/phone-edition/lpe/protocol/dhcpoption"

// iscLines are for ISC dhcpd, which has no definition of option 120 (discovery.md §4).
func iscLines(p page, v *Values) {
	p.note("ISC dhcpd: at the top level of dhcpd.conf.")
	p.note("Without authoritative, an INFORM gets no answer at all.")
	p.line("authoritative;")
	p.line("option UCSipServer code 120 = { integer 8, domain-list };")
	p.line("option space MSUCClient;")
	for _, sub := range v.uc.SubOptions() {
		p.line("option MSUCClient.%s code %d = text;", subOptionNames[sub.Code], sub.Code)
	}
	p.note("substring, because = alone fails on a NUL behind the class.")
	p.line(`class "MSUCClient" {`)
	p.line(`  match if substring(option vendor-class-identifier, 0, %d) = "%s";`, len(dhcpoption.ClassUC), dhcpoption.ClassUC)
	p.line("  vendor-option-space MSUCClient;")
	for _, sub := range v.uc.SubOptions() {
		p.line(`  option MSUCClient.%s "%s";`, subOptionNames[sub.Code], sub.Value)
	}
	p.line(`  option UCSipServer 0 "%s";`, v.sip)
	p.line("}")
	if v.vlan == 0 {
		return
	}
	p.noteVLAN()
	p.line("option space CPEOCPHONE;")
	p.line("option CPEOCPHONE.VLANID code %d = unsigned integer 16;", dhcpoption.SubVLAN)
	p.note("lcase, because sources write %s and CPE-OCPhone.", dhcpoption.ClassVLAN)
	p.line(`class "CPEOCPHONE" {`)
	p.line(`  match if lcase(substring(option vendor-class-identifier, 0, %d)) = "cpe-ocphone";`, len(dhcpoption.ClassVLAN))
	p.line("  vendor-option-space CPEOCPHONE;")
	p.line("  option CPEOCPHONE.VLANID %d;", v.vlan)
	p.line("}")
}
