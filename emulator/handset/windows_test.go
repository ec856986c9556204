package handset

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Azure/go-ntlmssp"
	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/protocol/httpmessage"
)

// The challenge and the NTOWFv2 of [MS-NLMP] 4.2.4: user User of Domain, Password. The flags are without key exchange
// (0x40000000), which go-ntlmssp neither asks for nor does.
const (
	specChallenge = "4e544c4d53535000020000000c000c003800000033828aa20123456789abcdef00000000000000002400240044000000060070170000000f" +
		"53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000"
	specNTOWFv2 = "0c868a403bfd7a93a3001ef22ef02e3f"
)

// field is what the field at the given place of an NTLM message stands for.
func field(b []byte, at int) []byte {
	size, offset := binary.LittleEndian.Uint16(b[at:]), binary.LittleEndian.Uint32(b[at+4:])
	return b[offset : offset+uint32(size)]
}

// The library on its own, against the document: its proof is the HMAC-MD5 under the document's NTOWFv2 of the
// document's challenge and what it sends itself, which is laid out as the document's "temp".
func TestLibraryAgainstTheDocument(t *testing.T) {
	answer, err := ntlmssp.NewAuthenticateMessage(unhex(specChallenge), `Domain\User`, "Password", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(answer, []byte("NTLMSSP\x00\x03\x00\x00\x00")) {
		t.Fatalf("answer %x", answer)
	}
	utf16 := func(text string) []byte { return []byte(strings.Join(strings.Split(text, ""), "\x00") + "\x00") }
	if !bytes.Equal(field(answer, 28), utf16("Domain")) || !bytes.Equal(field(answer, 36), utf16("User")) {
		t.Errorf("domain %q, user %q", field(answer, 28), field(answer, 36))
	}
	response := field(answer, 20)
	proof, temp := response[:16], response[16:]
	mac := hmac.New(md5.New, unhex(specNTOWFv2))
	mac.Write(unhex("0123456789abcdef"))
	mac.Write(temp)
	if want := mac.Sum(nil); !bytes.Equal(proof, want) {
		t.Errorf("proof %x, want %x", proof, want)
	}
	targetInfo := unhex(specChallenge)[0x44:]
	if !bytes.HasPrefix(temp, []byte{1, 1, 0, 0, 0, 0, 0, 0}) || !bytes.Equal(temp[24:28], make([]byte, 4)) ||
		!bytes.Equal(temp[28:], append(targetInfo, 0, 0, 0, 0)) {
		t.Errorf("client challenge %x", temp)
	}
	if lm := field(answer, 12); len(lm) != 0 {
		t.Errorf("LM response %x beside target information", lm)
	}
}

func TestChallenges(t *testing.T) {
	for _, test := range []struct {
		headers []string
		want    map[string]string
	}{
		{nil, map[string]string{}},
		{[]string{"NTLM"}, map[string]string{"ntlm": ""}},
		{[]string{"Negotiate,NTLM"}, map[string]string{"negotiate": "", "ntlm": ""}},
		{[]string{"Negotiate", "NTLM"}, map[string]string{"negotiate": "", "ntlm": ""}},
		{[]string{"NTLM TlRMTVNTUAACAA=="}, map[string]string{"ntlm": "TlRMTVNTUAACAA=="}},
		{[]string{`Basic realm="a, NTLM", charset="UTF-8", ntlm`}, map[string]string{"basic": `realm="a, NTLM"`, "ntlm": ""}},
		{[]string{`Basic realm="a\", NTLM"`}, map[string]string{"basic": `realm="a\", NTLM"`}},
		{[]string{`Basic realm="without end, NTLM`}, map[string]string{"basic": `realm="without end, NTLM`}},
		{[]string{", ,,  NTLM ,"}, map[string]string{"ntlm": ""}},
		{[]string{"NTLM QQ==", "NTLM"}, map[string]string{"ntlm": "QQ=="}},
		{[]string{`Bearer trusted_issuers="", client_id="00000004-0000-0ff1-ce00-000000000000"`}, map[string]string{"bearer": `trusted_issuers=""`}},
	} {
		var a webAnswer
		for _, h := range test.headers {
			a.Header = append(a.Header, httpmessage.Header{Name: "www-authenticate", Value: h}, httpmessage.Header{Name: "Other", Value: "NTLM"})
		}
		if diff := cmp.Diff(test.want, challenges(a)); diff != "" {
			t.Errorf("%q: %s", test.headers, diff)
		}
	}
}

const hangUp = "the connection is closed"

// scripted answers the requests of one connection in turn and remembers what authorized them.
func scripted(conn net.Conn, answers []string) <-chan []string {
	done := make(chan []string, 1)
	go func() {
		var seen []string
		defer func() { conn.Close(); done <- seen }()
		reader := bufio.NewReader(conn)
		for _, answer := range answers {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			seen = append(seen, r.Header.Get("Authorization"))
			if answer == hangUp {
				return
			}
			io.WriteString(conn, strings.ReplaceAll(answer, "\n", "\r\n"))
		}
		io.Copy(io.Discard, reader)
	}()
	return done
}

// Pools that offer this and that: what is sent, and what becomes of it.
func TestExchangeByPassword(t *testing.T) {
	profile, err := configs.LoadProfile("polycom-cx700-4.0.7577.4066")
	if err != nil {
		t.Fatal(err)
	}
	challenge := base64.StdEncoding.EncodeToString(unhex(specChallenge))
	with := func(status string, headers ...string) string {
		return "HTTP/1.1 " + status + "\nContent-Length: 0\n" + strings.Join(append(headers, "\n"), "\n")
	}
	const unauthorized, ok = "401 Unauthorized", "200 OK"
	const first, second, basic = "TlRMTVNTUAABAAAA", "TlRMTVNTUAADAAAA", "Basic RG9tYWluXFVzZXI6UGFzc3dvcmQ="
	for _, test := range []struct {
		name    string
		scheme  string
		answers []string
		sent    []string // beginnings of Authorization
		code    devicestate.Code
		refused bool
	}{
		{"no authentication", "https", []string{with(ok)}, []string{""}, "", false},
		{
			"NTLM", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM "+challenge), with(ok)},
			[]string{"", "NTLM " + first, "NTLM " + second},
			"", false,
		},
		{
			"NTLM before Negotiate and Basic", "https",
			[]string{with(unauthorized, `WWW-Authenticate: Basic realm="x"`, "WWW-Authenticate: Negotiate,NTLM"), with(unauthorized, "WWW-Authenticate: NTLM "+challenge), with(ok)},
			[]string{"", "NTLM " + first, "NTLM " + second},
			"", false,
		},
		{
			"Negotiate alone", "https",
			[]string{with(unauthorized, "WWW-Authenticate: Negotiate"), with(unauthorized, "WWW-Authenticate: Negotiate "+challenge), with(ok)},
			[]string{"", "Negotiate " + first, "Negotiate " + second},
			"", false,
		},
		{
			"let in at the first message", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(ok)},
			[]string{"", "NTLM " + first},
			"", false,
		},
		{
			"refused by NTLM", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM "+challenge), with(unauthorized, "WWW-Authenticate: NTLM")},
			[]string{"", "NTLM " + first, "NTLM " + second},
			"ticket.password-refused", true,
		},
		{
			"Negotiate without NTLM in it", "https",
			[]string{with(unauthorized, "WWW-Authenticate: Negotiate"), with(unauthorized, "WWW-Authenticate: Negotiate")},
			[]string{"", "Negotiate " + first},
			"ticket.windows-off", false,
		},
		{
			"neither challenge nor connection", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM", "Connection: close")},
			[]string{"", "NTLM " + first},
			"ticket.windows-off", false,
		},
		{
			"another scheme's challenge", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: Negotiate "+challenge)},
			[]string{"", "NTLM " + first},
			"ticket.windows-off", false,
		},
		{
			"a challenge that is no base64", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM ***")},
			[]string{"", "NTLM " + first},
			"ticket.garbage", false,
		},
		{
			"a challenge that is none", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM TlRMTVNTUAACAA==")},
			[]string{"", "NTLM " + first},
			"ticket.garbage", false,
		},
		{
			"another connection for the answer", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM "+challenge, "Connection: close")},
			[]string{"", "NTLM " + first},
			"ticket.reset", false,
		},
		{
			"a connection that ends with the answer", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM "+challenge), hangUp},
			[]string{"", "NTLM " + first, "NTLM " + second},
			"ticket.reset", false,
		},
		{
			"silence after the answer", "https",
			[]string{with(unauthorized, "WWW-Authenticate: NTLM"), with(unauthorized, "WWW-Authenticate: NTLM "+challenge), ""},
			[]string{"", "NTLM " + first, "NTLM " + second},
			"ticket.timeout", false,
		},
		{"Basic", "https", []string{with(unauthorized, `WWW-Authenticate: Basic realm="x"`), with(ok)}, []string{"", basic}, "", false},
		{
			"refused by Basic", "https",
			[]string{with(unauthorized, `WWW-Authenticate: Basic realm="x"`), with(unauthorized, `WWW-Authenticate: Basic realm="x"`)},
			[]string{"", basic},
			"ticket.password-refused", true,
		},
		{"Basic in clear", "http", []string{with(unauthorized, `WWW-Authenticate: Basic realm="x"`)}, []string{""}, "ticket.windows-off", false},
		{"Bearer alone", "https", []string{with(unauthorized, "WWW-Authenticate: Bearer")}, []string{""}, "ticket.windows-off", false},
		{"nothing offered", "https", []string{with(unauthorized)}, []string{""}, "ticket.windows-off", false},
		{"another status", "https", []string{with("404 Not Found")}, []string{""}, "", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			done := scripted(far, test.answers)
			h := &Handset{profile: profile}
			h.ram.credentials = Credentials{User: `Domain\User`, Password: secret.New("Password")}
			port := map[string]string{"http": "80", "https": "443"}[test.scheme]
			h.ram.web = &webSession{conn: near, reader: bufio.NewReader(near), key: test.scheme + "://pool.example.com:" + port, peer: "pool"}
			answer, refused, failure := h.exchangeByPassword(t.Context(), webRequest{
				stage: devicestate.StageTicket, doing: "asking for the web ticket", url: test.scheme + "://pool.example.com/", body: []byte("x"),
			})
			near.Close()
			seen := <-done
			if refused != test.refused || (failure == nil) != (test.code == "") || failure != nil && failure.Code != test.code {
				t.Errorf("%s: HTTP %d, refused %v, %v; want %q", test.name, answer.Status, refused, failure, test.code)
			}
			if failure != nil && strings.Contains(failure.Error(), "Password") {
				t.Errorf("the failure tells the password: %v", failure)
			}
			if !slices.EqualFunc(seen, test.sent, func(got, want string) bool {
				return strings.HasPrefix(got, want) && (got == "") == (want == "")
			}) {
				t.Errorf("%s: sent %q, want %q", test.name, seen, test.sent)
			}
		})
	}
}
