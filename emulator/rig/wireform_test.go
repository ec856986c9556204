package rig_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/emulator/rig"
)

// This file holds what the handset sends against the references, written down here and made by no code that sends:
// discovery.md §1.1 to §1.4, web-services.md §2 to §4, sip.md §1.3, §4 and §8. The golden files hold the rest.

// forms holds texts with {names} against forms of a reference. A name stands for what its pattern matches, and for the
// same in all that follows.
type forms struct {
	t      *testing.T
	values map[string]string
}

// patterns say what a name may stand for while its value is not known.
var patterns = map[string]string{
	"local":        `10\.20\.0\.20:\d{4,5}`,
	"tag":          `[0-9a-f]{10}`, // sip.md §4.1
	"epid":         `[0-9a-f]{10}`,
	"ms-opaque":    `[0-9a-f]{10}`,
	"call-id":      `[0-9a-f]{32}`,
	"to-tag":       `[0-9A-F]{32}`,
	"association":  `[0-9A-F]{8}`, // sip.md §1.2
	"flight":       `[A-Za-z0-9+/]+={0,2}`,
	"crand":        `[0-9a-f]{8}`,
	"response":     `[0-9a-f]{40}`, // HMAC-SHA1
	"length":       `[1-9][0-9]*`,
	"uuid":         `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
	"entropy":      `[A-Za-z0-9+/]{43}=`, // 32 bytes
	"body":         `(?s:.*)`,
	"lifetime":     `<Created xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">2013-05-01T[0-9:]+Z</Created><Expires xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">2013-05-01T[0-9:]+Z</Expires>`,
	"assertion":    `<saml:Assertion .*</saml:Assertion>`,
	"assertion-id": `SamlSecurityToken-[0-9a-f-]{36}`,
	"digest":       `[A-Za-z0-9+/]{27}=`, // SHA-1
	"signature":    `[A-Za-z0-9+/]{27}=`,
	"request-id":   `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
	"csr":          `(?:\r\n[A-Za-z0-9+/]{76})+\r\n[A-Za-z0-9+/]{1,75}={0,2}`, // web-services.md §4.1: 76 columns, CRLF in front
}

var namePattern = regexp.MustCompile(`\{([a-z0-9-]+)\}`)

// hold fails unless text has the form; forget are names that stand for something new here.
func (f *forms) hold(what, form, text string, forget ...string) {
	f.t.Helper()
	for _, name := range forget {
		delete(f.values, name)
	}
	var names []string
	pattern := strings.Builder{}
	at := 0
	for _, m := range namePattern.FindAllStringSubmatchIndex(form, -1) {
		name := form[m[2]:m[3]]
		pattern.WriteString(regexp.QuoteMeta(form[at:m[0]]))
		at = m[1]
		if value, ok := f.values[name]; ok {
			pattern.WriteString(regexp.QuoteMeta(value))
			continue
		}
		if patterns[name] == "" {
			f.t.Fatalf("%s: nothing is known of {%s}", what, name)
		}
		names = append(names, name)
		pattern.WriteString("(" + patterns[name] + ")")
	}
	pattern.WriteString(regexp.QuoteMeta(form[at:]))
	got := regexp.MustCompile("^" + pattern.String() + "$").FindStringSubmatch(text)
	if got == nil {
		f.t.Errorf("%s has not its form (-form +sent), with %v:\n%s", what, f.values, cmp.Diff(strings.Split(form, "\n"), strings.Split(text, "\n")))
		return
	}
	for i, name := range names {
		if value, ok := f.values[name]; ok && value != got[i+1] {
			f.t.Errorf("%s: {%s} is %q and %q", what, name, value, got[i+1])
		}
		f.values[name] = got[i+1]
	}
}

// TestForms boots litware, refreshes the registration once and signs off.
func TestForms(t *testing.T) {
	onTap(t, "litware", rig.DefaultProfile, nil, func(x *tapped) {
		x.boot()
		x.stay(oneRefresh)
		x.signOff()
		x.holdLLDP()
		x.holdDHCP("discover untagged", "request untagged", "inform untagged")
		x.holdHellos()
		x.holdHTTP()
		x.holdSIP()
	})
}

