package replay

import (
	"encoding/hex"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/ntp"
)

// dnsAnswer is an answer to a question for A of h.example.com.
func dnsAnswer(t *testing.T, code dnsmessage.RCode, answers ...dnsmessage.Resource) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, Response: true, RCode: code},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("h.example.com."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
		Answers:   answers,
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func resource(name string, ttl uint32, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl}, Body: body}
}

func TestReplayedDNS(t *testing.T) {
	a := func(last byte) dnsmessage.Resource {
		return resource("h.example.com.", 60, &dnsmessage.AResource{A: [4]byte{10, 0, 0, last}})
	}
	alias := resource("h.example.com.", 5, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("g.example.com.")})
	srv := resource("_x._tcp.example.com.", 9, &dnsmessage.SRVResource{Priority: 1, Weight: 2, Port: 3, Target: dnsmessage.MustNewName("g.example.com.")})
	text := resource("h.example.com.", 5, &dnsmessage.TXTResource{TXT: []string{"x"}})
	for name, test := range map[string]struct{ own, recorded, want []byte }{
		"no such name":          {dnsAnswer(t, 0, a(1)), dnsAnswer(t, dnsmessage.RCodeNameError), dnsAnswer(t, dnsmessage.RCodeNameError)},
		"an address of its own": {dnsAnswer(t, 0, a(1)), dnsAnswer(t, 0, a(9)), dnsAnswer(t, 0, a(1))},
		"two addresses":         {dnsAnswer(t, 0, a(1)), dnsAnswer(t, 0, a(8), a(9)), dnsAnswer(t, 0, a(1))},
		"an address of nobody":  {dnsAnswer(t, dnsmessage.RCodeNameError), dnsAnswer(t, 0, a(9)), dnsAnswer(t, 0, a(9))},
		"alias and service":     {dnsAnswer(t, 0, a(1)), dnsAnswer(t, 0, alias, srv), dnsAnswer(t, 0, alias, srv)},
		"another record":        {dnsAnswer(t, 0, a(1)), dnsAnswer(t, 0, text), dnsAnswer(t, 0, a(1))},
		"broken":                {dnsAnswer(t, 0, a(1)), []byte{1}, dnsAnswer(t, 0, a(1))},
	} {
		t.Run(name, func(t *testing.T) {
			got := replayedDNS(test.own, exchange.DNS(test.recorded).Fields)
			if diff := cmp.Diff(exchange.DNS(test.want), exchange.DNS(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTakes(t *testing.T) {
	for _, test := range []struct {
		own, recorded int
		want          bool
	}{
		{200, 200, true},
		{200, 403, true},
		{200, 401, true},
		{401, 403, true},
		{404, 200, true},
		{489, 200, true},
		{500, 503, true},
		{401, 200, false},
		{403, 200, false},
		{407, 200, false},
		{500, 200, false},
	} {
		if got := takes(test.own, test.recorded); got != test.want {
			t.Errorf("%d where %d was recorded: %v", test.own, test.recorded, got)
		}
	}
}

func TestReplayedNTP(t *testing.T) {
	pack := func(p ntp.Packet) []byte {
		b, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	own := ntp.Packet{Version: 4, Mode: ntp.ModeServer, Stratum: 3, Origin: 5, Receive: 6, Transmit: 7}
	recorded := ntp.Packet{
		Leap: 3, Version: 3, Mode: ntp.ModeServer, Stratum: 16, Poll: 6, Precision: -20, RootDelay: 8, RootDispersion: 9, ReferenceID: [4]byte{10, 0, 0, 1}, Origin: 1, Receive: 2, Transmit: 3,
	}
	want := recorded
	want.Version, want.Origin, want.Receive, want.Transmit = own.Version, own.Origin, own.Receive, own.Transmit
	if diff := cmp.Diff(pack(want), replayedNTP(pack(own), exchange.NTP(pack(recorded)).Fields)); diff != "" {
		t.Error(diff)
	}
}

// TestReplayLLDP: what a unit says of itself is recorded, where it is and what it knows of the VLAN is its own.
func TestReplayLLDP(t *testing.T) {
	unit := func(mac byte, name, model string, vlan uint16) lldp.PDU {
		return lldp.PDU{
			ChassisID: lldp.ID{Subtype: lldp.ChassisMAC, Value: []byte{2, 0, 0, 0, 0, mac}}, PortID: lldp.ID{Subtype: lldp.PortInterface, Value: []byte("Gi0/1")}, TTL: 120,
			TLVs: []lldp.TLV{
				{Type: lldp.TypeSystemName, Value: []byte(name)},
				{Type: lldp.TypeSystemCapabilities, Value: []byte{0, 4, 0, 4}},
				lldp.MED{Capabilities: 3, Class: 4}.TLV(), lldp.NetworkPolicy{Application: 1, Tagged: vlan > 0, VLAN: vlan}.TLV(),
				lldp.Organization(lldp.OUIMED, 10, []byte(model)...), lldp.Organization(0x00120f, 1, 3, 0x6c, 0, 0, 16),
			},
		}
	}
	got := unit(1, "mine", "A", 200)
	replayLLDP(&got, exchange.LLDP(unit(9, "theirs", "B", 0)).Fields)
	if diff := cmp.Diff(unit(1, "theirs", "B", 200), got); diff != "" {
		t.Error(diff)
	}
}

// TestReplayedDHCP: options as recorded and in their order, those of the lease as they are now; a refusal has no address.
func TestReplayedDHCP(t *testing.T) {
	message := func(options string) []byte {
		b := make([]byte, dhcpFixed, 300)
		b[0], b[1], b[2] = 2, 1, 6
		copy(b[16:], net.IPv4(10, 0, 0, 5).To4())
		copy(b[236:], []byte{99, 130, 83, 99})
		o, err := hex.DecodeString(options)
		if err != nil {
			t.Fatal(err)
		}
		b = append(append(b, o...), 255)
		for len(b) < 300 {
			b = append(b, 0)
		}
		return b
	}
	own := message("350102" + "36040a000001" + "01" + "04ffffff00" + "0f0161")
	recorded := message("350102" + "36040a090909" + "2b0401020304" + "0f0162" + "0104ff000000")
	want := message("350102" + "36040a000001" + "2b0401020304" + "0f0162" + "0104ffffff00")
	if diff := cmp.Diff(want, replayedDHCP(own, exchange.DHCP(recorded).Fields, poolOptions)); diff != "" {
		t.Error(diff)
	}
	refusal := replayedNAK(own, exchange.DHCP(message("350106"+"36040a090909")).Fields)
	if c := exchange.DHCP(refusal); c.Kind != "NAK" || value(c.Fields, "yiaddr") != "" || value(c.Fields, "option 54 server identifier") != "10.0.0.1 (0a000001)" {
		t.Errorf("%+v", c)
	}
	if broken := []byte{1, 2, 3}; !cmp.Equal(broken, replayedDHCP(broken, nil, nil)) {
		t.Error("a broken message is changed")
	}
}
