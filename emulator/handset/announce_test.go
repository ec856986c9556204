package handset

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

// What the handset says by LLDP, in hexadecimal digits (IEEE 802.1AB, TIA-1057, discovery.md §1.1).
const (
	allSystems  = "0180c200000e" // nearest bridge
	noAddress   = "0206 05 01 00000000"
	tenNine     = "0206 05 01 0a000009"
	portMAC     = "0407 03 0004f2010203"
	policyOfLan = "fe08 0012bb 02 01 41916e"
)

// heard collects the LLDP frames that the switch hears, with the seconds since the beginning.
type heard struct {
	at    []float64
	units []string // hexadecimal digits
}

// hears plugs in the switch and returns what it hears until the test ends; synctest.Wait settles it.
func (b *bench) hears() *heard {
	b.Helper()
	b.lldp()
	frames, err := b.port.Frames(0x88cc)
	if err != nil {
		b.Fatal(err)
	}
	h, began := &heard{}, time.Now()
	go func() {
		for {
			frame, err := frames.Receive(b.Context())
			if err != nil {
				return
			}
			if !strings.HasPrefix(hex.EncodeToString(frame), allSystems+"0004f2010203"+"88cc") {
				b.Errorf("heard %x", frame)
			}
			h.at = append(h.at, time.Since(began).Seconds())
			h.units = append(h.units, hex.EncodeToString(frame[14:]))
		}
	}()
	return h
}

// want holds when the switch heard something, and what each unit begins with and contains.
func (h *heard) want(b *bench, want ...announcement) {
	b.Helper()
	synctest.Wait()
	if len(h.at) != len(want) {
		b.Fatalf("heard at %v, want %d units\n%s", h.at, len(want), b.log())
	}
	for i, w := range want {
		begins, contains := strings.ReplaceAll(w.begins, " ", ""), strings.ReplaceAll(w.contains, " ", "")
		if h.at[i] != w.at || !strings.HasPrefix(h.units[i], begins) || !strings.Contains(h.units[i], contains) {
			b.Errorf("unit %d at %v s is %s, want %s…%s at %v s", i, h.at[i], h.units[i], begins, contains, w.at)
		}
	}
}

type announcement struct {
	at               float64
	begins, contains string
}

// TestAnnouncing: fast start, then every 30 s, and the policy at once when the switch has told it.
func TestAnnouncing(t *testing.T) {
	onBench(t, devicestate.LinkDetect, func(b *bench) {
		h := b.hears()
		time.AfterFunc(time.Second/2, b.lldp(unhex(lldpGood)))
		if event, failure := b.h.linkDetect(b.Context()); event != devicestate.PolicyTagged {
			b.Fatalf("%v, %v", event, failure)
		}
		time.Sleep(62 * time.Second)
		first := noAddress + portMAC + lldpTTL
		h.want(
			b, announcement{0, first, lldpUnknown}, announcement{0.5, first, policyOfLan},
			announcement{1.5, first, policyOfLan}, announcement{31.5, first, policyOfLan}, announcement{61.5, first, policyOfLan},
		)
	})
}

// TestAnnouncingAlone: without an answer the fast start is complete.
func TestAnnouncingAlone(t *testing.T) {
	onBench(t, devicestate.LinkDetect, func(b *bench) {
		h := b.hears()
		if event, failure := b.h.linkDetect(b.Context()); event != devicestate.PolicyAbsent {
			b.Fatalf("%v, %v", event, failure)
		}
		time.Sleep(30 * time.Second)
		h.want(b, announcement{0, noAddress, lldpUnknown}, announcement{1, noAddress, lldpUnknown}, announcement{2, noAddress, lldpUnknown}, announcement{32, noAddress, lldpUnknown})
	})
}

