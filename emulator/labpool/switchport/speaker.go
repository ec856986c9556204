package switchport

import (
	"fmt"
	"net"
	"time"

	"github.com/phone-edition/lpe/protocol/lldp"
)

// Timers of the speaker.
const (
	interval   = 30 * time.Second // msgTxInterval (IEEE 802.1AB, 9.2.5.7)
	timeToLive = 4 * interval     // msgTxHold 4
	fastStep   = time.Second      // fast start, one a second (TIA-1057, 11.2.1)
	fastCount  = 3                // medFastStart as discovery.md §1.1 gives it
	maxCredit  = 5                // txCreditMax: units that may go out back to back, one more a second (IEEE 802.1AB, 9.2.5.17)

	maxEndpoints = 4096
)

// speaker decides when the switch speaks. Network connectivity devices begin LLDP-MED TLVs only after they have heard
// an LLDP-MED endpoint, and then announce themselves in fast start (TIA-1057, 11.2).
type speaker struct {
	endpoints map[string]endpoint // by source MAC address
	fast      int                 // fast-start units left
	next      time.Time           // of the next unit
	credit    int
	credited  time.Time // when credit was last counted
}

type endpoint struct {
	id      string // chassis and port id
	expires time.Time
}

func newSpeaker(now time.Time) speaker {
	return speaker{endpoints: map[string]endpoint{}, next: now, credit: maxCredit, credited: now}
}

// med reports whether an LLDP-MED endpoint is known.
func (s *speaker) med(now time.Time) bool {
	for mac, e := range s.endpoints {
		if !e.expires.After(now) {
			delete(s.endpoints, mac)
		}
	}
	return len(s.endpoints) > 0
}

// hear takes in a data unit and returns what it changed, or "". An endpoint that is new, which a new chassis or port id
// means too, starts a fast start. So does one that says that it does not know its policy while none is under way: the
// lab's switch does not see the link of a rebooting handset drop.
func (s *speaker) hear(mac net.HardwareAddr, unit lldp.PDU, now time.Time) string {
	key := string(mac)
	old, known := s.endpoints[key]
	known = known && old.expires.After(now)
	if unit.TTL == 0 { // such a unit has no MED TLVs
		delete(s.endpoints, key)
		if !known {
			return ""
		}
		return "endpoint left"
	}
	med, ok := unit.MED()
	if !ok || med.Class < 1 || med.Class > lldp.ClassEndpointIII {
		return ""
	}
	if !known && len(s.endpoints) >= maxEndpoints {
		return fmt.Sprintf("endpoint not kept: %d are known already", maxEndpoints)
	}
	e := endpoint{
		id:      fmt.Sprint(unit.ChassisID, unit.PortID),
		expires: now.Add(time.Duration(unit.TTL) * time.Second),
	}
	s.endpoints[key] = e
	_, knows := unit.VoicePolicy()
	if known && e.id == old.id && (knows || s.fast > 0) {
		return ""
	}
	s.fast = fastCount
	s.next = now
	return "endpoint found, fast start"
}

// due reports whether a unit has to go out now and plans the next one.
func (s *speaker) due(now time.Time) bool {
	for s.credit < maxCredit && !now.Before(s.credited.Add(fastStep)) {
		s.credit, s.credited = s.credit+1, s.credited.Add(fastStep)
	}
	if s.credit == maxCredit {
		s.credited = now
	}
	if now.Before(s.next) {
		return false
	}
	if s.credit == 0 {
		s.next = s.credited.Add(fastStep)
		return false
	}
	s.credit--
	s.next = now.Add(interval)
	if s.fast > 0 {
		s.fast--
	}
	if s.fast > 0 {
		s.next = now.Add(fastStep)
	}
	return true
}
