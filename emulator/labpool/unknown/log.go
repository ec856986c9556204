package unknown

import (
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	// maxTold bounds what is remembered to be told once. Then all of it is forgotten, and told once more.
	maxTold = 4096
	// maxLine is the longest detail, in bytes, that is in the observation's text; a longer one is a field of its own.
	maxLine = 200
)

// Log tells a timeline what is unknown, once for each peer and name. The zero Log tells nobody.
type Log struct {
	Timeline *timeline.Timeline
	Protocol string
	Clock    func() time.Time // nil: the timeline's

	mu   sync.Mutex
	told map[[2]string]bool
}

// Tell notes that a peer sent something unknown. what names it, such as "option 125 of INFORM"; the detail, which shows
// it, is asked for only when it is told. peer is the peer as the timeline has it, and who what stays the same of it when
// it comes again: its address without a port.
func (l *Log) Tell(peer, who, what string, detail func() string) {
	l.mu.Lock()
	key := [2]string{who, what}
	known := l.told[key]
	if !known {
		if l.told == nil || len(l.told) >= maxTold {
			l.told = map[[2]string]bool{}
		}
		l.told[key] = true
	}
	l.mu.Unlock()
	if known {
		return
	}
	o := timeline.Observation{
		Kind: timeline.Unknown, Protocol: l.Protocol, Peer: peer, Text: what,
		Fields: []timeline.Field{{Name: "what", Value: what}},
	}
	switch text := detail(); {
	case text == "":
	case len(text) <= maxLine:
		o.Text += ": " + text
	default:
		o.Fields = append(o.Fields, timeline.Field{Name: "shown", Value: text})
	}
	if l.Clock != nil {
		o.At = l.Clock()
	}
	l.Timeline.Add(o)
}
