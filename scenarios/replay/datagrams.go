package replay

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/ntp"
)

var (
	optionName  = regexp.MustCompile(`^option ([0-9]+)( |$)`)
	optionValue = regexp.MustCompile(`(?:^|\()([0-9a-f]*)\)?$`)
)

// Options that are not taken from a recording: those of this lease, this handset and, of the pool, this network.
var (
	handsetOptions = []byte{50, 54, 61, 12}
	poolOptions    = []byte{53, 54, 50, 61, 82, 1, 3, 6, 42}
)

// dhcpFixed is the length of a DHCP message up to its options, the magic cookie included (RFC 2131, 2).
const dhcpFixed = 240

// replayedDHCP is a message with the options that were recorded, in their order. Options in own are its own, where it has
// them. A message that cannot be replayed is returned as it is.
func replayedDHCP(payload []byte, fields []exchange.Field, own []byte) []byte {
	parsed, err := dhcpoption.Parse(payload)
	if err != nil {
		return payload
	}
	out := bytes.Clone(payload[:dhcpFixed])
	for _, f := range fields {
		name, value := optionName.FindStringSubmatch(f.Name), optionValue.FindStringSubmatch(f.Value)
		if name == nil {
			continue
		}
		code, err := strconv.ParseUint(name[1], 10, 8)
		if err != nil {
			return payload
		}
		text := parsed.Options.Get(optionCode(code))
		if !slices.Contains(own, byte(code)) || text == nil {
			if value == nil {
				return payload
			}
			if text, err = hex.DecodeString(value[1]); err != nil {
				return payload
			}
		}
		for first := true; first || len(text) > 0; first = false { // RFC 3396: a long option is cut
			n := min(len(text), 255)
			out = append(append(out, byte(code), byte(n)), text[:n]...)
			text = text[n:]
		}
	}
	out = append(out, 255)
	for len(out) < len(payload) {
		out = append(out, 0)
	}
	return out
}

// replayedNAK is the refusal that was recorded in place of an answer: without an address (RFC 2131, 4.3.1).
func replayedNAK(answer []byte, fields []exchange.Field) []byte {
	const addresses, end = 12, 24 // ciaddr, yiaddr, siaddr
	out := bytes.Clone(answer)
	clear(out[addresses:end])
	return replayedDHCP(out, fields, []byte{54, 50, 61, 82})
}

type optionCode byte

func (c optionCode) Code() uint8    { return byte(c) }
func (c optionCode) String() string { return strconv.Itoa(int(c)) }

// value is a field of a recorded message, "" if it was not recorded.
func value(fields []exchange.Field, name string) string {
	for _, f := range fields {
		if f.Name == name && f.Origin == timeline.Recorded {
			return f.Value
		}
	}
	return ""
}

var (
	dnsRecord = regexp.MustCompile(`^(A|SRV|CNAME) (\S+)$`)
	srvValue  = regexp.MustCompile(`^priority ([0-9]+), weight ([0-9]+), port ([0-9]+), (\S+)$`)
	dnsTTL    = regexp.MustCompile(`^(.*), TTL ([0-9]+) s$`)
)

// replayedDNS is an answer with the code, the flags and the records that were recorded, at the addresses of this network where
// it has them. An answer that is to hold a record of another kind than these is returned as it is.
func replayedDNS(answer []byte, fields []exchange.Field) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(answer); err != nil {
		return answer
	}
	code, ok := dnsCode(value(fields, "code"))
	if !ok {
		return answer
	}
	flags := strings.Split(value(fields, "flags"), ", ")
	own := map[string][]dnsmessage.Resource{} // addresses by name
	for _, a := range m.Answers {
		if name := strings.ToLower(a.Header.Name.String()); a.Header.Type == dnsmessage.TypeA {
			own[name] = append(own[name], a)
		}
	}
	m.RCode, m.Answers = code, nil
	m.Authoritative, m.RecursionAvailable = slices.Contains(flags, "authoritative"), slices.Contains(flags, "recursion available")
	for _, f := range fields {
		name := numbered.ReplaceAllString(f.Name, "")
		if name == "id" || name == "flags" || name == "code" || name == "question" {
			continue
		}
		r, ok := dnsResource(name, f.Value)
		if !ok {
			return answer
		}
		if here, ok := own[strings.ToLower(r.Header.Name.String())]; ok && r.Header.Type == dnsmessage.TypeA {
			for i := range here {
				here[i].Header.TTL = r.Header.TTL
			}
			m.Answers = append(m.Answers, here...)
			own[strings.ToLower(r.Header.Name.String())] = nil
			continue
		}
		m.Answers = append(m.Answers, r)
	}
	out, err := m.Pack()
	if err != nil {
		return answer
	}
	return out
}

// dnsCode is a response code as [exchange.DNS] tells it.
func dnsCode(told string) (dnsmessage.RCode, bool) {
	const codes = 16 // that fit into the header (RFC 1035, 4.1.1)
	for code := range dnsmessage.RCode(codes) {
		if strings.TrimPrefix(code.String(), "RCode") == told {
			return code, true
		}
	}
	return 0, false
}

