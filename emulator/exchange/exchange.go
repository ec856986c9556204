// Package exchange tells the messages of a boot in the terms of their protocols: a DHCP option, an HTTP header, an
// element of a SOAP body, a SIP header's parameter, a TLS suite. It knows bytes and the structs of the codecs, neither
// handset nor pool, so that what one saw, what the other saw and what a capture holds read the same.
package exchange

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Field is one detail of a message. Its name is the only one of that name in the message: the second header Supported
// is Supported[2].
type Field = timeline.Field

// Message is one message of a boot.
type Message struct {
	At       time.Duration     // since the boot began
	State    devicestate.State // of the handset
	Sent     bool              // by the handset
	Protocol string            // lldp, dhcp, arp, dns, ntp, tls, http, sip, or ProtocolState
	Peer     string            // host name, address, or what the switch calls itself; without a port
	Kind     string            // what message it is, in one line: DISCOVER, REGISTER 1, 401 Unauthorized to REGISTER 2
	Fields   []Field
}

// Content is what a message says.
type Content struct {
	Kind   string
	Fields []Field
}

// ProtocolState is the protocol of what is no message but a state that the handset enters: its kind is the state's name.
const ProtocolState = "state"

// OfState is the state that an observation tells of as if it were a message, ok if it tells of one.
func OfState(o timeline.Observation, began time.Time) (m Message, ok bool) {
	if o.Kind != timeline.Transition {
		return Message{}, false
	}
	m = Message{At: o.At.Sub(began), State: devicestate.State(o.Text), Protocol: ProtocolState, Kind: o.Text}
	if o.Code != "" {
		m.Fields = append(m.Fields, Field{Name: "code", Value: o.Code})
	}
	for _, f := range o.Fields {
		if f.Name == timeline.FieldOutcome {
			f.Name = "outcome of the one before"
		}
		if f.Value != "" && f.Name != timeline.FieldProvenance { // which is ours, and not the phone's
			m.Fields = append(m.Fields, f)
		}
	}
	return m, true
}

// Of is the message that an observation tells of, ok if it tells of one with its fields.
func Of(o timeline.Observation, began time.Time) (m Message, ok bool) {
	if o.Message == "" || o.Kind != timeline.Sent && o.Kind != timeline.Received {
		return Message{}, false
	}
	return Message{
		At: o.At.Sub(began), State: o.State, Sent: o.Kind == timeline.Sent, Protocol: o.Protocol, Peer: Peer(o.Peer),
		Kind: o.Message, Fields: o.Fields,
	}, true
}

// Peer is a peer as a message names it, of "name (address:port)", "address:port" or "name".
func Peer(text string) string {
	text, _, _ = strings.Cut(oneLine(text), " (")
	if host, port, ok := strings.Cut(text, ":"); ok && !strings.Contains(port, ":") {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return host
		}
	}
	return text
}

// Bounds of what is told of one message. Those of the codecs lie below; these hold for XML whose names repeat without end.
const (
	maxFields = 4096
	maxBytes  = 1 << 20 // of all names and values
)

// fields collects the fields of one message.
type fields struct {
	list  []Field
	names map[string]int
	bytes int
}

// add adds a field and returns the name that it got.
func (f *fields) add(name, value string) string { return f.addAs(name, value, timeline.Recorded) }

func (f *fields) fresh(name, value string) string { return f.addAs(name, value, timeline.Fresh) }

// secret adds a field whose value is not told.
func (f *fields) secret(name string) string { return f.addAs(name, hidden, timeline.Masked) }

// freshSecret adds a field whose value is not told, and which the next boot makes anew.
func (f *fields) freshSecret(name string) string { return f.addAs(name, hidden, timeline.Fresh) }

func (f *fields) addAs(name, value string, origin timeline.Origin) string {
	name, value = printable(oneLine(name)), oneLine(value)
	if f.names == nil {
		f.names = map[string]int{}
	}
	for f.names[name]++; f.names[name] > 1; f.names[name]++ {
		name += "[" + strconv.Itoa(f.names[name]) + "]"
	}
	f.bytes += len(name) + len(value)
	switch n := len(f.list); {
	case n > 0 && f.list[n-1].Name == "…":
	case n >= maxFields || f.bytes > maxBytes:
		f.list = append(f.list, Field{Name: "…", Value: "further fields are not told"})
	default:
		f.list = append(f.list, Field{Name: name, Value: value, Origin: origin})
	}
	return name
}

// oneLine makes one line of a text.
func oneLine(text string) string {
	if !strings.ContainsAny(text, "\t\r\n\v\f") && utf8.ValidString(text) {
		return strings.TrimSpace(text)
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
}

// printable is a text from the network as a terminal may show it.
func printable(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` && strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return quoted
	}
	return s
}

// What a page or a line shows of one message.
const (
	BriefFields = 64
	BriefBytes  = 300 // of one value
)

// Brief is what a page or a line shows of fields: without namespaces and masked attributes, no longer than a reader takes in.
func Brief(list []Field) []Field {
	out := make([]Field, 0, min(len(list), BriefFields+1))
	for _, f := range list {
		if strings.HasSuffix(f.Name, xmlnsName) || f.Value == hidden && strings.Contains(f.Name, "@") {
			continue
		}
		if len(out) == BriefFields {
			out = append(out, Field{Name: "…", Value: "further fields are not told"})
			break
		}
		f.Name, f.Value = cut(f.Name), cut(f.Value)
		out = append(out, f)
	}
	return out
}

func cut(text string) string {
	if len(text) <= BriefBytes {
		return text
	}
	end := BriefBytes
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
