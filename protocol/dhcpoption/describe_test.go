package dhcpoption

import (
	"strings"
	"testing"
)

// TestDescribe reads options as they stand on the wire; the values of 43 and 120 are those of discovery.md §0, the
// order is that of ISC dhcpd.
func TestDescribe(t *testing.T) {
	message := make([]byte, 236)
	options := "63825363 350105 36040a370001 33040000 0e10 0104ffffff00 0f09 636f6e746f736f2e63 00" +
		"78 17 00086c796e63706f6f6c07636f6e746f736f03636f6d00" +
		"2b 0e 010c4d532d55432d436c69656e74 ff 0000"
	message = append(message, unhex(t, options)...)
	got, err := Describe(message)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, o := range got {
		lines = append(lines, o.Name+": "+o.Meaning)
	}
	want := []string{
		"message type: ACK", "server identifier: 10.55.0.1", "lease time: 1h0m0s", "subnet mask: 255.255.255.0",
		`domain name: "contoso.c"`, "SIP servers: lyncpool.contoso.com", `vendor specific: 1 "MS-UC-Client"`,
	}
	if text := strings.Join(lines, "\n"); text != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", text, strings.Join(want, "\n"))
	}
}

func TestDescribeOptions(t *testing.T) {
	for _, test := range []struct{ option, want string }{
		{"2b 04 0a0200c8", "10 VLAN 200"},
		{"2b 04 04 02 01bb", "4 01bb"},
		{"2b 02 0a ff", "sub-option 10 claims 255 bytes, 0 left"},
		{"2b 05 f1 03 112233", "241 112233"},
		{"78 05 01 0a37000a", "option120-address"},
		{"06 03 0a3700", "3 bytes, addresses of 4 expected"},
		{"33 04 ffffffff", "without end"},
		{"02 04 ffffc7c0", "-4h0m0s"},
		{"35 01 09", "unknown"},
		{"37 02 78 2b", "120,43"},
		{"e0 01 07", ""},
	} {
		got, err := Describe(append(make([]byte, 240), unhex(t, test.option)...))
		if err != nil || len(got) != 1 || !strings.Contains(got[0].Meaning, test.want) || test.want == "" && got[0].Name != "" {
			t.Errorf("%s: %+v, %v, want %q", test.option, got, err, test.want)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add(append(make([]byte, 240), 0x35, 1, 5, 0x2b, 2, 10, 0xff))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, message []byte) {
		list, _ := Describe(message)
		var again []byte
		var err error
		for _, o := range list {
			if again, err = AppendSubOptions(again, SubOption{Code: o.Code, Value: o.Value}); err != nil {
				t.Fatal(err)
			}
		}
		subs, _, err := ParseSubOptions(again)
		if err != nil || len(subs) != len(list) {
			t.Errorf("%d options come back as %d, %v", len(list), len(subs), err)
		}
	})
}
