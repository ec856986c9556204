package importer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ether is a frame of Ethernet from a handset's MAC address to another's.
func ether(kind uint16, body string) string {
	return string(binary.BigEndian.AppendUint16([]byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1}, kind)) + body
}

// ipv4 is a packet from 10.0.0.1 to 10.0.0.2.
func ipv4(protocol byte, fragment uint16, body string) string {
	b := []byte{0x45, 0, 0, 0, 0, 7, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(body)))
	binary.BigEndian.PutUint16(b[6:], fragment)
	return string(b) + body
}

func udp(from, to uint16, body string) string {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from), to)
	return string(binary.BigEndian.AppendUint16(b, uint16(8+len(body)))) + "\x00\x00" + body
}

func tcp(from, to uint16, flags byte, body string) string {
	b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, from), to)
	b = append(b, make([]byte, 16)...)
	b[12], b[13] = 0x50, flags
	return string(b) + body
}

func TestHeaders(t *testing.T) {
	dns := ipv4(17, 0, udp(40000, 53, "question"))
	for name, one := range map[string]struct {
		link  int
		frame string
		want  string
	}{
		"Ethernet":           {1, ether(0x0800, dns), "link 10.0.0.1 10.0.0.2 40000 53 question"},
		"two tags":           {1, ether(0x88a8, "\x00\x01\x81\x00\x00\x02\x08\x00"+dns), "link 10.0.0.1 10.0.0.2 40000 53 question"},
		"padded":             {1, ether(0x0800, dns+"\x00\x00\x00"), "link 10.0.0.1 10.0.0.2 40000 53 question"},
		"PPPoE":              {1, ether(0x8864, "\x11\x00\x00\x01\x00\x00\x00\x21"+dns), "link 10.0.0.1 10.0.0.2 40000 53 question"},
		"raw":                {101, dns, "10.0.0.1 10.0.0.2 40000 53 question"},
		"loopback":           {0, "\x02\x00\x00\x00" + dns, "10.0.0.1 10.0.0.2 40000 53 question"},
		"PPP, one byte":      {9, "\x21" + dns, "10.0.0.1 10.0.0.2 40000 53 question"},
		"cooked":             {113, "\x00\x00\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00\x08\x00" + dns, "cooked 10.0.0.1 10.0.0.2 40000 53 question"},
		"cooked, version 2":  {276, "\x08\x00\x00\x00\x00\x00\x00\x02\x00\x01\x04\x06\x02\x00\x00\x00\x00\x01\x00\x00" + dns, "cooked 10.0.0.1 10.0.0.2 40000 53 question"},
		"first fragment":     {101, ipv4(17, 0x2000, udp(40000, 53, "quest")), "10.0.0.1 10.0.0.2 more 40000 53 quest"},
		"later fragment":     {101, ipv4(17, 3, "ion"), "10.0.0.1 10.0.0.2 fragment 0 0 ion"},
		"IPv6":               {101, "\x60\x00\x00\x00\x00\x10\x11\x40" + strings.Repeat("\x00", 15) + "\x01" + strings.Repeat("\x00", 15) + "\x02" + udp(1, 53, "question"), "::1 ::2 1 53 question"},
		"IPv6 with options":  {101, "\x60\x00\x00\x00\x00\x18\x00\x40" + strings.Repeat("\x00", 15) + "\x01" + strings.Repeat("\x00", 15) + "\x02" + "\x11\x00\x00\x00\x00\x00\x00\x00" + udp(1, 53, "question"), "::1 ::2 1 53 question"},
		"TCP":                {101, ipv4(6, 0, tcp(1, 2, 0x18, "hello")), "10.0.0.1 10.0.0.2 1 2 hello"},
		"IP in IP":           {101, ipv4(4, 0, dns), "10.0.0.1 10.0.0.2 40000 53 question IP"},
		"GRE with a key":     {1, ether(0x0800, ipv4(47, 0, "\x20\x00\x08\x00\x00\x00\x00\x07"+dns)), "10.0.0.1 10.0.0.2 40000 53 question GRE"},
		"VXLAN":              {101, ipv4(17, 0, udp(1, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00"+ether(0x0800, dns))), "link 10.0.0.1 10.0.0.2 40000 53 question VXLAN"},
		"ERSPAN III, longer": {101, ipv4(47, 0, "\x10\x00\x22\xeb\x00\x00\x00\x01\x20\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"+ether(0x0800, dns)), "link 10.0.0.1 10.0.0.2 40000 53 question ERSPAN"},
		"cut":                {1, ether(0x0800, dns)[:30], "link 0 0 " + dns[:16]},
		"wireless":           {127, "", "0 0 are of a wireless network (802.11)"},
		"unknown":            {147, "", "0 0 are of a link of type 147"},
		"MPLS":               {1, ether(0x8847, "x"), "link 0 0 x are inside MPLS"},
		"IPsec":              {101, ipv4(50, 0, "x"), "10.0.0.1 10.0.0.2 0 0 x are encrypted by IPsec"},
		"tunnels":            {101, ipv4(4, 0, ipv4(4, 0, ipv4(4, 0, ipv4(4, 0, dns)))), "10.0.0.1 10.0.0.2 0 0 " + dns + " IP are in more than three tunnels"},
	} {
		h := readHeaders(one.link, []byte(one.frame))
		var got []string
		add := func(text string, is bool) {
			if is && text != "" {
				got = append(got, text)
			}
		}
		add("link", h.link)
		add("cooked", h.cooked)
		add(h.source.String(), h.source.IsValid())
		add(h.target.String(), h.target.IsValid())
		add("more", h.more)
		add("fragment", h.fragment)
		got = append(got, strconv.Itoa(int(h.ports[0])), strconv.Itoa(int(h.ports[1])))
		add(string(h.payload), true)
		add(h.tunnel, true)
		add(h.unread, true)
		if text := strings.Join(got, " "); text != one.want {
			t.Errorf("%s: %q, want %q", name, text, one.want)
		}
	}
}

// sifting is what a sieve keeps of frames, by their numbers.
func sifting(t *testing.T, most int, keep sieve, frames ...string) (sifted, error) {
	t.Helper()
	order := binary.LittleEndian
	file := slices.Concat(section(order), onLink(order, 1))
	for _, f := range frames {
		file = append(file, framed(order, 0, f)...)
	}
	r := &reader{dir: t.TempDir()}
	return r.sift(t.Context(), written(t, file), "sifted", most, keep)
}

func TestSieves(t *testing.T) {
	ipOf := func(text string) string { return ether(0x0800, text) }
	frames := []string{
		ether(0x88cc, "LLDP"),                          // 1
		ipOf(ipv4(17, 0x2000, udp(68, 67, "DISC"))),    // 2, a fragment
		ipOf(ipv4(17, 1, "OVER")),                      // 3, the rest of it
		ipOf(ipv4(17, 0, udp(40000, 40001, "speech"))), // 4
		ipOf(ipv4(6, 0, tcp(1, 443, 2, ""))),           // 5, a connection begins
		ipOf(ipv4(6, 0, tcp(2, 443, 2, ""))),           // 6, another of the same
		ipOf(ipv4(6, 0, tcp(3, 5061, 0x18, "REG"))),    // 7
		ipOf(ipv4(6, 0, tcp(3, 5061, 0x18, "REG"))),    // 8
		ipOf(ipv4(6, 0, tcp(5061, 3, 0x18, "200"))),    // 9
		ether(0x0806, "\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x08\x0a\x00\x00\x09\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x01"), // 10
		strings.Replace(ipOf(ipv4(6, 0, tcp(1, 80, 0x18, "others"))), "\x02\x00\x00\x00\x00\x01\x08", "\x02\x00\x00\x00\x00\x07\x08", 1),  // 11
	}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for name, one := range map[string]struct {
		keep sieve
		want []int
	}{
		"who is there":      {partySieve(), []int{1, 2, 3, 5, 7}},
		"one on its link":   {(&Party{MAC: mac, onLink: true}).sieve(), []int{1, 2, 3, 5, 6, 7, 8, 9, 10}},
		"by its address":    {(&Party{Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}).sieve(), []int{1, 2, 3, 5, 6, 7, 8, 9, 10, 11}},
		"somebody else":     {(&Party{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 7}, onLink: true}).sieve(), []int{1, 11}},
		"others' addresses": {(&Party{Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.7")}}).sieve(), []int{1}},
	} {
		s, err := sifting(t, 1<<20, one.keep, frames...)
		if err != nil || !slices.Equal(s.numbers, one.want) || s.captured != len(frames) {
			t.Errorf("%s: kept %v of %d, want %v, %v", name, s.numbers, s.captured, one.want, err)
		}
		kept, err := os.ReadFile(s.file)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range frames {
			if bytes.Contains(kept, []byte(f)) != slices.Contains(one.want, i+1) && f != frames[7] {
				t.Errorf("%s: frame %d", name, i+1)
			}
		}
	}
}

// What is kept is bounded, and a user does not wait for the end of what he interrupted.
func TestSiftEnds(t *testing.T) {
	all := func(*headers) bool { return true }
	if _, err := sifting(t, 100, all, strings.Repeat("x", 200)); !errors.Is(err, ErrNoCapture) || !strings.Contains(err.Error(), "editcap -A") {
		t.Errorf("too much of a handset: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &reader{dir: t.TempDir()}
	if _, err := r.sift(ctx, written(t, section(binary.LittleEndian)), "sifted", 100, all); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
