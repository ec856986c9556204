package sipstack_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	keepAlive = "\r\n\r\n"
	patience  = time.Hour // virtual: nothing comes later
)

// line is a connection to test and its peer, who sees bytes.
type line struct {
	testing.TB
	*sipstack.Conn
	peer net.Conn
}

// virtual runs a test in virtual time. Its connection is a net.Pipe: what the peer writes is one read, up to sipgo's
// buffer, and a write takes as long as the peer does not read.
func virtual(t *testing.T, test func(l *line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := attach(t, sipstack.Options{})
		defer l.end()
		test(l)
	})
}

func attach(t testing.TB, o sipstack.Options) *line {
	t.Helper()
	near, far := net.Pipe()
	return attachTo(t, near, far, o)
}

func attachTo(t testing.TB, near, far net.Conn, o sipstack.Options) *line {
	t.Helper()
	c, err := sipstack.Attach(near, o)
	if err != nil {
		t.Fatal(err)
	}
	return &line{t, c, far}
}

func (l *line) end() {
	l.Close() // fails if the peer was first
	l.peer.Close()
}

// says writes each piece at once; the connection may end meanwhile.
func (l *line) says(pieces ...string) {
	for _, piece := range pieces {
		if _, err := io.WriteString(l.peer, piece); err != nil {
			return
		}
	}
}

// hears reads what the peer is sent, exactly.
func (l *line) hears(want string) {
	l.Helper()
	b := make([]byte, len(want))
	n, err := io.ReadFull(l.peer, b)
	if err != nil {
		l.Fatalf("the peer got %q, then %v", b[:n], err)
	}
	if diff := cmp.Diff(want, string(b)); diff != "" {
		l.Fatalf("the peer got (+): %s", diff)
	}
}

// hearsNothing waits in virtual time.
func (l *line) hearsNothing() {
	l.Helper()
	if err := l.peer.SetReadDeadline(time.Now().Add(patience)); err != nil {
		l.Fatal(err)
	}
	b := make([]byte, 1024)
	if n, err := l.peer.Read(b); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		l.Fatalf("the peer got %q, %v", b[:n], err)
	}
}

// next is the text of the message that comes next.
func (l *line) next() string {
	l.Helper()
	select {
	case m, ok := <-l.Messages():
		if !ok {
			l.Fatalf("no message: %v", l.Err())
		}
		return text(l, m)
	case <-time.After(patience):
		l.Fatal("no message")
		return ""
	}
}

// gets takes messages that are the texts.
func (l *line) gets(want ...string) {
	l.Helper()
	for _, w := range want {
		if diff := cmp.Diff(w, l.next()); diff != "" {
			l.Fatalf("arrived (+): %s", diff)
		}
	}
}

// ended waits for the end, after which nothing comes, and returns its reason.
func (l *line) ended() error {
	l.Helper()
	late := time.After(patience)
	for {
		select {
		case m, ok := <-l.Messages():
			if ok {
				l.Errorf("arrived: %q", text(l, m))
				continue
			}
			<-l.Done()
			if l.Err() == nil {
				l.Fatal("ended without a reason")
			}
			return l.Err()
		case <-late:
			l.Fatal("goes on")
		}
	}
}

// endedWith is ended, and the reason must be one of an errors.Is.
func (l *line) endedWith(want error) {
	l.Helper()
	if err := l.ended(); !errors.Is(err, want) {
		l.Fatalf("ended with %v, want %v", err, want)
	}
}

// send sends a message given as text.
func (l *line) send(message string) error {
	l.Helper()
	return l.Send(parse(l, message))
}

func text(t testing.TB, m *sipmessage.Message) string {
	t.Helper()
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parse(t testing.TB, message string) *sipmessage.Message {
	t.Helper()
	m, err := sipmessage.Parse([]byte(message))
	if err != nil {
		t.Fatalf("%v: %q", err, message)
	}
	return m
}

// lines makes a message's text of lines and its body.
func lines(body string, head ...string) string { return strings.Join(head, "\r\n") + keepAlive + body }

// notify is the nth BENOTIFY.
func notify(n int) string {
	body := "<n>" + strconv.Itoa(n) + "</n>"
	return lines(body,
		"BENOTIFY sip:192.0.2.21:50123;transport=tls SIP/2.0", "Via: SIP/2.0/TLS 192.0.2.10:5061",
		"CSeq: "+strconv.Itoa(n)+" BENOTIFY", "Content-Length: "+strconv.Itoa(len(body)))
}

func notifies(count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = notify(i + 1)
	}
	return all
}
