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
	refusalSalt       = 16 // bytes
	refusalIterations = 100_000
)

// holdBack remembers the credentials that the pool has refused.
func (h *Handset) holdBack() error {
	salt := make([]byte, refusalSalt)
	rand.Read(salt) // never fails, crypto/rand
	sum, err := h.ram.credentials.digest(salt)
	if err != nil {
		return err
	}
	h.flash.Refused = &devicestate.RefusedCredentials{Salt: salt, Sum: sum}
	return h.save()
}

// heldBack reports whether the pool has refused the credentials before, and the user does not insist.
func (h *Handset) heldBack() bool {
	r := h.flash.Refused
	if r == nil || h.cfg.RetryRefused {
		return false
	}
	sum, err := h.ram.credentials.digest(r.Salt)
	return err == nil && subtle.ConstantTimeCompare(sum, r.Sum) == 1
}

func (c Credentials) digest(salt []byte) ([]byte, error) {
	text := strings.Join([]string{c.Number, c.PIN.Reveal(), strings.ToLower(c.User), c.Password.Reveal()}, "\x00")
	return pbkdf2.Key(sha256.New, text, salt, refusalIterations, sha256.Size)
}
