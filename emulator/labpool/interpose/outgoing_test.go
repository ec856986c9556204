package interpose_test

import (
	"io"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/protocol/httpmessage"
)

// saying has a pool say its name, and nothing where nothing was said.
type saying struct{ interpose.Outgoing }

func (saying) HTTP(request httpmessage.Request) func(*httpmessage.Response) bool {
	return func(answer *httpmessage.Response) bool {
		answer.Header = append(answer.Header, httpmessage.Header{Name: "Server", Value: request.Target})
		return request.Target != "/silent"
	}
}

// passed is what comes out of a connection whose answers are changed, and what is heard of it.
func passed(t *rapid.T, asked string, said []string) (came string, list []string) {
	near, far := net.Pipe()
	var h heard
	pool := interpose.Inside(far, "h", h.ear, saying{})
	out := make(chan string, 1)
	go func() {
		io.WriteString(near, asked) // both ends are closed below
		got, _ := io.ReadAll(near)
		out <- string(got)
	}()
	if _, err := io.ReadFull(pool, make([]byte, len(asked))); err != nil {
		t.Fatalf("%v", err)
	}
	for _, one := range said {
		if n, err := pool.Write([]byte(one)); err != nil || n != len(one) {
			t.Fatalf("%d of %d bytes, %v", n, len(one), err)
		}
	}
	pool.Close()
	return <-out, h.list
}

// TestOutgoing: answers are changed one by one, whatever pieces they are written in; what is none of HTTP passes, as does what
// was kept back when the connection ends.
func TestOutgoing(t *testing.T) {
	const (
		silent  = "GET /silent HTTP/1.1\r\n\r\n"
		changed = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nServer: /mex\r\n\r\n<b/>"
	)
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	for name, test := range map[string]struct {
		asked, said, want string
		heard             []string
	}{
		"two answers":      {get + get, ok + ok, changed + changed, []string{"> http GET /mex", "> http GET /mex", "< http 200 OK", "< http 200 OK"}},
		"silence":          {silent + get, ok + ok, changed, []string{"> http GET /silent", "> http GET /mex", "< http 200 OK"}},
		"go on":            {get, goOn + ok, goOn + changed, []string{"> http GET /mex", "< http 100 Continue", "< http 200 OK"}},
		"a part of one":    {get, ok[:30], ok[:30], []string{"> http GET /mex"}},
		"chunks":           {get, chunked, chunked, []string{"> http GET /mex", "< http 200 OK"}},
		"nobody asked":     {register, answer, answer, []string{"> sip REGISTER 1", "< sip 401 Unauthorized to REGISTER 1"}},
		"no answer at all": {get, "what?\r\n\r\n", "what?\r\n\r\n", []string{"> http GET /mex"}},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				var pieces []string
				for rest := test.said; rest != ""; {
					n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
					pieces, rest = append(pieces, rest[:n]), rest[n:]
				}
				came, list := passed(t, test.asked, pieces)
				if came != test.want {
					t.Fatalf("came as %q, not %q", came, test.want)
				}
				if !slices.Equal(list, test.heard) {
					t.Fatal(cmp.Diff(test.heard, list))
				}
			})
		})
	}
}
