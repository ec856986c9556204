package handset

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// An LLDP announcement of a switch in hexadecimal digits (IEEE 802.1AB; TIA-1057, 10.2; discovery.md §1.1).
const (
	lldpIDs     = "0207 04 020000000001" + "0406 05 476930 2f31"
	lldpTTL     = "0602 0078"
	lldpName    = "0a06 616363657373"
	lldpSwitch  = "fe07 0012bb 01 003f 04"
	lldpPhone   = "fe07 0012bb 01 003f 03"
	lldpVoice   = "fe08 0012bb 02 01 41916e" // VLAN 200, priority 5, DSCP 46
	lldpUnknown = "fe08 0012bb 02 01 800000"
	lldpEnd     = "0000"
	lldpGood    = lldpIDs + lldpTTL + lldpName + lldpSwitch + lldpVoice + lldpEnd
)

// TestAnnouncements lets the switch send one frame half a second after the handset began.
func TestAnnouncements(t *testing.T) {
	for _, test := range []struct {
		name  string
		unit  string
		event devicestate.Event
		vlan  uint16
		kind  timeline.Kind
		seen  []string
	}{
		{"voice policy", lldpGood, devicestate.PolicyTagged, 200, timeline.Received, []string{"access", "voice policy tagged"}},
		{"without MED capabilities", lldpIDs + lldpTTL + lldpVoice + lldpEnd, devicestate.PolicyTagged, 200, timeline.Received, []string{"02:00:00:00:00:01", "voice policy tagged"}},
		{"without end marker", lldpIDs + lldpTTL + lldpSwitch + lldpVoice, devicestate.PolicyTagged, 200, timeline.Received, []string{"voice policy tagged"}},
		{"untagged", lldpIDs + lldpTTL + lldpSwitch + "fe08 0012bb 02 01 00002e" + lldpEnd, devicestate.PolicyUntagged, 0, timeline.Received, []string{"voice policy untagged"}},
		{"priority tags, VLAN 0", lldpIDs + lldpTTL + lldpSwitch + "fe08 0012bb 02 01 40016e" + lldpEnd, devicestate.PolicyUntagged, 0, timeline.Received, []string{"priority tags, VLAN 0: frames stay untagged"}},
		{"reserved VLAN 4095", lldpIDs + lldpTTL + lldpSwitch + "fe08 0012bb 02 01 5ffe00" + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Dropped, []string{"reserved VLAN 4095"}},
		{"policy not known to the switch", lldpIDs + lldpTTL + lldpSwitch + lldpUnknown + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Received, []string{"without voice policy"}},
		{"policy of a telephone", lldpIDs + lldpTTL + lldpPhone + lldpVoice + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Dropped, []string{"class 3 is no switch"}},
		{"time to live 0", lldpIDs + "0602 0000" + lldpSwitch + lldpVoice + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Dropped, []string{"the sender leaves"}},
		{"no time to live", lldpIDs + lldpName + lldpSwitch + lldpVoice + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Dropped, []string{"02:00:00:00:00:01", "type 5, 3 expected"}},
		{"port id first", "0406 05 476930 2f31 0207 04 020000000001" + lldpTTL + lldpVoice + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Dropped, []string{"type 2, 1 expected"}},
		{"second chassis id", lldpIDs + lldpTTL + lldpIDs + lldpVoice + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Dropped, []string{"type 1 a second time"}},
		{"capabilities of 2 bytes", lldpIDs + lldpTTL + "0e02 0004" + lldpVoice + lldpEnd, devicestate.PolicyTagged, 200, timeline.Dropped, []string{"is ignored: system capabilities of 2 bytes"}},
		{"terminal escape in the name", lldpIDs + lldpTTL + "0a05 1b5b324a07" + lldpSwitch + lldpVoice + lldpEnd, devicestate.PolicyTagged, 200, timeline.Received, []string{`"\x1b[2J\a"`}},
		{"another organization's policy", lldpIDs + lldpTTL + lldpSwitch + "fe08 00000c 02 01 41916e" + lldpEnd, devicestate.PolicyAbsent, 0, timeline.Received, []string{"without voice policy"}},
		{"nothing", "", devicestate.PolicyAbsent, 0, timeline.Dropped, []string{"type 0, 1 expected"}}, // the padding of the frame
	} {
		t.Run(test.name, func(t *testing.T) {
			onBench(t, devicestate.LinkDetect, func(b *bench) {
				time.AfterFunc(time.Second/2, b.lldp(unhex(test.unit)))
				event, failure := b.h.linkDetect(b.Context())
				if event != test.event || failure != nil {
					b.Fatalf("%v, %v, want %v\n%s", event, failure, test.event, b.log())
				}
				if got := b.h.ram.policy; test.vlan != 0 && (got == nil || *got != voicePolicy{test.vlan, 5}) || test.vlan == 0 && got != nil {
					b.Errorf("policy %+v, want VLAN %d", got, test.vlan)
				}
				b.want(test.kind, "lldp", test.seen...)
				if strings.ContainsRune(b.log(), '\x1b') {
					b.Error("a control character came through")
				}
			})
		})
	}
}

// TestEveryCutAnnouncement: each beginning of an announcement, and then the whole of it.
func TestEveryCutAnnouncement(t *testing.T) {
	onBench(t, devicestate.LinkDetect, func(b *bench) {
		unit := unhex(lldpGood)
		var frames [][]byte
		for n := range len(unit) - len(lldpEnd)/2 {
			frames = append(frames, unit[:n])
		}
		time.AfterFunc(time.Second/2, b.lldp(frames...))
		time.AfterFunc(time.Second, b.lldp(unit))
		began := time.Now()
		event, failure := b.h.linkDetect(b.Context())
		if event != devicestate.PolicyTagged || failure != nil || time.Since(began) != time.Second {
			b.Errorf("%v, %v after %v\n%s", event, failure, time.Since(began), b.log())
		}
		synctest.Wait()
		if seen := b.count(timeline.Dropped, "lldp") + b.count(timeline.Received, "lldp"); seen < len(frames) {
			b.Errorf("%d of %d frames are on the timeline", seen, len(frames))
		}
	})
}

// lldp plugs in the switch and returns what sends the units.
func (b *bench) lldp(units ...[]byte) func() {
	b.Helper()
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	if b.port == nil {
		var err error
		if b.port, err = b.cable.JoinSwitch(ethernet.StationConfig{Name: "switch", MAC: mac}); err != nil {
			b.Fatal(err)
		}
	}
	return func() {
		for _, unit := range units {
			if err := b.port.SendFrame(slices.Concat(unhex("0180c200000e"), mac, unhex("88cc"), unit)); err != nil {
				b.Error(err)
			}
		}
	}
}
