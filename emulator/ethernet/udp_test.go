package ethernet_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

func TestDatagrams(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		server, err := pool.ListenUDP(53)
		if err != nil {
			w.Fatal(err)
		}
		defer server.Close()
		_, err = pool.ListenUDP(53)
		w.want(err, syscall.EADDRINUSE)
		client, err := handset.DialUDP(at("10.0.0.2:53"))
		if err != nil {
			w.Fatal(err)
		}
		defer client.Close()

		for _, size := range []int{0, 1, 64, 1472} {
			echo(w, client, server, size)
		}
		echo(w, client, server, 8000)

		if err := client.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			w.Fatal(err)
		}
		_, err = client.Read(make([]byte, 1))
		w.want(err, os.ErrDeadlineExceeded)
		if err := client.Close(); err != nil {
			w.Fatal(err)
		}
		_, err = client.Read(make([]byte, 1))
		w.want(err, net.ErrClosed)
		_, err = client.Write([]byte("x"))
		w.want(err, net.ErrClosed)
		if client.RemoteAddr().String() != "10.0.0.2:53" {
			w.Errorf("remote address %v", client.RemoteAddr())
		}
	})
}

func echo(w *world, client net.Conn, server net.PacketConn, size int) {
	w.Helper()
	question := bytes.Repeat([]byte{'q'}, size)
	if _, err := client.Write(question); err != nil {
		w.Fatal(err)
	}
	b := make([]byte, 1<<16)
	n, from, err := server.ReadFrom(b)
	if err != nil || !bytes.Equal(b[:n], question) {
		w.Fatalf("%d bytes of %d arrived, %v", n, size, err)
	}
	if from.String() != client.LocalAddr().String() {
		w.Fatalf("from %v, want %v", from, client.LocalAddr())
	}
	if _, err := server.WriteTo(append(b[:n:n], 'a'), from); err != nil {
		w.Fatal(err)
	}
	if n, err = client.Read(b); err != nil || n != size+1 {
		w.Fatalf("%d bytes came back, %v, want %d", n, err, size+1)
	}
}

func TestDatagramRefused(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, _ := w.pair()
		client, err := handset.DialUDP(at("10.0.0.2:53"))
		if err != nil {
			w.Fatal(err)
		}
		defer client.Close()
		if _, err := client.Write([]byte("anybody?")); err != nil {
			w.Fatal(err)
		}
		_, err = client.Read(make([]byte, 1))
		w.want(err, syscall.ECONNREFUSED)
	})
}

func TestDatagramToOwnAddress(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		pool := w.station("pool", "10.0.0.2/24", ethernet.Port{})
		server, err := pool.ListenUDP(53)
		if err != nil {
			w.Fatal(err)
		}
		defer server.Close()
		client, err := pool.DialUDP(at("10.0.0.2:53"))
		if err != nil {
			w.Fatal(err)
		}
		defer client.Close()
		echo(w, client, server, 10)
	})
}

func TestDatagramWithoutRoute(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		bare := w.station("bare", "", ethernet.Port{})
		_, err := bare.DialUDP(at("10.0.0.2:53"))
		w.want(err, syscall.ENETUNREACH)
	})
}

// TestRawUDPBeforeThereIsAnAddress is what DHCP does.
func TestRawUDPBeforeThereIsAnAddress(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset := w.station("handset", "", ethernet.Port{})
		server := w.station("server", "10.0.0.2/24", ethernet.Port{})
		client := rawPort(w, handset, 68)
		service := rawPort(w, server, 67)
		_, err := handset.RawUDP(68)
		w.want(err, syscall.EADDRINUSE)

		if err := client.Send(ethernet.Datagram{Src: at("0.0.0.0:68"), Dst: at("255.255.255.255:67"), Payload: []byte("DISCOVER")}); err != nil {
			w.Fatal(err)
		}
		got, err := service.Receive(w.within())
		if err != nil {
			w.Fatal(err)
		}
		if string(got.Payload) != "DISCOVER" || got.SrcMAC.String() != "02:00:00:00:00:01" || got.DstMAC.String() != "ff:ff:ff:ff:ff:ff" ||
			got.Src != at("0.0.0.0:68") || got.Dst != at("255.255.255.255:67") {
			w.Errorf("got %+v", got)
		}

		answer := ethernet.Datagram{DstMAC: handset.MAC(), Src: at("10.0.0.2:67"), Dst: at("10.0.0.50:68"), Payload: []byte("OFFER")}
		if err := service.Send(answer); err != nil {
			w.Fatal(err)
		}
		if got, err = client.Receive(w.within()); err != nil || string(got.Payload) != "OFFER" || got.Dst != at("10.0.0.50:68") {
			w.Fatalf("got %+v, %v", got, err)
		}

		answer.Payload = make([]byte, 1473)
		w.want(service.Send(answer), syscall.EMSGSIZE)
		answer.Payload, answer.DstMAC = nil, net.HardwareAddr{1}
		if err := service.Send(answer); err == nil {
			w.Error("a MAC address of one byte was taken")
		}

		ctx, cancel := context.WithCancel(w.Context())
		cancel()
		_, err = client.Receive(ctx)
		w.want(err, context.Canceled)
		if err := client.Close(); err != nil {
			w.Fatal(err)
		}
		_, err = client.Receive(w.Context())
		w.want(err, net.ErrClosed)
		rawPort(w, handset, 68) // the port is free again
	})
}

