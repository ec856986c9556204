// Package credentials checks what a user enters to sign in, and reads it from files that only the user can read.
package credentials

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/phone-edition/lpe/emulator/secret"
)

// What a user may enter. A number has at most 15 digits and no country code begins with 0 (ITU-T E.164, 6 and 7); a
// PIN has 4 to 24 digits (Set-CsPinPolicy, handset.md §4).
var (
	numberText = regexp.MustCompile(`^(\+[1-9][0-9]{1,14}|[0-9]{1,15})$`)
	pinText    = regexp.MustCompile(`^[0-9]{4,24}$`)
	sipText    = regexp.MustCompile(`(?i)^sip:[^\s@:;<>"]{1,128}@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// CheckNumber refuses what no pool can have as a phone number or extension.
func CheckNumber(text string) error {
	if numberText.MatchString(text) {
		return nil
	}
	err := fmt.Errorf("%q is no phone number or extension: 15 digits at most, such as +12065551219 or 1219", text)
	plain, _, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(text), "tel:"), ";")
	plain = strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(plain)
	return meant(err, plain, text, numberText)
}

// CheckSIP refuses what is no SIP address as Lync writes it.
func CheckSIP(text string) error {
	if sipText.MatchString(text) {
		return nil
	}
	err := fmt.Errorf("%q is no SIP address, such as sip:kenmyer@litwareinc.com", text)
	return meant(err, "sip:"+text, text, sipText)
}

// meant adds to err what may be meant, if that can be used.
func meant(err error, guess, text string, wanted *regexp.Regexp) error {
	if guess == text || !wanted.MatchString(guess) {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, guess)
}

// CheckPIN takes a PIN, and never repeats what it refuses.
func CheckPIN(text string) (secret.Value, error) {
	text = strings.TrimSpace(text)
	if !pinText.MatchString(text) {
		return secret.Value{}, errors.New("a PIN is 4 to 24 digits")
	}
	return secret.New(text), nil
}
