package dhcpserver

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// TestOnTheCables takes a lease and asks with INFORM over real frames.
func TestOnTheCables(t *testing.T) {
	for name, cable := range map[string]ethernet.Cable{
		"pipe": ethernet.NewPipe(ethernet.Options{}), "segment": ethernet.NewSegment(ethernet.Options{}),
	} {
		t.Run(name, func(t *testing.T) {
			defer cable.Close()
			serverStation, err := cable.Join(ethernet.StationConfig{Name: "dhcp", MAC: relayMAC})
			if err != nil {
				t.Fatal(err)
			}
			if err := serverStation.SetAddress(netip.PrefixFrom(serverIP, 24), netip.Addr{}); err != nil {
				t.Fatal(err)
			}
			cfg := config()
			cfg.Station = serverStation
			s, err := Start(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			station, err := cable.Join(ethernet.StationConfig{Name: "handset", MAC: handsetMAC})
			if err != nil {
				t.Fatal(err)
			}
			raw, err := station.RawUDP(clientPort)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			ask := func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
				t.Helper()
				payload, err := dhcpoption.Encode(m, []uint8{53})
				if err != nil {
					t.Fatal(err)
				}
				src := netip.AddrPortFrom(addressOf(m.ClientIPAddr), clientPort)
				if err := raw.Send(ethernet.Datagram{Src: src, Dst: netip.AddrPortFrom(broadcast, serverPort), Payload: payload}); err != nil {
					t.Fatal(err)
				}
				d, err := raw.Receive(ctx)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := dhcpoption.Parse(d.Payload)
				if err != nil {
					t.Fatal(err)
				}
				return answer
			}
			if offer := ask(discover("CPE-OCPHONE")); offer.MessageType() != dhcpv4.MessageTypeOffer {
				t.Errorf("answer to DISCOVER %v", offer)
			}
			ack := ask(selecting("10.77.0.100"))
			if ack.MessageType() != dhcpv4.MessageTypeAck {
				t.Errorf("answer to REQUEST %v", ack)
			}
			if err := station.SetAddress(netip.PrefixFrom(addressOf(ack.YourIPAddr), 24), netip.Addr{}); err != nil {
				t.Fatal(err)
			}
			if names, err := dhcpoption.ParseSIPServers(ask(inform(dhcpoption.ClassUC)).Options[120]); err != nil || names[0] != "lyncpool.contoso.com" {
				t.Errorf("option 120 of the answer to INFORM: %q, %v", names, err)
			}
		})
	}
}
