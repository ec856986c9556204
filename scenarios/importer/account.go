package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/arp"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// A StageAccount says what of a stage the capture holds, and what it lacks.
type StageAccount struct {
	Stage   devicestate.Stage
	Seen    []string
	Missing []Lack
}

// A Lack is something that a capture of a boot has and this one has not.
type Lack struct{ What, Why string }

// need is something that a stage of a boot shows, and how it is recognised.
type need struct {
	stage devicestate.Stage
	what  string
	why   string // what cannot be known without it
	is    func(*Message) bool
	inTLS bool // it is said inside TLS
}

func sentHTTP(part string) func(*Message) bool {
	return func(m *Message) bool {
		return m.spoken != nil && m.spoken.Request != nil && m.Sent && strings.Contains(m.Kind, part)
	}
}

// answerTo is the answer that came on the same connection next to what was asked.
func answerTo(asked func(*Message) bool) func(*Message) bool {
	var stream *Stream
	return func(m *Message) bool {
		switch {
		case asked(m):
			stream = m.stream
		case stream != nil && m.stream == stream && m.spoken != nil && m.spoken.Response != nil:
			stream = nil
			return true
		}
		return false
	}
}

func isDHCP(sent bool, kinds ...dhcpv4.MessageType) func(*Message) bool {
	return func(m *Message) bool {
		if m.Protocol != "dhcp" || m.Sent != sent {
			return false
		}
		p, err := dhcpoption.Parse(m.chunk.Bytes)
		return err == nil && slices.Contains(kinds, p.MessageType())
	}
}

func isLLDP(sent bool) func(*Message) bool {
	return func(m *Message) bool {
		if m.Protocol != "lldp" || m.Sent != sent {
			return false
		}
		p, err := lldp.Parse(m.frame.Payload)
		_, policy := p.VoicePolicy()
		return err == nil && (sent || policy)
	}
}

func isSIP(sent bool, method string, number int) func(*Message) bool {
	return func(m *Message) bool {
		return m.spoken != nil && m.spoken.SIP != nil && m.Sent == sent && m.spoken.SIP.IsRequest() && m.spoken.SIP.Method == method &&
			(number == 0 || strings.HasPrefix(m.Kind, method+" "+strconv.Itoa(number)))
	}
}

// registered is the 200 to a REGISTER that does not end the registration.
func registered(m *Message) bool {
	if m.spoken == nil || m.spoken.SIP == nil || m.Sent || m.spoken.SIP.Status != 200 {
		return false
	}
	_, method := m.spoken.SIP.CSeq()
	expires, ok := m.spoken.SIP.Expires()
	return method == "REGISTER" && (!ok || expires > 0) && m.State == devicestate.Register
}

func inState(protocol string, sent bool, state devicestate.State) func(*Message) bool {
	return func(m *Message) bool { return m.Protocol == protocol && m.Sent == sent && m.State == state }
}

