package devicestate

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// FlashVersion is the version of the layout of [Flash].
const FlashVersion = 2

// flashMigrations bring a flash from one version to the next, the first one from version 1.
var flashMigrations = []func(*Flash){
	// Version 1 knew one registrar by its name alone, and no phone lock. What is new is learned at the next registration,
	// or when the user sets it.
	func(f *Flash) { f.RegistrarAddresses, f.OtherRegistrar, f.OtherPort, f.UnlockPIN = nil, "", 0, nil },
}

// Migrate brings a flash that an earlier version of this program wrote to [FlashVersion]. A later version's is an error.
func (f *Flash) Migrate() error {
	if f.Version > FlashVersion {
		return fmt.Errorf("version %d, which a later version of this program wrote: this one reads versions 1 to %d", f.Version, FlashVersion)
	}
	if f.Version < 1 {
		return fmt.Errorf("version %d, this program reads versions 1 to %d", f.Version, FlashVersion)
	}
	for ; f.Version < FlashVersion; f.Version++ {
		flashMigrations[f.Version-1](f)
	}
	return nil
}

// Flash is what survives a reboot and a power cut (handset.md §6, persistence). PIN and password are never in it.
type Flash struct {
	Version int `json:"version"`

	// Registrar and CertificateURL worked at the last registration.
	Registrar          string       `json:"registrar,omitempty"`
	RegistrarPort      uint16       `json:"registrarPort,omitempty"`
	RegistrarAddresses []netip.Addr `json:"registrarAddresses,omitempty"` // that the name then had
	CertificateURL     string       `json:"certificateUrl,omitempty"`
	// OtherRegistrar is the one that was told along with Registrar: the backup of a primary, or the primary of a backup.
	OtherRegistrar string `json:"otherRegistrar,omitempty"`
	OtherPort      uint16 `json:"otherPort,omitempty"`
	UpdateURL      string `json:"updateUrl,omitempty"` // from in-band provisioning

	Chain [][]byte `json:"chain,omitempty"` // DER, roots and intermediates learned

	SIPAddress         string `json:"sipAddress,omitempty"`
	Number             string `json:"number,omitempty"` // as dialled, when the sign-in was by PIN
	Login              string `json:"login,omitempty"`  // as entered, when it was by password
	EPID               string `json:"epid,omitempty"`
	PINForm            string `json:"pinForm,omitempty"` // the form that worked
	Certificate        []byte `json:"certificate,omitempty"`
	Key                Key    `json:"key,omitempty"`
	CertificateRefused bool   `json:"certificateRefused,omitempty"`
	// Refused recognises the credentials that the pool refused last; they are not sent again.
	Refused *SaltedSum `json:"refused,omitempty"`

	// UnlockPIN recognises the PIN that unlocks this phone, whoever is signed in (handset.md §0 item 5).
	UnlockPIN *SaltedSum `json:"unlockPin,omitempty"`

	Profile         string        `json:"profile,omitempty"` // installed by an update
	PreviousProfile string        `json:"previousProfile,omitempty"`
	ClockOffset     time.Duration `json:"clockOffset,omitempty"` // to the cable's clock, valid while ClockKept
	ClockKept       bool          `json:"clockKept,omitempty"`
}

// SaltedSum recognises what was entered without holding it: PBKDF2 with HMAC-SHA-256. It is no protection of a short PIN
// from whoever reads flash.
type SaltedSum struct {
	Salt []byte `json:"salt"`
	Sum  []byte `json:"sum"`
}

// Key is a private key as PKCS #8 DER. It prints as "***"; JSON, the form in flash, holds it.
type Key []byte

// String returns the mask.
func (Key) String() string { return "***" }

// GoString returns the mask.
func (Key) GoString() string { return "***" }

// Format writes the mask for every verb.
func (Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, "***") }

// Memory tells what f brings to a boot, without credentials.
func (f *Flash) Memory() Memory {
	return Memory{
		Registrar:   f.Registrar != "" && f.CertificateURL != "",
		Certificate: len(f.Certificate) > 0 && len(f.Key) > 0 && !f.CertificateRefused,
		UnlockPIN:   f.UnlockPIN != nil,
	}
}

// OtherUser reports whether number or login are not those of the sign-in that f holds. Nothing entered, or nobody
// signed in, is no other user.
func (f *Flash) OtherUser(number, login string) bool {
	if number == "" && login == "" || f.Number == "" && f.Login == "" {
		return false
	}
	return f.Number != number || !strings.EqualFold(f.Login, login)
}

// EraseSignIn removes user, certificate and key; chain, registrar and epid stay.
func (f *Flash) EraseSignIn() {
	f.SIPAddress, f.Number, f.Login = "", "", ""
	f.Certificate, f.Key, f.CertificateRefused = nil, nil, false
}

// EraseUser is a hard reset: of what f holds only the firmware's images stay (handset.md §5.5).
func (f *Flash) EraseUser() {
	*f = Flash{Version: f.Version, Profile: f.Profile, PreviousProfile: f.PreviousProfile}
}