// TestDHCPForms boots where the handset sends what it does not send otherwise.
func TestDHCPForms(t *testing.T) {
	for _, test := range []struct {
		lab, fault string
		want       []string
	}{
		{"contoso", "", []string{"discover VLAN 200, priority 5", "request VLAN 200, priority 5", "inform VLAN 200, priority 5"}},
		{"contoso", "link=silent", []string{ // discovery.md §1.2
			"discover untagged", "request untagged", "release untagged",
			"discover VLAN 200, priority 0", "request VLAN 200, priority 0", "inform VLAN 200, priority 0",
		}},
		{"litware", "link=silent", []string{"discover untagged", "request untagged", "inform untagged"}},
		{"litware", "address=duplicate", []string{
			"discover untagged", "request untagged", "decline untagged", "discover untagged", "request untagged", "inform untagged",
		}},
	} {
		t.Run(strings.TrimSpace(test.lab+" "+test.fault), func(t *testing.T) {
			onTap(t, test.lab, rig.DefaultProfile, func(s *setting) {
				if test.fault != "" {
					s.Faults = []string{test.fault}
				}
			}, func(x *tapped) {
				x.boot()
				x.holdDHCP(test.want...)
				x.holdTags()
			})
		})
	}
}

func (x *tapped) hostName() string { return "CX600-" + strings.ToUpper(hex.EncodeToString(x.mac[3:])) }

// lldpdu is the announcement of a class III endpoint, its model and firmware in the inventory (discovery.md §1.1); the
// chassis is its network address, 0.0.0.0 before there is one. policy is the value of the MED network policy.
func (x *tapped) lldpdu(address, policy string) string {
	mac := hex.EncodeToString(x.mac)
	return "0180c200000e" + mac + "88cc" +
		"0206" + "0501" + address +
		"0407" + "03" + mac + // port: MAC
		"0602" + "0078" + // 120 s
		"0a0c" + hex.EncodeToString([]byte(x.hostName())) + // system name
		"0e04" + "00240024" + // telephone and bridge
		"fe09" + "00120f" + "01" + "03" + "6c00" + "0010" + // IEEE 802.3 MAC/PHY
		"fe07" + "0012bb" + "01" + "003f" + "03" + // MED capabilities, class III
		"fe08" + "0012bb" + "02" + policy +
		"fe11" + "0012bb" + "06" + hex.EncodeToString([]byte("4.0.7577.4463")) +
		"fe0b" + "0012bb" + "09" + hex.EncodeToString([]byte("POLYCOM")) +
		"fe09" + "0012bb" + "0a" + hex.EncodeToString([]byte("CX600")) +
		"0000"
}

// leaving is the shutdown LLDPDU, padded to the shortest frame (IEEE 802.1AB 9.1.2.2).
func (x *tapped) leaving(address string) string {
	mac := hex.EncodeToString(x.mac)
	frame := "0180c200000e" + mac + "88cc" + "0206" + "0501" + address + "0407" + "03" + mac + "0602" + "0000" + "0000"
	return frame + strings.Repeat("0", 120-len(frame))
}

// holdLLDP: the policy is unknown first, then the one of litware's switch, untagged with DSCP 46. With its address the
// handset has another chassis: the old one leaves before it.
func (x *tapped) holdLLDP() {
	x.t.Helper()
	const none, own, unknown, told = "00000000", "0a140014", "01" + "800000", "01" + "00002e"
	phases := []string{x.lldpdu(none, unknown), x.lldpdu(none, told), x.leaving(none), x.lldpdu(own, told), x.leaving(own)}
	count, phase := make([]int, len(phases)), 0
	for _, f := range x.tap.framesOf(isLLDP) {
		got := hex.EncodeToString(f)
		at := slices.Index(phases, got)
		if at < phase {
			x.t.Errorf("LLDPDU\n got %s\nwant %s or later", got, phases[phase])
			continue
		}
		phase = at
		count[at]++
	}
	if slices.Contains(count, 0) || count[2] != 1 || count[4] != 1 {
		x.t.Errorf("%v LLDPDUs of the phases", count)
	}
	if first := x.tap.frames[0]; !isLLDP(first) {
		x.t.Errorf("the first frame of all is no LLDPDU: %x", first)
	}
}

// captured is the INFORM of discovery.md §1.4, without its padding to 300 bytes.
const captured = "01010600" + "a1d6660b" + "0000" + "0000" + "0fff7d3d" + "000000000000000000000000" + "f4ce462252b3" + "00000000000000000000" +
	"0000000000000000000000000000000000000000000000000000000000000000" + "0000000000000000000000000000000000000000000000000000000000000000" +
	"0000000000000000000000000000000000000000000000000000000000000000" + "0000000000000000000000000000000000000000000000000000000000000000" +
	"0000000000000000000000000000000000000000000000000000000000000000" + "0000000000000000000000000000000000000000000000000000000000000000" +
	"63825363" + "350108" + "3d0701f4ce462252b3" + "0c0864646177736f6e35" + "3702782b" + "3c0c4d532d55432d436c69656e74" + "ff"

