package exchange

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
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
	medTexts        = 5 // and those behind it
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
	case oui == lldp.OUIMED && known && subtype >= medTexts:
		f.add(name, text(value))
	case oui == lldp.OUIMED && known:
		f.add(name, fmt.Sprintf("%x", value))
	default:
		f.add(fmt.Sprintf("TLV 127 %06x %d", oui, subtype), fmt.Sprintf("%x", value))
	}
}

// LLDPTLV is the TLV that a field of [LLDP] tells of, ok if it is told whole: those with a meaning of several values are not.
func LLDPTLV(name, value string) (t lldp.TLV, ok bool) {
	var oui uint32
	var kind, subtype uint8
	switch n, _ := fmt.Sscanf(name, "TLV 127 %06x %d", &oui, &subtype); {
	case n == 2:
		return organized(oui, subtype, value)
	case strings.HasPrefix(name, "TLV "):
		if _, err := fmt.Sscanf(name, "TLV %d", &kind); err != nil {
			return t, false
		}
		raw, err := hex.DecodeString(value)
		return lldp.TLV{Type: kind, Value: raw}, err == nil
	}
	for kind, known := range lldpNames {
		switch {
		case known != name:
		case kind == lldp.TypePortDescription, kind == lldp.TypeSystemName, kind == lldp.TypeSystemDescription:
			return lldp.TLV{Type: kind, Value: []byte(untold(value))}, true
		default:
			raw, err := hex.DecodeString(value)
			return lldp.TLV{Type: kind, Value: raw}, err == nil
		}
	}
	for subtype, known := range medNames {
		switch {
		case known != name:
		case subtype >= medTexts:
			return lldp.Organization(lldp.OUIMED, subtype, []byte(untold(value))...), true
		default:
			return organized(lldp.OUIMED, subtype, value)
		}
	}
	return t, false
}

func organized(oui uint32, subtype uint8, value string) (lldp.TLV, bool) {
	raw, err := hex.DecodeString(value)
	return lldp.Organization(oui, subtype, raw...), err == nil
}

// untold is a text before [text] made it fit for a line.
func untold(value string) string {
	if plain, err := strconv.Unquote(value); err == nil {
		return plain
	}
	return value
}

// text is a text of a TLV, which some senders end with a zero byte.
func text(value []byte) string { return printable(oneLine(strings.TrimRight(string(value), "\x00"))) }
