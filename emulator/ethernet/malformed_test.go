package ethernet_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// TestMalformedFramesAreTold: what a station cannot read is told with its source and the reason; what it can read, or
// what is for others, is not.
func TestMalformedFramesAreTold(t *testing.T) {
	datagram := ipFrame(ipPacket(17, 0, ip9, ip1, "", frameOf("0043 0044 000c 0000", "61626364")))
	for _, test := range []struct {
		name  string
		frame []byte
		kind  string
		seen  string
	}{
		{"sound", datagram, "", ""},
		{"for another station", edited(edited(datagram, 14, 0x65), 0, 2, 0, 0, 0, 0, 9), "", ""},
		{"IPv6 in IPv4's type", edited(datagram, 14, 0x65), "ipv4", "no IPv4 header in 46 bytes"},
		{"header checksum", edited(datagram, 24, 0xff, 0xff), "ipv4", "IPv4 header checksum 0xffff is wrong"},
		{"longer than the frame", edited(datagram, 16, 0x7f, 0xff), "ipv4", "IPv4 header of 20 bytes in a packet of 32767 bytes, 46 arrived"},
		{"UDP length", edited(datagram, 38, 0xff, 0xff), "udp", "UDP length 65535 in 12 bytes"},
		{"ARP of another hardware", frameOf(toUs, "0806 0006 0800 06 04 0001", mac3, ip9, nobody, ip1), "arp", "no ARP packet for Ethernet and IPv4 in 46 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var told []string
				cable := ethernet.NewPipe(ethernet.Options{Malformed: func(m ethernet.MalformedFrame) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, m.Station+" "+m.Kind+" "+m.Source.String()+" "+m.Seen)
				}})
				defer cable.Close()
				join := func(name string, mac byte) ethernet.Station {
					st, err := cable.Join(ethernet.StationConfig{Name: name, MAC: []byte{2, 0, 0, 0, 0, mac}})
					if err != nil {
						t.Fatal(err)
					}
					return st
				}
				udp, err := join("handset", 1).RawUDP(68)
				if err != nil {
					t.Fatal(err)
				}
				defer udp.Close()
				if err := join("hostile", 3).SendFrame(test.frame); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				var want []string
				if test.kind != "" {
					want = []string{"handset " + test.kind + " 02:00:00:00:00:03 " + test.seen}
				}
				mu.Lock()
				defer mu.Unlock()
				if !slices.Equal(told, want) {
					t.Errorf("told %q, want %q", told, want)
				}
			})
		})
	}
}
