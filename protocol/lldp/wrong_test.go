package lldp

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// mandatory are the three TLVs that every unit begins with, voice and end what follows them here.
const (
	mandatory = "0202 0761 0402 0162 0602 0078"
	voice     = "fe08 0012bb 02 01 41916e"
	end       = "0000"
)

// ignored are units with something that a receiver leaves out without the rest (IEEE 802.1AB, 9.2.7.7.2), and the
// voice policy behind it if that is still read.
var ignored = []struct{ name, hex, want, rest string }{
	{"capabilities of 2 bytes", mandatory + "0e02 0024" + voice + end, "system capabilities of 2 bytes", voice},
	{"capabilities of 5 bytes", mandatory + "0e05 00240024 00" + voice + end, "system capabilities of 5 bytes", voice},
	{"OUI without subtype", mandatory + "fe03 0012bb" + voice + end, "organizationally specific TLV of 3 bytes", voice},
	{"organization of 0 bytes", mandatory + "fe00" + voice + end, "organizationally specific TLV of 0 bytes", voice},
	{"MED capabilities of 2 bytes", mandatory + "fe06 0012bb 01 003f" + voice + end, "LLDP-MED capabilities of 2 bytes", voice},
	{"MED policy of 5 bytes", mandatory + "fe09 0012bb 02 01 41916e 00" + end, "network policy of 5 bytes", ""},
	{"MED policy of 3 bytes before a good one", mandatory + "fe07 0012bb 02 01 4191" + voice + end, "network policy of 3 bytes", voice},
	{"MED policy of 0 bytes", mandatory + "fe04 0012bb 02" + end, "network policy of 0 bytes", ""},
	{"MED policy with the reserved VLAN 4095", mandatory + "fe08 0012bb 02 01 5ffe00" + voice + end, "reserved VLAN 4095", voice},
	{"inventory of 33 bytes", mandatory + "fe25 0012bb 0a " + strings.Repeat("41", 33) + voice + end, "inventory text of 33 bytes", voice},
	{"name of 256 bytes", mandatory + "0b00" + strings.Repeat("41", 256) + voice + end, "text in type 5 of 256 bytes", voice},
	{"second name", mandatory + "0a01 61" + "0a01 62" + voice + end, "type 5 a second time", voice},
	{"second capabilities", mandatory + "0e04 00240024" + "0e04 00040004" + voice + end, "type 7 a second time", voice},
	{"time to live of 3 bytes", "0202 0761 0402 0162 0603 007800" + voice + end, "time to live of 3 bytes", voice},
	{"TLV past the end of the frame", mandatory + voice + "0a09 61", "claims 9 bytes, 1 left", voice},
	{"half a TLV header", mandatory + voice + "0a", "1 byte left", voice},
	{"half an end marker behind a time to live of 0", "0202 0761 0402 0162 0602 0000 00", "behind a time to live of 0", ""},
	{"TLVs behind a time to live of 0", "0202 0761 0402 0162 0602 0000" + voice + end, "behind a time to live of 0", ""},
}

func TestParseIgnores(t *testing.T) {
	for _, test := range ignored {
		t.Run(test.name, func(t *testing.T) {
			p, err := Parse(unhex(t, test.hex))
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Ignored) != 1 || !strings.Contains(p.Ignored[0].Error(), test.want) {
				t.Errorf("ignored %v, want one with %q", p.Ignored, test.want)
			}
			if policy, ok := p.VoicePolicy(); ok != (test.rest != "") || ok && policy != voice200 {
				t.Errorf("voice policy %+v, %v", policy, ok)
			}
			if p.SystemName() == "b" {
				t.Error("the second name was taken")
			}
		})
	}
}

// announcement is what a switch says, and where each of its TLVs ends.
func announcement(t *testing.T) (unit []byte, ends []int) {
	t.Helper()
	unit = unhex(t, switchUnit+switchMED+end)
	for at := 0; at < len(unit); {
		at += 2 + int(unit[at]&1)<<8 + int(unit[at+1])
		ends = append(ends, at)
	}
	if len(ends) != 9 || ends[8] != len(unit) {
		t.Fatalf("TLVs end at %v in %d bytes", ends, len(unit))
	}
	return unit, ends
}

// TestEveryTruncation cuts an announcement after each byte: without its three mandatory TLVs it is refused, else
// exactly the TLVs that are whole are read.
func TestEveryTruncation(t *testing.T) {
	unit, ends := announcement(t)
	for n := range unit {
		whole := 0
		for whole < len(ends) && ends[whole] <= n {
			whole++
		}
		p, err := Parse(unit[:n])
		if whole < 3 {
			if err == nil {
				t.Errorf("%d bytes were taken: %+v", n, p)
			}
			continue
		}
		if err != nil || len(p.TLVs) != whole-3 {
			t.Errorf("%d bytes: %d TLVs, %v; want %d", n, len(p.TLVs), err, whole-3)
		}
		if cut := n != ends[whole-1]; cut != (len(p.Ignored) == 1) {
			t.Errorf("%d bytes: ignored %v", n, p.Ignored)
		}
		if policy, ok := p.VoicePolicy(); ok != (whole >= 8) || ok && policy != voice200 {
			t.Errorf("%d bytes: voice policy %+v, %v", n, policy, ok)
		}
	}
}

