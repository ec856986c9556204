package sipstack_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/sipstack"
)

// onCable runs a test on the virtual cable that labs use in virtual time, between two of its stations.
func onCable(t *testing.T, test func(l, far *line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cable := ethernet.NewPipe(ethernet.Options{})
		defer cable.Close()
		near, far := connect(t, join(t, cable, 1), join(t, cable, 2))
		l, other := attachTo(t, near, far, sipstack.Options{}), attachTo(t, far, near, sipstack.Options{Transport: "tcp"})
		defer l.Close()
		defer other.Close()
		test(l, other)
	})
}

func join(t *testing.T, cable *ethernet.Pipe, n byte) ethernet.Station {
	t.Helper()
	s, err := cable.Join(ethernet.StationConfig{Name: string('a' + rune(n)), MAC: net.HardwareAddr{2, 0, 0, 0, 0, n}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetAddress(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 24), netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t *testing.T, from, to ethernet.Station) (near, far net.Conn) {
	t.Helper()
	listener, err := to.ListenTCP(0)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	near, err = from.DialTCP(t.Context(), netip.AddrPortFrom(to.Address().Addr(), port))
	if err != nil {
		t.Fatal(err)
	}
	far, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

func TestCableCarriesMessages(t *testing.T) {
	onCable(t, func(l, far *line) {
		for _, message := range notifies(50) {
			if err := errors.Join(l.send(message), far.KeepAlive(), far.send(message), l.KeepAlive()); err != nil {
				l.Fatal(err)
			}
			far.gets(message)
			l.gets(message)
		}
	})
}

func TestCableResets(t *testing.T) {
	onCable(t, func(l, far *line) {
		if err := l.peer.(ethernet.Resetter).Reset(); err != nil {
			l.Fatal(err)
		}
		l.endedWith(sipstack.ErrEnded)
		far.ended()
		l.bothRefuse(sipstack.ErrEnded)
	})
}

func TestCableCloses(t *testing.T) {
	onCable(t, func(l, far *line) {
		if err := far.send(notify(1)); err != nil {
			l.Fatal(err)
		}
		far.Close()
		l.gets(notify(1))
		l.endedWith(sipstack.ErrEnded)
	})
}