// bootp is a DHCP message of the handset (RFC 2131 §2) with options in hexadecimal digits.
func bootp(mac, xid, ciaddr, options string) string {
	options = strings.ReplaceAll(options, " ", "") + "ff"
	message := "01010600" + xid + "0000" + "0000" + ciaddr + strings.Repeat("00", 12) + mac + strings.Repeat("00", 10+64+128) + "63825363" + options
	return message + strings.Repeat("00", max(0, 300-len(message)/2))
}

// holdDHCP holds each DHCP frame, byte for byte but for addresses and transaction. want names message and tag.
//
// DISCOVER, REQUEST and DECLINE are those of Windows CE with the class of Lync Phone Edition and the request list of
// discovery.md §1.3, RELEASE is that of RFC 2131 table 5, INFORM is the captured frame but for host name, addresses and transaction.
func (x *tapped) holdDHCP(want ...string) {
	x.t.Helper()
	mac, name := hex.EncodeToString(x.mac), hex.EncodeToString([]byte(x.hostName()))
	id, host := "3d0701"+mac, fmt.Sprintf("0c%02x%s", len(name)/2, name)
	asks := id + host + "3709 0103060f2c2e2f2a2b" + "3c0b" + hex.EncodeToString([]byte("CPE-OCPHONE"))
	kinds := map[byte]string{1: "discover", 3: "request", 4: "decline", 7: "release", 8: "inform"}
	var got []string
	var server, address, own, xid string
	for _, f := range x.tap.framesOf(isDHCP) {
		kind := kinds[f.dhcpKind()]
		got = append(got, kind+" "+f.tag())
		d, _ := f.dhcp()
		if kind != "request" {
			xid = hex.EncodeToString(d.payload[4:8])
		}
		broadcast, ciaddr, options := true, "00000000", ""
		switch kind {
		case "discover":
			own = "00000000"
			options = "350101" + asks
		case "request":
			server, address = hex.EncodeToString(d.option(54)), hex.EncodeToString(d.option(50))
			options = "350103" + "3604" + server + "3204" + address + asks
		case "decline":
			options = "350104" + "3204" + address + id + "3604" + server
		case "release":
			broadcast, ciaddr, own = false, address, address
			options = "350107" + id + "3604" + server
		case "inform":
			own = address
		}
		layout := bootp(mac, xid, ciaddr, options)
		if kind == "inform" {
			layout = strings.NewReplacer("a1d6660b", xid, "0fff7d3d", address, "f4ce462252b3", mac, "0c0864646177736f6e35", host).Replace(captured)
			layout += strings.Repeat("00", 300-len(layout)/2)
		}
		if payload := hex.EncodeToString(d.payload); payload != layout {
			x.t.Errorf("%s\n got %s\nwant %s", kind, payload, layout)
		}
		to, macTo := "ffffffff", "ffffffffffff"
		if !broadcast {
			to, macTo = server, hex.EncodeToString(x.tap.macOf(addressPort(server, 67).Addr()))
		}
		if f := hex.EncodeToString(f[:12]); f != macTo+mac {
			x.t.Errorf("%s from and to %s, want %s", kind, f, macTo+mac)
		}
		if src, dst := addressPort(own, 68), addressPort(to, 67); d.src != src || d.dst != dst || d.ttl != 128 {
			x.t.Errorf("%s: %v > %v, time to live %d; want %v > %v, 128", kind, d.src, d.dst, d.ttl, src, dst)
		}
		if wantTOS := x.wantTOS(); d.tos != wantTOS {
			x.t.Errorf("%s: type of service %02x, want %02x", kind, d.tos, wantTOS)
		}
	}
	if !slices.Equal(got, want) {
		x.t.Errorf("sent %q, want %q", got, want)
	}
}

// holdTags: from the first tagged frame on every frame is tagged.
func (x *tapped) holdTags() {
	x.t.Helper()
	frames := x.tap.framesOf(func(f frame) bool { return !isLLDP(f) }) // LLDP never has a tag (IEEE 802.1AB 6.5)
	first := slices.IndexFunc(frames, func(f frame) bool { return f.tag() != "untagged" })
	if (first < 0) != (x.Lab.Network.VoiceVLAN == 0) {
		x.t.Errorf("of %d frames the first one with a tag is number %d", len(frames), first)
	}
	for _, f := range frames[max(first, 0):] {
		if first >= 0 && !strings.HasPrefix(f.tag(), fmt.Sprintf("VLAN %d,", x.Lab.Network.VoiceVLAN)) {
			x.t.Errorf("after the tag was set: %s", f.head())
		}
	}
}

