package replay

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// turns are what was recorded, by what makes a side send it, in the order of its turns. The last one stays.
type turns[T any] struct {
	mu   sync.Mutex
	list map[string][]T
	at   map[string]int
}

func (t *turns[T]) add(key string, one T) {
	if t.list == nil {
		t.list, t.at = map[string][]T{}, map[string]int{}
	}
	t.list[key] = append(t.list[key], one)
}

// next is what has its turn for a key, ok if anything was recorded.
func (t *turns[T]) next(key string) (one T, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list[key]
	if len(list) == 0 {
		return one, false
	}
	n := t.at[key]
	t.at[key]++
	return list[min(n, len(list)-1)], true
}

// asHandset gives the messages of a handset what was recorded. It is a [handset.Outgoing].
type asHandset struct{ turns[exchange.Message] }

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
		recorded := parts(atServer(m, r.Get("Host")))
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
type asPool struct {
	own     turns[exchange.Message]   // that answer nothing
	answers turns[[]exchange.Message] // to one request, none: it was not answered
	link    bool                      // the recording has what the handset said of itself to a switch

	mu         sync.Mutex
	broadcasts []broadcast // the last ones
}

// broadcast is a request that several servers of the pool hear, and which is one turn for all of them.
type broadcast struct {
	text    string
	servers []string
	answers []exchange.Message
	known   bool
}

// newPool plays what the handset received.
func newPool(list []exchange.Message) *asPool {
	var p asPool
	answers := map[int][]exchange.Message{} // by the place of the request
	for i, m := range list {
		switch {
		case m.Sent:
		case m.Protocol == "lldp", m.Protocol == "sip" && !isAnswer(m):
			p.own.add(m.Protocol+" "+m.Kind, m)
		default:
			if n, ok := requestOf(list[:i], m); ok {
				answers[n] = append(answers[n], m)
			}
		}
	}
	for i, m := range list {
		p.link = p.link || m.Sent && m.Protocol == "lldp"
		if m.Sent && (m.Protocol != "sip" || !isAnswer(m)) {
			p.answers.add(requestKey(m), answers[i])
		}
	}
	return &p
}

// isAnswer reports whether a message of SIP is one: 200 OK to REGISTER 4.
func isAnswer(m exchange.Message) bool { return m.Kind != "" && m.Kind[0] >= '1' && m.Kind[0] <= '6' }

