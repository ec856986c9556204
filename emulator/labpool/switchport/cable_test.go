package switchport

import (
	"context"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// TestOnTheCables asks for the voice policy over real frames.
func TestOnTheCables(t *testing.T) {
	type cable interface {
		ethernet.Cable
		JoinSwitch(ethernet.StationConfig) (ethernet.Station, error)
	}
	for name, c := range map[string]cable{
		"pipe": ethernet.NewPipe(ethernet.Options{}), "segment": ethernet.NewSegment(ethernet.Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			defer c.Close()
			port, err := c.JoinSwitch(ethernet.StationConfig{Name: "switch", MAC: switchMAC})
			if err != nil {
				t.Fatal(err)
			}
			s, err := Start(Config{Station: port, PortName: "Gi0/1", SystemName: "access", Policy: &voice200})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			station, err := c.Join(ethernet.StationConfig{Name: "handset", MAC: handsetMAC, Port: ethernet.Port{Voice: 200}})
			if err != nil {
				t.Fatal(err)
			}
			frames, err := station.Frames(lldp.EtherType)
			if err != nil {
				t.Fatal(err)
			}
			defer frames.Close()
			if err := station.SendFrame(frameOf(t, handset(nil, ""), handsetMAC)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for {
				frame, err := frames.Receive(ctx)
				if err != nil {
					t.Fatal(err)
				}
				unit, err := lldp.Parse(frame[headerSize:])
				if err != nil {
					t.Fatal(err)
				}
				if policy, ok := unit.VoicePolicy(); ok {
					if policy != voice200 {
						t.Errorf("policy %+v", policy)
					}
					return
				}
			}
		})
	}
}
