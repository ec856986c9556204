package labpool

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

// State is what a pool can see of a user's sign-in.
type State string

// The states. The first four are those of an endpoint of the user, whose latest registration counts.
const (
	Registered State = "registered" // an endpoint is registered
	SignedOff  State = "signed-off" // an endpoint has ended its registration itself
	Removed    State = "removed"    // the pool has ended an endpoint's registration
	Expired    State = "expired"    // an endpoint's registration was not refreshed in time
	Ticketed   State = "ticketed"   // a web ticket was issued, and has not expired
	Enrolled   State = "enrolled"   // a certificate is published
	Refused    State = "refused"    // the last request that named the user was refused
)

// States lists the states.
func States() []State {
	return []State{Registered, SignedOff, Removed, Expired, Ticketed, Enrolled, Refused}
}

// Reached is a state in which a user is, with what shows it.
type Reached struct {
	State State
	User  directory.User

	Registration Registration        // of the first four states
	Certificate  authority.Published // of Enrolled
	Entry        history.Entry       // of Refused
}

// Await waits until a user, named as in [Pool.User], is in a state; if he is already, it does not wait.
func (p *Pool) Await(ctx context.Context, user string, want State) (Reached, error) {
	if !slices.Contains(States(), want) {
		return Reached{}, fmt.Errorf("state %.40q is not one of %v", want, States())
	}
	u, err := p.User(user)
	if err != nil {
		return Reached{}, err
	}
	for {
		changed := p.History.Changed()
		reached, ok, next := p.reached(u, want)
		if ok {
			return reached, nil
		}
		if err := registrar.Until(ctx, changed, next); err != nil {
			return reached, fmt.Errorf("%s is not %s, but %s: %w", u.SIPAddress, want, p.now(u), err)
		}
	}
}

// reached looks whether the user is in a state. next is when a registration expires, which no observation tells.
func (p *Pool) reached(u directory.User, want State) (r Reached, ok bool, next time.Duration) {
	r = Reached{State: want, User: u}
	switch want {
	case Ticketed:
		return r, p.web.HasTicket(u.SIPAddress), 0
	case Enrolled:
		list := p.Authority.List(u.SIPAddress)
		if len(list) > 0 {
			r.Certificate = list[len(list)-1]
		}
		return r, len(list) > 0, 0
	case Refused:
		entry, known := p.History.Latest(u.SIPAddress)
		r.Entry = entry
		return r, known && history.Value(entry.Observation, history.Refused) != "", 0
	}
	latest, next := p.latest(u)
	for _, one := range latest {
		if State(one.State) == want && !one.Since.Before(r.Registration.Since) {
			r.Registration, ok = one, true
		}
	}
	return r, ok, next
}

// latest is the latest registration of each of a user's endpoints, and when the first of them expires.
func (p *Pool) latest(u directory.User) (latest map[string]Registration, next time.Duration) {
	latest = map[string]Registration{}
	for _, one := range p.Registrations() { // in order of Since
		if !strings.EqualFold(one.SIP, u.SIPAddress) {
			continue
		}
		latest[one.EPID] = one
		if left := one.Expires.Sub(p.cfg.Now()); one.State == registrar.Registered && (next == 0 || left < next) {
			next = max(left, time.Millisecond)
		}
	}
	return latest, next
}

// now says in which states a user is.
func (p *Pool) now(u directory.User) string {
	var in []string
	for _, state := range States() {
		if _, ok, _ := p.reached(u, state); ok {
			in = append(in, string(state))
		}
	}
	if len(in) == 0 {
		return "nothing was seen of him"
	}
	return strings.Join(in, ", ")
}

// AwaitRegistered waits until an endpoint of a user is registered.
func (p *Pool) AwaitRegistered(ctx context.Context, user string) (Registration, error) {
	r, err := p.Await(ctx, user, Registered)
	return r.Registration, err
}

// AwaitSignedOff waits until an endpoint of a user has ended its registration itself.
func (p *Pool) AwaitSignedOff(ctx context.Context, user string) (Registration, error) {
	r, err := p.Await(ctx, user, SignedOff)
	return r.Registration, err
}

// AwaitTicketed waits until the pool has issued a web ticket to a user.
func (p *Pool) AwaitTicketed(ctx context.Context, user string) error {
	_, err := p.Await(ctx, user, Ticketed)
	return err
}

// AwaitEnrolled waits until a certificate of a user's handset is published.
func (p *Pool) AwaitEnrolled(ctx context.Context, user string) (authority.Published, error) {
	r, err := p.Await(ctx, user, Enrolled)
	return r.Certificate, err
}

// AwaitRefused waits until the pool has refused a user. The entry says why.
func (p *Pool) AwaitRefused(ctx context.Context, user string) (history.Entry, error) {
	r, err := p.Await(ctx, user, Refused)
	return r.Entry, err
}
