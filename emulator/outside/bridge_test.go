//go:build peers

package outside

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/trace"
)

// TestBridgeTag looks at a tagged frame from both ends: the handset's is dissected by tshark at the other end of the wire,
// and the other end's is built by hand.
func TestBridgeTag(t *testing.T) {
	client, server := newWire(t)
	var tapped frameLog
	b := bridge(t, client, ethernet.Options{Tap: tapped.add})
	st := onBridge(t, b, 1, "10.77.0.2/24")
	st.SetTag(ethernet.Tag{VLAN: 200, Priority: 5})

	seen := server.start("tshark", "-n", "-l", "-x", "-i", "eth0")
	seen.until("a probe with its tag", func() bool {
		if err := st.Probe(t.Context(), netip.MustParseAddr("10.77.0.9"), 0); err != nil {
			t.Fatal(err)
		}
		text, _ := seen.log.sofar()
		return strings.Contains(text, "0000  ff ff ff ff ff ff 02 00 00 00 00 01 81 00 a0 c8 ")
	})
	if text, _ := seen.log.sofar(); strings.Contains(text, "ff ff ff ff ff ff 02 00 00 00 00 01 08") {
		t.Errorf("a frame without a tag was sent:\n%s", text)
	}

	request := "ffffffffffff" + "0200000000fa" + "810060c8" + "0806" + "0001080006040001" + "0200000000fa" + "0a4d0001" + "000000000000" + "0a4d0002"
	far := rawSocket(t, server)
	far.send(request)
	tapped.wait(t, "eth0", request)
	far.receive("0200000000fa" + "020000000001" + "8100a0c8" + "0806" + "0001080006040002" + "020000000001" + "0a4d0002")

	// Neither another VLAN nor the native one is answered.
	far.send(strings.Replace(request, "810060c8", "810060c9", 1))
	far.send(strings.Replace(request, "810060c8", "", 1))
	far.send(strings.Replace(request, "0a4d0001", "0a4d0003", 1))
	far.receive("0200000000fa" + "020000000001" + "8100a0c8" + "0806" + "0001080006040002" + "020000000001" + "0a4d0002" + "0200000000fa" + "0a4d0003")
}

// TestBridgeLLDP passes link-local group frames in both directions, which no switch forwards.
func TestBridgeLLDP(t *testing.T) {
	client, server := newWire(t)
	b := bridge(t, client, ethernet.Options{})
	st := onBridge(t, b, 1, "")
	heard, err := st.Frames(0x88cc)
	if err != nil {
		t.Fatal(err)
	}
	far := rawSocket(t, server)
	const theirs, ours = "0180c200000e" + "0200000000fa" + "88cc" + "02070402", "0180c200000e" + "020000000001" + "88cc" + "02070402"
	far.send(theirs)
	if f, err := heard.Receive(soon(t)); err != nil || !bytes.HasPrefix(f, octets(t, theirs)) {
		t.Errorf("heard %x, %v", f, err)
	}
	if err := st.SendFrame(octets(t, ours)); err != nil {
		t.Fatal(err)
	}
	far.receive(ours)
}

func TestBridgeLease(t *testing.T) {
	for name, options := range map[string]string{"isc": "authoritative;", "kea": `"valid-lifetime": 600`, "dnsmasq": ""} {
		t.Run(name, func(t *testing.T) {
			client, server := newWire(t)
			offloaded(client, server)
			dhcpServers[name](server, options)
			st := onBridge(t, bridge(t, client, ethernet.Options{}), 1, "")
			raw, err := st.RawUDP(68)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
				t.Helper()
				if err := raw.Send(ethernet.Datagram{
					Src: netip.MustParseAddrPort("0.0.0.0:68"), Dst: netip.MustParseAddrPort("255.255.255.255:67"), Payload: m.ToBytes(),
				}); err != nil {
					t.Fatal(err)
				}
				d, err := raw.Receive(soon(t))
				if err != nil {
					t.Fatal(err)
				}
				answer, err := dhcpv4.FromBytes(d.Payload)
				if err != nil || answer.TransactionID != m.TransactionID {
					t.Fatalf("%v answered by %v, %v", m.MessageType(), answer, err)
				}
				return answer
			}
			discover, err := dhcpv4.NewDiscovery(st.MAC())
			if err != nil {
				t.Fatal(err)
			}
			request, err := dhcpv4.NewRequestFromOffer(ask(discover))
			if err != nil {
				t.Fatal(err)
			}
			ack := ask(request)
			if ack.MessageType() != dhcpv4.MessageTypeAck || ack.ClientHWAddr.String() != "02:00:00:00:00:01" || ack.YourIPAddr.To4()[3] < 100 {
				t.Errorf("leased %s", ack.Summary())
			}
		})
	}
}

