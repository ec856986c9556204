//go:build peers

package outside

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// bridge joins eth0 of the namespace.
func bridge(t *testing.T, n *namespace, o ethernet.Options) *ethernet.Bridge {
	t.Helper()
	return bridgeWithout(t, n, nil, o)
}

// bridgeWithout joins eth0 without some capabilities.
func bridgeWithout(t *testing.T, n *namespace, capabilities []uint, o ethernet.Options) *ethernet.Bridge {
	t.Helper()
	var b *ethernet.Bridge
	n.do(func() {
		withdraw(t, capabilities)
		var err error
		if b, err = ethernet.NewBridge("eth0", o); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// withdraw takes capabilities from the thread, which must not be used afterwards.
func withdraw(t *testing.T, capabilities []uint) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	for _, c := range capabilities {
		data[c/32].Effective &^= 1 << (c % 32)
		data[c/32].Permitted &^= 1 << (c % 32)
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
}

// onBridge joins the station 02:00:00:00:00:N.
func onBridge(t *testing.T, b *ethernet.Bridge, n byte, address string) ethernet.Station {
	t.Helper()
	st, err := b.Join(ethernet.StationConfig{Name: "handset", MAC: net.HardwareAddr{2, 0, 0, 0, 0, n}})
	if err != nil {
		t.Fatal(err)
	}
	if address != "" {
		if err := st.SetAddress(netip.MustParsePrefix(address), netip.Addr{}); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	t.Cleanup(cancel)
	return ctx
}

func octets(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// offloaded gives both ends of a wire back what [namespace.connect] switched off.
func offloaded(ends ...*namespace) {
	for _, n := range ends {
		n.run("ethtool", "-K", "eth0", "tx", "on", "tso", "on", "gso", "on", "gro", "on")
	}
}

var promiscuous = regexp.MustCompile(`promiscuity (\d+)`)

func promiscuity(n *namespace) string {
	n.t.Helper()
	found := promiscuous.FindStringSubmatch(n.ip("-details", "link", "show", "eth0"))
	if found == nil {
		n.t.Fatal("ip does not tell the promiscuity")
	}
	return found[1]
}

// frameLog keeps what passed a tap.
type frameLog struct {
	mu      sync.Mutex
	frames  []ethernet.TappedFrame
	changed chan struct{}
}

func (l *frameLog) add(f ethernet.TappedFrame) {
	f.Frame = bytes.Clone(f.Frame)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames = append(l.frames, f)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *frameLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames = nil
}

// given returns the frames that the port was given.
func (l *frameLog) given(port string) (frames [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.frames {
		if f.Station == port && f.Direction == ethernet.Sent {
			frames = append(frames, f.Frame)
		}
	}
	return frames
}

// wait waits for a frame that the port was given and that begins so.
func (l *frameLog) wait(t *testing.T, port, beginning string) {
	t.Helper()
	late, want := soon(t), octets(t, beginning)
	for {
		l.mu.Lock()
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if slices.ContainsFunc(l.given(port), func(f []byte) bool { return bytes.HasPrefix(f, want) }) {
			return
		}
		select {
		case <-changed:
		case <-late.Done():
			t.Fatalf("%s was not given %s", port, beginning)
		}
	}
}

// raw is a packet socket on eth0 of a namespace.
type raw struct {
	t  *testing.T
	fd int
}

func rawSocket(t *testing.T, n *namespace) *raw {
	t.Helper()
	r := &raw{t: t}
	n.do(func() {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		everything := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
		if r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(everything)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(r.fd) })
		if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: link.Index}); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

func (r *raw) send(frame string) {
	r.t.Helper()
	b := octets(r.t, frame)
	b = append(b, make([]byte, max(0, 60-len(b)))...)
	if _, err := unix.Write(r.fd, b); err != nil {
		r.t.Fatal(err)
	}
}

// receive waits for a frame that begins so, its tag put back where it was, and passes over what the socket's own end sent.
func (r *raw) receive(beginning string) {
	r.t.Helper()
	want := octets(r.t, beginning)
	late := soon(r.t)
	for b, control := make([]byte, 1<<17), make([]byte, 256); ; {
		if err := unix.SetsockoptTimeval(r.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
			r.t.Fatal(err)
		}
		n, controls, _, _, err := unix.Recvmsg(r.fd, b, control, 0)
		if late.Err() != nil {
			r.t.Fatalf("no frame began with %x", want)
		}
		if err != nil { // nothing yet, or the link is down
			continue
		}
		frame := withTag(r.t, b[:n], control[:controls])
		if bytes.HasPrefix(frame, want) {
			return
		}
	}
}

// withTag puts the tag back that struct tpacket_auxdata tells (packet(7)).
func withTag(t *testing.T, frame, controls []byte) []byte {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(controls)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && m.Data[0]&unix.TP_STATUS_VLAN_VALID != 0 {
			tag := binary.BigEndian.AppendUint16(nil, binary.NativeEndian.Uint16(m.Data[18:]))
			tag = binary.BigEndian.AppendUint16(tag, binary.NativeEndian.Uint16(m.Data[16:]))
			return append(append(bytes.Clone(frame[:12]), tag...), frame[12:]...)
		}
	}
	return frame
}

// webServer serves HTTP on the kernel's TCP in a namespace.
type webServer struct {
	t       *testing.T
	address string
	mu      sync.Mutex
	conns   []*net.TCPConn
}

func listenIn(t *testing.T, n *namespace, h http.Handler) *webServer {
	t.Helper()
	s := &webServer{t: t}
	var l net.Listener
	n.do(func() {
		var err error
		if l, err = net.Listen("tcp4", "10.77.0.1:0"); err != nil {
			t.Fatal(err)
		}
	})
	s.address = l.Addr().String()
	server := &http.Server{Handler: h, ConnState: func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.conns = append(s.conns, c.(*net.TCPConn))
		}
	}}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return s
}

// retransmissions asks the kernel about the connections, which must be open still.
func (s *webServer) retransmissions() (sent, again uint32) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		raw, err := c.SyscallConn()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				s.t.Error(err)
				return
			}
			sent, again = sent+info.Data_segs_out, again+info.Total_retrans
		}); err != nil {
			s.t.Fatal(err)
		}
	}
	return sent, again
}

// fetch sends a request from the station and returns the body of the answer. The connection stays open.
func fetch(t *testing.T, st ethernet.Station, s *webServer, body io.Reader) []byte {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		return st.DialTCP(ctx, netip.MustParseAddrPort(address))
	}}
	t.Cleanup(transport.CloseIdleConnections)
	request, err := http.NewRequestWithContext(soon(t), http.MethodPost, "http://"+s.address+"/", body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
