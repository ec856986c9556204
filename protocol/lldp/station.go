package lldp

import (
	"net"
	"net/netip"
)

// medAll are the MED TLVs that both ends of the measured exchange claimed (discovery.md §1.1, lldpd): capabilities,
// network policy, location, power as source and as device, inventory.
const medAll = 0x003f

// Endpoint is what a telephone says. Which TLVs a Lync Phone Edition handset emits is not known; this is the set that
// TIA-1057 asks of a class III endpoint (inferred, discovery.md §1.1).
type Endpoint struct {
	MAC            net.HardwareAddr
	Address        netip.Addr // zero before there is a lease: 0.0.0.0 goes out
	SystemName     string
	Manufacturer   string
	Model          string
	Firmware       string
	Serial         string
	TTL            uint16         // seconds
	ChassisSubtype uint8          // ChassisMAC or ChassisNetwork
	Policy         *NetworkPolicy // nil: not known yet, sent with U set and all else 0
}

// PDU returns the data unit. A value that does not fit makes [PDU.Append] fail.
func (e Endpoint) PDU() PDU {
	policy := NetworkPolicy{Application: ApplicationVoice, Unknown: true}
	if e.Policy != nil {
		policy = *e.Policy
	}
	tlvs := []TLV{
		{TypeSystemName, []byte(e.SystemName)},
		capabilities(CapabilityBridge | CapabilityTelephone),
		macPHY(),
		MED{medAll, ClassEndpointIII}.TLV(),
		policy.TLV(),
	}
	inventory := Inventory{Firmware: e.Firmware, Serial: e.Serial, Manufacturer: e.Manufacturer, Model: e.Model}
	return PDU{
		ChassisID: e.chassis(),
		PortID:    ID{PortMAC, e.MAC},
		TTL:       e.TTL,
		TLVs:      append(tlvs, inventory.TLVs()...),
	}
}

// Shutdown returns the data unit that withdraws what [Endpoint.PDU] said: both ids and a time to live of 0, nothing else
// (mibConstrShutdownLLDPDU of IEEE 802.1AB).
func (e Endpoint) Shutdown() PDU {
	return PDU{ChassisID: e.chassis(), PortID: ID{PortMAC, e.MAC}}
}

func (e Endpoint) chassis() ID {
	if e.ChassisSubtype != ChassisNetwork {
		return ID{ChassisMAC, e.MAC}
	}
	address := [4]byte{}
	if e.Address.Is4() {
		address = e.Address.As4()
	}
	return ID{ChassisNetwork, append([]byte{1}, address[:]...)}
}

// Switch is what an access switch says.
type Switch struct {
	MAC        net.HardwareAddr
	PortName   string
	SystemName string
	TTL        uint16 // seconds
	MED        bool   // an LLDP-MED endpoint was heard: MED TLVs go out (TIA-1057, 11.2)
	Policy     *NetworkPolicy
}

// PDU returns the data unit. A value that does not fit makes [PDU.Append] fail.
func (s Switch) PDU() PDU {
	p := PDU{
		ChassisID: ID{ChassisMAC, s.MAC},
		PortID:    ID{PortInterface, []byte(s.PortName)},
		TTL:       s.TTL,
		TLVs: []TLV{
			{TypeSystemName, []byte(s.SystemName)},
			capabilities(CapabilityBridge),
			macPHY(),
		},
	}
	if !s.MED {
		return p
	}
	p.TLVs = append(p.TLVs, MED{medAll, ClassConnectivity}.TLV())
	if s.Policy != nil {
		p.TLVs = append(p.TLVs, s.Policy.TLV())
	}
	return p
}

// capabilities says that the system can do all of bits and does.
func capabilities(bits uint16) TLV {
	return TLV{TypeSystemCapabilities, []byte{byte(bits >> 8), byte(bits), byte(bits >> 8), byte(bits)}}
}

// macPHY is the IEEE 802.3 MAC/PHY TLV (IEEE 802.1AB, F.2): autonegotiation supported and on, 10BASE-T and
// 100BASE-TX in half and full duplex advertised, 100BASE-TX full duplex in use. The speed is assumed.
func macPHY() TLV {
	return Organization(OUI8023, 1, 0x03, 0x6c, 0x00, 0x00, 0x10)
}
