package exchange_test

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/arp"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/ntp"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// told is a content as text, a line a field; a leading * marks what is fresh.
func told(c exchange.Content) string {
	var b strings.Builder
	fmt.Fprintln(&b, c.Kind)
	for _, f := range c.Fields {
		mark := map[timeline.Origin]string{timeline.Fresh: "*", timeline.Masked: "#"}[f.Origin]
		fmt.Fprintln(&b, strings.TrimRight(mark+f.Name+": "+f.Value, " "))
	}
	return b.String()
}

func TestContents(t *testing.T) {
	// The DISCOVER begins as that of RFC 2131, 4.3.1 does; options are those of RFC 2132, 3 and 9.
	discover, err := hex.DecodeString("01010600" + "4a0afea5" + "00048000" + strings.Repeat("00", 16) + "0004f2089921" + strings.Repeat("00", 10+192) +
		"63825363" + "350101" + "3d07010004f2089921" + "0c01" + "41" + "370103" + "ff")
	if err != nil {
		t.Fatal(err)
	}
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 0x10c1, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("pool.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	answer := question
	answer.Header = dnsmessage.Header{ID: 0x10c1, Response: true, RecursionDesired: true}
	answer.Answers = []dnsmessage.Resource{
		{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("pool.test."), Class: dnsmessage.ClassINET, TTL: 60}, Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("fe.test.")}},
		{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("fe.test."), Class: dnsmessage.ClassINET, TTL: 5}, Body: &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}}},
		{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("fe.test."), Class: dnsmessage.ClassINET, TTL: 5}, Body: &dnsmessage.AResource{A: [4]byte{10, 0, 0, 2}}},
	}
	pack := func(m dnsmessage.Message) []byte {
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	request := ntp.Packet{Version: 4, Mode: ntp.ModeClient, Transmit: 0x0102030405060708}
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	packed := func(p ntp.Packet) []byte {
		b, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	endpoint := lldp.Endpoint{
		MAC: net.HardwareAddr{0, 4, 0xf2, 8, 0x99, 0x21}, Address: netip.MustParseAddr("10.0.0.2"), SystemName: "PHONE", Manufacturer: "POLYCOM",
		TTL: 120, ChassisSubtype: lldp.ChassisNetwork, Policy: &lldp.NetworkPolicy{Application: 1, Tagged: true, VLAN: 7, Priority: 5, DSCP: 46},
	}.PDU()
	endpoint.TLVs = append(endpoint.TLVs, lldp.TLV{Type: 99, Value: []byte{1}}, lldp.Organization(lldp.OUIMED, 3, 2, 0))
	event := &sipmessage.Message{Method: "NOTIFY", RequestURI: "sip:a@x", Headers: []sipmessage.Header{
		{Name: "CSeq", Value: "1 NOTIFY"}, {Name: "Event", Value: "registration-notify"}, {Name: "Content-Type", Value: "text/registration-event"},
	}, Body: []byte("deregistered;event=rejected;other=0712")}

	for _, one := range []struct {
		packet         arp.Packet
		sent, received string
	}{
		{arp.Packet{Operation: arp.Request, Target: [4]byte{10, 0, 0, 1}}, "probe", "probe"},
		{arp.Packet{Operation: arp.Request, Sender: [4]byte{10, 0, 0, 1}, Target: [4]byte{10, 0, 0, 1}}, "announcement", "announcement"},
		{arp.Packet{Operation: arp.Request, Sender: [4]byte{10, 0, 0, 1}, Target: [4]byte{10, 0, 0, 2}}, "request for 10.0.0.2", "request by 10.0.0.1"},
		{arp.Packet{Operation: arp.Reply, Sender: [4]byte{10, 0, 0, 1}, Target: [4]byte{10, 0, 0, 2}}, "answer to 10.0.0.2", "answer of 10.0.0.1"},
	} {
		if sent, received := exchange.ARP(one.packet, true).Kind, exchange.ARP(one.packet, false).Kind; sent != one.sent || received != one.received {
			t.Errorf("%+v: sent %q, received %q", one.packet, sent, received)
		}
	}
	for name, test := range map[string]struct {
		got  exchange.Content
		want string
	}{
		"DHCP": {exchange.DHCP(discover), `DISCOVER
*xid: 4a0afea5
secs: 4
flags: 8000
chaddr: 00:04:f2:08:99:21
option 53 message type: DISCOVER (01)
option 61 client identifier: 010004f2089921
option 12 host name: "A" (41)
option 55 parameter request list: 3 (03)
`},
		"ARP request": {exchange.ARP(arp.Packet{Operation: arp.Request, SenderMAC: [6]byte{0, 4, 0xf2, 8, 0x99, 0x21}, Sender: [4]byte{10, 0, 0, 2}, Target: [4]byte{10, 0, 0, 1}}, true), `request for 10.0.0.1
operation: 1 request
sender MAC: 00:04:f2:08:99:21
sender IP: 10.0.0.2
target MAC: 00:00:00:00:00:00
target IP: 10.0.0.1
`},
		"ARP operation": {exchange.ARP(arp.Packet{Operation: 8, Sender: [4]byte{10, 0, 0, 2}}, false), `operation 8
operation: 8 unknown
sender MAC: 00:00:00:00:00:00
sender IP: 10.0.0.2
target MAC: 00:00:00:00:00:00
target IP: 0.0.0.0
`},
		"DNS question": {exchange.DNS(pack(question)), `A pool.test
*id: 10c1
flags: recursion desired
question: A pool.test
`},
		"DNS answer": {exchange.DNS(pack(answer)), `answer to A pool.test: Success
*id: 10c1
flags: answer, recursion desired
code: Success
question: A pool.test
CNAME pool.test.: fe.test., TTL 60 s
A fe.test.: 10.0.0.1, TTL 5 s
A fe.test.[2]: 10.0.0.2, TTL 5 s
`},
		"NTP request": {exchange.NTP(packed(request)), `client request
leap: 0
version: 4
mode: 3
stratum: 0
poll: 0
precision: 0
root delay: 00000000
root dispersion: 00000000
reference id: 00000000
reference: not set
origin: not set
receive: not set
*transmit: 0102030405060708
`},
		"NTP answer": {exchange.NTP(packed(ntp.Answer(request, at, at.Add(time.Second), 2))), `server answer
leap: 0
version: 4
mode: 4
stratum: 2
poll: 0
precision: -20
root delay: 00000000
root dispersion: 0000028f
reference id: 7f7f0101
*reference: 2026-05-06T07:08:09Z
*origin: 0102030405060708
*receive: 2026-05-06T07:08:09Z
*transmit: 2026-05-06T07:08:10Z
`},
		"LLDP": {exchange.LLDP(endpoint), `LLDPDU
chassis: subtype 5, 010a000002
port: subtype 3, 0004f2089921
time to live: 120 s
system name: PHONE
system capabilities: 00240024
TLV 127 00120f 1: 036c000010
LLDP-MED: class 3, capabilities 0x3f
network policy: application 1, unknown false, tagged true, VLAN 7, priority 5, DSCP 46
manufacturer: POLYCOM
TLV 99: 01
location: 0200
`},
		"registration event": {exchange.SIP(event), `NOTIFY 1 registration-notify
request: NOTIFY sip:a@x
CSeq: 1 NOTIFY
Event: registration-notify
Content-Type: text/registration-event
body: deregistered
body;event: rejected
#body;parameter: ***
`},
	} {
		if diff := cmp.Diff(test.want, told(test.got)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestOf(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := timeline.Observation{
		At: began.Add(3 * time.Second), Kind: timeline.Received, State: devicestate.Register, Protocol: "sip", Peer: "pool.test (10.0.0.1:5061)",
		Message: "200 OK to REGISTER 1", Fields: []exchange.Field{{Name: "CSeq", Value: "1 REGISTER"}},
	}
	want := exchange.Message{
		At: 3 * time.Second, State: devicestate.Register, Protocol: "sip", Peer: "pool.test", Kind: "200 OK to REGISTER 1", Fields: o.Fields,
	}
	got, ok := exchange.Of(o, began)
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("ok %v, -want +got:\n%s", ok, diff)
	}
	for _, kind := range []timeline.Kind{timeline.Dropped, timeline.Note, timeline.Transition} {
		o.Kind = kind
		if m, ok := exchange.Of(o, began); ok {
			t.Errorf("%s is the message %v", kind, m)
		}
	}
	for text, want := range map[string]string{
		"10.0.0.1:67": "10.0.0.1", "10.0.0.1": "10.0.0.1", "pool.test (10.0.0.1:443)": "pool.test", "02:4c:41:42:00:01": "02:4c:41:42:00:01", "switch": "switch",
	} {
		if got := exchange.Peer(text); got != want {
			t.Errorf("peer %q is %q, want %q", text, got, want)
		}
	}
}
