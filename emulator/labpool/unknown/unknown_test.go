package unknown_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestHeader(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"X-Device", "CX600", `"X-Device": "CX600"`},
		{"ms-text", "a\r\nb", `"ms-text": "a\r\nb"`},
		{"X-Long", strings.Repeat("x", 500), `"X-Long": "` + strings.Repeat("x", 160) + `"`},
		{strings.Repeat("N", 500), "v", `"` + strings.Repeat("N", 80) + `": "v"`},
		{"Authorization", "Basic MTIxOTowNzEy", `"Authorization": Basic ***(base64 of 12)`},
		{"Authorization", "MTIxOTowNzEy", `"Authorization": ***(base64 of 12)`},
		{"Authorization", "0712 0712", `"Authorization": ***(9 characters)`},
		{"Proxy-Authorization", `NTLM qop="auth"`, `"Proxy-Authorization": NTLM ***(10 characters)`},
		{"Cookie", "session=Litware-2013", `"Cookie": ***(20 characters)`},
		{"X-Pin", "0712", `"X-Pin": ***(4 digits)`},
		{"X-Number", "0712", `"X-Number": ***(4 digits)`},
		{"X-Count", "12", `"X-Count": "12"`},
		{"X-Token", "", `"X-Token": ""`},
	} {
		if got := unknown.Header(c.name, c.value); got != c.want {
			t.Errorf("%.20s %.20s: %s, want %s", c.name, c.value, got, c.want)
		}
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"", "0 bytes"},
		{" \r\n", "3 bytes"},
		{
			`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><SignIn xmlns="urn:x" Pin="0712"><Number>1219</Number>` +
				`<Password Type="urn:text">Litware-2013</Password><When>2013-05-06T07:08:09Z</When><Flag>true</Flag><To>https://pool.example.com/a</To>` +
				`<Id>{7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10}</Id><User>sip:alice@example.com</User></SignIn></s:Body></s:Envelope>`,
			`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><SignIn xmlns="urn:x" Pin="***(4 digits)"><Number>***(4 digits)</Number>` +
				`<Password Type="urn:text">***(12 characters)</Password><When>2013-05-06T07:08:09Z</When><Flag>true</Flag><To>https://pool.example.com/a</To>` +
				`<Id>{7f1c2a5e-0b1d-5a77-9c31-2f0c6f0a9b10}</Id><User>sip:alice@example.com</User></SignIn></s:Body></s:Envelope>`,
		},
		{`<a Id="0712">http://u:Litware-2013@host/</a>`, `<a Id="***(4 digits)">***(27 characters)</a>`},
		{"<a>http://docs.oasis-open.org/wss#SAMLV1.1</a><b>http://host/#0712</b>", "<a>http://docs.oasis-open.org/wss#SAMLV1.1</a><b>***(17 characters)</b>"},
		{"<a>MTIxOTowNzEy</a><b>sip:alice:0712@example.com</b>", "<a>***(base64 of 12)</a><b>***(26 characters)</b>"},
		{"<a><b>0712", "<a><b>***(4 digits)"},
		{"user=1219&pin=0712", "xxxx=####&xxx=####"},
		{"0=9999", "#=####"}, // found by fuzzing: a digit for any digit is a PIN, too
		{`{"pin":"0712"}`, `{"xxx":"####"}`},
		{"\x01\x02ab", "..xx"},
	} {
		if got := unknown.Body([]byte(c.body)); got != c.want {
			t.Errorf("%q:\n%s\nwant\n%s", c.body, got, c.want)
		}
	}
	for _, long := range []string{strings.Repeat("x", 9000), strings.Repeat("<a>", 9000), "<a>" + strings.Repeat("0", 9000), "<" + strings.Repeat("n", 9000) + ">"} {
		if got := unknown.Body([]byte(long)); len(got) > 2600 {
			t.Errorf("%.10s: %d bytes", long, len(got))
		}
	}
}

