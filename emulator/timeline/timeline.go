// Package timeline keeps the ordered observations of one party, a handset or a pool, and hands them to observers.
//
// A Timeline is the only source for verbose output, recording and history. Secrets are masked where an
// observation is made; an observation never holds a whole decrypted message.
package timeline

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/phone-edition/lpe/devicestate"
)

// Kind says what an [Observation] is about.
type Kind string

// The kinds of observation.
const (
	Transition Kind = "transition" // a state was entered
	Sent       Kind = "sent"       // a message left the party
	Received   Kind = "received"   // a message reached the party
	Dropped    Kind = "dropped"    // a message reached the party and was not used; Text says why
	Unknown    Kind = "unknown"    // a message, or a part of one, that no document describes reached the party
	Diagnosis  Kind = "diagnosis"  // a code was found; Code is set
	Note       Kind = "note"       // anything else worth knowing
)

// Names of fields. Those of a transition tell of the state that is entered, and what became of the one that is left;
// those of the note that begins a stage tell what it works with.
const (
	FieldGlass      = "glass"
	FieldProvenance = "provenance" // of the glass text
	FieldOutcome    = "outcome"    // of the state that is left: ok, skipped or failed

	FieldNumber    = "number" // as dialled
	FieldUser      = "user"   // SIP address, or user name as entered
	FieldEndpoint  = "endpoint"
	FieldURL       = "url"
	FieldRegistrar = "registrar"
	FieldPort      = "port"
)

// Origin says what the value of a message's field is.
type Origin string

// The origins.
const (
	Recorded Origin = ""       // as on the wire
	Masked   Origin = "masked" // a secret, or what may be one: it is not told
	Fresh    Origin = "fresh"  // what the next boot makes anew: a random number, an identifier, a date, a tag, a signature
)

// Field is one named detail of an observation, in order.
type Field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin Origin `json:"-"`
}

// Observation is one thing that a party did or saw.
type Observation struct {
	Seq      uint64            `json:"seq"`             // from 1, without gaps in one timeline
	At       time.Time         `json:"at"`              // the cable's clock
	Party    string            `json:"party"`           // the timeline's owner
	Kind     Kind              `json:"kind"`            //
	State    devicestate.State `json:"state,omitempty"` // the handset's state, if the party is one
	Protocol string            `json:"protocol,omitempty"`
	Peer     string            `json:"peer,omitempty"`
	Code     string            `json:"code,omitempty"` // failure or warning code, `stage.kind`
	Text     string            `json:"text"`           // one line, see [Timeline.Add]
	Fields   []Field           `json:"fields,omitempty"`
	Message  string            `json:"-"` // what message it is in its protocol's terms, "" where nobody asked for fields
}

// Timeline orders the observations of one party. The nil Timeline drops everything.
type Timeline struct {
	party string

	mu        sync.Mutex
	seq       uint64
	nextID    int
	observers map[int]func(Observation)
}

// New returns the timeline of the named party.
func New(party string) *Timeline {
	return &Timeline{party: party, observers: map[int]func(Observation){}}
}

// Add numbers and dates o and gives it to every observer, in one order for all of them. Texts and values of fields may
// hold what a peer said: in place of a control character, which could make a terminal do things, there is U+FFFD.
func (t *Timeline) Add(o Observation) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	o.Seq, o.Party = t.seq, t.party
	o.Text = shown(o.Text)
	for i, f := range o.Fields {
		if clean := shown(f.Value); clean != f.Value {
			o.Fields = slices.Clone(o.Fields) // which is the caller's
			o.Fields[i].Value = clean
		}
	}
	if o.At.IsZero() {
		o.At = time.Now()
	}
	for id := 0; id < t.nextID; id++ {
		if observe := t.observers[id]; observe != nil {
			observe(o)
		}
	}
}

// Tell is Add of what describe gives, which is not called while nobody observes; the observation counts all the same.
func (t *Timeline) Tell(describe func() Observation) {
	if t == nil || t.unobserved() {
		return
	}
	t.Add(describe())
}

// unobserved counts an observation that nobody would see.
func (t *Timeline) unobserved() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.observers) > 0 {
		return false
	}
	t.seq++
	return true
}

// Observe calls observe for each later observation, inside [Timeline.Add]: it must be quick and must not call the
// timeline. The function returned ends it.
func (t *Timeline) Observe(observe func(Observation)) (stop func()) {
	if t == nil {
		return func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.nextID
	t.nextID++
	t.observers[id] = observe
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.observers, id)
	}
}

// isPlain reports whether text is of printable ASCII alone, as nearly all of it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// shown is text that can be printed as it is.
func shown(text string) string {
	if isPlain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
