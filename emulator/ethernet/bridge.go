package ethernet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Bridge is a [Segment] joined to a real interface of the computer. Each station is a host of its own on that wire, with
// its own MAC address, as if it were plugged into a trunk port: every VLAN tagged, the native one untagged; link-local
// group frames (LLDP) pass between the wire and each station. [Options.Tap] sees the wire under the interface's name.
//
// The stations of one Bridge reach each other. They do not reach this computer itself ([Bridge.IsLocal]), nor the
// stations of another Bridge on the same interface, since neither the kernel nor a switch sends a frame back to where it
// came from.
type Bridge struct {
	iface  string
	on     *accessSwitch
	wire   wire
	uplink *port
	told   func(*BridgeError) // of the link, nil: nobody is

	stop    chan struct{}
	workers sync.WaitGroup // receive and watch

	joining sync.Mutex
	own     atomic.Pointer[map[macAddress]bool] // of the stations

	mu       sync.Mutex
	noLink   *BridgeError // nil while there is link
	failure  error        // the last
	counters Counters     // those that the switch does not count
}

var _ Cable = (*Bridge)(nil)

// wire is a real interface.
type wire interface {
	// receive waits for the next frame, whose bytes are good until the next call.
	receive() (arrival, error)
	// send sends a frame or drops it; it does not wait.
	send(frame []byte) error
	// admit chooses the stations whose frames are received. Frames to groups always are, what this computer sends never.
	admit([]macAddress) error
	// link waits for news of the link: nil when there is one.
	link() (*BridgeError, error)
	// overflowed returns how many frames the kernel dropped because receive did not keep up.
	overflowed() uint64
	// close ends receive and link.
	close() error
}

// reservedVLAN names what is untagged on the wire. No tag can have it, so every real VLAN keeps its tag, 1 included.
const reservedVLAN = maxVLAN + 1

const (
	bridgedStations = 256                    // bounds the kernel's filter
	retryReceive    = 100 * time.Millisecond // after an error
)

// errUnreadable is a frame that the kernel could not hand over.
var errUnreadable = errors.New("frame is longer than any that can be split")

// NewBridge joins the named interface. Its errors are *[BridgeError]. Close leaves it.
func NewBridge(iface string, o Options) (*Bridge, error) {
	w, err := openWire(iface)
	if err != nil {
		return nil, err
	}
	return newBridge(iface, w, o)
}

func newBridge(iface string, w wire, o Options) (*Bridge, error) {
	b := &Bridge{iface: iface, wire: w, on: newAccessSwitch(o), told: o.Link, stop: make(chan struct{})}
	b.own.Store(&map[macAddress]bool{})
	b.on.native = reservedVLAN
	b.uplink = &port{name: iface, cfg: Port{Trunk: true}, sink: uplinkSink{b}}
	if err := b.on.plug(b.uplink, true); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	b.workers.Go(b.receive)
	b.workers.Go(b.watch)
	return b, nil
}

// Join implements [Cable]. StationConfig.Port says nothing here.
func (b *Bridge) Join(c StationConfig) (Station, error) {
	b.joining.Lock()
	defer b.joining.Unlock()
	if len(b.on.stations()) >= bridgedStations {
		return nil, fmt.Errorf("station %s: %d stations are on interface %s already", c.Name, bridgedStations, b.iface)
	}
	c.Port = Port{Trunk: true}
	st, err := join(b.on, c, false, newNetstack)
	if err != nil {
		return nil, err
	}
	stations := b.on.stations()
	own, list := make(map[macAddress]bool, len(stations)), make([]macAddress, 0, len(stations))
	for _, s := range stations {
		own[s.mac] = true
		list = append(list, s.mac)
	}
	if err := b.wire.admit(list); err != nil {
		return nil, errors.Join(fmt.Errorf("station %s: interface %s: filter: %w", c.Name, b.iface, err), st.Close())
	}
	b.own.Store(&own)
	return bridgedStation{st.(*station), b}, nil
}

// receive brings frames from the wire to the switch until the bridge is closed.
func (b *Bridge) receive() {
	for {
		a, err := b.wire.receive()
		switch {
		case done(b.stop):
			return
		case err == nil:
			b.enter(a)
		case errors.Is(err, errUnreadable):
			b.count(&b.counters.Oversized)
		default:
			b.fail(fmt.Errorf("interface %s: receive: %w", b.iface, err))
			select {
			case <-time.After(retryReceive):
			case <-b.stop:
				return
			}
		}
	}
}

// enter hands a frame to the switch, in pieces if need be.
func (b *Bridge) enter(a arrival) {
	if len(a.frame) < headerSize {
		return
	}
	if (*b.own.Load())[source(a.frame)] {
		b.count(&b.counters.Echoed)
		return
	}
	err := a.each(func(frame []byte) { _ = b.on.transmit(b.uplink, frame) }) // a closed switch takes nothing
	switch {
	case err != nil:
		b.count(&b.counters.Oversized)
	case len(a.frame) > headerSize+mtu:
		b.count(&b.counters.Split)
	}
}

// uplinkSink sends what the switch has for the wire.
type uplinkSink struct{ b *Bridge }

func (u uplinkSink) receive(frame []byte) {
	b := u.b
	limit := headerSize + mtu
	if _, tagged := readTag(frame); tagged {
		limit += tagSize
	}
	var err error
	if len(frame) > limit {
		err = fmt.Errorf("frame of %d bytes, at most %d expected", len(frame), limit)
	} else {
		err = b.wire.send(frame)
	}
	if err != nil {
		b.count(&b.counters.Refused)
		b.fail(fmt.Errorf("interface %s: send: %w", b.iface, err))
	}
}

// watch follows the link until the bridge is closed.
func (b *Bridge) watch() {
	seen := "" // that is wrong
	for {
		lost, err := b.wire.link()
		if done(b.stop) {
			return
		}
		if err != nil {
			b.fail(fmt.Errorf("interface %s: watch of the link: %w", b.iface, err))
			return
		}
		b.mu.Lock()
		b.noLink, b.failure = lost, nil
		b.mu.Unlock()
		b.on.setAllCarriers(lost == nil)
		before := seen
		if seen = ""; lost != nil {
			seen = lost.Error()
		}
		if b.told != nil && seen != before {
			b.told(lost)
		}
	}
}

func (b *Bridge) count(counter *uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*counter++
}

func (b *Bridge) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failure = err
}

// Err says what is wrong with the interface: a *[BridgeError] while there is no link, else the last error of sending or
// receiving, else nil.
func (b *Bridge) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.noLink != nil {
		return b.noLink
	}
	return b.failure
}

// IsLocal reports whether addr is one of this computer, which stations cannot reach through its own interface.
func (b *Bridge) IsLocal(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	addresses, _ := net.InterfaceAddrs() // without the list nothing is known to be local
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == addr.WithZone("") {
				return true
			}
		}
	}
	return false
}

// Counters returns what became of the frames so far.
func (b *Bridge) Counters() Counters {
	c := b.on.count()
	c.Overflowed += b.wire.overflowed()
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.counters
	c.Split, c.Oversized, c.Echoed, c.Refused = own.Split, own.Oversized, own.Echoed, own.Refused
	return c
}

// Close implements [Cable]. What stations have said by then still goes out; then the interface is left.
func (b *Bridge) Close() error {
	b.joining.Lock() // a station that joins is on the wire or not
	defer b.joining.Unlock()
	if done(b.stop) {
		return nil
	}
	err := b.on.close()
	close(b.stop)
	err = errors.Join(err, b.wire.close())
	b.workers.Wait()
	return err
}
