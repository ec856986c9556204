package importer

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A frame is what tshark tells of one, from the link up to what TCP, UDP and TLS carry.
type frame struct {
	Number  int // in the capture file
	At      time.Time
	Cut     bool // the capture holds less of it than there was
	Cooked  bool // the link layer is Linux's cooked one: there is no destination
	From    net.HardwareAddr
	To      net.HardwareAddr
	VLAN    string // "" untagged
	Ether   uint16
	TTL     int            // of IPv4
	Source  netip.AddrPort // without port but for TCP and UDP
	Target  netip.AddrPort
	UDP     []byte   // the datagram's payload, nil: it is none
	TCP     *segment // nil: it is none
	Payload []byte   // behind the link header, of ARP and LLDP
	ICMP    []byte   // the packet's, nil: it is none
	Clear   [][]byte // the TLS records with application data that the frame completes, decrypted
	Types   []int    // content types of the TLS records that the frame completes, as far as they can be told
	// Disguised is how many of its TLS records look like application data whatever they hold: those of TLS 1.3. Types has
	// the types of those that were decrypted.
	Disguised int
	Certs     [][]byte // certificates of a handshake, DER
}

type segment struct {
	Stream             int
	Seq                uint32
	SYN, ACK, FIN, RST bool
	Payload            []byte
}

const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// Ethernet types and the number of ICMP.
const (
	protocolICMP = 1

	etherARP  = 0x0806
	etherLLDP = 0x88cc
)

// fields of a frame, in the order in which parseFrame takes them.
var linkFields = []string{
	"frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.protocols", "eth.src", "eth.dst", "sll.src.eth", "vlan.id",
	"eth.type", "vlan.etype", "sll.etype", "ip.proto", "ip.ttl", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "udp.payload",
}

