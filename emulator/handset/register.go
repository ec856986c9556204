package handset

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

const (
	maxRedirects     = 3
	maxTargets       = 2 // of one redirect: primary and backup
	defaultExpires   = 600 * time.Second
	defaultKeepAlive = 300 * time.Second
	wrongUserID      = 4004 // ms-diagnostics: the credentials may not act as the From URI
)

// errCertificateRefused is a fresh challenge after REGISTER #3 or #4, or 403 with 4004 (design of this project).
var errCertificateRefused = errors.New("the registrar refuses the certificate")

// register tries the candidates in order (sip.md §1.1, four REGISTERs each, §4.6 redirects).
func (h *Handset) register(ctx context.Context) (devicestate.Event, *Failure) {
	if event, failure := h.waitToReconnect(ctx); event != "" || ctx.Err() != nil {
		return event, failure
	}
	h.closeRegistration() // that of a registration that was interrupted
	if len(h.ram.candidates) == 0 {
		h.ram.candidates = h.knownRegistrars()
	}
	if h.flash.EPID == "" {
		h.makeEPID()
	}
	var last *Failure
	for _, c := range h.ram.candidates {
		failure := h.withRetry2(ctx, func() *Failure { return h.registerAt(ctx, c, 0) })
		if ctx.Err() != nil {
			return "", failure
		}
		if failure == nil {
			return devicestate.Registered, nil
		}
		h.seen(failure)
		if errors.Is(failure, errCertificateRefused) {
			return devicestate.CertificateRefused, failure
		}
		last = failure
	}
	if last == nil {
		last = fail(devicestate.StageRegister, "unresolved", "", "no registrar is known", nil)
	}
	if h.machine.Reconnecting && !h.machine.Memory.Registrar && gone(last) { // those that discovery found say so
		return devicestate.RegistrationRefused, last
	}
	return devicestate.CandidatesExhausted, last
}

// withRetry2 is withRetry for SIP: 480, 503 and 504 count as trouble as well (sip.md §4.6).
func (h *Handset) withRetry2(ctx context.Context, work func() *Failure) *Failure {
	failure := work()
	if failure == nil || ctx.Err() != nil {
		return failure
	}
	switch failure.Code {
	case "register.480", "register.503", "register.504", "register.timeout":
		h.seen(failure)
		h.note("one retry in %v", h.profile.RetryAfter)
		if !sleep(ctx, h.profile.RetryAfter) {
			return failure
		}
		return work()
	}
	return failure
}

func (h *Handset) registerAt(ctx context.Context, c candidate, redirects int) *Failure {
	h.begins("registering", timeline.Field{Name: timeline.FieldRegistrar, Value: c.Host},
		timeline.Field{Name: timeline.FieldUser, Value: h.flash.SIPAddress}, timeline.Field{Name: timeline.FieldPort, Value: strconv.Itoa(int(c.Port))})
	r, failure := h.connectRegistrar(ctx, c)
	if failure != nil {
		return failure
	}
	final, failure := r.authenticate(ctx)
	switch {
	case failure != nil && ctx.Err() != nil && r.sa != nil:
		h.ram.sip = r // the pool may have registered the endpoint: it has to be signed off
		return failure
	case failure != nil:
		r.close()
		return failure
	}
	switch {
	case final.Status == 200:
		if err := r.accept(final); err != nil {
			r.close()
			return fail(devicestate.StageRegister, "garbage", r.peer, "the 200 cannot be used", err)
		}
		r.provisionAll()
		h.ram.sip = r
		return nil
	case isRedirect(final):
		r.close()
		return h.follow(ctx, r, final, redirects)
	}
	r.close()
	return sipFailure(r.peer, final)
}

// isRedirect reports whether a final answer sends the endpoint elsewhere (sip.md §4.6).
func isRedirect(m *sipmessage.Message) bool { return m.Status == 301 || m.Status == 302 }

// follow goes to the Contacts of a redirect, the one with the highest q first: the primary registrar, then its backup
// (sip.md §4.6, handset.md §6). What the first one answered is what is told when none takes the endpoint.
func (h *Handset) follow(ctx context.Context, r *registration, m *sipmessage.Message, redirects int) *Failure {
	if redirects == maxRedirects {
		return fail(devicestate.StageRegister, "redirect-loop", r.peer, fmt.Sprintf("more than %d redirects", maxRedirects), nil)
	}
	targets, err := h.redirectTargets(m)
	if err != nil {
		return redirectFailure(r.peer, err)
	}
	h.note("redirected to %s", inOrder(targets))
	var first *Failure
	for _, next := range targets {
		next.told = targets
		failure := h.registerAt(ctx, next, redirects+1)
		if failure == nil || ctx.Err() != nil || errors.Is(failure, errCertificateRefused) {
			return failure
		}
		if first == nil {
			first = failure
		} else {
			h.note("nor by %v: %s", next, failure.Detail())
		}
	}
	return first
}

