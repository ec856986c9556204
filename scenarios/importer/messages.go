package importer

import (
	"cmp"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/arp"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// A Message is one message of the boot, and where the capture has it.
type Message struct {
	exchange.Message
	Frame int    // that made it whole
	Raw   []byte // as it was captured, decrypted: of HTTP and SIP the message, of what has no connection the payload

	chunk  chunk
	flight []byte // of a TLS hello
	spoken *spoken
	arp    *arp.Packet
	stream *Stream
	frame  *frame
}

// Boot is a captured boot in the terms of its protocols.
type Boot struct {
	*Capture
	Messages []Message
	Unread   []Unread
	Repeats  int   // LLDP of the switch behind the unit that the handset followed
	Refused  []int // frames with answers that the handset refused: nobody waited for them any more

	Associations []*Association

	unreachable []unreachable
	held        [][4]byte // addresses that it has used in ARP
}

// Unread is a part of a stream that cannot be told.
type Unread struct {
	Stream *Stream
	Sent   bool
	Frame  int
	Bytes  int
	Why    string
	TLS    bool // it is encrypted
}

// Boot reads what is above TLS.
func (c *Capture) Boot() *Boot {
	b := &Boot{Capture: c}
	for i := range c.Frames {
		b.datagram(&c.Frames[i])
	}
	for _, s := range c.Streams {
		b.stream(s)
	}
	b.copies()
	slices.SortStableFunc(b.Messages, func(x, y Message) int { return cmp.Compare(x.Frame, y.Frame) })
	b.announcements()
	b.refusals()
	b.times()
	b.states()
	b.peers()
	b.associations()
	return b
}

// copyWithin is how soon behind a frame its copy comes where a switch mirrors a port both ways. No handset and no server says
// a thing again that soon.
const copyWithin = 50 * time.Millisecond

// copies tells of datagrams that are in the capture twice. Which of other frames are copies cannot be told: LLDP says the
// same again at once.
func (b *Boot) copies() {
	type datagram struct {
		source, target netip.AddrPort
		payload        string
	}
	seen := map[datagram]time.Time{}
	count, first := 0, 0
	for i := range b.Frames {
		f := &b.Frames[i]
		if f.UDP == nil {
			continue
		}
		key := datagram{f.Source, f.Target, string(f.UDP)}
		if before, ok := seen[key]; ok && f.At.Sub(before).Abs() <= copyWithin {
			if count++; first == 0 {
				first = f.Number
			}
		}
		seen[key] = f.At
	}
	if count > 0 {
		b.note("%d datagrams are in the capture twice (first copy: frame %d), as where a switch mirrors a port both ways, and count twice: take the copies out with editcap -d.", count, first)
	}
}

// add adds a message of a frame.
func (b *Boot) add(f *frame, protocol string, content exchange.Content) {
	b.Messages = append(b.Messages, Message{
		Message: exchange.Message{Sent: b.sent(f), Protocol: protocol, Kind: content.Kind, Fields: content.Fields},
		Frame:   f.Number, Raw: slices.Concat(f.UDP, f.Payload), chunk: chunk{Frame: f.Number, At: f.At, Bytes: f.UDP}, frame: f,
	})
}

// sent reports whether the handset sent a frame.
func (b *Boot) sent(f *frame) bool {
	if f.From != nil && b.Handset.MAC != nil && b.Handset.onLink && f.From.String() == b.Handset.MAC.String() {
		return true
	}
	return b.is(f.Source.Addr())
}

func (b *Boot) is(addr netip.Addr) bool { return slices.Contains(b.Handset.Addresses, addr) }

func (b *Boot) datagram(f *frame) {
	ports := [2]uint16{f.Source.Port(), f.Target.Port()}
	switch {
	case f.Ether == etherLLDP:
		b.lldp(f)
	case f.Ether == etherARP:
		b.arp(f)
	case f.ICMP != nil:
		b.icmp(f)
	case slices.Contains(ports[:], portDHCPServer) || slices.Contains(ports[:], portDHCPClient):
		b.dhcp(f)
	case slices.Contains(ports[:], portDNS):
		b.add(f, "dns", exchange.DNS(f.UDP))
	case slices.Contains(ports[:], portNTP):
		b.add(f, "ntp", exchange.NTP(f.UDP))
	}
}

func (b *Boot) lldp(f *frame) {
	pdu, err := lldp.Parse(f.Payload)
	if err != nil {
		b.note("LLDP of %v in frame %d cannot be read: %v", f.From, f.Number, err)
		return
	}
	if med, ok := pdu.MED(); ok && med.Class <= lldp.ClassEndpointIII && !b.sent(f) {
		return // another endpoint
	}
	b.add(f, "lldp", exchange.LLDP(pdu))
}

func (b *Boot) note(text string, args ...any) {
	if len(b.Notes) < maxNotes {
		b.Notes = append(b.Notes, fmt.Sprintf(text, args...))
	}
}

const maxNotes = 200

// dhcp takes what is of the handset: messages of others come in as broadcasts.
func (b *Boot) dhcp(f *frame) {
	if mac := b.Handset.MAC; mac != nil && len(f.UDP) >= 34 && net.HardwareAddr(f.UDP[28:34]).String() != mac.String() {
		return
	}
	if m, err := dhcpoption.Parse(f.UDP); err == nil {
		b.add(f, "dhcp", exchange.DHCP(f.UDP))
		b.Messages[len(b.Messages)-1].Sent = m.OpCode == 1
		return
	}
	b.add(f, "dhcp", exchange.DHCP(f.UDP))
}

// stream tells the messages of a connection.
func (b *Boot) stream(s *Stream) {
	sentUp := b.is(s.Client.Addr()) || !b.is(s.Server.Addr())
	for _, one := range []struct {
		h    *half
		sent bool
	}{{&s.Up, sentUp}, {&s.Down, !sentUp}} {
		if len(one.h.Gaps) > 0 {
			b.note("%v, of %s: %v.", s, side(one.sent), one.h.Gaps)
		}
	}
	if s.Server.Port() == portDNS {
		b.dnsStream(s, &s.Up, sentUp)
		b.dnsStream(s, &s.Down, !sentUp)
		return
	}
	if !s.TLS() {
		b.half(s, s.Up.runs(s.Up.Chunks), sentUp)
		b.half(s, s.Down.runs(s.Down.Chunks), !sentUp)
		return
	}
	b.hellos(s, sentUp)
	for _, one := range []struct {
		h    *half
		sent bool
	}{{&s.Up, sentUp}, {&s.Down, !sentUp}} {
		b.half(s, one.h.runs(one.h.Clear), one.sent)
		if records, unread, size, frame := one.h.encrypted(); unread > 0 {
			b.unread(s, one.sent, frame, size, fmt.Sprintf("%d of %d encrypted TLS records could not be decrypted", unread, records)).TLS = true
		}
	}
}

func (b *Boot) unread(s *Stream, sent bool, frame, size int, why string) *Unread {
	if len(b.Unread) < maxNotes {
		b.Unread = append(b.Unread, Unread{Stream: s, Sent: sent, Frame: frame, Bytes: size, Why: why})
	}
	return &b.Unread[len(b.Unread)-1]
}

// String names a connection.
func (s *Stream) String() string { return fmt.Sprintf("%v to %v", s.Client, s.Server) }

func (b *Boot) half(s *Stream, runs []run, sent bool) {
	for _, m := range speech(runs) {
		if m.Err != nil {
			b.unread(s, sent, m.Begin, len(m.Unreadable), m.Err.Error())
			continue
		}
		if m.KeepAlive && !sent {
			continue
		}
		protocol, content := m.content()
		b.Messages = append(b.Messages, Message{
			Message: exchange.Message{Sent: sent, Protocol: protocol, Kind: content.Kind, Fields: content.Fields},
			Frame:   m.Frame, Raw: m.Raw, chunk: m.chunk, spoken: &m, stream: s,
		})
	}
}

// dnsStream tells DNS over TCP (RFC 7766): each message behind its length.
func (b *Boot) dnsStream(s *Stream, h *half, sent bool) {
	for _, r := range h.runs(h.Chunks) {
		all := r.bytes()
		for at := 0; len(all)-at >= 2; {
			n := int(binary.BigEndian.Uint16(all[at:])) + 2
			if at+n > len(all) {
				b.unread(s, sent, r.at(at+1).Frame, len(all)-at, errCutOff.Error())
				break
			}
			c := r.at(at + n)
			c.Bytes = all[at : at+n]
			content := exchange.DNS(c.Bytes[2:])
			b.Messages = append(b.Messages, Message{
				Message: exchange.Message{Sent: sent, Protocol: "dns", Kind: content.Kind, Fields: content.Fields}, Frame: c.Frame, Raw: c.Bytes, chunk: c, stream: s,
			})
			at += n
		}
	}
}

// hellos tells the first flight of each side of a TLS connection.
func (b *Boot) hellos(s *Stream, sentUp bool) {
	if len(s.Up.Chunks) == 0 || !s.Begun {
		return
	}
	answered := len(s.Down.Chunks) > 0
	flight, last := s.Up.flight(0, firstFrame(&s.Down))
	if !looksLikeTLS(flight) || flight[0] != recordHandshake {
		return
	}
	add := func(c chunk, sent bool, content exchange.Content) {
		b.Messages = append(b.Messages, Message{
			Message: exchange.Message{Sent: sent, Protocol: "tls", Kind: content.Kind, Fields: content.Fields},
			Frame:   c.Frame, Raw: flight, chunk: c, flight: flight, stream: s,
		})
	}
	add(last, sentUp, exchange.ClientHello(flight))
	if !answered {
		return
	}
	next := 0 // the client's second flight
	for _, c := range s.Up.Chunks {
		if c.Frame > firstFrame(&s.Down) {
			next = c.Frame
			break
		}
	}
	flight, last = s.Down.flight(0, next)
	var certificates []*x509.Certificate
	for _, der := range s.Certs {
		if c, err := x509.ParseCertificate(der); err == nil {
			certificates = append(certificates, c)
		} else {
			b.note("a certificate of %v cannot be read: %v", s, err)
		}
	}
	add(last, !sentUp, exchange.ServerHello(flight[:min(len(flight), exchange.MaxFlight)], certificates))
}

func firstFrame(h *half) int {
	if len(h.Chunks) == 0 {
		return 0
	}
	return h.Chunks[0].Frame
}

// flight is what stands before a frame, 0: all.
func (h *half) flight(from, before int) (out []byte, last chunk) {
	for _, c := range h.Chunks[from:] {
		if before > 0 && c.Frame > before || len(out) > exchange.MaxFlight {
			break
		}
		out, last = append(out, c.Bytes...), c
	}
	return out, last
}

// Content types of TLS records.
const (
	recordHandshake = 22
	recordData      = 23

	recordHeader = 5
)

// encrypted counts the records with application data, and those of them that were not decrypted. In TLS 1.3 every
// record behind the hello looks like one.
func (h *half) encrypted() (records, unread, size, frame int) {
	read := map[int]bool{}
	for _, c := range h.Clear {
		read[c.Frame] = true
	}
	other, lost := 0, 0
	for _, r := range h.records() {
		if r.kind != recordData {
			other++
			continue
		}
		records++
		if read[r.frame] || len(h.Clear) > 0 && r.size <= maxEmpty && h.disguised == 0 {
			continue
		}
		if lost++; frame == 0 {
			frame = r.frame
		}
		size += r.size
	}
	if h.disguised > 0 {
		lost = records - (h.types - other) // others than of data may be among them
	}
	return records, lost, size, frame
}

// maxEmpty is the size of a record without content under the suites of TLS 1.2 and before: MAC, padding, nonce. Such
// records come before others against guessing (RFC 5246, 6.2.3.2).
const maxEmpty = 64

// A record is one of TLS.
type record struct {
	kind        byte
	size, frame int
}

// records are those of a direction. Behind a gap they are taken up where one begins with a segment.
func (h *half) records() []record {
	var out []record
	for _, r := range h.runs(h.Chunks) {
		var b []byte
		for _, c := range r.chunks {
			if len(b) == 0 && !looksLikeTLS(c.Bytes) {
				continue
			}
			b = append(b, c.Bytes...)
			for len(b) >= recordHeader && looksLikeTLS(b) {
				n := recordHeader + int(binary.BigEndian.Uint16(b[3:]))
				if n > len(b) {
					break
				}
				out = append(out, record{b[0], n - recordHeader, c.Frame})
				b = b[n:]
			}
			if len(b) >= 3 && !looksLikeTLS(b) {
				b = nil
			}
		}
	}
	return out
}

// announcements leaves out what the switch says before the handset has spoken LLDP, and behind the unit that it followed:
// it listens in LinkDetect alone.
func (b *Boot) announcements() {
	spoke, followed := false, false // followed: or went on without
	b.Messages = slices.DeleteFunc(b.Messages, func(m Message) bool {
		switch {
		case m.Protocol != "lldp":
			followed = followed || m.Protocol == "dhcp"
			return false
		case m.Sent:
			spoke = true
			return false
		}
		pdu, err := lldp.Parse(m.frame.Payload)
		_, policy := pdu.VoicePolicy()
		drop := !spoke || followed || err != nil || pdu.TTL == 0
		followed = followed || !drop && policy
		if drop {
			b.Repeats++
		}
		return drop
	})
}

// refusals leaves out answers for which nobody waited any more: the handset said so by ICMP. It quotes the last one.
func (b *Boot) refusals() {
	for _, u := range b.unreachable {
		for i, m := range slices.Backward(b.Messages) {
			if m.Frame < u.frame && !m.Sent && m.frame != nil && m.frame.Source == u.source && m.frame.Target == u.target {
				b.Refused = append(b.Refused, m.Frame)
				b.Messages = slices.Delete(b.Messages, i, i+1)
				break
			}
		}
	}
}

// peers names the other side of each message: by the host that a request names, the name that DNS gave, or the address.
func (b *Boot) peers() {
	names := map[netip.Addr]string{}
	hosts := map[*Stream]string{}
	for _, m := range b.Messages {
		if m.spoken != nil && m.spoken.Request != nil {
			if host := m.spoken.Request.Get("Host"); host != "" {
				hosts[m.stream] = exchange.Peer(host)
			}
		}
	}
	for i := range b.Messages {
		m := &b.Messages[i]
		switch {
		case m.Protocol == "dns" && !m.Sent && m.frame != nil:
			addNames(names, m.frame.UDP)
		case m.Protocol == "lldp" && !m.Sent:
			m.Peer = m.frame.From.String()
			if pdu, err := lldp.Parse(m.frame.Payload); err == nil && pdu.SystemName() != "" {
				m.Peer = strings.ToValidUTF8(pdu.SystemName(), "\uFFFD")
			}
			continue
		case m.Protocol == "lldp":
			continue
		case m.arp != nil && m.Sent:
			m.Peer = m.arp.TargetAddr().String()
			continue
		case m.arp != nil:
			m.Peer = m.arp.SenderAddr().String()
			continue
		}
		if m.stream != nil {
			other := m.stream.Server.Addr()
			if b.is(other) {
				other = m.stream.Client.Addr()
			}
			m.Peer = cmp.Or(hosts[m.stream], names[other], other.String())
			continue
		}
		other := m.frame.Target
		if !m.Sent {
			other = m.frame.Source
		}
		m.Peer = other.Addr().String()
	}
}

func addNames(names map[netip.Addr]string, answer []byte) {
	var m dnsmessage.Message
	if m.Unpack(answer) != nil || len(m.Questions) == 0 {
		return
	}
	for _, r := range m.Answers {
		if a, ok := r.Body.(*dnsmessage.AResource); ok && len(names) < maxParties {
			names[netip.AddrFrom4(a.A)] = exchange.Peer(strings.TrimSuffix(m.Questions[0].Name.String(), "."))
		}
	}
}

// agents are the User-Agents that the handset sent, where they can be read.
func (c *Capture) agents() []string {
	var out []string
	for _, m := range c.Boot().Messages {
		if !m.Sent || m.spoken == nil {
			continue
		}
		agent := ""
		switch {
		case m.spoken.Request != nil:
			agent = m.spoken.Request.Get("User-Agent")
		case m.spoken.SIP != nil:
			agent = m.spoken.SIP.Get("User-Agent")
		}
		if agent != "" && !slices.Contains(out, agent) && len(out) < maxListed {
			out = append(out, agent)
		}
	}
	return out
}
