// Package record keeps the messages of a boot, and writes them as a scenario that can be run and compared.
package record

import (
	"slices"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// MaxMessages bounds what is kept of a handset that stays for months.
const MaxMessages = 20_000

// Recorder keeps the messages of one handset. States makes it keep the states that are entered, too.
type Recorder struct {
	States bool

	mu    sync.Mutex
	began time.Time // the first observation
	list  []exchange.Message
	lost  int
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
	switch {
	case !ok:
	case len(r.list) >= MaxMessages:
		r.lost++
	default:
		r.list = append(r.list, m)
	}
}

// Messages are those kept so far, and how many more there were.
func (r *Recorder) Messages() (list []exchange.Message, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list), r.lost
}
