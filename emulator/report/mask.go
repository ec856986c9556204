package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// Mask hides who somebody is: the user part of SIP addresses and logins, and telephone numbers. The same name is the
// same placeholder everywhere, user-1 or number-1, so that a report can still be followed. Domains and host names stay.
// The nil Mask hides nothing.
type Mask struct {
	mu     sync.Mutex
	names  map[string]string   // folded, to placeholders
	heads  map[string][]string // folded names by their heads, the longest first
	users  int
	digits int
}

// NewMask returns a mask that knows these numbers, logins and SIP addresses beforehand; others it recognises by their
// form.
func NewMask(names ...string) *Mask {
	m := &Mask{names: map[string]string{}, heads: map[string][]string{}}
	m.Learn(names...)
	return m
}

var (
	address   = regexp.MustCompile(`[^\s<>"'=;:,()\[\]{}|/\\@]{1,256}@([A-Za-z0-9][A-Za-z0-9.-]*)`)
	telephone = regexp.MustCompile(`(?i)(tel:|;ext=|\+)(\+?[0-9][0-9().-]*[0-9]|[0-9])`)
	numeral   = regexp.MustCompile(`^\+?[0-9]+$`)
	notDigit  = regexp.MustCompile(`[^0-9]`)
	maskedAs  = regexp.MustCompile(`^(user|number)-[0-9]+$`)
	leading   = regexp.MustCompile(`^(user|number)-[0-9]+`)
)

// minPlus is the length from which digits after a plus are a number.
const minPlus = 7

// Learn makes names known. Each is a number, a SIP address, or a login as DOMAIN\user, user@domain or user.
func (m *Mask) Learn(names ...string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		name = strings.TrimSpace(name)
		if len(name) > len("sip:") && strings.EqualFold(name[:len("sip:")], "sip:") {
			name = name[len("sip:"):]
		}
		name, _, _ = strings.Cut(name, "@")
		name = name[strings.LastIndex(name, `\`)+1:]
		if name != "" {
			m.placeholder(name)
		}
	}
}

// placeholder is what stands for a name. It is called with the lock held.
func (m *Mask) placeholder(name string) string {
	if maskedAs.MatchString(name) {
		return name
	}
	key := fold(name)
	if numeral.MatchString(key) {
		key = strings.TrimPrefix(key, "+")
	}
	if p, ok := m.names[key]; ok {
		return p
	}
	p := ""
	if numeral.MatchString(key) {
		m.digits++
		p = fmt.Sprintf("number-%d", m.digits)
	} else {
		m.users++
		p = fmt.Sprintf("user-%d", m.users)
	}
	m.names[key] = p
	m.index(key)
	return p
}

// Text masks a text.
func (m *Mask) Text(text string) string {
	if m == nil || text == "" {
		return text
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	text = address.ReplaceAllStringFunc(text, func(found string) string {
		user, domain, _ := strings.Cut(found, "@")
		return m.placeholder(user) + "@" + domain
	})
	text = telephone.ReplaceAllStringFunc(text, func(found string) string {
		parts := telephone.FindStringSubmatch(found)
		digits := notDigit.ReplaceAllString(parts[2], "")
		if parts[1] == "+" {
			if len(digits) < minPlus {
				return found
			}
			return m.placeholder(digits)
		}
		return parts[1] + m.placeholder(digits)
	})
	return m.words(text)
}

// name masks the name of a field, in which an @ stands before an attribute and not before a domain.
func (m *Mask) name(text string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.words(text)
}

// Observation masks an observation.
func (m *Mask) Observation(o timeline.Observation) timeline.Observation {
	if m == nil {
		return o
	}
	o.Party, o.Peer, o.Text = m.Text(o.Party), m.Text(o.Peer), m.Text(o.Text)
	fields := make([]timeline.Field, len(o.Fields))
	for i, f := range o.Fields {
		fields[i] = timeline.Field{Name: m.name(f.Name), Value: m.Text(f.Value), Origin: f.Origin}
	}
	o.Fields = fields
	return o
}

// Observer masks what an observer gets.
func (m *Mask) Observer(observe func(timeline.Observation)) func(timeline.Observation) {
	if m == nil {
		return observe
	}
	return func(o timeline.Observation) { observe(m.Observation(o)) }
}

// Result masks a result.
func (m *Mask) Result(r Result) Result {
	if m == nil {
		return r
	}
	m.Learn(r.User.SIPAddress)
	r.User = User{SIPAddress: m.Text(r.User.SIPAddress), LineURI: m.Text(r.User.LineURI)}
	r.Error, r.Diagnosis = m.Text(r.Error), m.Text(r.Diagnosis)
	r.Warnings = slices.Clone(r.Warnings)
	for i, w := range r.Warnings {
		r.Warnings[i].Text = m.Text(w.Text)
	}
	r.Probes = slices.Clone(r.Probes)
	for i, p := range r.Probes {
		r.Probes[i].Target, r.Probes[i].Seen = m.Text(p.Target), m.Text(p.Seen)
	}
	if c := r.Certificate; c != nil {
		masked := *c
		masked.Subject = m.Text(c.Subject)
		r.Certificate = &masked
	}
	return r
}
