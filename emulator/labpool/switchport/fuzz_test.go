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
			p := newPort()
			seen := 0
			cfg := Config{Station: p, PortName: "Gi0/1", SystemName: "access", Policy: &voice200, Timeline: timeline.New("pool")}
			cfg.Timeline.Observe(func(o timeline.Observation) {
				if seen++; len(o.Text) > 5000 {
					t.Errorf("observation of %d bytes", len(o.Text))
				}
			})
			s, err := Start(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, frame := range [][]byte{first, second} {
				p.arrive <- frame
				synctest.Wait()
			}
			if len(s.speaker.endpoints) > 2 {
				t.Errorf("%d endpoints of two frames", len(s.speaker.endpoints))
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if len(p.sent) < 1 || len(p.sent) > 2*fastCount+maxCredit {
				t.Errorf("%d units in ten seconds", len(p.sent))
			}
			time.Sleep(0xffff*time.Second + 2*interval)
			synctest.Wait()
			if last := p.sent[len(p.sent)-1]; last.med || time.Since(p.began)-last.at > interval {
				t.Errorf("when everything was forgotten, at %v: %+v", time.Since(p.began), last)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}
