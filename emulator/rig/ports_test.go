package rig_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestPortsAreThoseOnTheWire holds `lpe ports` to what a handset sends and gets: nothing passes the tap that is not
// listed, and over these boots everything that is listed passes.
func TestPortsAreThoseOnTheWire(t *testing.T) {
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[contact]bool{}
	for _, port := range profile.Ports() {
		for _, stage := range port.Stages {
			listed[contact{port.Protocol, port.Port, port.Direction, stage}] = true
		}
	}
	seen := map[contact]bool{}
	for _, boot := range []struct {
		name, lab string
		prepare   func(*setting)
	}{
		{"litware", "litware", func(*setting) {}},
		{"contoso", "contoso", func(*setting) {}},
		{"litware with an update", "litware", func(s *setting) { s.Faults = []string{"update=image"} }},
		{"contoso with its VLAN by DHCP", "contoso", func(s *setting) { s.Lab.Network.LLDPPolicy = "none" }},
	} {
		t.Run(boot.name, func(t *testing.T) {
			s := newSetting(t, boot.lab, rig.DefaultProfile)
			boot.prepare(s)
			w := &watch{begun: map[flow]bool{}, contacts: map[contact]bool{}}
			s.Cable = ethernet.NewSegment(ethernet.Options{Tap: w.frame})
			s.Observers = append(s.Observers, w.observe)
			s.wantSuccess(s.boot())
			if w.frames == 0 {
				t.Error("no frame passed the tap")
			}
			for c := range w.contacts {
				if !listed[c] {
					t.Errorf("%v is not listed", c)
				}
				seen[c] = true
			}
		})
	}
	for c := range listed {
		if _, explained := unseen[c]; seen[c] == explained {
			t.Errorf("%v is listed: seen %v, explained %v", c, seen[c], explained)
		}
	}
}

// unseen are contacts that the boots of this test do not have.
var unseen = map[contact]string{
	{"tcp", 443, "out", devicestate.StageEnroll}: "the connection of the web ticket goes on, unless the server closes it",
	{"udp", 53, "out", devicestate.StageEnroll}:  "the same",

	{"tcp", 53, "out", devicestate.StageUpdate}:    "the lab's answers fit into a datagram",
	{"tcp", 53, "out", devicestate.StageTime}:      "the same",
	{"tcp", 53, "out", devicestate.StageDiscovery}: "the same",
	{"tcp", 53, "out", devicestate.StageRegister}:  "the same",
	{"tcp", 53, "out", devicestate.StageChain}:     "the same",
	{"tcp", 53, "out", devicestate.StageTicket}:    "the same",
	{"tcp", 53, "out", devicestate.StageEnroll}:    "the same",
}

// contact is one way over which a handset speaks or is spoken to.
type contact struct {
	protocol  string
	port      uint16
	direction string
	stage     devicestate.Stage
}

func (c contact) String() string {
	return fmt.Sprintf("%s %d %s in stage %s", c.protocol, c.port, c.direction, c.stage)
}

type flow struct {
	protocol string
	from, to netip.AddrPort
}

// watch collects the contacts of the handset from the frames at its port.
type watch struct {
	mu       sync.Mutex
	stage    devicestate.Stage
	asked    devicestate.Stage // in which DHCP was last asked: a second answer may come when that is over
	mac      net.HardwareAddr
	frames   int
	begun    map[flow]bool
	contacts map[contact]bool
}

func (w *watch) observe(o timeline.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if stage := o.State.Stage(); stage != "" {
		w.stage = stage
	}
}

func (w *watch) frame(f ethernet.TappedFrame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.Station != "handset" {
		return
	}
	packet, ok := transport(f.Frame)
	if !ok {
		return
	}
	w.frames++
	if f.Direction == ethernet.Sent {
		w.mac = slices.Clone(f.Frame[6:12])
		answer := w.begun[flow{packet.protocol, packet.to, packet.from}]
		if !answer && (packet.protocol == "udp" || !w.begun[packet]) {
			w.begun[packet] = true
			w.contacts[contact{packet.protocol, packet.to.Port(), "out", w.stage}] = true
		}
		if packet.to.Port() == 67 {
			w.asked = w.stage
		}
		return
	}
	mine := bytes.Equal(f.Frame[:6], w.mac) || bytes.Equal(f.Frame[:6], []byte{255, 255, 255, 255, 255, 255})
	if mine && !w.begun[flow{packet.protocol, packet.to, packet.from}] {
		w.contacts[contact{packet.protocol, packet.to.Port(), "in", w.asked}] = true
	}
}

// transport reads protocol, addresses and ports of a TCP or UDP packet in IPv4.
func transport(frame []byte) (flow, bool) {
	kind, rest := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	if kind == 0x8100 {
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	if kind != 0x0800 {
		return flow{}, false
	}
	protocol, ok := map[byte]string{6: "tcp", 17: "udp"}[rest[9]]
	ports := rest[int(rest[0]&15)*4:]
	end := func(address, port []byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(address)), binary.BigEndian.Uint16(port))
	}
	return flow{protocol, end(rest[12:16], ports[:2]), end(rest[16:20], ports[2:4])}, ok
}
