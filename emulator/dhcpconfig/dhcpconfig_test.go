package dhcpconfig

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", file, diff)
	}
}

// Values of discovery.md §0, made for lyncpool.contoso.com, and the VLAN of §1.2.
const (
	published120  = "00086c796e63706f6f6c07636f6e746f736f03636f6d00"
	published43   = "010c4d532d55432d436c69656e740205687474707303146c796e63706f6f6c2e636f6e746f736f2e636f6d040334343305252f4365727450726f762f4365727450726f766973696f6e696e67536572766963652e737663"
	published43VL = "0a0200c8"
)

const long = "lyncweb.internal.contoso.com" // too long for Cisco IOS

func values(t *testing.T, sip, web string, vlan int) *Values {
	t.Helper()
	given := &vlan
	if vlan == 0 {
		given = nil
	}
	v, err := New(sip, web, given)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func format(t *testing.T, name string) Format {
	t.Helper()
	f, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGolden(t *testing.T) {
	for _, f := range Formats() {
		golden(t, f.Name+".txt", f.Text(values(t, "lyncpool.contoso.com", "lyncpool.contoso.com", 200)))
		golden(t, f.Name+"-long.txt", f.Text(values(t, "lyncpool.contoso.com", long, 0)))
	}
}

func TestUntested(t *testing.T) {
	for _, f := range Formats() {
		says := strings.Contains(f.Text(values(t, "lyncpool.contoso.com", "lyncpool.contoso.com", 0)), "untested")
		if want := f.Server != "" && !f.Tested; says != want {
			t.Errorf("%s says that it is untested: %v", f.Name, says)
		}
	}
}

// TestHex holds the bytes against published values, and what is printed against what a handset makes of it.
func TestHex(t *testing.T) {
	text := format(t, "hex").Text(values(t, "lyncpool.contoso.com", "lyncpool.contoso.com", 200))
	var printed []string
	for _, match := range regexp.MustCompile(`(?m)^option (\d+): (\w+)$`).FindAllStringSubmatch(text, -1) {
		printed = append(printed, match[1], match[2])
	}
	if diff := cmp.Diff([]string{"120", published120, "43", published43, "43", published43VL}, printed); diff != "" {
		t.Fatalf("(-published +printed):\n%s", diff)
	}
	got := dhcpoption.Judge(dhcpoption.Input{Option120: unhex(t, printed[1]), Option43: unhex(t, printed[3])}, false)
	want := dhcpoption.Verdict{
		Pool: "lyncpool.contoso.com", NTP: []string{},
		CertURL: "https://lyncpool.contoso.com:443/CertProv/CertProvisioningService.svc",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := dhcpoption.Judge(dhcpoption.Input{Option43: unhex(t, printed[5])}, false); got.VLAN != 200 || got.Error != "" {
		t.Errorf("%+v", got)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestIOS: nothing that IOS would cut, and the parts make the whole.
func TestIOS(t *testing.T) {
	line := regexp.MustCompile(`(?m)^option (ext )?(\d+) hex (\w+)$`)
	for _, test := range []struct {
		web string
		ext bool
	}{{"lyncpool3456789.abc.com", false}, {"lyncpool34567890.abc.com", true}} {
		v := values(t, "lyncpool.contoso.com", test.web, 0)
		text := format(t, "ios").Text(v)
		joined := map[string]string{}
		for _, match := range line.FindAllStringSubmatch(text, -1) {
			joined[match[2]] += match[3]
			if len(match[3]) > 180 {
				t.Errorf("%s: option %s has a line of %d digits", test.web, match[2], len(match[3]))
			}
		}
		want := map[string]string{"120": hex.EncodeToString(v.option120), "43": hex.EncodeToString(v.option43)}
		if diff := cmp.Diff(want, joined); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.web, diff)
		}
		if got := strings.Contains(text, "option ext 43 hex"); got != test.ext {
			t.Errorf("web server of %d characters: option ext %v", len(test.web), got)
		}
		if got := strings.Contains(text, "a name of at most 23 characters"); got != test.ext {
			t.Errorf("web server of %d characters: advice %v", len(test.web), got)
		}
	}
}

// TestWindows puts the sub-options together as Windows does.
func TestWindows(t *testing.T) {
	v := values(t, "lyncpool.contoso.com", long, 200)
	want := map[string]string{"": hex.EncodeToString(v.option120), "MSUCClient": hex.EncodeToString(v.option43), "CPEOCPHONE": published43VL}

	netsh := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^netsh dhcp server set optionvalue (\d+) Binary (?:vendor=(\w+) )?(\w+)$`).
		FindAllStringSubmatch(format(t, "windows-netsh").Text(v), -1) {
		netsh[match[2]] += windowsOption(t, match[2], match[1], unhex(t, match[3]))
	}
	if diff := cmp.Diff(want, netsh); diff != "" {
		t.Errorf("netsh (-want +got):\n%s", diff)
	}

	powershell := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^Set-DhcpServerv4OptionValue -OptionId (\d+) (?:-VendorClass (\w+) )?-Value \((.*)\)$`).
		FindAllStringSubmatch(format(t, "windows-powershell").Text(v), -1) {
		powershell[match[2]] += windowsOption(t, match[2], match[1], powershellValue(t, match[3]))
	}
	if diff := cmp.Diff(want, powershell); diff != "" {
		t.Errorf("PowerShell (-want +got):\n%s", diff)
	}
}

func windowsOption(t *testing.T, class, code string, value []byte) string {
	t.Helper()
	if class == "" {
		return hex.EncodeToString(value)
	}
	n, err := strconv.Atoi(code)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%02x%02x%x", n, len(value), value)
}

func powershellValue(t *testing.T, expression string) []byte {
	t.Helper()
	if text, ok := strings.CutPrefix(expression, "[Text.Encoding]::ASCII.GetBytes('"); ok {
		return []byte(strings.TrimSuffix(text, "')"))
	}
	list := strings.TrimSuffix(strings.TrimPrefix(expression, "[byte[]]("), ")")
	return unhex(t, strings.ReplaceAll(strings.ReplaceAll(list, "0x", ""), ",", ""))
}

// TestTogether: names that fit one by one and not together.
func TestTogether(t *testing.T) {
	for _, f := range Formats() {
		for n, want := range map[int]bool{103: false, 104: true} {
			says := strings.Contains(f.Text(values(t, name(n), name(103), 0)), "names of 206 characters together do")
			if says != want {
				t.Errorf("%s, names of %d characters: says that they do not fit: %v", f.Name, n+103, says)
			}
		}
	}
}

// name makes a name of n characters.
func name(n int) string { return strings.Repeat("abcdefghi.", 30)[:n-5] + "a.com" }

// TestKeaIsJSON: besides the comments, which Kea takes, the text is the inside of a JSON object.
func TestKeaIsJSON(t *testing.T) {
	text := regexp.MustCompile(`(?m)^//.*$`).ReplaceAllString(format(t, "kea").Text(values(t, "lyncpool.contoso.com", "lyncpool.contoso.com", 200)), "")
	if err := json.Unmarshal([]byte("{"+text+"}"), &map[string]any{}); err != nil {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	label := func(n int) string { return strings.Repeat("a", n) }
	vlan := func(id int) *int { return &id }
	for _, test := range []struct {
		sip, web string
		vlan     *int
		want     string // "" if it is taken
	}{
		{"", "lyncpool.contoso.com", nil, "SIP server \"\" has an empty label"},
		{"lyncpool.contoso.com", "", nil, "web server \"\" has an empty label"},
		{"lyncpool", "lyncpool.contoso.com", nil, "not fully qualified"},
		{"lyncpool.contoso.com.", "lyncpool.contoso.com", nil, "empty label"},
		{"lyncpool..com", "lyncpool.contoso.com", nil, "empty label"},
		{"10.0.0.1", "lyncpool.contoso.com", nil, "is an address"},
		{"2001:db8::1", "lyncpool.contoso.com", nil, "is an address"},
		{"10.0.0.999", "lyncpool.contoso.com", nil, "ends with a number"},
		{"lync pool.contoso.com", "lyncpool.contoso.com", nil, "letters, digits and hyphens"},
		{"lync\"pool.contoso.com", "lyncpool.contoso.com", nil, "letters, digits and hyphens"},
		{"lync\npool.contoso.com", "lyncpool.contoso.com", nil, "letters, digits and hyphens"},
		{"sip:lyncpool.contoso.com", "lyncpool.contoso.com", nil, "letters, digits and hyphens"},
		{label(63) + ".com", "lyncpool.contoso.com", nil, ""},
		{label(64) + ".com", "lyncpool.contoso.com", nil, "label of 64 characters"},
		{"lyncpool.contoso.com", "10.0.0.1", nil, "web server 10.0.0.1 is an address"},
		{"lyncpool.contoso.com", name(188), nil, ""},
		{"lyncpool.contoso.com", name(189), nil, "at most 188 characters"},
		{name(252), "lyncpool.contoso.com", nil, ""},
		{name(253), "lyncpool.contoso.com", nil, "at most 252 characters"},
		{name(254), "lyncpool.contoso.com", nil, "254 characters"},
		{"lyncpool.contoso.com", "lyncpool.contoso.com", vlan(-1), "VLAN -1"},
		{"lyncpool.contoso.com", "lyncpool.contoso.com", vlan(0), "VLAN 0"},
		{"lyncpool.contoso.com", "lyncpool.contoso.com", vlan(1), ""},
		{"lyncpool.contoso.com", "lyncpool.contoso.com", vlan(4094), ""},
		{"lyncpool.contoso.com", "lyncpool.contoso.com", vlan(4095), "VLAN 4095"},
	} {
		_, err := New(test.sip, test.web, test.vlan)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q, %q: %v, want %q", test.sip, test.web, err, test.want)
		}
	}
	if _, err := Find("ISC"); err == nil || !strings.Contains(err.Error(), "kea") {
		t.Errorf("%v", err)
	}
}

// FuzzNew: a handset makes of the options what went in, and no text breaks out of its line.
func FuzzNew(f *testing.F) {
	f.Add("lyncpool.contoso.com", "lyncpool.contoso.com", 200)
	f.Add("lyncpool.contoso.com", "web_1.contoso.com", 4094)
	f.Add("10.0.0.1", "a\"b.com", 0)
	f.Fuzz(func(t *testing.T, sip, web string, vlan int) {
		v, err := New(sip, web, &vlan)
		if err != nil {
			return
		}
		got := dhcpoption.Judge(dhcpoption.Input{Option120: v.option120, Option43: v.option43}, false)
		if url := "https://" + web + ":443" + dhcpoption.CertProvPath; got.Pool != sip || got.CertURL != url || got.Error != "" {
			t.Errorf("%q and %q are read as %+v", sip, web, got)
		}
		if id, err := dhcpoption.ParseVLAN(v.option43VLAN); int(id) != vlan || err != nil {
			t.Errorf("VLAN %d is read as %d, %v", vlan, id, err)
		}
		for _, format := range Formats() {
			usual, text := format.Text(values(t, "lyncpool.contoso.com", "lyncpool.contoso.com", 200)), format.Text(v)
			if more := strings.Count(text, "\n") - strings.Count(usual, "\n"); format.Name != "ios" && more != 0 && more != 2 {
				t.Errorf("%s has other lines than usual:\n%s", format.Name, text)
			}
		}
	})
}
