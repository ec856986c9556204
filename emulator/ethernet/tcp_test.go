package ethernet_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

func TestConnectionCarriesBytesBothWays(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		near, far := w.connect(handset, pool)
		exchange(w, near, far, "REGISTER")
		exchange(w, far, near, "200 OK")
		if got := near.RemoteAddr().String(); got != "10.0.0.2:5061" {
			w.Errorf("remote address %s", got)
		}
		if near.LocalAddr().String() != far.RemoteAddr().String() || far.LocalAddr().String() != near.RemoteAddr().String() {
			w.Errorf("addresses %s-%s and %s-%s", near.LocalAddr(), near.RemoteAddr(), far.LocalAddr(), far.RemoteAddr())
		}
	})
}

func exchange(w *world, from, to net.Conn, text string) {
	w.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		w.Fatal(err)
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(to, b); err != nil || string(b) != text {
		w.Fatalf("read %q, %v, want %q", b, err, text)
	}
}

func TestHalfClose(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		if err := near.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			w.Fatal(err)
		}
		if n, err := far.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			w.Fatalf("read %d bytes, %v, want EOF", n, err)
		}
		exchange(w, far, near, "still open")
		if _, err := near.Write([]byte("x")); err == nil {
			w.Fatal("wrote after CloseWrite")
		}
	})
}

func TestPeerReadsTheRestAfterClose(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		if _, err := io.WriteString(near, "last words"); err != nil {
			w.Fatal(err)
		}
		if err := near.Close(); err != nil {
			w.Fatal(err)
		}
		if b, err := io.ReadAll(far); err != nil || string(b) != "last words" {
			w.Fatalf("read %q, %v", b, err)
		}
		w.want(near.Close(), net.ErrClosed)
		_, err := near.Read(make([]byte, 1))
		w.want(err, net.ErrClosed)
		_, err = near.Write([]byte("x"))
		w.want(err, net.ErrClosed)
		w.want(near.SetDeadline(time.Time{}), net.ErrClosed)
		if near.LocalAddr() == nil || near.RemoteAddr() == nil {
			w.Error("a closed connection lost its addresses")
		}
	})
}

// TestRestIsThereAfterBothEnds reads after the connection ended on both sides.
func TestRestIsThereAfterBothEnds(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		if err := near.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			w.Fatal(err)
		}
		if _, err := io.ReadAll(far); err != nil {
			w.Fatal(err)
		}
		if _, err := io.WriteString(far, "last words"); err != nil {
			w.Fatal(err)
		}
		if err := far.Close(); err != nil {
			w.Fatal(err)
		}
		b := make([]byte, 4)
		for _, want := range []string{"last", " wor", "ds"} {
			if n, err := near.Read(b); err != nil || string(b[:n]) != want {
				w.Fatalf("read %q, %v, want %q", b[:n], err, want)
			}
		}
		for range 2 {
			if _, err := near.Read(b); err != io.EOF {
				w.Fatalf("read %v, want EOF", err)
			}
		}
	})
}

// TestPoliteEndLeavesNoReset unplugs both stations right after the last connection was closed.
func TestPoliteEndLeavesNoReset(t *testing.T) {
	onSegment(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		l := w.listen(pool, 80)
		for range 20 {
			near := w.dial(handset, "10.0.0.2:80")
			far := w.accept(l)
			near.Close()
			io.ReadAll(far)
			far.Close()
		}
		if err := w.Close(); err != nil {
			w.Fatal(err)
		}
		for _, f := range w.tap.take(sent(0x0800)) {
			if f.Frame[23] == 6 && f.Frame[47]&4 != 0 {
				w.Fatalf("%s sent a reset: %x", f.Station, f.Frame)
			}
		}
	})
}

func TestReset(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		result := make(chan error)
		go func() {
			_, err := far.Read(make([]byte, 1))
			result <- err
		}()
		if err := near.(ethernet.Resetter).Reset(); err != nil {
			w.Fatal(err)
		}
		w.want(<-result, syscall.ECONNRESET)
		if far.RemoteAddr() == nil || far.LocalAddr() == nil {
			w.Error("a reset connection lost its addresses")
		}
		_, err := near.Read(make([]byte, 1))
		w.want(err, net.ErrClosed)
		w.want(near.(ethernet.Resetter).Reset(), net.ErrClosed)
	})
}

