package dhcpoption

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// Described is one option of a message with what it means to a handset.
type Described struct {
	Code    uint8
	Name    string // of RFC 2132 and RFC 3361, "" for a code that no handset reads
	Value   []byte
	Meaning string // one line, "" where there is nothing to say
}

const (
	fixedSize   = 240 // the message up to and with the magic cookie (RFC 2131, figure 1)
	subnetMask  = 1
	messageType = 53
)

// Describe lists the options of a message (the UDP payload) in wire order, pads and end left out. The error tells where
// the list breaks off; what came before is returned besides it.
func Describe(message []byte) ([]Described, error) {
	if len(message) < fixedSize {
		return nil, fmt.Errorf("dhcp: a message of %d bytes, %d at least expected", len(message), fixedSize)
	}
	subs, _, err := ParseSubOptions(message[fixedSize:])
	var out []Described
	for _, o := range subs {
		d := Described{Code: o.Code, Value: o.Value}
		if known, ok := meanings[o.Code]; ok {
			d.Name, d.Meaning = known.name, known.read(o.Value)
		}
		out = append(out, d)
	}
	if err != nil {
		return out, fmt.Errorf("dhcp: option %w", err)
	}
	return out, nil
}

type meaning struct {
	name string
	read func([]byte) string
}

var meanings = map[uint8]meaning{
	subnetMask:       {"subnet mask", readAddresses},
	2:                {"time offset", readSeconds},
	3:                {"router", readAddresses},
	4:                {"time server (RFC 868)", readAddresses},
	6:                {"DNS server", readAddresses},
	12:               {"host name", readText},
	15:               {"domain name", readText},
	28:               {"broadcast address", readAddresses},
	optionNTP:        {"NTP server", readAddresses},
	OptionVendor:     {"vendor specific", readVendor},
	50:               {"requested address", readAddresses},
	51:               {"lease time", readSeconds},
	messageType:      {"message type", readMessageType},
	54:               {"server identifier", readAddresses},
	55:               {"parameter request list", readCodes},
	58:               {"renewal time", readSeconds},
	59:               {"rebinding time", readSeconds},
	OptionClass:      {"vendor class", readText},
	61:               {"client identifier", func(b []byte) string { return "" }},
	OptionSIPServers: {"SIP servers", readSIPServers},
}

func readAddresses(b []byte) string {
	if len(b) == 0 || len(b)%4 != 0 {
		return fmt.Sprintf("%d bytes, addresses of 4 expected", len(b))
	}
	var list []string
	for ; len(b) > 0; b = b[4:] {
		list = append(list, netip.AddrFrom4([4]byte(b)).String())
	}
	return strings.Join(list, ", ")
}

func readSeconds(b []byte) string {
	if len(b) != 4 {
		return fmt.Sprintf("%d bytes, 4 expected", len(b))
	}
	n := binary.BigEndian.Uint32(b)
	if n == 0xffffffff {
		return "without end"
	}
	return (time.Duration(int32(n)) * time.Second).String()
}

func readText(b []byte) string {
	if !utf8.Valid(b) {
		return ""
	}
	return fmt.Sprintf("%q", b)
}

func readMessageType(b []byte) string {
	names := []string{"DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"}
	if len(b) != 1 || b[0] < 1 || int(b[0]) > len(names) {
		return "unknown"
	}
	return names[b[0]-1]
}

func readCodes(b []byte) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(b)), ","), "[]")
}

func readSIPServers(b []byte) string {
	names, err := ParseSIPServers(b)
	if err != nil {
		return err.Error()
	}
	return strings.Join(names, ", ")
}

// readVendor names the sub-options of class MS-UC-Client, else those of CPE-OCPHONE, else of somebody else.
func readVendor(b []byte) string {
	subs, _, err := ParseSubOptions(b)
	var parts []string
	for _, s := range subs {
		switch {
		case s.Code == SubVLAN:
			if vid, err := parseVID(s.Value); err == nil {
				parts = append(parts, fmt.Sprintf("10 VLAN %d", vid))
				continue
			}
		case s.Code >= SubIdentifier && s.Code <= SubPath:
			text := fmt.Sprintf("%x", s.Value)
			if isText(s.Value) {
				text = fmt.Sprintf("%q", s.Value)
			}
			parts = append(parts, fmt.Sprintf("%d %s", s.Code, text))
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %x", s.Code, s.Value))
	}
	if err != nil {
		parts = append(parts, "sub-option "+err.Error())
	}
	return strings.Join(parts, " · ")
}
