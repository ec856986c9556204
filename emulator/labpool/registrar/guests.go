package registrar

import (
	"strings"
	"sync"

	"github.com/phone-edition/lpe/emulator/labpool/guests"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Bounds of the connections of a front end. Strangers are those on which nobody has authenticated, the TLS handshake
// included. When one too many comes, the one that nothing was heard of for the longest has to go.
const (
	maxStrangers = 1024
	maxOfUser    = 64 // on which certificates of the same user authenticated first
)

// doorkeeper knows the connections of a front end by who is at their other end.
type doorkeeper struct {
	strangers *guests.List

	mu    sync.Mutex
	users map[string]*guests.List // by lower-case user@domain, none is empty
}

func (d *doorkeeper) init() {
	d.strangers, d.users = guests.New(maxStrangers), map[string]*guests.List{}
}

// come counts the connection in as a stranger's.
func (c *connection) come() {
	if gone := c.s.guests.strangers.Come(c.raw); gone != nil {
		c.s.note(timeline.Dropped, gone.RemoteAddr().String(), "connection closed: there are more than %d that nobody has authenticated on", maxStrangers)
	}
}

// known counts the connection as the user's from now on, if it was a stranger's.
func (c *connection) known(a *association) {
	if c.authenticated {
		return
	}
	c.authenticated, c.owner = true, strings.ToLower(a.user())
	d := &c.s.guests
	d.strangers.Leave(c.raw)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users[c.owner] == nil {
		d.users[c.owner] = guests.New(maxOfUser)
	}
	if gone := d.users[c.owner].Come(c.raw); gone != nil {
		c.s.note(timeline.Dropped, gone.RemoteAddr().String(), "connection closed: %.*s has more than %d", maxShown, c.owner, maxOfUser)
	}
}

// leave counts the connection out.
func (d *doorkeeper) leave(c *connection) {
	d.strangers.Leave(c.raw)
	d.mu.Lock()
	defer d.mu.Unlock()
	if own := d.users[c.owner]; own != nil {
		own.Leave(c.raw)
		if own.Len() == 0 {
			delete(d.users, c.owner)
		}
	}
}
