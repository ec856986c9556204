package importer

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
)

func addrPort(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const (
	httpRequest  = "GET /a HTTP/1.1\r\nHost: b\r\n\r\n"
	httpResponse = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
	sipRequest   = "REGISTER sip:a SIP/2.0\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
	sipResponse  = "SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\nContent-Length: 2\r\n\r\nhi"
)

func spokenKinds(list []spoken) string {
	out := ""
	for _, m := range list {
		switch {
		case m.Err != nil:
			out += fmt.Sprintf("unreadable %d,", len(m.Unreadable))
		default:
			_, c := m.content()
			out += c.Kind + ","
		}
	}
	return out
}

func TestSpeech(t *testing.T) {
	for _, one := range []struct{ text, want string }{
		{httpRequest + httpRequest, "GET /a,GET /a,"},
		{httpResponse + httpResponse, "200 OK,200 OK,"},
		{sipRequest + "\r\n\r\n" + sipResponse + "\r\n", "REGISTER 1,keep-alive,200 OK to REGISTER 1,"},
		{"rest of a body" + httpResponse, "unreadable 14,200 OK,"},
		{"rest of a body" + sipRequest, "unreadable 14,REGISTER 1,"},
		{httpResponse[:len(httpResponse)-1], fmt.Sprintf("unreadable %d,", len(httpResponse)-1)},
		{sipResponse[:len(sipResponse)-1], fmt.Sprintf("unreadable %d,", len(sipResponse)-1)},
		{"S", "unreadable 1,"},
		{"REGISTER sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n", "unreadable 52,"},
	} {
		r := run{chunks: []chunk{{Frame: 1, At: began, Bytes: []byte(one.text)}}}
		if got := spokenKinds(speech([]run{r})); got != one.want {
			t.Errorf("%q: got %s, want %s", one.text, got, one.want)
		}
	}
}

// A message belongs to the frame that made it whole, and begins in another.
func TestSpeechOverFrames(t *testing.T) {
	r := run{chunks: []chunk{{Frame: 3, At: began, Bytes: []byte(sipRequest[:20])}, {Frame: 5, At: began, Bytes: []byte(sipRequest[20:] + sipResponse[:9])}, {Frame: 8, At: began, Bytes: []byte(sipResponse[9:])}}}
	got := speech([]run{r})
	if len(got) != 2 || got[0].Begin != 3 || got[0].Frame != 5 || got[1].Begin != 5 || got[1].Frame != 8 {
		t.Errorf("%+v", got)
	}
}

// FuzzSpeech: every byte is of a message, of what is unreadable, or a line break between them; and none twice.
func FuzzSpeech(f *testing.F) {
	for _, text := range []string{httpRequest, httpResponse, sipRequest + sipResponse, "x" + sipRequest, "\r\n\r\n\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		at := 0
		for _, m := range speech([]run{{chunks: []chunk{{Frame: 1, At: began, Bytes: b}}}}) {
			i := bytes.Index(b[at:], m.Raw)
			if i < 0 || len(bytes.Trim(b[at:at+i], "\r\n")) > 0 {
				t.Fatalf("%q is left out before %q", b[at:], m.Raw)
			}
			at += i + len(m.Raw)
			if m.Err != nil && !bytes.Equal(m.Raw, m.Unreadable) {
				t.Fatalf("%q is unreadable, of %q", m.Unreadable, m.Raw)
			}
		}
		if len(bytes.Trim(b[at:], "\r\n")) > 0 {
			t.Fatalf("%q is left out at the end", b[at:])
		}
	})
}
