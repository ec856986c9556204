package rig_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// This file writes down what passed the wire, byte for byte, and masks what is different from run to run.

// frame is an Ethernet frame.
type frame []byte

const (
	typeIPv4 = 0x0800
	typeVLAN = 0x8100
	typeLLDP = 0x88cc
)

// payload is what follows the header, and of which EtherType it is.
func (f frame) payload() (etherType uint16, b []byte) {
	etherType, b = binary.BigEndian.Uint16(f[12:]), f[14:]
	if etherType == typeVLAN {
		etherType, b = binary.BigEndian.Uint16(f[16:]), f[18:]
	}
	return etherType, b
}

// tag is the 802.1Q tag as the golden files show it.
func (f frame) tag() string {
	if binary.BigEndian.Uint16(f[12:]) != typeVLAN {
		return "untagged"
	}
	control := binary.BigEndian.Uint16(f[14:])
	return fmt.Sprintf("VLAN %d, priority %d", control&0x0fff, control>>13)
}

func isLLDP(f frame) bool {
	etherType, _ := f.payload()
	return etherType == typeLLDP
}

func isDHCP(f frame) bool {
	_, ok := f.dhcp()
	return ok
}

// datagram is a UDP datagram with what of its IP header is looked at.
type datagram struct {
	tos, ttl byte
	src, dst netip.AddrPort
	payload  []byte
}

// datagram reads a UDP datagram over IPv4 (RFC 791, RFC 768).
func (f frame) datagram() (datagram, bool) {
	etherType, b := f.payload()
	if etherType != typeIPv4 || b[0] != 0x45 || b[9] != 17 {
		return datagram{}, false
	}
	udp := b[20:]
	port := func(at int) uint16 { return binary.BigEndian.Uint16(udp[at:]) }
	return datagram{
		tos: b[1], ttl: b[8],
		src:     netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:])), port(0)),
		dst:     netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:])), port(2)),
		payload: udp[8:port(4)],
	}, true
}

// dhcp is the datagram of a DHCP message of the handset.
func (f frame) dhcp() (datagram, bool) {
	d, ok := f.datagram()
	return d, ok && d.src.Port() == 68 && d.dst.Port() == 67
}

// dhcpKind is the value of option 53, which stands first in each message of the handset.
func (f frame) dhcpKind() byte {
	d, _ := f.dhcp()
	return d.payload[242]
}

// option is the value of an option of a DHCP message.
func (d datagram) option(code byte) []byte {
	for b := d.payload[240:]; len(b) > 2 && b[0] != 255 && len(b) >= 2+int(b[1]); b = b[2+int(b[1]):] {
		if b[0] == code {
			return b[2 : 2+int(b[1])]
		}
	}
	return nil
}

func (f frame) head() string {
	return fmt.Sprintf("%v > %v, %s", net.HardwareAddr(f[6:12]), net.HardwareAddr(f[:6]), f.tag())
}

// text is the frame as the golden files show it.
func (f frame) text() string {
	if d, ok := f.dhcp(); ok {
		return f.head() + "\n" + d.dhcpText()
	}
	_, b := f.payload()
	return f.head() + "\n" + lldpText(b)
}

// lldpText shows an LLDPDU, a TLV a line (IEEE 802.1AB, 9.4).
func lldpText(b []byte) string {
	var out strings.Builder
	for len(b) >= 2 && binary.BigEndian.Uint16(b) != 0 {
		head := binary.BigEndian.Uint16(b)
		n := min(int(head&0x1ff), len(b)-2)
		fmt.Fprintf(&out, "%4d %s\n", head>>9, readable(b[2:2+n]))
		b = b[2+n:]
	}
	return out.String() + rest(b)
}

// dhcpText shows a message field by field (RFC 2131 §2) and an option a line.
func (d datagram) dhcpText() string {
	b := d.payload
	var out strings.Builder
	fmt.Fprintf(&out, "ip %v > %v, tos %02x, ttl %d, %d bytes\n", d.src, d.dst, d.tos, d.ttl, len(b))
	fmt.Fprintf(&out, "op %x htype %x hlen %x hops %x xid=%x secs %x flags %x\n", b[:1], b[1:2], b[2:3], b[3:4], b[4:8], b[8:10], b[10:12])
	fmt.Fprintf(&out, "ciaddr %x yiaddr %x siaddr %x giaddr %x\n", b[12:16], b[16:20], b[20:24], b[24:28])
	fmt.Fprintf(&out, "chaddr %x sname, file: %s", b[28:44], rest(b[44:236]))
	fmt.Fprintf(&out, "cookie %x\n", b[236:240])
	for b = b[240:]; len(b) > 2 && b[0] != 255; b = b[2+int(b[1]):] {
		fmt.Fprintf(&out, "%4d %s\n", b[0], readable(b[2:2+int(b[1])]))
	}
	return out.String() + rest(b)
}

