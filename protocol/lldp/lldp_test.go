package lldp

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	handsetMAC = net.HardwareAddr{0x00, 0x04, 0xf2, 0x01, 0x02, 0x03}
	switchMAC  = net.HardwareAddr{0x02, 0x00, 0x00, 0x00, 0x00, 0x01}
	voice200   = NetworkPolicy{Application: ApplicationVoice, Tagged: true, VLAN: 200, Priority: 5, DSCP: 46}
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMEDFragments holds the frame fragments of discovery.md §1.1.
func TestMEDFragments(t *testing.T) {
	for _, test := range []struct {
		name, hex string
		tlv       TLV
	}{
		{"capabilities of a switch", "fe07 0012bb 01 003f 04", MED{0x3f, ClassConnectivity}.TLV()},
		{"capabilities of a telephone", "fe07 0012bb 01 003f 03", MED{0x3f, ClassEndpointIII}.TLV()},
		{"voice policy", "fe08 0012bb 02 01 41916e", voice200.TLV()},
		{"unknown policy", "fe08 0012bb 02 01 800000", NetworkPolicy{Application: ApplicationVoice, Unknown: true}.TLV()},
		{"untagged policy", "fe08 0012bb 02 01 00002e", NetworkPolicy{Application: ApplicationVoice, DSCP: 46}.TLV()},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := hex.EncodeToString(appendTLV(nil, test.tlv)); got != hex.EncodeToString(unhex(t, test.hex)) {
				t.Errorf("wrote %s, want %s", got, test.hex)
			}
		})
	}
}

const (
	endpointUnit = "0206 05 01 00000000" + "0407 03 0004f2010203" + "0602 0078" +
		"0a05 4358363030" + "0e04 0024 0024" + "fe09 00120f 01 03 6c00 0010" +
		"fe07 0012bb 01 003f 03" + "fe08 0012bb 02 01 800000" +
		"fe11 0012bb 06 342e302e373537372e34343633" + "fe08 0012bb 08 41424344" +
		"fe0b 0012bb 09 504f4c59434f4d" + "fe09 0012bb 0a 4358363030" + "0000"
	switchUnit = "0207 04 020000000001" + "0406 05 476930 2f31" + "0602 0078" +
		"0a06 616363657373" + "0e04 0004 0004" + "fe09 00120f 01 03 6c00 0010"
	switchMED = "fe07 0012bb 01 003f 04" + "fe08 0012bb 02 01 41916e"
)

func TestStations(t *testing.T) {
	endpoint := Endpoint{
		MAC: handsetMAC, SystemName: "CX600", Manufacturer: "POLYCOM", Model: "CX600", Firmware: "4.0.7577.4463",
		Serial: "ABCD", TTL: 120, ChassisSubtype: ChassisNetwork,
	}
	leased, byMAC := endpoint, endpoint
	leased.Address, leased.Policy = netip.MustParseAddr("10.77.0.9"), &voice200
	byMAC.ChassisSubtype = ChassisMAC
	quiet := Switch{MAC: switchMAC, PortName: "Gi0/1", SystemName: "access", TTL: 120, Policy: &voice200}
	speaking := quiet
	speaking.MED = true
	for _, test := range []struct {
		name, hex string
		pdu       PDU
	}{
		{"handset before its lease", endpointUnit, endpoint.PDU()},
		{"handset with lease and policy", strings.NewReplacer("05 01 00000000", "05 01 0a4d0009", "800000", "41916e").Replace(endpointUnit), leased.PDU()},
		{"handset named by its MAC", strings.Replace(endpointUnit, "0206 05 01 00000000", "0207 04 0004f2010203", 1), byMAC.PDU()},
		{"switch that heard no MED endpoint", switchUnit + "0000", quiet.PDU()},
		{"switch that heard one", switchUnit + switchMED + "0000", speaking.PDU()},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := unhex(t, test.hex)
			got, err := test.pdu.Append(nil)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("wrote %x, %v\nwant  %x", got, err, want)
			}
			back, err := Parse(append(got, make([]byte, 8)...))
			if diff := cmp.Diff(test.pdu, back, cmp.Transformer("bytes", func(m net.HardwareAddr) []byte { return m })); diff != "" || err != nil {
				t.Errorf("read back: %v (-want +got):\n%s", err, diff)
			}
		})
	}
	p := endpoint.PDU()
	if med, ok := p.MED(); !ok || med.Class != ClassEndpointIII {
		t.Errorf("MED = %+v, %v", med, ok)
	}
	if _, ok := p.VoicePolicy(); ok {
		t.Error("an unknown policy counts as one")
	}
	if got, ok := speaking.PDU().VoicePolicy(); !ok || got != voice200 {
		t.Errorf("VoicePolicy = %+v, %v", got, ok)
	}
	want := Inventory{Firmware: "4.0.7577.4463", Serial: "ABCD", Manufacturer: "POLYCOM", Model: "CX600"}
	if got := p.Inventory(); got != want {
		t.Errorf("Inventory = %+v", got)
	}
	if p.SystemName() != "CX600" || quiet.PDU().Inventory() != (Inventory{}) {
		t.Errorf("SystemName = %q", p.SystemName())
	}
	if _, ok := quiet.PDU().MED(); ok {
		t.Error("a switch sent MED TLVs before it heard an endpoint")
	}
}

