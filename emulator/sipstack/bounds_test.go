package sipstack_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// sized is a message of so many bytes in all.
func sized(size int) string {
	head := lines("", "MESSAGE sip:10.0.0.21 SIP/2.0", "Content-Length: "+fmt.Sprintf("%05d", 0))
	body := size - len(head)
	return lines(strings.Repeat("m", body), "MESSAGE sip:10.0.0.21 SIP/2.0", "Content-Length: "+fmt.Sprintf("%05d", body))
}

// lined is a message with a header line of so many bytes.
func lined(size int) string {
	const name = "Proxy-Authorization: "
	return lines("", "REGISTER sip:lab.test SIP/2.0", name+strings.Repeat("h", size-len(name)), "Content-Length: 0")
}

// started is a message with a start line of so many bytes.
func started(size int) string {
	const status = "SIP/2.0 200 "
	return lines("", status+strings.Repeat("s", size-len(status)), "Content-Length: 0")
}

// manyHeaders is a message of so many bytes, of which none are a body's.
func manyHeaders(size int) string {
	const one = "H: 0123456789\r\n"
	head, tail := "SIP/2.0 200 OK\r\n", "Content-Length: 0"+keepAlive
	room := size - len(head) - len(tail)
	last := room % len(one)
	last += len(one) // enough for a header
	return head + strings.Repeat(one, (room-last)/len(one)) + "I: " + strings.Repeat("i", last-len("I: \r\n")) + "\r\n" + tail
}

var bounded = map[string]struct {
	bound int
	make  func(size int) string
}{
	"message":           {sipmessage.MaxSize, sized},
	"message of a head": {sipmessage.MaxSize, manyHeaders},
	"header line":       {sipmessage.MaxHeaderLine, lined},
	"start line":        {sipmessage.MaxHeaderLine, started},
}

func TestBounds(t *testing.T) {
	for name, b := range bounded {
		for _, before := range []string{"", keepAlive, notify(1), notify(1) + keepAlive} {
			t.Run(fmt.Sprintf("%s after %d bytes", name, len(before)), func(t *testing.T) {
				virtual(t, func(l *line) {
					message := b.make(b.bound)
					go l.says(before + message + message + notify(2))
					if len(before) > len(keepAlive) {
						l.gets(notify(1))
					}
					l.gets(message, message, notify(2))
				})
				virtual(t, func(l *line) {
					go l.says(before + b.make(b.bound+1) + notify(2))
					if len(before) > len(keepAlive) {
						l.gets(notify(1))
					}
					l.endedWith(sipmessage.ErrTooLarge)
				})
			})
		}
	}
}

func TestBoundsHoldForSending(t *testing.T) {
	virtual(t, func(l *line) {
		go l.send(sized(sipmessage.MaxSize))
		l.hears(sized(sipmessage.MaxSize))
		go l.send(lined(sipmessage.MaxHeaderLine))
		l.hears(lined(sipmessage.MaxHeaderLine))
	})
}

// What never ends is not collected. A pipe gives no more than is read, so what was written is what was read.
func TestNoEndTakesNoMoreMemory(t *testing.T) {
	const most = 2 * sipmessage.MaxSize
	for name, s := range map[string]struct{ start, more string }{
		"start line":         {"REGISTER sip:", "x"},
		"header line":        {"SIP/2.0 200 OK\r\nA: ", "x"},
		"headers":            {"SIP/2.0 200 OK\r\n", "A: b\r\n"},
		"folded lines":       {"SIP/2.0 200 OK\r\nA: b\r\n", " \r\n"},
		"line feeds":         {"SIP/2.0 200 OK\r\n", "\n"},
		"carriage returns":   {"SIP/2.0 200 OK\r\nA: b", "\n\n\r\n \r\n"},
		"zero bytes":         {"SIP/2.0 200 OK\r\nA: b", "\x00"},
		"no line breaks":     {"", "garbage"},
		"a lot to come":      {"SIP/2.0 200 OK\r\nContent-Length: 4294967295\r\n\r\n", "x"},
		"more than a lot":    {"SIP/2.0 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n", "x"},
		"one byte more":      {"SIP/2.0 200 OK\r\nContent-Length: " + strconv.Itoa(sipmessage.MaxSize-len("SIP/2.0 200 OK\r\nContent-Length: 65535\r\n\r\n")+1) + "\r\n\r\n", "x"},
		"less than nothing":  {"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n", "x"},
		"breaks in the body": {"SIP/2.0 200 OK\r\nContent-Length: 65530\r\n\r\n", "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *line) {
				written := 0
				done := make(chan struct{})
				go func() {
					defer close(done)
					piece := strings.Repeat(s.more, 512/len(s.more))
					for b := s.start; written < most; b = piece {
						n, err := l.peer.Write([]byte(b))
						written += n
						if err != nil {
							return
						}
					}
				}()
				err := l.ended()
				<-done
				if written >= most {
					l.Errorf("read %d bytes, then %v", written, err)
				}
			})
		})
	}
}

