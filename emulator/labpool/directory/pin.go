package directory

import "time"

// SignIn finds the user of number and PIN. Of two users with one number the PIN tells which is meant. A wrong PIN is
// counted once, for each user whom the number dials; a number that nobody has is counted for nobody.
func (d *Directory) SignIn(number, pin string, now time.Time) (User, *PINError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	user, refused, counted := d.signIn(number, pin, now)
	if counted {
		if err := d.save(); err != nil && d.unsaved != nil {
			d.unsaved(err)
		}
	}
	return user, refused
}

// signIn is SignIn; counted means that a count has changed.
func (d *Directory) signIn(number, pin string, now time.Time) (user User, refused *PINError, counted bool) {
	var dialled, matching []*entry
	for _, e := range d.users {
		if !e.dialled(number) {
			continue
		}
		dialled = append(dialled, e)
		if e.hasPIN() && !e.struck[IncorrectPIN] && e.pin.matches(pin) {
			matching = append(matching, e)
		}
	}
	switch {
	case len(dialled) == 0:
		return User{}, &PINError{UserDoesNotExist}, false
	case len(matching) > 1 || len(matching) == 1 && matching[0].struck[NonUniqueUser]:
		return User{}, &PINError{NonUniqueUser}, false
	case len(matching) == 1:
		return d.admit(matching[0], now)
	}
	refused, counted = d.refuse(dialled, now)
	return User{}, refused, counted
}

// admit checks the state of the user whose PIN is right.
func (d *Directory) admit(e *entry, now time.Time) (user User, refused *PINError, counted bool) {
	if reason := d.state(e, now); reason != "" {
		return User{}, &PINError{reason}, false
	}
	counted = e.local != 0 || !e.windowBegan.IsZero()
	e.local, e.windowBegan = 0, time.Time{}
	return e.user(), nil, counted
}

func (d *Directory) state(e *entry, now time.Time) Reason {
	switch expires := d.expires(e); {
	case !e.user().Enabled:
		return UserPINDisabled
	case e.lockedOut(now):
		return UserPINAccountLocked
	case !expires.IsZero() && now.After(expires) || e.expired || e.struck[PINExpired]:
		return PINExpired
	}
	return ""
}

func (e *entry) hasPIN() bool { return e.pin.set() && !e.struck[PINNotSet] }

func (e *entry) lockedOut(now time.Time) bool {
	return e.locked || now.Before(e.lockedUntil) || e.struck[UserPINAccountLocked]
}

// expires is when a PIN expires by the policy, the zero Time if it never does. One that was made expired, or is by a
// fault, expired when it was set.
func (d *Directory) expires(e *entry) time.Time {
	switch {
	case !e.hasPIN():
		return time.Time{}
	case e.expired || e.struck[PINExpired]:
		return e.pinChanged
	case d.policy.PINLifetime > 0:
		return e.pinChanged.AddDate(0, 0, d.policy.PINLifetime)
	}
	return time.Time{}
}

// refuse counts a wrong PIN and names the reason of the first user dialled.
func (d *Directory) refuse(dialled []*entry, now time.Time) (refused *PINError, counted bool) {
	first := IncorrectPIN
	for i, e := range dialled {
		reason := d.state(e, now)
		if reason == "" && !e.hasPIN() {
			reason = PINNotSet
		}
		if reason == "" {
			d.count(e, now)
			counted = true
			reason = IncorrectPIN
		}
		if i == 0 {
			first = reason
		}
	}
	return &PINError{first}, counted
}

// count adds a failed attempt. The local limit within the observation window locks for an hour, after which the local
// count begins anew; the global limit locks until somebody unlocks (handset.md §4, PIN policy).
func (d *Directory) count(e *entry, now time.Time) {
	if e.windowBegan.IsZero() || now.Sub(e.windowBegan) > observationWindow {
		e.local, e.windowBegan = 0, now
	}
	e.local++
	e.global++
	local, global := d.limits()
	if e.local >= local {
		e.local, e.windowBegan, e.lockedUntil = 0, time.Time{}, now.Add(localLock)
	}
	if e.global >= global {
		e.locked = true
	}
}

// limits depend on the policy's length: 4 digits 10 and 100, 5 digits 25 and 1000, more 25 and 5000. The source leaves
// out exactly six; it is taken as more than five.
func (d *Directory) limits() (local, global int) {
	local, global = 25, 5000
	switch {
	case d.policy.MinPasswordLength <= 4:
		local, global = 10, 100
	case d.policy.MinPasswordLength == 5:
		global = 1000
	}
	if d.policy.MaximumLogonAttempts > 0 {
		local = d.policy.MaximumLogonAttempts
	}
	return local, global
}

// Attempts returns how many wrong PINs were counted for the user since the last unlock.
func (d *Directory) Attempts(sip string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.find(sip); e != nil {
		return e.global
	}
	return 0
}

// SetPIN gives a user a new PIN, which must meet the policy.
func (d *Directory) SetPIN(sip, pin string) error {
	return d.change(sip, func(e *entry) error { return d.setPIN(e, pin) })
}

func (d *Directory) setPIN(e *entry, pin string) error {
	if d.policy.Check(pin, e.LineURI) != nil {
		return &PINError{PINBelowRequirements}
	}
	hash, err := newHash(pin)
	if err != nil {
		return err
	}
	e.pin, e.pinChanged, e.expired = hash, d.now(), false
	return nil
}

// Unlock clears both counts and both locks.
func (d *Directory) Unlock(sip string) error {
	return d.change(sip, func(e *entry) error {
		e.local, e.global, e.windowBegan, e.lockedUntil, e.locked = 0, 0, time.Time{}, time.Time{}, false
		return nil
	})
}

// Lock locks a user's PIN until somebody unlocks it.
func (d *Directory) Lock(sip string) error {
	return d.change(sip, func(e *entry) error { e.locked = true; return nil })
}

// ClearPIN leaves a user without a PIN.
func (d *Directory) ClearPIN(sip string) error {
	return d.change(sip, func(e *entry) error { e.pin = secretHash{}; return nil })
}

// ExpirePIN makes a user's PIN expired.
func (d *Directory) ExpirePIN(sip string) error {
	return d.change(sip, func(e *entry) error { e.expired = true; return nil })
}

// PINInfo is what Get-CsClientPinInfo tells of a user's PIN.
type PINInfo struct {
	Set, LockedOut   bool
	Changed, Expires time.Time // zero: never
}

// PINInfo tells of a user's PIN.
func (d *Directory) PINInfo(sip string) (PINInfo, error) {
	var info PINInfo
	err := d.look(sip, func(e *entry) {
		info = PINInfo{Set: e.hasPIN(), LockedOut: e.lockedOut(d.now()), Changed: e.pinChanged, Expires: d.expires(e)}
	})
	return info, err
}

// Strike gives a user a state, or takes it away again, whatever else is known of him; setting or unlocking the PIN
// does not end it. The reason is that of the refusal: IncorrectPIN means that his PIN is another one, UserDoesNotExist
// that he has no number, NonUniqueUser that somebody else has his number and PIN as well, IncorrectPassword that his
// password is another one. It ends with the directory.
func (d *Directory) Strike(sip string, r Reason, on bool) error {
	return d.look(sip, func(e *entry) { e.struck[r] = on })
}

// look gives a user to f, or reports that there is none.
func (d *Directory) look(sip string, f func(*entry)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.find(sip)
	if e == nil {
		return &PINError{UserDoesNotExist}
	}
	f(e)
	return nil
}
