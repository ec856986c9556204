package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/phone-edition/lpe/emulator/credentials"
	"github.com/phone-edition/lpe/emulator/secret"
)

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

// checkPIN never repeats what it refuses.
func checkPIN(text string) (secret.Value, error) {
	pin, err := credentials.CheckPIN(text)
	if err != nil {
		return pin, usage("%w", err)
	}
	return pin, nil
}