// TestEveryTLVOneByteOff makes each TLV of an announcement a byte shorter and a byte longer, its length with it.
func TestEveryTLVOneByteOff(t *testing.T) {
	const taken, left, refused = "taken", "ignored", "refused"
	want := []struct{ name, shorter, longer string }{
		{"chassis id", taken, taken}, // 1 to 255 bytes of any subtype
		{"port id", taken, taken},
		{"time to live", refused, left},
		{"system name", taken, taken},
		{"system capabilities", left, left},
		{"802.3 MAC/PHY, not read here", taken, taken},
		{"MED capabilities", left, left},
		{"MED voice policy", left, left},
		{"end", "", refused},
	}
	unit, ends := announcement(t)
	for i, test := range want {
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		for change, verdict := range map[int]string{-1: test.shorter, 1: test.longer} {
			if verdict == "" {
				continue
			}
			b := slices.Clone(unit)
			b[start+1] = byte(int(b[start+1]) + change)
			if change < 0 {
				b = slices.Delete(b, ends[i]-1, ends[i])
			} else {
				b = slices.Insert(b, ends[i], 0x2a)
			}
			p, err := Parse(b)
			got := taken
			switch {
			case err != nil:
				got = refused
			case len(p.Ignored) > 0:
				got = left
			}
			if got != verdict {
				t.Errorf("%s, %+d byte: %s (%v, %v), want %s", test.name, change, got, err, p.Ignored, verdict)
			}
			if _, ok := p.VoicePolicy(); err == nil && ok != (i != 7) {
				t.Errorf("%s, %+d byte: voice policy %v", test.name, change, ok)
			}
		}
	}
}

// TestEveryLengthFieldOff changes length fields alone, so that what follows is read at the wrong place. Whatever comes
// of it is written as it was read.
func TestEveryLengthFieldOff(t *testing.T) {
	unit, ends := announcement(t)
	for i := range ends {
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		for length := range 512 {
			b := slices.Clone(unit)
			b[start], b[start+1] = b[start]&0xfe|byte(length>>8), byte(length)
			p, err := Parse(b)
			if err != nil {
				continue
			}
			p.MED()
			p.VoicePolicy()
			p.Inventory()
			if again, err := p.Append(nil); p.Ignored == nil && (err != nil || !bytes.HasPrefix(append(b, 0, 0), again)) {
				t.Errorf("TLV %d with length %d: %x became %x, %v", i+1, length, b, again, err)
			}
		}
	}
}

// TestVoicePolicy: the first policy for voice that the switch knows is taken (TIA-1057, 10.2.3).
func TestVoicePolicy(t *testing.T) {
	const (
		unknownVoice = "fe08 0012bb 02 01 800000"
		signalling   = "fe08 0012bb 02 02 40c92e" // application 2, VLAN 100
		video        = "fe08 0012bb 02 06 40c922"
		reserved     = "fe08 0012bb 02 ff 40c922"
		other        = "fe08 0012bb 02 01 42592e" // VLAN 300
		untagged     = "fe08 0012bb 02 01 00002e"
		priorityTag  = "fe08 0012bb 02 01 40016e" // T, VLAN 0
		voice8021    = "fe08 0080c2 02 01 41916e" // IEEE 802.1's OUI
		voiceCisco   = "fe08 00000c 02 01 41916e"
	)
	for _, test := range []struct {
		name, hex string
		want      *NetworkPolicy
	}{
		{"voice", voice, &voice200},
		{"voice behind other applications", signalling + video + reserved + voice, &voice200},
		{"two for voice", voice + other, &voice200},
		{"unknown, then known", unknownVoice + voice, &voice200},
		{"unknown", unknownVoice, nil},
		{"other applications", signalling + video + reserved, nil},
		{"untagged", untagged, &NetworkPolicy{Application: 1, DSCP: 46}},
		{"priority tag, VLAN 0", priorityTag, &NetworkPolicy{Application: 1, Tagged: true, Priority: 5, DSCP: 46}},
		{"other organizations", voice8021 + voiceCisco, nil},
		{"none", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := Parse(unhex(t, mandatory+test.hex+end))
			if err != nil || p.Ignored != nil {
				t.Fatal(err, p.Ignored)
			}
			got, ok := p.VoicePolicy()
			if ok != (test.want != nil) || ok && got != *test.want {
				t.Errorf("voice policy %+v, %v; want %+v", got, ok, test.want)
			}
		})
	}
}
