//go:build peers

package outside

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/emulator/trace"
)

// TestEqualOnWireAndSegment boots the same handset with the same numbers drawn against the same lab, once on a Segment
// and once with a real wire between them, a Bridge at either end: it says the same, byte for byte.
func TestEqualOnWireAndSegment(t *testing.T) {
	for _, test := range []struct{ name, lab, policy string }{
		{"native VLAN", "litware", "untagged"}, {"voice VLAN by LLDP", "contoso", "tagged"}, {"voice VLAN by DHCP", "contoso", "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lab, err := configs.LoadLab(test.lab)
			if err != nil {
				t.Fatal(err)
			}
			lab.Network.LLDPPolicy = test.policy
			onSegment := newTwin(t, lab)
			segment := ethernet.NewSegment(ethernet.Options{Tap: onSegment.tap})
			onSegment.boot(segment, segment)

			onWire := newTwin(t, lab)
			client, server := newWire(t)
			near, far := bridge(t, client, ethernet.Options{Tap: onWire.tap}), bridge(t, server, ethernet.Options{})
			onWire.boot(near, labOnWire{far})

			for _, protocol := range []string{"lldp", "arp", "dhcp", "dns", "ntp"} {
				want, got := onSegment.said(protocol), onWire.said(protocol)
				if len(want) == 0 {
					t.Errorf("%s: nothing was said", protocol)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-on the Segment +on the wire):\n%s", protocol, diff)
				}
			}
			wantSameTexts(t, onSegment.path, onWire.path)
		})
	}
}

// labOnWire is a Bridge for a lab: its stations are in the VLANs that the lab wants, and its switch is one of them.
type labOnWire struct{ *ethernet.Bridge }

func (l labOnWire) Join(c ethernet.StationConfig) (ethernet.Station, error) {
	st, err := l.Bridge.Join(c)
	if err == nil && c.Port.Access != 0 {
		st.SetTag(ethernet.Tag{VLAN: c.Port.Access})
	}
	return st, err
}

func (l labOnWire) JoinSwitch(c ethernet.StationConfig) (ethernet.Station, error) {
	return l.Bridge.Join(c)
}

func (l labOnWire) SetCarrier(string, bool) {}

// twin is one of two handsets that are the same.
type twin struct {
	t       *testing.T
	lab     *configs.Lab
	log     frameLog
	capture *trace.Writer
	path    string
}

func newTwin(t *testing.T, lab *configs.Lab) *twin {
	t.Helper()
	w := &twin{t: t, lab: lab, path: filepath.Join(t.TempDir(), "boot.pcapng")}
	var err error
	if w.capture, err = trace.Create(w.path); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *twin) tap(f ethernet.TappedFrame) {
	w.log.add(f)
	w.capture.WriteFrame(f)
}

// boot starts the lab, boots the handset until it is Ready, and ends both.
func (w *twin) boot(cable ethernet.Cable, labs ethernet.Cable) {
	w.t.Helper()
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		w.t.Fatal(err)
	}
	credentials := rig.FirstUser(w.lab, profile)
	pool, err := labpool.Start(labpool.Config{Lab: w.lab, Cable: labs, DialledNumber: credentials.Number, KeyLog: secretsWriter{w.capture}, NewKey: labKeys.source()})
	if err != nil {
		w.t.Fatal(err)
	}
	station, err := cable.Join(ethernet.StationConfig{
		Name: "handset", MAC: net.HardwareAddr{0x00, 0x04, 0xf2, 0x00, 0x00, 0x01}, TTL: profile.IPTTL,
		Port: ethernet.Port{Voice: w.lab.Network.VoiceVLAN},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	line := timeline.New("handset")
	phone, err := handset.New(profile, &portedStation{Station: station}, handset.WithTimeline(line), handset.WithKeyLog(secretsWriter{w.capture}),
		handset.WithNewKey(handsetKeys.source()), handset.WithRandom(&seeded{source: rand.NewChaCha8([32]byte{1})}))
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	out, err := phone.Boot(ctx, credentials)
	if err != nil || out.Machine.State != devicestate.Ready {
		w.t.Errorf("%s: %v, %v", out.Machine.State, out.Failure, err)
	}
	if err := phone.Close(); err != nil {
		w.t.Error(err)
	}
	for _, c := range []io.Closer{station, pool, cable, labs, w.capture} {
		if err := c.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// seeded is a source of what a handset draws.
type seeded struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (s *seeded) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Read(b)
}

// portedStation gives UDP sockets one source port after the other.
type portedStation struct {
	ethernet.Station
	port atomic.Uint32
}

func (s *portedStation) DialUDP(to netip.AddrPort) (net.Conn, error) {
	conn, err := s.ListenUDP(uint16(50000 + s.port.Add(1)))
	if err != nil {
		return nil, err
	}
	return portedConn{conn, net.UDPAddrFromAddrPort(to)}, nil
}

type portedConn struct {
	net.PacketConn
	remote *net.UDPAddr
}

func (c portedConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFrom(b)
	return n, err
}

func (c portedConn) Write(b []byte) (int, error) { return c.WriteTo(b, c.remote) }

func (c portedConn) RemoteAddr() net.Addr { return c.remote }

// said returns what the handset said in a protocol, frames in hexadecimal digits, identification and checksum of IP left
// blank. What is said again at its pace, LLDP and ARP, counts once. Seven of the questions to DNS are asked at once, so
// that chance gives them their IDs and ports: these stand by themselves.
func (w *twin) said(protocol string) []string {
	var out []string
	add := func(b []byte) { out = append(out, hex.EncodeToString(b)) }
	for _, frame := range w.log.given("handset") {
		header := 14
		if binary.BigEndian.Uint16(frame[12:]) == 0x8100 {
			header = 18
		}
		if protocolOf(frame, header) != protocol {
			continue
		}
		if protocol == "lldp" || protocol == "arp" {
			if text := hex.EncodeToString(frame); !slices.Contains(out, text) {
				out = append(out, text)
			}
			continue
		}
		ip := frame[header:]
		clear(ip[4:6])
		clear(ip[10:12])
		if protocol == "dns" {
			add(ip[20:22])
			add(ip[28:30])
			clear(ip[20:22]) // source port
			clear(ip[26:30]) // checksum and ID
		}
		add(frame)
	}
	if protocol == "arp" || protocol == "dns" {
		slices.Sort(out)
	}
	return out
}

// protocolOf names the protocol of a frame whose header is so long, "" for others than the five.
func protocolOf(frame []byte, header int) string {
	switch binary.BigEndian.Uint16(frame[header-2:]) {
	case 0x88cc:
		return "lldp"
	case 0x0806:
		return "arp"
	case 0x0800:
		if ip := frame[header:]; ip[9] == 17 {
			return map[uint16]string{67: "dhcp", 53: "dns", 123: "ntp"}[binary.BigEndian.Uint16(ip[22:])]
		}
	}
	return ""
}
