package handset

import (
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/protocol/provisioning"
)

// mostUnlockDigits is the longest unlock PIN that the phone takes (handset.md §0 item 5).
const mostUnlockDigits = 15

// lockPolicy is what in-band provisioning says of the phone lock (handset.md §4).
type lockPolicy struct {
	enforced bool
	after    time.Duration // without use
	digits   int           // of the unlock PIN, at least
}

// takeLockPolicy takes the policy of provisioning.
func (h *Handset) takeLockPolicy(c provisioning.Configuration) {
	h.ram.lock = lockPolicy{enforced: c.EnforcePINLock, after: c.PhoneTimeout, digits: c.MinPINLength}
	pin := h.cfg.unlockPIN
	if !h.ram.lock.enforced || h.flash.UnlockPIN != nil || pin.IsZero() {
		return
	}
	if n := len(pin.Reveal()); n < h.ram.lock.digits || n > mostUnlockDigits || strings.Trim(pin.Reveal(), "0123456789") != "" {
		h.warn(fail(devicestate.StageProvision, "unlock-pin", "", "the unlock PIN that was entered is not one of so many digits as the pool wants: the phone does not lock", nil))
		return
	}
	h.ram.unlockPINEntered = true
}

// unlockPINSet reports, once, that the user has set an unlock PIN.
func (h *Handset) unlockPINSet() bool {
	entered := h.ram.unlockPINEntered
	h.ram.unlockPINEntered = false
	return entered
}

func (h *Handset) storeUnlockPIN() error {
	sum, err := newSum(h.cfg.unlockPIN.Reveal())
	if err != nil {
		return err
	}
	h.flash.UnlockPIN = sum
	return h.save()
}

// lockDue is when the phone locks by itself.
func (h *Handset) lockDue() (time.Time, bool) {
	lock := h.ram.lock
	if !lock.enforced || lock.after <= 0 || h.machine.Locked || !h.machine.Memory.UnlockPIN {
		return time.Time{}, false
	}
	return h.ram.used.Add(lock.after), true
}

// Unlock enters a PIN at a locked phone.
func (h *Handset) Unlock(pin secret.Value) {
	h.enter(userEvent{event: devicestate.PhoneUnlock, pin: pin})
}

// userEvent is what the user does, with what he enters for it.
type userEvent struct {
	event       devicestate.Event
	pin         secret.Value
	credentials Credentials
}

// judgeUser turns a wrong PIN into its refusal. The event is empty if there is nothing to do.
func (h *Handset) judgeUser(u userEvent) devicestate.Event {
	h.ram.used = time.Now()
	if u.event == devicestate.CredentialsEntered {
		if h.machine.State != devicestate.SignIn || h.machine.Memory.Certificate {
			h.note("%s were entered, and nobody was asked for them", u.credentials.kind())
			return ""
		}
		h.ram.credentials, h.ram.entered = u.credentials, true
		if h.ram.certURL == "" && h.flash.CertificateURL != "" {
			h.useURL(h.flash.CertificateURL, "flash")
			h.out.Registrar = h.flash.Registrar
		}
	}
	if u.event == devicestate.PhoneUnlock && h.machine.Locked && !sumOf(h.flash.UnlockPIN, u.pin.Reveal()) {
		return devicestate.UnlockRefused
	}
	return u.event
}

// tellLock notes what became of the phone lock.
func (h *Handset) tellLock(event devicestate.Event, before devicestate.Machine) {
	switch {
	case event == devicestate.PhoneLock:
		h.note("the phone is locked")
	case event == devicestate.PhoneUnlock:
		h.note("the phone is unlocked")
	case event == devicestate.UnlockRefused:
		h.note("the unlock PIN is wrong, the phone stays locked")
	case event == devicestate.SignOut && before.Locked && h.machine.Locked:
		h.note("the phone is locked: it has to be unlocked before Switch User")
	}
}
