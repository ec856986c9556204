package handset

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

const autoextend = "com.microsoft.autoextend"

// subscription is a dialog that is renewed while the handset is signed in, and un-subscribed at sign-off.
type subscription struct {
	event, accept, contentType  string
	body                        []byte
	callID, fromTag, to, target string
	cseq                        int
	due                         time.Time // to be renewed, zero: the pool prolongs it
}

// subscribe sends a SUBSCRIBE of its own dialog and returns the 200 (headers of sip.md §8.9).
func (r *registration) subscribe(ctx context.Context, event, accept, contentType string, body []byte, expires string) (*sipmessage.Message, error) {
	d := &subscription{
		event: event, accept: accept, contentType: contentType, body: body,
		callID: randomHex(16), fromTag: randomHex(5), to: "<" + r.sip + ">", target: r.sip,
	}
	answer, err := r.signedRequest(ctx, r.subscribeMessage(d, expires))
	if err != nil {
		return nil, err
	}
	if answer.Status != 200 {
		return nil, &refusal{answer}
	}
	if text := answer.Get("Expires"); text != "0" && text != "" {
		d.to = strings.Clone(answer.Get("To")) // not the whole message with it
		if contact, err := sipmessage.ParseAddress(answer.Get("Contact")); err == nil && contact.URI != "" {
			d.target = strings.Clone(contact.URI)
		}
		d.prolong(answer, r.h.profile.ResubscribeBefore)
		r.subscriptions = append(r.subscriptions, d)
	}
	return answer, nil
}

// subscribeMessage is the next SUBSCRIBE of a dialog, the first one or one that renews it; expires is "" or "0".
func (r *registration) subscribeMessage(d *subscription, expires string) *sipmessage.Message {
	d.cseq++
	m := r.message("SUBSCRIBE", d.target, d.fromTag, d.to, d.callID, d.cseq)
	m.Add("Contact", "<"+r.gruu+">")
	m.Add("User-Agent", r.h.profile.UserAgent)
	m.Add("Event", d.event)
	m.Add("Accept", d.accept)
	m.Add("Supported", autoextend)
	m.Add("Supported", "ms-benotify")
	m.Add("Proxy-Require", "ms-benotify")
	m.Add("Supported", "ms-piggyback-first-notify")
	if expires != "" {
		m.Add("Expires", expires)
	}
	r.finish(m, d.contentType, d.body)
	return m
}

// prolong sets when the subscription is renewed. A pool that supports autoextend prolongs it by itself (sip.md §5.1).
func (d *subscription) prolong(answer *sipmessage.Message, before time.Duration) {
	d.due = time.Time{}
	seconds, err := strconv.ParseUint(answer.Get("Expires"), 10, 31)
	if err != nil || slices.ContainsFunc(answer.Values("Supported"), func(value string) bool { return strings.Contains(value, autoextend) }) {
		return
	}
	life := time.Duration(seconds) * time.Second
	d.due = time.Now().Add(max(life-before, life/2))
}

// resubscribe renews a subscription, in the words of the first SUBSCRIBE (inferred). When the pool does not know it any
// more the handset subscribes anew.
func (r *registration) resubscribe(ctx context.Context, d *subscription) (devicestate.Event, *Failure) {
	answer, err := r.signedRequest(ctx, r.subscribeMessage(d, ""))
	switch {
	case ctx.Err() != nil:
		return "", nil
	case errors.Is(err, errAssociationLost):
		return r.associationLost(err)
	case err != nil:
		return devicestate.ConnectionLost, connectionLost(r.peer, "renewing a subscription", requestFailure(r.peer, err))
	case answer.Status == 200:
		d.prolong(answer, r.h.profile.ResubscribeBefore)
	case answer.Status == 481:
		r.h.note("%s is subscribed to anew: %s", d.event, describe(answer))
		r.subscriptions = nil
		r.provisionAll()
		return devicestate.ProvisioningDue, nil
	default:
		r.h.warn(provisionFailure(r.peer, &refusal{answer}))
		r.subscriptions = slices.DeleteFunc(r.subscriptions, func(one *subscription) bool { return one == d })
	}
	return "", nil
}

// unsubscribe ends a subscription (sip.md §5.4).
func (r *registration) unsubscribe(ctx context.Context, d *subscription) error {
	d.cseq++
	m := r.message("SUBSCRIBE", d.target, d.fromTag, d.to, d.callID, d.cseq)
	m.Add("Contact", "<"+r.gruu+">")
	m.Add("User-Agent", r.h.profile.UserAgent)
	m.Add("Event", d.event)
	m.Add("Expires", "0")
	r.finish(m, "", nil)
	answer, err := r.request(ctx, m)
	if err != nil {
		return err
	}
	if answer.Status != 200 {
		r.h.note("un-SUBSCRIBE %s: %s", d.event, describe(answer))
	}
	return nil
}
