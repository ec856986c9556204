package report_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/report"
)

const (
	ucBlob = "010c4d532d55432d436c69656e7402056874747073" +
		"03146c796e63706f6f6c2e636f6e746f736f2e636f6d"
	ucPort = "0403343433"
	ucPath = "05252f4365727450726f762f4365727450726f766973696f6e696e67536572766963652e737663"
)

// dhcp is a message with the given op, xid and options, all hexadecimal.
func dhcp(t *testing.T, op, xid, options string) []byte {
	t.Helper()
	head := op + "010600" + xid
	b, err := hex.DecodeString(head + strings.Repeat("00", 236-len(head)/2) + "63825363" + options + "ff")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// option is an option with its length.
func option(code, value string) string {
	return code + hex.EncodeToString([]byte{byte(len(value) / 2)}) + value
}

// TestSurveyMistakes feeds the answers of the mistakes listed in discovery.md §4, byte for byte, and wants each named.
func TestSurveyMistakes(t *testing.T) {
	const inform, class = "350108", "3c0c4d532d55432d436c69656e74"
	good120 := option("78", "00086c796e63706f6f6c07636f6e746f736f03636f6d00")
	good43 := option("2b", ucBlob+ucPort+ucPath)
	for _, test := range []struct{ name, ack, want string }{
		{"good", good120 + good43, ""},
		{"class absent or wrong case", "", "discovery.option120-missing discovery.option43-missing"},
		{"another vendor's option 43", good120 + option("2b", "01075369656d656e73"), "discovery.option43-foreign"},
		{"raw text in 120", good43 + option("78", hex.EncodeToString([]byte("lyncpool.contoso.com"))), "discovery.option120-text"},
		{"no type byte", good43 + option("78", "086c796e63706f6f6c07636f6e746f736f03636f6d00"), "discovery.option120-no-type"},
		{"addresses in 120", good43 + option("78", "010a37000a"), "discovery.option120-address"},
		{"binary port", good120 + option("2b", ucBlob+"040201bb"+ucPath), "discovery.option43-port-binary"},
		{"43 cut at 90 bytes", good120 + option("2b", (ucBlob + ucPort + ucPath)[:160]), "discovery.option43-truncated"},
		{"hex typed as text", good120 + option("2b", hex.EncodeToString([]byte(ucBlob+ucPort))), "discovery.option43-hex-text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := netip.MustParseAddr("10.55.0.1")
			at := time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC)
			s := report.NewSurvey([]report.DHCPPacket{
				{At: at, Sent: true, Payload: dhcp(t, "01", "0000002a", inform+class)},
				{At: at.Add(3 * time.Millisecond), From: server, Payload: dhcp(t, "02", "0000002a", "350105"+"36040a370001"+test.ack)},
			})
			var codes []string
			for _, m := range s.Mistakes {
				codes = append(codes, string(m.Code))
				if m.Server != "10.55.0.1" || m.Remedy == "" || m.Error == "" || m.Seen == "" || m.Source == "" {
					t.Errorf("%+v", m)
				}
			}
			if got := strings.Join(codes, " "); got != test.want {
				t.Errorf("mistakes %s, want %s", got, test.want)
			}
			if s.OK() != (test.want == "") {
				t.Errorf("pool %q, URL %q", s.Pool, s.CertURL)
			}
			var text, object bytes.Buffer
			if err := report.WriteSurvey(&text, s); err != nil {
				t.Fatal(err)
			}
			for _, want := range append([]string{"INFORM MS-UC-Client", "ACK from 10.55.0.1 after 0.003 s"}, codes...) {
				if !strings.Contains(text.String(), want) {
					t.Errorf("%q is not in\n%s", want, &text)
				}
			}
			if err := report.WriteSurveyJSON(&object, s); err != nil {
				t.Fatal(err)
			}
			if !json.Valid(object.Bytes()) || !strings.Contains(object.String(), report.SurveySchema) {
				t.Error(object.String())
			}
		})
	}
}

// TestSurveyRules: silence is a mistake, answers to somebody else are none, and 120 of one server never meets 43 of
// another (discovery.md §9).
func TestSurveyRules(t *testing.T) {
	first, second := netip.MustParseAddr("10.55.0.1"), netip.MustParseAddr("10.55.0.2")
	ask := report.DHCPPacket{Sent: true, Payload: dhcp(t, "01", "0000002a", "350108")}
	answer := func(from netip.Addr, xid, options string) report.DHCPPacket {
		return report.DHCPPacket{From: from, Payload: dhcp(t, "02", xid, "350105"+options)}
	}
	pool := option("78", "00086c796e63706f6f6c07636f6e746f736f03636f6d00")
	for _, test := range []struct {
		name      string
		packets   []report.DHCPPacket
		pool, url string
		code      string
	}{
		{"silence", []report.DHCPPacket{ask, ask}, "", "", "discovery.inform-unanswered"},
		{"another xid", []report.DHCPPacket{ask, answer(first, "00000001", pool)}, "", "", "discovery.inform-unanswered"},
		{"three bytes", []report.DHCPPacket{ask, {From: first, Payload: []byte{1, 2, 3}}}, "", "", "discovery.inform-unanswered"},
		{
			"120 of one, 43 of the other",
			[]report.DHCPPacket{ask, answer(first, "0000002a", option("2b", ucBlob+ucPort+ucPath)), answer(second, "0000002a", pool)},
			"lyncpool.contoso.com", "", "discovery.option43-missing",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := report.NewSurvey(test.packets)
			if s.Pool != test.pool || s.CertURL != test.url {
				t.Errorf("pool %q, URL %q", s.Pool, s.CertURL)
			}
			for _, m := range s.Mistakes {
				if string(m.Code) == test.code {
					return
				}
			}
			t.Errorf("%s is not among %+v", test.code, s.Mistakes)
		})
	}
}

func FuzzSurvey(f *testing.F) {
	f.Add([]byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, question, answer []byte) {
		s := report.NewSurvey([]report.DHCPPacket{{Sent: true, Payload: question}, {Payload: answer}})
		if len(s.Questions) != 1 || s.Questions[0].Packet != hex.EncodeToString(question) {
			t.Errorf("%+v", s.Questions)
		}
		if err := report.WriteSurveyJSON(&bytes.Buffer{}, s); err != nil {
			t.Error(err)
		}
	})
}
