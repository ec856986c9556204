package handset

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
)

const (
	saltSize      = 16 // bytes
	sumIterations = 100_000
)

// newSum is a sum that recognises the text.
func newSum(text string) (*devicestate.SaltedSum, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails, crypto/rand
	sum, err := digest(text, salt)
	if err != nil {
		return nil, err
	}
	return &devicestate.SaltedSum{Salt: salt, Sum: sum}, nil
}

// sumOf reports whether s is a sum of the text; nothing is of no text.
func sumOf(s *devicestate.SaltedSum, text string) bool {
	if s == nil {
		return false
	}
	sum, err := digest(text, s.Salt)
	return err == nil && subtle.ConstantTimeCompare(sum, s.Sum) == 1
}

func digest(text string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, text, salt, sumIterations, sha256.Size)
}

// holdBack remembers the credentials that the pool has refused.
func (h *Handset) holdBack() error {
	sum, err := newSum(h.ram.credentials.text())
	if err != nil {
		return err
	}
	h.flash.Refused = sum
	return h.save()
}

// heldBack reports whether the pool has refused the credentials before, and the user does not insist: who enters them at
// the phone does.
func (h *Handset) heldBack() bool {
	return !h.cfg.retryRefused && !h.ram.entered && sumOf(h.flash.Refused, h.ram.credentials.text())
}

// text is what was entered, in one.
func (c Credentials) text() string {
	return strings.Join([]string{c.Number, c.PIN.Reveal(), strings.ToLower(c.User), c.Password.Reveal()}, "\x00")
}
