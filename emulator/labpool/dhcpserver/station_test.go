package dhcpserver

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

var (
	serverIP   = netip.MustParseAddr("10.77.0.1")
	handsetMAC = net.HardwareAddr{0x00, 0x04, 0xf2, 1, 2, 3}
	otherMAC   = net.HardwareAddr{0x00, 0x04, 0xf2, 1, 2, 4}
	relayMAC   = net.HardwareAddr{0x02, 0, 0, 0, 0, 9}
)

// wire is a Station with port 67 alone, and the handset at its other end.
type wire struct {
	ethernet.Station
	t         *testing.T
	mu        sync.Mutex // of neighbors
	arrive    chan ethernet.Datagram
	closed    chan struct{}
	sent      []ethernet.Datagram
	neighbors map[netip.Addr]string
	seen      []timeline.Observation
	timeline  *timeline.Timeline
}

func newWire(t *testing.T) *wire {
	w := &wire{
		t: t, arrive: make(chan ethernet.Datagram), closed: make(chan struct{}),
		neighbors: map[netip.Addr]string{}, timeline: timeline.New("pool"),
	}
	w.timeline.Observe(func(o timeline.Observation) { w.seen = append(w.seen, o) })
	return w
}

func (w *wire) RawUDP(uint16) (ethernet.RawUDP, error) { return w, nil }

func (w *wire) AddNeighbor(a netip.Addr, mac net.HardwareAddr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.neighbors[a] = mac.String()
}

func (w *wire) DropNeighbor(a netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.neighbors, a)
}

// held returns the neighbors of the moment.
func (w *wire) held() map[netip.Addr]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.neighbors)
}

func (w *wire) Send(d ethernet.Datagram) error {
	w.sent = append(w.sent, d)
	return nil
}

func (w *wire) Receive(ctx context.Context) (ethernet.Datagram, error) {
	select {
	case d := <-w.arrive:
		return d, nil
	case <-w.closed:
		return ethernet.Datagram{}, ethernet.ErrClosed
	case <-ctx.Done():
		return ethernet.Datagram{}, ctx.Err()
	}
}

func (w *wire) Close() error {
	close(w.closed)
	return nil
}

// reply is an answer as it came back.
type reply struct {
	*dhcpv4.DHCPv4
	order []uint8
	to    netip.AddrPort
	mac   string // destination, "" for a broadcast
}

// ask sends m, options in their order of codes, and returns what came back, nil if nothing did.
func (w *wire) ask(m *dhcpv4.DHCPv4) *reply {
	w.t.Helper()
	payload, err := dhcpoption.Encode(m, []uint8{53})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.raw(payload, m.ClientHWAddr)
}

func (w *wire) raw(payload []byte, mac net.HardwareAddr) *reply {
	w.t.Helper()
	w.sent = nil
	w.arrive <- ethernet.Datagram{SrcMAC: mac, Payload: payload}
	synctest.Wait()
	if len(w.sent) == 0 {
		return nil
	}
	if len(w.sent) > 1 {
		w.t.Fatalf("%d answers to one request", len(w.sent))
	}
	d := w.sent[0]
	m, err := dhcpoption.Parse(d.Payload)
	if err != nil {
		w.t.Fatal(err)
	}
	order, err := dhcpoption.Order(d.Payload)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &reply{m, order, d.Dst, ""}
	if d.DstMAC != nil {
		r.mac = d.DstMAC.String()
	}
	if d.Src.Port() != 67 {
		w.t.Errorf("answer from port %d, want 67", d.Src.Port())
	}
	return r
}

// pass lets virtual time pass.
func (w *wire) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// dropped reports whether the last observation is a drop with text.
func (w *wire) dropped(text string) bool {
	last := w.seen[len(w.seen)-1]
	return last.Kind == timeline.Dropped && strings.Contains(last.Text, text)
}

// message makes a request of the handset.
func message(kind dhcpv4.MessageType, options dhcpv4.Options) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: handsetMAC,
		TransactionID: dhcpv4.TransactionID{1, 2, 3, 4}, Options: dhcpv4.Options{53: {byte(kind)}},
	}
	maps.Copy(m.Options, options)
	return m
}

func from(mac net.HardwareAddr, m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	m.ClientHWAddr = mac
	return m
}

func ciaddr(address string, m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	m.ClientIPAddr = net.ParseIP(address)
	return m
}

func ip(address string) []byte { return net.ParseIP(address).To4() }

var leasePRL = []byte{1, 3, 6, 15, 44, 46, 47, 42, 43}

func discover(class string) *dhcpv4.DHCPv4 {
	return message(dhcpv4.MessageTypeDiscover, dhcpv4.Options{60: []byte(class), 55: leasePRL})
}

func selecting(address string) *dhcpv4.DHCPv4 {
	return message(dhcpv4.MessageTypeRequest, dhcpv4.Options{50: ip(address), 54: serverIP.AsSlice(), 55: leasePRL, 60: []byte("CPE-OCPHONE")})
}

func inform(class string) *dhcpv4.DHCPv4 {
	return ciaddr("10.77.0.100", message(dhcpv4.MessageTypeInform, dhcpv4.Options{60: []byte(class), 55: {120, 43}}))
}

func config() Config {
	uc := dhcpoption.NewUC("lyncpool.contoso.com")
	return Config{
		Server: serverIP, Subnet: netip.MustParsePrefix("10.77.0.0/24"), Gateway: netip.MustParseAddr("10.77.0.254"),
		First: netip.MustParseAddr("10.77.0.100"), Leases: 3, LeaseTime: time.Hour,
		DNS: []netip.Addr{serverIP}, Domain: "contoso.com", Search: []string{"contoso.com", "corp.contoso.com"},
		NTP: []netip.Addr{serverIP}, Inform: true,
		Discovery: Discovery{UC: &uc, SIPServers: []string{"lyncpool.contoso.com"}},
	}
}

// serve runs script against a server in virtual time.
func serve(t *testing.T, cfg Config, script func(w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		cfg.Station, cfg.Timeline = w, w.timeline
		s, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		script(w)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if len(w.neighbors) != 0 {
			t.Errorf("neighbors left after Close: %v", w.neighbors)
		}
		for i, o := range w.seen {
			if o.Protocol != "dhcp" || o.Text == "" {
				t.Errorf("observation %d: %+v", i, o)
			}
		}
	})
}

func respond(t *testing.T, cfg ResponderConfig, script func(w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWire(t)
		cfg.Station, cfg.Timeline, cfg.Server = w, w.timeline, serverIP
		p, err := StartResponder(cfg)
		if err != nil {
			t.Fatal(err)
		}
		script(w)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

func wantOrder(t *testing.T, r *reply, want ...uint8) {
	t.Helper()
	if r == nil {
		t.Fatal("no answer")
	}
	if !slices.Equal(r.order, want) {
		t.Errorf("options %v, want %v", r.order, want)
	}
}