func TestParseKeepsUnknownTLVs(t *testing.T) {
	unit := unhex(t, "0202 0761 0402 0162 0602 0078 100c 05010a000001 0200000001 00 fe05 0080c2 01 00 fc01 aa fe04 0012bb 0c 0000")
	p, err := Parse(unit)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.TLVs) != 4 || p.TTL != 120 || p.Ignored != nil {
		t.Errorf("read %+v", p)
	}
	if b, err := p.Append(nil); err != nil || !bytes.Equal(b, unit) {
		t.Errorf("wrote %x, %v\nwant  %x", b, err, unit)
	}
	if b, err := Parse(unit[:len(unit)-2]); err != nil || len(b.TLVs) != 4 {
		t.Errorf("without end marker: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	const head = "0202 0761 0402 0162 0602 0078"
	for _, test := range []struct{ name, hex, want string }{
		{"empty", "", "ends before chassis id"},
		{"one byte", "02", "1 byte left"},
		{"cut value", "0203 0761", "claims 3 bytes, 2 left"},
		{"wrong first", "0402 0162", "type 2, 1 expected"},
		{"wrong second", "0202 0761 0602 0078", "type 3, 2 expected"},
		{"no time to live", "0202 0761 0402 0162", "ends before"},
		{"end too early", "0202 0761 0402 0162 0000", "type 0, 3 expected"},
		{"empty chassis id", "0201 07", "id with subtype of 1 bytes"},
		{"short time to live", "0202 0761 0402 0162 0601 00", "time to live of 1 bytes"},
		{"second chassis id", head + "0202 0761 0000", "type 1 a second time"},
		{"second time to live", head + "0602 0078 0000", "type 3 a second time"},
		{"end with a value", head + "0001 00", "end marker of 1 bytes"},
		{"oversize", head + strings.Repeat("fdff"+strings.Repeat("00", 511), 3), "data unit of 1551 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if p, err := Parse(unhex(t, test.hex)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("read %+v, %v; want error %q", p, err, test.want)
			}
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	good := Switch{MAC: switchMAC, PortName: "1", SystemName: "s", TTL: 1, MED: true}
	with := func(tlvs ...TLV) PDU {
		p := good.PDU()
		p.TLVs = tlvs
		return p
	}
	for _, test := range []struct {
		name, want string
		pdu        PDU
	}{
		{"no ids", "0 bytes, 1 to 255 expected", PDU{}},
		{"long id", "256 bytes, 1 to 255 expected", PDU{ChassisID: ID{7, make([]byte, 256)}}},
		{"policy VLAN", "network policy of 0 bytes", with(NetworkPolicy{VLAN: 4095}.TLV())},
		{"policy priority", "network policy of 0 bytes", with(NetworkPolicy{Priority: 8}.TLV())},
		{"policy DSCP", "network policy of 0 bytes", with(NetworkPolicy{DSCP: 64}.TLV())},
		{"inventory", "at most 32", with(Inventory{Model: strings.Repeat("m", 33)}.TLVs()...)},
		{"name", "at most 255", with(TLV{TypeSystemName, make([]byte, 256)})},
		{"type", "type 128", with(TLV{128, nil})},
		{"value", "at most 511", with(TLV{9, make([]byte, 512)})},
		{"end", "end marker", with(TLV{TypeEnd, nil})},
		{"unit", "at most 1500 fit", with(TLV{9, make([]byte, 511)}, TLV{9, make([]byte, 511)}, TLV{9, make([]byte, 511)})},
	} {
		t.Run(test.name, func(t *testing.T) {
			if b, err := test.pdu.Append(nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("wrote %x, %v; want error %q", b, err, test.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, endpointUnit))
	f.Add(unhex(f, switchUnit+switchMED+"0000"))
	f.Add(unhex(f, switchUnit))
	for _, test := range ignored {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		p.VoicePolicy()
		p.MED()
		p.Inventory()
		again, err := p.Append(nil)
		if err != nil {
			if len(b) > MaxSize-2 {
				return // the end marker, absent in b, no longer fits
			}
			t.Fatalf("accepted, but: %v", err)
		}
		if p.Ignored != nil {
			back, err := Parse(again)
			p.Ignored = nil
			if diff := cmp.Diff(p, back); diff != "" || err != nil {
				t.Errorf("what was not ignored is read as another unit: %v (-want +got):\n%s", err, diff)
			}
			return
		}
		if !bytes.HasPrefix(b, again) && !bytes.Equal(append(b[:len(b):len(b)], 0, 0), again) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
