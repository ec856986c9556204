package sipmessage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, b []byte) *sipmessage.Message {
	t.Helper()
	m, err := sipmessage.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// text makes a message of lines; an empty line ends the headers.
func text(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n")) }

// The messages of sip.md §8: read and written again they are the same bytes.
func TestMessagesAreBytes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sip")
	if err != nil || len(files) != 9 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b := read(t, filepath.Base(file))
		m := parse(t, b)
		got, err := m.Append([]byte("before"))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if diff := cmp.Diff("before"+string(b), string(got)); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

func TestParseRegister(t *testing.T) {
	m := parse(t, read(t, "8.1-register.sip"))
	if m.Method != "REGISTER" || m.RequestURI != "sip:lab.test" || !m.IsRequest() || m.Status != 0 {
		t.Errorf("start line %q %q", m.Method, m.RequestURI)
	}
	if len(m.Headers) != 16 || m.Headers[0] != (sipmessage.Header{Name: "Via", Value: "SIP/2.0/TLS 10.0.0.21:50123"}) {
		t.Errorf("%d headers, first %v", len(m.Headers), m.Headers[0])
	}
	want := []string{"gruu-10, adhoclist, msrtc-event-categories", "ms-forking", "ms-cluster-failover", "ms-userservices-state-notification"}
	if diff := cmp.Diff(want, m.Values("supported")); diff != "" {
		t.Error(diff)
	}
	num, method := m.CSeq()
	if num != "1" || method != "REGISTER" || m.CallID() != "6b2dec5dfd9a4eaf90180bb2f8f699ea" || m.Get("MS-KEEP-ALIVE") != "UAC;hop-hop=yes" {
		t.Errorf("CSeq %q %q, Call-ID %q", num, method, m.CallID())
	}
	if _, ok := m.Expires(); ok {
		t.Error("an Expires header was found")
	}
	from, err := sipmessage.ParseAddress(m.Get("From"))
	if err != nil || from.URI != "sip:user1@lab.test" || from.Tag() != "c5e826a828" || from.Epid() != "a0ae9e6cb0" {
		t.Errorf("From %+v, %v", from, err)
	}
}

func TestParseResponse(t *testing.T) {
	m := parse(t, read(t, "8.8-200.sip"))
	if m.IsRequest() || m.Status != 200 || m.Reason != "OK" {
		t.Errorf("start line %d %q", m.Status, m.Reason)
	}
	if seconds, ok := m.Expires(); !ok || seconds != 600 {
		t.Errorf("Expires %d %v", seconds, ok)
	}
	contact, err := sipmessage.ParseAddress(m.Get("Contact"))
	if err != nil {
		t.Fatal(err)
	}
	want := sipmessage.Address{
		URI: "sip:10.0.0.21:50123;transport=tls;ms-opaque=89eaec8ad6;ms-received-cid=25100",
		Params: []sipmessage.Param{
			{Name: "expires", Value: "600"},
			{Name: "+sip.instance", Value: "<urn:uuid:c1589240-e660-594f-a8b3-4b55f358cbc1>"},
			{Name: "gruu", Value: "sip:user1@lab.test;opaque=user:epid:QJJYwWDmT1mos0tV81jLwQAA;gruu"},
		},
	}
	if diff := cmp.Diff(want, contact); diff != "" {
		t.Error(diff)
	}
}

// Short names, blanks and folded lines of RFC 3261 7.3 are read; a folded line is written as it came.
func TestParseIsTolerant(t *testing.T) {
	b := text("NOTIFY sip:a SIP/2.0", "v:SIP/2.0/TCP h", "f :  <sip:a@b>;tag=1\t", "Subject: one", "\ttwo", "  three", "i: x", "L: 2", "", "ab")
	m := parse(t, b)
	if m.Get("Via") != "SIP/2.0/TCP h" || m.Get("From") != "<sip:a@b>;tag=1" || m.CallID() != "x" || m.Get("content-length") != "2" {
		t.Errorf("headers %q", m.Headers)
	}
	if m.Get("s") != "one\r\n\ttwo\r\n  three" {
		t.Errorf("folded %q", m.Get("Subject"))
	}
	got, err := m.Append(nil)
	want := text("NOTIFY sip:a SIP/2.0", "v: SIP/2.0/TCP h", "f: <sip:a@b>;tag=1", "Subject: one", "\ttwo", "  three", "i: x", "L: 2", "", "ab")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSetAndAdd(t *testing.T) {
	m := &sipmessage.Message{Method: "OPTIONS", RequestURI: "sip:a"}
	m.Add("k", "one")
	m.Add("Supported", "two")
	m.Set("supported", "three")
	m.Set("Expires", "0")
	want := []sipmessage.Header{{Name: "k", Value: "three"}, {Name: "Supported", Value: "two"}, {Name: "Expires", Value: "0"}}
	if diff := cmp.Diff(want, m.Headers); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                   nil,
		"no empty line":             text("OPTIONS sip:a SIP/2.0", "Via: x"),
		"no start line":             text("", "Via: x", "", ""),
		"HTTP":                      text("GET / HTTP/1.1", "Host: x", "", ""),
		"SIP/3.0":                   text("OPTIONS sip:a SIP/3.0", "", ""),
		"two words":                 text("OPTIONS SIP/2.0", "", ""),
		"two blanks":                text("OPTIONS  sip:a SIP/2.0", "", ""),
		"four words":                text("OPTIONS sip:a b SIP/2.0", "", ""),
		"status 99":                 text("SIP/2.0 099 x", "", ""),
		"status 700":                text("SIP/2.0 700 x", "", ""),
		"status of four digits":     text("SIP/2.0 2000 x", "", ""),
		"status of letters":         text("SIP/2.0 2xx x", "", ""),
		"no blank after the status": text("SIP/2.0 200", "", ""),
		"no colon":                  text("OPTIONS sip:a SIP/2.0", "Via", "", ""),
		"no header name":            text("OPTIONS sip:a SIP/2.0", ": x", "", ""),
		"blank in a name":           text("OPTIONS sip:a SIP/2.0", "Max Forwards: x", "", ""),
		"folded start line":         text("OPTIONS sip:a SIP/2.0", " Via: x", "", ""),
		"lone line feed":            text("OPTIONS sip:a SIP/2.0", "Via: x\nFrom: y", "", ""),
		"lone return":               text("OPTIONS sip:a SIP/2.0", "Via: x\ry", "", ""),
		"line feed in the reason":   text("SIP/2.0 200 O\nK", "", ""),
		"body too short":            text("OPTIONS sip:a SIP/2.0", "Content-Length: 3", "", "ab"),
		"body too long":             text("OPTIONS sip:a SIP/2.0", "Content-Length: 1", "", "ab"),
		"negative length":           text("OPTIONS sip:a SIP/2.0", "Content-Length: -1", "", ""),
		"two lengths":               text("OPTIONS sip:a SIP/2.0", "Content-Length: 2", "l: 2", "", "ab"),
		"length with a sign":        text("OPTIONS sip:a SIP/2.0", "Content-Length: +2", "", "ab"),
	} {
		if m, err := sipmessage.Parse(b); !errors.Is(err, sipmessage.ErrMalformed) || m != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	header := func(name, value string) *sipmessage.Message {
		return &sipmessage.Message{Method: "OPTIONS", RequestURI: "sip:a", Headers: []sipmessage.Header{{Name: name, Value: value}}}
	}
	for name, m := range map[string]*sipmessage.Message{
		"nothing":                   {},
		"no address":                {Method: "OPTIONS"},
		"blank in the address":      {Method: "OPTIONS", RequestURI: "sip:a b"},
		"line break in the method":  {Method: "OPTIONS\r\n", RequestURI: "sip:a"},
		"a request named SIP/2.0":   {Method: "SIP/2.0", RequestURI: "200"},
		"status 1000":               {Status: 1000},
		"line break in the reason":  {Status: 200, Reason: "OK\r\nX: y"},
		"no header name":            header("", "x"),
		"colon in a header name":    header("a:b", "x"),
		"line break in a value":     header("X", "a\r\nY: b"),
		"line feed in a value":      header("X", "a\nb"),
		"blank line in a value":     header("X", "a\r\n\r\nb"),
		"value that ends in a line": header("X", "a\r\n"),
		"blank before a value":      header("X", " a"),
	} {
		if b, err := m.Append(nil); !errors.Is(err, sipmessage.ErrMalformed) || b != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// Each bound: at it both ways are open, one over both are shut.
func TestBounds(t *testing.T) {
	const start = "OPTIONS sip:a SIP/2.0\r\n"
	for _, c := range []struct {
		name     string
		body     int // bytes of the body
		value    int // bytes of the value of header X
		uri      int // bytes added to the address
		tooLarge bool
	}{
		{"header line", 0, sipmessage.MaxHeaderLine - len("X: "), 0, false},
		{"header line, one over", 0, sipmessage.MaxHeaderLine - len("X: ") + 1, 0, true},
		{"message", sipmessage.MaxSize - len(start) - len("X: \r\n\r\n") - 1, 1, 0, false},
		{"message, one over", sipmessage.MaxSize - len(start) - len("X: \r\n\r\n"), 1, 0, true},
		{"start line", 0, 1, sipmessage.MaxHeaderLine - len(start) + len("\r\n"), false},
		{"start line, one over", 0, 1, sipmessage.MaxHeaderLine - len(start) + len("\r\n") + 1, true},
	} {
		m := &sipmessage.Message{
			Method: "OPTIONS", RequestURI: "sip:a" + strings.Repeat("a", c.uri),
			Headers: []sipmessage.Header{{Name: "X", Value: strings.Repeat("x", c.value)}}, Body: bytes.Repeat([]byte("b"), c.body),
		}
		b, err := m.Append(nil)
		if errors.Is(err, sipmessage.ErrTooLarge) != c.tooLarge || (!c.tooLarge && err != nil) {
			t.Errorf("%s: Append: %v", c.name, err)
		}
		if c.tooLarge {
			b = []byte(m.Method + " " + m.RequestURI + " SIP/2.0\r\nX: " + m.Headers[0].Value + "\r\n\r\n" + string(m.Body))
		}
		if _, err := sipmessage.Parse(b); errors.Is(err, sipmessage.ErrTooLarge) != c.tooLarge || (!c.tooLarge && err != nil) {
			t.Errorf("%s: Parse of %d bytes: %v", c.name, len(b), err)
		}
	}
}

// What is read is written so that it is read the same, and written the same from then on.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.sip")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(read(f, filepath.Base(file)))
	}
	f.Add(text("NOTIFY sip:a SIP/2.0", "v:x", "s: one", "\ttwo", "", "body"))
	f.Add(text("SIP/2.0 200 ", "", ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := sipmessage.Parse(b)
		if err != nil {
			if m != nil {
				t.Fatal("a message besides an error")
			}
			return
		}
		out, err := m.Append(nil)
		if errors.Is(err, sipmessage.ErrTooLarge) && len(b) > sipmessage.MaxHeaderLine-2 {
			return // blanks that were not there made it longer
		}
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", b, err)
		}
		again, err := sipmessage.Parse(out)
		if err != nil {
			t.Fatalf("%q is refused: %v", out, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatal(diff)
		}
		sipmessage.Fields(m)
		if canonical(b) && !bytes.Equal(out, b) {
			t.Fatalf("%q became %q", b, out)
		}
	})
}

// canonical: each header has one blank after its colon and no others around its value.
func canonical(b []byte) bool {
	head, _, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(name, ": \t") || strings.TrimSpace(value) != value || strings.HasPrefix(line, " ") {
			return false
		}
	}
	return true
}
