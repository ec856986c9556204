package handset

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

const (
	eventProvisioning = "vnd-microsoft-provisioning-v2"
	eventContacts     = "vnd-microsoft-roaming-contacts"
	eventSelf         = "vnd-microsoft-roaming-self"
	publishTries      = 2 // the second with the versions that a 409 told
)

// provisionAll plans every step of provisioning.
func (r *registration) provisionAll() {
	r.toProvision = []func(context.Context) error{r.subscribeProvisioning, r.subscribeContacts, r.subscribeSelf}
}

// provisionAgain plans the step that the settings of the phone are in.
func (r *registration) provisionAgain() {
	r.toProvision = []func(context.Context) error{r.subscribeProvisioning}
}

// provision subscribes and publishes in the order of sip.md §5.1. A refusal is noted and the boot goes on.
func (h *Handset) provision(ctx context.Context) (devicestate.Event, *Failure) {
	r := h.ram.sip
	event := devicestate.Provisioned
	for len(r.toProvision) > 0 {
		if event, failure := r.renewIfDue(ctx); event != "" || ctx.Err() != nil {
			return event, failure
		}
		err := r.toProvision[0](ctx)
		switch {
		case ctx.Err() != nil:
			return "", nil
		case errors.Is(err, errLost), errors.Is(err, errBadSignature):
			return devicestate.ConnectionLost, requestFailure(r.peer, err)
		case errors.Is(err, errAssociationLost):
			return r.associationLost(err)
		case err != nil:
			h.warn(provisionFailure(r.peer, err))
			event = devicestate.ProvisioningRefused
		}
		r.toProvision = r.toProvision[1:]
		if h.unlockPINSet() {
			return devicestate.UnlockPINSet, nil
		}
		if r.event != "" {
			return r.takeEvent()
		}
	}
	return event, nil
}

func (r *registration) takeEvent() (devicestate.Event, *Failure) {
	event, failure := r.event, r.failure
	r.event, r.failure = "", nil
	if event == devicestate.Deactivated {
		failure = nil
	}
	return event, failure
}

// refusal is a final response that is no 200.
type refusal struct{ m *sipmessage.Message }

func (e *refusal) Error() string { return describe(e.m) }

func provisionFailure(peer string, err error) *Failure {
	stage := devicestate.StageProvision
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		kind := "sip-error"
		switch refused.m.Status {
		case 403, 405, 406:
			kind = strconv.Itoa(refused.m.Status)
		}
		return fail(stage, kind, peer, "the pool refuses: "+refused.Error(), nil)
	case errors.Is(err, context.DeadlineExceeded):
		return fail(stage, "timeout", peer, "no answer", nil)
	}
	return fail(stage, "garbage", peer, "the answer cannot be used", err)
}

// finish adds the body's headers and the signature.
func (r *registration) finish(m *sipmessage.Message, contentType string, body []byte) {
	if len(body) > 0 {
		m.Add("Content-Type", contentType)
	}
	m.Add("Content-Length", strconv.Itoa(len(body)))
	m.Body = body
	r.sa.sign(m, false)
}

func (r *registration) subscribeProvisioning(ctx context.Context) error {
	r.h.ram.provisionDue = time.Now().Add(r.h.profile.ProvisionInterval)
	body, err := provisioning.GroupRequest{Groups: r.h.profile.ProvisionGroups}.Append(nil)
	if err != nil {
		return err
	}
	answer, err := r.subscribe(ctx, eventProvisioning, provisioning.TypeProvisioning, provisioning.TypeProvisioning, body, "0")
	if err != nil {
		return err
	}
	groups, err := provisioning.ParseGroups(answer.Body)
	if err != nil {
		return err
	}
	config, err := groups.Configuration()
	if err != nil {
		return err
	}
	h := r.h
	h.takeLockPolicy(config)
	h.note("provisioning: phone lock %v after %v, unlock PIN of %d digits, security mode %s", config.EnforcePINLock,
		config.PhoneTimeout, config.MinPINLength, config.SecurityMode)
	if config.UpdatesEnabled && config.UpdatesInternalURL != "" && config.UpdatesInternalURL != h.flash.UpdateURL {
		h.flash.UpdateURL = config.UpdatesInternalURL
		return h.save()
	}
	return nil
}

func (r *registration) subscribeContacts(ctx context.Context) error {
	answer, err := r.subscribe(ctx, eventContacts, provisioning.TypeContacts, "", nil, "")
	if err != nil {
		return err
	}
	contacts, err := provisioning.ParseContacts(answer.Body)
	if err != nil {
		return err
	}
	r.h.note("contact list %d", contacts.DeltaNum)
	return nil
}

// subscribeSelf adds the publication to the steps when it knows what is published.
func (r *registration) subscribeSelf(ctx context.Context) error {
	body, err := provisioning.SelfRequest{}.Append(nil)
	if err != nil {
		return err
	}
	answer, err := r.subscribe(ctx, eventSelf, provisioning.TypeSelf, provisioning.TypeSelf, body, "")
	if err != nil {
		return err
	}
	self, err := provisioning.ParseSelf(answer.Body)
	if err != nil {
		return err
	}
	if line := self.LineURI(); line != "" {
		r.h.out.LineURI = line
	}
	r.toProvision = append(r.toProvision, func(ctx context.Context) error { return r.publish(ctx, self) })
	return nil
}

// publish publishes device and state with the versions that roaming-self gave (sip.md §5.3.1; what the hardware
// publishes is unknown, the texts with voice only are inferred).
func (r *registration) publish(ctx context.Context, self provisioning.Self) error {
	publications := provisioning.PhonePublications(r.sip, r.instance(), r.h.hostName(), self)
	for try := 1; ; try++ {
		body, err := publications.Append(nil)
		if err != nil {
			return err
		}
		m := r.message("SERVICE", r.sip, randomHex(5), "<"+r.sip+">", randomHex(16), 1)
		m.Add("Contact", "<"+r.gruu+">")
		m.Add("User-Agent", r.h.profile.UserAgent)
		r.finish(m, provisioning.TypePublish, body)
		answer, err := r.signedRequest(ctx, m)
		if err != nil {
			return err
		}
		if answer.Status == 200 {
			return nil
		}
		if answer.Status != 409 || try == publishTries {
			return &refusal{answer}
		}
		fault, err := provisioning.ParseFault(answer.Body)
		if err != nil {
			return err
		}
		if err := publications.Correct(fault); err != nil {
			return err
		}
	}
}

// deregister un-subscribes, sends REGISTER with Expires 0 and awaits its 200 (sip.md §5.4).
func (h *Handset) deregister(ctx context.Context) error {
	r := h.ram.sip
	if r == nil || r.sa == nil || r.signedOff {
		return nil
	}
	r.signedOff = true
	if err := r.unsubscribeAll(ctx); err != nil {
		h.note("signing off: %v", err)
	}
	r.subscriptions = nil
	m := r.registerMessage("0")
	r.sa.sign(m, false)
	answer, err := r.request(ctx, m)
	if err != nil {
		return fmt.Errorf("REGISTER with Expires 0: %w", err)
	}
	if answer.Status != 200 {
		return fmt.Errorf("REGISTER with Expires 0: %w", &refusal{answer})
	}
	return nil
}

// unsubscribeAll takes half of the time that is left at most: the registration is to be ended in any case.
func (r *registration) unsubscribeAll(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	for _, d := range r.subscriptions {
		if err := r.unsubscribe(ctx, d); err != nil {
			return fmt.Errorf("un-SUBSCRIBE %s: %w", d.event, err)
		}
	}
	return nil
}
