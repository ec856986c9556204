package ethernet_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/arp"
)

// arpFrame is one padded frame of 60 bytes: 14 bytes of header, 28 of ARP.
func arpFrame(t testing.TB, to, from, operation, senderIP, targetMAC, targetIP string) []byte {
	t.Helper()
	b, err := hex.DecodeString(to + from + "0806" + "0001080006040" + operation + from + senderIP + targetMAC + targetIP)
	if err != nil || len(b) != 42 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	return append(b, make([]byte, 60-42)...)
}

const (
	everybody = "ffffffffffff"
	nobody    = "000000000000"
	mac1      = "020000000001"
	mac2      = "020000000002"
	ip1       = "0a000001"
	ip2       = "0a000002"
)

func TestARPOnTheWire(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		w.connect(handset, pool)
		want := [][]byte{
			arpFrame(t, everybody, mac1, "001", ip1, nobody, ip1), // announcement
			arpFrame(t, everybody, mac2, "001", ip2, nobody, ip2), // announcement
			arpFrame(t, everybody, mac1, "001", ip1, nobody, ip2), // request
			arpFrame(t, mac1, mac2, "002", ip2, mac1, ip1),        // reply
		}
		w.settle()
		got := w.tap.take(sent(0x0806))
		for i, f := range got {
			if i < len(want) && !bytes.Equal(f.Frame, want[i]) {
				w.Errorf("frame %d:\n got %x\nwant %x", i, f.Frame, want[i])
			}
		}
		if len(got) != len(want) { // the request told the pool the handset's address
			w.Errorf("%d ARP frames, want %d", len(got), len(want))
		}
	})
}

func TestProbe(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset := w.station("handset", "", ethernet.Port{})
		w.station("holder", "10.0.0.2/24", ethernet.Port{})

		began := time.Now()
		if err := handset.Probe(w.Context(), netip.MustParseAddr("10.0.0.1"), 60*time.Millisecond); err != nil {
			w.Fatalf("a free address: %v", err)
		}
		if took := time.Since(began); took < 60*time.Millisecond {
			w.Errorf("probed for %v, want 60ms", took)
		}
		probe := arpFrame(t, everybody, mac1, "001", "00000000", nobody, ip1)
		var seen int
		for _, f := range w.tap.take(sent(0x0806)) {
			if bytes.Equal(f.Frame, probe) {
				seen++
			}
		}
		if seen != 3 {
			w.Errorf("%d probes %x, want 3", seen, probe)
		}

		err := handset.Probe(w.Context(), netip.MustParseAddr("10.0.0.2"), 10*time.Second)
		var inUse *ethernet.AddressInUse
		if !errors.As(err, &inUse) || inUse.Holder.String() != "02:00:00:00:00:02" || inUse.Address.String() != "10.0.0.2" {
			w.Fatalf("a held address: %v", err)
		}

		ctx, cancel := context.WithTimeout(w.Context(), 10*time.Millisecond)
		defer cancel()
		w.want(handset.Probe(ctx, netip.MustParseAddr("10.0.0.3"), time.Minute), context.DeadlineExceeded)
	})
}

func TestTwoProbesForOneAddress(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		a, b := w.station("a", "", ethernet.Port{}), w.station("b", "", ethernet.Port{})
		result := make(chan error, 2)
		for _, s := range []ethernet.Station{a, b} {
			go func() { result <- s.Probe(w.Context(), netip.MustParseAddr("10.0.0.5"), 600*time.Millisecond) }()
		}
		var conflict *ethernet.AddressInUse
		if err := errors.Join(<-result, <-result); !errors.As(err, &conflict) {
			w.Errorf("got %v, want a conflict for one at least (RFC 5227, 2.1.1)", err)
		}
	})
}

// Who watches a station is told of the ARP that it sends and of that which is about it, in the order of the cable.
func TestOnARP(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset := w.station("handset", "", ethernet.Port{})
		pool := w.station("pool", "10.0.0.2/24", ethernet.Port{})
		other := w.station("other", "10.0.0.3/24", ethernet.Port{})
		w.settle()
		var mu sync.Mutex
		var got []string
		handset.(ethernet.ARPWatcher).OnARP(func(p arp.Packet, sent bool) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, fmt.Sprintf("%v %d %v %v", sent, p.Operation, p.SenderAddr(), p.TargetAddr()))
		})
		if err := handset.Probe(w.Context(), netip.MustParseAddr("10.0.0.1"), 3*time.Millisecond); err != nil {
			w.Fatal(err)
		}
		var inUse *ethernet.AddressInUse
		if err := handset.Probe(w.Context(), netip.MustParseAddr("10.0.0.3"), time.Minute); !errors.As(err, &inUse) {
			w.Fatal(err)
		}
		w.address(handset, "10.0.0.1/24")
		w.connect(handset, pool)
		other.DropNeighbor(netip.MustParseAddr("10.0.0.1")) // which it learned
		w.connect(other, handset)
		w.connect(pool, other) // is about others
		w.settle()
		mu.Lock()
		defer mu.Unlock()
		want := []string{
			"true 1 0.0.0.0 10.0.0.1", "true 1 0.0.0.0 10.0.0.1", "true 1 0.0.0.0 10.0.0.1",
			"true 1 0.0.0.0 10.0.0.3", "false 2 10.0.0.3 0.0.0.0", "true 1 10.0.0.1 10.0.0.1",
			"true 1 10.0.0.1 10.0.0.2", "false 2 10.0.0.2 10.0.0.1", "false 1 10.0.0.3 10.0.0.1", "true 2 10.0.0.1 10.0.0.3",
		}
		if !slices.Equal(got, want) {
			w.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestDefence(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		w.station("handset", "10.0.0.1/24", ethernet.Port{})
		rogue := w.station("rogue", "", ethernet.Port{})
		time.Sleep(time.Minute) // both announcements are out
		before := len(w.tap.take(sent(0x0806)))
		claim := arpFrame(t, everybody, mac2, "001", ip1, nobody, ip1)
		defences := func(pause time.Duration) int {
			if err := rogue.SendFrame(claim); err != nil {
				w.Fatal(err)
			}
			time.Sleep(pause)
			all := w.tap.take(sent(0x0806))[before:]
			before += len(all)
			n := 0
			for _, f := range all {
				if bytes.Equal(f.Frame, arpFrame(t, everybody, mac1, "001", ip1, nobody, ip1)) {
					n++
				}
			}
			return n
		}
		for i, c := range []struct {
			pause time.Duration
			want  int
		}{{time.Second, 1}, {time.Second, 0}, {9 * time.Second, 0}, {time.Second, 1}} { // one each 10 s
			if got := defences(c.pause); got != c.want {
				w.Errorf("claim %d: %d defences, want %d", i, got, c.want)
			}
		}
	})
}

