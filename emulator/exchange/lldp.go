package exchange

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/lldp"
)

var lldpNames = map[uint8]string{
	lldp.TypePortDescription: "port description", lldp.TypeSystemName: "system name", lldp.TypeSystemDescription: "system description",
	lldp.TypeSystemCapabilities: "system capabilities", lldp.TypeManagementAddress: "management address",
}

// Subtypes of LLDP-MED (TIA-1057, 10.2).
const (
	medCapabilities = 1
	medPolicy       = 2
)

var medNames = map[byte]string{
	3: "location", 4: "extended power", 5: "hardware", 6: "firmware", 7: "software", 8: "serial", 9: "manufacturer", 10: "model", 11: "asset",
}

// LLDP tells every TLV of a data unit in its order.
func LLDP(p lldp.PDU) Content {
	var f fields
	f.add("chassis", fmt.Sprintf("subtype %d, %x", p.ChassisID.Subtype, p.ChassisID.Value))
	f.add("port", fmt.Sprintf("subtype %d, %x", p.PortID.Subtype, p.PortID.Value))
	f.add("time to live", fmt.Sprintf("%d s", p.TTL))
	for _, t := range p.TLVs {
		f.tlv(t)
	}
	med, endpoint := p.MED()
	switch {
	case p.TTL == 0:
		return Content{"LLDPDU that withdraws", f.list}
	case endpoint && med.Class <= lldp.ClassEndpointIII:
		return Content{"LLDPDU", f.list}
	}
	return Content{"LLDPDU of a switch", f.list} // which begins with MED when it has heard an endpoint
}

func (f *fields) tlv(t lldp.TLV) {
	switch name := lldpNames[t.Type]; {
	case t.Type == lldp.TypePortDescription, t.Type == lldp.TypeSystemName, t.Type == lldp.TypeSystemDescription:
		f.add(name, text(t.Value))
	case name != "":
		f.add(name, fmt.Sprintf("%x", t.Value))
	case t.Type == lldp.TypeOrganization && len(t.Value) >= 4:
		f.organization(binary.BigEndian.Uint32(t.Value)>>8, t.Value[3], t.Value[4:], t)
	default:
		f.add(fmt.Sprintf("TLV %d", t.Type), fmt.Sprintf("%x", t.Value))
	}
}

func (f *fields) organization(oui uint32, subtype byte, value []byte, t lldp.TLV) {
	one := lldp.PDU{TLVs: []lldp.TLV{t}}
	name, known := medNames[subtype]
	switch med, isMED := one.MED(); {
	case oui == lldp.OUIMED && subtype == medCapabilities && isMED:
		f.add("LLDP-MED", fmt.Sprintf("class %d, capabilities %#x", med.Class, med.Capabilities))
	case oui == lldp.OUIMED && subtype == medPolicy && len(one.Policies()) == 1:
		p := one.Policies()[0]
		f.add("network policy", fmt.Sprintf("application %d, unknown %v, tagged %v, VLAN %d, priority %d, DSCP %d",
			p.Application, p.Unknown, p.Tagged, p.VLAN, p.Priority, p.DSCP))
	case oui == lldp.OUIMED && known && subtype >= 5:
		f.add(name, text(value))
	case oui == lldp.OUIMED && known:
		f.add(name, fmt.Sprintf("%x", value))
	default:
		f.add(fmt.Sprintf("TLV 127 %06x %d", oui, subtype), fmt.Sprintf("%x", value))
	}
}

// text is a text of a TLV, which some senders end with a zero byte.
func text(value []byte) string { return printable(oneLine(strings.TrimRight(string(value), "\x00"))) }
