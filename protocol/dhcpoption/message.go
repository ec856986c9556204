// Package dhcpoption is the part of DHCP that the general library leaves out: messages with their options in a given
// order, the vendor options 43 of classes MS-UC-Client and CPE-OCPHONE, and option 120, the SIP servers.
package dhcpoption

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Option codes that this package reads, beyond what their use in it explains.
const (
	OptionVendor     = 43  // vendor-specific information (RFC 2132, 8.4)
	OptionClass      = 60  // vendor class identifier (RFC 2132, 9.13)
	OptionSIPServers = 120 // RFC 3361

	optionPad      = 0
	optionNTP      = 42
	optionOverload = 52
	optionRelay    = 82
	optionEnd      = 255
)

// Vendor classes (option 60).
const (
	// ClassUC asks for 43 and 120 in the DHCPINFORM. It is case-sensitive and has no trailing NUL (discovery.md §0,
	// [G1]).
	ClassUC = "MS-UC-Client"
	// ClassVLAN asks for the VLAN id. Sources differ in its case, so servers compare it without (discovery.md §1.2).
	ClassVLAN = "CPE-OCPHONE"
)

// Bounds of a message: header with magic cookie, the BOOTP size that messages are padded to, and what fits one
// Ethernet frame.
const (
	headerSize = 240
	paddedSize = 300
	maxSize    = 1472
)

var magicCookie = []byte{99, 130, 83, 99}

// Encode writes m with its options in the given order; those that order does not name follow in ascending order, 82
// last (RFC 3046, 2.1). Codes in order that m lacks are skipped. Values above 255 bytes are split (RFC 3396), and the
// message is padded with zeros to 300 bytes.
func Encode(m *dhcpv4.DHCPv4, order []uint8) ([]byte, error) {
	b, err := appendHeader(make([]byte, 0, paddedSize), m)
	if err != nil {
		return nil, err
	}
	codes, err := fullOrder(m.Options, order)
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		b = appendOption(b, code, m.Options[code])
	}
	b = append(b, optionEnd)
	if len(b) > maxSize {
		return nil, fmt.Errorf("dhcp: message of %d bytes, at most %d fit", len(b), maxSize)
	}
	if len(b) < paddedSize {
		b = append(b, make([]byte, paddedSize-len(b))...)
	}
	return b, nil
}

func appendHeader(b []byte, m *dhcpv4.DHCPv4) ([]byte, error) {
	if len(m.ClientHWAddr) > 16 {
		return nil, fmt.Errorf("dhcp: hardware address of %d bytes, at most 16 expected", len(m.ClientHWAddr))
	}
	if m.HWType > 255 {
		return nil, fmt.Errorf("dhcp: hardware type %d, at most 255 expected", m.HWType)
	}
	b = append(b, byte(m.OpCode), byte(m.HWType), byte(len(m.ClientHWAddr)), m.HopCount)
	b = append(b, m.TransactionID[:]...)
	b = binary.BigEndian.AppendUint16(b, m.NumSeconds)
	b = binary.BigEndian.AppendUint16(b, m.Flags)
	for _, address := range []net.IP{m.ClientIPAddr, m.YourIPAddr, m.ServerIPAddr, m.GatewayIPAddr} {
		four := address.To4()
		if four == nil && len(address) != 0 {
			return nil, fmt.Errorf("dhcp: address %s, an IPv4 address expected", address)
		}
		b = appendPadded(b, four, 4)
	}
	b = appendPadded(b, m.ClientHWAddr, 16)
	for _, text := range []struct {
		name, value string
		size        int
	}{{"server host name", m.ServerHostName, 64}, {"boot file name", m.BootFileName, 128}} {
		if len(text.value) > text.size {
			return nil, fmt.Errorf("dhcp: %s of %d bytes, at most %d expected", text.name, len(text.value), text.size)
		}
		b = appendPadded(b, []byte(text.value), text.size)
	}
	return append(b, magicCookie...), nil
}

func appendPadded(b, value []byte, size int) []byte {
	b = append(b, value...)
	return append(b, make([]byte, size-len(value))...)
}

