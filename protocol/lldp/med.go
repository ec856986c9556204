package lldp

import (
	"encoding/binary"
	"fmt"
)

// OUIs of organizationally specific TLVs.
const (
	OUI8023 = 0x00120f // IEEE 802.3 (IEEE 802.1AB, annex F)
	OUIMED  = 0x0012bb // TIA-1057, 10.2
)

// Subtypes under [OUIMED] (TIA-1057, 10.2).
const (
	medCapabilities  = 1
	medNetworkPolicy = 2
	medInventory     = 5 // to 11
)

// MED device classes (TIA-1057, 10.2.2.2).
const (
	ClassEndpointIII  = 3 // communication device: a telephone
	ClassConnectivity = 4 // a switch
)

// ApplicationVoice is the application type of IP telephony (TIA-1057, 10.2.3.1).
const ApplicationVoice = 1

// System capabilities (IEEE 802.1AB, table 8-4).
const (
	CapabilityBridge    = 1 << 2
	CapabilityTelephone = 1 << 5
)

// MED is the LLDP-MED capabilities TLV: which MED TLVs the sender knows, and what class of device it is.
type MED struct {
	Capabilities uint16 // 0x3f: capabilities, policy, location, power (source, device), inventory
	Class        uint8
}

// NetworkPolicy is the LLDP-MED network policy TLV (TIA-1057, 10.2.3). On the wire its last 24 bits are
// U<<23 | T<<22 | X<<21 | VLAN<<9 | Priority<<6 | DSCP.
type NetworkPolicy struct {
	Application uint8
	Unknown     bool   // U: the sender does not know the policy yet
	Tagged      bool   // T: frames of the application carry VLAN and Priority; without it only DSCP counts
	VLAN        uint16 // 0 to 4094; 0 with Tagged means priority tags
	Priority    uint8  // 0 to 7
	DSCP        uint8  // 0 to 63
}

// Inventory is the LLDP-MED inventory (TIA-1057, 10.2.6): each text up to 32 bytes, "" if absent.
type Inventory struct {
	Hardware, Firmware, Software, Serial, Manufacturer, Model, Asset string
}

// MED returns the LLDP-MED capabilities; ok tells an LLDP-MED device from others.
func (p PDU) MED() (m MED, ok bool) {
	for _, t := range p.TLVs {
		if subtype, value := t.organization(OUIMED); subtype == medCapabilities {
			return MED{binary.BigEndian.Uint16(value), value[2]}, true
		}
	}
	return MED{}, false
}

// Policies returns the network policies in wire order.
func (p PDU) Policies() []NetworkPolicy {
	var policies []NetworkPolicy
	for _, t := range p.TLVs {
		if subtype, value := t.organization(OUIMED); subtype == medNetworkPolicy {
			policies = append(policies, parsePolicy(value))
		}
	}
	return policies
}

// VoicePolicy returns the first policy for voice that is not marked unknown.
func (p PDU) VoicePolicy() (NetworkPolicy, bool) {
	for _, policy := range p.Policies() {
		if policy.Application == ApplicationVoice && !policy.Unknown {
			return policy, true
		}
	}
	return NetworkPolicy{}, false
}

// Inventory returns the LLDP-MED inventory.
func (p PDU) Inventory() Inventory {
	var inventory Inventory
	fields := inventory.fields()
	for _, t := range p.TLVs {
		subtype, value := t.organization(OUIMED)
		if i := int(subtype) - medInventory; i >= 0 && i < len(fields) {
			*fields[i] = string(value)
		}
	}
	return inventory
}

// fields lists the texts in the order of their subtypes.
func (i *Inventory) fields() []*string {
	return []*string{&i.Hardware, &i.Firmware, &i.Software, &i.Serial, &i.Manufacturer, &i.Model, &i.Asset}
}

// Organization makes an organizationally specific TLV (IEEE 802.1AB, 8.6.1).
func Organization(oui uint32, subtype uint8, value ...byte) TLV {
	head := []byte{byte(oui >> 16), byte(oui >> 8), byte(oui), subtype}
	return TLV{TypeOrganization, append(head, value...)}
}

// TLV returns the capabilities as they go on the wire.
func (m MED) TLV() TLV {
	return Organization(OUIMED, medCapabilities, byte(m.Capabilities>>8), byte(m.Capabilities), m.Class)
}

// TLV returns the policy as it goes on the wire. Values that do not fit give a TLV that [PDU.Append] refuses.
func (n NetworkPolicy) TLV() TLV {
	if n.VLAN > 4094 || n.Priority > 7 || n.DSCP > 63 {
		return Organization(OUIMED, medNetworkPolicy)
	}
	bits := uint32(n.VLAN)<<9 | uint32(n.Priority)<<6 | uint32(n.DSCP)
	if n.Unknown {
		bits |= 1 << 23
	}
	if n.Tagged {
		bits |= 1 << 22
	}
	return Organization(OUIMED, medNetworkPolicy, n.Application, byte(bits>>16), byte(bits>>8), byte(bits))
}

// TLVs returns the texts that are not empty, in the order of their subtypes.
func (i Inventory) TLVs() []TLV {
	var tlvs []TLV
	for n, text := range i.fields() {
		if *text != "" {
			tlvs = append(tlvs, Organization(OUIMED, uint8(medInventory+n), []byte(*text)...))
		}
	}
	return tlvs
}

func parsePolicy(value []byte) NetworkPolicy {
	bits := uint32(value[1])<<16 | uint32(value[2])<<8 | uint32(value[3])
	return NetworkPolicy{
		Application: value[0],
		Unknown:     bits>>23&1 == 1,
		Tagged:      bits>>22&1 == 1,
		VLAN:        uint16(bits >> 9 & 0xfff),
		Priority:    uint8(bits >> 6 & 7),
		DSCP:        uint8(bits & 63),
	}
}

// organization returns subtype and value of a TLV of the given organization, or subtype 0.
func (t TLV) organization(oui uint32) (subtype uint8, value []byte) {
	if t.Type != TypeOrganization || len(t.Value) < 4 {
		return 0, nil
	}
	if uint32(t.Value[0])<<16|uint32(t.Value[1])<<8|uint32(t.Value[2]) != oui {
		return 0, nil
	}
	return t.Value[3], t.Value[4:]
}

func (t TLV) checkOrganization() error {
	subtype, value := t.organization(OUIMED)
	n := len(value)
	switch {
	case subtype == medCapabilities && n != 3:
		return fmt.Errorf("LLDP-MED capabilities of %d bytes, 3 expected", n)
	case subtype == medNetworkPolicy && n != 4:
		return fmt.Errorf("LLDP-MED network policy of %d bytes, 4 expected", n)
	case subtype == medNetworkPolicy && parsePolicy(value).VLAN == 4095:
		return fmt.Errorf("LLDP-MED network policy with the reserved VLAN 4095")
	case subtype >= medInventory && subtype <= 11 && n > 32:
		return fmt.Errorf("LLDP-MED inventory text of %d bytes, at most 32 expected", n)
	}
	return nil
}