func TestAnnouncement(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		began := time.Now()
		handset := w.station("handset", "10.0.0.1/24", ethernet.Port{})
		time.Sleep(time.Minute)
		var after []time.Duration
		for _, f := range w.tap.take(sent(0x0806)) {
			after = append(after, f.At.Sub(began))
		}
		if len(after) != 2 || after[0] != 0 || after[1] != 2*time.Second {
			w.Errorf("announced after %v, want 0s and 2s", after)
		}
		w.address(handset, "10.0.0.9/24")
		handset.ClearAddress()
		time.Sleep(time.Minute)
		if n := len(w.tap.take(sent(0x0806))); n != 3 {
			w.Errorf("%d announcements, want 3: an address that is gone is not announced again", n)
		}
		if handset.Address().IsValid() {
			w.Errorf("address %v", handset.Address())
		}
	})
}

func TestStaticNeighbour(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		pool.AddNeighbor(netip.MustParseAddr("10.0.0.1"), handset.MAC())
		handset.AddNeighbor(netip.MustParseAddr("10.0.0.2"), pool.MAC())
		w.connect(handset, pool)
		if n := len(w.tap.take(sent(0x0806))); n != 2 {
			w.Errorf("%d ARP frames, want the two announcements", n)
		}
		handset.DropNeighbor(netip.MustParseAddr("10.0.0.2"))
		pool.DropNeighbor(netip.MustParseAddr("10.0.0.1"))
		w.listen(pool, 80)
		w.dial(handset, "10.0.0.2:80")
		w.settle()
		if n := len(w.tap.take(sent(0x0806))); n != 4 {
			w.Errorf("%d ARP frames, want a request and a reply more", n-2)
		}
	})
}

func TestAnnouncementMovesANeighbour(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		w.listen(pool, 80)
		w.dial(handset, "10.0.0.2:80")
		if err := pool.Close(); err != nil {
			w.Fatal(err)
		}
		next := w.station("next pool", "", ethernet.Port{})
		heard, err := handset.Frames(0x0806)
		if err != nil {
			w.Fatal(err)
		}
		defer heard.Close()
		w.address(next, "10.0.0.2/24")
		if _, err := heard.Receive(w.within()); err != nil {
			w.Fatal(err)
		}
		w.listen(next, 80)
		w.dial(handset, "10.0.0.2:80")
	})
}

func TestStaticNeighboursAreNotCounted(t *testing.T) {
	onPipe(t, ethernet.Options{}, func(w *world) {
		pool := w.station("pool", "10.0.0.2/16", ethernet.Port{})
		for i := range 2000 {
			pool.AddNeighbor(netip.AddrFrom4([4]byte{10, 0, byte(8 + i>>8), byte(i)}), net.HardwareAddr{2, 0, 0, 1, byte(i >> 8), byte(i)})
		}
		u, err := pool.ListenUDP(53)
		if err != nil {
			w.Fatal(err)
		}
		defer u.Close()
		for i := range 2000 {
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(8 + i>>8), byte(i)}), 53)
			if _, err := u.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(to)); err != nil {
				w.Fatal(err)
			}
		}
		if got := len(w.tap.take(sent(0x0800))); got != 2000 {
			w.Errorf("%d datagrams left, want 2000", got)
		}
		if got := len(w.tap.take(sent(0x0806))); got != 1 {
			w.Errorf("%d ARP frames, want the announcement", got)
		}
	})
}

func TestSetAddressRefuses(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		s := w.station("handset", "", ethernet.Port{})
		for _, c := range []struct {
			address netip.Prefix
			gateway netip.Addr
		}{
			{},
			{netip.MustParsePrefix("2001:db8::1/64"), netip.Addr{}},
			{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParseAddr("10.0.1.1")},
		} {
			if err := s.SetAddress(c.address, c.gateway); err == nil {
				w.Errorf("%v via %v was taken", c.address, c.gateway)
			}
		}
		if err := s.Probe(w.Context(), netip.MustParseAddr("::1"), 0); err == nil {
			w.Error("an IPv6 address was probed")
		}
	})
}
