package labpool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

// Registration is an endpoint of a user as one of the registrars knows it.
type Registration struct {
	registrar.Registration
	Host string // FQDN of the registrar
}

// User finds the user whom text names: a SIP address, a number or extension as dialled, or a login.
func (p *Pool) User(text string) (directory.User, error) { return p.Directory.Find(text) }

// Registrations lists the endpoints of all users on all registrars, the live ones and the last that ended, by SIP
// address and then by the time since when each is in its state.
func (p *Pool) Registrations() []Registration {
	var out []Registration
	for _, r := range p.Registrars {
		for _, one := range r.Registrations() {
			out = append(out, Registration{one, r.Host()})
		}
	}
	slices.SortStableFunc(out, func(a, b Registration) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.SIP), strings.ToLower(b.SIP)), a.Since.Compare(b.Since))
	})
	return out
}

// HistoryOf returns the entries about a user after the one of that number, in order.
func (p *Pool) HistoryOf(user string, after uint64) ([]history.Entry, error) {
	u, err := p.User(user)
	if err != nil {
		return nil, err
	}
	return p.History.Of(u.SIPAddress, after), nil
}

// Deregister ends every registration of a user and tells each endpoint why; it waits for their answers. The error wraps
// [registrar.ErrNotRegistered] if there is none.
func (p *Pool) Deregister(ctx context.Context, user string, event registrar.Event) error {
	return p.each(user, func(r *registrar.Server, sip string) error { return r.Deregister(ctx, sip, event) })
}

// Notify tells the endpoints of a user that have subscribed to an event. The error wraps [registrar.ErrNotRegistered] if
// there is no endpoint.
func (p *Pool) Notify(ctx context.Context, user string, n registrar.Notification) error {
	return p.each(user, func(r *registrar.Server, sip string) error { return r.Notify(ctx, sip, n) })
}

// each does something at every registrar where a user has an endpoint.
func (p *Pool) each(user string, do func(*registrar.Server, string) error) error {
	u, err := p.User(user)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range p.Registrars {
		if slices.ContainsFunc(r.Registrations(), func(one registrar.Registration) bool {
			return one.State == registrar.Registered && strings.EqualFold(one.SIP, u.SIPAddress)
		}) {
			errs = append(errs, do(r, u.SIPAddress))
		}
	}
	if len(errs) == 0 {
		return &notRegistered{u.SIPAddress}
	}
	return errors.Join(errs...)
}

type notRegistered struct{ sip string }

func (e *notRegistered) Error() string { return e.sip + ": " + registrar.ErrNotRegistered.Error() }
func (e *notRegistered) Unwrap() error { return registrar.ErrNotRegistered }

// DropAssociations lets every registrar forget its security associations, as after a restart; registrations and
// connections stay.
func (p *Pool) DropAssociations(ctx context.Context) error {
	var errs []error
	for _, r := range p.Registrars {
		errs = append(errs, r.DropAssociations(ctx))
	}
	return errors.Join(errs...)
}
