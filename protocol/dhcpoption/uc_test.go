package dhcpoption

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Values of discovery.md §0, made for lyncpool.contoso.com.
const (
	goodUC = "010c4d532d55432d436c69656e74" +
		"02056874747073" +
		"03146c796e63706f6f6c2e636f6e746f736f2e636f6d" +
		"0403343433" +
		"05252f4365727450726f762f4365727450726f766973696f6e696e67536572766963652e737663"
	goodURL = "https://lyncpool.contoso.com:443/CertProv/CertProvisioningService.svc"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := ParseHex(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUC(t *testing.T) {
	good := UC{"MS-UC-Client", "https", "lyncpool.contoso.com", "443", "/CertProv/CertProvisioningService.svc", nil}
	b, err := good.Append(nil)
	if err != nil || hex.EncodeToString(b) != goodUC || len(b) != 87 {
		t.Errorf("Append = %x (%d bytes), %v", b, len(b), err)
	}
	if got := NewUC("lyncpool.contoso.com"); !reflect.DeepEqual(got, good) {
		t.Errorf("NewUC = %+v", got)
	}
	noPort, withVLAN := good, good
	noPort.Port = ""
	withVLAN.Unknown = []SubOption{{10, []byte{0, 200}}}
	for _, test := range []struct {
		name, hex, url string
		want           UC
	}{
		{"as DHCPUtil prints it", goodUC, goodURL, good},
		{"pads and end marker", "0000" + goodUC + "00ff", goodURL, good},
		{"bytes after the end marker", goodUC + "ff0501", goodURL, good},
		{"port left out", strings.Replace(goodUC, "0403343433", "", 1), goodURL, noPort},
		{"VLAN besides", goodUC + "0a0200c8", goodURL, withVLAN},
		{"reversed, as dnsmasq sends it", reversed(t) + "ff", goodURL, good},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseUC(unhex(t, test.hex))
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Fatalf("%v, (-want +got):\n%s", err, diff)
			}
			if url, err := got.URL(); url != test.url || err != nil {
				t.Errorf("URL = %q, %v", url, err)
			}
		})
	}
}

