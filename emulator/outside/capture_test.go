//go:build outside

package outside

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/trace"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// TestCaptureIsCleanInTshark lets two stations speak LLDP, ARP, UDP, TCP and TLS and has tshark read the capture.
func TestCaptureIsCleanInTshark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boot.pcapng")
	w, err := trace.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w.Describe("handset", "handset polycom-cx600-4.0.7577.4463")
	segment := ethernet.NewSegment(ethernet.Options{Tap: w.WriteFrame})
	handset := join(t, segment, "handset", 1, ethernet.Port{Voice: 200})
	pool := join(t, segment, "pool", 2, ethernet.Port{Access: 200})

	speakLLDP(t, handset)
	handset.SetTag(ethernet.Tag{VLAN: 200, Priority: 5})
	handset.SetDSCP(46)
	if err := handset.Probe(t.Context(), netip.MustParseAddr("10.0.0.1"), 0); err != nil {
		t.Fatal(err)
	}
	setAddress(t, handset, "10.0.0.1/24")
	setAddress(t, pool, "10.0.0.2/24")
	askName(t, handset, pool)
	askTLS(t, handset, pool, secretsWriter{w})
	if err := segment.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want mode 0600", info, err)
	}

	if bad := tshark(t, file, "-Y", "_ws.malformed || _ws.expert.severity >= 6291456"); bad != "" { // warning and error
		t.Errorf("tshark finds fault with:\n%s", bad)
	}
	protocols := tshark(t, file, "-T", "fields", "-e", "frame.protocols")
	for _, p := range []string{"lldp", "vlan:ethertype:arp", "udp:dns", "tcp", "tls"} {
		if !strings.Contains(protocols, p) {
			t.Errorf("no %s in the capture:\n%s", p, protocols)
		}
	}
	names := strings.Fields(tshark(t, file, "-T", "fields", "-e", "frame.interface_name"))
	slices.Sort(names)
	if got := slices.Compact(names); !slices.Equal(got, []string{"handset", "pool"}) {
		t.Errorf("interfaces %v", got)
	}
	if got := tshark(t, file, "-Y", "lldp", "-T", "fields", "-e", "frame.interface_description"); !strings.Contains(got, "handset polycom-cx600-4.0.7577.4463") {
		t.Errorf("interface described as %q", got)
	}
	checksums := []string{"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"}
	if bad := tshark(t, file, append(checksums, "-Y", "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0")...); bad != "" {
		t.Errorf("wrong checksums:\n%s", bad)
	}
	clear := tshark(t, file, "-d", "tcp.port==5061,tls", "-Y", "sip", "-T", "fields", "-e", "sip.Method")
	if !strings.Contains(clear, "REGISTER") {
		t.Errorf("the REGISTER is not in clear: %q", clear)
	}
}

func join(t *testing.T, c ethernet.Cable, name string, n byte, port ethernet.Port) ethernet.Station {
	t.Helper()
	s, err := c.Join(ethernet.StationConfig{Name: name, MAC: net.HardwareAddr{2, 0, 0, 0, 0, n}, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func setAddress(t *testing.T, s ethernet.Station, address string) {
	t.Helper()
	if err := s.SetAddress(netip.MustParsePrefix(address), netip.Addr{}); err != nil {
		t.Fatal(err)
	}
}

func speakLLDP(t *testing.T, s ethernet.Station) {
	t.Helper()
	frame := slices.Concat(lldp.Multicast, s.MAC(), []byte{0x88, 0xcc})
	frame, err := lldp.Endpoint{
		MAC: s.MAC(), SystemName: "LPE-000001", Manufacturer: "Polycom", Model: "CX600", Firmware: "4.0.7577.4463", Serial: "020000000001",
		TTL: 120, ChassisSubtype: 4,
	}.PDU().Append(frame)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SendFrame(frame); err != nil {
		t.Fatal(err)
	}
}

// askName sends one DNS question and its answer.
func askName(t *testing.T, handset, pool ethernet.Station) {
	t.Helper()
	server, err := pool.ListenUDP(53)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := handset.DialUDP(netip.MustParseAddrPort("10.0.0.2:53"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	name := dnsmessage.MustNewName("atl-cs-001.litwareinc.com.")
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	send := func(write func([]byte) (int, error)) {
		t.Helper()
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(client.Write)
	_, from, err := server.ReadFrom(make([]byte, 512))
	if err != nil {
		t.Fatal(err)
	}
	m.Response = true
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 60},
		Body:   &dnsmessage.AResource{A: [4]byte{10, 0, 0, 2}},
	}}
	send(func(b []byte) (int, error) { return server.WriteTo(b, from) })
	if _, err := client.Read(make([]byte, 512)); err != nil {
		t.Fatal(err)
	}
}

const register = "REGISTER sip:litwareinc.com SIP/2.0\r\n" +
	"Via: SIP/2.0/TLS 10.0.0.1:49152\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: <sip:kenmyer@litwareinc.com>;tag=1;epid=0102030405\r\n" +
	"To: <sip:kenmyer@litwareinc.com>\r\n" +
	"Call-ID: 1\r\n" +
	"CSeq: 1 REGISTER\r\n" +
	"Content-Length: 0\r\n\r\n"

// askTLS sends a REGISTER over TLS 1.2 to port 5061 and ends in order.
func askTLS(t *testing.T, handset, pool ethernet.Station, keyLog io.Writer) {
	t.Helper()
	l, err := pool.ListenTCP(5061)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() { served <- serveTLS(l, certificate(t)) }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := handset.DialTCP(ctx, netip.MustParseAddrPort("10.0.0.2:5061"))
	if err != nil {
		t.Fatal(err)
	}
	client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, KeyLogWriter: keyLog})
	if _, err := io.WriteString(client, register); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(client); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}

func serveTLS(l net.Listener, c tls.Certificate) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{c}})
	if _, err := io.ReadFull(server, make([]byte, len(register))); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if _, err := io.WriteString(server, strings.Replace(register, "REGISTER sip:litwareinc.com SIP/2.0", "SIP/2.0 200 OK", 1)); err != nil {
		return err
	}
	if err := server.CloseWrite(); err != nil {
		return err
	}
	if _, err := io.ReadAll(server); err != nil {
		return err
	}
	return server.Close()
}
