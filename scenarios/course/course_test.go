package course_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/course"
	"github.com/phone-edition/lpe/scenarios/format"
)

// said is a message in short: who, protocol, what, then fields as name=value. A connection is named by its port.
type said struct {
	text   string
	port   uint16
	opened int
	vlan   bool
}

func told(list []said) (messages []exchange.Message, about []course.About) {
	for i, s := range list {
		parts := strings.Split(s.text, "|")
		words := strings.SplitN(parts[0], " ", 3)
		m := exchange.Message{Sent: words[0] == ">", Protocol: words[1], Kind: words[2]}
		for _, field := range parts[1:] {
			name, value, _ := strings.Cut(field, "=")
			m.Fields = append(m.Fields, exchange.Field{Name: name, Value: value})
		}
		a := course.About{Place: i + 1, Tagged: s.vlan, Server: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), s.port)}
		if s.port != 0 {
			a.Connection, a.Opened, a.Secure = fmt.Sprint(s.port, " ", s.opened), s.opened, s.port != 80
		}
		messages, about = append(messages, m), append(about, a)
	}
	return messages, about
}

func TestStates(t *testing.T) {
	discover, offer, request, ack := said{text: "> dhcp DISCOVER|xid=1"}, said{text: "< dhcp OFFER"}, said{text: "> dhcp REQUEST"}, said{text: "< dhcp ACK"}
	policy := said{text: "< lldp LLDPDU of a switch|network policy=application 1, unknown false, tagged true, VLAN 200, priority 5, DSCP 46"}
	for name, test := range map[string]struct {
		list   []said
		behind bool // a router: its own link was not seen
		want   string
	}{
		"a switch tells the VLAN": {
			[]said{{text: "> lldp LLDPDU"}, policy, discover, offer, request, ack},
			false,
			"LinkDetect LinkDetect AddressAcquire AddressAcquire AddressAcquire AddressAcquire",
		},
		"a switch tells no policy": {
			[]said{{text: "> lldp LLDPDU"}, {text: "< lldp LLDPDU of a switch|network policy=application 1, unknown true,"}, discover},
			false,
			"LinkDetect LinkDetect VlanDiscover",
		},
		"a VLAN by DHCP": {
			[]said{discover, offer, request, {text: "< dhcp ACK|option 43 vendor specific=VLAN 200 (0a0200c8)"}, {text: "> dhcp RELEASE"}, {text: "> dhcp DISCOVER|xid=2"}, offer, request, ack},
			false,
			"VlanDiscover VlanDiscover VlanDiscover VlanDiscover VlanDiscover AddressAcquire AddressAcquire AddressAcquire AddressAcquire",
		},
		"no VLAN by DHCP": {
			[]said{discover, offer, request, ack, {text: "> arp probe"}, {text: "> ntp client request"}},
			false,
			"VlanDiscover VlanDiscover VlanDiscover VlanDiscover AddressAcquire TimeSync",
		},
		"nobody answers": {
			[]said{discover, discover, {text: "> dhcp DISCOVER|xid=2"}, {text: "> dhcp DISCOVER|xid=3"}},
			false,
			"VlanDiscover VlanDiscover AddressAcquire AddressAcquire",
		},
		"seen in the VLAN":        {[]said{{text: "> dhcp DISCOVER|xid=1", vlan: true}}, false, "AddressAcquire"},
		"seen behind a router":    {[]said{discover}, true, "AddressAcquire"},
		"asks for what it had":    {[]said{{text: "> lldp LLDPDU"}, request, ack}, false, "LinkDetect AddressAcquire AddressAcquire"},
		"boots again":             {[]said{discover, ack, {text: "> dhcp INFORM"}, {text: "> dhcp DISCOVER|xid=7"}}, false, "VlanDiscover VlanDiscover PoolDiscover VlanDiscover"},
		"encrypted, to registrar": {[]said{{text: "> dhcp INFORM"}, {text: "> tls ClientHello", port: 5061}, {text: "< tls ServerHello", port: 5061}}, false, "PoolDiscover Register Register"},
		"encrypted, to the web":   {[]said{{text: "> dhcp INFORM"}, {text: "> tls ClientHello", port: 443}}, false, "PoolDiscover WebTicket"},
		"web services": {[]said{
			{text: "> dhcp INFORM"},
			{text: "> http GET /CertProv/mex|request=GET /CertProv/mex", port: 80},
			{text: "< http 200 OK|response=200 OK", port: 80},
			{text: "> tls ClientHello", port: 443},
			{text: "> http POST /WebTicket/x Issue|request=POST /WebTicket/x", port: 443},
			{text: "> http POST /CertProv/x GetAndPublishCert|request=POST /CertProv/x", port: 443},
		}, false, "PoolDiscover RootChain RootChain WebTicket WebTicket Enroll"},
		"sign-in": {[]said{
			{text: "> sip REGISTER 1|request=REGISTER sip:x", port: 5061},
			{text: "< sip 200 OK to REGISTER 1|response=200 OK", port: 5061},
			{text: "> sip SUBSCRIBE 1 " + course.ProvisioningEvent + ", Expires 0|request=SUBSCRIBE sip:u|Event=" + course.ProvisioningEvent + "|Expires=0", port: 5061},
			{text: "> http POST /r.upx|request=POST /r.upx", port: 443},
			{text: "> sip keep-alive|bytes=0d0a0d0a", port: 5061},
			{text: "> sip REGISTER 2|request=REGISTER sip:x", port: 5061},
		}, false, "Register Register Provision UpdateCheck Ready Ready"},
		"the lease is renewed": {[]said{
			{text: "> sip SUBSCRIBE 1 " + course.ProvisioningEvent + ", Expires 0|request=SUBSCRIBE sip:u|Event=" + course.ProvisioningEvent + "|Expires=0", port: 5061},
			{text: "> http POST /r.upx|request=POST /r.upx", port: 443},
			{text: "< http 200 OK|response=200 OK", port: 443},
			request, ack,
		}, false, "Provision UpdateCheck UpdateCheck Ready Ready"},
		"an image": {[]said{
			{text: "> http POST /r.upx|request=POST /r.upx", port: 443}, {text: "> http GET /CPE.nbt|request=GET /CPE.nbt", port: 443},
		}, false, "UpdateLookup Updating"},
		"questions": {[]said{
			{text: "< dhcp ACK"},
			{text: "> dns SRV _sip._tls.x|id=1|question=SRV _sip._tls.x"},
			{text: "< dns answer to SRV _sip._tls.x: Success|id=1|question=SRV _sip._tls.x"},
			{text: "> dns A time.windows.com|id=2|question=A time.windows.com"},
			{text: "> ntp client request"},
			{text: "> dns A sip.x|id=3|question=A sip.x"},
			{text: "> dns A pool.x|id=4|question=A pool.x"},
			{text: "< dns answer to A pool.x: Success|id=4|question=A pool.x|A pool.x.=10.0.0.1, TTL 9 s"},
			{text: "> tls ClientHello", port: 5061, opened: 9},
		}, true, " UpdateLookup UpdateLookup TimeSync TimeSync PoolDiscover Register Register Register"},
	} {
		t.Run(name, func(t *testing.T) {
			messages, about := told(test.list)
			course.States(messages, about, !test.behind)
			var got []string
			for _, m := range messages {
				got = append(got, string(m.State))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestReached(t *testing.T) {
	in := func(protocol string, states ...devicestate.State) (out []exchange.Message) {
		for _, s := range states {
			out = append(out, exchange.Message{Protocol: protocol, State: s})
		}
		return out
	}
	for name, test := range map[string]struct {
		list []exchange.Message
		want []devicestate.State
	}{
		"nothing":          {nil, []devicestate.State{"LinkDetect"}},
		"an image alone":   {in("http", "Updating"), []devicestate.State{"LinkDetect"}},
		"once each":        {in("dhcp", "", "VlanDiscover", "VlanDiscover", "AddressAcquire"), []devicestate.State{"VlanDiscover", "AddressAcquire"}},
		"the first boot":   {in("dhcp", "VlanDiscover", "AddressAcquire", "VlanDiscover", "Ready"), []devicestate.State{"VlanDiscover", "AddressAcquire"}},
		"ready and again":  {in("sip", "Register", "Ready", "UpdateCheck", "Ready"), []devicestate.State{"Register", "Ready", "UpdateCheck", "Ready"}},
		"a timer's frames": {append(in("lldp", "LinkDetect", "Ready"), in("arp", "Enroll")...), []devicestate.State{"LinkDetect"}},
	} {
		if diff := cmp.Diff(test.want, course.Reached(test.list)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// The steps that are written are a scenario, whatever states a boot came to: nobody signs in to one that ended before, and
// one that came to no end goes on for as long as it was seen, within bounds.
func TestWriteSteps(t *testing.T) {
	stays := map[devicestate.State]time.Duration{
		"LinkDetect": 10 * time.Minute, "UpdateLookup": 32 * time.Second, "RootChain": 32 * time.Second, "Updating": 2 * time.Second, "Ready": 0,
	}
	for _, states := range [][]devicestate.State{
		{"LinkDetect"},
		{"VlanDiscover", "AddressAcquire", "UpdateLookup"},
		{"PoolDiscover", "RootChain"},
		{"AddressAcquire", "UpdateLookup", "Updating"},
		{"LinkDetect", "AddressAcquire", "UpdateLookup", "TimeSync", "PoolDiscover", "RootChain", "WebTicket", "Enroll", "Register", "Provision", "UpdateCheck", "Ready"},
	} {
		last := states[len(states)-1]
		var w bytes.Buffer
		fmt.Fprintf(&w, "name: x\ndescription: x\nsource: x\nlab: %s\n", course.LabIn("litware", states))
		var messages []exchange.Message
		for i, state := range states {
			messages = append(messages, exchange.Message{At: time.Duration(i) * time.Minute, Protocol: "http", State: state})
		}
		more := 30500 * time.Millisecond
		if last == "LinkDetect" {
			more = time.Hour
		}
		more += messages[len(messages)-1].At
		course.WriteSteps(&w, "kenmyer", append(messages, exchange.Message{At: more, Protocol: "http", State: last}))
		s, err := format.Parse("x.yaml", w.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, w.String())
		}
		signsIn := strings.Contains(w.String(), "sign_in: kenmyer\n")
		if want := last == "RootChain" || last == "Ready"; signsIn != want || len(s.Steps) < 2 {
			t.Errorf("%v: signs in %v, %d steps", states, signsIn, len(s.Steps))
		}
		if want := stays[last]; s.Stays() != want {
			t.Errorf("%v: stays %v, want %v", states, s.Stays(), want)
		}
		if strings.Contains(w.String(), "Updating") || strings.Contains(w.String(), "lldp_policy: none") != (states[0] == "VlanDiscover") {
			t.Errorf("%v:\n%s", states, w.String())
		}
	}
}

func TestRecognise(t *testing.T) {
	one := func(protocol string, fields ...exchange.Field) exchange.Message {
		return exchange.Message{Sent: true, Protocol: protocol, Fields: fields}
	}
	for name, test := range map[string]struct {
		list      []exchange.Message
		name, why string
	}{
		"LLDP-MED": {
			[]exchange.Message{one("lldp", exchange.Field{Name: "firmware", Value: "4.0.7577.4512"}, exchange.Field{Name: "model", Value: "4120"})},
			"hp-4120-4.0.7577.4512", "model 4120 with firmware 4.0.7577.4512, by LLDP-MED",
		},
		"update query": {
			[]exchange.Message{one("http", exchange.Field{Name: "Request/Model", Value: "CX700"}, exchange.Field{Name: "Request/Modules/Module/Version", Value: "3.5.6907.187"})},
			"polycom-cx700-3.5.6907.187", "model CX700 with firmware 3.5.6907.187, by the update query",
		},
		"User-Agent": {
			[]exchange.Message{one("sip", exchange.Field{Name: "User-Agent", Value: "CPE/4.0.7577.4512 OCPhone/4.0.7577.4512 (Microsoft Lync 2010 Phone Edition)"}), {Protocol: "sip"}},
			"", `firmware 4.0.7577.4512; of model "" there is no profile, by the User-Agent`,
		},
		"unknown firmware": {
			[]exchange.Message{one("lldp", exchange.Field{Name: "firmware", Value: "9.9.9.9"}, exchange.Field{Name: "model", Value: "CX600"})},
			"", `model CX600; of firmware "9.9.9.9" there is no profile, by LLDP-MED`,
		},
		"nothing": {[]exchange.Message{one("sip", exchange.Field{Name: "User-Agent", Value: "Sipe/1"})}, "polycom-cx600-4.0.7577.4463", "the default: neither a model nor a firmware was seen that there is a profile of"},
	} {
		profile, why := course.Recognise(test.list)
		if why != test.why || test.name != "" && profile != test.name {
			t.Errorf("%s: %s (%s)", name, profile, why)
		}
	}
}
