package dhcpoption

import (
	"bytes"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// inform is the DHCPINFORM of discovery.md §1.4 [G1].
func inform(t testing.TB) []byte {
	t.Helper()
	m := &dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootRequest,
		HWType:        1,
		TransactionID: dhcpv4.TransactionID{0xa1, 0xd6, 0x66, 0x0b},
		ClientIPAddr:  net.IPv4(15, 255, 125, 61),
		ClientHWAddr:  net.HardwareAddr{0xf4, 0xce, 0x46, 0x22, 0x52, 0xb3},
		Options: dhcpv4.Options{
			53: {8},
			61: {1, 0xf4, 0xce, 0x46, 0x22, 0x52, 0xb3},
			12: []byte("ddawson5"),
			55: {120, 43},
			60: []byte(ClassUC),
		},
	}
	b, err := Encode(m, []uint8{53, 61, 12, 55, 60})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestInformIsTheCapturedOne(t *testing.T) {
	b := inform(t)
	options := strings.Join([]string{
		"350108",
		"3d0701f4ce462252b3",
		"0c0864646177736f6e35",
		"3702782b",
		"3c0c4d532d55432d436c69656e74",
		"ff",
	}, "")
	want := "01010600a1d6660b" + "00000000" + "0fff7d3d" + strings.Repeat("00", 12) +
		"f4ce462252b3" + strings.Repeat("00", 10+64+128) + "63825363" + options
	want += strings.Repeat("0", 600-len(want))
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if sum := udpChecksum(b, [4]byte{15, 255, 125, 61}, [4]byte{255, 255, 255, 255}); sum != 0x4656 {
		t.Errorf("UDP checksum %#04x, the captured frame has 0x4656", sum)
	}
	order, err := Order(b)
	if err != nil || !slices.Equal(order, []uint8{53, 61, 12, 55, 60}) {
		t.Errorf("Order = %v, %v", order, err)
	}
}

// udpChecksum sums a datagram from port 68 to port 67 (RFC 768).
func udpChecksum(payload []byte, src, dst [4]byte) uint16 {
	size := len(payload) + 8
	b := slices.Concat(src[:], dst[:], []byte{0, 17, byte(size >> 8), byte(size)},
		[]byte{0, 68, 0, 67, byte(size >> 8), byte(size), 0, 0}, payload)
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func TestEncodeOrder(t *testing.T) {
	m := &dhcpv4.DHCPv4{Options: dhcpv4.Options{82: {1}, 1: {2}, 60: {3}, 53: {4}, 200: {}}}
	b, err := Encode(m, []uint8{60, 99, 53})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b[240:254], []byte{60, 1, 3, 53, 1, 4, 1, 1, 2, 200, 0, 82, 1, 1}; !bytes.Equal(got, want) || b[254] != 255 {
		t.Errorf("options % x, want % x and the end", got, want)
	}
	if len(b) != 300 {
		t.Errorf("message of %d bytes, want 300", len(b))
	}
}

func TestEncodeSplitsLongValues(t *testing.T) {
	value := bytes.Repeat([]byte{7}, 300)
	b, err := Encode(&dhcpv4.DHCPv4{Options: dhcpv4.Options{43: value}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b[240] != 43 || b[241] != 255 || b[497] != 43 || b[498] != 45 {
		t.Errorf("option 43 of 300 bytes is not split into 255 and 45 (RFC 3396)")
	}
	m, err := Parse(b)
	if err != nil || !bytes.Equal(m.Options[43], value) {
		t.Errorf("read back %d bytes, %v", len(m.Options[43]), err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name  string
		m     dhcpv4.DHCPv4
		order []uint8
		want  string
	}{
		{"server name", dhcpv4.DHCPv4{ServerHostName: strings.Repeat("a", 65)}, nil, "server host name of 65 bytes"},
		{"file name", dhcpv4.DHCPv4{BootFileName: strings.Repeat("a", 129)}, nil, "boot file name of 129 bytes"},
		{"hardware address", dhcpv4.DHCPv4{ClientHWAddr: make(net.HardwareAddr, 17)}, nil, "hardware address of 17 bytes"},
		{"hardware type", dhcpv4.DHCPv4{HWType: 256}, nil, "hardware type 256"},
		{"IPv6", dhcpv4.DHCPv4{YourIPAddr: net.ParseIP("2001:db8::1")}, nil, "an IPv4 address expected"},
		{"order", dhcpv4.DHCPv4{}, []uint8{53, 53}, "named twice"},
		{"pad", dhcpv4.DHCPv4{Options: dhcpv4.Options{0: {1}}}, nil, "option 0 has no value"},
		{"end", dhcpv4.DHCPv4{Options: dhcpv4.Options{255: {1}}}, nil, "option 255 has no value"},
		{"size", dhcpv4.DHCPv4{Options: dhcpv4.Options{43: make([]byte, 1300)}}, nil, "at most 1472 fit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Encode(&test.m, test.order); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	good := inform(t)
	edit := func(change func([]byte) []byte) []byte { return change(slices.Clone(good)) }
	for _, test := range []struct {
		name, want string
		b          []byte
	}{
		{"empty", "message of 0 bytes", nil},
		{"short", "message of 239 bytes", good[:239]},
		{"long", "message of 1473 bytes", append(slices.Clone(good), make([]byte, 1173)...)},
		{"cookie", "magic cookie 00 82 53 63", edit(func(b []byte) []byte { b[236] = 0; return b })},
		{"hardware address", "hardware address of 17 bytes", edit(func(b []byte) []byte { b[2] = 17; return b })},
		{"no end", "no end", good[:280]},
		{"cut option", "option 53 claims 1 bytes, 0 left", good[:242]},
		{"cut header", "option 53 ends before its length", good[:241]},
		{"overload", "option 52 is 04", edit(func(b []byte) []byte { copy(b[240:], []byte{52, 1, 4, 255}); return b })},
		{"overload without end", "boot file name field", edit(func(b []byte) []byte { copy(b[240:], []byte{52, 1, 1, 255}); return b })},
		{"overload twice", "inside of a field", edit(func(b []byte) []byte {
			copy(b[240:], []byte{52, 1, 1, 255})
			copy(b[108:], []byte{52, 1, 1, 255})
			return b
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Parse(test.b); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestParseReadsOverloadedFields(t *testing.T) {
	b := make([]byte, 300)
	copy(b[236:], magicCookie)
	copy(b[240:], []byte{52, 1, 3, 43, 1, 'a', 255})
	copy(b[108:], []byte{43, 1, 'b', 255})
	copy(b[44:], []byte{43, 1, 'c', 15, 1, 'd', 255})
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	want := dhcpv4.Options{43: []byte("abc"), 15: []byte("d")}
	if diff := cmp.Diff(want, m.Options); diff != "" || m.BootFileName != "" || m.ServerHostName != "" {
		t.Errorf("options (-want +got):\n%s, file %q, server name %q", diff, m.BootFileName, m.ServerHostName)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(inform(f))
	ack := inform(f)
	copy(ack[240:], []byte{53, 1, 5, 0, 0, 43, 2, 1, 0, 43, 1, 9, 52, 1, 1, 255})
	copy(ack[108:], []byte{15, 1, 'd', 255})
	f.Add(ack)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		order, err := Order(b)
		if err != nil {
			t.Fatalf("parsed, but: %v", err)
		}
		again, err := Encode(m, order)
		if err != nil {
			if m.HWType <= 255 && len(b) < maxSize {
				t.Fatalf("not encoded: %v", err)
			}
			return
		}
		back, err := Parse(again)
		if err != nil {
			t.Fatalf("not parsed again: %v", err)
		}
		for code, value := range m.Options {
			if !bytes.Equal(value, back.Options[code]) {
				t.Errorf("option %d: % x became % x", code, value, back.Options[code])
			}
		}
		if !bytes.Equal(again[:28+len(m.ClientHWAddr)], b[:28+len(m.ClientHWAddr)]) {
			t.Errorf("header changed:\n% x\n% x", b[:44], again[:44])
		}
	})
}
