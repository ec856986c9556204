package labpool

import (
	"errors"
	"fmt"
	"net"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// ErrNotHere means that a fault has nothing to strike in this pool.
var ErrNotHere = errors.New("nothing to strike in this pool")

// ActiveFault is a fault that strikes, and whom if it strikes one user.
type ActiveFault struct {
	faults.Fault
	User string // SIP address
}

// userFaults are the faults that strike one user, with the state that they give him.
var userFaults = map[string]directory.Reason{
	"ticket=wrong-pin":      directory.IncorrectPIN,
	"ticket=unknown-number": directory.UserDoesNotExist,
	"ticket=pin-locked":     directory.UserPINAccountLocked,
	"ticket=pin-unset":      directory.PINNotSet,
	"ticket=pin-expired":    directory.PINExpired,
	"ticket=user-disabled":  directory.UserPINDisabled,
	"ticket=not-unique":     directory.NonUniqueUser,
	"ticket=wrong-password": directory.IncorrectPassword,
}

// SetFault lets a fault of faults.yaml, stage=kind[:parameter], strike from now on. One that strikes a user strikes the
// one who is named, else the one of Config.DialledNumber; connections that there are stay. A fault that has nothing to
// strike in this pool is refused, and the error, which wraps [ErrNotHere], says why.
func (p *Pool) SetFault(fault, user string) error {
	f, _, err := faults.Known(fault)
	if err != nil {
		return err
	}
	struck := ""
	if _, ofUser := userFaults[f.Name]; ofUser {
		if struck, err = p.whom(user); err != nil {
			return fmt.Errorf("fault %s: %w", f.Name, err)
		}
	} else if user != "" {
		return fmt.Errorf("fault %s: %w: it strikes every handset, not one user", f.Name, ErrNotHere)
	}
	return p.change("fault "+f.String()+" is set", func() (undo func(), err error) {
		if reason := p.misses(f.Name); reason != "" {
			return nil, fmt.Errorf("fault %s: %w: %s", f.Name, ErrNotHere, reason)
		}
		if f.Name == "link=no-carrier" && len(p.handsets) == 0 {
			return nil, fmt.Errorf("fault %s: %w: no station is known as a handset, see ApplyCableFaults", f.Name, ErrNotHere)
		}
		before, meant := p.faults.Active(), p.meant[f.Name]
		p.faults.Put(f)
		p.meant[f.Name] = struck
		if f.Name == "register=redirect" {
			for _, r := range p.Registrars {
				r.ForgetRedirects()
			}
		}
		return func() {
			p.faults.Clear(f.Name)
			p.meant[f.Name] = meant
			for _, old := range before {
				if old.Name == f.Name {
					p.faults.Put(old)
				}
			}
		}, nil
	})
}

// ClearFault ends the named fault, stage=kind. It reports whether there was one.
func (p *Pool) ClearFault(name string) (bool, error) {
	if !p.faults.Has(name) {
		return false, nil
	}
	return true, p.change("fault "+name+" is cleared", func() (func(), error) {
		p.faults.Clear(name)
		return nil, nil
	})
}

// Faults lists the faults that strike, sorted by name; the times of each are those left.
func (p *Pool) Faults() []ActiveFault {
	p.changing.Lock()
	defer p.changing.Unlock()
	var out []ActiveFault
	for _, f := range p.faults.Active() {
		out = append(out, ActiveFault{f, p.meant[f.Name]})
	}
	return out
}

// ChangeRegistrar changes the registrars' configuration, as Set-CsRegistrarConfiguration does; it counts at once. What
// was granted before stays.
func (p *Pool) ChangeRegistrar(change func(*configs.Registrar)) error {
	return p.change("the registrars' configuration is changed", func() (func(), error) {
		before := p.settings.Registrar()
		err := p.settings.ChangeRegistrar(change)
		return func() {
			_ = p.settings.ChangeRegistrar(func(r *configs.Registrar) { *r = before }) // it was there, so it can be
		}, err
	})
}

// ChangeWebServices changes the web services' configuration, as Set-CsWebServiceConfiguration does; it counts at once.
func (p *Pool) ChangeWebServices(change func(*configs.WebServices)) error {
	return p.change("the web services' configuration is changed", func() (func(), error) {
		p.settings.ChangeWebServices(change)
		return nil, nil
	})
}

// Registrar is the registrars' configuration now.
func (p *Pool) Registrar() configs.Registrar { return p.settings.Registrar() }

// WebServices is the web services' configuration now.
func (p *Pool) WebServices() configs.WebServices { return p.settings.WebServices() }

// change makes a change and lets the pool follow it, or takes it back.
func (p *Pool) change(what string, do func() (undo func(), err error)) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	if p.closed {
		return fmt.Errorf("lab %s: %w", p.cfg.Lab.Name, net.ErrClosed)
	}
	undo, err := do()
	if err != nil {
		return err
	}
	if err := p.follow(); err != nil {
		if undo != nil {
			undo()
			err = errors.Join(err, p.follow())
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	p.Timeline.Add(timeline.Observation{At: p.cfg.Now(), Kind: timeline.Note, Protocol: "lab", Text: what})
	return nil
}

// whom is the SIP address of the user whom a fault of the directory strikes.
func (p *Pool) whom(user string) (string, error) {
	if user == "" {
		if p.dialled == "" {
			return "", fmt.Errorf("%w: it strikes one user, and %q dials none", ErrNotHere, p.cfg.DialledNumber)
		}
		return p.dialled, nil
	}
	u, err := p.Directory.Find(user)
	return u.SIPAddress, err
}
