package ethernet_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// Frames of a hostile station, laid out by hand. The handset is 10.0.0.1 at mac1, the pool 10.0.0.2 at mac2; the
// hostile station has mac3 and no address.
const (
	mac3    = "020000000003"
	ip9     = "0a000009"
	toUs    = mac1 + mac3
	toAll   = everybody + mac3
	badMAC  = "010203040506" // a group's
	anyIP   = "00000000"
	allIP   = "ffffffff"
	groupIP = "efffffff"
)

func frameOf(parts ...string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(strings.Join(parts, "")), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// onesSum is an Internet checksum (RFC 1071).
func onesSum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// ipPacket is an IPv4 packet with options, of flags and fragment offset as given, with a right checksum.
func ipPacket(protocol int, fragment uint16, src, dst, options string, payload []byte) []byte {
	size := 20 + len(options)/2
	h := frameOf(fmt.Sprintf("%02x00 %04x 0007 %04x 40 %02x 0000", 0x40|size/4, size+len(payload), fragment, protocol), src, dst, options)
	binary.BigEndian.PutUint16(h[10:], onesSum(h))
	return append(h, payload...)
}

// withSum sets the checksum of an ICMP message.
func withSum(b []byte) []byte {
	binary.BigEndian.PutUint16(b[2:], onesSum(b))
	return b
}

func ipFrame(packet []byte) []byte { return append(frameOf(toUs, "0800"), packet...) }

// edited returns the frame with bytes changed at an offset.
func edited(frame []byte, at int, bytes ...byte) []byte {
	frame = slices.Clone(frame)
	copy(frame[at:], bytes)
	return frame
}

func TestStationsSurvive(t *testing.T) {
	arp := func(to, operation, senderMAC, sender, targetMAC, target string) []byte {
		return frameOf(to, "0806 0001 0800 06 04", operation, senderMAC, sender, targetMAC, target)
	}
	request := arp(toAll, "0001", mac3, ip9, nobody, ip1)
	udp := func(length int, payload string) []byte {
		return frameOf(fmt.Sprintf("0035 0007 %04x 0000", length), payload)
	}
	datagram := ipFrame(ipPacket(17, 0, ip9, ip1, "", udp(12, "61626364")))
	tcp := func(flags, offset int) []byte {
		return frameOf(fmt.Sprintf("0050 13c5 00000001 00000000 %x0%02x 2000 0000 0000", offset, flags))
	}
	tcpFrame := func(src, dst string, flags, offset int) []byte {
		segment := tcp(flags, offset)
		pseudo := slices.Concat(frameOf(src, dst, "0006 0014"), segment)
		binary.BigEndian.PutUint16(segment[16:], onesSum(pseudo))
		return ipFrame(ipPacket(6, 0, src, dst, "", segment))
	}
	icmp := func(message string, quote []byte) []byte {
		return ipFrame(ipPacket(1, 0, ip9, ip1, "", withSum(append(frameOf(message), quote...))))
	}
	quoted := ipPacket(17, 0, ip1, ip2, "", udp(12, "61626364"))
	quotedTCP := ipPacket(6, 0, ip1, ip2, "", tcp(0x10, 5))
	fragments := func(offsets []uint16, size int) (frames [][]byte) {
		for _, offset := range offsets {
			frames = append(frames, ipFrame(ipPacket(17, offset, ip9, ip1, "", make([]byte, size))))
		}
		return frames
	}
	const more = 0x2000 // fragments
	for _, test := range []struct {
		name   string
		frames [][]byte
	}{
		{"ARP replies from nowhere", [][]byte{
			arp(toUs, "0002", mac3, ip9, mac1, ip1), arp(toAll, "0002", mac3, anyIP, mac1, ip1), arp(toUs, "0002", mac3, allIP, mac1, ip1),
			arp(toUs, "0002", mac3, groupIP, mac1, ip1), arp(toUs, "0002", mac3, "7f000001", mac1, ip1), arp(toUs, "0002", mac3, "c0a80101", mac1, ip1),
		}},
		{"ARP of group addresses", [][]byte{
			arp(toUs, "0002", badMAC, ip9, mac1, ip1), arp(toUs, "0001", badMAC, ip9, nobody, ip1), arp(toUs, "0002", everybody, ip9, mac1, ip1),
			arp(toUs, "0001", everybody, anyIP, nobody, ip1),
		}},
		{"ARP of other kinds", [][]byte{
			edited(request, 15, 6), edited(request, 16, 0x86, 0xdd), edited(request, 18, 16), edited(request, 18, 0), edited(request, 19, 16),
			edited(request, 19, 0), edited(request, 20, 0, 0), edited(request, 20, 0xff, 0xff), request[:14], request[:20], request[:41],
		}},
		{"ICMP unreachable of all codes", slices.Collect(func(yield func([]byte) bool) {
			for code := range 16 {
				if !yield(icmp(fmt.Sprintf("03%02x 0000 00000000", code), quoted)) || !yield(icmp(fmt.Sprintf("03%02x 0000 00000000", code), quotedTCP)) {
					return
				}
			}
		})},
		{"ICMP that quotes too little", [][]byte{
			icmp("0303 0000 00000000", nil), icmp("0303 0000 00000000", quoted[:1]), icmp("0303 0000 00000000", quoted[:20]), icmp("0303 0000 00000000", quoted[:27]),
			icmp("0303 0000 00000000", edited(quoted, 0, 0x4f)), icmp("0303 0000 00000000", edited(quoted, 0, 0x40)), icmp("0303 0000 00000000", edited(quoted, 0, 0x65)),
		}},
		{"ICMP of other kinds", [][]byte{
			icmp("0500 0000"+ip9, quoted), icmp("0400 0000 00000000", quoted), icmp("0b00 0000 00000000", quoted), icmp("0c00 0000 00000000", quoted),
			icmp("0304 0000 0000 0000", quotedTCP), icmp("0800 0000 0001 0001", make([]byte, 1400)), icmp("0d00 0000 0001 0001", make([]byte, 12)), icmp("ff00 0000", nil),
			ipFrame(ipPacket(1, 0, ip9, ip1, "", nil)), ipFrame(ipPacket(1, 0, ip9, ip1, "", []byte{3})),
		}},
		{"fragments that overlap", fragments([]uint16{more, more | 1, 2, more, 1}, 24)},
		{"fragments behind the longest packet", fragments([]uint16{0x1fff, more | 0x1fff, more | 0x1ff0}, 1400)},
		{"fragments of no multiple of 8", fragments([]uint16{more, more | 2, 4}, 13)},
		{"empty fragments", fragments([]uint16{more, more | 1, 1}, 0)},
		{"first fragments alone", fragments(slices.Repeat([]uint16{more}, 300), 1400)},
		{"last fragments alone", fragments(slices.Repeat([]uint16{100}, 300), 1400)},
		{"IP headers that lie", [][]byte{
			edited(datagram, 14, 0x65), edited(datagram, 14, 0x40), edited(datagram, 14, 0x44), edited(datagram, 14, 0x4f), edited(datagram, 16, 0, 0),
			edited(datagram, 16, 0, 19), edited(datagram, 16, 0xff, 0xff), edited(datagram, 24, 0xbe, 0xef), edited(datagram, 22, 0), datagram[:15], datagram[:33],
		}},
		{"IP from addresses that nobody has", [][]byte{
			ipFrame(ipPacket(17, 0, ip1, ip1, "", udp(12, "61626364"))), ipFrame(ipPacket(17, 0, allIP, ip1, "", udp(12, "61626364"))), ipFrame(ipPacket(17, 0, groupIP, ip1, "", udp(12, "61626364"))),
			ipFrame(ipPacket(17, 0, anyIP, ip1, "", udp(12, "61626364"))), ipFrame(ipPacket(17, 0, "7f000001", ip1, "", udp(12, "61626364"))),
		}},
		{"IP options", [][]byte{
			ipFrame(ipPacket(17, 0, ip9, ip1, "830704"+ip9+"00", udp(12, "61626364"))), ipFrame(ipPacket(17, 0, ip9, ip1, "0700ffff", udp(12, "61626364"))),
			ipFrame(ipPacket(17, 0, ip9, ip1, "44ff0500", udp(12, "61626364"))), ipFrame(ipPacket(17, 0, ip9, ip1, strings.Repeat("01", 40), udp(12, "61626364"))),
		}},
		{"other IP protocols", [][]byte{ipFrame(ipPacket(0, 0, ip9, ip1, "", make([]byte, 40))), ipFrame(ipPacket(2, 0, ip9, ip1, "", make([]byte, 8))), ipFrame(ipPacket(255, 0, ip9, ip1, "", nil))}},
		{"UDP that lies", [][]byte{
			ipFrame(ipPacket(17, 0, ip9, ip1, "", nil)), ipFrame(ipPacket(17, 0, ip9, ip1, "", []byte{0, 53, 0})), ipFrame(ipPacket(17, 0, ip9, ip1, "", udp(0, "61626364"))),
			ipFrame(ipPacket(17, 0, ip9, ip1, "", udp(7, "61626364"))), ipFrame(ipPacket(17, 0, ip9, ip1, "", udp(0xffff, "61626364"))),
			ipFrame(ipPacket(17, 0, ip9, ip1, "", edited(udp(12, "61626364"), 6, 0xbe, 0xef))), ipFrame(ipPacket(17, 0, ip9, ip1, "", edited(udp(12, "61626364"), 2, 0, 0))),
		}},
		{"TCP of all flags and header lengths", slices.Collect(func(yield func([]byte) bool) {
			for flags := range 64 {
				if !yield(tcpFrame(ip9, ip1, flags, 5)) {
					return
				}
			}
			for offset := range 16 {
				if !yield(tcpFrame(ip9, ip1, 2, offset)) {
					return
				}
			}
		})},
		{"SYN from the handset's own address", [][]byte{tcpFrame(ip1, ip1, 2, 5)}},
		{"SYN from everybody and from a group", [][]byte{tcpFrame(allIP, ip1, 2, 5), tcpFrame(groupIP, ip1, 2, 5), tcpFrame(anyIP, ip1, 2, 5)}},
		{"802.1Q tags", [][]byte{
			frameOf(toUs, "8100 0000 0806"), frameOf(toUs, "8100 0fff 0806"), frameOf(toUs, "8100 0001 8100 00c8 0806"), frameOf(toUs, "8100"), frameOf(toUs, "88a8 0001 8100 0001 0800"),
			slices.Concat(frameOf(toUs, "8100 a000"), datagram[12:]), slices.Concat(frameOf(toUs, "8100 0005"), datagram[12:]),
		}},
		{"other frames", [][]byte{frameOf(toUs, "86dd 6000"), frameOf(toAll, "0026 4242 03"), frameOf(toUs, "0000"), frameOf(toUs, "ffff"), frameOf(badMAC, mac3, "0800 45"), frameOf(mac1, badMAC, "0806")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, ethernet.Options{}, func(w *world) {
				handset, pool := w.pair()
				near, far := w.connect(handset, pool)
				rogue := w.station("rogue", "", ethernet.Port{})
				for range 3 {
					for _, frame := range test.frames {
						if err := rogue.SendFrame(frame); err != nil {
							w.Fatal(err)
						}
					}
				}
				w.alive(handset, pool, near, far)
			})
		})
	}
}

