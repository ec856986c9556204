package importer

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// captureOf makes a capture of bytes: each piece says what it is, and how long.
func captureOf(b []byte) *Capture {
	mac, other := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	own, peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	c := &Capture{File: "fuzz.pcapng", Handset: Party{MAC: mac, Addresses: []netip.Addr{own}, onLink: true}}
	all := newStreams()
	seq := map[[2]int]uint32{}
	for number := 1; len(b) >= 3 && number < 200; number++ {
		kind, size := b[0], min(int(b[1])|int(b[2])<<8, len(b)-3)
		payload := b[3 : 3+size]
		b = b[3+size:]
		f := frame{Number: number, At: began.Add(time.Duration(number) * time.Millisecond), From: mac, To: other}
		sent := kind&1 == 0
		if !sent {
			f.From, f.To = other, mac
		}
		ports := func(server uint16) {
			f.Source, f.Target = netip.AddrPortFrom(own, 40000), netip.AddrPortFrom(peer, server)
			if !sent {
				f.Source, f.Target = f.Target, f.Source
			}
		}
		switch port := []uint16{portDHCPServer, portDNS, portNTP, 0, 0, 0, portHTTP, portSIPTLS, portHTTPS, portDNS}[int(kind>>1)%10]; int(kind>>1) % 10 {
		case 0, 1, 2:
			ports(port)
			f.UDP = payload
		case 3:
			f.Ether, f.Payload = etherLLDP, payload
		case 4:
			f.Ether, f.Payload = etherARP, payload
		case 5:
			ports(0)
			f.ICMP = payload
		default:
			ports(port)
			key := [2]int{int(port), int(kind & 1)}
			f.TCP = &segment{Stream: int(port), Seq: seq[key], SYN: seq[key] == 0, Payload: payload}
			if kind&0x80 != 0 {
				f.Clear = [][]byte{payload}
			}
			seq[key] += uint32(len(payload)) + 1
			all.add(f)
			continue
		}
		c.Frames = append(c.Frames, f)
	}
	c.Streams = all.finish()
	return c
}

// FuzzBoot: whatever a capture holds, there is an account of it, a profile that loads and a scenario that can be read.
func FuzzBoot(f *testing.F) {
	piece := func(kind byte, text string) string {
		return string([]byte{kind, byte(len(text)), byte(len(text) >> 8)}) + text
	}
	f.Add([]byte(piece(12, httpRequest) + piece(13, httpResponse) + piece(14|0x80, sipRequest) + piece(15|0x80, sipResponse)))
	f.Add([]byte(piece(14, "\x16\x03\x01\x00\x04\x01\x00\x00\x00") + piece(6, "\x02\x07\x04\x02\x00\x00\x00\x00\x01\x04\x07\x03\x02\x00\x00\x00\x00\x01\x06\x02\x00\x78\x00\x00")))
	f.Add([]byte(piece(2, "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01") + piece(8, "\x00\x01\x08\x00\x06\x04\x00\x01")))
	discover := make([]byte, 236)
	discover[0], discover[1], discover[2] = 1, 1, 6
	copy(discover[28:], "\x02\x00\x00\x00\x00\x01")
	f.Add([]byte(piece(0, string(discover)+"\x63\x82\x53\x63\x35\x01\x01\x0c\x03abc\xff")))
	discover[2] = 0
	f.Add([]byte(piece(0, string(discover)+"\x63\x82\x53\x63\x35\x01\x01\x0c\x03abc\xff")))
	f.Fuzz(func(t *testing.T, b []byte) {
		boot := captureOf(b).Boot()
		boot.Account()
		boot.Remarks()
		boot.Capture.agents()
		if len(boot.Messages) == 0 {
			return
		}
		draft := boot.Draft()
		boot.Report(draft)
		if text, err := draft.YAML(boot.File); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if _, err := boot.Scenario(draft.Base); err != nil {
			t.Fatal(err)
		}
	})
}