// TestBridgeHTTP moves 2 MiB each way between the handset and the kernel's TCP, with what an interface usually leaves to
// its hardware: unfinished checksums, and segments put together up to 64 KiB.
func TestBridgeHTTP(t *testing.T) {
	for name, withdrawn := range map[string][]uint{"root": nil, "CAP_NET_RAW alone": {unix.CAP_NET_ADMIN}} {
		t.Run(name, func(t *testing.T) {
			client, server := newWire(t)
			offloaded(client, server)
			file := filepath.Join(t.TempDir(), "http.pcapng")
			w, err := trace.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			b := bridgeWithout(t, client, withdrawn, ethernet.Options{Tap: w.WriteFrame})
			st := onBridge(t, b, 1, "10.77.0.2/24")
			body := bytes.Repeat([]byte("0123456789abcdef"), 2<<20/16)
			uploaded := make(chan int64, 1)
			l := listenIn(t, server, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				if err == nil {
					_, err = w.Write(body)
				}
				if err != nil {
					t.Error(err)
				}
				uploaded <- n
			}))
			got := fetch(t, st, l, bytes.NewReader(body))
			if !bytes.Equal(got, body) {
				t.Errorf("%d bytes came, or other ones", len(got))
			}
			if n := <-uploaded; n != int64(len(body)) {
				t.Errorf("%d bytes arrived", n)
			}
			c := b.Counters()
			if c.Split == 0 || c.Oversized != 0 || c.Refused != 0 || c.Echoed != 0 {
				t.Errorf("counted %+v", c)
			}
			if name == "root" && c.Overflowed != 0 {
				t.Errorf("counted %+v", c)
			}
			t.Logf("%+v", c)
			sent, again := l.retransmissions()
			t.Logf("the server sent %d segments, %d of them again", sent, again)
			if again > sent/100 {
				t.Errorf("the server sent %d segments, %d of them again", sent, again)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if bad := faults(t, file); bad != "" {
				t.Errorf("tshark finds fault with:\n%.2000s", bad)
			}
			if long := tsharkFields(t, file, "frame.len > 1514", "frame.number"); long != "" {
				t.Errorf("frames longer than the MTU: %.200s", long)
			}
		})
	}
}

// TestBridgeConflict: the kernel answers a probe for its own address, and the handset one for its.
func TestBridgeConflict(t *testing.T) {
	client, server := newWire(t)
	st := onBridge(t, bridge(t, client, ethernet.Options{}), 1, "10.77.0.2/24")
	var mac string
	server.do(func() {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		mac = i.HardwareAddr.String()
	})
	var used *ethernet.AddressInUse
	if err := st.Probe(soon(t), netip.MustParseAddr("10.77.0.1"), readyWithin); !errors.As(err, &used) || used.Holder.String() != mac {
		t.Errorf("got %v, want a conflict with %s", err, mac)
	}
	if err := st.Probe(soon(t), netip.MustParseAddr("10.77.0.3"), 0); err != nil {
		t.Errorf("got %v", err)
	}
	if out := server.run("ip", "neigh", "show"); strings.Contains(out, "10.77.0.3") {
		t.Errorf("the server knows %s", out)
	}
}

// TestBridgeTwice has two bridges on one interface, as two processes have: both reach the wire, neither the other.
func TestBridgeTwice(t *testing.T) {
	client, server := newWire(t)
	offloaded(client, server)
	l := listenIn(t, server, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr)
	}))
	var st [2]ethernet.Station
	for i := range st {
		address := fmt.Sprintf("10.77.0.%d", 2+i)
		st[i] = onBridge(t, bridge(t, client, ethernet.Options{}), byte(1+i), address+"/24")
		if got := fetch(t, st[i], l, nil); !strings.HasPrefix(string(got), address+":") {
			t.Errorf("the server saw %s, want %s", got, address)
		}
	}
	if n := promiscuity(client); n != "2" {
		t.Errorf("promiscuity %s with two bridges", n)
	}
	heard, err := st[1].Frames(0x88b5)
	if err != nil {
		t.Fatal(err)
	}
	far := rawSocket(t, server)
	if err := st[0].SendFrame(octets(t, "ffffffffffff"+"020000000001"+"88b5"+"01")); err != nil {
		t.Fatal(err)
	}
	far.receive("ffffffffffff" + "020000000001" + "88b5" + "01")
	far.send("ffffffffffff" + "0200000000fa" + "88b5" + "02")
	if f, err := heard.Receive(soon(t)); err != nil || f[14] != 2 { // the first broadcast that arrived
		t.Errorf("heard %x, %v", f, err)
	}
}

