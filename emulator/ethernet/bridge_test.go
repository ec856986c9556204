package ethernet

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// testWire is a wire whose far end is the test.
type testWire struct {
	in      chan arrival
	trouble chan error
	news    chan *BridgeError
	closed  chan struct{}

	mu       sync.Mutex
	out      chan []byte
	refuse   error // what send answers
	admitted []macAddress
	admits   error // what admit answers
}

func newTestWire() *testWire {
	return &testWire{
		in: make(chan arrival), trouble: make(chan error), news: make(chan *BridgeError), closed: make(chan struct{}),
		out: make(chan []byte, 1024),
	}
}

func (w *testWire) receive() (arrival, error) {
	select {
	case a := <-w.in:
		return a, nil
	case err := <-w.trouble:
		return arrival{}, err
	case <-w.closed:
		return arrival{}, net.ErrClosed
	}
}

func (w *testWire) send(frame []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return w.refuse
	}
	w.out <- bytes.Clone(frame)
	return nil
}

func (w *testWire) admit(stations []macAddress) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.admitted = stations
	return w.admits
}

func (w *testWire) link() (*BridgeError, error) {
	select {
	case lost := <-w.news:
		return lost, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *testWire) overflowed() uint64 { return 7 }

func (w *testWire) close() error {
	close(w.closed)
	return nil
}

// onWire is a bridge on a testWire.
type onWire struct {
	*testing.T
	*Bridge
	wire *testWire
}

func newOnWire(t *testing.T, o Options) *onWire {
	t.Helper()
	w := newTestWire()
	b, err := newBridge("eth0", w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &onWire{t, b, w}
}

// A station on a wire is all that one on a segment is.
func TestBridgedStationWatches(t *testing.T) {
	st := newOnWire(t, Options{}).station("handset", 1)
	if _, ok := st.(ConflictWatcher); !ok {
		t.Error("nobody is told that another station uses its address")
	}
	if _, ok := st.(ARPWatcher); !ok {
		t.Error("nobody is told of its ARP")
	}
}

// station joins with MAC address 02:00:00:00:00:N.
func (w *onWire) station(name string, n byte) Station {
	w.Helper()
	// The configuration of the port is not the caller's.
	st, err := w.Join(StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, n}, Port: Port{Access: 7, Isolated: true}})
	if err != nil {
		w.Fatal(err)
	}
	return st
}

func (w *onWire) within() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	w.Cleanup(cancel)
	return ctx
}

// sends waits for the next frame on the wire.
func (w *onWire) sends() []byte {
	w.Helper()
	select {
	case f := <-w.wire.out:
		return f
	case <-w.within().Done():
		w.Fatal("nothing was sent")
	}
	return nil
}

func (w *onWire) frames(st Station, etherType uint16) FrameReceiver {
	w.Helper()
	r, err := st.Frames(etherType)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *onWire) hears(r FrameReceiver, want string) {
	w.Helper()
	got, err := r.Receive(w.within())
	if b := pad(decode(w.T, want)); err != nil || !bytes.Equal(got, b) {
		w.Errorf("heard %x, %v, want %x", got, err, b)
	}
}

// until asks again and again, for what no channel tells.
func (w *onWire) until(what string, holds func() bool) {
	w.Helper()
	ctx := w.within()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			w.Fatalf("not %s", what)
		}
	}
}

const (
	toAll   = "ffffffffffff"
	macOne  = "020000000001"
	macTwo  = "020000000002"
	macFar  = "0200000000fa"
	macLLDP = "0180c200000e"
)

