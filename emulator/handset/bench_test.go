package handset

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var handsetMAC = net.HardwareAddr{0x00, 0x04, 0xf2, 0x01, 0x02, 0x03}

// bench is a handset on a cable in virtual time, with the stations of a test: odd and hostile ones, whose bytes are
// written in the test and made by no code of this project.
type bench struct {
	*testing.T
	cable *ethernet.Pipe
	h     *Handset
	macs  byte
	port  ethernet.Station // the switch

	mu   sync.Mutex
	seen []timeline.Observation
}

// onBench runs a test with a handset that is in the given state.
func onBench(t *testing.T, state devicestate.State, test func(b *bench)) {
	t.Helper()
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC))) // the bubble begins in 2000
		b := &bench{T: t, cable: ethernet.NewPipe(ethernet.Options{})}
		line := timeline.New("handset")
		line.Observe(func(o timeline.Observation) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.seen = append(b.seen, o)
		})
		station, err := b.cable.Join(ethernet.StationConfig{Name: "handset", MAC: handsetMAC})
		if err != nil {
			t.Fatal(err)
		}
		if b.h, err = New(profile, station, WithTimeline(line)); err != nil {
			t.Fatal(err)
		}
		b.h.machine.State = state
		b.h.clockOffset = time.Until(profile.ColdDate)
		b.h.ram = memory{visited: map[devicestate.State]bool{}}
		defer func() {
			b.h.closeConnections()
			if err := b.cable.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(b)
	})
}

// addressed gives the handset 10.0.0.9 and a lease with these name servers.
func (b *bench) addressed(dns ...string) {
	b.Helper()
	address := netip.MustParsePrefix("10.0.0.9/24")
	if err := b.h.station.SetAddress(address, netip.Addr{}); err != nil {
		b.Fatal(err)
	}
	b.h.ram.lease = &lease{address: address, server: netip.MustParseAddr("10.0.0.1"), domain: "contoso.com"}
	for _, server := range dns {
		b.h.ram.lease.dns = append(b.h.ram.lease.dns, netip.MustParseAddr(server))
	}
}

// station plugs in a station, with an address if that is not "".
func (b *bench) station(address string) ethernet.Station {
	b.Helper()
	b.macs++
	s, err := b.cable.Join(ethernet.StationConfig{Name: fmt.Sprint("station ", b.macs), MAC: net.HardwareAddr{2, 0, 0, 0, 0, b.macs}})
	if err != nil {
		b.Fatal(err)
	}
	if address != "" {
		if err := s.SetAddress(netip.MustParsePrefix(address+"/24"), netip.Addr{}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// question is a DHCP message of the handset.
type question struct {
	at   time.Time
	to   netip.Addr
	kind byte // value of option 53
	xid  []byte
	data []byte
}

// has reports whether an option stands in the message, given as hexadecimal digits.
func (q question) has(option string) bool {
	return strings.Contains(hex.EncodeToString(q.data[240:]), strings.ReplaceAll(option, " ", ""))
}

const (
	discover = 1
	offer    = 2
	request  = 3
	decline  = 4
	ack      = 5
	nak      = 6
	release  = 7
	inform   = 8
)

// dhcp plugs in a DHCP server; answer says what it sends for each message, which may be nothing.
func (b *bench) dhcp(server string, answer func(q question) [][]byte) {
	b.Helper()
	udp, err := b.station("").RawUDP(67)
	if err != nil {
		b.Fatal(err)
	}
	from := netip.AddrPortFrom(netip.MustParseAddr(server), 67)
	to := netip.MustParseAddrPort("255.255.255.255:68")
	go func() {
		for {
			d, err := udp.Receive(b.Context())
			if err != nil {
				return
			}
			p := d.Payload
			for _, payload := range answer(question{time.Now(), d.Dst.Addr(), p[242], p[4:8], p}) { // 53 is the first option
				if err := udp.Send(ethernet.Datagram{Src: from, Dst: to, Payload: payload}); err != nil {
					b.Error(err)
				}
			}
		}
	}()
}

// reply is an answer of a DHCP server, laid out by hand (RFC 2131 §2). The options are hexadecimal digits, without the
// end, which raw leaves away.
type reply struct {
	op          byte // 0 means 2
	xid, mac    []byte
	yiaddr      string
	options     string
	sname, file string // hexadecimal
	raw         bool
}

func (r reply) bytes() []byte {
	b := make([]byte, 240)
	b[0], b[1], b[2] = 2, 1, 6
	if r.op != 0 {
		b[0] = r.op
	}
	copy(b[4:], r.xid)
	if r.yiaddr != "" {
		copy(b[16:], netip.MustParseAddr(r.yiaddr).AsSlice())
	}
	copy(b[28:], handsetMAC)
	if r.mac != nil {
		copy(b[28:], r.mac)
	}
	copy(b[44:], unhex(r.sname))
	copy(b[108:], unhex(r.file))
	copy(b[236:], unhex("63825363"))
	b = append(b, unhex(r.options)...)
	if r.raw {
		return b
	}
	b = append(b, 255)
	return append(b, make([]byte, max(0, 300-len(b)))...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// hexOf writes an address as hexadecimal digits.
func hexOf(address string) string { return hex.EncodeToString(netip.MustParseAddr(address).AsSlice()) }

// internetSum is the Internet checksum of an even number of bytes (RFC 1071).
func internetSum(b ...byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// want fails unless the timeline has an observation of the kind whose text has every part.
func (b *bench) want(kind timeline.Kind, protocol string, parts ...string) {
	b.Helper()
	if b.count(kind, protocol, parts...) == 0 {
		b.Errorf("no %s %s with %q:\n%s", kind, protocol, parts, b.log())
	}
}

func (b *bench) count(kind timeline.Kind, protocol string, parts ...string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
next:
	for _, o := range b.seen {
		for _, part := range parts {
			if !strings.Contains(o.Peer+" "+o.Code+" "+o.Text, part) {
				continue next
			}
		}
		if o.Kind == kind && (protocol == "" || o.Protocol == protocol) {
			n++
		}
	}
	return n
}

func (b *bench) log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var text strings.Builder
	for _, o := range b.seen {
		fmt.Fprintf(&text, "%s %-14s %-10s %-5s %s %s %s\n", o.At.Format("15:04:05.000"), o.State, o.Kind, o.Protocol, o.Peer, o.Code, o.Text)
	}
	return text.String()
}
