package sipstack_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// bothRefuse sends on a connection that has ended.
func (l *line) bothRefuse(want error) {
	l.Helper()
	if err := l.send(notify(1)); !errors.Is(err, want) {
		l.Errorf("Send: %v, want %v", err, want)
	}
	if err := l.KeepAlive(); !errors.Is(err, want) {
		l.Errorf("KeepAlive: %v, want %v", err, want)
	}
}

func TestPeerCloses(t *testing.T) {
	for name, said := range map[string][]string{
		"at once":              nil,
		"after a message":      {notify(1)},
		"after a keep-alive":   {notify(1) + keepAlive},
		"within a head":        {notify(1), "BENOTIFY sip:10.0.0.21 SIP/2.0\r\n"},
		"within a body":        {notify(1), notify(2)[:len(notify(2))-1]},
		"within a line break":  {notify(1) + keepAlive + "\r"},
		"with the last header": {notify(1) + "SIP/2.0 200 OK\r\nContent-Length: 0\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(l *line) {
				l.says(said...)
				if len(said) > 0 {
					l.gets(notify(1))
				}
				if err := l.Err(); err != nil {
					l.Fatal(err)
				}
				l.peer.Close()
				l.endedWith(sipstack.ErrEnded)
				if !errors.Is(l.Err(), io.EOF) {
					l.Errorf("the reason is lost: %v", l.Err())
				}
				l.bothRefuse(sipstack.ErrEnded)
				l.Close()
				if !errors.Is(l.Err(), sipstack.ErrEnded) {
					l.Errorf("Close changed the reason: %v", l.Err())
				}
			})
		})
	}
}

// What came before the end is delivered, however late it is taken.
func TestMessagesOutliveTheConnection(t *testing.T) {
	virtual(t, func(l *line) {
		l.says(notifies(10)...)
		l.peer.Close()
		<-l.Done()
		l.gets(notifies(10)...)
		l.endedWith(sipstack.ErrEnded)
	})
}

// withLast gives the end together with the last bytes, as crypto/tls does.
type withLast struct {
	net.Conn
	last string
}

func (c *withLast) Read(b []byte) (int, error) {
	n := copy(b, c.last)
	c.last = c.last[n:]
	if c.last == "" {
		return n, io.EOF
	}
	return n, nil
}

func TestEndThatComesWithTheLastMessage(t *testing.T) {
	near, far := net.Pipe()
	l := attachTo(t, &withLast{near, notify(1) + notify(2)}, far, sipstack.Options{})
	defer l.end()
	l.gets(notify(1), notify(2))
	l.endedWith(sipstack.ErrEnded)
}

// A real connection: an orderly close and a reset are both ends, and told apart.
func TestTCPEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*net.TCPConn) error
		want error
	}{
		"close": {(*net.TCPConn).Close, io.EOF},
		"half":  {(*net.TCPConn).CloseWrite, io.EOF},
		"reset": {func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }, syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			l := overTCP(t)
			defer l.end()
			l.says(notify(1))
			l.gets(notify(1))
			if err := c.end(l.peer.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			l.endedWith(sipstack.ErrEnded)
			if !errors.Is(l.Err(), c.want) {
				t.Errorf("the reason is lost: %v", l.Err())
			}
			l.bothRefuse(sipstack.ErrEnded)
		})
	}
}

func overTCP(t *testing.T) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return attachTo(t, near, far, sipstack.Options{Transport: "tcp"})
}

// A handset may attach to a connection that has ended meanwhile.
func TestAttachToAnEndedConnection(t *testing.T) {
	for name, end := range map[string]func(near, far net.Conn){
		"by the peer": func(_, far net.Conn) { far.Close() },
		"by us":       func(near, _ net.Conn) { near.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			end(near, far)
			l := attachTo(t, near, far, sipstack.Options{})
			defer l.end()
			l.endedWith(sipstack.ErrEnded)
			l.bothRefuse(sipstack.ErrEnded)
		})
	}
}

