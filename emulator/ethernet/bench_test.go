package ethernet_test

import (
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

func benchBoth(b *testing.B, bench func(b *testing.B, near, far net.Conn)) {
	for name, newCable := range map[string]func(ethernet.Options) cable{
		"segment": func(o ethernet.Options) cable { return ethernet.NewSegment(o) },
		"pipe":    func(o ethernet.Options) cable { return ethernet.NewPipe(o) },
	} {
		b.Run(name, func(b *testing.B) {
			c := newCable(ethernet.Options{})
			defer c.Close()
			near, far := benchPair(b, c, 1)
			b.ReportAllocs()
			b.ResetTimer()
			bench(b, near, far)
		})
	}
}

// benchPair connects stations 10.0.n.1 and 10.0.n.2.
func benchPair(b *testing.B, c cable, n int) (near, far net.Conn) {
	b.Helper()
	var s [2]ethernet.Station
	for i := range s {
		var err error
		s[i], err = c.Join(ethernet.StationConfig{
			Name: strconv.Itoa(n) + "." + strconv.Itoa(i), MAC: net.HardwareAddr{2, 0, 0, byte(n >> 8), byte(n), byte(i)},
		})
		if err != nil {
			b.Fatal(err)
		}
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), byte(1 + i)}), 24)
		if err := s[i].SetAddress(address, netip.Addr{}); err != nil {
			b.Fatal(err)
		}
	}
	l, err := s[1].ListenTCP(5061)
	if err != nil {
		b.Fatal(err)
	}
	if near, err = s[0].DialTCP(b.Context(), netip.AddrPortFrom(s[1].Address().Addr(), 5061)); err != nil {
		b.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	return near, far
}

func BenchmarkPingPong(b *testing.B) {
	benchBoth(b, func(b *testing.B, near, far net.Conn) {
		go func() {
			message := make([]byte, 64)
			for {
				if _, err := io.ReadFull(far, message); err != nil {
					return
				}
				if _, err := far.Write(message); err != nil {
					return
				}
			}
		}()
		message := make([]byte, 64)
		for b.Loop() {
			if _, err := near.Write(message); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(near, message); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBulk(b *testing.B) {
	benchBoth(b, func(b *testing.B, near, far net.Conn) {
		go io.Copy(io.Discard, far)
		chunk := make([]byte, 64<<10)
		b.SetBytes(int64(len(chunk)))
		for b.Loop() {
			if _, err := near.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMemory reports the heap of two stations without, and with, one TCP connection between them.
func BenchmarkMemory(b *testing.B) {
	const n = 200
	for b.Loop() {
		c := ethernet.NewSegment(ethernet.Options{})
		before := heap()
		for i := range n {
			benchPair(b, c, i)
		}
		b.ReportMetric(float64(heap()-before)/n, "heap-B/pair")
		c.Close()
	}
}
