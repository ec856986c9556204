package dhcpoption

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	lyncpool = "086c796e63706f6f6c07636f6e746f736f03636f6d00" // lyncpool.contoso.com as labels
	good120  = "00" + lyncpool
)

func TestSIPServers(t *testing.T) {
	for _, test := range []struct {
		name, hex  string
		names      []string
		compressed bool
	}{
		{"lyncpool.contoso.com (23 bytes)", good120, []string{"lyncpool.contoso.com"}, false},
		{"sip.contoso.com (18 bytes)", "000373697007636f6e746f736f03636f6d00", []string{"sip.contoso.com"}, false},
		{
			"two, ISC domain-list", good120 + "096c796e63706f6f6c3207636f6e746f736f03636f6d00",
			[]string{"lyncpool.contoso.com", "lyncpool2.contoso.com"},
			false,
		},
		{
			"two, dnsmasq", good120 + "096c796e63706f6f6c32c009",
			[]string{"lyncpool.contoso.com", "lyncpool2.contoso.com"},
			true,
		},
		{"same name again", good120 + "c000", []string{"lyncpool.contoso.com", "lyncpool.contoso.com"}, true},
		{"labels of printable length", "0028" + strings.Repeat("61", 40) + "00", []string{strings.Repeat("a", 40)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			if got, err := ParseSIPServers(b); err != nil || !slices.Equal(got, test.names) {
				t.Errorf("ParseSIPServers = %q, %v", got, err)
			}
			appendNames := AppendSIPServers
			if test.compressed {
				appendNames = AppendSIPServersCompressed
			}
			if got, err := appendNames(nil, test.names...); err != nil || hex.EncodeToString(got) != test.hex {
				t.Errorf("appended %x, %v\nwant     %s", got, err, test.hex)
			}
		})
	}
	if got, err := ParseSIPServers(unhex(t, good120+"0000")); err != nil || len(got) != 1 {
		t.Errorf("padding behind the name: %q, %v", got, err)
	}
}

// sipMistakes are the bad options 120 of discovery.md §4 and their neighbours, with what a tolerant reader recovers.
var sipMistakes = []struct {
	name, hex, kind, recovered string
}{
	{"empty", "", KindSIPEmpty, ""},
	{"type only", "00", KindSIPEmpty, ""},
	{"root only", "0000", KindSIPEmpty, ""},
	{"raw text [G5]", hex.EncodeToString([]byte("lyncpool.contoso.com")), KindSIPText, "lyncpool.contoso.com"},
	{"raw text with NUL", hex.EncodeToString([]byte("lyncpool.contoso.com\x00")), KindSIPText, "lyncpool.contoso.com"},
	{"type and raw text", "00" + hex.EncodeToString([]byte("lyncpool.contoso.com")), KindSIPText, "lyncpool.contoso.com"},
	{"hex typed as text", hex.EncodeToString([]byte(good120)), KindSIPText, "lyncpool.contoso.com"},
	{"no type byte", lyncpool, KindSIPNoType, "lyncpool.contoso.com"},
	{"type 2", "02" + lyncpool, KindSIPNoType, ""},
	{"address", "010a37000a", KindSIPAddress, ""},
	{"no root", strings.TrimSuffix(good120, "00"), KindSIPTruncated, "lyncpool.contoso.com"},
	{"cut in a label", "00086c796e", KindSIPTruncated, ""},
	{"label of 64", "0040" + strings.Repeat("61", 64) + "00", KindSIPTruncated, ""},
	{"pointer to itself", "00c000", KindSIPTruncated, ""},
	{"pointer forwards", "000161c00400000161", KindSIPTruncated, ""},
	{"pointers in a ring", "000161c0020161c000", KindSIPTruncated, ""},
	{"pointer cut off", good120 + "c0", KindSIPTruncated, "lyncpool.contoso.com"},
	{"label with a dot", "00036c2e6300", KindSIPTruncated, ""},
	{"name of 256 bytes", "00" + strings.Repeat("3f"+strings.Repeat("61", 63), 4) + "00", KindSIPTruncated, ""},
	{"empty second name", good120 + "00" + "03736970" + "00", KindSIPEmpty, ""},
}

func TestSIPMistakes(t *testing.T) {
	for _, test := range sipMistakes {
		t.Run(test.name, func(t *testing.T) {
			value := []byte{}
			if test.hex != "" {
				value = unhex(t, test.hex)
			}
			_, err := ParseSIPServers(value)
			problem, ok := errors.AsType[*Error](err)
			if !ok || problem.Kind != test.kind || problem.Option != 120 {
				t.Fatalf("error %v, want kind %s", err, test.kind)
			}
			if got := Judge(Input{Option120: value}, false); got.Error != err.Error() || got.Pool != "" {
				t.Errorf("strict verdict %+v, want error %q", got, err)
			}
			if got := Judge(Input{Option120: value}, true); got.Error != err.Error() || got.Pool != test.recovered {
				t.Errorf("lenient verdict %+v, want pool %q", got, test.recovered)
			}
		})
	}
}

func TestAppendSIPServersRefuses(t *testing.T) {
	for _, names := range [][]string{nil, {""}, {"a..b"}, {"a b"}, {"a."}, {strings.Repeat("a", 64)}, {strings.Repeat("a.", 126) + "ab"}} {
		if b, err := AppendSIPServers(nil, names...); err == nil {
			t.Errorf("%q was written as %x", names, b)
		}
	}
	longest := strings.Repeat("a.", 126) + "a"
	b, err := AppendSIPServers(nil, longest)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseSIPServers(b); err != nil || got[0] != longest {
		t.Errorf("a name of %d characters: %q, %v", len(longest), got, err)
	}
}

func FuzzSIPServers(f *testing.F) {
	f.Add(unhex(f, good120))
	for _, mistake := range sipMistakes {
		b, _ := hex.DecodeString(mistake.hex)
		f.Add(b)
	}
	f.Add(unhex(f, good120+"096c796e63706f6f6c32c009"))
	f.Fuzz(func(t *testing.T, value []byte) {
		Judge(Input{Option120: value}, true)
		names, err := ParseSIPServers(value)
		if err != nil {
			return
		}
		for _, appendNames := range []func([]byte, ...string) ([]byte, error){AppendSIPServers, AppendSIPServersCompressed} {
			b, err := appendNames(nil, names...)
			if err != nil {
				t.Fatalf("accepted, but: %v", err)
			}
			if again, err := ParseSIPServers(b); err != nil || !slices.Equal(again, names) {
				t.Errorf("%q became %q, %v", names, again, err)
			}
		}
	})
}