func TestClose(t *testing.T) {
	virtual(t, func(l *line) {
		l.says(notify(1))
		synctest.Wait()
		if err := l.Close(); err != nil {
			l.Error(err)
		}
		l.gets(notify(1)) // it had arrived
		l.endedWith(net.ErrClosed)
		l.bothRefuse(net.ErrClosed)
		if n, err := l.peer.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			l.Errorf("the peer got %d bytes, %v", n, err)
		}
		if err := l.Close(); err != nil {
			l.Errorf("again: %v", err)
		}
	})
}

// Close ends every wait: for messages, for room in the queue, for a peer that does not read.
func TestCloseEndsWaits(t *testing.T) {
	virtual(t, func(l *line) {
		go l.says(notifies(100)...)
		sent := make(chan error)
		go func() { sent <- l.KeepAlive() }()
		synctest.Wait()
		l.Close()
		if err := <-sent; !errors.Is(err, net.ErrClosed) {
			l.Errorf("sending ended with %v", err)
		}
		for range l.Messages() { // some had arrived
		}
		if !errors.Is(l.Err(), net.ErrClosed) {
			l.Error(l.Err())
		}
	})
}

// There are no contexts here: one ends a connection through Close.
func TestContextEndsAConnection(t *testing.T) {
	virtual(t, func(l *line) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		closed := make(chan struct{})
		context.AfterFunc(ctx, func() {
			defer close(closed)
			l.Close()
		})
		if err := l.send(notify(1)); !errors.Is(err, net.ErrClosed) {
			l.Errorf("sending to a peer that does not read ended with %v", err)
		}
		l.endedWith(net.ErrClosed)
		<-closed
	})
}

// A peer that does not read is given up, and reading ends too: a part of the message may be out.
func TestPeerThatDoesNotRead(t *testing.T) {
	virtual(t, func(l *line) {
		began := time.Now()
		if err := l.send(notify(1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			l.Fatalf("sent: %v", err)
		}
		if took := time.Since(began); took <= 0 || took > time.Minute {
			l.Errorf("given up after %v", took)
		}
		l.endedWith(os.ErrDeadlineExceeded)
		l.bothRefuse(os.ErrDeadlineExceeded)
	})
}

// unsendable is a connection to a peer that is gone: what it said can be read yet.
type unsendable struct{ net.Conn }

func (unsendable) Write([]byte) (int, error) { return 0, syscall.ECONNRESET }

// What a peer said before it was gone is delivered though nothing can be sent to it any more: pidgin-sipe says that it
// signs off, and closes without waiting for an answer. The end comes even if reading does not end.
func TestMessagesOfAPeerThatIsGone(t *testing.T) {
	for name, closes := range map[string]bool{"its end is read": true, "its end is not read": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				l := attachTo(t, unsendable{near}, far, sipstack.Options{})
				defer l.end()
				go func() {
					l.says(notifies(100)...)
					if closes {
						l.peer.Close()
					}
				}()
				synctest.Wait() // some have arrived, others wait
				for range 2 {
					if err := l.send(notify(1)); !errors.Is(err, syscall.ECONNRESET) {
						l.Errorf("sent: %v", err)
					}
				}
				l.gets(notifies(100)...)
				l.endedWith(syscall.ECONNRESET)
				l.bothRefuse(syscall.ECONNRESET)
			})
		})
	}
}

// A connection lives as long as its peers like, without a word.
func TestSilenceIsNoEnd(t *testing.T) {
	virtual(t, func(l *line) {
		<-time.After(30 * 24 * time.Hour)
		l.says(notify(1))
		l.gets(notify(1))
		go l.send(notify(2))
		l.hears(notify(2))
	})
}

// An error of the message leaves the connection, one of the connection ends it.
func TestErrIsNilBefore(t *testing.T) {
	virtual(t, func(l *line) {
		if err := l.Send(&sipmessage.Message{}); !errors.Is(err, sipmessage.ErrMalformed) {
			l.Errorf("sent nothing: %v", err)
		}
		select {
		case <-l.Done():
			l.Error("ended")
		default:
		}
		if l.Err() != nil {
			l.Error(l.Err())
		}
	})
}