func reversed(t testing.TB) string {
	subs, _, err := ParseSubOptions(unhex(t, goodUC))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(subs)
	b, err := AppendSubOptions(nil, subs...)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// replace gives the good option 43 with one sub-option's bytes replaced.
func replace(from, to string) string { return strings.Replace(goodUC, from, to, 1) }

// ucMistakes are the bad options 43 of discovery.md §4 and their neighbours, with what a tolerant reader recovers.
var ucMistakes = []struct {
	name, hex, kind, recovered string
}{
	{"empty", "", KindForeign, ""},
	{"Siemens [G13]", "01075369656d656e73", KindForeign, ""},
	{"f104", "f1040a37000a", KindForeign, ""},
	{"foreign and cut", "f1080a37", KindForeign, ""},
	{"address as text", hex.EncodeToString([]byte("192.168.1.1")), KindForeign, ""},
	{"VLAN only", "0a0200c8", KindForeign, ""},
	{"port binary [G14]", replace("0403343433", "040201bb"), KindPortBinary, goodURL},
	{"port binary, 4 bytes", replace("0403343433", "0404000001bb"), KindPortBinary, goodURL},
	{"port 0", replace("0403343433", "040130"), KindPortBinary, goodURL},
	{"port 65536", replace("0403343433", "04053635353336"), KindPortBinary, goodURL},
	{"port empty", replace("0403343433", "0400"), KindPortBinary, goodURL},
	{"cut by IOS [G3]", strings.TrimSuffix(goodUC, "737663"), KindTruncated, goodURL},
	{"cut in a header", goodUC + "0a", KindTruncated, goodURL},
	{"hex typed as text", hex.EncodeToString([]byte(goodUC)), KindHexText, goodURL},
	{"hex typed as text, with colons", hex.EncodeToString([]byte("01:0C:4D:53:2D:55:43:2D:43:6C:69:65:6E:74")), KindHexText, ""},
	{"scheme ftp", replace("02056874747073", "0203667470"), KindBadScheme, goodURL},
	{"scheme http", replace("02056874747073", "020468747470"), KindBadScheme, strings.Replace(goodURL, "https", "http", 1)},
	{"no scheme", replace("02056874747073", ""), KindBadScheme, goodURL},
	{"no host", replace("03146c796e63706f6f6c2e636f6e746f736f2e636f6d", ""), KindNoHost, ""},
	{"host as labels", replace("03146c796e63706f6f6c2e636f6e746f736f2e636f6d",
		"0316086c796e63706f6f6c07636f6e746f736f03636f6d00"), KindNoHost, goodURL},
	{"host with NUL", replace("03146c796e63706f6f6c2e636f6e746f736f2e636f6d",
		"03156c796e63706f6f6c2e636f6e746f736f2e636f6d00"), KindNoHost, goodURL},
	{"no path", goodUC[:2*48], KindNoPath, goodURL},
	{"path without slash", goodUC[:2*48] + "0503782f79", KindNoPath, "https://lyncpool.contoso.com:443/x/y"},
	{"path with a blank", goodUC[:2*48] + "05032f2079", KindNoPath, goodURL},
	{"identifier of another case", replace("4d532d55432d436c69656e74", "6d732d55432d436c69656e74"), KindBadIdentifier, goodURL},
	{"identifier with NUL", replace("010c4d532d55432d436c69656e74", "010d4d532d55432d436c69656e7400"), KindBadIdentifier, goodURL},
	{"no identifier", replace("010c4d532d55432d436c69656e74", ""), KindBadIdentifier, goodURL},
}

func TestUCMistakes(t *testing.T) {
	for _, test := range ucMistakes {
		t.Run(test.name, func(t *testing.T) {
			value := []byte{}
			if test.hex != "" {
				value = unhex(t, test.hex)
			}
			u, err := ParseUC(value)
			problem, ok := errors.AsType[*Error](err)
			if !ok || problem.Kind != test.kind || problem.Option != 43 {
				t.Fatalf("error %v, want kind %s", err, test.kind)
			}
			if _, err := u.URL(); err == nil && test.kind != KindTruncated && test.kind != KindPortBinary {
				t.Error("URL of a refused option")
			}
			if got := Judge(Input{Option43: value, Option120: nil}, false); test.name != "VLAN only" && (got.Error != err.Error() || got.CertURL != "") {
				t.Errorf("strict verdict %+v, want error %q", got, err)
			}
			if got := Judge(Input{Option43: value}, true); test.name != "VLAN only" && (got.Error != err.Error() || got.CertURL != test.recovered) {
				t.Errorf("lenient verdict %+v, want URL %q", got, test.recovered)
			}
		})
	}
}

func TestUCReturnsWhatWasRead(t *testing.T) {
	u, err := ParseUC(unhex(t, strings.TrimSuffix(goodUC, "737663")))
	if err == nil || u.Host != "lyncpool.contoso.com" || u.Port != "443" || u.Path != "" {
		t.Errorf("read %+v, %v", u, err)
	}
	if _, err := u.Append(nil); err == nil {
		t.Error("Append wrote an option without path")
	}
}

func TestSubOptionsRefused(t *testing.T) {
	for _, sub := range []SubOption{{0, nil}, {255, nil}, {1, make([]byte, 256)}} {
		if _, err := AppendSubOptions(nil, sub); err == nil {
			t.Errorf("sub-option %d of %d bytes was written", sub.Code, len(sub.Value))
		}
	}
}

func TestVLAN(t *testing.T) {
	for _, test := range []struct {
		name, hex string
		vid       uint16
		kind      string
	}{
		{"as this project serves it", "0a0200c8", 200, ""},
		{"dnsmasq 10,200", "0a01c8", 200, ""},
		{"dnsmasq 10,200s", "0a0200c8ff", 200, ""},
		{"four bytes", "0a04000000c8", 200, ""},
		{"digits", "0a03323030", 200, ""},
		{"two digits", "0a023230", 20, ""},
		{"four digits", "0a0434303934", 4094, ""},
		{"lowest", "0a020001", 1, ""},
		{"highest", "0a020ffe", 4094, ""},
		{"besides 1 to 5", goodUC + "0a0200c8", 200, ""},
		{"before a cut", "0a0200c801", 200, ""},
		{"no sub-option 10", goodUC, 0, ""},
		{"nothing", "ff", 0, ""},
		{"zero", "0a020000", 0, KindVLANInvalid},
		{"reserved", "0a020fff", 0, KindVLANInvalid},
		{"digits too high", "0a0434303935", 0, KindVLANInvalid},
		{"empty", "0a00", 0, KindVLANInvalid},
		{"three bytes", "0a030000c8", 0, KindVLANInvalid},
		{"cut", "0102", 0, KindTruncated},
	} {
		t.Run(test.name, func(t *testing.T) {
			vid, err := ParseVLAN(unhex(t, test.hex))
			problem, _ := errors.AsType[*Error](err)
			if vid != test.vid || (err == nil) != (test.kind == "") || problem != nil && problem.Kind != test.kind {
				t.Errorf("ParseVLAN = %d, %v; want %d, kind %q", vid, err, test.vid, test.kind)
			}
		})
	}
	if b, err := AppendVLAN(nil, 200); err != nil || hex.EncodeToString(b) != "0a0200c8" {
		t.Errorf("AppendVLAN = %x, %v", b, err)
	}
	for _, vid := range []uint16{0, 4095} {
		if _, err := AppendVLAN(nil, vid); err == nil {
			t.Errorf("AppendVLAN wrote VLAN %d", vid)
		}
	}
}

func FuzzUC(f *testing.F) {
	f.Add(unhex(f, goodUC))
	f.Add(unhex(f, reversed(f)+"ff"))
	f.Add(unhex(f, goodUC+"02046d6f7265")) // a second scheme
	for _, mistake := range ucMistakes {
		b, _ := hex.DecodeString(mistake.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		Judge(Input{Option43: value}, true)
		if vid, err := ParseVLAN(value); vid > 4094 || err != nil && vid != 0 {
			t.Errorf("ParseVLAN = %d, %v", vid, err)
		}
		u, err := ParseUC(value)
		if err != nil {
			return
		}
		b, err := u.Append(nil)
		if err != nil {
			t.Fatalf("accepted, but: %v", err)
		}
		if again, err := ParseUC(b); err != nil || !reflect.DeepEqual(again, u) {
			t.Errorf("%+v became %+v, %v", u, again, err)
		}
		if canonical(value) && !bytes.Equal(b, value) {
			t.Errorf("%x became %x", value, b)
		}
	})
}

// canonical reports whether value is sub-options in strictly ascending order, without padding and end marker.
func canonical(value []byte) bool {
	subs, _, err := ParseSubOptions(value)
	plain, appendErr := AppendSubOptions(nil, subs...)
	if err != nil || appendErr != nil || !bytes.Equal(plain, value) {
		return false
	}
	return slices.IsSortedFunc(subs, func(a, b SubOption) int {
		if a.Code == b.Code {
			return 1
		}
		return int(a.Code) - int(b.Code)
	})
}
