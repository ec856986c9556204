package replay

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// header is one header line of HTTP or SIP. The field of a recorded one is Supported[2] if it is the second Supported.
type header struct{ name, field, value string }

// ownHeaders are never taken from a recording: what proves something, what says where in which network a message comes from
// and what it belongs to, and what is about the body.
var ownHeaders = []string{
	"authorization", "proxy-authorization", "cookie", "set-cookie", "www-authenticate", "proxy-authenticate", "authentication-info",
	"proxy-authentication-info", "date", "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "p-preferred-identity",
	"ms-subnet", "host", "soapaction", "content-length", "content-encoding", "transfer-encoding", "connection",
}

func isOwn(name string) bool { return slices.Contains(ownHeaders, strings.ToLower(name)) }

// neededHeaders are sent even if the recorded message had none.
var neededHeaders = []string{"authorization", "proxy-authorization", "cookie", "via", "from", "to", "call-id", "cseq", "host", "content-length"}

// ownParameters of a Contact belong to an endpoint, a connection or a dialog.
var ownParameters = []string{"tag", "epid", "+sip.instance", "gruu", "ms-opaque", "ms-received-cid", "ms-received-port"}

// numbered is the number behind the name of the second header of a name, and of those after it.
var numbered = regexp.MustCompile(`\[[0-9]+\]$`)

// message is a recorded HTTP or SIP message taken apart.
type message struct {
	first      string   // request or status line
	headers    []header // in their order; those whose values were not recorded have none
	parameters map[string][]exchange.Field
	body       []exchange.Field
}

// parts takes a recorded message apart: the first line, the headers with their parameters, what stands in the body.
func parts(m exchange.Message) message {
	out := message{parameters: map[string][]exchange.Field{}}
	if len(m.Fields) == 0 {
		return out
	}
	out.first = m.Fields[0].Value
	for i, f := range m.Fields[1:] {
		if inBody(f.Name) || i == len(m.Fields)-2 && f.Value == "" && f.Origin == timeline.Recorded { // an element that holds nothing
			out.body = m.Fields[i+1:]
			break
		}
		if name, parameter, ok := strings.Cut(f.Name, ";"); ok {
			f.Name = parameter
			out.parameters[name] = append(out.parameters[name], f)
			continue
		}
		value := f.Value
		if f.Origin != timeline.Recorded {
			value = ""
		}
		out.headers = append(out.headers, header{numbered.ReplaceAllString(f.Name, ""), f.Name, value})
	}
	return out
}

// inBody reports whether a field tells something of a body: no header's name looks like it.
func inBody(name string) bool {
	return strings.ContainsAny(name, "/@") || strings.HasSuffix(name, " xmlns") || name == "body" || strings.HasPrefix(name, "body;")
}

// replayed are the headers of a message with the values and the order of those that were recorded. What was not recorded
// and has not to be there is left out.
func (m message) replayed(own []header) []header {
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
	for _, r := range m.headers {
		h, ok := take(r.name)
		switch key := strings.ToLower(r.name); {
		case key == "www-authenticate":
			h.name, h.value = r.name, m.challenge(r, h.value)
		case key == "contact":
			h.name, h.value = r.name, m.contact(r, h.value)
		case key == "date" && !ok:
			h.name, h.value = r.name, time.Now().UTC().Format(http.TimeFormat)
		case r.value != "" && !isOwn(r.name):
			h.name, h.value = r.name, r.value
		}
		if h.value != "" || ok {
			out = append(out, h)
		}
	}
	for _, h := range left {
		if slices.Contains(neededHeaders, strings.ToLower(h.name)) {
			out = append(out, h)
		}
	}
	return out
}

// challenge is the recorded challenge if nothing in it is made anew, but for one of the same scheme with nothing like it either,
// and else its own.
func (m message) challenge(h header, own string) string {
	out := h.value
	for i, f := range m.parameters[h.field] {
		if f.Origin != timeline.Recorded {
			return own
		}
		if i > 0 {
			out += ","
		}
		out += " " + f.Name + "=" + f.Value
	}
	scheme, p, err := tlsdsk.ParseParams(own)
	if err == nil && strings.EqualFold(scheme, h.value) && p.Opaque == "" {
		return own
	}
	return out
}

// contact is its own Contact with the parameters that were recorded, or the recorded one where that is another machine's.
func (m message) contact(h header, own string) string {
	if host := hostOf(h.value); host != "" && !strings.EqualFold(host, hostOf(own)) {
		own = h.value
		for _, f := range m.parameters[h.field] {
			own += ";" + f.Name + "=" + f.Value
		}
		return own
	}
	return withParameters(own, m.parameters[h.field])
}

// machine is an address of SIP that names a machine and nobody on it.
var machine = regexp.MustCompile(`^<sips?:([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]*)[:;>]`)

// hostOf is the machine that a Contact names, "" if it is an address in a network or somebody.
func hostOf(contact string) string {
	found := machine.FindStringSubmatch(contact)
	if found == nil {
		return ""
	}
	return found[1]
}

// withParameters is an address with the parameters that were recorded, but for those that are its own.
func withParameters(address string, recorded []exchange.Field) string {
	end := strings.IndexByte(address, '>') + 1 // a display name holds none
	if end == 0 {
		return address
	}
	own := map[string]string{}
	var names []string
	for _, p := range splitParameters(address[end:]) {
		name, _, _ := strings.Cut(p, "=")
		own[strings.ToLower(name)] = p
		names = append(names, strings.ToLower(name))
	}
	out := address[:end]
	for _, f := range recorded {
		key := strings.ToLower(f.Name)
		p, ok := own[key]
		keep := slices.Contains(ownParameters, key) || f.Origin != timeline.Recorded
		switch {
		case keep && !ok:
			continue
		case keep:
		case f.Value == "":
			p = f.Name
		default:
			p = f.Name + "=" + f.Value
		}
		delete(own, key)
		out += ";" + p
	}
	for _, name := range names {
		if p, ok := own[name]; ok && slices.Contains(ownParameters, name) {
			out += ";" + p
		}
	}
	return out
}

// splitParameters cuts ;a=b;c="d;e" into its parameters.
func splitParameters(text string) []string {
	var out []string
	quoted, begin := false, 0
	add := func(end int) {
		if p := strings.TrimSpace(text[begin:end]); p != "" {
			out = append(out, p)
		}
		begin = end + 1
	}
	for i := range len(text) {
		switch {
		case text[i] == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case text[i] == ';' && !quoted:
			add(i)
		}
	}
	if begin <= len(text) {
		add(len(text))
	}
	return out
}
