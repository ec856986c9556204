package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Errors of [Directory.Find].
var (
	ErrNobody  = errors.New("no user has this SIP address, number, extension or login")
	ErrSeveral = errors.New("several users have this number, extension or login")
)

// Find finds the one user whom text names: by SIP address with or without sip:, by number or extension as dialled, or
// by login with or without its domain.
func (d *Directory) Find(text string) (User, error) {
	text = strings.TrimSpace(text)
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.find(text); e != nil {
		return e.user(), nil
	}
	var found []User
	for _, e := range d.users {
		if e.named(text) {
			found = append(found, e.user())
		}
	}
	switch len(found) {
	case 0:
		return User{}, fmt.Errorf("%.80q: %w", text, ErrNobody)
	case 1:
		return found[0], nil
	}
	var names []string
	for _, u := range found {
		names = append(names, u.SIPAddress)
	}
	return User{}, fmt.Errorf("%.80q: %w: %s", text, ErrSeveral, strings.Join(names, ", "))
}

// named reports whether text is a number, an extension or the login of the user. A fault that hides his number from
// handsets does not hide him here.
func (e *entry) named(text string) bool {
	if text == "" {
		return false
	}
	_, account, _ := strings.Cut(e.login, `\`)
	return strings.EqualFold(e.login, text) || strings.EqualFold(account, text) ||
		slices.Contains(e.numbers, strings.TrimPrefix(text, "+"))
}