// TestBridgeTags sends in the native VLAN and in two others, of which 1 is the native one of other switches.
func TestBridgeTags(t *testing.T) {
	w := newOnWire(t, Options{})
	st := w.station("handset", 1)
	for _, c := range []struct {
		tag  Tag
		want string // what follows the addresses
	}{
		{Tag{}, "0806"},
		{Tag{VLAN: 200, Priority: 5}, "8100a0c8" + "0806"},
		{Tag{VLAN: 1, Priority: 3}, "81006001" + "0806"},
		{Tag{VLAN: 4094}, "81000ffe" + "0806"},
	} {
		st.SetTag(c.tag)
		probed := make(chan error)
		go func() { probed <- st.Probe(w.within(), netip.MustParseAddr("10.0.0.9"), 0) }()
		for range probes {
			f := w.sends()
			if want := decode(t, toAll+macOne+c.want); !bytes.HasPrefix(f, want) {
				t.Errorf("%+v: sent %x, want %x", c.tag, f[:len(want)], want)
			}
			if n := map[bool]int{false: minFrame, true: minFrame + tagSize}[c.tag.VLAN != 0]; len(f) != n {
				t.Errorf("%+v: %d bytes, want %d", c.tag, len(f), n)
			}
		}
		if err := <-probed; err != nil {
			t.Errorf("%+v: %v", c.tag, err)
		}
	}

	// A station hears its own VLAN.
	all := []tag{0x81000fff, 0, 0x8100a0c8, 0x81000001}
	for _, own := range all[1:] {
		st.SetTag(Tag{VLAN: tagControl(own).vlan()})
		raw, err := st.RawUDP(68)
		if err != nil {
			t.Fatal(err)
		}
		// Its own goes last: when it is there, the others were passed over.
		for _, tagged := range append(slices.DeleteFunc(slices.Clone(all), func(other tag) bool { return other == own }), own) {
			from := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), tagControl(tagged).vlan())
			f := udpFrame(from, netip.MustParseAddrPort("255.255.255.255:68"), nil, ipv4Fields{ttl: 64})
			copy(f, decode(t, toAll+macFar))
			w.wire.in <- arrival{frame: f, tag: tagged}
		}
		if d, err := raw.Receive(w.within()); err != nil || d.Src.Port() != tagControl(own).vlan() {
			t.Errorf("with tag %#x: heard %v, %v", own, d.Src, err)
		}
		if err := raw.Close(); err != nil {
			t.Fatal(err)
		}
	}

	// The reserved VLAN is not another name of the native one.
	if err := st.SendFrame(pad(decode(t, toAll+macOne+"81000fff"+"88b5"+"01"))); err != nil {
		t.Fatal(err)
	}
	if err := st.SendFrame(decode(t, toAll+macOne+"88b5"+"02")); err != nil {
		t.Fatal(err)
	}
	if f := w.sends(); f[12] != 0x88 {
		t.Errorf("sent %x", f)
	}
}

func TestBridgeLinkLocal(t *testing.T) {
	w := newOnWire(t, Options{})
	one, two := w.station("one", 1), w.station("two", 2)
	one.SetTag(Tag{VLAN: 200}) // LLDP is untagged all the same
	heardOne, heardTwo := w.frames(one, 0x88cc), w.frames(two, 0x88cc)
	fromOne, fromFar := macLLDP+macOne+"88cc"+"0207", macLLDP+macFar+"88cc"+"0207"
	if err := one.SendFrame(decode(t, fromOne)); err != nil {
		t.Fatal(err)
	}
	if got, want := w.sends(), pad(decode(t, fromOne)); !bytes.Equal(got, want) {
		t.Errorf("sent %x, want %x", got, want)
	}
	w.wire.in <- arrival{frame: decode(t, fromFar)}
	w.hears(heardOne, fromFar)
	w.hears(heardTwo, fromFar) // and nothing before it
}