func fullOrder(options dhcpv4.Options, order []uint8) ([]uint8, error) {
	var codes, rest []uint8
	for i, code := range order {
		if slices.Contains(order[:i], code) {
			return nil, fmt.Errorf("dhcp: option %d is named twice in the order", code)
		}
		if _, ok := options[code]; ok {
			codes = append(codes, code)
		}
	}
	for code := range options {
		if code == optionPad || code == optionEnd {
			return nil, fmt.Errorf("dhcp: option %d has no value on the wire", code)
		}
		if !slices.Contains(codes, code) {
			rest = append(rest, code)
		}
	}
	slices.Sort(rest)
	if i := slices.Index(rest, optionRelay); i >= 0 {
		rest = append(slices.Delete(rest, i, i+1), optionRelay)
	}
	return append(codes, rest...), nil
}

func appendOption(b []byte, code uint8, value []byte) []byte {
	for {
		n := min(len(value), 255)
		b = append(append(b, code, byte(n)), value[:n]...)
		value = value[n:]
		if len(value) == 0 {
			return b
		}
	}
}

// Parse reads a message: the UDP payload. Options given more than once are joined (RFC 3396), options in the file and
// server name fields (option 52) are read as well and then counted as ordinary ones.
func Parse(payload []byte) (*dhcpv4.DHCPv4, error) {
	if len(payload) < headerSize || len(payload) > maxSize {
		return nil, fmt.Errorf("dhcp: message of %d bytes, %d to %d expected", len(payload), headerSize, maxSize)
	}
	if cookie := payload[headerSize-4 : headerSize]; !bytes.Equal(cookie, magicCookie) {
		return nil, fmt.Errorf("dhcp: magic cookie % x, % x expected", cookie, magicCookie)
	}
	if n := payload[2]; n > 16 {
		return nil, fmt.Errorf("dhcp: hardware address of %d bytes, at most 16 expected", n)
	}
	if _, err := scanOptions(payload[headerSize:]); err != nil {
		return nil, fmt.Errorf("dhcp: %w", err)
	}
	m, err := dhcpv4.FromBytes(payload)
	if err != nil {
		return nil, fmt.Errorf("dhcp: %w", err)
	}
	if err := readOverload(m, payload); err != nil {
		return nil, err
	}
	return m, nil
}

// Order lists the option codes of a message in wire order, each once.
func Order(payload []byte) ([]uint8, error) {
	if len(payload) < headerSize {
		return nil, fmt.Errorf("dhcp: message of %d bytes, at least %d expected", len(payload), headerSize)
	}
	options, err := scanOptions(payload[headerSize:])
	if err != nil {
		return nil, fmt.Errorf("dhcp: %w", err)
	}
	var order []uint8
	for _, option := range options {
		if !slices.Contains(order, option.Code) {
			order = append(order, option.Code)
		}
	}
	return order, nil
}

// scanOptions cuts options up to the end option, which has to be there.
func scanOptions(b []byte) ([]SubOption, error) {
	options, ended, err := ParseSubOptions(b)
	if err != nil {
		return nil, fmt.Errorf("option %w", err)
	}
	if !ended {
		return nil, errors.New("options have no end (255)")
	}
	return options, nil
}

// readOverload moves options from the fields named by option 52 into m.Options (RFC 2131, 4.1: file first, then
// sname).
func readOverload(m *dhcpv4.DHCPv4, payload []byte) error {
	overload, ok := m.Options[optionOverload]
	if !ok {
		return nil
	}
	if len(overload) != 1 || overload[0] < 1 || overload[0] > 3 {
		return fmt.Errorf("dhcp: option 52 is % x, 01 to 03 expected", overload)
	}
	delete(m.Options, optionOverload)
	if overload[0]&1 != 0 {
		if err := addOptions(m.Options, payload[108:236]); err != nil {
			return fmt.Errorf("dhcp: boot file name field: %w", err)
		}
		m.BootFileName = ""
	}
	if overload[0]&2 != 0 {
		if err := addOptions(m.Options, payload[44:108]); err != nil {
			return fmt.Errorf("dhcp: server host name field: %w", err)
		}
		m.ServerHostName = ""
	}
	return nil
}

func addOptions(options dhcpv4.Options, field []byte) error {
	more, err := scanOptions(field)
	if err != nil {
		return err
	}
	for _, option := range more {
		if option.Code == optionOverload {
			return errors.New("option 52 inside of a field that it names")
		}
		options[option.Code] = append(options[option.Code], option.Value...)
	}
	return nil
}
