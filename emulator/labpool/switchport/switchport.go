// Package switchport is the LLDP speaker of the lab's access switch: it tells LLDP-MED endpoints the voice VLAN.
package switchport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// Config says what the switch announces and where.
type Config struct {
	Station    ethernet.Station // has the switch's MAC address
	Timeline   *timeline.Timeline
	Faults     *faults.Set
	Clock      func() time.Time // time.Now if nil
	PortName   string           // port id: Gi0/1
	SystemName string
	Policy     *lldp.NetworkPolicy // nil: no network policy is announced
	Silent     bool                // nothing is announced, the switch only listens
}

// Server is a running LLDP speaker.
type Server struct {
	cfg     Config
	speaker speaker
	frames  ethernet.FrameReceiver
	unknown unknown.Log
	cancel  context.CancelFunc
	done    chan struct{}
}

// Start announces the switch at once and then until Close. It fails if what it would announce does not fit LLDP.
func Start(cfg Config) (*Server, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	s := &Server{cfg: cfg, speaker: newSpeaker(cfg.Clock()), done: make(chan struct{})}
	s.unknown.Timeline, s.unknown.Protocol, s.unknown.Clock = cfg.Timeline, "lldp", cfg.Clock
	if _, err := s.frame(true, cfg.Policy); err != nil {
		return nil, fmt.Errorf("switch port: %w", err)
	}
	frames, err := cfg.Station.Frames(lldp.EtherType)
	if err != nil {
		return nil, fmt.Errorf("switch port: %w", err)
	}
	s.frames = frames
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
	return s, nil
}

// Close ends the speaker without a word, as a switch that loses power does.
func (s *Server) Close() error {
	s.cancel()
	err := s.frames.Close()
	<-s.done
	return err
}

func (s *Server) run(ctx context.Context) {
	defer close(s.done)
	for {
		now := s.cfg.Clock()
		if s.speaker.due(now) && !s.cfg.Silent {
			s.send()
		}
		wait, cancel := context.WithTimeout(ctx, max(s.speaker.next.Sub(now), 0))
		frame, err := s.frames.Receive(wait)
		cancel()
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, context.DeadlineExceeded):
			continue
		case err != nil:
			s.note(timeline.Dropped, "", "frame not received: "+err.Error())
			return
		}
		s.hear(frame)
	}
}

// headerSize is the length of an untagged Ethernet header.
const headerSize = 14

func (s *Server) hear(frame []byte) {
	if len(frame) < headerSize {
		s.note(timeline.Dropped, "", fmt.Sprintf("frame of %d bytes, at least %d expected", len(frame), headerSize))
		return
	}
	peer := net.HardwareAddr(frame[6:12])
	if slices.Equal(peer, s.cfg.Station.MAC()) {
		return
	}
	if destination := net.HardwareAddr(frame[:6]); !slices.Equal(destination, lldp.Multicast) {
		s.note(timeline.Dropped, peer.String(), fmt.Sprintf("frame to %s, %s expected", destination, lldp.Multicast))
		return
	}
	unit, err := lldp.Parse(frame[headerSize:])
	if err != nil {
		s.note(timeline.Dropped, peer.String(), err.Error()+": "+unknown.Bytes(frame[headerSize:]))
		return
	}
	for _, problem := range unit.Ignored {
		s.note(timeline.Dropped, peer.String(), problem.Error())
	}
	s.cfg.Timeline.Tell(func() timeline.Observation {
		return timeline.Observation{
			At: s.cfg.Clock(), Kind: timeline.Received, Protocol: "lldp", Peer: peer.String(), Text: describe(unit),
			Fields: []timeline.Field{{Name: "TLVs", Value: tlvNames(unit)}},
		}
	})
	s.tellUnknown(peer, unit)
	if s.cfg.Silent {
		return
	}
	if text := s.speaker.hear(peer, unit, s.cfg.Clock()); text != "" {
		s.note(timeline.Note, peer.String(), text)
	}
}

func describe(unit lldp.PDU) string {
	text := fmt.Sprintf("%q for %d s", unit.SystemName(), unit.TTL)
	med, ok := unit.MED()
	if !ok {
		return text + ", no LLDP-MED"
	}
	text += fmt.Sprintf(", LLDP-MED class %d", med.Class)
	if policy, ok := unit.VoicePolicy(); ok {
		text += ", voice " + policyText(policy)
	}
	return text
}

func policyText(p lldp.NetworkPolicy) string {
	if !p.Tagged {
		return fmt.Sprintf("untagged, DSCP %d", p.DSCP)
	}
	return fmt.Sprintf("VLAN %d, priority %d, DSCP %d", p.VLAN, p.Priority, p.DSCP)
}

func (s *Server) send() {
	if _, on := s.cfg.Faults.On("link=silent"); on {
		s.note(timeline.Note, "", "announcement withheld by fault link=silent")
		return
	}
	med, policy := s.speaker.med(s.cfg.Clock()), s.policy()
	frame, err := s.frame(med, policy)
	if err == nil {
		err = s.cfg.Station.SendFrame(frame)
	}
	if err != nil {
		s.note(timeline.Note, "", "announcement not sent: "+err.Error())
		return
	}
	text := "announcement without LLDP-MED"
	switch {
	case med && policy != nil:
		text = "announcement with voice " + policyText(*policy)
	case med:
		text = "announcement without network policy"
	}
	s.note(timeline.Sent, lldp.Multicast.String(), text)
}

// policy is what the switch announces now: under a fault of the VLAN nothing, so that DHCP is asked.
func (s *Server) policy() *lldp.NetworkPolicy {
	if s.cfg.Faults.Has("vlan=silent") || s.cfg.Faults.Has("vlan=invalid") {
		return nil
	}
	return s.cfg.Policy
}

func (s *Server) frame(med bool, policy *lldp.NetworkPolicy) ([]byte, error) {
	mac := s.cfg.Station.MAC()
	unit := lldp.Switch{
		MAC: mac, PortName: s.cfg.PortName, SystemName: s.cfg.SystemName, TTL: uint16(timeToLive / time.Second),
		Policy: policy, MED: med,
	}.PDU()
	frame := slices.Concat(lldp.Multicast, mac, net.HardwareAddr{lldp.EtherType >> 8, lldp.EtherType & 0xff})
	return unit.Append(frame)
}

func (s *Server) note(kind timeline.Kind, peer, text string) {
	s.cfg.Timeline.Add(timeline.Observation{At: s.cfg.Clock(), Kind: kind, Protocol: "lldp", Peer: peer, Text: text})
}
