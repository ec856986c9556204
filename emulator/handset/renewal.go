package handset

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// maxLost bounds the associations that a pool loses one after the other before the connection is given up.
const maxLost = 2

// errAssociationLost means that a signed request was answered by a fresh challenge (sip.md §1.6).
var errAssociationLost = errors.New("the registrar does not know the security association")

// signedRequest sends a request that is signed.
func (r *registration) signedRequest(ctx context.Context, m *sipmessage.Message) (*sipmessage.Message, error) {
	answer, err := r.request(ctx, m)
	if err != nil {
		return nil, err
	}
	if answer.Status == 401 {
		r.lost++
		return nil, fmt.Errorf("%w: %s", errAssociationLost, describe(answer))
	}
	r.lost = 0
	return answer, nil
}

// associationLost has the association made anew, unless the pool does nothing but lose it.
func (r *registration) associationLost(err error) (devicestate.Event, *Failure) {
	failure := fail(devicestate.StageRegister, "association-lost", r.peer, "a signed request was answered by a fresh challenge", err)
	if r.lost > maxLost {
		return devicestate.ConnectionLost, failure
	}
	r.h.warn(failure)
	return devicestate.AssociationDue, nil
}

// renewIfDue builds another association on the same connection, with the same Call-ID, while the registration stays:
// REGISTER #1 to #4 once more (sip.md §1.6). Until the registrar has taken a message of the new one, what it signs by
// the old one is still good.
func (r *registration) renewIfDue(ctx context.Context) (devicestate.Event, *Failure) {
	if !r.renew {
		return "", nil
	}
	r.h.note("renewing the security association")
	final, failure := r.authenticate(ctx)
	switch {
	case ctx.Err() != nil:
		return "", nil
	case failure != nil && errors.Is(failure, errCertificateRefused):
		return devicestate.CertificateRefused, failure
	case failure != nil:
		return devicestate.ConnectionLost, failure
	case isRedirect(final):
		return r.redirected(final)
	case final.Status != 200:
		return devicestate.ConnectionLost, sipFailure(r.peer, final)
	}
	r.renew, r.former = false, nil
	return r.refreshed(final)
}

// associationLife is how long the association that is being made is used: min(certificate, 8 h) less 5 min (sip.md
// §1.6). In the last minutes of a certificate there is nothing to spare.
func (h *Handset) associationLife() time.Duration {
	life := h.profile.AssociationLife
	if cert, err := x509.ParseCertificate(h.flash.Certificate); err == nil {
		if left := cert.NotAfter.Sub(h.now()); left > 0 && left < life {
			life = left
		}
	}
	if life <= h.profile.AssociationRenewBefore {
		return life
	}
	return life - h.profile.AssociationRenewBefore
}

// planRenewal sets when the certificate is renewed: when so much of its life is over as the profile says.
func (h *Handset) planRenewal() {
	cert, err := x509.ParseCertificate(h.flash.Certificate)
	if err != nil {
		h.postponeRenewal()
		return
	}
	life := cert.NotAfter.Sub(cert.NotBefore)
	at := cert.NotBefore.Add(life / 100 * time.Duration(h.profile.RenewAt))
	h.ram.certificateDue = time.Now().Add(at.Sub(h.now()))
	h.note("the certificate is renewed at %s", at.UTC().Format(time.RFC3339))
}

func (h *Handset) postponeRenewal() {
	h.ram.certificateDue = time.Now().Add(h.profile.RenewRetry)
}

// ticketByCertificate asks for a web ticket without PIN and password: the certificate held is the TLS client
// certificate, and the claim says whose it is (web-services.md §3.2; the use of the port is inferred).
func (h *Handset) ticketByCertificate(ctx context.Context) (devicestate.Event, *Failure) {
	h.ram.identity = identity{sip: h.flash.SIPAddress}
	client, err := h.clientCertificate()
	if err != nil {
		return devicestate.TicketFailed, internal("the certificate of flash cannot be used", err)
	}
	ports, failure := h.findPorts(ctx, client)
	if failure != nil {
		return devicestate.TicketFailed, failure
	}
	refused, failure := h.askTicketIn(ctx, webticket.Request{SIPAddress: h.flash.SIPAddress}, ports, client)
	switch {
	case refused:
		failure.Code = devicestate.NewCode(devicestate.StageTicket, "certificate-refused")
		return devicestate.TicketRefused, failure
	case failure != nil:
		return devicestate.TicketFailed, failure
	}
	if got := h.ram.identity.sip; !sameSIP(got, h.flash.SIPAddress) {
		return devicestate.TicketOtherUser, fail(devicestate.StageTicket, "other-user", ports.peer,
			fmt.Sprintf("the certificate of %s gave a web ticket for %s", h.flash.SIPAddress, got), nil)
	}
	return devicestate.TicketGranted, nil
}