// TestAnnouncingTheAddress: the chassis id is the address, so that who was announced before is withdrawn.
func TestAnnouncingTheAddress(t *testing.T) {
	for chassis, want := range map[uint8][2]string{5: {noAddress, tenNine}, 4: {"0207 04 0004f2010203", "0207 04 0004f2010203"}} {
		onBench(t, devicestate.LinkDetect, func(b *bench) {
			b.h.profile.LLDPChassis = chassis
			h := b.hears()
			b.h.linkDetect(b.Context())
			time.Sleep(time.Second)
			b.h.announcing.moved(netip.MustParseAddr("10.0.0.9"))
			before, now := want[0], want[1]
			list := []announcement{{0, before, lldpUnknown}, {1, before, lldpUnknown}, {2, before, lldpUnknown}, {4, now, lldpUnknown}}
			if before != now {
				list = append(list[:3], announcement{4, before + portMAC + "0602 0000" + "0000", ""}, list[3])
			}
			h.want(b, list...)
		})
	}
}

// TestAnnouncingWhatIsDue: what is due goes before a change at the same instant, whichever comes first, and goes once.
func TestAnnouncingWhatIsDue(t *testing.T) {
	for range 8 {
		onBench(t, devicestate.LinkDetect, func(b *bench) {
			h := b.hears()
			b.h.linkDetect(b.Context())
			time.Sleep(29 * time.Second)
			b.h.announcing.moved(netip.MustParseAddr("10.0.0.9"))
			time.Sleep(31 * time.Second)
			h.want(
				b, announcement{0, noAddress, lldpUnknown}, announcement{1, noAddress, lldpUnknown}, announcement{2, noAddress, lldpUnknown},
				announcement{32, noAddress, lldpUnknown}, announcement{32, noAddress + portMAC + "0602 0000" + "0000", ""}, announcement{32, tenNine, lldpUnknown},
				announcement{62, tenNine, lldpUnknown},
			)
		})
	}
}

// TestAnnouncingEnds: an orderly end withdraws the handset, a power cut says nothing; after either nothing comes.
func TestAnnouncingEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end func(h *Handset)
		say bool
	}{
		"shutdown":  {func(h *Handset) { h.Close() }, true},
		"reboot":    {func(h *Handset) { h.rebooting() }, true},
		"power cut": {func(h *Handset) { h.perform(devicestate.LoseMemory) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, devicestate.LinkDetect, func(b *bench) {
				h := b.hears()
				b.h.linkDetect(b.Context())
				time.Sleep(time.Second)
				want := []announcement{{0, noAddress, ""}, {1, noAddress, ""}, {2, noAddress, ""}}
				if test.say {
					want = append(want, announcement{4, noAddress + portMAC + "0602 0000" + "0000", ""})
				}
				test.end(b.h)
				time.Sleep(time.Minute)
				h.want(b, want...)
			})
		})
	}
}

// TestAnnouncingWithoutLink: nothing is sent, nor told as sent, while there is no link; then it goes on.
func TestAnnouncingWithoutLink(t *testing.T) {
	onBench(t, devicestate.LinkDetect, func(b *bench) {
		h := b.hears()
		b.h.linkDetect(b.Context())
		b.cable.SetCarrier("handset", false)
		time.Sleep(time.Minute)
		b.cable.SetCarrier("handset", true)
		time.Sleep(time.Minute)
		h.want(b, announcement{0, noAddress, ""}, announcement{1, noAddress, ""}, announcement{2, noAddress, ""}, announcement{92, noAddress, ""}, announcement{122, noAddress, ""})
	})
}

// TestAnnouncingAgain: a handset that looks for its link anew begins with a fast start, alone.
func TestAnnouncingAgain(t *testing.T) {
	onBench(t, devicestate.LinkDetect, func(b *bench) {
		h := b.hears()
		b.h.linkDetect(b.Context())
		b.h.linkDetect(b.Context())
		time.Sleep(30 * time.Second)
		var at []announcement
		for _, second := range []float64{0, 1, 2, 3, 4, 5, 35} {
			at = append(at, announcement{second, noAddress, ""})
		}
		h.want(b, at...)
	})
}