// dnsResource is a record as [exchange.DNS] tells it.
func dnsResource(name, text string) (dnsmessage.Resource, bool) {
	var out dnsmessage.Resource
	kind, told := dnsRecord.FindStringSubmatch(name), dnsTTL.FindStringSubmatch(text)
	if kind == nil || told == nil {
		return out, false
	}
	owner, err := dnsmessage.NewName(kind[2])
	if err != nil {
		return out, false
	}
	ttl, err := strconv.ParseUint(told[2], 10, 32)
	if err != nil {
		return out, false
	}
	out.Header = dnsmessage.ResourceHeader{Name: owner, Class: dnsmessage.ClassINET, TTL: uint32(ttl)}
	switch kind[1] {
	case "A":
		address, err := netip.ParseAddr(told[1])
		if err != nil || !address.Is4() {
			return out, false
		}
		out.Header.Type, out.Body = dnsmessage.TypeA, &dnsmessage.AResource{A: address.As4()}
	case "CNAME":
		target, err := dnsmessage.NewName(told[1])
		if err != nil {
			return out, false
		}
		out.Header.Type, out.Body = dnsmessage.TypeCNAME, &dnsmessage.CNAMEResource{CNAME: target}
	case "SRV":
		srv, ok := service(told[1])
		if !ok {
			return out, false
		}
		out.Header.Type, out.Body = dnsmessage.TypeSRV, srv
	}
	return out, true
}

func service(text string) (*dnsmessage.SRVResource, bool) {
	found := srvValue.FindStringSubmatch(text)
	if found == nil {
		return nil, false
	}
	var numbers [3]uint16
	for i := range numbers {
		n, err := strconv.ParseUint(found[i+1], 10, 16)
		if err != nil {
			return nil, false
		}
		numbers[i] = uint16(n)
	}
	target, err := dnsmessage.NewName(found[4])
	return &dnsmessage.SRVResource{Priority: numbers[0], Weight: numbers[1], Port: numbers[2], Target: target}, err == nil
}

// replayedNTP is a packet with what was recorded besides its times and, of an answer, what it says of the clock of the
// server, which is this computer's.
func replayedNTP(packet []byte, fields []exchange.Field) []byte {
	p, err := ntp.Parse(packet)
	if err != nil {
		return packet
	}
	number := func(name string, old int64, base, bits int) int64 {
		if n, err := strconv.ParseInt(value(fields, name), base, bits); err == nil {
			return n
		}
		return old
	}
	p.Leap = uint8(number("leap", int64(p.Leap), 10, 8))
	p.Stratum = uint8(number("stratum", int64(p.Stratum), 10, 9))
	p.Poll = int8(number("poll", int64(p.Poll), 10, 8))
	p.Precision = int8(number("precision", int64(p.Precision), 10, 8))
	p.RootDelay = uint32(number("root delay", int64(p.RootDelay), 16, 64))
	p.RootDispersion = uint32(number("root dispersion", int64(p.RootDispersion), 16, 64))
	if p.Mode == ntp.ModeClient {
		p.Version = uint8(number("version", int64(p.Version), 10, 8))
	}
	if id, err := hex.DecodeString(value(fields, "reference id")); err == nil && len(id) == len(p.ReferenceID) {
		copy(p.ReferenceID[:], id)
	}
	out, err := p.Append(nil)
	if err != nil {
		return packet
	}
	return out
}

// Fields of an LLDP data unit that say where its sender is, and what it knows of the voice VLAN.
var ownTLVs = []string{"chassis", "port", "time to live", "LLDP-MED", "network policy"}

// replayLLDP gives a data unit the TLVs that were recorded, in their order. Those of ownTLVs are its own.
func replayLLDP(unit *lldp.PDU, fields []exchange.Field) {
	told := exchange.LLDP(*unit).Fields // one a TLV, behind chassis, port and time to live
	const mandatory = 3
	if len(told) != len(unit.TLVs)+mandatory {
		return
	}
	own := map[string]lldp.TLV{}
	for i, t := range unit.TLVs {
		own[told[i+mandatory].Name] = t
	}
	var out []lldp.TLV
	for _, f := range fields {
		t, has := own[f.Name]
		name := numbered.ReplaceAllString(f.Name, "")
		if slices.Contains(ownTLVs, name) {
			if has {
				out = append(out, t)
				delete(own, f.Name)
			}
			continue
		}
		if made, ok := exchange.LLDPTLV(name, f.Value); ok {
			t = made
		} else if !has {
			continue
		}
		out = append(out, t)
	}
	for i := range unit.TLVs {
		name := told[i+mandatory].Name
		if t, left := own[name]; left && slices.Contains(ownTLVs, numbered.ReplaceAllString(name, "")) {
			out = append(out, t)
		}
	}
	unit.TLVs = out
}