func TestBytes(t *testing.T) {
	if got := unknown.Bytes([]byte{1, 0xab}); got != "01ab" {
		t.Error(got)
	}
	if got := unknown.Bytes(make([]byte, 100)); got != strings.Repeat("00", 64)+"… of 100 bytes" {
		t.Error(got)
	}
	for text, want := range map[string]string{"0712": `"pin"=***(4 digits)`, "https://a.example/b": `"pin"=https://a.example/b`, "4.0.7577.4463": `"pin"=4.0.7577.4463`, "00-04-F2-00-01-76": `"pin"=00-04-F2-00-01-76`, "": `"pin"=""`} {
		if got := unknown.Parameter("pin", text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := unknown.Name("a\nb"); got != `"a\nb"` {
		t.Error(got)
	}
}

func TestLog(t *testing.T) {
	var told []string
	pool := timeline.New("lab")
	pool.Observe(func(o timeline.Observation) {
		var fields []string
		for _, f := range o.Fields {
			fields = append(fields, "{"+f.Name+" "+f.Value+"}")
		}
		told = append(told, fmt.Sprint(o.Kind, " ", o.Protocol, " ", o.Peer, " ", o.Text, " ", fields))
	})
	l := unknown.Log{Timeline: pool, Protocol: "dhcp"}
	tell := func(peer, who, what string) {
		l.Tell(peer, who, what, func() string { return "01" })
	}
	tell("a:1", "a", "option 9")
	tell("a:2", "a", "option 9")
	tell("a:2", "a", "option 8")
	tell("b:1", "b", "option 9")
	want := "unknown dhcp a:1 option 9: 01 [{what option 9}]\nunknown dhcp a:2 option 8: 01 [{what option 8}]\nunknown dhcp b:1 option 9: 01 [{what option 9}]"
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	l.Tell("a:1", "a", "body", func() string { return strings.Repeat("x", 201) })
	if got, want := told[len(told)-1], "unknown dhcp a:1 body [{what body} {shown "+strings.Repeat("x", 201)+"}]"; got != want {
		t.Errorf("%s", got)
	}
	told = told[:3]
	for i := range 9000 { // who changes names does not fill the memory, and does not end the telling
		tell("c:1", "c", fmt.Sprint("option ", i))
	}
	if len(told) != 9003 {
		t.Errorf("%d told", len(told))
	}
	var silent unknown.Log
	silent.Tell("a", "a", "b", func() string { return "" })
}

// FuzzNoSecret: whatever is around it, a PIN or a password is not in what is shown, on one line of bounded length.
func FuzzNoSecret(f *testing.F) {
	f.Add("Password", "0712", "<a>")
	f.Add("pin", "Litware-2013", `<s:Envelope xmlns:s="urn:x">`)
	f.Add("x", "90418", "{")
	f.Fuzz(func(t *testing.T, name, secret, before string) {
		if len(secret) < 4 || len(secret) > 24 || strings.Trim(secret, "0123456789") != "" && !strings.HasPrefix(secret, "Litware-") ||
			strings.Contains(name, secret) || strings.Contains(before, secret) {
			return
		}
		var escaped strings.Builder
		xml.EscapeText(&escaped, []byte(secret))
		for _, body := range []string{
			before + "<" + name + ">" + escaped.String() + "</" + name + ">",
			before + "<" + name + " " + name + "='" + escaped.String() + "'/>",
			before + "<" + name + ">" + base64.StdEncoding.EncodeToString([]byte(secret)),
			name + "=" + secret,
		} {
			got := unknown.Body([]byte(body))
			if strings.Contains(got, secret) || strings.Contains(got, base64.StdEncoding.EncodeToString([]byte(secret))) {
				t.Errorf("%q shows %q", body, got)
			}
			if len(got) > 4000 || strings.ContainsAny(got, "\r\n") {
				t.Errorf("%d bytes of %q", len(got), body)
			}
		}
	})
}
