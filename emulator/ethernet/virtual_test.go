package ethernet_test

import (
	"io"
	"net"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// TestMonthsOfKeepAlive keeps a connection alive for ninety days of virtual time.
func TestMonthsOfKeepAlive(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		go func() {
			for b := make([]byte, 4); ; {
				if _, err := io.ReadFull(far, b); err != nil {
					return
				}
				if _, err := far.Write(b[:2]); err != nil {
					w.Error(err)
				}
			}
		}()
		began := time.Now()
		for time.Since(began) < 90*24*time.Hour {
			time.Sleep(5 * time.Minute)
			if _, err := near.Write([]byte("\r\n\r\n")); err != nil {
				w.Fatal(err)
			}
			if err := near.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				w.Fatal(err)
			}
			if _, err := io.ReadFull(near, make([]byte, 2)); err != nil {
				w.Fatal(err)
			}
		}
	})
}

func TestNeighboursAreAskedAgain(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		l := w.listen(pool, 80)
		for range 3 {
			near := w.dial(handset, "10.0.0.2:80")
			near.Close()
			w.accept(l)
			time.Sleep(9 * time.Minute)
		}
		if n := len(w.tap.take(sent(0x0806))); n != 4+2+2 { // four announcements, then twice request and reply
			w.Errorf("%d ARP frames, want 8", n)
		}
	})
}

func TestSilentPeerTimesOut(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		w.listen(pool, 443)
		pool.Silence(443, true)
		began := time.Now()
		_, err := handset.DialTCP(w.Context(), at("10.0.0.2:443"))
		w.want(err, syscall.ETIMEDOUT)
		if took := time.Since(began); took != 127*time.Second {
			w.Errorf("timed out after %v, want 127s", took)
		}
	})
}

func TestFullBacklogLooksSilent(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		l := w.listen(pool, 443)
		for range 128 {
			w.dial(handset, "10.0.0.2:443")
		}
		time.AfterFunc(10*time.Second, func() { w.accept(l) })
		began := time.Now()
		w.dial(handset, "10.0.0.2:443")
		if took := time.Since(began); took != 15*time.Second { // SYN after 0, 1, 3, 7 and 15 seconds
			w.Errorf("connected after %v, want 15s", took)
		}
	})
}

func TestHeldBytesAreGivenUp(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		w.SetCarrier("pool", false)
		if _, err := near.Write([]byte("into the void")); err != nil {
			w.Fatal(err)
		}
		began := time.Now()
		_, err := near.Read(make([]byte, 1))
		w.want(err, syscall.ETIMEDOUT)
		if took := time.Since(began); took != 924*time.Second {
			w.Errorf("gave up after %v, want 924s", took)
		}
		near.Close()
		w.SetCarrier("pool", true)
		if _, err := far.Write([]byte("x")); err == nil {
			w.Error("wrote to an end that is gone")
		}
	})
}

// TestEndIsHeldToo closes one end while there is no way; the other hears of it when there is one again.
func TestEndIsHeldToo(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		near, far := w.connect(w.pair())
		w.SetCarrier("handset", false)
		if _, err := near.Write([]byte("bye")); err != nil {
			w.Fatal(err)
		}
		if err := near.Close(); err != nil {
			w.Fatal(err)
		}
		time.AfterFunc(time.Minute, func() { w.SetCarrier("handset", true) })
		began := time.Now()
		if b, err := io.ReadAll(far); err != nil || string(b) != "bye" {
			w.Fatalf("read %q, %v", b, err)
		}
		if took := time.Since(began); took != time.Minute {
			w.Errorf("the end came after %v, want 1m", took)
		}
	})
}

func TestBufferIsBounded(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		near, _ := w.connect(w.pair())
		if err := near.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			w.Fatal(err)
		}
		n, err := near.Write(make([]byte, 1<<20))
		if timeout, ok := err.(net.Error); n != 64<<10 || !ok || !timeout.Timeout() {
			w.Errorf("wrote %d bytes, %v, want 65536 and a timeout", n, err)
		}
	})
}

// TestIdleStationIsSmall holds the memory of a station with its own stack to the measured 15 KB, with room for other
// processors.
func TestIdleStationIsSmall(t *testing.T) {
	const n = 200
	s := ethernet.NewSegment(ethernet.Options{})
	defer s.Close()
	before := heap()
	for i := range n {
		_, err := s.Join(ethernet.StationConfig{Name: strconv.Itoa(i), MAC: net.HardwareAddr{2, 0, 0, 0, 1, byte(i)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if each := (heap() - before) / n; each > 20<<10 {
		t.Errorf("%d bytes a station, want at most 20 KiB", each)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