// alive holds that a connection lasts, that datagrams come and go, and that ARP answers.
func (w *world) alive(handset, pool ethernet.Station, near, far net.Conn) {
	w.Helper()
	if _, err := near.Write([]byte("REGISTER")); err != nil {
		w.Fatal(err)
	}
	w.soon(far)
	if _, err := io.ReadFull(far, make([]byte, 8)); err != nil {
		w.Fatal(err)
	}
	server, err := pool.ListenUDP(53)
	if err != nil {
		w.Fatal(err)
	}
	defer server.Close()
	w.soon(server)
	client, err := handset.DialUDP(at("10.0.0.2:53"))
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	w.soon(client)
	echo(w, client, server, 100)
	visitor := w.station("visitor", "", ethernet.Port{})
	err = visitor.Probe(w.within(), netip.MustParseAddr("10.0.0.1"), 10*time.Second)
	if _, inUse := err.(*ethernet.AddressInUse); !inUse {
		w.Errorf("the handset does not answer ARP: %v", err)
	}
}

// soon bounds the reading of what has to come at once.
func (w *world) soon(c interface{ SetReadDeadline(time.Time) error }) {
	w.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		w.Fatal(err)
	}
}

// TestManyNeighbours: ARP from more stations than a cache holds costs the ones that count nothing.
func TestManyNeighbours(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		near, far := w.connect(handset, pool)
		rogue := w.station("rogue", "", ethernet.Port{})
		for n := range 5000 {
			mac := fmt.Sprintf("0200aa00%04x", n)
			if err := rogue.SendFrame(frameOf(mac1, mac, "0806 0001 0800 06 04 0001", mac, fmt.Sprintf("0a01%04x", n), nobody, ip1)); err != nil {
				w.Fatal(err)
			}
		}
		w.alive(handset, pool, near, far)
	})
}