// Connections that wait hold little: a lab has thousands.
func TestKeepAlivesLeaveNoMemory(t *testing.T) {
	virtual(t, func(l *line) {
		l.says(notify(1) + keepAlive)
		l.gets(notify(1))
		var before, after runtime.MemStats
		empty := strings.Repeat(keepAlive, 200)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 2000 {
			l.says(empty)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if after.HeapAlloc > before.HeapAlloc+1<<20 {
			l.Errorf("%d bytes of keep-alives, %d bytes held", 2000*len(empty), after.HeapAlloc-before.HeapAlloc)
		}
		l.says(sized(sipmessage.MaxSize))
		l.gets(sized(sipmessage.MaxSize))
	})
}

func TestGarbageEndsTheConnection(t *testing.T) {
	random := make([]byte, 4096)
	rand.NewChaCha8([32]byte{1}).Read(random)
	for name, garbage := range map[string]string{
		"random":                  string(random) + "\r\n\r\n",
		"zero bytes":              strings.Repeat("\x00", 100),
		"zero byte in a head":     "SIP/2.0 200 OK\r\nA: \x00\r\nContent-Length: 0\r\n\r\n",
		"HTTP":                    "GET / HTTP/1.1\r\nHost: fe01.lab.test\r\n\r\n",
		"TLS":                     "\x16\x03\x01\x00\x05\x01\x00\x00\x01\r\n",
		"words":                   "hello\r\n",
		"no version":              "REGISTER sip:lab.test\r\n\r\n",
		"other version":           "REGISTER sip:lab.test SIP/3.0\r\nContent-Length: 0\r\n\r\n",
		"URI that is none":        "REGISTER lab SIP/2.0\r\n\r\n",
		"URI without its end":     "REGISTER sip:[::1 SIP/2.0\r\n\r\n",
		"status of words":         "SIP/2.0 OK fine\r\n\r\n",
		"status out of range":     "SIP/2.0 999 no\r\nContent-Length: 0\r\n\r\n",
		"header without colon":    "SIP/2.0 200 OK\r\nContent-Length 0\r\n\r\n",
		"header without name":     "SIP/2.0 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n",
		"line ended by CR":        "SIP/2.0 200 OK\rContent-Length: 0\r\r",
		"length of words":         "SIP/2.0 200 OK\r\nContent-Length: none\r\n\r\n",
		"length with a zero":      "SIP/2.0 200 OK\r\nContent-Length: 1\x00\r\n\r\nx",
		"no length":               "SIP/2.0 200 OK\r\n\r\n",
		"two lengths":             "SIP/2.0 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"two lengths that differ": "SIP/2.0 200 OK\r\nContent-Length: 0\r\nl: 5\r\n\r\nv=0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *line) {
				go l.says(notify(1)+garbage, notify(2))
				l.gets(notify(1))
				l.endedWith(sipmessage.ErrMalformed)
				if err := l.Err().Error(); len(err) > 1200 {
					l.Errorf("a reason of %d bytes", len(err))
				}
				if n, err := l.peer.Read(make([]byte, 1)); n != 0 || err == nil {
					l.Errorf("the connection is open, or answered: %v", err)
				}
			})
		})
	}
}

// Zero bytes where a message should begin are told at once: no line ends there.
func TestNothingButZeroBytes(t *testing.T) {
	virtual(t, func(l *line) {
		l.says("\x00\x00")
		l.endedWith(sipmessage.ErrMalformed)
	})
}

// Zero bytes are bytes of a body, however they come.
func TestZeroBytesOfABody(t *testing.T) {
	message := lines(strings.Repeat("\x00", 3000), "MESSAGE sip:10.0.0.21 SIP/2.0", "Content-Length: 3000")
	for _, size := range []int{1, 7, 1024, len(message)} {
		virtual(t, func(l *line) {
			go l.says(split(message, size)...)
			l.gets(message)
		})
	}
}

func split(s string, size int) []string {
	var pieces []string
	for len(s) > 0 {
		n := min(size, len(s))
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return pieces
}

// Whoever uses the connection can bound how long a message takes.
func TestUnfinished(t *testing.T) {
	virtual(t, func(l *line) {
		began := time.Now()
		check := func(when string, want time.Time) {
			t.Helper()
			synctest.Wait()
			if got := l.Unfinished(); !got.Equal(want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		check("before", time.Time{})
		l.says(keepAlive)
		check("after a keep-alive", time.Time{})
		l.says(notify(1)[:10])
		check("in the head", began)
		<-time.After(time.Minute)
		l.says(notify(1)[10 : len(notify(1))-1])
		check("in the body", began)
		l.says(notify(1)[len(notify(1))-1:] + notify(2)[:5])
		check("in the next", began.Add(time.Minute))
		l.says(notify(2)[5:])
		check("after both", time.Time{})
		l.gets(notify(1), notify(2))
	})
}
