package switchport

import (
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// TestUnknown: which TLVs a handset sends is in the history, and those that no document describes are told once.
func TestUnknown(t *testing.T) {
	unit := handset(nil, "")
	unit.TLVs = append(unit.TLVs, lldp.Organization(0x0004f2, 7, 1, 2), lldp.TLV{Type: 99, Value: []byte{3}})
	_, seen := run(t, Config{}, func(p *port) {
		for range 2 {
			p.arrive <- frameOf(t, unit, handsetMAC)
		}
		p.arrive <- append(frameOf(t, handset(nil, ""), handsetMAC)[:14], 1, 2, 3)
		time.Sleep(time.Second)
	})
	var told []string
	listed := 0
	for _, o := range seen {
		switch o.Kind {
		case timeline.Unknown:
			told = append(told, o.Peer+" "+o.Text)
		case timeline.Received:
			if strings.HasSuffix(o.Fields[0].Value, " 127/0004f2/7 99") {
				listed++
			} else {
				t.Errorf("TLVs %s", o.Fields[0].Value)
			}
		case timeline.Dropped:
			if !strings.HasSuffix(o.Text, ": 010203") {
				t.Errorf("%s", o.Text)
			}
		}
	}
	if want := "00:04:f2:01:02:03 TLV 127/0004f2/7: 0004f2070102\n00:04:f2:01:02:03 TLV 99: 03"; strings.Join(told, "\n") != want || listed != 2 {
		t.Errorf("told %q, %d lists", told, listed)
	}
}

// TestListening: a silent switch hears and says nothing.
func TestListening(t *testing.T) {
	sent, seen := run(t, Config{Policy: &voice200, Silent: true}, func(p *port) {
		p.arrive <- frameOf(t, handset(nil, ""), handsetMAC)
		time.Sleep(time.Minute)
	})
	if len(sent) > 0 || len(seen) == 0 || seen[0].Kind != timeline.Received {
		t.Errorf("sent %v, seen %v", sent, seen)
	}
}