func TestBridgeJoinsAndLeaves(t *testing.T) {
	client, server := newWire(t)
	if n := promiscuity(client); n != "0" {
		t.Fatalf("promiscuity %s before", n)
	}
	running := goleak.IgnoreCurrent()
	b := bridge(t, client, ethernet.Options{})
	if n := promiscuity(client); n != "1" {
		t.Errorf("promiscuity %s, want 1", n)
	}
	client.ip("address", "add", "10.77.0.7/24", "dev", "eth0")
	client.do(func() {
		for address, want := range map[string]bool{"10.77.0.7": true, "::ffff:10.77.0.7": true, "127.0.0.1": true, "10.77.0.1": false} {
			if got := b.IsLocal(netip.MustParseAddr(address)); got != want {
				t.Errorf("%s is of this computer: %v", address, got)
			}
		}
	})
	// What this computer sends is not heard, what others send to others neither.
	st := onBridge(t, b, 1, "10.77.0.2/24")
	heard, err := st.Frames(0x88b5)
	if err != nil {
		t.Fatal(err)
	}
	near, far := rawSocket(t, client), rawSocket(t, server)
	near.send("ffffffffffff" + "0200000000fb" + "88b5" + "01")
	far.receive("ffffffffffff" + "0200000000fb" + "88b5" + "01")
	far.send("020000000009" + "0200000000fa" + "88b5" + "02")
	far.send("020000000001" + "0200000000fa" + "88b5" + "03")
	if f, err := heard.Receive(soon(t)); err != nil || f[14] != 3 {
		t.Errorf("heard %x, %v", f, err)
	}
	if c := b.Counters(); c.Echoed != 0 {
		t.Errorf("counted %+v", c)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if n := promiscuity(client); n != "0" {
		t.Errorf("promiscuity %s after", n)
	}
	goleak.VerifyNone(t, running)
}

// TestBridgeLinkLost takes the link away at either end, and then the interface.
func TestBridgeLinkLost(t *testing.T) {
	client, server := newWire(t)
	b := bridge(t, client, ethernet.Options{})
	st := onBridge(t, b, 1, "10.77.0.2/24")
	far := rawSocket(t, server)
	want := func(kind ethernet.BridgeErrorKind, seen string) {
		t.Helper()
		select {
		case <-st.CarrierChanged():
		case <-soon(t).Done():
			t.Fatalf("no news that the interface %s", seen)
		}
		var e *ethernet.BridgeError
		if st.Carrier() || !errors.As(b.Err(), &e) || e.Kind != kind || e.Seen != seen {
			t.Errorf("carrier %v, %v, want that it %s", st.Carrier(), b.Err(), seen)
		}
	}
	back := func() {
		t.Helper()
		select {
		case <-st.CarrierChanged():
		case <-soon(t).Done():
			t.Fatal("the link is not back")
		}
		if !st.Carrier() || b.Err() != nil {
			t.Errorf("carrier %v, %v", st.Carrier(), b.Err())
		}
		if err := st.Probe(soon(t), netip.MustParseAddr("10.77.0.1"), readyWithin); !errors.As(err, new(*ethernet.AddressInUse)) {
			t.Errorf("the other end does not answer: %v", err)
		}
		far.send("ffffffffffff" + "0200000000fa" + "0806" + "0001080006040001" + "0200000000fa" + "0a4d0001" + "000000000000" + "0a4d0002")
		far.receive("0200000000fa" + "020000000001" + "0806")
	}
	client.ip("link", "set", "eth0", "down")
	want(ethernet.NoCarrier, "is down")
	client.ip("link", "set", "eth0", "up")
	back()
	server.ip("link", "set", "eth0", "down")
	want(ethernet.NoCarrier, "has no link")
	server.ip("link", "set", "eth0", "up")
	far = rawSocket(t, server)
	back()

	client.ip("link", "delete", "eth0")
	want(ethernet.NoInterface, "was removed")
	if err := st.Probe(soon(t), netip.MustParseAddr("10.77.0.9"), 0); err != nil {
		t.Errorf("got %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestBridgeRefuses(t *testing.T) {
	client, server := newWire(t)
	refused := func(iface string, without []uint, want ethernet.BridgeErrorKind, texts ...string) {
		t.Helper()
		client.do(func() {
			withdraw(t, without)
			b, err := ethernet.NewBridge(iface, ethernet.Options{})
			var e *ethernet.BridgeError
			if b != nil || !errors.As(err, &e) || e.Kind != want {
				t.Errorf("%s: %v, want %s", iface, err, want)
				return
			}
			for _, text := range texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
		})
	}
	refused("eth9", nil, ethernet.NoInterface, "eth9 does not exist", "name one of eth0")
	refused("lo", nil, ethernet.NotEthernet, "--host")
	refused("eth0", []uint{unix.CAP_NET_RAW}, ethernet.NoPermission, "CAP_NET_RAW", "--host")
	client.ip("tuntap", "add", "tun0", "mode", "tun")
	refused("tun0", nil, ethernet.NotEthernet, "tunnel")
	client.ip("link", "set", "eth0", "mtu", "1400")
	refused("eth0", nil, ethernet.NotEthernet, "MTU of 1400")
	client.ip("link", "set", "eth0", "mtu", "1500")
	server.ip("link", "set", "eth0", "down")
	refused("eth0", nil, ethernet.NoCarrier, "has no link", "cable")
	client.ip("link", "set", "eth0", "down")
	refused("eth0", nil, ethernet.NoCarrier, "ip link set eth0 up")
	if n := promiscuity(client); n != "0" {
		t.Errorf("promiscuity %s after all", n)
	}
}
