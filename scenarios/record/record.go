// Package record keeps the messages of a boot, and writes them as a scenario that can be run and compared.
package record

import (
	"slices"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Bounds of what is kept of a handset that stays for months; a scenario of it can be read again.
const (
	maxMessages = 20_000
	maxFields   = 200_000
	maxBytes    = 6 << 20
)

// Recorder keeps the messages of one handset. States makes it keep the states that are entered, too.
type Recorder struct {
	States bool

	mu    sync.Mutex
	began time.Time // the first observation
	kept  messages
	apart bool // what comes now is no part of the boot
}

// Apart does something whose messages are not kept: a look around from the handset's place is no part of its boot.
func (r *Recorder) Apart(do func()) {
	set := func(apart bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.apart = apart
	}
	set(true)
	defer set(false)
	do()
}

// Observe takes what is observed of the handset.
func (r *Recorder) Observe(o timeline.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		r.began = o.At
	}
	m, ok := exchange.Of(o, r.began)
	if !ok && r.States {
		m, ok = exchange.OfState(o, r.began)
	}
	if ok && !r.apart {
		r.kept.add(m)
	}
}

// messages are those of one handset, within the bounds.
type messages struct {
	list          []exchange.Message
	lost          int
	fields, bytes int // of list
}

func (l *messages) add(m exchange.Message) {
	const frame = 120 // of a message in a file, about
	size := frame
	for _, f := range m.Fields {
		size += len(f.Name) + len(f.Value) + len(`        : {fresh: ""}`)
	}
	if l.lost > 0 || len(l.list) >= maxMessages || l.fields+len(m.Fields) > maxFields || l.bytes+size > maxBytes {
		l.lost++ // and whatever comes later: there are no gaps
		return
	}
	l.list, l.fields, l.bytes = append(l.list, m), l.fields+len(m.Fields), l.bytes+size
}

// Messages are those kept so far, and how many more there were.
func (r *Recorder) Messages() (list []exchange.Message, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept.list), r.kept.lost
}
