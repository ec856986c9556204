package registrar

import (
	"fmt"

	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// authDSK is how a signed message proves its user.
const authDSK = "tls-dsk"

// sender is who a message that is being handled is from.
type sender struct{ who, auth string }

// senderOf is who a message says that it is from: the user in From of a request, and in To of the answer to one of the
// server's.
func senderOf(m *sipmessage.Message) sender {
	name := "From"
	if !m.IsRequest() {
		name = "To"
	}
	a, err := sipmessage.ParseAddress(m.Get(name))
	if err != nil {
		return sender{}
	}
	return sender{who: fmt.Sprintf("%.*s", maxShown, a.URI)}
}

// receiverOf is whom a request of the server is for.
func receiverOf(m *sipmessage.Message) sender {
	a, err := sipmessage.ParseAddress(m.Get("To"))
	if err != nil {
		return sender{}
	}
	return sender{who: a.URI}
}

// note tells the timeline something of the connection, and of the message that is being handled.
func (c *connection) note(kind timeline.Kind, format string, args ...any) {
	c.tell(kind, c.from, nil, format, args...)
}

// tell is note with more fields, about somebody.
func (c *connection) tell(kind timeline.Kind, about sender, fields []timeline.Field, format string, args ...any) {
	if about.auth != "" && (kind == timeline.Received || kind == timeline.Dropped) {
		fields = append([]timeline.Field{{Name: history.Auth, Value: about.auth}}, fields...)
	}
	if about.who != "" {
		fields = append([]timeline.Field{{Name: history.Who, Value: about.who}}, fields...)
	}
	c.s.tell(kind, c.peer, fields, format, args...)
}

func (s *Server) note(kind timeline.Kind, peer, format string, args ...any) {
	s.tell(kind, peer, nil, format, args...)
}

func (s *Server) tell(kind timeline.Kind, peer string, fields []timeline.Field, format string, args ...any) {
	s.cfg.Timeline.Tell(func() timeline.Observation {
		return timeline.Observation{Kind: kind, Protocol: "sip", Peer: peer, Text: s.cfg.Host + ": " + fmt.Sprintf(format, args...), Fields: fields}
	})
}

// verdict is what the history tells of a refusal besides its text.
func (r *refusal) verdict() []timeline.Field {
	return []timeline.Field{{Name: history.Refused, Value: r.Stage + "." + r.Name}}
}
