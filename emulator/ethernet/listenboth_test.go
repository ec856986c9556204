package ethernet_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// TestListenBoth: a port that the computer picks is the same for TCP and UDP, one that is not free for both is not taken, and one that
// was named is not replaced by another.
func TestListenBoth(t *testing.T) {
	taken, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	number := portOf(taken.LocalAddr()).Port()
	answers := map[string]func(tries int) uint16{
		"picked":           func(int) uint16 { return 0 },
		"taken, then free": func(tries int) uint16 { return map[bool]uint16{true: number}[tries < 2] },
		"named and taken":  func(int) uint16 { return number },
	}
	for name, answer := range answers {
		asked := 0
		cable := ethernet.NewHost(ethernet.HostOptions{Listen: loopback, Port: func(string, uint16) uint16 { asked++; return answer(asked) }})
		st, err := cable.Join(ethernet.StationConfig{Name: "names", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}})
		if err != nil {
			t.Fatal(err)
		}
		listener, conn, err := ethernet.ListenBoth(st, 53)
		switch {
		case name == "named and taken" && (err == nil || asked > 3):
			t.Errorf("%s: %v after %d tries", name, err, asked)
		case name != "named and taken" && err != nil:
			t.Errorf("%s: %v", name, err)
		case err == nil:
			at := portOf(listener.Addr())
			if at != portOf(conn.LocalAddr()) || at.Port() == number {
				t.Errorf("%s: TCP %v, UDP %v", name, at, conn.LocalAddr())
			}
			if err := errors.Join(listener.Close(), conn.Close()); err != nil {
				t.Error(err)
			}
			again, also, err := ethernet.ListenBoth(st, 53)
			if err != nil || portOf(again.Addr()) != at || portOf(also.LocalAddr()) != at {
				t.Errorf("%s: again %v, %v", name, err, at)
			}
		}
		if err := cable.Close(); err != nil {
			t.Error(err)
		}
	}
	pipe := ethernet.NewPipe(ethernet.Options{})
	defer pipe.Close()
	st, err := pipe.Join(ethernet.StationConfig{Name: "names", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SetAddress(netip.MustParsePrefix("10.0.0.1/24"), netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	listener, conn, err := ethernet.ListenBoth(st, 53)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ethernet.ListenBoth(st, 53); err == nil {
		t.Error("a port is listened on twice")
	}
	if err := errors.Join(listener.Close(), conn.Close()); err != nil {
		t.Error(err)
	}
}
