package dhcpoption

import (
	"encoding/hex"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

func packet(t testing.TB, options dhcpv4.Options) []byte {
	t.Helper()
	m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, ClientHWAddr: make(net.HardwareAddr, 6), Options: options}
	m.Options[53] = []byte{5}
	b, err := Encode(m, []uint8{53})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestJudge(t *testing.T) {
	good := Verdict{Pool: "lyncpool.contoso.com", CertURL: goodURL, NTP: []string{}}
	withNTP, withVLAN := good, good
	withNTP.NTP = []string{"10.0.0.1", "10.0.0.2"}
	withVLAN.VLAN = 200
	uc, sip := unhex(t, goodUC), unhex(t, good120)
	for _, test := range []struct {
		name string
		in   Input
		want Verdict
	}{
		{"both options", Input{Option43: uc, Option120: sip}, good},
		{"43 alone", Input{Option43: uc}, Verdict{CertURL: goodURL, NTP: []string{}}},
		{"120 alone", Input{Option120: sip}, Verdict{Pool: "lyncpool.contoso.com", NTP: []string{}}},
		{"VLAN alone", Input{Option43: unhex(t, "0a0200c8")}, Verdict{VLAN: 200, NTP: []string{}}},
		{"VLAN besides", Input{Option43: unhex(t, goodUC+"0a0200c8"), Option120: sip}, withVLAN},
		{"packet", Input{Packet: packet(t, dhcpv4.Options{43: uc, 120: sip, 42: {10, 0, 0, 1, 10, 0, 0, 2}})}, withNTP},
		{"packet of dnsmasq, class echoed", Input{Packet: packet(t, dhcpv4.Options{43: unhex(t, reversed(t)+"ff"), 60: []byte(ClassUC), 120: sip})}, good},
		{"packet answering the VLAN request", Input{Packet: packet(t, dhcpv4.Options{43: unhex(t, "0a0200c8ff"), 60: []byte("CPE-OCPhone")})}, Verdict{VLAN: 200, NTP: []string{}}},
		{"packet and option", Input{Packet: packet(t, dhcpv4.Options{120: sip}), Option43: uc}, good},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, lenient := range []bool{false, true} {
				if diff := cmp.Diff(test.want, Judge(test.in, lenient)); diff != "" {
					t.Errorf("lenient %v (-want +got):\n%s", lenient, diff)
				}
			}
		})
	}
}

func TestJudgeProblems(t *testing.T) {
	uc, sip := unhex(t, goodUC), unhex(t, good120)
	for _, test := range []struct {
		name string
		in   Input
		want []string
	}{
		{"nothing", Input{}, []string{"no option and no message"}},
		{"no packet", Input{Packet: []byte{1, 2}}, []string{"message of 2 bytes"}},
		{"packet without both", Input{Packet: packet(t, dhcpv4.Options{})}, []string{KindVendorMissing, KindSIPMissing}},
		{"packet without 43", Input{Packet: packet(t, dhcpv4.Options{120: sip})}, []string{KindVendorMissing}},
		{"packet without 120", Input{Packet: packet(t, dhcpv4.Options{43: uc})}, []string{KindSIPMissing}},
		{"packet with empty options", Input{Packet: packet(t, dhcpv4.Options{43: {}, 120: {}})}, []string{KindForeign, KindSIPEmpty}},
		{"packet with a VLAN only", Input{Packet: packet(t, dhcpv4.Options{43: unhex(t, "0a0200c8")})}, []string{KindForeign, KindSIPMissing}},
		{"reserved VLAN", Input{Option43: unhex(t, "0a020fff")}, []string{KindVLANInvalid}},
		{"time servers", Input{Packet: packet(t, dhcpv4.Options{42: {1, 2, 3}, 43: uc, 120: sip})}, []string{KindNTPInvalid}},
		{"no time server", Input{Packet: packet(t, dhcpv4.Options{42: {}, 43: uc, 120: sip})}, []string{KindNTPInvalid}},
		{"both bad", Input{Option43: unhex(t, "01075369656d656e73"), Option120: unhex(t, "010a37000a")}, []string{KindForeign, KindSIPAddress}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Judge(test.in, false)
			problems := strings.Split(got.Error, "; ")
			if len(problems) != len(test.want) {
				t.Fatalf("error %q, want %q", got.Error, test.want)
			}
			for i, want := range test.want {
				if !strings.Contains(problems[i], want) {
					t.Errorf("problem %q, want %q", problems[i], want)
				}
			}
		})
	}
}

func TestVerdictJSON(t *testing.T) {
	b, err := json.Marshal(Judge(Input{Option43: unhex(t, goodUC)}, false))
	want := `{"pool":"","cert_url":"` + goodURL + `","vlan":0,"ntp":[],"error":""}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v\nwant %s", b, err, want)
	}
}

func TestParseHex(t *testing.T) {
	for in, want := range map[string]string{
		"0102ff":               "0102ff",
		"01 02 FF":             "0102ff",
		"01:02:ff":             "0102ff",
		"0:8:6c":               "00086c",
		"0x0102ff":             "0102ff",
		"0x01 0X02 0xff":       "0102ff",
		"0x01:0x2":             "0102",
		"010c.4d53.2d55":       "010c4d532d55",
		"\t0102\n  ff \r\n":    "0102ff",
		"010c4d53 2d:55 43.2d": "010c4d532d55432d",
	} {
		if b, err := ParseHex(in); err != nil || hex.EncodeToString(b) != want {
			t.Errorf("ParseHex(%q) = %x, %v", in, b, err)
		}
	}
	for _, in := range []string{"", " ", "0x", "1", "012", "zz", "01-02", "0x0x01"} {
		if b, err := ParseHex(in); err == nil {
			t.Errorf("ParseHex(%q) = %x, an error expected", in, b)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(packet(f, dhcpv4.Options{43: unhex(f, goodUC), 120: unhex(f, good120)}), unhex(f, goodUC), unhex(f, good120))
	f.Fuzz(func(t *testing.T, message, option43, option120 []byte) {
		strict := Judge(Input{Packet: message, Option43: option43, Option120: option120}, false)
		lenient := Judge(Input{Packet: message, Option43: option43, Option120: option120}, true)
		if strict.Error != lenient.Error {
			t.Errorf("errors differ: %q, %q", strict.Error, lenient.Error)
		}
		if strict.Pool != "" && strict.Pool != lenient.Pool || strict.CertURL != "" && strict.CertURL != lenient.CertURL {
			t.Errorf("lenient changed %+v to %+v", strict, lenient)
		}
	})
}
