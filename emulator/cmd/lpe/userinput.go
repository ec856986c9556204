package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
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

// checkNumber refuses what no pool can have as a phone number or extension.
func checkNumber(text string) error {
	if numberText.MatchString(text) {
		return nil
	}
	err := fmt.Errorf("%q is no phone number or extension: 15 digits at most, such as +12065551219 or 1219", text)
	plain, _, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(text), "tel:"), ";")
	plain = strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(plain)
	return meant(err, plain, text, numberText)
}

// checkSIP refuses what is no SIP address as Lync writes it.
func checkSIP(text string) error {
	if sipText.MatchString(text) {
		return nil
	}
	err := fmt.Errorf("%q is no SIP address, such as sip:kenmyer@litwareinc.com", text)
	return meant(err, "sip:"+text, text, sipText)
}

// certificateURL checks a certificate provisioning URL, none if there is none. Microsoft's page on the cmdlet shows it
// cut off after the directory; the service in it is completed.
func certificateURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		return "", errors.New("a URL without user and password expected")
	}
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !fqdnText.MatchString(u.Hostname()) && net.ParseIP(u.Hostname()) == nil {
		return "", fmt.Errorf("%q is no http or https URL, such as https://pool.contoso.com:443/CertProv/CertProvisioningService.svc", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("%q has no port from 1 to 65535", text)
		}
	}
	if strings.EqualFold(strings.Trim(u.Path, "/"), "CertProv") {
		return u.JoinPath("CertProvisioningService.svc").String(), nil
	}
	return text, nil
}

// meant adds to err what may be meant, if that can be used.
func meant(err error, guess, text string, wanted *regexp.Regexp) error {
	if guess == text || !wanted.MatchString(guess) {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, guess)
}

// checkPIN never repeats what it refuses.
func checkPIN(text string) (secret.Value, error) {
	text = strings.TrimSpace(text)
	if !pinText.MatchString(text) {
		return secret.Value{}, usage("a PIN is 4 to 24 digits")
	}
	return secret.New(text), nil
}
