//go:build peers

package outside

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// lldpd is the LLDP agent of a switch on one of its ports, as a network connectivity device of LLDP-MED (class IV).
type lldpd struct {
	*daemon
	in     *namespace
	socket string
	port   string
}

func startLLDPD(n *namespace, port string, commands ...string) *lldpd {
	n.t.Helper()
	dir, err := os.MkdirTemp("", "lldpd") // lldpcli gives its privileges up before it opens the socket
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	l := &lldpd{in: n, socket: filepath.Join(dir, "socket"), port: port}
	l.daemon = n.start("lldpd", "-d", "-M", "4", "-I", port, "-u", l.socket, "-S", "a switch", "-P", "test")
	l.says("lldpd should resume operations") // what is configured before is lost at times
	for _, command := range append([]string{"configure lldp tx-interval 1"}, commands...) {
		l.cli(strings.Fields(command)...)
	}
	return l
}

func (l *lldpd) cli(args ...string) string {
	l.t.Helper()
	return l.in.run("lldpcli", append([]string{"-u", l.socket}, args...)...)
}

// lists reports whether the text of lldpcli has a line with this name and value.
func lists(text, name, value string) bool {
	for line := range strings.Lines(text) {
		n, v, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(n) == name && strings.Join(strings.Fields(v), " ") == value {
			return true
		}
	}
	return false
}

var received = regexp.MustCompile(`Received: +(\d+)`)

// received is how many data units came in on the port.
func (l *lldpd) received() int {
	l.t.Helper()
	text := l.cli("show", "statistics")
	found := received.FindStringSubmatch(text)
	if found == nil {
		l.t.Fatalf("no count in\n%s", text)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// TestLLDPMED: lldpd lists the handset as a class III endpoint with its inventory, and the handset follows the policy of
// lldpd, down to the bytes of tag and type of service.
func TestLLDPMED(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		policy string   // as lldpcli takes it
		tag    string   // of the handset's frames
		tos    byte     // of its packets, DSCP << 2
		told   []string // what lldpd knows of the handset's policy, as name: value
	}{
		{"tagged", "tagged vlan 200 priority voice dscp 46", "8100a0c8", 46 << 2, []string{"LLDP-MED Network Policy for: Voice, Defined: yes", "VLAN: 200", "PCP: 5", "DSCP Value: 46"}},
		{"untagged", "dscp 46", "", 46 << 2, []string{"LLDP-MED Network Policy for: Voice, Defined: yes", "DSCP Value: 46"}},
		{"none", "", "", 0, []string{"LLDP-MED Network Policy for: Voice, Defined: no"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := newAccess(t)
			var commands []string
			if test.policy != "" {
				commands = append(commands, "configure ports trunk med policy application voice "+test.policy)
			}
			agent := startLLDPD(a.port, "trunk", commands...)
			server := a.native
			if test.tag != "" {
				server = a.voice
			}
			startISC(server, contoso.dhcp(t, "isc", nil))
			startNames(server, records{domain: "contoso.com", hosts: []string{verdictPool}})
			p := newBridged(t, a.client)
			p.Profile.LLDPTxInterval = time.Second
			wantVoice(t, p.reach(devicestate.RootChain))

			var seen string
			agent.until("the handset's address", func() bool {
				seen = agent.cli("show", "neighbors", "details")
				return strings.Contains(seen, "ChassisID:    ip 10.77.0.")
			})
			mac, err := p.HandsetMAC()
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range append([]string{
				"PortID: mac " + mac.String(), "TTL: 120", fmt.Sprintf("SysName: CX600-%X", []byte(mac[3:])),
				"Device Type: Communication Device Endpoint (Class III)", "Capability: Tel, on",
				"Manufacturer: POLYCOM", "Model: CX600", "Firmware Revision: 4.0.7577.4463",
			}, test.told...) {
				name, value, _ := strings.Cut(line, ": ")
				if !lists(seen, name, value) {
					t.Errorf("lldpd does not list %s:\n%s", line, seen)
				}
			}
			_, chassis, _ := strings.Cut(seen, "ChassisID:    ip ")
			address, rest, _ := strings.Cut(chassis, "\n")
			if !p.saw(timeline.Note, "address "+address+"/24,") || strings.Contains(rest, "ChassisID:") {
				t.Errorf("the handset is not %s alone:\n%s", address, seen)
			}
			heard := agent.received()
			agent.until("two more announcements", func() bool { return agent.received() >= heard+2 })

			frames := a.fromTrunk()
			if len(frames) != 1 || len(frames[test.tag]) < 6 {
				t.Errorf("tags %v, want all %q", tagsOf(frames), test.tag)
			}
			for _, frame := range frames[test.tag] {
				payload := frame[12+len(test.tag)/2:]
				if binary.BigEndian.Uint16(payload) == 0x0800 && payload[3] != test.tos {
					t.Errorf("type of service %#02x, want %#02x in %x", payload[3], test.tos, frame)
				}
			}
			p.end()
			agent.until("the handset's leave", func() bool { return !strings.Contains(agent.cli("show", "neighbors"), "ChassisID:") })
		})
	}
}