func TestWriteToAClosedPeerFails(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		if err := far.Close(); err != nil {
			w.Fatal(err)
		}
		b := make([]byte, 1<<10)
		for {
			if _, err := near.Write(b); err != nil {
				return
			}
		}
	})
}

func TestDialFails(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()

		_, err := handset.DialTCP(w.within(), at("10.0.0.2:443"))
		w.want(err, syscall.ECONNREFUSED)
		if !strings.Contains(err.Error(), "dial tcp 10.0.0.2:443") {
			w.Errorf("error %q names no peer", err)
		}

		began := time.Now()
		_, err = handset.DialTCP(w.within(), at("10.0.0.77:443"))
		w.want(err, syscall.EHOSTUNREACH)
		if took := time.Since(began).Round(100 * time.Millisecond); took < 3*time.Second || took > 5*time.Second {
			w.Errorf("no route after %v, want 3s", took)
		}

		_, err = handset.DialTCP(w.within(), at("192.0.2.1:443"))
		w.want(err, syscall.ENETUNREACH)

		w.listen(pool, 443)
		pool.Silence(443, true)
		ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = handset.DialTCP(ctx, at("10.0.0.2:443"))
		w.want(err, context.DeadlineExceeded)
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
			w.Errorf("%v is no timeout", err)
		}
		pool.Silence(443, false)
		w.dial(handset, "10.0.0.2:443")

		cancelled, cancel := context.WithCancel(w.Context())
		cancel()
		_, err = handset.DialTCP(cancelled, at("10.0.0.2:443"))
		w.want(err, context.Canceled)

		bare := w.station("bare", "", ethernet.Port{})
		_, err = bare.DialTCP(w.within(), at("10.0.0.2:443"))
		w.want(err, syscall.ENETUNREACH)
	})
}

func TestSilenceEndsWhileConnecting(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		w.listen(pool, 443)
		pool.Silence(443, true)
		time.AfterFunc(100*time.Millisecond, func() { pool.Silence(443, false) })
		w.dial(handset, "10.0.0.2:443") // by the second SYN
	})
}

func TestOwnAddress(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		pool := w.station("pool", "10.0.0.2/24", ethernet.Port{})
		near, far := w.connect(pool, pool)
		exchange(w, near, far, "to myself")
		_, err := pool.DialTCP(w.within(), at("10.0.0.2:81"))
		w.want(err, syscall.ECONNREFUSED)
	})
}

func TestListener(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		l := w.listen(pool, 443)
		_, err := pool.ListenTCP(443)
		w.want(err, syscall.EADDRINUSE)
		if got := l.Addr().(*net.TCPAddr).Port; got != 443 {
			w.Errorf("listener's port %d", got)
		}
		result := make(chan error)
		go func() {
			_, err := l.Accept()
			result <- err
		}()
		if err := l.Close(); err != nil {
			w.Fatal(err)
		}
		w.want(<-result, net.ErrClosed)
		_, err = l.Accept()
		w.want(err, net.ErrClosed)
		w.want(l.Close(), net.ErrClosed)
		_, err = handset.DialTCP(w.within(), at("10.0.0.2:443"))
		w.want(err, syscall.ECONNREFUSED)
		w.listen(pool, 443) // the port is free again
		if any := w.listen(pool, 0).Addr().(*net.TCPAddr).Port; any == 0 {
			w.Error("no port chosen")
		}
	})
}

func TestDeadlines(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		near, _ := w.connect(w.pair())
		if err := near.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			w.Fatal(err)
		}
		_, err := near.Read(make([]byte, 1))
		w.want(err, os.ErrDeadlineExceeded)
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
			w.Errorf("%v is no timeout", err)
		}

		if err := near.SetDeadline(time.Time{}); err != nil {
			w.Fatal(err)
		}
		result := make(chan error)
		go func() {
			_, err := near.Read(make([]byte, 1))
			result <- err
		}()
		if err := near.SetReadDeadline(time.Unix(1, 0)); err != nil { // wakes a read that waits, as net/http does
			w.Fatal(err)
		}
		w.want(<-result, os.ErrDeadlineExceeded)
	})
}

