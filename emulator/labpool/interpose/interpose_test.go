package interpose_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/phone-edition/lpe/emulator/labpool/interpose"
)

// heard keeps what is heard, a line a message.
type heard struct {
	mu   sync.Mutex
	list []string
}

func (h *heard) ear(one interpose.Heard) {
	h.mu.Lock()
	defer h.mu.Unlock()
	way := "<"
	if one.Sent {
		way = ">"
	}
	h.list = append(h.list, fmt.Sprintf("%s %s %s", way, one.Protocol, one.Kind))
}

const (
	post     = "POST /a HTTP/1.1\r\nHost: h\r\nSOAPAction: \"x/Issue\"\r\nContent-Length: 5\r\n\r\n<a/>\n"
	get      = "GET /mex HTTP/1.1\r\nHost: h\r\n\r\n"
	ok       = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<b/>"
	chunked  = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<b/>\r\n0\r\n\r\n"
	register = "REGISTER sip:x SIP/2.0\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
	notify   = "BENOTIFY sip:x SIP/2.0\r\nCSeq: 7 BENOTIFY\r\nEvent: presence\r\nContent-Length: 4\r\n\r\n<c/>"
	answer   = "SIP/2.0 401 Unauthorized\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
)

// talk sends both ways through an overheard connection, in pieces, and returns what was heard of each.
func talk(t fatal, pieces func(string) []string, sent, received string) (list []string) {
	near, far := net.Pipe()
	var h heard
	pool := interpose.Inside(far, "h", h.ear, nil)
	done := make(chan error, 1)
	go func() {
		for _, piece := range pieces(sent) {
			if _, err := near.Write([]byte(piece)); err != nil {
				done <- err
				return
			}
		}
		_, err := io.CopyN(io.Discard, near, int64(len(received)))
		done <- err
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(pool, got); err != nil || !bytes.Equal(got, []byte(sent)) {
		t.Fatalf("%v, came as %q", err, got)
	}
	for _, piece := range pieces(received) {
		if _, err := pool.Write([]byte(piece)); err != nil {
			t.Fatalf("%v", err)
		}
	}
	if err := <-done; err != nil {
		t.Fatalf("%v", err)
	}
	near.Close()
	far.Close()
	return h.list
}

type fatal interface {
	Fatalf(format string, args ...any)
}

func TestInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := func(text string) (out []string) {
			for len(text) > 0 {
				n := rapid.IntRange(1, len(text)).Draw(t, "piece")
				out = append(out, text[:n])
				text = text[n:]
			}
			return out
		}
		for _, test := range []struct {
			sent, received string
			want           []string
		}{
			{post + get, ok + chunked, []string{"> http POST /a Issue", "> http GET /mex", "< http 200 OK", "< http 200 OK"}},
			{
				register + "\r\n\r\n" + register, answer + "\r\n" + notify,
				[]string{"> sip REGISTER 1", "> sip keep-alive", "> sip REGISTER 1", "< sip 401 Unauthorized to REGISTER 1", "< sip BENOTIFY 7 presence"},
			},
			{"garbage\r\n\r\n" + get, ok, []string{"< http 200 OK"}},                           // deaf from there on
			{strings.Repeat("x", 400_000) + get, ok, []string{"< http 200 OK"}},                // too long
			{"A sip:x SIP/2.0\r\nContent-Length: many\r\n\r\n", ok, []string{"< http 200 OK"}}, // not SIP after all
		} {
			some := pieces
			if len(test.sent) > 10_000 {
				some = func(text string) []string { return []string{text} }
			}
			if diff := cmp.Diff(test.want, talk(t, some, test.sent, test.received)); diff != "" {
				t.Fatalf("%.60q: -want +got:\n%s", test.sent, diff)
			}
		}
	})
}

// Without an ear nothing is put in between.
func TestNobody(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if interpose.Inside(far, "h", nil, nil) != far {
		t.Error("somebody listens")
	}
	if interpose.Station(nil, nil, nil, nil) != nil {
		t.Error("somebody listens")
	}
}
