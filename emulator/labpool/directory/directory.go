// Package directory is the user store of a lab's pool: who has which number, PIN and password, and the PIN policy.
package directory

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/protocol/ntlm"
)

// Reason is a PIN failure, named as in the UCMA enumeration PinFailureReason (web-services.md §3.4).
type Reason string

// The reasons that this directory gives.
const (
	UserDoesNotExist     Reason = "UserDoesNotExist"
	IncorrectPIN         Reason = "IncorrectPin"
	UserPINAccountLocked Reason = "UserPinAccountLocked"
	UserPINDisabled      Reason = "UserPinAccountDisabled"
	PINNotSet            Reason = "PinNotSet"
	PINExpired           Reason = "PinExpired"
	NonUniqueUser        Reason = "NonUniqueUser"
	PINBelowRequirements Reason = "PinDoesNotMeetMinimumRequirements"
	// IncorrectPassword is none of that enumeration, and only for [Directory.Strike].
	IncorrectPassword Reason = "IncorrectPassword"
	hashIterations           = 64 // a lab's secrets are test data; the hash only keeps them out of memory dumps and logs
	saltSize                 = 16
	observationWindow        = 30 * time.Minute
	localLock                = time.Hour
	defaultPINLength         = 5
)

// PINError is a refused sign-in.
type PINError struct{ Reason Reason }

func (e *PINError) Error() string { return "PIN sign-in refused: " + string(e.Reason) }

// User is what others may know of a user.
type User struct {
	SIPAddress string // sip:user@domain
	LineURI    string
	Enabled    bool
}

// Account describes a user to create. An empty PIN means that none is set.
type Account struct {
	User
	PIN, Login, Password string
	Locked               bool
}

// Config makes a directory.
type Config struct {
	Policy   configs.PINPolicy // of every user; a length of 0 means 5, the default of Set-CsPinPolicy
	Accounts []Account
	Now      func() time.Time // nil: time.Now

	Lab string // name of the lab, which tells its state file from another's
	// State is a file of mode 0600 that keeps PINs, locks and what else was changed; "" means that these end with the
	// process.
	State string
	// Unsaved is told, inside of [Directory.SignIn], that an attempt was not written to the state file.
	Unsaved func(error)
}

// Directory is the store. Its methods may be called from several goroutines.
type Directory struct {
	policy  configs.PINPolicy
	now     func() time.Time
	lab     string
	file    string
	unsaved func(error)

	mu    sync.Mutex
	users []*entry
}

type entry struct {
	User
	bare       string   // SIPAddress as bare has it
	numbers    []string // of LineURI
	login      string
	password   *ntlm.Key // NTOWFv1, nil: none
	pin        secretHash
	configured secretHash // of the account as it was given, if there is a state file
	pinChanged time.Time
	expired    bool
	struck     map[Reason]bool // states that a fault gives the user, whatever else is known of him; not saved

	local, global int // failed attempts
	windowBegan   time.Time
	lockedUntil   time.Time
	locked        bool // until somebody unlocks
}

// secretHash is a salted hash; the zero value matches nothing.
type secretHash struct{ salt, sum []byte }

func newHash(text string) (h secretHash, err error) {
	h.salt = make([]byte, saltSize)
	rand.Read(h.salt) // never fails, crypto/rand
	h.sum, err = pbkdf2.Key(sha256.New, text, h.salt, hashIterations, sha256.Size)
	return h, err
}

func (h secretHash) set() bool { return len(h.sum) > 0 }

func (h secretHash) matches(text string) bool {
	sum, err := pbkdf2.Key(sha256.New, text, h.salt, hashIterations, sha256.Size)
	return err == nil && h.set() && subtle.ConstantTimeCompare(sum, h.sum) == 1
}

