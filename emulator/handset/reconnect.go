package handset

import (
	"context"
	"encoding/binary"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// backOff sets when the next registration is tried: after a time that doubles with each failure up to the profile's
// most, less a random part, so that the handsets of a pool do not all come back at once (RFC 5626 §4.5, inferred).
func (h *Handset) backOff() {
	wait := h.profile.ReconnectBase
	for range h.ram.failures {
		if wait *= 2; wait >= h.profile.ReconnectMost {
			break
		}
	}
	wait = min(wait, h.profile.ReconnectMost)
	if spread := wait / 100 * time.Duration(h.profile.ReconnectJitter); spread > 0 {
		var lot [8]byte
		h.draw(lot[:])
		wait -= time.Duration(binary.BigEndian.Uint64(lot[:]) % uint64(spread))
	}
	h.ram.failures++
	h.ram.notBefore = time.Now().Add(wait)
}

// waitToReconnect waits until the next registration may be tried. An event means that the lease was lost meanwhile.
func (h *Handset) waitToReconnect(ctx context.Context) (devicestate.Event, *Failure) {
	wait := time.Until(h.ram.notBefore)
	if wait <= 0 {
		return "", nil
	}
	h.note("the next registration in %v, after %d failures", wait.Round(time.Millisecond), h.ram.failures)
	return h.await(ctx, h.ram.notBefore)
}

// knownRegistrars are those that flash remembers, the one that worked last first (discovery.md §1.6).
func (h *Handset) knownRegistrars() []candidate {
	var out []candidate
	add := func(host string, port uint16) {
		if host != "" {
			out = append(out, candidate{Source: "flash", Host: host, Port: port, Transport: "tls"})
		}
	}
	add(h.flash.Registrar, h.flash.RegistrarPort)
	add(h.flash.OtherRegistrar, h.flash.OtherPort)
	return out
}

// storeRegistrar remembers the registrar that took the endpoint, and the other one that was told with it. From now on
// these are tried first, not what discovery found.
func (h *Handset) storeRegistrar() error {
	f, r := &h.flash, h.ram.sip
	other, port := "", uint16(0)
	switch {
	case strings.EqualFold(r.home.Host, f.Registrar):
		other, port = f.OtherRegistrar, f.OtherPort
	case strings.EqualFold(r.home.Host, f.OtherRegistrar): // failed over, or back
		other, port = f.Registrar, f.RegistrarPort
	}
	for _, told := range r.told {
		if !strings.EqualFold(told.Host, r.home.Host) {
			other, port = told.Host, told.Port
			break
		}
	}
	f.Registrar, f.RegistrarPort, f.RegistrarAddresses = r.home.Host, r.home.Port, r.home.addresses
	f.OtherRegistrar, f.OtherPort, f.CertificateURL = other, port, h.ram.certURL
	h.ram.candidates = nil
	h.out.Registrar = r.home.Host
	return h.save()
}

// redirected follows a 301 that a registered endpoint gets: of a backup registrar whose primary is there again, or
// because the user was moved (handset.md §6).
func (r *registration) redirected(m *sipmessage.Message) (devicestate.Event, *Failure) {
	targets, err := r.h.redirectTargets(m)
	if err != nil {
		return devicestate.ConnectionLost, redirectFailure(r.peer, err)
	}
	r.h.note("redirected to %s", inOrder(targets))
	r.h.ram.candidates = targets
	return devicestate.Redirected, nil
}

// gone reports whether a registrar says of a user who was registered that there is none to register.
func gone(f *Failure) bool { return f.Code == "register.403" || f.Code == "register.404" }
