package unknown_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	toLab = "024c41420001" + "0004f2010203"
	toAll = "ffffffffffff" + "0004f2010203"
	// head of IPv4 without options: lengths and checksums do not matter here
	ipUDP = "0800" + "4500002c000000008011" + "0000" + "0a140063" + "0a14000a"
	ipTCP = "0800" + "45000028000000008006" + "0000" + "0a140063" + "0a14000a"
)

func tcp(port, flags string) string {
	return ipTCP + "c000" + port + "00000000" + "00000000" + "50" + flags + "ffff00000000"
}

func udp(port, payload string) string { return ipUDP + "c000" + port + "00180000" + payload }

// watch gives frames to a tap and returns what was told.
func watch(t testing.TB, frames ...string) []string {
	t.Helper()
	var told []string
	pool := timeline.New("lab")
	pool.Observe(func(o timeline.Observation) { told = append(told, fmt.Sprint(o.Kind, " ", o.Peer, " ", o.Text)) })
	f := unknown.NewFrames(&unknown.Log{Timeline: pool, Protocol: "ethernet"}, "eth0", unknown.Port{unknown.TCP, 443}, unknown.Port{unknown.UDP, 67})
	for _, text := range frames {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		f.Tap(ethernet.TappedFrame{Station: "eth0", Direction: ethernet.Sent, Frame: b})
		f.Tap(ethernet.TappedFrame{Station: "eth0", Direction: ethernet.Delivered, Frame: b}) // out to the wire
		f.Tap(ethernet.TappedFrame{Station: "network", Direction: ethernet.Sent, Frame: b})   // the lab's own
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	return told
}

func TestFrames(t *testing.T) {
	got := watch(t,
		toLab+"0806"+"0001", toLab+"88cc"+"0207", // ARP, LLDP
		toLab+tcp("01bb", "02"), toLab+udp("0043", "01"), // served
		toLab+tcp("1f90", "10"), toLab+tcp("1f90", "12"), // no beginning of a connection
		toLab+"0800"+"45000028000020ff8011"+"0000"+"0a140063"+"0a14000a"+"c0000045001800000001", // a later fragment
		toLab+"0800"+"45000028000000008001"+"0000"+"0a140063"+"0a14000a"+"0800000000000000",     // ICMP
		toLab[:20], toLab+"8100", toLab+"0800"+"4500", // cut short
		toLab+tcp("1f90", "02"), toLab+tcp("1f90", "02"),
		toAll+udp("0045", "000170686f6e65"),
		"0180c2000003"+"0004f2010203"+"888e"+"01010000",
		toLab+"8100"+"60c8"+tcp("1f91", "02"),
		toLab+"0800"+"45000028000000008002"+"0000"+"0a140063"+"e0000001"+"1100000000000000",
	)
	want := []string{
		"unknown 00:04:f2:01:02:03 TCP connection to port 8080 of 10.20.0.10",
		"unknown 00:04:f2:01:02:03 UDP to port 69 of 10.20.0.10: 000170686f6e65",
		"unknown 00:04:f2:01:02:03 frame of EtherType 888e to 01:80:c2:00:00:03: 01010000",
		"unknown 00:04:f2:01:02:03 TCP connection to port 8081 of 10.20.0.10 in VLAN 200",
		"unknown 00:04:f2:01:02:03 IP protocol 2 to 224.0.0.1: 1100000000000000",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// FuzzFrames: whatever comes, at most one bounded line is told of it.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{toLab + tcp("1f90", "02"), toAll + udp("0045", "00"), toLab + "8100" + "60c8" + "0800" + "46", "0180c2000003" + "0004f2010203" + "888e"} {
		b, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		told := watch(t, hex.EncodeToString(frame))
		if len(told) > 1 || len(told) == 1 && (len(told[0]) > 400 || strings.ContainsAny(told[0], "\r\n")) {
			t.Errorf("%q", told)
		}
	})
}
