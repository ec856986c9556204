package dhcpconfig

// iosOption is how many bytes `option n hex` takes: Cisco IOS from 15.1(3)S cuts the rest off and says nothing ([G3]).
const iosOption = 90

// iosLines are for a DHCP pool of Cisco IOS. It has no vendor classes, so the VLAN goes to another pool: that of the
// native VLAN, where the handset asks for it.
func iosLines(p page, v *Values) {
	p.note("Cisco IOS: below `ip dhcp pool`. Every client of the pool that asks gets these options, whatever its class.")
	if v.vlan != 0 {
		p.note("In the pool of VLAN %d:", v.vlan)
	}
	iosHex(p, 120, v.option120, len(v.sip))
	iosHex(p, 43, v.option43, len(v.uc.Host))
	if v.vlan != 0 {
		p.note("In the pool of the native VLAN:")
		p.noteVLAN()
		p.line("option 43 hex %x", v.option43VLAN)
	}
}

func iosHex(p page, code int, value []byte, name int) {
	over := len(value) - iosOption
	if over <= 0 {
		p.line("option %d hex %x", code, value)
		return
	}
	p.note("Option %[1]d has %[2]d bytes. IOS from 15.1(3)S cuts `option %[1]d hex` after %[3]d, and says nothing: without its end", code, len(value), iosOption)
	p.note("the option is of no use. `option ext` takes it from IOS XE 3.2.1S on. Before, a name of at most %d characters", name-over)
	p.note("instead of %d fits, or another DHCP server has to give the option.", name)
	for len(value) > 0 {
		n := min(len(value), iosOption)
		p.line("option ext %d hex %x", code, value[:n])
		value = value[n:]
	}
}
