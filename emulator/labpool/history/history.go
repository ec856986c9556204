// Package history keeps what the handsets of a pool asked and what became of it, in order, and says whom it was about.
package history

import (
	"cmp"
	"slices"
	"sync"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// Names of the fields by which the services of a pool tell whom and what an observation is about.
const (
	Who     = "who"     // SIP address, number or login, as the handset gave it or as it was proved
	Auth    = "auth"    // how who was proved: tls-dsk, pin, basic, ntlm, certificate or web-ticket
	Refused = "refused" // the check that a request failed, or the fault that refused it
)

// Bounds of a [Record]. What goes first is the oldest of one handset or user, then who was silent for the longest.
const (
	perHandset  = 1000
	mostEntries = 100_000
	mostKnown   = 4096 // names of users
)

// Entry is an observation of the pool.
type Entry struct {
	timeline.Observation
	User string // SIP address of whom it is about, "" if that is not known
}

// Record keeps the entries. Its methods may be called from several goroutines.
type Record struct {
	find func(who string) (sip string, ok bool)

	mu        sync.Mutex
	known     map[string]string // SIP addresses by what find was asked
	kept      lru[*shelf]       // by user who was proved, else by address
	count     int               // of entries
	addresses lru[*address]
	latest    map[string]Entry // by user: the last that proved or refused him
	changed   chan struct{}    // closed at the next entry, nil: nobody waits
}

// shelf is what is kept of one handset or user, the oldest first.
type shelf struct{ entries []kept }

// kept is an entry with what is needed to find out later whom it is about.
type kept struct {
	Entry
	address string // IP or MAC address of the peer
}

// New returns an empty record. find tells the SIP address of the user whom a name means.
func New(find func(who string) (sip string, ok bool)) *Record {
	return &Record{
		find: find, known: map[string]string{}, kept: newLRU[*shelf](), addresses: newLRU[*address](), latest: map[string]Entry{},
	}
}

// Observe is an observer of the pool's timeline.
func (r *Record) Observe(o timeline.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := kept{Entry: Entry{Observation: o}, address: addressOf(o.Peer)}
	k.User = r.user(Value(o, Who))
	proved := k.User != "" && Value(o, Auth) != ""
	a := r.address(k.address)
	if proved {
		a.tell(o.Seq, o.Peer, k.User)
	} else if k.User == "" {
		k.User = a.connections[o.Peer]
	}
	a.link(o)
	if k.User != "" && Value(o, Who) != "" && (proved || Value(o, Refused) != "") {
		r.latest[k.User] = k.Entry
	}
	key := k.address
	if proved || k.User != "" && a.connections[o.Peer] == k.User {
		key = k.User
	}
	r.keep(key, k)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// user is the SIP address of the user whom a name means.
func (r *Record) user(who string) string {
	if who == "" {
		return ""
	}
	if sip, ok := r.known[who]; ok {
		return sip
	}
	sip, ok := r.find(who)
	if !ok {
		return ""
	}
	if len(r.known) >= mostKnown {
		clear(r.known)
	}
	r.known[who] = sip
	return sip
}

func (r *Record) keep(key string, k kept) {
	s := r.kept.use(key, func() *shelf { return &shelf{} })
	if len(s.entries) >= perHandset {
		s.entries[0] = kept{}
		s.entries = s.entries[1:]
		r.count--
	}
	s.entries = append(s.entries, k)
	r.count++
	for r.count > mostEntries {
		silent, gone := r.kept.drop()
		r.count -= len(gone.entries)
		delete(r.latest, silent)
	}
}

// All returns every entry after the one of that number, in order.
func (r *Record) All(after uint64) []Entry { return r.entries(after, "") }

// Of returns the entries about a user after the one of that number, in order. An observation that does not tell a user
// is about the one who was proved on its connection; else about the one of whom its address tells next, or told last.
// On loopback, where all handsets have one address, the latter counts only if it has told of one user alone.
func (r *Record) Of(sip string, after uint64) []Entry { return r.entries(after, sip) }

func (r *Record) entries(after uint64, of string) []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Entry
	r.kept.each(func(s *shelf) {
		for _, k := range s.entries {
			if k.Seq <= after {
				continue
			}
			if k.User == "" {
				k.User = r.attribute(k)
			}
			if of == "" || k.User == of {
				out = append(out, k.Entry)
			}
		}
	})
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// Latest is the last entry that proved or refused a user by name, for which [Value] of Refused tells which.
func (r *Record) Latest(sip string) (Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.latest[sip]
	return e, ok
}

// Changed is closed at the next entry.
func (r *Record) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// Value is the value of an observation's field, "" if it has none.
func Value(o timeline.Observation, name string) string {
	for _, f := range o.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