var streamFields = append(linkFields[:len(linkFields):len(linkFields)],
	"tcp.stream", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.seq_raw", "tcp.payload")

var allFields = append(streamFields[:len(streamFields):len(streamFields)],
	"data.data", "tls.record.content_type", "tls.record.opaque_type", "tls.handshake.certificate")

// dataField is where streamFields have the bytes of what tshark was told not to take apart.
var dataFields = append(streamFields[:len(streamFields):len(streamFields)], "data.data")

// values takes the values of a line one after the other and keeps the first mistake.
type values struct {
	list []string
	err  error
}

func (v *values) next() string {
	if len(v.list) == 0 {
		return ""
	}
	text := v.list[0]
	v.list = v.list[1:]
	return text
}

// last is the innermost of several values, as of two VLAN tags or of IP in IP.
func (v *values) last() string {
	text := v.next()
	return text[strings.LastIndexByte(text, ',')+1:]
}

func (v *values) number(bits int) uint64 {
	text := v.last()
	if text == "" || v.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(text, 0, bits)
	v.keep(err)
	return n
}

func (v *values) mac() net.HardwareAddr {
	text := v.last()
	if text == "" || v.err != nil {
		return nil
	}
	mac, err := net.ParseMAC(text)
	v.keep(err)
	if strings.Trim(text, "0:") == "" { // the loopback interface
		return nil
	}
	return mac
}

func (v *values) bytes(text string) []byte {
	if text == "" || v.err != nil {
		return nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	v.keep(err)
	return b
}

func (v *values) lists() [][]byte {
	var out [][]byte
	for _, text := range split(v.next()) {
		out = append(out, v.bytes(text))
	}
	return out
}

func (v *values) numbers() []int {
	var out []int
	for _, text := range split(v.next()) {
		n, err := strconv.Atoi(text)
		v.keep(err)
		out = append(out, n)
	}
	return out
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (v *values) keep(err error) {
	if v.err == nil {
		v.err = err
	}
}

// parseFrame reads a line with allFields, or with the first of them.
func parseFrame(line []string) (frame, error) {
	v := values{list: line}
	f := frame{Number: int(v.number(63)), At: v.time()}
	length, captured := v.number(32), v.number(32)
	f.Cut = captured < length
	in := innermost(v.next())
	f.From, f.To = v.mac(), v.mac()
	if !in("eth") {
		f.From, f.To = nil, nil
	}
	if cooked := v.next(); cooked != "" {
		f.Cooked = true
		one := values{list: []string{cooked}}
		f.From = one.mac()
		v.keep(one.err)
	}
	f.VLAN = v.next()
	eth, vlan, sll := v.number(16), v.number(16), v.number(16)
	for _, one := range []struct {
		layer string
		ether uint64
	}{{"eth", eth}, {"vlan", vlan}, {"sll", sll}} {
		if one.ether != 0 && (in(one.layer) || in("ieee8021ad")) {
			f.Ether = uint16(one.ether)
		}
	}
	f.Cooked = f.Cooked || sll != 0
	protocol := v.number(8)
	f.TTL = int(v.number(8))
	source, target := v.address(v.last(), v.last())
	source6, target6 := v.address(v.last(), v.last())
	switch {
	case in("ipv6"):
		source, target = source6, target6
	case !in("ip"):
		source, target = netip.Addr{}, netip.Addr{}
	}
	from, to := uint16(v.number(16)), uint16(v.number(16))
	if f.UDP = v.bytes(v.last()); !in("udp") {
		f.UDP, from, to = nil, 0, 0
	}
	if text := v.last(); text != "" {
		f.TCP = v.segment(text, &from, &to)
	} else {
		v.segment("0", new(uint16), new(uint16))
	}
	f.Source, f.Target = netip.AddrPortFrom(source, from), netip.AddrPortFrom(target, to)
	data := v.lists()
	switch {
	case f.TCP != nil:
		f.Clear = data
	case len(data) > 0 && protocol == protocolICMP:
		f.ICMP = data[0]
	case len(data) > 0 && (f.Ether == etherARP || f.Ether == etherLLDP):
		f.Payload = data[0]
	}
	f.Types = v.numbers()
	f.Disguised = len(v.numbers())
	f.Certs = v.lists()
	if v.err != nil {
		return frame{}, fmt.Errorf("frame %d: tshark's output cannot be read: %w", f.Number, v.err)
	}
	return f, nil
}

// innermost tells which layers a frame has, of tshark's list of them. What is mirrored inside a tunnel is the frame.
func innermost(protocols string) func(layer string) bool {
	layers := strings.Split(protocols, ":")
	for i := len(layers) - 1; i >= 0; i-- {
		if slices.Contains(tunnels, layers[i]) {
			layers = layers[i+1:]
			break
		}
	}
	return func(layer string) bool { return slices.Contains(layers, layer) }
}

var tunnels = []string{"gre", "erspan", "vxlan"}

func (v *values) segment(stream string, from, to *uint16) *segment {
	n, err := strconv.Atoi(stream)
	v.keep(err)
	source, target := uint16(v.number(16)), uint16(v.number(16))
	if source != 0 {
		*from, *to = source, target
	}
	flags := v.number(16)
	return &segment{
		Stream: n, Seq: uint32(v.number(32)), Payload: v.bytes(v.last()),
		SYN: flags&flagSYN != 0, ACK: flags&flagACK != 0, FIN: flags&flagFIN != 0, RST: flags&flagRST != 0,
	}
}

func (v *values) address(source, target string) (from, to netip.Addr) {
	if source == "" || v.err != nil {
		return from, to
	}
	from, err := netip.ParseAddr(source)
	v.keep(err)
	to, err = netip.ParseAddr(target)
	v.keep(err)
	return from, to
}

// time reads seconds since 1970 with nanoseconds.
func (v *values) time() time.Time {
	seconds, fraction, _ := strings.Cut(v.next(), ".")
	s, err := strconv.ParseInt(seconds, 10, 64)
	v.keep(err)
	if fraction == "" {
		return time.Unix(s, 0).UTC()
	}
	n, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	v.keep(err)
	return time.Unix(s, n).UTC()
}
