// Package lldp reads and writes LLDP data units (IEEE 802.1AB) with the LLDP-MED extensions of ANSI/TIA-1057: the
// first thing that a handset says on the cable, and how a switch tells it the voice VLAN.
package lldp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
)

// EtherType of LLDP frames (IEEE 802.1AB, 7.4).
const EtherType = 0x88cc

// Multicast is the nearest-bridge group address, which no bridge forwards (IEEE 802.1AB, 7.1). Do not modify it.
var Multicast = net.HardwareAddr{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}

// MaxSize is the longest data unit that Parse and Append take: the payload of one Ethernet frame.
const MaxSize = 1500

// TLV types of IEEE 802.1AB, table 8-1.
const (
	TypeEnd                = 0
	TypeChassisID          = 1
	TypePortID             = 2
	TypeTTL                = 3
	TypePortDescription    = 4
	TypeSystemName         = 5
	TypeSystemDescription  = 6
	TypeSystemCapabilities = 7
	TypeManagementAddress  = 8
	TypeOrganization       = 127
)

// Subtypes of the chassis id (IEEE 802.1AB, table 8-2) and the port id (table 8-3) that this project sends.
const (
	ChassisMAC     = 4
	ChassisNetwork = 5 // address family 1 and an IPv4 address, 0.0.0.0 before there is a lease
	PortMAC        = 3
	PortInterface  = 5
)

// ID is a chassis id or a port id: 1 to 255 bytes whose meaning the subtype gives.
type ID struct {
	Subtype uint8
	Value   []byte
}

// TLV is one type-length-value: Type 0 to 127, Value up to 511 bytes.
type TLV struct {
	Type  uint8
	Value []byte
}

// PDU is one LLDP data unit. TLVs holds what follows the three mandatory ones, known and unknown, in wire order and
// without the end marker; the methods of PDU read the known ones.
type PDU struct {
	ChassisID, PortID ID
	TTL               uint16 // seconds, 0 means that the sender leaves
	TLVs              []TLV
	Ignored           []error // what Parse left out of a unit that it takes, in wire order; not written
}

// Parse reads a data unit: the Ethernet payload, padding after the end marker included. It refuses a unit that a
// receiver has to discard: its first three TLVs are missing, out of order or of a wrong length, or one of them comes
// again (IEEE 802.1AB, 9.2.7.7.1). What a receiver discards without the rest of the unit is in Ignored: a TLV that goes
// past the end of the frame, a known TLV of a wrong length, a second one of which there is one at most (9.2.7.7.2).
// Behind a time to live of 0 nothing is read. The end marker may be absent at the very end of payload.
func Parse(payload []byte) (PDU, error) {
	if len(payload) > MaxSize {
		return PDU{}, fmt.Errorf("lldp: data unit of %d bytes, at most %d expected", len(payload), MaxSize)
	}
	var p PDU
	for n := range 3 {
		if len(payload) == 0 {
			return PDU{}, errors.New("lldp: data unit ends before chassis id, port id and time to live")
		}
		t, rest, err := cutTLV(payload)
		if err == nil {
			err = p.setMandatory(n, t)
		}
		if err != nil {
			return PDU{}, fmt.Errorf("lldp: TLV %d: %w", n+1, err)
		}
		payload = rest
	}
	if p.TTL == 0 {
		if len(payload) == 1 || len(bytes.Trim(payload, "\x00")) > 0 { // neither end marker nor padding
			p.ignore(4, errors.New("not read behind a time to live of 0"))
		}
		return p, nil
	}
	if err := p.parseOptional(payload); err != nil {
		return PDU{}, err
	}
	return p, nil
}

// parseOptional reads what follows the three mandatory TLVs.
func (p *PDU) parseOptional(payload []byte) error {
	for n := 4; len(payload) > 0; n++ {
		t, rest, err := cutTLV(payload)
		if err != nil {
			p.ignore(n, err)
			return nil
		}
		payload = rest
		switch t.Type {
		case TypeEnd:
			if len(t.Value) != 0 {
				return fmt.Errorf("lldp: end marker of %d bytes, 0 expected", len(t.Value))
			}
			return nil
		case TypeChassisID, TypePortID, TypeTTL:
			return fmt.Errorf("lldp: TLV %d: %w", n, t.check())
		case TypePortDescription, TypeSystemName, TypeSystemDescription, TypeSystemCapabilities:
			if _, again := p.First(t.Type); again {
				p.ignore(n, fmt.Errorf("type %d a second time", t.Type))
				continue
			}
		}
		if err := t.check(); err != nil {
			p.ignore(n, err)
			continue
		}
		p.TLVs = append(p.TLVs, t)
	}
	return nil
}