// needs are in the order of a boot.
func needs() []need {
	issue, enroll, chain := sentHTTP(" Issue"), sentHTTP("GetAndPublishCert"), sentHTTP("GetRootCertChains")
	early := func(m *Message) bool { return sentHTTP(".upx")(m) && m.State == devicestate.UpdateLookup }
	late := func(m *Message) bool { return sentHTTP(".upx")(m) && m.State == devicestate.UpdateCheck }
	return []need{
		{devicestate.StageLink, "LLDP of the handset", "chassis, time to live and inventory are then the base profile's", isLLDP(true), false},
		{devicestate.StageLink, "a voice policy of the switch", "whether a VLAN came from the switch, or none, stays open", isLLDP(false), false},
		{devicestate.StageAddress, "DISCOVER", "options, their order and vendor class of the first request stay open", isDHCP(true, dhcpv4.MessageTypeDiscover), false},
		{devicestate.StageAddress, "OFFER", "what the DHCP server offered stays open", isDHCP(false, dhcpv4.MessageTypeOffer), false},
		{devicestate.StageAddress, "REQUEST", "the order of its options stays open", isDHCP(true, dhcpv4.MessageTypeRequest), false},
		{devicestate.StageAddress, "ACK of the lease", "address, domain, name and time servers stay open", func(m *Message) bool {
			return isDHCP(false, dhcpv4.MessageTypeAck)(m) && m.State != devicestate.PoolDiscover
		}, false},
		{devicestate.StageAddress, "ARP of the handset", "whether and how long it looks for others who have its address stays open", func(m *Message) bool { return m.arp != nil && m.Sent }, false},
		{devicestate.StageUpdate, "the name of the update server", "where the handset looks for updates stays open", func(m *Message) bool {
			return m.Protocol == "dns" && m.Sent && strings.HasPrefix(strings.ToLower(m.Kind), "a ucupdates")
		}, false},
		{devicestate.StageUpdate, "the anonymous update query", "model, revision and build that it tells stay open", early, true},
		{devicestate.StageUpdate, "its answer", "whether an update was offered stays open", answerTo(early), true},
		{devicestate.StageTime, "NTP request", "which time server was asked stays open", inState("ntp", true, devicestate.TimeSync), false},
		{devicestate.StageTime, "NTP answer", "whether the handset's clock was set stays open, and certificates hang on it", inState("ntp", false, devicestate.TimeSync), false},
		{devicestate.StageDiscovery, "INFORM", "its vendor class and options stay open", isDHCP(true, dhcpv4.MessageTypeInform), false},
		{devicestate.StageDiscovery, "ACK of the INFORM", "options 43 and 120 say where PIN sign-in goes", inState("dhcp", false, devicestate.PoolDiscover), false},
		{devicestate.StageDiscovery, "DNS questions for the registrar", "names and order in which the pool is looked for stay open", inState("dns", true, devicestate.PoolDiscover), false},
		{devicestate.StageChain, "GetRootCertChains", "whether the root chain was downloaded or held already stays open", chain, false},
		{devicestate.StageChain, "its answer", "which roots the handset trusts stays open", answerTo(chain), false},
		{devicestate.StageTicket, "the request for a web ticket", "form of the PIN and claims stay open", issue, true},
		{devicestate.StageTicket, "its answer", "whether the PIN was taken stays open", answerTo(issue), true},
		{devicestate.StageEnroll, "GetAndPublishCert", "key and signature of the certificate request stay open", enroll, true},
		{devicestate.StageEnroll, "its answer", "whether a certificate was given stays open", answerTo(enroll), true},
		{devicestate.StageRegister, "ClientHello to the registrar", "TLS version and cipher suites stay open", func(m *Message) bool {
			return m.Protocol == "tls" && m.Sent && m.stream.Server.Port() == portSIPTLS
		}, false},
		{devicestate.StageRegister, "REGISTER 1", "User-Agent, Supported and Contact stay open", isSIP(true, "REGISTER", 1), true},
		{devicestate.StageRegister, "200 OK to REGISTER", "whether the handset was registered stays open", registered, true},
		{devicestate.StageProvision, "SUBSCRIBE", "what the handset asks of in-band provisioning stays open", isSIP(true, "SUBSCRIBE", 0), true},
		{devicestate.StageProvision, "SERVICE", "what the handset publishes stays open", isSIP(true, "SERVICE", 0), true},
		{devicestate.StageUpdate, "the update query after sign-in", "whether the handset asks again stays open", late, true},
	}
}

// Account says for each stage what was seen and what is missing.
func (b *Boot) Account() []StageAccount {
	var out []StageAccount
	of := func(stage devicestate.Stage) *StageAccount {
		i := slices.IndexFunc(out, func(a StageAccount) bool { return a.Stage == stage })
		if i < 0 {
			out, i = append(out, StageAccount{Stage: stage}), len(out)
		}
		return &out[i]
	}
	for _, n := range needs() {
		frame := 0
		for i := range b.Messages {
			if n.is(&b.Messages[i]) {
				frame = b.Messages[i].Frame
				break
			}
		}
		a := of(n.stage)
		if frame > 0 {
			a.Seen = append(a.Seen, fmt.Sprintf("%s (frame %d)", n.what, frame))
			continue
		}
		a.Missing = append(a.Missing, Lack{b.where(n), n.why})
	}
	return out
}

