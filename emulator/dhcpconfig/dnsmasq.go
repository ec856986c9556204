package dhcpconfig

import "github.com/phone-edition/lpe/protocol/dhcpoption"

// dnsmasqLines are for dnsmasq, which knows option 120 and guesses the type of each sub-option (discovery.md §4).
func dnsmasqLines(p page, v *Values) {
	p.note("dnsmasq: lines of dnsmasq.conf.")
	p.note("Keep the quotes: without them dnsmasq makes a number of the port.")
	p.line("dhcp-vendorclass=set:MSUCClient,%s", dhcpoption.ClassUC)
	p.line("dhcp-option=tag:MSUCClient,option:sip-server,%s", v.sip)
	for _, sub := range v.uc.SubOptions() {
		p.line(`dhcp-option=vendor:%s,%d,"%s"`, dhcpoption.ClassUC, sub.Code, sub.Value)
	}
	if v.vlan == 0 {
		return
	}
	p.noteVLAN()
	p.note("Keep the s: without it a VLAN below 256 becomes one byte. CPE-OCP takes %s and CPE-OCPhone.", dhcpoption.ClassVLAN)
	p.line("dhcp-option=vendor:CPE-OCP,%d,%ds", dhcpoption.SubVLAN, v.vlan)
}
