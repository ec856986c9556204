package nameserver

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// onStream starts a server whose name big.contoso.com has 60 addresses, and hands over how to reach it, in virtual time.
func onStream(t *testing.T, test func(t *testing.T, handset ethernet.Station, to netip.AddrPort)) {
	synctest.Test(t, func(t *testing.T) {
		cable := ethernet.NewPipe(ethernet.Options{})
		defer cable.Close()
		var stations []ethernet.Station
		for i, name := range []string{"server", "handset"} {
			station, err := cable.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)}})
			if err != nil {
				t.Fatal(err)
			}
			if err := station.SetAddress(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}), 24), netip.Addr{}); err != nil {
				t.Fatal(err)
			}
			stations = append(stations, station)
		}
		cfg := config()
		cfg.Station = stations[0]
		for i := range 60 {
			cfg.Hosts["big.contoso.com"] = append(cfg.Hosts["big.contoso.com"], netip.AddrFrom4([4]byte{10, 78, 0, byte(i)}))
		}
		s, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test(t, stations[1], netip.MustParseAddrPort("10.77.0.1:53"))
	})
}

func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func TestTruncatedOverUDPWholeOverTCP(t *testing.T) {
	onStream(t, func(t *testing.T, handset ethernet.Station, to netip.AddrPort) {
		query := ask(dnsmessage.TypeA, "big.contoso.com.")
		datagrams, err := handset.DialUDP(to)
		if err != nil {
			t.Fatal(err)
		}
		defer datagrams.Close()
		if _, err := datagrams.Write(query); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, plainSize)
		n, err := datagrams.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(t, b[:n]); got != "NOERROR aa tc | |" {
			t.Errorf("over UDP: %s", got)
		}
		conn, err := handset.DialTCP(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(append(framed(query), framed(query)...)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			size := make([]byte, 2)
			if _, err := io.ReadFull(conn, size); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, binary.BigEndian.Uint16(size))
			if _, err := io.ReadFull(conn, answer); err != nil {
				t.Fatal(err)
			}
			if got := summary(t, answer); strings.Count(got, "10.78.0.") != 60 || strings.Contains(got, "tc") {
				t.Errorf("over TCP: %s", got)
			}
		}
		began := time.Now()
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(began) != streamIdle {
			t.Errorf("the idle connection ended after %v with %v", time.Since(began), err)
		}
	})
}

func TestStreamsThatEnd(t *testing.T) {
	for name, sent := range map[string][]byte{
		"half a length":         {0},
		"half a query":          framed(make([]byte, 40))[:20],
		"a query of 4097 bytes": framed(make([]byte, maxQuery+1)),
		"nothing":               nil,
	} {
		t.Run(name, func(t *testing.T) {
			onStream(t, func(t *testing.T, handset ethernet.Station, to netip.AddrPort) {
				conn, err := handset.DialTCP(t.Context(), to)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := conn.Write(sent); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				answer, err := io.ReadAll(conn)
				if len(answer) > 0 || time.Since(began) > streamIdle {
					t.Errorf("%x, %v after %v", answer, err, time.Since(began))
				}
			})
		})
	}
}

// TestSilentStreamsMakeRoom: one too many takes the place of the one that has been silent for the longest.
func TestSilentStreamsMakeRoom(t *testing.T) {
	onStream(t, func(t *testing.T, handset ethernet.Station, to netip.AddrPort) {
		var all []net.Conn
		come := func() {
			conn, err := handset.DialTCP(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			all = append(all, conn)
			synctest.Wait()
		}
		for range maxStreams {
			come()
		}
		if err := asks(all[0]); err != nil {
			t.Fatal(err)
		}
		come()
		for n, conn := range all {
			if err := asks(conn); (err == nil) != (n != 1) {
				t.Errorf("connection %d of %d: %v", n+1, len(all), err)
			}
		}
	})
}

// asks sends a query and takes its answer.
func asks(conn net.Conn) error {
	if _, err := conn.Write(framed(ask(dnsmessage.TypeA, "web.contoso.com."))); err != nil {
		return err
	}
	size := make([]byte, 2)
	if _, err := io.ReadFull(conn, size); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, binary.BigEndian.Uint16(size)))
	return err
}

// FuzzStream is anything that comes over TCP: what comes back is whole answers to whole queries, in their order, and the
// server goes on answering.
func FuzzStream(f *testing.F) {
	f.Add(framed(ask(dnsmessage.TypeA, "web.contoso.com.")))
	f.Add(append(framed(ask(dnsmessage.TypeSRV, "_sipinternaltls._tcp.contoso.com.")), framed(ask(dnsmessage.TypeA, "big.contoso.com."))...))
	f.Add([]byte{0, 0, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, sent []byte) {
		onStream(t, func(t *testing.T, handset ethernet.Station, to netip.AddrPort) {
			conn, err := handset.DialTCP(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go conn.Write(sent) // fails if the server closes before
			answers, err := io.ReadAll(conn)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
			for rest := sent; len(answers) > 0; {
				answer, left, ok := unframed(answers)
				if !ok {
					t.Fatalf("half an answer: %x", answers)
				}
				var m dnsmessage.Message
				if err := m.Unpack(answer); err != nil || !m.Response {
					t.Fatalf("answer %x: %v", answer, err)
				}
				for asked := []byte(nil); ; { // one without an answer may be before it
					if asked, rest, ok = unframed(rest); !ok {
						t.Fatalf("answer %x to nothing in %x", answer, sent)
					}
					if len(asked) >= headerSize && binary.BigEndian.Uint16(asked) == m.ID {
						break
					}
				}
				answers = left
			}
			again, err := handset.DialTCP(t.Context(), to)
			if err == nil {
				defer again.Close()
				err = asks(again)
			}
			if err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	})
}

// unframed cuts the first message off.
func unframed(b []byte) (message, rest []byte, ok bool) {
	if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
		return nil, nil, false
	}
	end := 2 + int(binary.BigEndian.Uint16(b))
	return b[2:end], b[end:], true
}
