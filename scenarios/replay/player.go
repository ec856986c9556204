package replay

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// player gives the messages of a side the headers and options of those that were recorded. It is a [handset.Outgoing].
type player struct {
	mu   sync.Mutex
	left map[string][]exchange.Message // by protocol and kind; the last one stays
}

// newPlayer plays what the handset sent, or what it received.
func newPlayer(list []exchange.Message, sent bool) *player {
	p := &player{left: map[string][]exchange.Message{}}
	for _, m := range list {
		if m.Sent == sent {
			key := m.Protocol + " " + m.Kind
			p.left[key] = append(p.left[key], m)
		}
	}
	return p
}

// next is the recorded message of a kind whose turn it is, ok if one was recorded.
func (p *player) next(protocol, kind string) (m exchange.Message, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := protocol + " " + kind
	list := p.left[key]
	if len(list) == 0 {
		return m, false
	}
	if len(list) > 1 {
		p.left[key] = list[1:]
	}
	return list[0], true
}

// header is one header line of HTTP or SIP.
type header struct{ name, value string }

// ownHeaders are never taken from a recording: what is signed or proves something, what says where a message comes from
// and belongs to, and what is about the body.
var ownHeaders = []string{
	"authorization", "proxy-authorization", "cookie", "www-authenticate", "proxy-authenticate", "authentication-info", "proxy-authentication-info", "date", "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "expires",
	"p-asserted-identity", "p-preferred-identity", "host", "soapaction", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection",
}

// numbered is the number behind the name of the second header of a name, and of those after it.
var numbered = regexp.MustCompile(`\[[0-9]+\]$`)

// recordedHeaders are the header lines of a message, in their order. Those whose values were not recorded have none.
func recordedHeaders(m exchange.Message) []header {
	var out []header
	for i, f := range m.Fields {
		name := numbered.ReplaceAllString(f.Name, "")
		if i == 0 || name == "body" || strings.ContainsAny(name, "/@; ") {
			continue // the first line, what is in the body, parameters of the header before
		}
		value := f.Value
		if f.Origin != timeline.Recorded {
			value = ""
		}
		out = append(out, header{name, value})
	}
	return out
}

// replayed are the headers of a message with the values and the order of those that were recorded. What was not recorded
// and has not to be there is left out; a body's elements among the recorded names are no headers of it.
func replayed(own []header, recorded []header) []header {
	var out []header
	left := slices.Clone(own)
	take := func(name string) (header, bool) {
		i := slices.IndexFunc(left, func(h header) bool { return strings.EqualFold(h.name, name) })
		if i < 0 {
			return header{}, false
		}
		h := left[i]
		left = slices.Delete(left, i, i+1)
		return h, true
	}
	for _, r := range recorded {
		h, ok := take(r.name)
		switch {
		case !ok && (r.value == "" || slices.Contains(ownHeaders, strings.ToLower(r.name))):
			continue
		case !ok:
			h = r
		case r.value != "" && !slices.Contains(ownHeaders, strings.ToLower(r.name)):
			h = header{r.name, r.value}
		}
		out = append(out, h)
	}
	for _, h := range left {
		if slices.Contains(ownHeaders, strings.ToLower(h.name)) {
			out = append(out, h)
		}
	}
	return out
}

// HTTP gives a request the headers that were recorded.
func (p *player) HTTP(r *httpmessage.Request) {
	m, ok := p.next("http", exchange.HTTPRequest(*r).Kind)
	if !ok {
		return
	}
	own := make([]header, len(r.Header))
	for i, h := range r.Header {
		own[i] = header{h.Name, h.Value}
	}
	r.Header = nil
	for _, h := range replayed(own, recordedHeaders(m)) {
		r.Header = append(r.Header, httpmessage.Header{Name: h.name, Value: h.value})
	}
}

// SIP gives a message the headers that were recorded. None of them is signed.
func (p *player) SIP(s *sipmessage.Message) {
	m, ok := p.next("sip", exchange.SIPKind(s))
	if !ok {
		return
	}
	own := make([]header, len(s.Headers))
	for i, h := range s.Headers {
		own[i] = header{h.Name, h.Value}
	}
	s.Headers = nil
	for _, h := range replayed(own, recordedHeaders(m)) {
		s.Headers = append(s.Headers, sipmessage.Header{Name: h.name, Value: h.value})
	}
}

var (
	optionName  = regexp.MustCompile(`^option ([0-9]+)( |$)`)
	optionValue = regexp.MustCompile(`(?:^|\()([0-9a-f]*)\)?$`)
)

// ownOptions are of this lease and this handset: requested address, server, client id, host name.
var ownOptions = []byte{50, 54, 61, 12}

// DHCP gives a message the options that were recorded, in their order.
func (p *player) DHCP(payload []byte) []byte {
	parsed, err := dhcpoption.Parse(payload)
	if err != nil {
		return payload
	}
	m, ok := p.next("dhcp", parsed.MessageType().String())
	if !ok {
		return payload
	}
	const fixed = 240 // up to the options, the magic cookie included
	out := bytes.Clone(payload[:fixed])
	for _, f := range m.Fields {
		name, value := optionName.FindStringSubmatch(f.Name), optionValue.FindStringSubmatch(f.Value)
		if name == nil {
			continue
		}
		code, err := strconv.ParseUint(name[1], 10, 8)
		if err != nil {
			return payload
		}
		own := parsed.Options.Get(optionCode(code))
		if !slices.Contains(ownOptions, byte(code)) || own == nil {
			if value == nil {
				return payload
			}
			if own, err = hex.DecodeString(value[1]); err != nil {
				return payload
			}
		}
		if len(own) > 255 {
			return payload
		}
		out = append(append(out, byte(code), byte(len(own))), own...)
	}
	out = append(out, 255)
	for len(out) < len(payload) {
		out = append(out, 0)
	}
	return out
}

type optionCode byte

func (c optionCode) Code() uint8    { return byte(c) }
func (c optionCode) String() string { return strconv.Itoa(int(c)) }
