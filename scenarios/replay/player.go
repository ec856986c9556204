package replay

import (
	"fmt"
	"strings"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// player has the recorded messages of a side, by what makes that side send them.
type player struct {
	mu   sync.Mutex
	left map[string][]exchange.Message // the last one of a key stays
}

func (p *player) add(key string, m exchange.Message) {
	if p.left == nil {
		p.left = map[string][]exchange.Message{}
	}
	p.left[key] = append(p.left[key], m)
}

// next is the recorded message of a key whose turn it is, ok if one was recorded.
func (p *player) next(key string) (m exchange.Message, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.left[key]
	if len(list) == 0 {
		return m, false
	}
	if len(list) > 1 {
		p.left[key] = list[1:]
	}
	return list[0], true
}

// asHandset gives the messages of a handset what was recorded. It is a [handset.Outgoing].
type asHandset struct{ player }

// newHandset plays what the handset sent.
func newHandset(list []exchange.Message) *asHandset {
	var h asHandset
	for _, m := range list {
		if m.Sent {
			h.add(m.Protocol+" "+m.Kind, m)
		}
	}
	return &h
}

// LLDP gives a data unit the TLVs that were recorded.
func (h *asHandset) LLDP(unit *lldp.PDU) {
	if m, ok := h.next("lldp " + exchange.LLDP(*unit).Kind); ok {
		replayLLDP(unit, m.Fields)
	}
}

// DHCP gives a message the options that were recorded, in their order.
func (h *asHandset) DHCP(payload []byte) []byte {
	m, ok := h.next("dhcp " + exchange.DHCP(payload).Kind)
	if !ok {
		return payload
	}
	return replayedDHCP(payload, m.Fields, handsetOptions)
}

// NTP gives a request what was recorded besides its times.
func (h *asHandset) NTP(packet []byte) []byte {
	m, ok := h.next("ntp " + exchange.NTP(packet).Kind)
	if !ok {
		return packet
	}
	return replayedNTP(packet, m.Fields)
}

// HTTP gives a request the headers and the body that were recorded.
func (h *asHandset) HTTP(r *httpmessage.Request) {
	if m, ok := h.next("http " + exchange.HTTPRequest(*r).Kind); ok {
		recorded := parts(m)
		r.Header, r.Body = recorded.http(r.Header, r.Body)
	}
}

// SIP gives a message the headers and the body that were recorded.
func (h *asHandset) SIP(s *sipmessage.Message) {
	if m, ok := h.next("sip " + exchange.SIPKind(s)); ok {
		parts(m).sip(s)
	}
}

// asPool gives the messages of a pool what was recorded: an answer that of the same request. It is a [labpool.Outgoing].
type asPool struct{ player }

// newPool plays what the handset received.
func newPool(list []exchange.Message) *asPool {
	var p asPool
	for i, m := range list {
		switch {
		case m.Sent:
		case m.Protocol == "lldp", m.Protocol == "sip" && !strings.Contains(m.Kind, " to "):
			p.add(m.Protocol+" "+m.Kind, m)
		default:
			if request, ok := requestOf(list[:i], m); ok {
				p.add(answerKey(request, m), m)
			}
		}
	}
	return &p
}

// requestOf is the request that a message answers: the last one of its transaction.
func requestOf(before []exchange.Message, m exchange.Message) (exchange.Message, bool) {
	for i := len(before) - 1; i >= 0; i-- {
		if r := before[i]; r.Sent && r.Protocol == m.Protocol && sameTransaction(r, m) {
			return r, true
		}
	}
	return exchange.Message{}, false
}

func sameTransaction(request, answer exchange.Message) bool {
	same := func(name string) bool { return anyValue(request, name) == anyValue(answer, name) }
	switch request.Protocol {
	case "sip":
		return same("Call-ID") && same("CSeq")
	case "dhcp":
		return same("xid")
	case "dns":
		return same("id") && same("question")
	}
	return request.Peer == answer.Peer
}

// anyValue is a field of a message, recorded or fresh.
func anyValue(m exchange.Message, name string) string {
	for _, f := range m.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// answerKey is what answers to the same request share.
func answerKey(request, answer exchange.Message) string {
	key := "answer to " + request.Protocol + " " + request.Kind
	switch {
	case request.Protocol == "dhcp":
		key += " " + anyValue(request, "option 60 vendor class")
	case request.Protocol == "sip" && strings.HasPrefix(answer.Kind, "1"):
		key += ", provisional"
	}
	return key
}

// answer is the recorded answer to a request.
func (p *asPool) answer(protocol string, request, answer exchange.Content) (exchange.Message, bool) {
	asked := exchange.Message{Protocol: protocol, Kind: request.Kind, Fields: request.Fields}
	return p.next(answerKey(asked, exchange.Message{Kind: answer.Kind}))
}

// LLDP gives a data unit of the switch the TLVs that were recorded.
func (p *asPool) LLDP(unit *lldp.PDU) {
	if m, ok := p.next("lldp " + exchange.LLDP(*unit).Kind); ok {
		replayLLDP(unit, m.Fields)
	}
}

// DHCP gives an answer the options that were recorded. What was refused is not granted in its place, nor the other way.
func (p *asPool) DHCP(request, answer []byte) []byte {
	m, ok := p.answer("dhcp", exchange.DHCP(request), exchange.Content{})
	parsed, err := dhcpoption.Parse(answer)
	if !ok || err != nil || parsed.MessageType() == dhcpv4.MessageTypeNak || m.Kind != parsed.MessageType().String() {
		return answer
	}
	return replayedDHCP(answer, m.Fields, poolOptions)
}

// DNS gives an answer the code and the records that were recorded.
func (p *asPool) DNS(request, answer []byte) []byte {
	m, ok := p.answer("dns", exchange.DNS(request), exchange.Content{})
	if !ok {
		return answer
	}
	return replayedDNS(answer, m.Fields)
}

// NTP gives an answer what was recorded besides its times.
func (p *asPool) NTP(request, answer []byte) []byte {
	m, ok := p.answer("ntp", exchange.NTP(request), exchange.Content{})
	if !ok {
		return answer
	}
	return replayedNTP(answer, m.Fields)
}

// HTTP gives an answer the status, the headers and the body that were recorded. Whether credentials are asked for is
// between the two that talk now.
func (p *asPool) HTTP(request httpmessage.Request, answer *httpmessage.Response) {
	m, ok := p.answer("http", exchange.HTTPRequest(request), exchange.Content{})
	if !ok {
		return
	}
	recorded := parts(m)
	status, reason, ok := recorded.status()
	if !ok || status != answer.Status && (status == unauthorized || answer.Status == unauthorized) {
		return
	}
	answer.Status, answer.Reason = status, reason
	answer.Header, answer.Body = recorded.http(answer.Header, answer.Body)
}

// SIP gives a message the status, the headers and the body that were recorded. Challenges are between the two that talk now.
func (p *asPool) SIP(request, s *sipmessage.Message) {
	if s.IsRequest() {
		if m, ok := p.next("sip " + exchange.SIPKind(s)); ok {
			parts(m).sip(s)
		}
		return
	}
	if request == nil {
		return
	}
	m, ok := p.answer("sip", exchange.Content{Kind: exchange.SIPKind(request)}, exchange.Content{Kind: exchange.SIPKind(s)})
	if !ok {
		return
	}
	recorded := parts(m)
	status, reason, ok := recorded.status()
	if !ok || status != s.Status && (status == unauthorized || s.Status == unauthorized) {
		return
	}
	s.Status, s.Reason = status, reason
	recorded.sip(s)
}

const unauthorized = 401

// status is that of a response.
func (m message) status() (code int, reason string, ok bool) {
	text, reason, _ := strings.Cut(m.first, " ")
	_, err := fmt.Sscanf(text, "%3d", &code)
	return code, reason, err == nil && code >= 100
}

// http is headers and body of a message with what was recorded.
func (m message) http(own []httpmessage.Header, body []byte) ([]httpmessage.Header, []byte) {
	list := make([]header, len(own))
	for i, h := range own {
		list[i] = header{name: h.Name, value: h.Value}
	}
	body = m.replayedBody(body)
	var out []httpmessage.Header
	for _, h := range m.replayed(list) {
		if strings.EqualFold(h.name, "Content-Length") {
			h.value = fmt.Sprint(len(body))
		}
		out = append(out, httpmessage.Header{Name: h.name, Value: h.value})
	}
	return out, body
}

// sip gives a message what was recorded.
func (m message) sip(s *sipmessage.Message) {
	list := make([]header, len(s.Headers))
	for i, h := range s.Headers {
		list[i] = header{name: h.Name, value: h.Value}
	}
	s.Body = m.replayedBody(s.Body)
	s.Headers = nil
	for _, h := range m.replayed(list) {
		if strings.EqualFold(h.name, "Content-Length") {
			h.value = fmt.Sprint(len(s.Body))
		}
		s.Headers = append(s.Headers, sipmessage.Header{Name: h.name, Value: h.value})
	}
}

// replayedBody is a body with what was recorded: none where there was none.
func (m message) replayedBody(own []byte) []byte {
	if len(m.body) == 0 {
		return own
	}
	return replayedDocument(own, m.body)
}
