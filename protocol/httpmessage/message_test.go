package httpmessage_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/protocol/httpmessage"
)

const limit = 1000 // of a body in these tests

func reader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

// web-services.md §2: the request for the root chain.
const request = "POST /CertProv/CertProvisioningService.svc HTTP/1.1\r\n" +
	"Host: pool.example.com\r\n" +
	"Content-Type: text/xml; charset=utf-8\r\n" +
	"SOAPAction: \"http://schemas.microsoft.com/OCS/AuthWebServices/GetRootCertChains\"\r\n" +
	"Content-Length: 5\r\n" +
	"\r\n" +
	"<a/>\n"

func TestRequest(t *testing.T) {
	want := httpmessage.Request{
		Method: "POST", Target: "/CertProv/CertProvisioningService.svc",
		Header: []httpmessage.Header{
			{Name: "Host", Value: "pool.example.com"},
			{Name: "Content-Type", Value: "text/xml; charset=utf-8"},
			{Name: "SOAPAction", Value: `"http://schemas.microsoft.com/OCS/AuthWebServices/GetRootCertChains"`},
			{Name: "Content-Length", Value: "5"},
		},
		Body: []byte("<a/>\n"),
	}
	got, err := httpmessage.ReadRequest(reader(request), limit)
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	for _, headers := range [][]httpmessage.Header{want.Header, want.Header[:3]} { // the length is added when it is absent
		want.Header = headers
		text, err := want.Append([]byte("before"))
		if err != nil || cmp.Diff("before"+request, string(text)) != "" {
			t.Errorf("%v\n%s", err, cmp.Diff("before"+request, string(text)))
		}
	}
	if got.Get("SOAPACTION") != want.Header[2].Value || got.Get("Cookie") != "" {
		t.Errorf("%q %q", got.Get("SOAPACTION"), got.Get("Cookie"))
	}
	text, err := httpmessage.Request{Method: "GET", Target: "/mex"}.Append(nil)
	if err != nil || string(text) != "GET /mex HTTP/1.1\r\n\r\n" {
		t.Errorf("%q, %v", text, err)
	}
	if got, err := httpmessage.ReadRequest(reader(string(text)), limit); err != nil || got.Body != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestResponse(t *testing.T) {
	const text = "HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 4\r\n\r\n<a/>"
	want := httpmessage.Response{
		Status: 200, Reason: "OK", Body: []byte("<a/>"),
		Header: []httpmessage.Header{{Name: "Cache-Control", Value: "private"}, {Name: "Content-Length", Value: "4"}},
	}
	got, err := httpmessage.ReadResponse(reader(text), limit)
	if err != nil || cmp.Diff(want, got) != "" || got.Get("content-length") != "4" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
	want.Header = want.Header[:1]
	written, err := want.Append(nil)
	if err != nil || string(written) != text {
		t.Errorf("%q, %v", written, err)
	}
	written, err = httpmessage.Response{Status: 503}.Append(nil)
	if err != nil || string(written) != "HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n" {
		t.Errorf("%q, %v", written, err)
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// The ways in which a body comes (RFC 9112 §6).
func TestBodies(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	long := strings.Repeat("x", limit)
	for name, c := range map[string]struct {
		text, body, rest string
	}{
		"length":                      {ok + "Content-Length: 3\r\n\r\nabcnext", "abc", "next"},
		"length 0":                    {ok + "Content-Length: 0\r\n\r\nnext", "", "next"},
		"until the end":               {ok + "\r\nabc", "abc", ""},
		"chunks":                      {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\nnext", "abcde", "next"},
		"chunks and a length":         {ok + "Content-Length: 99\r\nTransfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nnext", "0123456789", "next"},
		"gzip":                        {ok + "Content-Encoding: gzip\r\n\r\n" + gzipped("abc"), "abc", ""},
		"no content":                  {"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nnext", "", "next"},
		"not modified":                {"HTTP/1.1 304 Not Modified\r\n\r\nnext", "", "next"},
		"continue":                    {"HTTP/1.1 100 Continue\r\n\r\nnext", "", "next"},
		"HTTP/1.0, lines end with LF": {"HTTP/1.0 200 OK\nContent-Length: 3\n\nabcnext", "abc", "next"},
		"as long as allowed":          {ok + "Content-Length: 1000\r\n\r\n" + long, long, ""},
		"chunks as long as allowed":   {ok + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + long + "\r\n0\r\n\r\n", long, ""},
		"to the end, as long":         {ok + "\r\n" + long, long, ""},
		"gzip, as long":               {ok + "Content-Encoding: gzip\r\n\r\n" + gzipped(long), long, ""},
	} {
		br := reader(c.text)
		got, err := httpmessage.ReadResponse(br, limit)
		if rest, _ := io.ReadAll(br); err != nil || string(got.Body) != c.body || string(rest) != c.rest {
			t.Errorf("%s: %q, %v, then %q", name, got.Body, err, rest)
		}
	}
}

func TestMalformed(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	over := strings.Repeat("x", limit+1)
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":                   {"", io.EOF},
		"half a status line":        {"HTTP/1.1 2", io.ErrUnexpectedEOF},
		"another protocol":          {"SIP/2.0 200 OK\r\n\r\n", httpmessage.ErrMalformed},
		"status of two digits":      {"HTTP/1.1 20 OK\r\n\r\n", httpmessage.ErrMalformed},
		"status 099":                {"HTTP/1.1 099 OK\r\n\r\n", httpmessage.ErrMalformed},
		"status of letters":         {"HTTP/1.1 abc OK\r\n\r\n", httpmessage.ErrMalformed},
		"header without colon":      {ok + "Server\r\n\r\n", httpmessage.ErrMalformed},
		"blank before the colon":    {ok + "Server : x\r\n\r\n", httpmessage.ErrMalformed},
		"folded header":             {ok + "Server: x\r\n y: z\r\n\r\n", httpmessage.ErrMalformed},
		"end inside the headers":    {ok + "Server: x\r\n", io.ErrUnexpectedEOF},
		"length of letters":         {ok + "Content-Length: x\r\n\r\n", httpmessage.ErrMalformed},
		"negative length":           {ok + "Content-Length: -1\r\n\r\n", httpmessage.ErrMalformed},
		"body cut short":            {ok + "Content-Length: 5\r\n\r\nabc", io.ErrUnexpectedEOF},
		"unknown coding":            {ok + "Transfer-Encoding: deflate\r\n\r\nabc", httpmessage.ErrMalformed},
		"chunk size of letters":     {ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", httpmessage.ErrMalformed},
		"negative chunk size":       {ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", httpmessage.ErrMalformed},
		"chunk cut short":           {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", io.ErrUnexpectedEOF},
		"chunk too long":            {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", httpmessage.ErrMalformed},
		"end before the last chunk": {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", io.ErrUnexpectedEOF},
		"end inside the trailers":   {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n", io.ErrUnexpectedEOF},
		"gzip that is none":         {ok + "Content-Encoding: gzip\r\n\r\nabc", httpmessage.ErrMalformed},
		"gzip cut short":            {ok + "Content-Encoding: gzip\r\n\r\n" + gzipped("abcabcabc")[:15], httpmessage.ErrMalformed},

		"length, one over":                {ok + "Content-Length: 1001\r\n\r\n", httpmessage.ErrTooLarge},
		"to the end, one over":            {ok + "\r\n" + over, httpmessage.ErrTooLarge},
		"chunk, one over":                 {ok + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", httpmessage.ErrTooLarge},
		"second chunk, one over":          {ok + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + over[1:] + "\r\n1\r\n", httpmessage.ErrTooLarge},
		"gzip, one over":                  {ok + "Content-Encoding: gzip\r\n\r\n" + gzipped(over), httpmessage.ErrTooLarge},
		"a length of many digits":         {ok + "Content-Length: 9223372036854775808\r\n\r\n", httpmessage.ErrMalformed},
		"line, one over":                  {ok + "A: " + strings.Repeat("x", 16<<10-len("A: \r\n")+1) + "\r\n\r\n", httpmessage.ErrTooLarge},
		"a line without end":              {strings.Repeat("x", 20<<10), httpmessage.ErrTooLarge},
		"headers, one over":               {ok + strings.Repeat("A: b\r\n", 101) + "\r\n", httpmessage.ErrTooLarge},
		"trailers, one over":              {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 101) + "\r\n", httpmessage.ErrTooLarge},
		"line as long as allowed":         {ok + "A: " + strings.Repeat("x", 16<<10-len("A: \r\n")) + "\r\n\r\n", nil},
		"as many headers as there may be": {ok + strings.Repeat("A: b\r\n", 100) + "\r\n", nil},
	} {
		if _, err := httpmessage.ReadResponse(reader(c.text), limit); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for name, text := range map[string]string{
		"two words":        "GET /mex\r\n\r\n",
		"four words":       "GET /mex x HTTP/1.1\r\n\r\n",
		"no method":        " /mex HTTP/1.1\r\n\r\n",
		"no target":        "GET  HTTP/1.1\r\n\r\n",
		"another protocol": "GET /mex SIP/2.0\r\n\r\n",
		"method no token":  "GE(T /mex HTTP/1.1\r\n\r\n",
		"bad header":       "GET /mex HTTP/1.1\r\nx\r\n\r\n",
		"bad length":       "GET /mex HTTP/1.1\r\nContent-Length: x\r\n\r\n",
	} {
		if _, err := httpmessage.ReadRequest(reader(text), limit); !errors.Is(err, httpmessage.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := httpmessage.ReadRequest(reader(""), limit); !errors.Is(err, io.EOF) {
		t.Errorf("nothing: %v", err)
	}
}

// What would be another message on the wire is not written.
func TestUnwritable(t *testing.T) {
	header := func(name, value string) []httpmessage.Header { return []httpmessage.Header{{Name: name, Value: value}} }
	for name, m := range map[string]interface {
		Append([]byte) ([]byte, error)
	}{
		"no method":            httpmessage.Request{Target: "/"},
		"method with blank":    httpmessage.Request{Method: "A B", Target: "/"},
		"no target":            httpmessage.Request{Method: "GET"},
		"target with blank":    httpmessage.Request{Method: "GET", Target: "/a b"},
		"target with line":     httpmessage.Request{Method: "GET", Target: "/\r\nX: y"},
		"header without name":  httpmessage.Request{Method: "GET", Target: "/", Header: header("", "x")},
		"header name, colon":   httpmessage.Request{Method: "GET", Target: "/", Header: header("a:", "x")},
		"header value, line":   httpmessage.Request{Method: "GET", Target: "/", Header: header("a", "x\r\nb: c")},
		"status 99":            httpmessage.Response{Status: 99},
		"status 1000":          httpmessage.Response{Status: 1000},
		"reason with line":     httpmessage.Response{Status: 200, Reason: "OK\r\nX: y"},
		"header of a response": httpmessage.Response{Status: 200, Header: header("a", "\n")},
	} {
		if text, err := m.Append(nil); !errors.Is(err, httpmessage.ErrMalformed) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// FuzzRead: what is read with a length is written so that it is read as the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(request))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipped("abc")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if first, err := httpmessage.ReadRequest(bufio.NewReader(bytes.NewReader(b)), limit); err == nil && first.Get("Transfer-Encoding") == "" {
			text, err := first.Append(nil)
			if err != nil {
				return // a line break or a blank that is none to the reader
			}
			if second, err := httpmessage.ReadRequest(bufio.NewReader(bytes.NewReader(text)), limit); err != nil || !cmp.Equal(first, second) {
				t.Fatalf("%q becomes %q: %v\n%s", b, text, err, cmp.Diff(first, second))
			}
		}
		if first, err := httpmessage.ReadResponse(bufio.NewReader(bytes.NewReader(b)), limit); err == nil && first.Get("Content-Length") != "" &&
			first.Get("Transfer-Encoding") == "" && first.Get("Content-Encoding") == "" {
			text, err := first.Append(nil)
			if err != nil {
				return
			}
			if second, err := httpmessage.ReadResponse(bufio.NewReader(bytes.NewReader(text)), limit); err != nil || !cmp.Equal(first, second) {
				t.Fatalf("%q becomes %q: %v\n%s", b, text, err, cmp.Diff(first, second))
			}
		}
	})
}
