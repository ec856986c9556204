package switchport

import (
	"fmt"
	"net"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// tlvName is a TLV by its type, an organization's by OUI and subtype as well.
func tlvName(t lldp.TLV) string {
	if t.Type != lldp.TypeOrganization || len(t.Value) < 4 {
		return fmt.Sprintf("%d", t.Type)
	}
	return fmt.Sprintf("%d/%x/%d", t.Type, t.Value[:3], t.Value[3])
}

// tlvNames lists the TLVs of a unit after the three mandatory ones: which ones a handset sends is an open question
// (discovery.md §1.1).
func tlvNames(unit lldp.PDU) string {
	var names []string
	for _, t := range unit.TLVs {
		names = append(names, tlvName(t))
	}
	return strings.Join(names, " ")
}

// described reports whether discovery.md §1.1 has a TLV: those of IEEE 802.1AB, LLDP-MED, and MAC/PHY of IEEE 802.3.
func described(t lldp.TLV) bool {
	switch {
	case t.Type < 9:
		return true
	case t.Type != lldp.TypeOrganization || len(t.Value) < 4:
		return false
	}
	oui, subtype := [3]byte(t.Value), t.Value[3]
	return oui == [3]byte{0, 0x12, 0xbb} && subtype >= 1 && subtype <= 11 || oui == [3]byte{0, 0x12, 0x0f} && subtype == 1
}

func (s *Server) tellUnknown(peer net.HardwareAddr, unit lldp.PDU) {
	for _, t := range unit.TLVs {
		if !described(t) {
			s.unknown.Tell(peer.String(), peer.String(), "TLV "+tlvName(t), func() string { return unknown.Bytes(t.Value) })
		}
	}
}
