package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/wholefile"
	"github.com/phone-edition/lpe/protocol/ntlm"
)

const (
	stateVersion = 1
	maxStateSize = 16 << 20
)

// state is what of a directory survives a restart of the lab: everything that can be changed while it runs.
type state struct {
	Version int         `json:"version"`
	Lab     string      `json:"lab"`
	Users   []userState `json:"users"`
}

type userState struct {
	SIPAddress  string    `json:"sip_address"`
	Configured  hashState `json:"configured"` // of the account as the lab's file had it
	Enabled     bool      `json:"enabled"`
	LineURI     string    `json:"line_uri"`
	Password    []byte    `json:"password"` // NTOWFv1
	PIN         hashState `json:"pin"`
	PINChanged  time.Time `json:"pin_changed"`
	Expired     bool      `json:"expired"`
	Local       int       `json:"local_attempts"`
	Global      int       `json:"global_attempts"`
	WindowBegan time.Time `json:"window_began"`
	LockedUntil time.Time `json:"locked_until"`
	Locked      bool      `json:"locked"`
}

type hashState struct {
	Salt []byte `json:"salt"`
	Sum  []byte `json:"sum"`
}

// configured is the text that tells whether an account was edited in the lab's file. It is kept hashed, as it holds
// PIN and password.
func (a Account) configured() string {
	return strings.Join([]string{a.PIN, a.Password, a.LineURI, fmt.Sprint(a.Enabled, a.Locked)}, "\x00")
}

// restore takes over what the state file, if there is one, holds of the users. What is not in the lab's file any more is
// left out, and an account that was edited there begins anew as the file has it.
func (d *Directory) restore(accounts []Account) error {
	if d.file == "" {
		return nil
	}
	text, err := wholefile.Read(d.file, maxStateSize)
	if errors.Is(err, fs.ErrNotExist) {
		return d.save()
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s is damaged: %w", d.file, err)
	}
	switch {
	case s.Version != stateVersion:
		return fmt.Errorf("%s has version %d, this program reads version %d", d.file, s.Version, stateVersion)
	case s.Lab != d.lab:
		return fmt.Errorf("%s holds the directory of lab %.80q, not of %s: give another file, or remove it for a new one", d.file, s.Lab, d.lab)
	}
	for _, kept := range s.Users {
		for i, a := range accounts {
			if strings.EqualFold(a.SIPAddress, kept.SIPAddress) && kept.Configured.hash().matches(a.configured()) {
				kept.put(d.users[i])
				break
			}
		}
	}
	return d.save()
}

func (u userState) put(e *entry) {
	e.configured, e.pin = u.Configured.hash(), u.PIN.hash()
	if e.password = nil; len(u.Password) == len(ntlm.Key{}) {
		password := ntlm.Key(u.Password)
		e.password = &password
	}
	e.Enabled = u.Enabled
	e.setLine(u.LineURI)
	e.pinChanged, e.expired = u.PINChanged, u.Expired
	e.local, e.global, e.windowBegan, e.lockedUntil, e.locked = u.Local, u.Global, u.WindowBegan, u.LockedUntil, u.Locked
}

// save writes the state file, if there is to be one. d.mu is held, or nobody has d yet.
func (d *Directory) save() error {
	if d.file == "" {
		return nil
	}
	s := state{Version: stateVersion, Lab: d.lab}
	for _, e := range d.users {
		var password []byte
		if e.password != nil {
			password = e.password[:]
		}
		s.Users = append(s.Users, userState{
			SIPAddress: e.SIPAddress, Configured: e.configured.state(), Enabled: e.Enabled, LineURI: e.LineURI,
			Password: password, PIN: e.pin.state(), PINChanged: e.pinChanged, Expired: e.expired,
			Local: e.local, Global: e.global, WindowBegan: e.windowBegan, LockedUntil: e.lockedUntil, Locked: e.locked,
		})
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return wholefile.Write(d.file, text)
}

func (h secretHash) state() hashState { return hashState{h.salt, h.sum} }

func (s hashState) hash() secretHash { return secretHash{s.Salt, s.Sum} }
