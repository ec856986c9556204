package timeserver

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	beevik "github.com/beevik/ntp"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/ntp"
)

func TestOnTheCables(t *testing.T) {
	start := func(t *testing.T, station ethernet.Station) io.Closer {
		s, err := Start(Config{Station: station})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	onTheCables(t, start, ntp.Port, func(t *testing.T, conn net.Conn) {
		answer, err := beevik.QueryWithOptions("lab", beevik.QueryOptions{
			Timeout: 10 * time.Second,
			Dialer:  func(string, string) (net.Conn, error) { return conn, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Validate(); err != nil || answer.ClockOffset.Abs() > time.Second {
			t.Errorf("offset %s, %v", answer.ClockOffset, err)
		}
	})
}

// onTheCables dials the server's port over real frames and hands the connection to ask.
func onTheCables(t *testing.T, start func(*testing.T, ethernet.Station) io.Closer, port uint16, ask func(*testing.T, net.Conn)) {
	for name, cable := range map[string]ethernet.Cable{
		"pipe": ethernet.NewPipe(ethernet.Options{}), "segment": ethernet.NewSegment(ethernet.Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			defer cable.Close()
			var stations []ethernet.Station
			for i, name := range []string{"server", "handset"} {
				station, err := cable.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)}})
				if err != nil {
					t.Fatal(err)
				}
				address := netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)})
				if err := station.SetAddress(netip.PrefixFrom(address, 24), netip.Addr{}); err != nil {
					t.Fatal(err)
				}
				stations = append(stations, station)
			}
			defer start(t, stations[0]).Close()
			conn, err := stations[1].DialUDP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 0, 1}), port))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			ask(t, conn)
		})
	}
}