func inOrder(list []candidate) string {
	var names []string
	for _, c := range list {
		names = append(names, c.String())
	}
	return strings.Join(names, ", then ")
}

func redirectFailure(peer string, err error) *Failure {
	kind := "garbage"
	var insecure *insecureRedirect
	if errors.As(err, &insecure) {
		kind = "redirect-insecure"
	}
	return fail(devicestate.StageRegister, kind, peer, "the redirect cannot be followed", err)
}

// insecureRedirect says that a redirect names nothing but transports that the handset does not take.
type insecureRedirect struct{ transport string }

func (e *insecureRedirect) Error() string {
	return fmt.Sprintf("it leads to transport %.20q, the handset takes TLS, and TCP unless SIP security mode is High", e.transport)
}

// redirectTargets are the Contacts of a redirect that the handset takes, at most two, the one with the highest q first.
func (h *Handset) redirectTargets(m *sipmessage.Message) ([]candidate, error) {
	type target struct {
		candidate
		q float64
	}
	var targets []target
	var insecure *insecureRedirect
	for _, value := range m.Values("Contact") {
		a, err := sipmessage.ParseAddress(value)
		if err != nil {
			return nil, err
		}
		q := 1.0
		if text, ok := a.Param("q"); ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("q value: %w", err)
			}
		}
		host, port, transport := splitSIPURI(a.URI)
		if host == "" {
			return nil, fmt.Errorf("contact %q names no host", a.URI)
		}
		next := candidate{Source: "redirect", Host: host, Port: port, Transport: transport}
		if transport != "tls" && (transport != "tcp" || !h.allowed(next)) {
			insecure = &insecureRedirect{transport}
			continue
		}
		targets = append(targets, target{next, q})
	}
	switch {
	case len(targets) == 0 && insecure != nil:
		return nil, insecure
	case len(targets) == 0:
		return nil, errors.New("it has no Contact")
	}
	slices.SortStableFunc(targets, func(a, b target) int { return cmp.Compare(b.q, a.q) })
	var out []candidate
	for _, one := range targets[:min(len(targets), maxTargets)] {
		out = append(out, one.candidate)
	}
	return out, nil
}

// splitSIPURI takes host, port and transport of a SIP URI; TLS and 5061 are the defaults here.
func splitSIPURI(uri string) (host string, port uint16, transport string) {
	rest, ok := strings.CutPrefix(strings.ToLower(uri), "sip:")
	if !ok {
		return "", 0, ""
	}
	parts := strings.Split(rest, ";")
	host, port, transport = parts[0], sipTLSPort, "tls"
	if _, after, found := strings.Cut(host, "@"); found {
		host = after
	}
	if before, after, found := strings.Cut(host, ":"); found {
		n, err := strconv.ParseUint(after, 10, 16)
		if err != nil {
			return "", 0, ""
		}
		host, port = before, uint16(n)
	}
	for _, p := range parts[1:] {
		if value, found := strings.CutPrefix(p, "transport="); found {
			transport = value
		}
	}
	return host, port, transport
}

func sipFailure(peer string, m *sipmessage.Message) *Failure {
	kind := "sip-error"
	switch m.Status {
	case 400, 401, 403, 404, 421, 480, 489, 503, 504:
		kind = strconv.Itoa(m.Status)
	}
	f := fail(devicestate.StageRegister, kind, peer, fmt.Sprintf("%d, %s", m.Status, m.Reason), nil)
	if d, ok := sipmessage.ParseDiagnostics(m.Get("ms-diagnostics")); ok {
		f.Seen = fmt.Sprintf("%d, %s: ErrorCode=%d,Source=%s,Reason=%s", m.Status, m.Reason, d.ID, d.Source, d.Reason)
		if m.Status == 403 && d.ID == wrongUserID {
			f.Code, f.Err = "register.certificate-refused", errCertificateRefused
		}
	}
	return f
}

