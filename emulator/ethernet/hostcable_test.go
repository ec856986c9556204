package ethernet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// newComputer is a station on the computer's loopback whose ports the computer picks.
func newComputer(t *testing.T) ethernet.Station {
	t.Helper()
	cable := ethernet.NewHost(ethernet.HostOptions{Listen: loopback, Port: func(string, uint16) uint16 { return 0 }})
	t.Cleanup(func() {
		if err := cable.Close(); err != nil {
			t.Error(err)
		}
	})
	station, err := cable.Join(ethernet.StationConfig{Name: "computer", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	return station
}

func portOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort()
	case *net.UDPAddr:
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

func TestHostTCP(t *testing.T) {
	st := newComputer(t)
	listener, err := st.ListenTCP(443)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := st.DialTCP(t.Context(), portOf(listener.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(accepted, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if err := accepted.(ethernet.Resetter).Reset(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(got); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after a reset: %v", err)
	}
}

// TestHostSilence: nobody answers on a connection to a silenced port; one made after the silence is served.
// A station that listens again has the port that the computer picked for it before: its peers know that one.
func TestHostKeepsThePort(t *testing.T) {
	st := newComputer(t)
	listen := map[string]func() (io.Closer, net.Addr, error){
		"tcp 443":  func() (io.Closer, net.Addr, error) { l, err := st.ListenTCP(443); return l, l.Addr(), err },
		"tcp 5061": func() (io.Closer, net.Addr, error) { l, err := st.ListenTCP(5061); return l, l.Addr(), err },
		"udp 53":   func() (io.Closer, net.Addr, error) { c, err := st.ListenUDP(53); return c, c.LocalAddr(), err },
		"raw 67": func() (io.Closer, net.Addr, error) {
			u, err := st.RawUDP(67)
			return u, u.(interface{ LocalAddr() net.Addr }).LocalAddr(), err
		},
	}
	had := map[string]netip.AddrPort{}
	for range 3 {
		for name, open := range listen {
			socket, at, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if before, again := had[name]; again && portOf(at) != before {
				t.Errorf("%s: %v, before %v", name, at, before)
			}
			had[name] = portOf(at)
			if err := socket.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if had["tcp 443"] == had["tcp 5061"] {
		t.Errorf("two ports are one: %v", had)
	}
}

func TestHostSilence(t *testing.T) {
	st := newComputer(t)
	listener, err := st.ListenTCP(443)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	st.Silence(443, true)
	silent, err := st.DialTCP(t.Context(), portOf(listener.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if err := silent.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("on a silenced port: %v", err)
	}
	select {
	case conn := <-accepted:
		t.Errorf("served %v", conn.RemoteAddr())
	default:
	}
	st.Silence(443, false)
	conn, err := st.DialTCP(t.Context(), portOf(listener.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	served := <-accepted
	defer served.Close()
	if served.RemoteAddr().String() != conn.LocalAddr().String() {
		t.Errorf("served %v instead of %v", served.RemoteAddr(), conn.LocalAddr())
	}
	listener.Close()
	for range accepted {
	}
}

func TestHostRawUDP(t *testing.T) {
	st := newComputer(t)
	udp, err := st.RawUDP(68)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := udp.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing was sent: %v", err)
	}
	server, err := st.ListenUDP(67)
	if err != nil {
		t.Fatal(err)
	}
	if err := udp.Send(ethernet.Datagram{Dst: portOf(server.LocalAddr()), Payload: []byte("INFORM")}); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	n, from, err := server.ReadFrom(buffer)
	if err != nil || string(buffer[:n]) != "INFORM" {
		t.Fatalf("%q, %v", buffer[:n], err)
	}
	if _, err := server.WriteTo([]byte("ACK"), from); err != nil {
		t.Fatal(err)
	}
	d, err := udp.Receive(t.Context())
	if err != nil || string(d.Payload) != "ACK" || d.Src != portOf(server.LocalAddr()) {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestHostHasNoFrames: what needs frames says so, what the computer has done already is done.
func TestHostHasNoFrames(t *testing.T) {
	st := newComputer(t)
	if _, err := st.Frames(0x88cc); !errors.Is(err, ethernet.ErrNoFrames) {
		t.Error(err)
	}
	if err := st.SendFrame(make([]byte, 60)); !errors.Is(err, ethernet.ErrNoFrames) {
		t.Error(err)
	}
	if err := st.Probe(t.Context(), loopback, time.Hour); err != nil {
		t.Error(err)
	}
	if !st.Carrier() || st.Address().Addr() != loopback {
		t.Errorf("carrier %v, address %v", st.Carrier(), st.Address())
	}
}

// TestHostClose unblocks whoever waits.
func TestHostClose(t *testing.T) {
	st := newComputer(t)
	listener, err := st.ListenTCP(443)
	if err != nil {
		t.Fatal(err)
	}
	udp, err := st.RawUDP(68)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	go func() { _, err := listener.Accept(); ended <- err }()
	go func() { _, err := udp.Receive(context.Background()); ended <- err }()
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	if _, err := st.ListenTCP(443); !errors.Is(err, net.ErrClosed) {
		t.Errorf("listening on a closed station: %v", err)
	}
}