// readable is b in hexadecimal digits, with the text in it if there is a word of four characters.
func readable(b []byte) string {
	if !word.Match(b) {
		return hex.EncodeToString(b)
	}
	return fmt.Sprintf("%x  %q", b, bytes.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '.'
		}
		return r
	}, b))
}

var word = regexp.MustCompile(`[A-Za-z0-9-]{4}`)

// rest shows bytes that should be zero.
func rest(b []byte) string {
	if trimmed := bytes.TrimRight(b, "\x00"); len(trimmed) > 0 {
		return fmt.Sprintf("%x and %d zero bytes\n", trimmed, len(b)-len(trimmed))
	}
	return fmt.Sprintf("%d zero bytes\n", len(b))
}

// message is one HTTP or SIP message; a keep-alive is one without a head.
type message struct {
	head []string // start line and header lines
	body string
}

// messages cuts a stream (RFC 7230 §3, RFC 3261 §7). What is left over is an error.
func messages(stream []byte) ([]message, error) {
	var out []message
	for text := string(stream); text != ""; {
		if after, ok := strings.CutPrefix(text, "\r\n\r\n"); ok {
			out = append(out, message{})
			text = after
			continue
		}
		head, after, ok := strings.Cut(text, "\r\n\r\n")
		if !ok {
			return out, fmt.Errorf("%d bytes are no message: %.60q", len(text), text)
		}
		m := message{head: strings.Split(head, "\r\n")}
		n := 0
		if text := m.value("Content-Length"); text != "" {
			var err error
			if n, err = strconv.Atoi(text); err != nil || n > len(after) {
				return out, fmt.Errorf("Content-Length %q, %d bytes left", text, len(after))
			}
		}
		m.body, text = after[:n], after[n:]
		out = append(out, m)
	}
	return out, nil
}

// start is the request line.
func (m message) start() string {
	if len(m.head) == 0 {
		return ""
	}
	return m.head[0]
}

// value is that of the first header of that name.
func (m message) value(name string) string {
	for _, line := range m.head {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return value
		}
	}
	return ""
}

func (m message) text() string {
	if m.head == nil {
		return "(keep-alive)\n"
	}
	text := strings.Join(m.head, "\n") + "\n"
	if m.body != "" {
		text += "\n" + strings.ReplaceAll(m.body, "\r\n", "\\r\\n\n") + "\n"
	}
	return text
}

// masks are what is different from run to run. A value becomes its name and a number, the same one wherever it stands.
var masks = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"xid", regexp.MustCompile(`xid=([0-9a-f]{8})\b`)},
	{"port", regexp.MustCompile(`(?:\d+\.){3}\d+:(\d{5})\b`)},
	{"tag", regexp.MustCompile(`;tag=([0-9a-f]{10}|[0-9A-F]{32})\b`)},
	{"call-id", regexp.MustCompile(`(?m)^Call-ID: ([0-9a-f]{32})$`)},
	{"ms-opaque", regexp.MustCompile(`;ms-opaque=([0-9a-f]{10})\b`)},
	{"association", regexp.MustCompile(` opaque="([0-9A-F]{8})"`)},
	{"flight", regexp.MustCompile(` gssapi-data="([A-Za-z0-9+/]+=*)"`)},
	{"crand", regexp.MustCompile(` crand="([0-9a-f]{8})"`)},
	{"response", regexp.MustCompile(` response="([0-9a-f]{40})"`)},
	{"uuid", regexp.MustCompile(`(?: Context="|uuid:|RequestID>|SamlSecurityToken-)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b`)},
	{"time", regexp.MustCompile(`\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)`)},
	{"base64", regexp.MustCompile(`<(?:\w+:)?(?:BinarySecret|CipherValue|DigestValue|SignatureValue)>([A-Za-z0-9+/]+=*)<`)},
	{"request", regexp.MustCompile(`#Base64Binary">((?:\\r\\n\n[A-Za-z0-9+/]{1,76}=*)+)<`)},
}

// masked replaces what is different from run to run.
func masked(text string) string {
	for _, m := range masks {
		number := map[string]int{}
		text = m.pattern.ReplaceAllStringFunc(text, func(whole string) string {
			value := m.pattern.FindStringSubmatch(whole)[1]
			if number[value] == 0 {
				number[value] = len(number) + 1
			}
			i := strings.LastIndex(whole, value)
			return fmt.Sprintf("%s{%s %d}%s", whole[:i], m.name, number[value], whole[i+len(value):])
		})
	}
	return text
}
