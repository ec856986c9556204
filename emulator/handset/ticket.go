package handset

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/webticket"
)

const (
	proofPort   = "CertProvisioningServiceWebTicketProof_SHA1"
	entropySize = 32
	// refusedID is the ErrorId of every PIN failure (web-services.md §3.4, PIN use inferred).
	refusedID = 28020
)

// identity is what the ticket told.
type identity struct {
	sip  string
	form webticket.Form // of the PIN, empty: by password
}

// heldTicket is a web ticket with its proof key and the port it is for.
type heldTicket struct {
	webticket.Ticket
	key       []byte
	enrollURL string
}

// webTicket reads the metadata of both services and asks for a ticket with number and PIN (web-services.md §0.1 B-D), or
// with user name and password.
func (h *Handset) webTicket(ctx context.Context) (devicestate.Event, *Failure) {
	if h.machine.Renewing {
		return h.ticketByCertificate(ctx)
	}
	if h.heldBack() {
		return devicestate.TicketFailed, fail(devicestate.StageTicket, "held-back", "",
			"the pool has refused this "+h.ram.credentials.kind()+" before; they are not sent again, so that no account is locked", nil)
	}
	if c := h.ram.credentials; c.byPassword() {
		h.begins("asking for a web ticket with user name and password", timeline.Field{Name: timeline.FieldUser, Value: c.User})
	} else {
		h.begins("asking for a web ticket with number and PIN", timeline.Field{Name: timeline.FieldNumber, Value: c.Number})
	}
	var ports ticketPorts
	if failure := h.withRetry(ctx, func() (f *Failure) { ports, f = h.findPorts(ctx, nil); return f }); failure != nil {
		return devicestate.TicketFailed, failure
	}
	refused, failure := h.askTicket(ctx, ports)
	switch {
	case refused:
		return devicestate.TicketRefused, failure
	case failure != nil:
		return devicestate.TicketFailed, failure
	}
	if want := h.ram.credentials.ExpectedSIP; want != "" && !sameSIP(want, h.ram.identity.sip) {
		return devicestate.TicketOtherUser, fail(devicestate.StageTicket, "other-user", ports.peer,
			fmt.Sprintf("%s belong to %s, not to %s", h.ram.credentials.kind(), h.ram.identity.sip, want), nil)
	}
	return devicestate.TicketGranted, nil
}

// ticketPorts are where the ticket is used and where it is asked for.
type ticketPorts struct{ enroll, issue, peer string }

// findPorts finds the ports for number and PIN, for user name and password, or for the client certificate.
func (h *Handset) findPorts(ctx context.Context, client *tls.Certificate) (ticketPorts, *Failure) {
	var p ticketPorts
	r := webRequest{stage: devicestate.StageTicket, doing: "reading the metadata", trust: h.trustNow(false), client: client}
	meta, failure := h.metadata(ctx, r, h.ram.certURL)
	if failure != nil {
		return p, failure
	}
	port, ok := meta.Port(proofPort)
	if !ok || port.Issuer == "" {
		return p, fail(r.stage, "garbage", h.ram.certURL, "the metadata has no port "+proofPort+" with an issuer", nil)
	}
	p.enroll = port.Location
	if meta, failure = h.metadata(ctx, r, port.Issuer); failure != nil {
		return p, failure
	}
	choose, kind, what := webticket.PINPort, "pin-not-offered", "PIN"
	switch {
	case client != nil:
		choose, kind, what = webticket.CertificatePort, "certificate-not-offered", "certificate"
	case h.ram.credentials.byPassword():
		choose, kind, what = webticket.WindowsPort, "windows-off", "Windows"
	}
	issue, err := choose(meta)
	if err != nil {
		return p, fail(r.stage, kind, port.Issuer, "the web ticket service offers no "+what+" authentication", err)
	}
	p.issue = issue.Location
	for _, location := range []string{p.issue, p.enroll} {
		if !strings.HasPrefix(strings.ToLower(location), "https://") {
			return p, fail(r.stage, "clear-text", port.Issuer, fmt.Sprintf("the metadata sends %s and ticket to %.200q", what, location), nil)
		}
	}
	return p, nil
}

// askTicket asks with the password, or with the PIN in the form that flash remembers, else in the profile's forms, the
// next only after ErrorId 28020 that may be about the form (design of this project: at most two, the second is final).
func (h *Handset) askTicket(ctx context.Context, ports ticketPorts) (refused bool, failure *Failure) {
	forms := h.profile.PINForms
	switch {
	case h.ram.credentials.byPassword():
		forms = []string{""}
	case h.flash.PINForm != "":
		forms = []string{h.flash.PINForm}
	}
	for _, form := range forms {
		request := webticket.Request{Form: webticket.Form(form)}
		if form != "" {
			request.Number, request.PIN = h.ram.credentials.Number, h.ram.credentials.PIN.Reveal()
		}
		failure = h.withRetry(ctx, func() (f *Failure) {
			refused, f = h.askTicketIn(ctx, request, ports, nil)
			return f
		})
		if !refused || ctx.Err() != nil {
			return refused, failure
		}
		if form != "" {
			h.note("the PIN in form %s is refused", form)
		}
		if failure.Code != "ticket.refused" && failure.Code != "ticket.unknown-number" {
			break // the pool has found the user, so that it read the form
		}
	}
	return refused, failure
}