// where says what is missing, and whether it may be in what cannot be read.
func (b *Boot) where(n need) string {
	i := slices.IndexFunc(b.Unread, func(u Unread) bool { return u.TLS })
	if !n.inTLS || i < 0 {
		return n.what
	}
	return fmt.Sprintf("%s: perhaps in the TLS that cannot be read (from frame %d)", n.what, b.Unread[i].Frame)
}

// Remarks are whatever else there is to say of the capture: what is wrong with the file, which parts could not be read,
// which signatures are wrong, what was left out of the messages.
func (b *Boot) Remarks() []string {
	out := slices.Clone(b.Notes)
	for _, u := range b.Unread {
		out = append(out, u.String())
	}
	secrets := "There are no secrets"
	switch {
	case b.serverKey:
		secrets = "The server's key does not decrypt it: it is another server's, the suites have Diffie-Hellman, or bytes are damaged or missing"
	case len(b.keyLog) > 0:
		secrets = "What secrets there are do not decrypt it, as they are of other connections, or bytes of it are damaged or missing"
	}
	if slices.ContainsFunc(b.Unread, func(u Unread) bool { return u.TLS }) {
		out = append(out, secrets+". Give a key log with --keylog, or with --server-key the RSA key of a server whose cipher suites have no Diffie-Hellman.")
	}
	for _, a := range b.Associations {
		name := cmp.Or(a.Opaque, "without a name")
		switch {
		case a.Unread != "":
			out = append(out, fmt.Sprintf("The signatures of the security association %s (frame %d) could not be verified: %s.", name, a.Frame, a.Unread))
		case len(a.Wrong) == 0:
			out = append(out, fmt.Sprintf("All %d signatures of the security association %s are right.", a.Right, name))
		default:
			out = append(out, fmt.Sprintf("%d signatures of the security association %s are right, %d wrong.", a.Right, name, len(a.Wrong)))
		}
		for _, s := range a.Wrong {
			out = append(out, fmt.Sprintf("The signature of %s in frame %d is wrong: %s.", s.Message, s.Frame, s.Wrong))
		}
	}
	if b.Repeats > 0 {
		out = append(out, fmt.Sprintf("%d announcements of a switch are no messages of the boot: the handset listens before it asks for an address alone.", b.Repeats))
	}
	if len(b.Refused) > 0 {
		out = append(out, fmt.Sprintf("%d answers came when the handset waited for them no more and refused them by ICMP (first in frame %d): they are no messages of the boot.", len(b.Refused), slices.Min(b.Refused)))
	}
	return append(out, b.probes()...)
}

// String tells what cannot be read.
func (u Unread) String() string {
	return fmt.Sprintf("%v: %d bytes of %s from frame %d on cannot be read: %s.", u.Stream, u.Bytes, side(u.Sent), u.Frame, u.Why)
}

func side(sent bool) string {
	if sent {
		return "the handset"
	}
	return "the other side"
}

// probes tells what ARP shows of the handset's address.
func (b *Boot) probes() []string {
	count, first, announced := 0, 0, 0
	var out []string
	var probed *arp.Packet
	for i := range b.Messages {
		m := &b.Messages[i]
		switch a := m.arp; {
		case a == nil:
		case m.Sent && a.Probe():
			if count++; first == 0 {
				first, probed = m.Frame, a
			}
		case m.Sent && a.Announcement() && announced == 0:
			announced = m.Frame
		case !m.Sent && first > 0 && announced == 0 && a.Sender == probed.Target:
			out = append(out, fmt.Sprintf("ARP: %v answered for %v in frame %d, which the handset was about to take.", a.Holder(), a.SenderAddr(), m.Frame))
		}
	}
	if count > 0 {
		text := fmt.Sprintf("ARP: the handset probed %d times for %v from frame %d on", count, probed.TargetAddr(), first)
		if announced > 0 {
			text += fmt.Sprintf(", and announced it in frame %d", announced)
		}
		out = append(out, text+".")
	}
	return out
}
