package arp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/phone-edition/lpe/protocol/arp"
)

// vectors are packets as tshark tells them: who asks, who answers.
var vectors = map[string]struct {
	bytes               string
	packet              arp.Packet
	probe, announcement bool
}{
	"request": {
		bytes:  "0001080006040001" + "020000000001" + "0a000001" + "000000000000" + "0a000002",
		packet: arp.Packet{Operation: arp.Request, SenderMAC: [6]byte{2, 0, 0, 0, 0, 1}, Sender: [4]byte{10, 0, 0, 1}, Target: [4]byte{10, 0, 0, 2}},
	},
	"reply": {
		bytes:  "0001080006040002" + "020000000002" + "0a000002" + "020000000001" + "0a000001",
		packet: arp.Packet{Operation: arp.Reply, SenderMAC: [6]byte{2, 0, 0, 0, 0, 2}, Sender: [4]byte{10, 0, 0, 2}, TargetMAC: [6]byte{2, 0, 0, 0, 0, 1}, Target: [4]byte{10, 0, 0, 1}},
	},
	"probe (RFC 5227, 2.1.1)": {
		bytes:  "0001080006040001" + "020000000001" + "00000000" + "000000000000" + "0a000001",
		packet: arp.Packet{Operation: arp.Request, SenderMAC: [6]byte{2, 0, 0, 0, 0, 1}, Target: [4]byte{10, 0, 0, 1}},
		probe:  true,
	},
	"announcement (RFC 5227, 2.3)": {
		bytes:        "0001080006040001" + "020000000001" + "0a000001" + "000000000000" + "0a000001",
		packet:       arp.Packet{Operation: arp.Request, SenderMAC: [6]byte{2, 0, 0, 0, 0, 1}, Sender: [4]byte{10, 0, 0, 1}, Target: [4]byte{10, 0, 0, 1}},
		announcement: true,
	},
}

func TestVectors(t *testing.T) {
	for name, v := range vectors {
		b, err := hex.DecodeString(v.bytes)
		if err != nil {
			t.Fatal(err)
		}
		p, err := arp.Parse(append(bytes.Clone(b), make([]byte, 18)...))
		if err != nil || p != v.packet || p.Probe() != v.probe || p.Announcement() != v.announcement {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if got := v.packet.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("%s: %x, want %x", name, got, b)
		}
	}
}

func TestForeign(t *testing.T) {
	good := vectors["request"].packet.Append(nil)
	for _, b := range [][]byte{nil, good[:arp.Size-1], append([]byte{0, 6}, good[2:]...), append([]byte{0, 1, 0x86, 0xdd}, good[4:]...)} {
		if _, err := arp.Parse(b); !errors.Is(err, arp.ErrForeign) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

func TestAbout(t *testing.T) {
	mine, other := [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2}
	address, another := [4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 9}
	for name, one := range map[string]struct {
		packet arp.Packet
		want   bool
	}{
		"asks for it":         {arp.Packet{Operation: arp.Request, SenderMAC: other, Sender: another, Target: address}, true},
		"probes for it":       {arp.Packet{Operation: arp.Request, SenderMAC: other, Target: address}, true},
		"has it":              {arp.Packet{Operation: arp.Request, SenderMAC: other, Sender: address, Target: address}, true},
		"answers it":          {arp.Packet{Operation: arp.Reply, SenderMAC: other, Sender: another, TargetMAC: mine, Target: address}, true},
		"answers its probe":   {arp.Packet{Operation: arp.Reply, SenderMAC: other, Sender: another, TargetMAC: mine}, true},
		"is its own":          {arp.Packet{Operation: arp.Request, SenderMAC: mine, Sender: address, Target: address}, false},
		"is of others":        {arp.Packet{Operation: arp.Request, SenderMAC: other, Sender: another, Target: [4]byte{10, 0, 0, 8}}, false},
		"announces another's": {arp.Packet{Operation: arp.Request, SenderMAC: other, Sender: another, Target: another}, false},
	} {
		if got := one.packet.About(mine, address); got != one.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (arp.Packet{Operation: arp.Request, SenderMAC: other}).About(mine, [4]byte{}) {
		t.Error("a station without an address is meant by none")
	}
}

// What is accepted makes the same bytes again.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		b, _ := hex.DecodeString(v.bytes)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := arp.Parse(b)
		if err != nil {
			return
		}
		if got := p.Append(nil); !bytes.Equal(got, b[:arp.Size]) {
			t.Errorf("%x, read from %x", got, b)
		}
	})
}
