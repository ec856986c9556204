package registrar

import (
	"testing"
	"time"
)

// TestLookWhileOneExpires: a registration that expires between two looks at the clock is looked at again.
func TestLookWhileOneExpires(t *testing.T) {
	const user, epid = "sip:kenmyer@litwareinc.com", "0b94f30682"
	clock := time.Unix(1_000_000, 0)
	expires := clock.Add(3 * time.Millisecond / 2)
	e := endpoints{
		now:     func() time.Time { clock = clock.Add(time.Millisecond); return clock },
		users:   map[string]*presence{user: {live: []*endpoint{{Registration: Registration{SIP: user, EPID: epid, State: Registered, Expires: expires}}}}},
		changed: make(chan struct{}),
	}
	if found, _, next := e.look(user, epid, Expired); found.State != Registered || next <= 0 {
		t.Errorf("%s, to be looked at in %v", found.State, next)
	}
	if found, _, next := e.look(user, epid, Expired); found.State != Expired || next != 0 {
		t.Errorf("%s, to be looked at in %v", found.State, next)
	}
}
