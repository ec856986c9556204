package registrar

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/settings"
)

// State says what has become of an endpoint.
type State string

// The states of an endpoint.
const (
	Registered State = "registered"
	SignedOff  State = "signed-off" // by its own REGISTER with Expires 0
	Removed    State = "removed"    // by the pool: signed out, or too many endpoints of one user
	Expired    State = "expired"
)

// Registration is one endpoint of a user as the front end knows it.
type Registration struct {
	SIP       string // sip:user@domain
	EPID      string
	UserAgent string
	Contact   string    // URI
	Since     time.Time // when it came into its state
	Expires   time.Time
	State     State
}

// endpoint is a registration with the way to it.
type endpoint struct {
	Registration
	callID   string
	instance string // UUID, lower case
	gruu     string
	conn     *connection
}

// granted is what the registrar grants, from its configuration.
type granted struct {
	standard, least, most time.Duration // to registrations
	subscription          time.Duration // to those who do not ask for less
	endpoints             int           // of one user
}

// maxEnded bounds the ended registrations of one user that are remembered.
const maxEnded = 16

// endpoints are the registrations and publications of every user.
type endpoints struct {
	now      func() time.Time
	settings *settings.Settings

	mu      sync.Mutex
	users   map[string]*presence
	changed chan struct{} // closed at the next change
}

// presence is what the pool holds for one user.
type presence struct {
	live         []*endpoint // the one registered first comes first
	ended        []Registration
	publications map[publicationKey]publication
}

func (e *endpoints) init(cfg Config) {
	e.now, e.settings = cfg.Now, cfg.Settings
	e.users = map[string]*presence{}
	e.changed = make(chan struct{})
}

// grants is what is granted now.
func (e *endpoints) grants() granted {
	r := e.settings.Registrar()
	seconds := func(n, standard int) time.Duration { return time.Duration(cmp.Or(n, standard)) * time.Second }
	standard := seconds(r.DefaultEndpointExpiration, 600)
	g := granted{
		standard: standard, least: seconds(r.MinEndpointExpiration, 300), most: seconds(r.MaxEndpointExpiration, 900),
		subscription: standard, endpoints: cmp.Or(r.MaxEndpointsPerUser, 8),
	}
	if r.Expires != 0 {
		g.standard = seconds(r.Expires, 0)
		g.least, g.most = g.standard, g.standard
	}
	return g
}

// grant is the time granted to an endpoint that asks for the given one; 0 means that it did not ask.
func (g granted) grant(asked time.Duration) time.Duration {
	if asked == 0 {
		return g.standard
	}
	return min(max(asked, g.least), g.most)
}

// user returns what is held for a user, without what has expired. e.mu is held.
func (e *endpoints) user(sip string) *presence {
	key := strings.ToLower(sip)
	p := e.users[key]
	if p == nil {
		p = &presence{publications: map[publicationKey]publication{}}
		e.users[key] = p
	}
	now := e.now()
	for _, one := range slices.Clone(p.live) {
		if !now.Before(one.Expires) {
			p.end(one, Expired, one.Expires)
		}
	}
	return p
}

// end moves an endpoint to the ended ones; what it published until its end is gone.
func (p *presence) end(one *endpoint, state State, at time.Time) {
	p.live = slices.DeleteFunc(p.live, func(o *endpoint) bool { return o == one })
	for key, published := range p.publications {
		if published.expireType == "endpoint" && published.epid == one.EPID {
			delete(p.publications, key)
		}
	}
	one.State, one.Since = state, at
	p.ended = append(p.ended, one.Registration)
	if len(p.ended) > maxEnded {
		p.ended = slices.Delete(p.ended, 0, len(p.ended)-maxEnded)
	}
}

func (p *presence) find(epid string) *endpoint {
	for _, one := range p.live {
		if one.EPID == epid {
			return one
		}
	}
	return nil
}

func (e *endpoints) signal() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// bind registers an endpoint in place of its older registration. refreshed says that it is the same one going on;
// evicted are those that made room.
func (e *endpoints) bind(one *endpoint) (refreshed bool, evicted []*endpoint, all []*endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.user(one.SIP)
	one.State = Registered
	if before := p.find(one.EPID); before != nil {
		if refreshed = before.callID == one.callID; refreshed {
			one.Since = before.Since
		}
		p.live[slices.Index(p.live, before)] = one
	} else {
		for most := e.grants().endpoints; len(p.live) >= most; {
			evicted = append(evicted, p.live[0])
			p.end(p.live[0], Removed, e.now())
		}
		p.live = append(p.live, one)
	}
	e.signal()
	return refreshed, evicted, slices.Clone(p.live)
}

// unbind ends a registration and reports whether there was one.
func (e *endpoints) unbind(sip, epid string, state State) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.user(sip)
	one := p.find(epid)
	if one == nil {
		return false
	}
	p.end(one, state, e.now())
	e.signal()
	return true
}

// has reports whether an endpoint is registered.
func (e *endpoints) has(sip, epid string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.user(sip).find(epid) != nil
}

// of lists the live endpoints of a user.
func (e *endpoints) of(sip string) []*endpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.user(sip).live)
}

// Registrations lists the endpoints of all users, the live ones and the last that ended, sorted by SIP address.
func (s *Server) Registrations() []Registration {
	e := &s.endpoints
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Registration
	for sip := range e.users {
		p := e.user(sip)
		out = append(out, p.ended...)
		for _, one := range p.live {
			out = append(out, one.Registration)
		}
	}
	slices.SortStableFunc(out, func(a, b Registration) int { return cmp.Compare(a.SIP, b.SIP) })
	return out
}

// AwaitState waits until an endpoint of a user has the given state; without an epid any endpoint will do. Its latest
// registration counts.
func (s *Server) AwaitState(ctx context.Context, sip, epid string, want State) (Registration, error) {
	e := &s.endpoints
	for {
		found, changed, next := e.look(sip, epid, want)
		if found.State == want {
			return found, nil
		}
		if err := Until(ctx, changed, next); err != nil {
			return found, fmt.Errorf("%s %s is not %s: %w", sip, epid, want, err)
		}
	}
}

// Until waits for a change, for a time if there is one, or for the end of ctx.
func Until(ctx context.Context, changed <-chan struct{}, next time.Duration) error {
	var over <-chan time.Time
	if next > 0 {
		timer := time.NewTimer(next)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-changed:
	case <-over:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// look finds the registration in the state, else the latest one, and how long until the first live one expires.
func (e *endpoints) look(sip, epid string, want State) (found Registration, changed <-chan struct{}, next time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.user(sip)
	latest := map[string]Registration{}
	for _, one := range p.ended {
		latest[one.EPID] = one
	}
	for _, one := range p.live {
		latest[one.EPID] = one.Registration
		if left := one.Expires.Sub(e.now()); next == 0 || left < next {
			next = max(left, time.Millisecond) // it may be over by now
		}
	}
	for id, one := range latest {
		if epid != "" && id != epid {
			continue
		}
		if found.State != want {
			found = one
		}
	}
	return found, e.changed, next
}
