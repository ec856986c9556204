package switchport

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/lldp"
)

var (
	switchMAC  = net.HardwareAddr{0x02, 0, 0, 0, 0, 1}
	handsetMAC = net.HardwareAddr{0x00, 0x04, 0xf2, 1, 2, 3}
	voice200   = lldp.NetworkPolicy{Application: lldp.ApplicationVoice, Tagged: true, VLAN: 200, Priority: 5, DSCP: 46}
)

// port is a Station that gives what was put into arrive and keeps what was sent.
type port struct {
	ethernet.Station
	arrive chan []byte
	closed chan struct{}
	sent   []sentFrame
	began  time.Time
}

type sentFrame struct {
	at  time.Duration
	med bool
}

func newPort() *port {
	return &port{arrive: make(chan []byte), closed: make(chan struct{}), began: time.Now()}
}

func (p *port) MAC() net.HardwareAddr { return switchMAC }

func (p *port) Frames(uint16) (ethernet.FrameReceiver, error) { return p, nil }

func (p *port) SendFrame(frame []byte) error {
	unit, err := lldp.Parse(frame[14:])
	if err != nil {
		return err
	}
	_, med := unit.MED()
	p.sent = append(p.sent, sentFrame{time.Since(p.began), med})
	return nil
}

func (p *port) Receive(ctx context.Context) ([]byte, error) {
	select {
	case frame := <-p.arrive:
		return frame, nil
	case <-p.closed:
		return nil, ethernet.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *port) Close() error {
	close(p.closed)
	return nil
}

func frameOf(t *testing.T, unit lldp.PDU, src net.HardwareAddr) []byte {
	t.Helper()
	frame, err := unit.Append(slices.Concat(lldp.Multicast, src, net.HardwareAddr{0x88, 0xcc}))
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func handset(policy *lldp.NetworkPolicy, address string) lldp.PDU {
	e := lldp.Endpoint{MAC: handsetMAC, SystemName: "CX600", TTL: 120, ChassisSubtype: lldp.ChassisNetwork, Policy: policy}
	if address != "" {
		e.Address = netip.MustParseAddr(address)
	}
	return e.PDU()
}

func run(t *testing.T, cfg Config, script func(p *port)) (sent []sentFrame, seen []timeline.Observation) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPort()
		cfg.Station, cfg.PortName, cfg.SystemName = p, "Gi0/1", "access"
		cfg.Timeline = timeline.New("pool")
		cfg.Timeline.Observe(func(o timeline.Observation) { seen = append(seen, o) })
		s, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		script(p)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		sent = p.sent
	})
	return sent, seen
}

func TestMEDOnlyAfterAnEndpoint(t *testing.T) {
	sent, _ := run(t, Config{Policy: &voice200}, func(p *port) {
		time.Sleep(35 * time.Second)
		p.arrive <- frameOf(t, handset(nil, ""), handsetMAC)
		time.Sleep(40 * time.Second)
	})
	want := []sentFrame{
		{0, false},
		{30 * time.Second, false},
		{35 * time.Second, true},
		{36 * time.Second, true},
		{37 * time.Second, true},
		{67 * time.Second, true},
	}
	if diff := cmp.Diff(want, sent, cmp.AllowUnexported(sentFrame{})); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
}

func TestEndpointAges(t *testing.T) {
	sent, _ := run(t, Config{Policy: &voice200}, func(p *port) {
		p.arrive <- frameOf(t, handset(nil, ""), handsetMAC)
		time.Sleep(130 * time.Second)
	})
	last := sent[len(sent)-1]
	if last.at != 122*time.Second || last.med {
		t.Errorf("last unit %+v, want one without LLDP-MED after 122 s", last)
	}
}

func TestEndpointLeaves(t *testing.T) {
	sent, seen := run(t, Config{Policy: &voice200}, func(p *port) {
		p.arrive <- frameOf(t, handset(nil, ""), handsetMAC)
		time.Sleep(5 * time.Second)
		bye := handset(nil, "")
		bye.TTL, bye.TLVs = 0, nil
		p.arrive <- frameOf(t, bye, handsetMAC)
		time.Sleep(40 * time.Second)
	})
	if last := sent[len(sent)-1]; last.at != 32*time.Second || last.med {
		t.Errorf("last unit %+v, want one without LLDP-MED after 32 s", last)
	}
	if !slices.ContainsFunc(seen, func(o timeline.Observation) bool { return o.Text == "endpoint left" }) {
		t.Errorf("that the endpoint left is not in %+v", seen)
	}
}

