package handset

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// ready keeps the registration alive and takes what the pool sends (sip.md §5.4).
func (h *Handset) ready(ctx context.Context) (devicestate.Event, *Failure) {
	r := h.ram.sip
	h.ram.failures = 0
	if h.ram.certificateDue.IsZero() {
		h.planRenewal()
	}
	for {
		if event, failure := r.renewIfDue(ctx); event != "" || ctx.Err() != nil {
			return event, failure
		}
		h.ram.key, h.ram.anchors = nil, nil // an idle handset holds no more than it needs
		if r.event != "" {
			return r.takeEvent()
		}
		waitCtx, cancel := context.WithDeadline(ctx, r.nextDue())
		m, err := r.receive(waitCtx)
		cancel()
		switch {
		case ctx.Err() != nil:
			return "", nil
		case err == nil && m.IsRequest():
			r.answer(m)
			continue
		case err == nil:
			h.dropped("sip", r.peer, "a response to no request: "+describe(m))
			continue
		case !errors.Is(err, context.DeadlineExceeded):
			return devicestate.ConnectionLost, fail(devicestate.StageReady, "connection-lost", r.peer, "the registrar closed the connection", err)
		}
		if event, failure := r.doDue(ctx, time.Now()); event != "" || ctx.Err() != nil {
			return event, failure
		}
	}
}

// nextDue is when the next thing is due.
func (r *registration) nextDue() time.Time {
	ram := &r.h.ram
	due := r.keepAliveDue
	for _, other := range []time.Time{r.refreshDue, r.associationDue, ram.certificateDue, ram.updateDue, ram.provisionDue} {
		due = earlier(due, other)
	}
	for _, d := range r.subscriptions {
		if !d.due.IsZero() {
			due = earlier(due, d.due)
		}
	}
	if lock, ok := r.h.lockDue(); ok {
		due = earlier(due, lock)
	}
	if lease, ok := r.h.leaseDue(); ok {
		due = earlier(due, lease)
	}
	return due
}

// doDue does the one thing that is due, the most urgent one first.
func (r *registration) doDue(ctx context.Context, now time.Time) (devicestate.Event, *Failure) {
	h := r.h
	if due, ok := h.lockDue(); ok && !now.Before(due) {
		return devicestate.PhoneLock, nil
	}
	if due, ok := h.leaseDue(); ok && !now.Before(due) {
		return h.renewLease(ctx)
	}
	switch {
	case !now.Before(r.associationDue):
		return devicestate.AssociationDue, nil
	case !now.Before(h.ram.certificateDue):
		return devicestate.CertificateDue, nil
	case !now.Before(h.ram.provisionDue):
		r.provisionAgain()
		return devicestate.ProvisioningDue, nil
	case !now.Before(h.ram.updateDue):
		return devicestate.UpdateDue, nil
	case !now.Before(r.refreshDue):
		return r.refresh(ctx)
	case !now.Before(r.keepAliveDue):
		h.sent("sip", r.peer, "keep-alive", exchange.KeepAlive)
		r.keepAliveDue = now.Add(r.keepAlive)
		if err := r.conn.KeepAlive(); err != nil {
			return devicestate.ConnectionLost, fail(devicestate.StageReady, "connection-lost", r.peer, "keep-alive", err)
		}
	}
	for _, d := range r.subscriptions {
		if !d.due.IsZero() && !now.Before(d.due) {
			return r.resubscribe(ctx, d)
		}
	}
	return "", nil
}

// connectionLost is the failure of what a handset that is Ready does on its connection.
func connectionLost(peer, doing string, cause *Failure) *Failure {
	return fail(devicestate.StageReady, "connection-lost", peer, doing+": "+cause.Seen, cause.Err)
}

// refresh repeats the REGISTER, signed, in one round trip.
func (r *registration) refresh(ctx context.Context) (devicestate.Event, *Failure) {
	m := r.registerMessage("")
	r.sa.sign(m, false)
	answer, err := r.signedRequest(ctx, m)
	var cause *Failure
	switch {
	case ctx.Err() != nil:
		return "", nil
	case errors.Is(err, errAssociationLost):
		return r.associationLost(err)
	case err != nil:
		cause = requestFailure(r.peer, err)
	case answer.Status == 200:
		return r.refreshed(answer)
	case isRedirect(answer):
		return r.redirected(answer)
	default:
		cause = sipFailure(r.peer, answer)
	}
	return devicestate.ConnectionLost, connectionLost(r.peer, "refreshing the registration", cause)
}

// refreshed takes the 200 to a REGISTER of an endpoint that is registered.
func (r *registration) refreshed(answer *sipmessage.Message) (devicestate.Event, *Failure) {
	if err := r.accept(answer); err != nil {
		return devicestate.ConnectionLost, fail(devicestate.StageReady, "connection-lost", r.peer, "refreshing the registration", err)
	}
	state := answer.Get("presence-state")
	if !strings.Contains(state, `register-action="added"`) && !strings.Contains(state, `register-action="fixed"`) {
		return "", nil
	}
	r.h.warn(fail(devicestate.StageReady, "registration-lost", r.peer, "the registrar had lost the registration: "+state, nil))
	r.subscriptions = nil // they are gone with it ([MS-SIPREGE] 3.1.1.5.1, sip.md §4.5)
	r.provisionAll()
	if r.h.machine.State == devicestate.Provision {
		return "", nil
	}
	return devicestate.ProvisioningDue, nil
}