func TestStationCloseEndsEverything(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		near, far := w.connect(handset, pool)
		idle := w.listen(handset, 80)
		udp, err := handset.ListenUDP(5000)
		if err != nil {
			w.Fatal(err)
		}
		raw, err := handset.RawUDP(68)
		if err != nil {
			w.Fatal(err)
		}
		frames, err := handset.Frames(0x88cc)
		if err != nil {
			w.Fatal(err)
		}
		pool.Silence(443, true)
		w.listen(pool, 443)
		var running sync.WaitGroup
		blocked := func(what string, f func() error) {
			running.Go(func() {
				if err := f(); err == nil {
					w.Errorf("%s went on", what)
				}
			})
		}
		one := func() []byte { return make([]byte, 1) }
		blocked("read", func() error { _, err := near.Read(one()); return err })
		blocked("write", func() error {
			for {
				if _, err := near.Write(make([]byte, 1<<16)); err != nil {
					return err
				}
			}
		})
		blocked("accept", func() error { _, err := idle.Accept(); return err })
		blocked("UDP read", func() error { _, _, err := udp.ReadFrom(one()); return err })
		blocked("raw UDP", func() error { _, err := raw.Receive(w.Context()); return err })
		blocked("frames", func() error { _, err := frames.Receive(w.Context()); return err })
		blocked("connect", func() error { _, err := handset.DialTCP(w.Context(), at("10.0.0.2:443")); return err })
		blocked("connect to nobody", func() error { _, err := handset.DialTCP(w.Context(), at("10.0.0.9:443")); return err })
		blocked("probe", func() error { return handset.Probe(w.Context(), at("10.0.0.8:0").Addr(), 30*time.Second) })
		time.AfterFunc(50*time.Millisecond, func() {
			if err := handset.Close(); err != nil {
				w.Error(err)
			}
		})
		running.Wait()
		if err := handset.Close(); err != nil {
			w.Errorf("second close: %v", err)
		}
		for { // what is left in the buffer, then the reset
			if _, err := far.Read(make([]byte, 1<<16)); err != nil {
				w.want(err, syscall.ECONNRESET)
				break
			}
		}

		_, err = handset.DialTCP(w.within(), at("10.0.0.2:443"))
		w.want(err, net.ErrClosed)
		_, err = handset.ListenTCP(80)
		w.want(err, net.ErrClosed)
		_, err = handset.ListenUDP(80)
		w.want(err, net.ErrClosed)
		_, err = handset.RawUDP(68)
		w.want(err, net.ErrClosed)
		_, err = handset.Frames(0x88cc)
		w.want(err, net.ErrClosed)
		w.want(handset.SendFrame(make([]byte, 60)), net.ErrClosed)
		if handset.Carrier() {
			w.Error("an unplugged station has link")
		}
		w.station("handset", "10.0.0.1/24", ethernet.Port{}) // the name is free again
	})
}

func TestBulk(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	onBoth(t, ethernet.Options{}, func(w *world) { bulk(w, data) })
}

func TestBulkOverABadCable(t *testing.T) {
	o := ethernet.Options{Impairments: ethernet.Impairments{
		Seed: 7, Delay: time.Millisecond, Jitter: time.Millisecond, Loss: 0.01, Duplicate: 0.01, Reorder: 0.01,
	}}
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<13) // 128 KiB
	onBoth(t, o, func(w *world) { bulk(w, data) })
}

func bulk(w *world, data []byte) {
	near, far := w.connect(w.pair())
	go func() {
		defer near.Close()
		if _, err := near.Write(data); err != nil {
			w.Error(err)
		}
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, data) {
		w.Fatalf("%d bytes of %d arrived, %v", len(got), len(data), err)
	}
}

// TestAsNetConn runs the checks of package nettest, in real time on both cables.
func TestAsNetConn(t *testing.T) {
	for name, newCable := range map[string]func() cable{
		"segment": func() cable { return ethernet.NewSegment(ethernet.Options{}) },
		"pipe":    func() cable { return ethernet.NewPipe(ethernet.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
				w := &world{T: t, cable: newCable(), name: name}
				near, far = w.connect(w.pair())
				return near, far, func() {
					near.Close()
					far.Close()
					w.shut()
				}, nil
			})
		})
	}
}