func TestFastStartAgain(t *testing.T) {
	other := handset(nil, "")
	bye := handset(nil, "")
	bye.TTL, bye.TLVs = 0, nil // the three mandatory TLVs alone, as IEEE 802.1AB has it
	for _, test := range []struct {
		name          string
		before, after lldp.PDU
		want          int // units in the 5 s after
	}{
		{"rebooted, still without a policy", handset(nil, ""), handset(nil, ""), 3},
		{"same endpoint, now with its policy", handset(nil, ""), handset(&voice200, ""), 0},
		{"rebooted, by its chassis id", handset(&voice200, "10.77.0.9"), other, 3},
		{"rebooted, by its policy", handset(&voice200, ""), handset(nil, ""), 3},
		{"left", handset(nil, ""), bye, 0},
		{"not a MED endpoint", handset(nil, ""), lldp.Switch{MAC: handsetMAC, PortName: "1", TTL: 120}.PDU(), 0},
		{"another switch", handset(nil, ""), lldp.Switch{MAC: handsetMAC, PortName: "1", TTL: 120, MED: true}.PDU(), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent, _ := run(t, Config{Policy: &voice200}, func(p *port) {
				p.arrive <- frameOf(t, test.before, handsetMAC)
				time.Sleep(10 * time.Second)
				p.arrive <- frameOf(t, test.after, handsetMAC)
				time.Sleep(5 * time.Second)
			})
			n := 0
			for _, unit := range sent {
				if unit.at >= 10*time.Second {
					n++
				}
			}
			if n != test.want {
				t.Errorf("%d units after the second one, want %d: %v", n, test.want, sent)
			}
		})
	}
}

func TestCreditBoundsABurst(t *testing.T) {
	sent, _ := run(t, Config{}, func(p *port) {
		for i := range 40 {
			mac := slices.Clone(handsetMAC)
			mac[5] = byte(i)
			p.arrive <- frameOf(t, handset(nil, ""), mac)
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
	})
	if sent[maxCredit-1].at != 0 || sent[maxCredit].at != time.Second || len(sent) > maxCredit+4 {
		t.Errorf("units %v, want %d at once and then one a second", sent, maxCredit)
	}
}

func TestSilence(t *testing.T) {
	set := faults.NewSet(faults.Fault{Name: "link=silent"})
	sent, seen := run(t, Config{Policy: &voice200, Faults: set}, func(p *port) {
		p.arrive <- frameOf(t, handset(nil, ""), handsetMAC)
		time.Sleep(time.Minute)
	})
	if len(sent) != 0 {
		t.Errorf("a silent switch sent %v", sent)
	}
	if !slices.ContainsFunc(seen, func(o timeline.Observation) bool { return strings.Contains(o.Text, "link=silent") }) {
		t.Error("the fault is not in the timeline")
	}
}

func TestDropped(t *testing.T) {
	good := frameOf(t, handset(nil, ""), handsetMAC)
	elsewhere := bytes.Clone(good)
	copy(elsewhere, switchMAC)
	ignored := frameOf(t, lldp.Switch{MAC: handsetMAC, PortName: "1", TTL: 120}.PDU(), handsetMAC)
	ignored[len(ignored)-2] = 0x0e // the end marker becomes system capabilities of 0 bytes
	for _, test := range []struct {
		name, want string
		frame      []byte
	}{
		{"short", "frame of 13 bytes", good[:13]},
		{"TLV that is ignored", "type 7 a second time", ignored},
		{"unicast", "to 02:00:00:00:00:01", elsewhere},
		{"malformed", "type 2", append(bytes.Clone(good[:14]), good[22:]...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent, seen := run(t, Config{Policy: &voice200}, func(p *port) {
				p.arrive <- test.frame
				time.Sleep(time.Minute)
			})
			for _, unit := range sent {
				if unit.med {
					t.Error("the frame counted as an endpoint")
				}
			}
			if !slices.ContainsFunc(seen, func(o timeline.Observation) bool {
				return o.Kind == timeline.Dropped && strings.Contains(o.Text, test.want)
			}) {
				t.Errorf("no drop with %q in %+v", test.want, seen)
			}
		})
	}
	_, seen := run(t, Config{}, func(p *port) {
		p.arrive <- frameOf(t, handset(nil, ""), switchMAC)
		synctest.Wait()
	})
	if len(seen) != 1 {
		t.Errorf("the switch heard itself: %+v", seen)
	}
}

func TestEndpointsAreBounded(t *testing.T) {
	now := time.Now()
	s := newSpeaker(now)
	mac := net.HardwareAddr{0, 0, 0, 0, 0, 0}
	for i := range maxEndpoints + 1 {
		mac[4], mac[5] = byte(i>>8), byte(i)
		text := s.hear(mac, handset(nil, ""), now)
		if full := strings.Contains(text, "not kept"); full != (i == maxEndpoints) {
			t.Fatalf("endpoint %d: %q", i+1, text)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	policy := voice200
	policy.VLAN = 4095
	if s, err := Start(Config{Station: newPort(), PortName: "1", Policy: &policy}); err == nil {
		t.Error("a policy with VLAN 4095 was taken", s.Close())
	}
}