// TestBridgeSwitches has two stations, which reach each other and hear the same groups.
func TestBridgeSwitches(t *testing.T) {
	var tapped []TappedFrame
	w := newOnWire(t, Options{Tap: func(f TappedFrame) { tapped = append(tapped, f) }})
	one, two := w.station("one", 1), w.station("two", 2)
	if want := []macAddress{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}; !slices.Equal(w.wire.admitted, want) {
		t.Errorf("admitted %v, want %v", w.wire.admitted, want)
	}
	heardOne, heardTwo := w.frames(one, 0x88b5), w.frames(two, 0x88b5)
	const between, toGroup, toOne, echo = macTwo + macOne + "88b5" + "01", toAll + macFar + "88b5" + "02", macOne + macFar + "88b5" + "03",
		toAll + macOne + "88b5" + "04"
	if err := one.SendFrame(decode(t, between)); err != nil {
		t.Fatal(err)
	}
	w.hears(heardTwo, between)
	w.wire.in <- arrival{frame: decode(t, echo)}
	w.wire.in <- arrival{frame: decode(t, toGroup)}
	w.wire.in <- arrival{frame: decode(t, toOne)}
	w.wire.in <- arrival{frame: decode(t, macOne)}
	w.hears(heardOne, toGroup)
	w.hears(heardTwo, toGroup)
	w.hears(heardOne, toOne)
	w.until("echo counted", func() bool { return w.Counters().Echoed == 1 })
	if c := w.Counters(); c.Overflowed != 7 { // as the wire says
		t.Errorf("counted %+v", c)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(tapped, func(f TappedFrame) bool {
		return f.Station == "eth0" && f.Direction == Sent && bytes.Equal(f.Frame, pad(decode(t, toOne)))
	}) {
		t.Error("a frame from the wire passed no tap")
	}
}

// TestBridgeSplits lets a station read TCP from a super-frame.
func TestBridgeSplits(t *testing.T) {
	w := newOnWire(t, Options{})
	st := w.station("handset", 1)
	heard := w.frames(st, etherTypeIPv4)
	data := counting(3000)
	w.wire.in <- arrival{frame: append(decode(t, superFrame), data...), tag: 0, sumFrom: 34, sumAt: 50}
	var frames [][]byte
	for range 3 {
		f, err := heard.Receive(w.within())
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f)
	}
	if got := reassemble(t, frames, 0); !bytes.Equal(got, data) {
		t.Errorf("heard %d bytes", len(got))
	}
	w.wire.in <- arrival{frame: append(decode(t, superFrame), data...)} // with a wrong checksum
	w.wire.trouble <- errUnreadable
	w.until("two frames counted", func() bool { return w.Counters().Oversized == 2 })
	if c := w.Counters(); c.Split != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestBridgeCarrier(t *testing.T) {
	told := make(chan *BridgeError, 9)
	w := newOnWire(t, Options{Link: func(e *BridgeError) { told <- e }})
	st := w.station("handset", 1)
	if !st.Carrier() || w.Err() != nil {
		t.Fatalf("carrier %v, %v", st.Carrier(), w.Err())
	}
	down := &BridgeError{Kind: NoCarrier, Interface: "eth0", Seen: "is down", Instead: "set it up"}
	w.wire.news <- down
	<-st.CarrierChanged()
	late := w.station("late", 2)
	if st.Carrier() || late.Carrier() {
		t.Errorf("carrier %v and %v without link", st.Carrier(), late.Carrier())
	}
	var e *BridgeError
	if !errors.As(w.Err(), &e) || e != down {
		t.Errorf("got %v", w.Err())
	}
	if err := st.SendFrame(decode(t, toAll+macOne+"88b5"+"01")); err != nil {
		t.Fatal(err)
	}
	w.wire.in <- arrival{frame: decode(t, macOne+macFar+"88b5"+"02")}
	w.wire.in <- arrival{} // taken when the one before is through
	w.wire.news <- nil
	<-st.CarrierChanged()
	<-late.CarrierChanged()
	if !st.Carrier() || !late.Carrier() || w.Err() != nil {
		t.Errorf("carrier %v and %v, %v", st.Carrier(), late.Carrier(), w.Err())
	}
	heard := w.frames(st, 0x88b5)
	if err := st.SendFrame(decode(t, toAll+macOne+"88b5"+"03")); err != nil {
		t.Fatal(err)
	}
	w.wire.in <- arrival{frame: decode(t, macOne+macFar+"88b5"+"04")}
	if f := w.sends(); f[14] != 3 {
		t.Errorf("sent %x", f)
	}
	w.hears(heard, macOne+macFar+"88b5"+"04")

	gone := &BridgeError{Kind: NoInterface, Interface: "eth0", Seen: "was removed", Instead: "start again"}
	for _, news := range []*BridgeError{nil, down, down, gone} { // the kernel repeats itself
		w.wire.news <- news
	}
	w.wire.news <- nil // taken when the one before is through
	for n, want := range []*BridgeError{down, nil, down, gone} {
		if got := <-told; got != want {
			t.Errorf("news %d: %v, want %v", n, got, want)
		}
	}
}

// TestBridgeTrouble has an interface that sends and receives nothing for a while.
func TestBridgeTrouble(t *testing.T) {
	w := newOnWire(t, Options{})
	st := w.station("handset", 1)
	heard := w.frames(st, 0x88b5)
	began := time.Now()
	w.wire.trouble <- syscall.EIO
	w.wire.in <- arrival{frame: decode(t, macOne+macFar+"88b5"+"01")}
	w.hears(heard, macOne+macFar+"88b5"+"01")
	if waited := time.Since(began); waited < retryReceive {
		t.Errorf("received again after %s", waited)
	}
	if !errors.Is(w.Err(), syscall.EIO) {
		t.Errorf("got %v", w.Err())
	}

	w.wire.mu.Lock()
	w.wire.refuse = syscall.ENOBUFS
	w.wire.mu.Unlock()
	if err := st.SendFrame(decode(t, toAll+macOne+"88b5"+"02")); err != nil {
		t.Fatal(err)
	}
	w.until("a frame refused", func() bool { return w.Counters().Refused == 1 })
	if !errors.Is(w.Err(), syscall.ENOBUFS) {
		t.Errorf("got %v", w.Err())
	}
	w.wire.mu.Lock()
	w.wire.refuse = nil
	w.wire.mu.Unlock()
	if err := st.SendFrame(append(decode(t, toAll+macOne+"88b5"), make([]byte, mtu+1)...)); err != nil { // no room for a tag that is not there
		t.Fatal(err)
	}
	w.until("a frame refused", func() bool { return w.Counters().Refused == 2 })
	if len(w.wire.out) != 0 {
		t.Errorf("sent %x", <-w.wire.out)
	}
}

func TestBridgeJoinRefuses(t *testing.T) {
	w := newOnWire(t, Options{})
	w.wire.admits = syscall.ENOMEM
	config := StationConfig{Name: "handset", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	if _, err := w.Join(config); !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("got %v", err)
	}
	w.wire.admits = nil
	w.station("handset", 1) // the name is free
	config.Name = "eth0"
	if _, err := w.Join(config); err == nil {
		t.Error("a station has the interface's name")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	config.Name = "late"
	if _, err := w.Join(config); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestBridgeCloseEndsConnections wants a station's last words on the wire, and whoever waits told.
func TestBridgeCloseEndsConnections(t *testing.T) {
	w := newOnWire(t, Options{})
	st := w.station("handset", 1)
	raw, err := st.RawUDP(68)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := raw.Receive(w.Context())
		ended <- err
	}()
	last := udpFrame(netip.MustParseAddrPort("10.0.0.1:68"), netip.MustParseAddrPort("10.0.0.2:67"), []byte("release"), st.(bridgedStation).nextFields())
	for range 500 {
		if err := st.SendFrame(append(decode(t, toAll+macOne+"0800"), last[headerSize:]...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(w.wire.out); n != 500 {
		t.Errorf("%d of 500 frames were sent", n)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := st.DialTCP(w.within(), netip.MustParseAddrPort("10.0.0.2:80")); err == nil {
		t.Error("a closed station dials")
	}
	if err := w.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestBridgeIsLocal(t *testing.T) {
	w := newOnWire(t, Options{})
	for address, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "0.0.0.0": true, "::1": true, "::ffff:127.0.0.1": true, "192.0.2.1": false, "2001:db8::1": false,
	} {
		if got := w.IsLocal(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is local: %v", address, got)
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !w.IsLocal(p.Addr()) {
			t.Errorf("%s is not local", p.Addr())
		}
	}
}

func TestBridgeErrorText(t *testing.T) {
	e := &BridgeError{
		Kind: NoPermission, Interface: "eth0", Seen: "needs CAP_NET_RAW", Err: syscall.EPERM, Instead: "run as root",
	}
	if got := e.Error(); got != "interface eth0 needs CAP_NET_RAW (operation not permitted): run as root" {
		t.Error(got)
	}
	if !errors.Is(e, syscall.EPERM) || e.Kind.String() != "no permission" {
		t.Errorf("%v, %v", e.Unwrap(), e.Kind)
	}
}