// wantTOS is DSCP 46 of the switch's voice policy, which both labs have, if the switch speaks.
func (x *tapped) wantTOS() byte {
	if slices.Contains(x.Faults, "link=silent") {
		return 0
	}
	return 46 << 2
}

func addressPort(digits string, port uint16) netip.AddrPort {
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != 4 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), port)
}

// holdHellos: TLS 1.0 alone, AES128-SHA, 3DES and RC4 by RSA key exchange, no server name (web-services.md §5,
// sip.md §1.5), on each outer connection and inside SIP.
func (x *tapped) holdHellos() {
	x.t.Helper()
	var all []hello
	for _, c := range x.tap.connections() {
		if isTLS(c.sent) {
			all = append(all, readHello(c.sent))
		}
		for _, m := range x.messagesOf(c) {
			_, flight, ok := strings.Cut(m.value("Authorization"), `gssapi-data="`)
			flight, _, _ = strings.Cut(flight, `"`)
			if b, err := base64.StdEncoding.DecodeString(flight); ok && err == nil && readHello(b).version != 0 {
				all = append(all, readHello(b))
			}
		}
	}
	if len(all) != 5 { // updates, web services, registrar, inside SIP, updates
		x.t.Errorf("%d ClientHellos, want 5", len(all))
	}
	for _, h := range all {
		if h.record != 0x0301 || h.version != 0x0301 || !slices.Equal(h.suites, []uint16{0x002f, 0x000a, 0x0005}) || slices.Contains(h.extensions, 0) {
			x.t.Errorf("ClientHello: %v, extensions %d", h, h.extensions)
		}
	}
}

// holdHTTP holds the requests to update and web services, in their order.
func (x *tapped) holdHTTP() {
	x.t.Helper()
	f := &forms{x.t, map[string]string{"host": "atl-cs-001.litwareinc.com", "instance": x.endpoint().uuid}}
	const (
		service = "http://schemas.microsoft.com/OCS/AuthWebServices/"
		soap    = "Content-Type: text/xml; charset=utf-8\n"
		end     = "Connection: Keep-Alive\n"
		query   = "POST /RequestHandler/ucdevice.upx HTTP/1.1\nHost: %s:443\n" + soap + end + "Content-Length: {length}\n\n{body}\n"
	)
	rst, enroll := x.sample("web-services-rst.xml"), x.sample("web-services-enroll.xml")
	want := []struct{ what, form string }{
		{"the first query for updates", fmt.Sprintf(query, "ucupdates-r2.litwareinc.com")},
		{"the anonymous metadata", "GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\nHost: {host}\n" + end},
		{
			"the request for the root chain", "POST /CertProv/CertProvisioningService.svc HTTP/1.1\nHost: {host}\n" + soap +
				`SOAPAction: "` + service + `GetRootCertChains"` + "\n" + end + "Content-Length: {length}\n\n" +
				`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetRootCertChains xmlns="` + service + `"/></s:Body></s:Envelope>` + "\n",
		},
		{"the metadata of certificate provisioning", "GET /CertProv/CertProvisioningService.svc/mex HTTP/1.1\nHost: {host}:443\n" + end},
		{"the metadata of the web ticket service", "GET /WebTicket/WebTicketService.svc/mex HTTP/1.1\nHost: {host}\n" + end},
		{
			"the request for the web ticket", "POST /WebTicket/WebTicketService.svc/pin HTTP/1.1\nHost: {host}\n" + soap +
				`SOAPAction: "http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"` + "\n" + end + "Content-Length: {length}\n\n" + rst + "\n",
		},
		{
			"the request for the certificate", "POST /CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1 HTTP/1.1\nHost: {host}\n" + soap +
				`SOAPAction: "` + service + `GetAndPublishCert"` + "\n" + end + "Content-Length: {length}\n\n" + enroll + "\n",
		},
		{"the second query for updates", fmt.Sprintf(query, "{host}")},
	}
	var got []message
	for _, c := range x.tap.connections() {
		if c.to.Port() != 5061 {
			got = append(got, x.messagesOf(c)...)
		}
	}
	if len(got) != len(want) {
		x.t.Fatalf("%d requests, want %d", len(got), len(want))
	}
	for i, m := range got {
		f.hold(want[i].what, want[i].form, m.plain(), "length", "body", "uuid")
	}
}

// plain is the message as the forms have it.
func (m message) plain() string {
	text := strings.Join(m.head, "\n") + "\n"
	if m.body != "" {
		text += "\n" + m.body + "\n"
	}
	return text
}

// sample is a message of a reference on one line, as it goes over the wire.
func (x *tapped) sample(name string) string {
	x.t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "forms", name))
	if err != nil {
		x.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}