// requestOf is the place of the request that a message answers: the last one of its transaction.
func requestOf(before []exchange.Message, m exchange.Message) (n int, ok bool) {
	for i := len(before) - 1; i >= 0; i-- {
		if r := before[i]; r.Sent && r.Protocol == m.Protocol && sameTransaction(r, m) {
			return i, true
		}
	}
	return 0, false
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

// requestKey is what requests share that are answered in turns.
func requestKey(m exchange.Message) string {
	key := m.Protocol + " " + m.Kind
	if m.Protocol == "dhcp" {
		key += " " + anyValue(m, "option 60 vendor class")
	}
	return key
}

// turn are the recorded answers to a request that comes, ok if one like it was recorded.
func (p *asPool) turn(protocol string, request exchange.Content) (answers []exchange.Message, ok bool) {
	return p.answers.next(requestKey(exchange.Message{Protocol: protocol, Kind: request.Kind, Fields: request.Fields}))
}

// broadcast is the turn of a request of DHCP, the same one for each server that hears it.
func (p *asPool) broadcast(server string, request []byte) (answers []exchange.Message, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.broadcasts {
		b := &p.broadcasts[i]
		if b.text == string(request) && !slices.Contains(b.servers, server) {
			b.servers = append(b.servers, server)
			return b.answers, b.known
		}
	}
	const most = 16
	if len(p.broadcasts) == most {
		p.broadcasts = p.broadcasts[1:]
	}
	answers, ok = p.turn("dhcp", exchange.DHCP(request))
	p.broadcasts = append(p.broadcasts, broadcast{string(request), []string{server}, answers, ok})
	return answers, ok
}

// LLDP gives a data unit of the switch the TLVs that were recorded. A switch that was not heard where the handset was is silent.
func (p *asPool) LLDP(unit *lldp.PDU) bool {
	m, ok := p.own.next("lldp " + exchange.LLDP(*unit).Kind)
	if ok {
		replayLLDP(unit, m.Fields)
	}
	return ok || !p.link
}

// DHCP gives an answer the options that were recorded. What was refused is refused; what was granted is not granted in the place
// of a refusal.
func (p *asPool) DHCP(server string, request []byte) interpose.Change {
	recorded, known := p.broadcast(server, request)
	return changed(recorded, known, func(answer []byte, m exchange.Message) []byte {
		switch m.Kind {
		case dhcpv4.MessageTypeNak.String():
			return replayedNAK(answer, m.Fields)
		case exchange.DHCP(answer).Kind:
			return replayedDHCP(answer, m.Fields, poolOptions)
		}
		return answer
	})
}

// DNS gives an answer the code and the records that were recorded.
func (p *asPool) DNS(request []byte) interpose.Change {
	recorded, known := p.turn("dns", exchange.DNS(request))
	return changed(recorded, known, func(answer []byte, m exchange.Message) []byte { return replayedDNS(answer, m.Fields) })
}

// NTP gives an answer what was recorded besides its times.
func (p *asPool) NTP(request []byte) interpose.Change {
	recorded, known := p.turn("ntp", exchange.NTP(request))
	return changed(recorded, known, func(answer []byte, m exchange.Message) []byte { return replayedNTP(answer, m.Fields) })
}

// changed changes answers to a datagram.
func changed(recorded []exchange.Message, known bool, replayed func([]byte, exchange.Message) []byte) interpose.Change {
	return func(answer []byte) []byte {
		switch {
		case !known:
			return answer
		case len(recorded) == 0:
			return nil
		}
		return replayed(answer, recorded[0])
	}
}

// HTTP gives an answer the status, the headers and the body that were recorded.
func (p *asPool) HTTP(request httpmessage.Request) func(*httpmessage.Response) bool {
	recorded, known := p.turn("http", exchange.HTTPRequest(request))
	return func(answer *httpmessage.Response) bool {
		if len(recorded) == 0 {
			return !known
		}
		m := parts(recorded[0])
		if status, reason, ok := m.status(); ok && takes(answer.Status, status) {
			answer.Status, answer.Reason = status, reason
			answer.Header, answer.Body = m.http(answer.Header, answer.Body)
		}
		return true
	}
}

// SIP gives an answer the status, the headers and the body that were recorded, a provisional one those of a provisional one.
func (p *asPool) SIP(request *sipmessage.Message) func(*sipmessage.Message) bool {
	recorded, known := p.turn("sip", exchange.Content{Kind: exchange.SIPKind(request)})
	return func(answer *sipmessage.Message) bool {
		const final = 200
		for _, one := range recorded {
			m := parts(one)
			status, reason, ok := m.status()
			if !ok || (status < final) != (answer.Status < final) {
				continue
			}
			if takes(answer.Status, status) {
				answer.Status, answer.Reason = status, reason
				m.sip(answer)
			}
			return true
		}
		return !known
	}
}

// SIPRequest gives a request of the registrar what was recorded.
func (p *asPool) SIPRequest(request *sipmessage.Message) {
	if m, ok := p.own.next("sip " + exchange.SIPKind(request)); ok {
		parts(m).sip(request)
	}
}

// takes reports whether an answer takes the recorded status: whoever is challenged or refused now is not let in because another
// one was let in then. A fault of SOAP is a 500.
func takes(own, recorded int) bool {
	const good = 300
	return recorded >= good || own != 401 && own != 403 && own != 407 && own != 500
}

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

// noDocument is how a body is told that is none.
var noDocument = regexp.MustCompile(`^([0-9]{1,6}) bytes that are no XML document$`)

// replayedBody is a body with what was recorded: none where there was none, and for one of which only its length was recorded
// another one that is no XML document either.
func (m message) replayedBody(own []byte) []byte {
	if len(m.body) == 0 {
		return nil
	}
	for _, f := range m.body {
		if found := noDocument.FindStringSubmatch(f.Value); f.Name == "body" && found != nil && recordedDocument(bodyFields(own)) != nil {
			n, _ := strconv.Atoi(found[1]) // six digits at most
			return bytes.Repeat([]byte("."), n)
		}
	}
	return replayedDocument(own, m.body)
}

// bodyFields are those that tell of a body.
func bodyFields(body []byte) []exchange.Field {
	return exchange.HTTPResponse(httpmessage.Response{Body: body}).Fields[1:]
}