func rawPort(w *world, s ethernet.Station, port uint16) ethernet.RawUDP {
	w.Helper()
	raw, err := s.RawUDP(port)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { raw.Close() })
	return raw
}

// TestRawUDPChecks sends damaged copies of one good frame and then the good one, which alone must arrive.
func TestRawUDPChecks(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset := w.station("handset", "", ethernet.Port{})
		server := w.station("server", "", ethernet.Port{})
		client, service := rawPort(w, handset, 68), rawPort(w, server, 67)
		if err := client.Send(ethernet.Datagram{Src: at("0.0.0.0:68"), Dst: at("255.255.255.255:67"), Payload: []byte("good one")}); err != nil {
			w.Fatal(err)
		}
		if _, err := service.Receive(w.within()); err != nil {
			w.Fatal(err)
		}
		good := w.tap.take(sent(0x0800))[0].Frame
		damage := map[string]func(f []byte){
			"IPv4 checksum":     func(f []byte) { f[24] ^= 1 },
			"UDP checksum":      func(f []byte) { f[40] ^= 1 },
			"payload":           func(f []byte) { f[42] ^= 1 },
			"UDP length":        func(f []byte) { f[39] = 7 },
			"UDP length beyond": func(f []byte) { f[38] = 0xff },
			"total length":      func(f []byte) { f[16] = 0xff },
			"header length":     func(f []byte) { f[14] = 0x41 },
			"version":           func(f []byte) { f[14] = 0x65 },
			"other MAC":         func(f []byte) { copy(f, []byte{2, 9, 9, 9, 9, 9}) },
			"multicast":         func(f []byte) { copy(f, []byte{1, 0, 0x5e, 0, 0, 1}) },
			"other VLAN":        func(f []byte) { copy(f[16:], f[12:]); copy(f[12:], []byte{0x81, 0, 0, 7}) },
		}
		for name, change := range damage {
			f := bytes.Clone(good)
			change(f)
			if err := handset.SendFrame(f); err != nil {
				w.Fatalf("%s: %v", name, err)
			}
		}
		if err := handset.SendFrame(good); err != nil {
			w.Fatal(err)
		}
		got, err := service.Receive(w.within())
		if err != nil || string(got.Payload) != "good one" {
			w.Fatalf("%q, %v", got.Payload, err)
		}
		ctx, cancel := context.WithTimeout(w.Context(), 20*time.Millisecond)
		defer cancel()
		if got, err := service.Receive(ctx); err == nil {
			w.Fatalf("a damaged datagram arrived: %+v", got)
		}
	})
}

func TestRawUDPQueueIsBounded(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset := w.station("handset", "", ethernet.Port{})
		server := w.station("server", "", ethernet.Port{})
		client, service := rawPort(w, handset, 68), rawPort(w, server, 67)
		done, err := server.Frames(0x88b5)
		if err != nil {
			w.Fatal(err)
		}
		const n = 300
		for i := range n {
			b := binary.BigEndian.AppendUint16(nil, uint16(i))
			if err := client.Send(ethernet.Datagram{Src: at("0.0.0.0:68"), Dst: at("255.255.255.255:67"), Payload: b}); err != nil {
				w.Fatal(err)
			}
		}
		last := append(bytes.Repeat([]byte{0xff}, 6), 2, 0, 0, 0, 0, 1, 0x88, 0xb5)
		if err := handset.SendFrame(last); err != nil {
			w.Fatal(err)
		}
		if _, err := done.Receive(w.within()); err != nil {
			w.Fatal(err)
		}
		for i := range 256 {
			got, err := service.Receive(w.within())
			if err != nil || binary.BigEndian.Uint16(got.Payload) != uint16(i) {
				w.Fatalf("datagram %d: %x, %v", i, got.Payload, err)
			}
		}
		if dropped := service.(interface{ Dropped() uint64 }).Dropped(); dropped != n-256 {
			w.Errorf("%d datagrams dropped, want %d", dropped, n-256)
		}
	})
}

func TestHeadersOnTheWire(t *testing.T) {
	onBoth(t, ethernet.Options{}, func(w *world) {
		handset, pool := w.pair()
		handset.SetDSCP(46)
		pool.SetDSCP(24)
		server, err := pool.ListenUDP(53)
		if err != nil {
			w.Fatal(err)
		}
		defer server.Close()
		client, err := handset.DialUDP(at("10.0.0.2:53"))
		if err != nil {
			w.Fatal(err)
		}
		defer client.Close()
		echo(w, client, server, 3)
		if w.name == "segment" {
			near, far := w.connect(handset, pool)
			exchange(w, near, far, "accepted sockets do not inherit")
			exchange(w, far, near, "the type of service")
		}
		for _, f := range w.tap.take(sent(0x0800)) {
			tos := byte(46 << 2)
			if f.Station == "pool" {
				tos = 24 << 2
			}
			if f.Frame[15] != tos || f.Frame[22] != 128 {
				w.Errorf("%s: type of service %#02x, time to live %d, want %#02x and 128", f.Station, f.Frame[15], f.Frame[22], tos)
			}
			if len(f.Frame) < 60 {
				w.Errorf("frame of %d bytes", len(f.Frame))
			}
			if sum := headerSum(f.Frame[14:34]); sum != 0xffff {
				w.Errorf("IPv4 header sums to %#04x", sum)
			}
		}
	})
}

func headerSum(b []byte) (sum uint32) {
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	return sum>>16 + sum&0xffff
}