// requestFailure classifies an error of registration.request.
func requestFailure(peer string, err error) *Failure {
	stage := devicestate.StageRegister
	switch {
	case errors.Is(err, errBadSignature), errors.Is(err, errUnsigned):
		return fail(stage, "bad-rspauth", peer, "the registrar's answer is not signed as it must be", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fail(stage, "timeout", peer, "no answer to REGISTER", nil)
	}
	return connectionFailure(stage, peer, "registering", err)
}

// authenticate sends REGISTER #1 to #4 and returns the answer to the signed one.
func (r *registration) authenticate(ctx context.Context) (*sipmessage.Message, *Failure) {
	r.building = true
	defer func() { r.building = false }()
	challenge, failure := r.exchangeRegister(ctx, r.registerMessage(""))
	if failure != nil {
		return nil, failure
	}
	p, failure := challenged(r.peer, challenge)
	if failure != nil {
		return nil, failure
	}
	if failure := r.associate(ctx, p); failure != nil {
		return nil, failure
	}
	m := r.registerMessage("")
	r.sa.sign(m, true)
	final, failure := r.exchangeRegister(ctx, m)
	if failure != nil {
		return nil, failure
	}
	if final.Status == 401 {
		return nil, r.refused(final)
	}
	return final, nil
}

// challenged reads the answer to a REGISTER without Authorization.
func challenged(peer string, m *sipmessage.Message) (tlsdsk.Params, *Failure) {
	const stage, kind = devicestate.StageRegister, "security-association"
	if m.Status == 200 {
		return tlsdsk.Params{}, fail(stage, kind, peer, "the registrar demands no authentication", nil)
	}
	if m.Status != 401 || len(m.Values("WWW-Authenticate")) == 0 {
		return tlsdsk.Params{}, sipFailure(peer, m)
	}
	p, err := findChallenge(m)
	if err != nil {
		return p, fail(stage, kind, peer, "the registrar offers no certificate authentication", err)
	}
	return p, nil
}

func (r *registration) refused(m *sipmessage.Message) *Failure {
	f := fail(devicestate.StageRegister, "certificate-refused", r.peer, "a fresh challenge instead of an answer: "+describe(m), errCertificateRefused)
	return f
}

func (r *registration) exchangeRegister(ctx context.Context, m *sipmessage.Message) (*sipmessage.Message, *Failure) {
	got, err := r.request(ctx, m)
	if err != nil {
		return nil, requestFailure(r.peer, err)
	}
	return got, nil
}

// findChallenge picks TLS-DSK of the schemes offered.
func findChallenge(m *sipmessage.Message) (tlsdsk.Params, error) {
	for _, value := range m.Values("WWW-Authenticate") {
		name, p, err := tlsdsk.ParseParams(value)
		if err != nil {
			return p, err
		}
		if name == scheme {
			if p.TargetName == "" || p.Realm != tlsdsk.Realm {
				return p, fmt.Errorf("realm %q, targetname %q", p.Realm, p.TargetName)
			}
			return p, nil
		}
	}
	return tlsdsk.Params{}, errors.New("no TLS-DSK challenge")
}

// associate runs the handshake of REGISTER #2 and #3 and derives the keys (sip.md §1.1, §2).
func (r *registration) associate(ctx context.Context, first tlsdsk.Params) *Failure {
	stage := devicestate.StageRegister
	client, err := r.h.clientCertificate()
	if err != nil {
		return fail(stage, "security-association", r.peer, "no client certificate", err)
	}
	config, err := r.h.innerTLS(client)
	if err != nil {
		return fail(stage, "security-association", r.peer, "TLS settings", err)
	}
	hs := tlsdsk.NewClient(config)
	defer hs.Close()
	version, err := strconv.Atoi(first.Version)
	if err != nil {
		return fail(stage, "security-association", r.peer, "the challenge has no version", err)
	}
	var in []byte
	p := tlsdsk.Params{QOP: "auth", Realm: tlsdsk.Realm, TargetName: first.TargetName, Version: first.Version}
	for step := 2; step <= 3; step++ {
		out, _, err := r.h.handshakeStep(ctx, hs, in)
		if err != nil {
			return fail(stage, "security-association", r.peer, "the TLS-DSK handshake failed", err)
		}
		p.GSSAPIData = base64.StdEncoding.EncodeToString(out)
		m := r.registerMessage("")
		insertBefore(m, sipmessage.Header{Name: "Authorization", Value: tlsdsk.AuthorizationHandshake(p)}, "Content-Length")
		answer, failure := r.exchangeRegister(ctx, m)
		if failure != nil {
			return failure
		}
		if answer.Status != 401 {
			return sipFailure(r.peer, answer)
		}
		next, err := findChallenge(answer)
		if err != nil || next.GSSAPIData == "" {
			if step == 3 {
				return r.refused(answer)
			}
			return fail(stage, "security-association", r.peer, "the registrar ended the handshake", err)
		}
		p.Opaque = next.Opaque
		if in, err = base64.StdEncoding.DecodeString(next.GSSAPIData); err != nil {
			return fail(stage, "security-association", r.peer, "gssapi-data is no base64", err)
		}
	}
	if _, done, err := r.h.handshakeStep(ctx, hs, in); err != nil || !done {
		return fail(stage, "security-association", r.peer, "the TLS-DSK handshake did not end", err)
	}
	keys, err := hs.Keys()
	if err == nil && r.h.cfg.keyLog != nil {
		err = hs.WriteKeyLog(r.h.cfg.keyLog)
	}
	if err != nil {
		return fail(stage, "security-association", r.peer, "no keys", err)
	}
	r.former = r.sa
	r.sa = &association{opaque: strings.Clone(p.Opaque), targetName: strings.Clone(first.TargetName), version: version, keys: keys}
	r.building = false
	r.associationDue = time.Now().Add(r.h.associationLife())
	return nil
}

// accept reads the 200: Expires, GRUU, keep-alive (sip.md §4.5).
func (r *registration) accept(m *sipmessage.Message) error {
	r.expires = defaultExpires
	if text := m.Get("Expires"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil || seconds == 0 {
			return fmt.Errorf("its Expires is %q", text)
		}
		r.expires = time.Duration(seconds) * time.Second
	}
	now := time.Now()
	r.refreshDue = now.Add(max(r.expires-r.h.profile.RefreshBefore, r.expires/2))
	r.keepAlive = keepAliveInterval(m.Get("ms-keep-alive"))
	r.keepAliveDue = now.Add(r.keepAlive)
	if strings.Contains(m.Get("presence-state"), `is-connected-to-primary="no"`) && !r.atBackup {
		r.atBackup = true
		r.h.note("%s is the backup registrar: not all that the pool offers is there", r.home.Host)
	}
	uuid := r.instance()
	for _, value := range m.Values("Contact") {
		a, err := sipmessage.ParseAddress(value)
		if err != nil {
			return fmt.Errorf("its Contact: %w", err)
		}
		instance, _ := a.Param("+sip.instance")
		if gruu, ok := a.Param("gruu"); ok && strings.Contains(strings.ToLower(instance), uuid) {
			r.gruu = strings.Clone(gruu)
		}
	}
	if r.gruu == "" {
		return errors.New("no Contact with the handset's own instance and a GRUU")
	}
	return nil
}

// keepAliveInterval is the timeout parameter of ms-keep-alive in seconds.
func keepAliveInterval(value string) time.Duration {
	for _, part := range strings.Split(value, ";") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(part), "timeout="); ok {
			if seconds, err := strconv.ParseUint(text, 10, 16); err == nil && seconds > 0 {
				return time.Duration(seconds) * time.Second
			}
		}
	}
	return defaultKeepAlive
}

