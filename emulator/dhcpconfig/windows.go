package dhcpconfig

import (
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// netshLines do what Microsoft's DHCPConfigScript.bat does ([T14], discovery.md §3.3). The class for the VLAN is made
// alike; its option's type is inferred.
func netshLines(p page, v *Values) {
	p.note("Command prompt on the DHCP server. The values are the whole server's.")
	p.note("A deletion that finds nothing fails, and may: it makes way for definitions of the right type.")
	p.line("netsh dhcp server delete optionvalue 120")
	p.line("netsh dhcp server delete optiondef 120")
	p.line("netsh dhcp server delete class MSUCClient")
	p.line(`netsh dhcp server add optiondef 120 UCSipServer Binary 0 comment="Sip Server Fqdn"`)
	p.line("netsh dhcp server set optionvalue 120 Binary %x", v.option120)
	p.line(`netsh dhcp server add class MSUCClient "UC Vendor Class Id" "%s" 1`, dhcpoption.ClassUC)
	for _, sub := range v.uc.SubOptions() {
		netshSubOption(p, "MSUCClient", subOptionNames[sub.Code], sub)
	}
	if v.vlan == 0 {
		return
	}
	noteWindowsVLAN(p)
	p.line("netsh dhcp server delete class CPEOCPHONE")
	p.line(`netsh dhcp server add class CPEOCPHONE "VLAN of handsets" "%s" 1`, dhcpoption.ClassVLAN)
	netshSubOption(p, "CPEOCPHONE", "VLANID", v.subVLAN())
}

func netshSubOption(p page, class, name string, sub dhcpoption.SubOption) {
	p.line("netsh dhcp server add optiondef %d %s Binary 0 vendor=%s", sub.Code, name, class)
	p.line("netsh dhcp server set optionvalue %d Binary vendor=%s %x", sub.Code, class, sub.Value)
}

func noteWindowsVLAN(p page) {
	p.noteVLAN()
	p.note("Sources write %s and CPE-OCPhone: if a handset gets no VLAN, look at what it sends and make the class of that.", dhcpoption.ClassVLAN)
}

// subVLAN is the one sub-option of class CPE-OCPHONE.
func (v *Values) subVLAN() dhcpoption.SubOption {
	return dhcpoption.SubOption{Code: dhcpoption.SubVLAN, Value: v.option43VLAN[2:]}
}

// powershellLines make the same with the DhcpServer module. A value of type BinaryData has to be an array of bytes: a
// string does not match the definition ([G9]).
func powershellLines(p page, v *Values) {
	p.note("PowerShell on the DHCP server. The values are the whole server's.")
	p.note("A definition that exists already is kept: one of another type than BinaryData has to be removed first.")
	p.line("Add-DhcpServerv4OptionDefinition -OptionId 120 -Name UCSipServer -Type BinaryData")
	p.line("Set-DhcpServerv4OptionValue -OptionId 120 -Value %s", powershellBytes(v.option120))
	p.line("Add-DhcpServerv4Class -Name MSUCClient -Type Vendor -Data %s", dhcpoption.ClassUC)
	for _, sub := range v.uc.SubOptions() {
		powershellSubOption(p, "MSUCClient", subOptionNames[sub.Code], sub.Code, fmt.Sprintf("([Text.Encoding]::ASCII.GetBytes('%s'))", sub.Value))
	}
	if v.vlan == 0 {
		return
	}
	noteWindowsVLAN(p)
	p.line("Add-DhcpServerv4Class -Name CPEOCPHONE -Type Vendor -Data %s", dhcpoption.ClassVLAN)
	powershellSubOption(p, "CPEOCPHONE", "VLANID", dhcpoption.SubVLAN, powershellBytes(v.subVLAN().Value))
}

func powershellSubOption(p page, class, name string, code uint8, value string) {
	p.line("Add-DhcpServerv4OptionDefinition -OptionId %d -Name %s -Type BinaryData -VendorClass %s", code, name, class)
	p.line("Set-DhcpServerv4OptionValue -OptionId %d -VendorClass %s -Value %s", code, class, value)
}

func powershellBytes(value []byte) string {
	var out []string
	for _, b := range value {
		out = append(out, fmt.Sprintf("0x%02x", b))
	}
	return "([byte[]](" + strings.Join(out, ",") + "))"
}