// TestFragmentedDatagram: a datagram in two fragments, the second one first, reaches a socket of a Segment. On a Pipe
// there are no fragments: it is passed over.
func TestFragmentedDatagram(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset := w.station("handset", "10.0.0.1/24", ethernet.Port{})
		server, err := handset.ListenUDP(7)
		if err != nil {
			w.Fatal(err)
		}
		defer server.Close()
		rogue := w.station("rogue", "", ethernet.Port{})
		whole := append(frameOf("0035 0007 0028 0000"), make([]byte, 32)...)
		for _, frame := range [][]byte{ipFrame(ipPacket(17, 3, ip9, ip1, "", whole[24:])), ipFrame(ipPacket(17, 0x2000, ip9, ip1, "", whole[:24]))} {
			if err := rogue.SendFrame(frame); err != nil {
				w.Fatal(err)
			}
		}
		if w.name == "pipe" {
			w.settle()
			w.soon(server)
			if n, _, err := server.ReadFrom(make([]byte, 100)); err == nil {
				w.Errorf("%d bytes arrived", n)
			}
			return
		}
		w.soon(server)
		if n, from, err := server.ReadFrom(make([]byte, 100)); err != nil || n != 32 || from.String() != "10.0.0.9:53" {
			w.Errorf("%d bytes from %v, %v", n, from, err)
		}
	})
}
