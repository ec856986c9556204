package rig_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// wiretap is a cable that keeps what the handset sends: its frames, and its TCP connections, which a Pipe has no frames of.
type wiretap struct {
	*ethernet.Pipe

	// dial opens the handset's TCP connections, nil: its station does.
	dial func(context.Context, ethernet.Station, netip.AddrPort) (net.Conn, error)

	mu     sync.Mutex
	frames []frame // that it sent
	heard  []frame // that were delivered to it
	calls  []*call
}

func newWiretap() *wiretap {
	w := &wiretap{}
	w.Pipe = ethernet.NewPipe(ethernet.Options{Tap: func(f ethernet.TappedFrame) {
		if f.Station != handsetStation {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if f.Direction == ethernet.Sent {
			w.frames = append(w.frames, bytes.Clone(f.Frame))
		} else {
			w.heard = append(w.heard, bytes.Clone(f.Frame))
		}
	}})
	return w
}

// onWiretap changes the cable.
func (s *setting) onWiretap() *wiretap {
	s.t.Helper()
	if err := s.Cable.Close(); err != nil {
		s.t.Error(err)
	}
	w := newWiretap()
	s.Cable = w
	return w
}

// handsetStation is how a run names the handset.
const handsetStation = "handset"

// Join plugs in a station; that of the handset is tapped.
func (w *wiretap) Join(c ethernet.StationConfig) (ethernet.Station, error) {
	station, err := w.Pipe.Join(c)
	if err != nil || c.Name != handsetStation {
		return station, err
	}
	return &tappedStation{station, w}, nil
}

type tappedStation struct {
	ethernet.Station
	w *wiretap
}

func (s *tappedStation) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	dial := s.Station.DialTCP
	if s.w.dial != nil {
		dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) { return s.w.dial(ctx, s.Station, to) }
	}
	conn, err := dial(ctx, to)
	if err != nil {
		return nil, err
	}
	c := &call{Conn: conn, to: to}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.calls = append(s.w.calls, c)
	return c, nil
}

// call is one TCP connection of the handset with all that passed on it.
type call struct {
	net.Conn
	to netip.AddrPort

	mu             sync.Mutex
	sent, received []byte
}

func (c *call) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, b[:n]...)
	return n, err
}

func (c *call) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, b[:n]...)
	return n, err
}

// tapped is a lab and a handset of which every byte can be read: the handset logs its TLS secrets.
type tapped struct {
	*setting
	tap     *wiretap
	keys    *keyLog
	pool    *labpool.Pool
	handset *handset.Handset
	mac     net.HardwareAddr
}

// onTap runs f with a handset that is powered off in a lab, in virtual time, and closes everything.
func onTap(t *testing.T, lab, profile string, prepare func(*setting), f func(*tapped)) {
	t.Helper()
	virtual(t, lab, profile, func(s *setting) {
		x := &tapped{setting: s, tap: s.onWiretap(), keys: &keyLog{}}
		if prepare != nil {
			prepare(s)
		}
		defer x.close()
		x.assemble()
		f(x)
	})
}

// assemble is what [rig.Start] does, with a key log.
func (x *tapped) assemble() {
	x.t.Helper()
	must := func(err error) {
		x.t.Helper()
		if err != nil {
			x.t.Fatal(err)
		}
	}
	var err error
	x.mac, err = x.HandsetMAC()
	must(err)
	x.pool, err = labpool.Start(labpool.Config{
		Lab: x.Lab, Cable: x.tap, Faults: x.Faults, DialledNumber: x.Credentials.Number, NewKey: x.PoolKey,
	})
	must(err)
	station, err := x.tap.Join(ethernet.StationConfig{
		Name: handsetStation, MAC: x.mac, TTL: x.Profile.IPTTL, Port: ethernet.Port{Voice: x.Lab.Network.VoiceVLAN},
	})
	must(err)
	line := timeline.New("handset")
	for _, observe := range x.Observers {
		line.Observe(observe)
	}
	options := []handset.Option{
		handset.WithFlash(x.Flash), handset.WithNetwork(x.Network), handset.WithTimeline(line), handset.WithKeyLog(x.keys), handset.WithNewKey(x.HandsetKey),
	}
	if x.Decode {
		options = append(options, handset.WithDecoding())
	}
	x.handset, err = handset.New(x.Profile, station, options...)
	must(err)
}

// boot drives the handset until it is Ready.
func (x *tapped) boot() {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), x.Timeout)
	defer cancel()
	out, err := x.handset.Boot(ctx, x.Credentials)
	if err != nil || out.Machine.State != devicestate.Ready {
		x.t.Fatalf("%v, state %s, failure %v\n%s", err, out.Machine.State, out.Failure, x.log())
	}
}

// stay keeps the handset signed in for a while.
func (x *tapped) stay(d time.Duration) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if out, err := x.handset.Run(ctx, nil); err != nil || out.Machine.State != devicestate.Ready {
		x.t.Fatalf("%v, state %s, failure %v\n%s", err, out.Machine.State, out.Failure, x.log())
	}
}

// signOff ends the registration and the connections.
func (x *tapped) signOff() {
	x.t.Helper()
	if err := x.handset.Close(); err != nil {
		x.t.Error(err)
	}
}

func (x *tapped) close() {
	x.t.Helper()
	if x.handset != nil {
		x.signOff()
	}
	if x.pool != nil {
		if err := x.pool.Close(); err != nil {
			x.t.Error(err)
		}
	}
	if err := x.tap.Close(); err != nil {
		x.t.Error(err)
	}
}

// framesOf returns those of the handset's frames that keep wants.
func (w *wiretap) framesOf(keep func(frame) bool) []frame {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []frame
	for _, f := range w.frames {
		if keep(f) {
			out = append(out, f)
		}
	}
	return out
}

// macOf is the station that a datagram of this address came from.
func (w *wiretap) macOf(address netip.Addr) net.HardwareAddr {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.heard {
		if d, ok := f.datagram(); ok && d.src.Addr() == address {
			return net.HardwareAddr(f[6:12])
		}
	}
	return nil
}

// connections returns the handset's TCP connections in the order in which they were opened.
func (w *wiretap) connections() []*call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}
