package report_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestMask(t *testing.T) {
	m := report.NewMask("1219", `LITWARE\kenmyer`)
	for _, c := range [][2]string{
		{"web ticket for sip:kenmyer@litwareinc.com until 2026", "web ticket for sip:user-1@litwareinc.com until 2026"},
		{`<sip:Ken.Myer@litwareinc.com>;tag=1`, `<sip:user-2@litwareinc.com>;tag=1`},
		{"CN=kenmyer@litwareinc.com", "CN=user-1@litwareinc.com"},
		{`LITWARE\KENMYER signs in`, `LITWARE\user-1 signs in`},
		{"tel:+12065551219;ext=1219", "tel:number-2;ext=number-1"},
		{"number 12065551219, 1219.", "number number-2, number-1."},
		{"+1 (206) is short, +44-20-7946-0958 is not", "+1 (206) is short, number-3 is not"},
		{"atl-cs-001.litwareinc.com (10.20.0.10:5061)", "atl-cs-001.litwareinc.com (10.20.0.10:5061)"},
		{"21219 and 1219x and kenmyers", "21219 and 1219x and kenmyers"},
		{"“kenmyer” – 1219… — kenmyer", "“user-1” – number-1… — user-1"},
		{"éKenMyer, kenmyeré and kenmyer²", "éKenMyer, kenmyeré and kenmyer²"},
		{"no UTF-8: \x80kenmyer\xff", "no UTF-8: \x80user-1\xff"},
		{"sip:user-1@litwareinc.com", "sip:user-1@litwareinc.com"},
		{"", ""},
	} {
		if got := m.Text(c[0]); got != c[1] {
			t.Errorf("%q is masked as %q, want %q", c[0], got, c[1])
		}
	}
}

func TestMaskNamesWithinNames(t *testing.T) {
	m := report.NewMask("ann", "lee.ann", "ann-marie")
	for _, c := range [][2]string{
		{"lee.ann and ann-marie, ann", "user-2 and user-3, user-1"},
		{"julee.ann", "julee.user-1"},
		{"ann-maries", "user-1-maries"},
	} {
		if got := m.Text(c[0]); got != c[1] {
			t.Errorf("%q is masked as %q, want %q", c[0], got, c[1])
		}
	}
}

func TestMaskNameOfAPlus(t *testing.T) {
	if got := report.NewMask("+").Text("tel:0A + +@b"); got != "tel:number-1A user-1 user-1@b" {
		t.Errorf("%q", got)
	}
}

func TestMaskNothing(t *testing.T) {
	var m *report.Mask
	if got := m.Text("sip:kenmyer@litwareinc.com"); got != "sip:kenmyer@litwareinc.com" {
		t.Error(got)
	}
	if got := m.Result(success()); got.User != success().User {
		t.Error(got.User)
	}
}

func TestMaskResultAndObservation(t *testing.T) {
	m := report.NewMask()
	r := m.Result(success())
	if r.User.SIPAddress != "sip:user-1@litwareinc.com" || r.User.LineURI != "tel:number-1;ext=number-2" || r.Certificate.Subject != "CN=user-1@litwareinc.com" {
		t.Errorf("%+v, %+v", r.User, r.Certificate)
	}
	if success().Certificate.Subject == r.Certificate.Subject {
		t.Error("the result itself was changed")
	}
	o := m.Observation(timeline.Observation{
		Text: "for kenmyer", Fields: []timeline.Field{{Name: "To", Value: "<sip:kenmyer@litwareinc.com>"}, {Name: "Username", Value: "12065551219"}, {Name: "publication@uri", Value: ""}},
	})
	if o.Text != "for user-1" || o.Fields[0].Value != "<sip:user-1@litwareinc.com>" || o.Fields[1].Value != "number-1" || o.Fields[2].Name != "publication@uri" {
		t.Errorf("%+v", o)
	}
}

// FuzzMask: no known name is left as a word, no SIP address with its user.
func FuzzMask(f *testing.F) {
	f.Add("sip:kenmyer@litwareinc.com", "kenmyer")
	f.Add("tel:+12065551219;ext=1219 and 1219", "1219")
	f.Add(`A\b c@d +1234567`, "b")
	f.Add("sip:m@\x00@l", "kenmyer") // no address as it stands
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(name) > 100 || len(text) > 1000 {
			return
		}
		once := report.NewMask(name).Text(text)
		users := map[string]bool{}
		for _, found := range sipAddress.FindAllStringSubmatch(text, -1) {
			users[found[1]] = true
		}
		for _, found := range sipAddress.FindAllStringSubmatch(once, -1) {
			if users[found[1]] && !placeholder.MatchString(found[1]) {
				t.Errorf("%q is masked as %q", text, once)
			}
		}
		if strings.TrimSpace(name) == name && plainName.MatchString(name) {
			for _, word := range wordBreak.Split(once, -1) {
				if strings.EqualFold(word, name) {
					t.Errorf("%q is left in %q", name, once)
				}
			}
		}
	})
}

var (
	sipAddress  = regexp.MustCompile(`sip:([a-z.]+)@[a-z]`)
	placeholder = regexp.MustCompile(`^(user|number)-[0-9]+$`)

	plainName = regexp.MustCompile(`^[a-z]{4,}$`)
	wordBreak = regexp.MustCompile(`[^\pL\pN_]+`)
)