func (p *PDU) ignore(n int, err error) {
	p.Ignored = append(p.Ignored, fmt.Errorf("lldp: TLV %d is ignored: %w", n, err))
}

// Append appends the data unit with its end marker to b.
func (p PDU) Append(b []byte) ([]byte, error) {
	start := len(b)
	for _, id := range []struct {
		kind uint8
		id   ID
	}{{TypeChassisID, p.ChassisID}, {TypePortID, p.PortID}} {
		if n := len(id.id.Value); n < 1 || n > 255 {
			return nil, fmt.Errorf("lldp: id in TLV type %d is %d bytes, 1 to 255 expected", id.kind, n)
		}
		b = appendTLV(b, TLV{id.kind, append([]byte{id.id.Subtype}, id.id.Value...)})
	}
	b = appendTLV(b, TLV{TypeTTL, binary.BigEndian.AppendUint16(nil, p.TTL)})
	for i, t := range p.TLVs {
		if t.Type == TypeEnd {
			return nil, fmt.Errorf("lldp: TLV %d is an end marker", i+4)
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("lldp: TLV %d: %w", i+4, err)
		}
		b = appendTLV(b, t)
	}
	b = append(b, 0, 0)
	if n := len(b) - start; n > MaxSize {
		return nil, fmt.Errorf("lldp: data unit of %d bytes, at most %d fit", n, MaxSize)
	}
	return b, nil
}

// First returns the value of the first TLV of the given type.
func (p PDU) First(kind uint8) ([]byte, bool) {
	for _, t := range p.TLVs {
		if t.Type == kind {
			return t.Value, true
		}
	}
	return nil, false
}

// SystemName returns the name that the sender gives itself, or "".
func (p PDU) SystemName() string {
	value, _ := p.First(TypeSystemName)
	return string(value)
}

func cutTLV(b []byte) (TLV, []byte, error) {
	if len(b) < 2 {
		return TLV{}, nil, fmt.Errorf("%d byte left, a header of 2 expected", len(b))
	}
	head := binary.BigEndian.Uint16(b)
	kind, n := uint8(head>>9), int(head&0x1ff)
	if n > len(b)-2 {
		return TLV{}, nil, fmt.Errorf("type %d claims %d bytes, %d left", kind, n, len(b)-2)
	}
	return TLV{kind, b[2 : 2+n : 2+n]}, b[2+n:], nil
}

func appendTLV(b []byte, t TLV) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(t.Type)<<9|uint16(len(t.Value)))
	return append(b, t.Value...)
}

func (p *PDU) setMandatory(n int, t TLV) error {
	want := uint8(n + 1)
	if t.Type != want {
		return fmt.Errorf("type %d, %d expected", t.Type, want)
	}
	if want == TypeTTL {
		if len(t.Value) < 2 {
			return fmt.Errorf("time to live of %d bytes, 2 expected", len(t.Value))
		}
		p.TTL = binary.BigEndian.Uint16(t.Value)
		if len(t.Value) > 2 { // it may have more, of which nothing is known
			p.Ignored = append(p.Ignored, fmt.Errorf("lldp: time to live of %d bytes, only the first 2 are read", len(t.Value)))
		}
		return nil
	}
	if len(t.Value) < 2 || len(t.Value) > 256 {
		return fmt.Errorf("id with subtype of %d bytes, 2 to 256 expected", len(t.Value))
	}
	id := ID{t.Value[0], t.Value[1:]}
	if want == TypeChassisID {
		p.ChassisID = id
	} else {
		p.PortID = id
	}
	return nil
}

// check holds a TLV after the mandatory ones to the layout of its type. Unknown types pass.
func (t TLV) check() error {
	if t.Type > TypeOrganization {
		return fmt.Errorf("type %d, at most %d expected", t.Type, TypeOrganization)
	}
	n := len(t.Value)
	if n > 511 {
		return fmt.Errorf("type %d with %d bytes, at most 511 expected", t.Type, n)
	}
	switch t.Type {
	case TypeChassisID, TypePortID, TypeTTL:
		return fmt.Errorf("type %d a second time", t.Type)
	case TypePortDescription, TypeSystemName, TypeSystemDescription:
		if n > 255 {
			return fmt.Errorf("text in type %d of %d bytes, at most 255 expected", t.Type, n)
		}
	case TypeSystemCapabilities:
		if n != 4 {
			return fmt.Errorf("system capabilities of %d bytes, 4 expected", n)
		}
	case TypeOrganization:
		if n < 4 {
			return fmt.Errorf("organizationally specific TLV of %d bytes, at least 4 expected", n)
		}
		return t.checkOrganization()
	}
	return nil
}
