package ethernet_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cable is what both cables offer.
type cable interface {
	ethernet.Cable
	JoinSwitch(ethernet.StationConfig) (ethernet.Station, error)
	SetCarrier(station string, up bool)
	Counters() ethernet.Counters
}

// world is one test's cable.
type world struct {
	*testing.T
	cable
	name   string
	settle func() // in virtual time: lets everything come to rest
	next   byte
	tap    tapped
}

// onBoth runs a test on a Segment, and on a Pipe in virtual time.
func onBoth(t *testing.T, o ethernet.Options, test func(w *world)) {
	t.Helper()
	t.Run("segment", func(t *testing.T) {
		t.Parallel()
		onSegment(t, o, test)
	})
	t.Run("pipe", func(t *testing.T) {
		onPipe(t, o, test)
	})
}

func onSegment(t *testing.T, o ethernet.Options, test func(w *world)) {
	t.Helper()
	w := &world{T: t, name: "segment", settle: func() {}}
	o.Tap = w.tap.add
	w.cable = ethernet.NewSegment(o)
	t.Cleanup(w.shut)
	test(w)
}

func onPipe(t *testing.T, o ethernet.Options, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, name: "pipe", settle: synctest.Wait}
		o.Tap = w.tap.add
		w.cable = ethernet.NewPipe(o)
		t.Cleanup(w.shut)
		test(w)
	})
}

func (w *world) shut() {
	if err := w.Close(); err != nil {
		w.Errorf("close: %v", err)
	}
}

// station joins with the next MAC address 02:00:00:00:00:NN and, unless address is "", an address.
func (w *world) station(name, address string, port ethernet.Port) ethernet.Station {
	w.Helper()
	w.next++
	s, err := w.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, w.next}, Port: port})
	if err != nil {
		w.Fatal(err)
	}
	if address != "" {
		w.address(s, address)
	}
	return s
}

func (w *world) address(s ethernet.Station, address string) {
	w.Helper()
	if err := s.SetAddress(netip.MustParsePrefix(address), netip.Addr{}); err != nil {
		w.Fatal(err)
	}
}

// pair returns a handset at 10.0.0.1 and a pool at 10.0.0.2.
func (w *world) pair() (handset, pool ethernet.Station) {
	w.Helper()
	return w.station("handset", "10.0.0.1/24", ethernet.Port{}), w.station("pool", "10.0.0.2/24", ethernet.Port{})
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// within bounds what should be over at once.
func (w *world) within() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) dial(s ethernet.Station, to string) net.Conn {
	w.Helper()
	c, err := s.DialTCP(w.within(), at(to))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return c
}

func (w *world) listen(s ethernet.Station, port uint16) net.Listener {
	w.Helper()
	l, err := s.ListenTCP(port)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { l.Close() })
	return l
}

func (w *world) accept(l net.Listener) net.Conn {
	w.Helper()
	c, err := l.Accept()
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return c
}

// connect returns both ends of a TCP connection to port 5061.
func (w *world) connect(from, to ethernet.Station) (near, far net.Conn) {
	w.Helper()
	l := w.listen(to, 5061)
	near = w.dial(from, netip.AddrPortFrom(to.Address().Addr(), 5061).String())
	far = w.accept(l)
	return near, far
}

func (w *world) want(err, target error) {
	w.Helper()
	if !errors.Is(err, target) {
		w.Fatalf("got error %v (%T), want %v", err, err, target)
	}
}

// tapped keeps what passed the tap.
type tapped struct {
	mu     sync.Mutex
	frames []ethernet.TappedFrame
}

func (t *tapped) add(f ethernet.TappedFrame) {
	f.Frame = append([]byte(nil), f.Frame...)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frames = append(t.frames, f)
}

// take returns the frames for which keep holds.
func (t *tapped) take(keep func(ethernet.TappedFrame) bool) (kept []ethernet.TappedFrame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.frames {
		if keep(f) {
			kept = append(kept, f)
		}
	}
	return kept
}

func sent(etherType uint16) func(ethernet.TappedFrame) bool {
	return func(f ethernet.TappedFrame) bool {
		return f.Direction == ethernet.Sent && uint16(f.Frame[12])<<8|uint16(f.Frame[13]) == etherType
	}
}