// askTicketIn asks with the PIN of the request, with the client certificate, or without either with the password.
func (h *Handset) askTicketIn(ctx context.Context, request webticket.Request, ports ticketPorts, client *tls.Certificate) (refused bool, failure *Failure) {
	entropy := make([]byte, entropySize)
	rand.Read(entropy) // never fails, crypto/rand
	request.Context, request.AppliesTo, request.Entropy = newUUID(), ports.enroll, entropy
	body, err := request.Append(nil)
	if err != nil {
		return false, fail(devicestate.StageTicket, "garbage", "", "the request cannot be built", err)
	}
	r := webRequest{
		stage: devicestate.StageTicket, doing: "asking for the web ticket", url: ports.issue,
		action: webticket.Action, body: body, trust: h.trustNow(false), client: client,
	}
	var answer webAnswer
	if request.Form == "" && client == nil {
		answer, refused, failure = h.exchangeByPassword(ctx, r)
	} else {
		answer, failure = h.exchange(ctx, r)
	}
	if failure != nil {
		return refused, failure
	}
	if client != nil && (answer.Status == 401 || answer.Status == 403) { // web-services.md §3.4
		return true, wantStatus(r.stage, answer, r.doing)
	}
	if refused, failure := readTicketFault(answer); failure != nil {
		return refused, failure
	}
	if failure := wantStatus(r.stage, answer, r.doing); failure != nil {
		return false, failure
	}
	ticket, err := webticket.ParseResponse(answer.Body)
	if err != nil {
		return false, fail(r.stage, "garbage", answer.peer, "the web ticket cannot be read", err)
	}
	if ticket.SIPAddress == "" {
		return false, fail(r.stage, "garbage", answer.peer, "the web ticket names no SIP address", nil)
	}
	h.ram.ticket = &heldTicket{ticket, webticket.ProofKey(entropy, ticket.ServerEntropy), ports.enroll}
	h.ram.identity = identity{ticket.SIPAddress, request.Form}
	h.note("web ticket for %s until %s", ticket.SIPAddress, ticket.Expires.UTC().Format("2006-01-02T15:04:05Z"))
	return false, nil
}

// readTicketFault maps an answer that is a refusal (web-services.md §3.4). Only ErrorId 28020 is refused=true.
func readTicketFault(answer webAnswer) (refused bool, failure *Failure) {
	if answer.Status == 200 {
		return false, nil
	}
	if answer.Status == 401 {
		return false, fail(devicestate.StageTicket, "pin-not-offered", answer.peer, "the PIN port asks for HTTP authentication", nil)
	}
	fault, ok := answer.fault()
	if !ok || fault.ErrorID == 0 {
		return false, nil
	}
	seen := fmt.Sprintf("SOAP fault %s, ErrorId %d, %q", fault.Code.Local, fault.ErrorID, fault.Reason)
	if fault.ErrorID != refusedID && fault.ErrorID != 28000 {
		return false, fail(devicestate.StageTicket, "http-500", answer.peer, seen, nil)
	}
	return true, fail(devicestate.StageTicket, refusalKind(fault), answer.peer, seen, nil)
}

func refusalKind(f soap.Fault) string {
	reason := strings.ToLower(f.Reason)
	for _, k := range []struct{ word, kind string }{
		{"lock", "locked"},
		{"expired", "expired"},
		{"must change", "expired"},
		{"disabled", "disabled"},
		{"sip enabled", "disabled"},
		{"not set", "pin-unset"},
		{"not been set", "pin-unset"},
		{"no pin", "pin-unset"},
		{"more than one", "not-unique"},
		{"not unique", "not-unique"},
		{"no user", "unknown-number"},
		{"does not exist", "unknown-number"},
		{"wrong", "wrong-pin"},
		{"incorrect", "wrong-pin"},
	} {
		if strings.Contains(reason, k.word) {
			return k.kind
		}
	}
	return "refused"
}

func sameSIP(a, b string) bool {
	return strings.EqualFold(strings.TrimPrefix(strings.ToLower(a), "sip:"), strings.TrimPrefix(strings.ToLower(b), "sip:"))
}

// newUUID is a random UUID, RFC 9562 §5.4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
