package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// Mask hides who somebody is: the user part of SIP addresses and logins, and telephone numbers. The same name is the
// same placeholder everywhere, user-1 or number-1, so that a report can still be followed. Domains and host names stay.
// The nil Mask hides nothing.
type Mask struct {
	mu     sync.Mutex
	names  map[string]string // in lower case, to placeholders
	users  int
	digits int
	known  *regexp.Regexp // finds the names, each before the end of a word; nil: none
}

// NewMask returns a mask that knows these numbers, logins and SIP addresses beforehand; others it recognises by their
// form.
func NewMask(names ...string) *Mask {
	m := &Mask{names: map[string]string{}}
	m.Learn(names...)
	return m
}

var (
	address   = regexp.MustCompile(`[^\s<>"'=;:,()\[\]{}|/\\@]{1,256}@([A-Za-z0-9][A-Za-z0-9.-]*)`)
	telephone = regexp.MustCompile(`(?i)(tel:|;ext=|\+)(\+?[0-9][0-9().-]*[0-9]|[0-9])`)
	numeral   = regexp.MustCompile(`^\+?[0-9]+$`)
	notDigit  = regexp.MustCompile(`[^0-9]`)
	maskedAs  = regexp.MustCompile(`^(user|number)-[0-9]+$`)
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
	key := strings.ToLower(name)
	if numeral.MatchString(key) {
		key = strings.TrimPrefix(key, "+")
	}
	if maskedAs.MatchString(key) {
		return key
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
	m.compile()
	return p
}

// compile makes the expression that finds the names, the longest first, and placeholders, which stay.
func (m *Mask) compile() {
	words := make([]string, 0, len(m.names))
	for name := range m.names {
		words = append(words, name)
	}
	slices.SortFunc(words, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	for i, word := range words {
		words[i] = regexp.QuoteMeta(word)
	}
	m.known = regexp.MustCompile(`(?i)((?:user|number)-[0-9]+|\+?(?:` + strings.Join(words, "|") + `))(?:$|[^\pL\pN_])`)
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
	if m.known == nil {
		return text
	}
	return m.words(text)
}

// name masks the name of a field, in which an @ stands before an attribute and not before a domain.
func (m *Mask) name(text string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		return text
	}
	return m.words(text)
}

// words replaces the known names where they stand as words: between what is neither letter, digit nor underscore.
func (m *Mask) words(text string) string {
	var b strings.Builder
	end, from := 0, 0
	for {
		at := m.known.FindStringSubmatchIndex(text[from:])
		if at == nil {
			return b.String() + text[end:]
		}
		begin, after := from+at[2], from+at[3]
		if before, _ := utf8.DecodeLastRuneInString(text[:begin]); begin > 0 && ofWord(before) {
			_, size := utf8.DecodeRuneInString(text[begin:])
			from = begin + size
			continue
		}
		b.WriteString(text[end:begin])
		b.WriteString(m.placeholder(text[begin:after]))
		end, from = after, after
	}
}

func ofWord(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c) }

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
