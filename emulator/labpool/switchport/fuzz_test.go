package switchport

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// FuzzFrames lets a switch hear two frames: what it says afterwards parses and is not more than its timers allow, what
// it knows is bounded and forgotten in time, and it goes on speaking.
func FuzzFrames(f *testing.F) {
	header := slices.Concat(lldp.Multicast, handsetMAC, []byte{0x88, 0xcc})
	for _, policy := range []*lldp.NetworkPolicy{nil, &voice200} {
		frame, err := handset(policy, "10.1.2.3").Append(slices.Clone(header))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame, frame[:len(frame)-2])
		f.Add(frame, []byte{})
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		synctest.Test(t, func(t *testing.T) {
			if endpoints, _ := hear(t, 0, first, second); endpoints > 2 {
				t.Errorf("%d endpoints of two frames", endpoints)
			}
			const all = 10*time.Second + 0xffff*time.Second + 2*interval
			_, sent := hear(t, all, first, second)
			soon := 0
			for _, unit := range sent {
				if unit.at <= 10*time.Second {
					soon++
				}
			}
			if soon < 1 || soon > 2*fastCount+maxCredit {
				t.Errorf("%d units in ten seconds", soon)
			}
			if last := sent[len(sent)-1]; last.med || all-last.at > interval {
				t.Errorf("when everything was forgotten: %+v", last)
			}
		})
	})
}

// hear runs a switch that gets the frames, for a while, and returns the endpoints that it knew at the end and what it
// sent.
func hear(t *testing.T, lasts time.Duration, frames ...[]byte) (endpoints int, sent []sentFrame) {
	t.Helper()
	p := newPort()
	cfg := Config{Station: p, PortName: "Gi0/1", SystemName: "access", Policy: &voice200, Timeline: timeline.New("pool")}
	cfg.Timeline.Observe(func(o timeline.Observation) {
		if len(o.Text) > 5000 {
			t.Errorf("observation of %d bytes", len(o.Text))
		}
	})
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range frames {
		p.arrive <- frame
		synctest.Wait()
	}
	time.Sleep(lasts)
	synctest.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return len(s.speaker.endpoints), p.sent
}
