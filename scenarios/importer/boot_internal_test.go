package importer

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/format"
)

// What a piece of a capture is. The number twice, plus these, is its first byte.
const (
	pieceDHCP = iota
	pieceDNS
	pieceNTP
	pieceLLDP
	pieceARP
	pieceICMP
	pieceHTTP
	pieceSIP
	pieceHTTPS
	pieceDNSStream
	pieces

	pieceReceived  = 0x01
	pieceLost      = 0x20 // a byte before it
	pieceEarlier   = 0x40 // than whatever came before it
	pieceDecrypted = 0x80
)

// captureOf makes a capture of bytes: each piece says what it is, and how long.
func captureOf(b []byte) *Capture {
	mac, other := net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	own, peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	c := &Capture{File: "fuzz.pcapng", Handset: Party{MAC: mac, Addresses: []netip.Addr{own}, onLink: true}}
	all := newStreams()
	seq := map[[2]int]uint32{}
	for number := 1; len(b) >= 3 && number < 200; number++ {
		first, size := int(b[0]), min(int(b[1])|int(b[2])<<8, len(b)-3)
		payload := b[3 : 3+size]
		b = b[3+size:]
		f := frame{Number: number, At: began.Add(time.Duration(number) * time.Millisecond), From: mac, To: other}
		if first&pieceEarlier != 0 {
			f.At = began.Add(-time.Duration(number) * time.Hour)
		}
		received, kind := first&pieceReceived, first>>1&15%pieces
		port := []uint16{portDHCPServer, portDNS, portNTP, 0, 0, 0, portHTTP, portSIPTLS, portHTTPS, portDNS}[kind]
		f.Source, f.Target = netip.AddrPortFrom(own, 40000), netip.AddrPortFrom(peer, port)
		if received != 0 {
			f.From, f.To, f.Source, f.Target = other, mac, f.Target, f.Source
		}
		switch kind {
		case pieceDHCP, pieceDNS, pieceNTP:
			f.UDP = payload
		case pieceLLDP:
			f.Ether, f.Payload = etherLLDP, payload
		case pieceARP:
			f.Ether, f.Payload = etherARP, payload
		case pieceICMP:
			f.ICMP = payload
		default:
			way := [2]int{kind, received}
			if seq[way] == 0 {
				f.TCP = &segment{Stream: kind, SYN: true, ACK: received != 0}
				all.add(f)
				seq[way] = 1
			}
			if first&pieceLost != 0 {
				seq[way]++
			}
			f.TCP = &segment{Stream: kind, Seq: seq[way], ACK: true, Payload: payload}
			if first&pieceDecrypted != 0 {
				f.Clear, f.Types = [][]byte{payload}, []int{recordData}
			}
			seq[way] += uint32(len(payload))
			all.add(f)
			continue
		}
		c.Frames = append(c.Frames, f)
	}
	c.Streams = all.finish()
	return c
}

// FuzzBoot: whatever a capture holds, there is an account of it, a profile that loads and a scenario that says what the
// capture says.
func FuzzBoot(f *testing.F) {
	piece := func(kind, rest int, text string) string {
		return string([]byte{byte(kind<<1 | rest), byte(len(text)), byte(len(text) >> 8)}) + text
	}
	const answers = pieceReceived
	for _, seed := range []string{
		piece(pieceHTTP, 0, httpRequest) + piece(pieceHTTP, answers, httpResponse) + piece(pieceSIP, pieceDecrypted, sipRequest) + piece(pieceSIP, pieceDecrypted|answers, sipResponse),
		piece(pieceSIP, 0, "\x16\x03\x01\x00\x04\x01\x00\x00\x00") + piece(pieceLLDP, 0, "\x02\x07\x04\x02\x00\x00\x00\x00\x01\x04\x07\x03\x02\x00\x00\x00\x00\x01\x06\x02\x00\x78\x00\x00"),
		piece(pieceDNS, 0, "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01") + piece(pieceARP, 0, "\x00\x01\x08\x00\x06\x04\x00\x01"),
		piece(pieceHTTP, 0, httpRequest) + piece(pieceHTTP, pieceLost|pieceEarlier, httpRequest),
		// Names that are no text, of a question, a peer, a host, a header.
		piece(pieceDNS, answers, "\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x02a\xb7\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04\x0a\x00\x00\x02") +
			piece(pieceHTTP, 0, "GET /\xff HTTP/1.1\r\nHost: b\xb7\r\n\r\n") + piece(pieceSIP, 0, "BYE sip:\xe9 SIP/2.0\r\nCSeq: 1 BYE\r\nFrom: <sip:\xe9>\r\nContent-Length: 0\r\n\r\n"),
	} {
		f.Add([]byte(seed))
	}
	discover := make([]byte, 236)
	discover[0], discover[1], discover[2] = 1, 1, 6
	copy(discover[28:], "\x02\x00\x00\x00\x00\x01")
	f.Add([]byte(piece(pieceDHCP, 0, string(discover)+"\x63\x82\x53\x63\x35\x01\x01\x0c\x03abc\xff")))
	discover[2] = 0
	f.Add([]byte(piece(pieceDHCP, 0, string(discover)+"\x63\x82\x53\x63\x35\x01\x01\x0c\x03abc\xff")))
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
		text, err := boot.Scenario(draft.Base)
		if err != nil {
			t.Fatal(err)
		}
		s, err := format.Parse("fuzz.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(boot.Exchange(), []exchange.Message(s.Exchange), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("its scenario says otherwise, -capture +scenario:\n%s", diff)
		}
	})
}

// The times of a scenario are since its earliest message, wherever that stands.
func TestTimesGoBack(t *testing.T) {
	const piece = string(rune(pieceDNS<<1)) + "\x01\x00x"
	b := captureOf([]byte(piece + string(rune(pieceDNS<<1|pieceEarlier)) + "\x01\x00x" + piece)).Boot()
	var got []time.Duration
	for _, m := range b.Messages {
		got = append(got, m.At)
	}
	want := []time.Duration{2*time.Hour + time.Millisecond, 0, 2*time.Hour + 3*time.Millisecond}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if notes := strings.Join(b.Notes, "\n"); !strings.Contains(notes, "The times of 1 messages are before those of messages before them (first: frame 2)") {
		t.Errorf("it says\n%s", notes)
	}
}
