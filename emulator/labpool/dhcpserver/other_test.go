package dhcpserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

const listening = 3 * time.Second

// segment is a cable with somebody on it who listens for a DHCP server, in virtual time.
func segment(t *testing.T, f func(t *testing.T, cable *ethernet.Pipe, listener ethernet.Station)) {
	synctest.Test(t, func(t *testing.T) {
		cable := ethernet.NewPipe(ethernet.Options{})
		defer cable.Close()
		listener, err := cable.Join(ethernet.StationConfig{Name: "listener", MAC: net.HardwareAddr{0x02, 1, 2, 3, 4, 5}})
		if err != nil {
			t.Fatal(err)
		}
		f(t, cable, listener)
	})
}

func onSegment(t *testing.T, cable *ethernet.Pipe) ethernet.Station {
	t.Helper()
	station, err := cable.Join(ethernet.StationConfig{Name: "other", MAC: relayMAC})
	if err != nil {
		t.Fatal(err)
	}
	if err := station.SetAddress(netip.PrefixFrom(serverIP, 24), netip.Addr{}); err != nil {
		t.Fatal(err)
	}
	return station
}

func TestOtherServerOffers(t *testing.T) {
	segment(t, func(t *testing.T, cable *ethernet.Pipe, listener ethernet.Station) {
		cfg := config()
		cfg.Station = onSegment(t, cable)
		s, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		began := time.Now()
		if got, err := OtherServer(t.Context(), listener, listening); got != serverIP || err != nil || time.Since(began) > time.Second {
			t.Errorf("%v, %v after %v", got, err, time.Since(began))
		}
	})
}

// A server that gives addresses to those alone whom it knows does not answer, but is heard when it speaks to others.
func TestOtherServerIsHeard(t *testing.T) {
	for name, c := range map[string]struct {
		options dhcpv4.Options
		port    uint16
	}{
		"to a client":       {dhcpv4.Options{53: {byte(dhcpv4.MessageTypeAck)}, 54: {10, 77, 0, 1}}, clientPort},
		"to a relay":        {dhcpv4.Options{53: {byte(dhcpv4.MessageTypeOffer)}, 54: {10, 77, 0, 1}}, serverPort},
		"BOOTP, without id": {nil, clientPort},
	} {
		t.Run(name, func(t *testing.T) {
			segment(t, func(t *testing.T, cable *ethernet.Pipe, listener ethernet.Station) {
				station := onSegment(t, cable)
				raw, err := station.RawUDP(serverPort)
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				say := time.AfterFunc(2*time.Second, func() {
					m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, ClientHWAddr: otherMAC, Options: c.options}
					payload, err := dhcpoption.Encode(m, nil)
					if err != nil {
						t.Error(err)
					}
					if err := raw.Send(ethernet.Datagram{Src: netip.AddrPortFrom(serverIP, serverPort), Dst: netip.AddrPortFrom(broadcast, c.port), Payload: payload}); err != nil {
						t.Error(err)
					}
				})
				defer say.Stop()
				if got, err := OtherServer(t.Context(), listener, listening); got != serverIP || err != nil {
					t.Errorf("%v, %v", got, err)
				}
			})
		})
	}
}

// Clients, and a responder that answers INFORM alone, are no servers of addresses; all of the time is listened.
func TestNoOtherServer(t *testing.T) {
	segment(t, func(t *testing.T, cable *ethernet.Pipe, listener ethernet.Station) {
		uc := dhcpoption.NewUC("lyncweb.contoso.com")
		r, err := StartResponder(ResponderConfig{Station: onSegment(t, cable), Server: serverIP, Discovery: Discovery{UC: &uc}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		began := time.Now()
		if got, err := OtherServer(t.Context(), listener, listening); got.IsValid() || err != nil || time.Since(began) != listening {
			t.Errorf("%v, %v after %v", got, err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := OtherServer(ctx, listener, listening); got.IsValid() || !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v, %v", got, err)
		}
	})
}
