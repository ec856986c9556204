package ethernet

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/phone-edition/lpe/protocol/arp"
)

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestChecksum(t *testing.T) {
	for _, c := range []struct {
		bytes string
		want  uint16
	}{
		{"0001f203f4f5f6f7", 0x220d}, // RFC 1071, 3
		{"0001f203f4f5f6", 0x2304},
		{"", 0xffff},
		{"ffff", 0},
	} {
		if got := checksum(sum(0, decode(t, c.bytes))); got != c.want {
			t.Errorf("%s: %#04x, want %#04x", c.bytes, got, c.want)
		}
	}
}

func TestUDPFrame(t *testing.T) {
	from, to := netip.MustParseAddrPort("0.0.0.0:68"), netip.MustParseAddrPort("255.255.255.255:67")
	frame := udpFrame(from, to, []byte("abc"), ipv4Fields{id: 0x1234, ttl: 128, dscp: 46})
	want := decode(t, "000000000000"+"000000000000"+"0800"+
		"45b8001f12340000801127e3"+"00000000"+"ffffffff"+
		"00440043000b3aef"+"616263")
	if !bytes.Equal(frame[:len(want)], want) || len(frame) != minFrame {
		t.Errorf("got  %x\nwant %x", frame, want)
	}
	p, err := parseIPv4(frame[headerSize:])
	if err != nil {
		t.Fatal(err)
	}
	srcPort, dstPort, payload, err := parseUDP(p)
	if err != nil || srcPort != 68 || dstPort != 67 || string(payload) != "abc" {
		t.Errorf("%d to %d: %q, %v", srcPort, dstPort, payload, err)
	}
	markDSCP(frame[headerSize:], 10)
	if p, err = parseIPv4(frame[headerSize:]); err != nil || p.header[1] != 10<<2 {
		t.Errorf("type of service %#02x, %v", p.header[1], err)
	}
}

// TestZeroUDPChecksum finds a datagram whose checksum is zero: 0xffff goes out instead (RFC 768).
func TestZeroUDPChecksum(t *testing.T) {
	from, to := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:2")
	for i := range 1 << 16 {
		frame := udpFrame(from, to, []byte{byte(i >> 8), byte(i)}, ipv4Fields{})
		c := frame[headerSize+ipv4HeaderSize+6:][:2]
		if c[0] == 0 && c[1] == 0 {
			t.Fatalf("payload %04x: checksum 0", i)
		}
		if c[0] != 0xff || c[1] != 0xff {
			continue
		}
		p, err := parseIPv4(frame[headerSize:])
		if err == nil {
			_, _, _, err = parseUDP(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTag(t *testing.T) {
	untagged := pad(decode(t, "ffffffffffff"+"020000000001"+"0806"+"0102"))
	tagged := addTag(untagged, control(200, 5))
	if !bytes.Equal(tagged[:20], decode(t, "ffffffffffff"+"020000000001"+"8100a0c8"+"0806"+"0102")) {
		t.Errorf("tagged %x", tagged)
	}
	c, ok := readTag(tagged)
	if !ok || c.vlan() != 200 || c.priority() != 5 {
		t.Errorf("read VLAN %d, priority %d, %v", c.vlan(), c.priority(), ok)
	}
	if _, ok := readTag(untagged); ok {
		t.Error("a tag was read where there is none")
	}
	if got := stripTag(tagged); !bytes.Equal(got, untagged) {
		t.Errorf("stripped %x", got)
	}
	if short := stripTag(addTag(untagged, control(200, 5))[:60]); len(short) != minFrame {
		t.Errorf("stripped to %d bytes", len(short))
	}
}

// TestStationReceivesEveryTruncation gives a station each beginning of each kind of frame; an interface may deliver
// frames shorter than a station can send.
func TestStationReceivesEveryTruncation(t *testing.T) {
	own, other := netip.MustParsePrefix("10.0.0.1/24"), netip.MustParseAddrPort("10.0.0.2:67")
	mac := macAddress{2, 0, 0, 0, 0, 1}
	datagram := udpFrame(other, netip.AddrPortFrom(own.Addr(), 68), []byte("abc"), ipv4Fields{ttl: 128})
	icmp, b := newIPv4Frame(other.Addr().As4(), own.Addr().As4(), protocolICMP, icmpHeaderSize+len(datagram), ipv4Fields{ttl: 128})
	copy(b, []byte{icmpUnreachable, icmpPortUnreachable})
	copy(b[icmpHeaderSize:], datagram[headerSize:])
	tcp, _ := newIPv4Frame(other.Addr().As4(), own.Addr().As4(), protocolTCP, 20, ipv4Fields{ttl: 128})
	frames := map[string][]byte{
		"UDP": datagram, "ICMP": icmp, "TCP": tcp,
		"ARP request": arpFrame(arp.Packet{Operation: arp.Request, SenderMAC: macAddress{2, 0, 0, 0, 0, 2}, Sender: other.Addr().As4(), Target: own.Addr().As4()}, mac),
		"ARP reply":   arpFrame(arp.Packet{Operation: arp.Reply, SenderMAC: macAddress{2, 0, 0, 0, 0, 2}, Sender: own.Addr().As4(), Target: own.Addr().As4()}, mac),
	}
	for name, cable := range map[string]Cable{"pipe": NewPipe(Options{}), "segment": NewSegment(Options{})} {
		t.Run(name, func(t *testing.T) {
			defer cable.Close()
			joined, err := cable.Join(StationConfig{Name: "handset", MAC: mac.hardware()})
			if err != nil {
				t.Fatal(err)
			}
			if err := joined.SetAddress(own, netip.Addr{}); err != nil {
				t.Fatal(err)
			}
			raw, err := joined.RawUDP(68)
			if err != nil {
				t.Fatal(err)
			}
			for _, frame := range frames {
				copy(frame, mac[:])
				for _, whole := range [][]byte{frame, addTag(frame, control(0, 5)), addTag(addTag(frame, control(0, 5)), 0)} {
					for n := range len(whole) + 1 {
						joined.(*station).receive(bytes.Clone(whole[:n]))
					}
				}
			}
			got, err := raw.Receive(t.Context())
			if err != nil || string(got.Payload) != "abc" || got.Src != other {
				t.Errorf("received %+v, %v", got, err)
			}
		})
	}
}

// FuzzReceive gives a station any frame; a datagram that is accepted must be built again as it was.
func FuzzReceive(f *testing.F) {
	from, to := netip.MustParseAddrPort("10.0.0.1:68"), netip.MustParseAddrPort("10.0.0.2:67")
	f.Add(udpFrame(from, to, []byte("abc"), ipv4Fields{ttl: 128})[headerSize:])
	f.Add([]byte{0x45})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseIPv4(b)
		if err != nil {
			return
		}
		srcPort, dstPort, payload, err := parseUDP(p)
		if err != nil || p.protocol != protocolUDP {
			return
		}
		src := netip.AddrPortFrom(netip.AddrFrom4(p.src), srcPort)
		dst := netip.AddrPortFrom(netip.AddrFrom4(p.dst), dstPort)
		again := udpFrame(src, dst, payload, ipv4Fields{})
		q, err := parseIPv4(again[headerSize:])
		if err != nil {
			t.Fatal(err)
		}
		if _, _, same, err := parseUDP(q); err != nil || !bytes.Equal(same, payload) {
			t.Fatalf("%x became %x, %v", payload, same, err)
		}
	})
}