// askSTSURI asks a registrar for the certificate provisioning URL, of which the text alone is taken (inferred).
func (h *Handset) askSTSURI(ctx context.Context, c candidate) string {
	answer, peer, failure := h.askChallenge(ctx, devicestate.StageDiscovery, c)
	if failure != nil {
		h.note("no sts-uri: %s", failure.Detail())
		return ""
	}
	p, err := findChallenge(answer)
	if err != nil {
		h.note("no sts-uri: %s: %v", peer, err)
		return ""
	}
	return p.STSURI
}

// askChallenge sends a registrar one REGISTER without Authorization, From and To being the registrar's own name, over
// TLS that is not verified yet.
func (h *Handset) askChallenge(ctx context.Context, stage devicestate.Stage, c candidate) (*sipmessage.Message, string, *Failure) {
	conn, peer, failure := h.connectTo(ctx, stage, c.Host, c.addresses, strconv.Itoa(int(c.Port)), "asking for a challenge")
	if failure != nil {
		return nil, peer, failure
	}
	secured, failure := h.secure(ctx, stage, conn, peer, c.Host, nil, nil)
	if failure != nil {
		return nil, peer, failure
	}
	r, err := h.anonymousRegistration(secured, peer, c)
	if err != nil {
		secured.Close()
		return nil, peer, connectionFailure(stage, peer, "asking for a challenge", err)
	}
	defer r.close()
	answer, err := r.request(ctx, r.registerMessage(""))
	if err != nil {
		return nil, peer, requestFailure(peer, err)
	}
	return answer, peer, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
