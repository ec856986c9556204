package handset

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/soap"
)

// Enter enters credentials at a handset that is in SignIn: on the phone, or on the computer that it is tethered to.
func (h *Handset) Enter(c Credentials) {
	h.enter(userEvent{event: devicestate.CredentialsEntered, credentials: c})
}

// signIn waits for a usable certificate or for credentials.
func (h *Handset) signIn(ctx context.Context) (devicestate.Event, *Failure) {
	if h.machine.Memory.Certificate {
		if h.ram.certURL == "" {
			h.ram.certURL = h.flash.CertificateURL
			h.out.CertificateURL, h.out.URLSource, h.out.Registrar = h.flash.CertificateURL, "flash", h.flash.Registrar
		}
		return devicestate.CertificateFound, nil
	}
	if h.machine.Memory.Credentials {
		if h.ram.certURL == "" && h.flash.CertificateURL != "" {
			h.useURL(h.flash.CertificateURL, "flash")
			h.out.Registrar = h.flash.Registrar
		}
		return devicestate.CredentialsEntered, nil
	}
	if h.machine.Reason == devicestate.ReasonStart {
		h.seen(fail(devicestate.StageSignIn, "no-credentials", "", "nobody is signed in and no credentials were entered", nil))
	}
	return h.await(ctx, time.Time{})
}

// rootChain downloads the server's chain over anonymous http, unless one is given or in flash (web-services.md §2).
func (h *Handset) rootChain(ctx context.Context) (devicestate.Event, *Failure) {
	if len(h.anchors()) > 0 {
		h.skipped = true
		return devicestate.ChainHeld, nil
	}
	failure := h.withRetry(ctx, func() *Failure { return h.downloadChain(ctx) })
	if failure != nil {
		return devicestate.ChainFailed, failure
	}
	return devicestate.ChainHeld, nil
}

// withRetry does the work again once after the profile's pause when the service was in trouble. A renewal has its own
// time to be tried again.
func (h *Handset) withRetry(ctx context.Context, work func() *Failure) *Failure {
	failure := work()
	if failure == nil || !trouble(failure) || h.machine.Renewing || ctx.Err() != nil {
		return failure
	}
	h.seen(failure)
	h.note("one retry in %v", h.profile.RetryAfter)
	if !sleep(ctx, h.profile.RetryAfter) {
		return failure
	}
	return work()
}

func (h *Handset) downloadChain(ctx context.Context) *Failure {
	service, err := anonymousURL(h.ram.certURL)
	if err != nil {
		return fail(devicestate.StageChain, "garbage", "", "the certificate provisioning URL is no URL", err)
	}
	return h.downloadChainFrom(ctx, service)
}

func (h *Handset) downloadChainFrom(ctx context.Context, service string) *Failure {
	r := webRequest{stage: devicestate.StageChain, doing: "downloading the root chain"}
	meta, failure := h.metadata(ctx, r, service)
	if failure != nil {
		if strings.HasSuffix(string(failure.Code), ".garbage") || strings.HasSuffix(string(failure.Code), ".http-404") {
			return h.requestChain(ctx, r, service, certprov.DefaultRootChainOperation, failure)
		}
		return failure
	}
	port, operation, ok := certprov.RootChainPort(meta)
	if !ok {
		return h.requestChain(ctx, r, service, certprov.DefaultRootChainOperation, fail(devicestate.StageChain, "off",
			service, "the service does not offer the root chain over http", nil))
	}
	return h.requestChain(ctx, r, port.Location, operation, nil)
}

// requestChain asks location, and reports earlier instead if that is known and the request fails too.
func (h *Handset) requestChain(ctx context.Context, r webRequest, location string, operation soap.Operation, earlier *Failure) *Failure {
	failure := h.readChain(ctx, r, location, operation)
	if failure != nil && earlier != nil {
		return earlier
	}
	return failure
}

func (h *Handset) readChain(ctx context.Context, r webRequest, location string, operation soap.Operation) *Failure {
	body, err := certprov.RootChainRequest{Operation: operation.Input}.Append(nil)
	if err != nil {
		return fail(r.stage, "garbage", location, "the request cannot be built", err)
	}
	r.url, r.action, r.body = location, operation.Action, body
	answer, failure := h.exchange(ctx, r)
	if failure != nil {
		return failure
	}
	if fault, ok := answer.fault(); ok {
		return fail(r.stage, "off", answer.peer, "the service refuses to give its chain: "+fault.String, nil)
	}
	if failure := wantStatus(r.stage, answer, r.doing); failure != nil {
		return failure
	}
	chain, err := certprov.ParseRootChains(answer.Body)
	if err != nil {
		return fail(r.stage, chainTrouble(err), answer.peer, "the root chain cannot be used", err)
	}
	roots := 0
	for _, c := range chain {
		if !selfSigned(c) {
			continue
		}
		if bits := keyBits(c); bits > h.profile.MaxRootBits {
			return fail(r.stage, "unreadable-root", answer.peer, fmt.Sprintf("root %q has a key of %d bits, this firmware reads %d at most", name(c), bits, h.profile.MaxRootBits), nil)
		}
		roots++
		h.note("learned root %q by clear text: trust on first use", name(c))
	}
	if roots == 0 {
		return fail(r.stage, "empty", answer.peer, "the answer holds no root certificate", nil)
	}
	h.ram.chain = authorities(chain)
	return nil
}

// chainTrouble is the kind of failure that an answer without a usable chain is.
func chainTrouble(err error) string {
	switch {
	case errors.Is(err, certprov.ErrChainTooLong):
		return "too-long"
	case errors.Is(err, certprov.ErrNoChain):
		return "empty"
	}
	return "garbage"
}

// keyBits is the size of an RSA key, 0 for another kind of key.
func keyBits(c *x509.Certificate) int {
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}

func authorities(chain []*x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range chain {
		if c.IsCA {
			out = append(out, c)
		}
	}
	return out
}

// anonymousURL is the certificate provisioning URL over http, port 80 (web-services.md §1.1, inferred from option 43).
func anonymousURL(certURL string) (string, error) {
	u, err := url.Parse(certURL)
	if err != nil {
		return "", err
	}
	u.Scheme, u.Host = "http", u.Hostname()
	return u.String(), nil
}