// New makes a directory with the accounts.
func New(cfg Config) (*Directory, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Policy.MinPasswordLength == 0 {
		cfg.Policy.MinPasswordLength = defaultPINLength
	}
	d := &Directory{policy: cfg.Policy, now: cfg.Now, lab: cfg.Lab, file: cfg.State, unsaved: cfg.Unsaved}
	for _, a := range cfg.Accounts {
		e := &entry{struck: map[Reason]bool{}, User: a.User, bare: bare(a.SIPAddress), numbers: configs.LineNumbers(a.LineURI), login: a.Login, locked: a.Locked}
		if a.Password != "" {
			e.setPassword(a.Password)
		}
		if a.PIN != "" {
			if err := d.setPIN(e, a.PIN); err != nil {
				return nil, fmt.Errorf("%s: %w", a.SIPAddress, err)
			}
		}
		if d.file != "" {
			var err error
			if e.configured, err = newHash(a.configured()); err != nil {
				return nil, err
			}
		}
		d.users = append(d.users, e)
	}
	if err := d.restore(cfg.Accounts); err != nil {
		return nil, err
	}
	return d, nil
}

// dialled reports whether number, as dialled with or without plus, is the user's number or extension.
func (e *entry) dialled(number string) bool {
	return !e.struck[UserDoesNotExist] && slices.Contains(e.numbers, strings.TrimPrefix(number, "+"))
}

// user is the user as others see him.
func (e *entry) user() User {
	u := e.User
	if e.struck[UserDoesNotExist] {
		u.LineURI = ""
	}
	u.Enabled = u.Enabled && !e.struck[UserPINDisabled]
	return u
}

func (d *Directory) find(sip string) *entry {
	sip = bare(sip)
	for _, e := range d.users {
		if e.bare == sip {
			return e
		}
	}
	return nil
}

// bare is a SIP address without its scheme, in lower case.
func bare(sip string) string { return strings.TrimPrefix(strings.ToLower(sip), "sip:") }

// BySIP finds a user by SIP address, with or without sip:.
func (d *Directory) BySIP(sip string) (User, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.find(sip); e != nil {
		return e.user(), true
	}
	return User{}, false
}

// Users lists everybody.
func (d *Directory) Users() []User {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []User
	for _, e := range d.users {
		out = append(out, e.user())
	}
	return out
}

// Login checks login and password; a locked PIN does not matter here.
func (d *Directory) Login(login, password string) (User, bool) {
	given := ntlm.NTOWFv1(password)
	return d.Prove(login, func(known ntlm.Key) bool { return subtle.ConstantTimeCompare(given[:], known[:]) == 1 })
}

// Prove asks whether somebody has proved to know the password of the login's user, whose NTOWFv1 it tells.
func (d *Directory) Prove(login string, proved func(ntlm.Key) bool) (User, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.users {
		if login != "" && strings.EqualFold(e.login, login) && e.password != nil && !e.struck[IncorrectPassword] && proved(*e.password) {
			return e.user(), true
		}
	}
	return User{}, false
}

// SetPassword gives a user another password.
func (d *Directory) SetPassword(sip, password string) error {
	return d.change(sip, func(e *entry) error { e.setPassword(password); return nil })
}

func (e *entry) setPassword(password string) {
	hash := ntlm.NTOWFv1(password)
	e.password = &hash
}

// change applies f to a user and saves, or reports that there is none. After an error nothing is changed.
func (d *Directory) change(sip string, f func(*entry) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.find(sip)
	if e == nil {
		return &PINError{UserDoesNotExist}
	}
	before := *e
	err := f(e)
	if err == nil {
		err = d.save()
	}
	if err != nil {
		*e = before
	}
	return err
}

// Enable lets a user sign in.
func (d *Directory) Enable(sip string) error {
	return d.change(sip, func(e *entry) error { e.Enabled = true; return nil })
}

// Disable keeps a user out.
func (d *Directory) Disable(sip string) error {
	return d.change(sip, func(e *entry) error { e.Enabled = false; return nil })
}

// SetLineURI gives a user another line.
func (d *Directory) SetLineURI(sip, lineURI string) error {
	return d.change(sip, func(e *entry) error {
		e.setLine(lineURI)
		return nil
	})
}

func (e *entry) setLine(lineURI string) {
	e.LineURI, e.numbers = lineURI, configs.LineNumbers(lineURI)
}
