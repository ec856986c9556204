package sipstack_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// drawn is a valid message: of any headers, with folded values and line breaks wherever they may be.
func drawn(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	head := []string{pick("SIP/2.0 200 OK", "SIP/2.0 401 ", "BENOTIFY sip:10.0.0.21:50123 SIP/2.0", "register sip:lab.test SIP/2.0")}
	for range r.IntN(4) {
		head = append(head, pick("Via", "v", "A", "x-long-name")+": "+pick(
			"", "a", "a\r\n b", "a\r\n\tb\r\n c", "sip:user1@lab.test;tag=1", ":", strings.Repeat("long", r.IntN(700))))
	}
	body := ""
	for range r.IntN(4) {
		body += pick("\r\n", keepAlive, "\x00", "\r", "\n", "x", "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", strings.Repeat("\x00", r.IntN(2000)))
	}
	length := pick("Content-Length", "content-length", "l") + ": " + fmt.Sprintf("%0*d", r.IntN(5), len(body))
	at := 1 + r.IntN(len(head))
	head = append(head[:at], append([]string{length}, head[at:]...)...)
	return lines(body, head...)
}

// FuzzSplits writes a stream of drawn messages, keep-alives between them, in pieces of the sizes given: the same
// messages come out in the same order.
func FuzzSplits(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed, []byte{1})
		f.Add(seed, []byte{0})
		f.Add(seed, []byte{2, 1, 3, 50, 1, 1, 200})
		f.Add(seed, []byte{255, 3})
	}
	f.Fuzz(func(t *testing.T, seed uint64, sizes []byte) {
		r := rand.New(rand.NewPCG(seed, 0))
		var stream strings.Builder
		var want []string
		for range 1 + r.IntN(8) {
			stream.WriteString(strings.Repeat("\r\n", r.IntN(2)*r.IntN(6)))
			want = append(want, drawn(r))
			stream.WriteString(want[len(want)-1])
		}
		l := attach(t, sipstack.Options{})
		go func() {
			defer l.peer.Close()
			l.says(cut(stream.String(), sizes)...)
		}()
		l.gets(want...)
		l.endedWith(sipstack.ErrEnded)
		l.end()
	})
}

// cut splits s into pieces of the sizes, again and again; 0 stands for the rest and 255 for sipgo's whole buffer.
func cut(s string, sizes []byte) []string {
	var pieces []string
	for i := 0; len(s) > 0; i++ {
		n := len(s)
		if len(sizes) > 0 {
			switch size := int(sizes[i%len(sizes)]); size {
			case 0:
			case 255:
				n = min(n, 1024)
			default:
				n = min(n, size)
			}
		}
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// FuzzGarbage writes anything: the connection ends, and what came out is in it.
func FuzzGarbage(f *testing.F) {
	for _, message := range spelled {
		f.Add([]byte(message), byte(0))
		f.Add([]byte(keepAlive+message+message), byte(3))
	}
	f.Add([]byte("SIP/2.0 200 OK\r\n\r\n\r\nContent-Length: 0"), byte(1))
	f.Add([]byte("INVITE sip:[::1]x SIP/2.0\r\n\r\n"), byte(1))
	f.Fuzz(func(t *testing.T, stream []byte, size byte) {
		l := attach(t, sipstack.Options{})
		go func() {
			defer l.peer.Close()
			l.says(cut(string(stream), []byte{size})...)
		}()
		for m := range l.Messages() {
			if b := text(t, m); len(b) > sipmessage.MaxSize || !bytes.Contains(stream, m.Body) {
				t.Errorf("arrived: %q", b)
			}
		}
		if l.Err() == nil {
			t.Error("ended without a reason")
		}
		l.end()
	})
}
