package webservices

import (
	"crypto/x509"
	"slices"

	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
)

// pinReasons are the lab's own words for a PIN failure. A handset recognises lock, expired, disabled and "not set" in
// them (web-services.md §3.4, client mapping, inferred).
var pinReasons = map[directory.Reason]string{
	directory.UserDoesNotExist:     "No user has this number.",
	directory.IncorrectPIN:         "The PIN is wrong.",
	directory.UserPINAccountLocked: "The PIN is locked.",
	directory.UserPINDisabled:      "The user is disabled.",
	directory.PINNotSet:            "The PIN is not set.",
	directory.PINExpired:           "The PIN has expired.",
	directory.NonUniqueUser:        "Number and PIN belong to more than one user.",
}

// pinRefusal is the one answer to every PIN failure. With VerbosePINFailures its Reason and LabPinFailureReason tell
// them apart, a convention of the lab that no pool follows (web-services.md §3.4).
func (s *Server) pinRefusal(c check, reason directory.Reason, verdict string) *refusal {
	refused := c.refuse("%s", verdict)
	if !s.cfg.Settings.WebServices().VerbosePINFailures {
		return refused
	}
	fault := *refused.way.fault
	fault.LabReason = string(reason)
	if text, ok := pinReasons[reason]; ok {
		fault.Reason = text
	}
	refused.way.fault = &fault
	return refused
}

func pinCheck(reason directory.Reason) check {
	switch reason {
	case directory.UserDoesNotExist:
		return checkNumber
	case directory.IncorrectPIN:
		return checkPIN
	}
	return checkPINState
}

// certificateUser is the SIP address in the SAN of a handset's certificate, else its CN with sip: before it.
func certificateUser(c *x509.Certificate) string {
	for _, uri := range c.URIs {
		if uri.Scheme == "sip" {
			return uri.String()
		}
	}
	return "sip:" + c.Subject.CommonName
}

// published reports whether c is a certificate that the pool published for the user, valid now, of a user who is
// enabled.
func (s *Server) published(user string, c *x509.Certificate) bool {
	known, ok := s.cfg.Directory.BySIP(user)
	now := s.cfg.Now()
	if !ok || !known.Enabled || now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return false
	}
	return slices.ContainsFunc(s.cfg.Authority.List(user), func(p authority.Published) bool { return p.Certificate.Equal(c) })
}
