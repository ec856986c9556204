package rig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/dhcpserver"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// otherServerTime is how long another DHCP server is listened for before the lab gives leases on a real wire.
const otherServerTime = 3 * time.Second

// serveCable is the cable of a served pool, and what the lab brings to it.
func (s *Served) serveCable(ctx context.Context, cfg *labpool.Config) error {
	o := s.options
	if o.Interface == "" {
		cfg.Cable = ethernet.NewHost(ethernet.HostOptions{Listen: o.Listen, Port: o.Ports.of(o.Lab)})
		s.atEnd(cfg.Cable.Close)
		cfg.Services = &labpool.Services{Inform: o.Ports.DHCP != nil, Names: o.Ports.DNS != nil, Time: o.Ports.NTP != nil}
		return nil
	}
	cable := o.Cable
	if cable == nil {
		frames := unknown.NewFrames(&unknown.Log{Timeline: cfg.Timeline, Protocol: "ethernet"}, o.Interface, o.wirePorts()...)
		s.atEnd(frames.Close)
		bridge, err := ethernet.NewBridge(o.Interface, ethernet.Options{Tap: frames.Tap, Link: s.linkChanged(cfg.Timeline)})
		if err != nil {
			return &ComputerError{err}
		}
		cable = bridge
	}
	s.atEnd(cable.Close)
	cfg.Cable, cfg.Wire = cable, true
	cfg.Services = &labpool.Services{Inform: true, Leases: o.Network, Names: o.Network, Time: o.Network}
	if o.Network {
		return o.aloneOn(ctx, cable)
	}
	return nil
}

// linkChanged tells when the interface loses its link and has it again, and ends the pool when the interface is gone.
func (s *Served) linkChanged(pool *timeline.Timeline) func(*ethernet.BridgeError) {
	return func(lost *ethernet.BridgeError) {
		o := timeline.Observation{Kind: timeline.Diagnosis, Protocol: "ethernet"}
		switch {
		case lost == nil:
			o.Kind, o.Text = timeline.Note, fmt.Sprintf("interface %s has link again", s.options.Interface)
		case lost.Kind == ethernet.NoInterface:
			o.Text = lost.Error()
		default:
			o.Text = lost.Error() + "; until then the pool reaches nobody"
		}
		pool.Add(o)
		if lost != nil && lost.Kind == ethernet.NoInterface {
			select {
			case s.gone <- &ComputerError{lost}:
			default: // it was told
			}
		}
	}
}

// wirePorts are the ports that the lab listens on; what comes to others on a wire is told.
func (o ServeOptions) wirePorts() []unknown.Port {
	ports := []unknown.Port{
		{Protocol: unknown.TCP, Number: 80},
		{Protocol: unknown.TCP, Number: 443},
		{Protocol: unknown.TCP, Number: 5061},
		{Protocol: unknown.UDP, Number: 67},
		{Protocol: unknown.UDP, Number: 68},
	}
	if o.Ports.SIPTCP != nil {
		ports = append(ports, unknown.Port{Protocol: unknown.TCP, Number: 5060})
	}
	if o.Network {
		ports = append(ports, unknown.Port{Protocol: unknown.UDP, Number: 53}, unknown.Port{Protocol: unknown.TCP, Number: 53}, unknown.Port{Protocol: unknown.UDP, Number: 123})
	}
	return ports
}

// aloneOn makes sure that no DHCP server is on the wire, where the lab's gives leases: on the native VLAN and the voice
// VLAN.
func (o ServeOptions) aloneOn(ctx context.Context, cable ethernet.Cable) error {
	vlans := []uint16{0}
	if voice := o.Lab.Network.VoiceVLAN; voice != 0 {
		vlans = append(vlans, voice)
	}
	errs := make([]error, len(vlans))
	var listening sync.WaitGroup
	for i, vlan := range vlans {
		listening.Go(func() {
			server, err := otherServer(ctx, cable, vlan)
			switch {
			case err != nil:
				errs[i] = err
			case server.IsValid():
				errs[i] = fmt.Errorf("DHCP server %s is on interface %s%s: two would give phones contradicting leases; switch it off, or leave --serve-network out", server, o.Interface, inVLAN(vlan))
			}
		})
	}
	listening.Wait()
	if err := errors.Join(errs...); err != nil {
		return &ComputerError{err}
	}
	return nil
}

func inVLAN(vlan uint16) string {
	if vlan == 0 {
		return ""
	}
	return fmt.Sprintf(" in VLAN %d", vlan)
}

// otherServer listens with a station of its own, whose MAC address nobody will see again.
func otherServer(ctx context.Context, cable ethernet.Cable, vlan uint16) (server netip.Addr, err error) {
	mac := make(net.HardwareAddr, 6)
	rand.Read(mac) // never fails, crypto/rand
	mac[0] = mac[0]&^1 | 2
	station, err := cable.Join(ethernet.StationConfig{Name: fmt.Sprintf("listener-%d", vlan), MAC: mac, Port: ethernet.Port{Trunk: true}})
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { err = errors.Join(err, station.Close()) }()
	station.SetTag(ethernet.Tag{VLAN: vlan})
	return dhcpserver.OtherServer(ctx, station, otherServerTime)
}
