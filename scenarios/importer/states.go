package importer

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/course"
)

// setBack is how far the times of a capture may go back without a word: each interface of a computer has its own clock.
const setBack = time.Second

// times says when each message came: the earliest one begins the boot, which is not the first one where frames are out of
// order, or times damaged.
func (b *Boot) times() {
	var first, latest time.Time
	back, frame := 0, 0
	for _, m := range b.Messages {
		at := m.chunk.At
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(latest) {
			latest = at
		} else if latest.Sub(at) > setBack {
			if back++; frame == 0 {
				frame = m.Frame
			}
		}
	}
	if back > 0 {
		b.note("The times of %d messages are before those of messages before them (first: frame %d): frames are out of order, or the times are wrong.", back, frame)
	}
	for i := range b.Messages {
		b.Messages[i].At = b.Messages[i].chunk.At.Sub(first)
	}
}

// states says for each message in which state the handset was, as far as the messages tell.
func (b *Boot) states() {
	messages, about := make([]exchange.Message, len(b.Messages)), make([]course.About, len(b.Messages))
	for i := range b.Messages {
		m := &b.Messages[i]
		messages[i], about[i].Place = m.Message, m.Frame
		switch a := &about[i]; {
		case m.stream != nil:
			a.Connection, a.Opened, a.Server, a.Secure = m.stream.name(), m.stream.First, m.stream.Server, m.stream.TLS()
		case m.frame != nil:
			a.Tagged = m.frame.VLAN != ""
			if a.Server = m.frame.Source; m.Sent {
				a.Server = m.frame.Target
			}
		}
	}
	course.States(messages, about, b.Handset.onLink)
	for i := range messages {
		b.Messages[i].State = messages[i].State
	}
}

// name tells a connection from others: its ports may be used again.
func (s *Stream) name() string { return fmt.Sprint(s.First, " ", s) }

type question struct {
	id     uint16
	client netip.AddrPort
	text   string
}

// question is what a DNS message asks or answers.
func (m *Message) question() (q question, message dnsmessage.Message, ok bool) {
	b := m.chunk.Bytes
	if m.Protocol != "dns" {
		return q, message, false
	}
	if m.stream != nil && len(b) > 2 {
		b = b[2:]
	}
	if message.Unpack(b) != nil || len(message.Questions) != 1 {
		return q, message, false
	}
	q.id, q.text = message.ID, message.Questions[0].Type.String()+" "+message.Questions[0].Name.String()
	switch {
	case m.stream != nil:
		q.client = m.stream.Client
	case m.Sent:
		q.client = m.frame.Source
	default:
		q.client = m.frame.Target
	}
	return q, message, true
}
