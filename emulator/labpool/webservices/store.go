package webservices

import (
	"sync"
	"time"
)

const (
	// maxTickets bounds the tickets kept; the oldest goes first.
	maxTickets = 4096
	// ticketLife is an example value; the real default has no source (web-services.md §3.3).
	ticketLife = 8 * time.Hour
)

// issued is what the service remembers of a web ticket (web-services.md §7.3).
type issued struct {
	id        string // AssertionID
	user      string // SIP address
	audience  string // URL of the port it is for
	key       []byte // proof key
	assertion []byte // exclusive canonical form
	expires   time.Time
}

// tickets are the web ticket store. The zero value is empty.
type tickets struct {
	mu    sync.Mutex
	byID  map[string]issued
	order []string // oldest first
}

func (t *tickets) add(i issued, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = map[string]issued{}
	}
	t.byID[i.id] = i
	t.order = append(t.order, i.id)
	gone := 0
	for _, id := range t.order {
		if len(t.byID) <= maxTickets && now.Before(t.byID[id].expires.Add(ticketLife)) {
			break
		}
		delete(t.byID, id)
		gone++
	}
	t.order = t.order[gone:]
}

// valid reports whether the user has a ticket that has not expired.
func (t *tickets) valid(user string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range t.byID {
		if sameSIP(i.user, user) && now.Before(i.expires) {
			return true
		}
	}
	return false
}

func (t *tickets) find(id string) (issued, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.byID[id]
	return i, ok
}
