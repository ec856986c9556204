package handset

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/soap"
)

// enroll makes a key and gets a certificate for it with the ticket's proof key (web-services.md §4).
func (h *Handset) enroll(ctx context.Context) (devicestate.Event, *Failure) {
	if !h.machine.Renewing {
		h.makeEPID()
	}
	h.begins("asking for a certificate", timeline.Field{Name: timeline.FieldUser, Value: h.ram.identity.sip},
		timeline.Field{Name: timeline.FieldEndpoint, Value: h.flash.EPID}, timeline.Field{Name: timeline.FieldURL, Value: h.ram.ticket.enrollURL})
	key, err := h.cfg.newKey(h.profile.KeyBits)
	if err != nil {
		return devicestate.EnrollFailed, fail(devicestate.StageEnroll, "csr-refused", "", "no key", err)
	}
	h.ram.enrolling = key
	user := strings.TrimPrefix(h.ram.identity.sip, "sip:")
	csr, err := certprov.NewCSR(key, user, h.profile.CSRSignature == "sha1")
	if err != nil {
		return devicestate.EnrollFailed, fail(devicestate.StageEnroll, "csr-refused", "", "no certificate request", err)
	}
	var refused bool
	failure := h.withRetry(ctx, func() (f *Failure) { refused, f = h.requestCertificate(ctx, user, csr); return f })
	switch {
	case refused:
		return devicestate.EnrollTicketRefused, failure
	case failure != nil:
		return devicestate.EnrollFailed, failure
	}
	return devicestate.CertificateIssued, nil
}

// makeEPID derives the endpoint id: ten lower hex digits of model, MAC and SIP address, so that one handset of one
// user is always the same endpoint (design of this project; how the hardware forms it is unknown).
func (h *Handset) makeEPID() {
	if h.ram.identity.sip == "" {
		return
	}
	sum := sha256.Sum256([]byte(h.profile.Model + "\x00" + h.mac().String() + "\x00" + strings.ToLower(h.ram.identity.sip)))
	h.flash.EPID = hex.EncodeToString(sum[:5])
}

func (h *Handset) deviceID() string {
	return sipmessage.FormatUUID(sipmessage.InstanceUUID(h.flash.EPID))
}

func (h *Handset) requestCertificate(ctx context.Context, user string, csr []byte) (ticketRefused bool, failure *Failure) {
	t := h.ram.ticket
	stage, peer := devicestate.StageEnroll, t.enrollURL
	security, err := soap.AppendSecurity(nil, t.LifetimeInner, t.Assertion, t.AssertionID, t.key)
	if err != nil {
		return false, fail(stage, "ticket-refused", peer, "the ticket cannot be used", err)
	}
	body, err := certprov.Request{
		To: t.enrollURL, MessageID: newUUID(), DeviceID: h.deviceID(), Entity: user, RequestID: newUUID(),
		CSR: csr, Security: security,
	}.Append(nil)
	if err != nil {
		return false, fail(stage, "garbage", peer, "the request cannot be built", err)
	}
	r := webRequest{
		stage: stage, doing: "asking for the certificate", url: t.enrollURL, action: certprov.ActionEnroll, body: body,
		trust: h.trustNow(false),
	}
	answer, failure := h.exchange(ctx, r)
	if failure != nil {
		return false, failure
	}
	if fault, ok := answer.fault(); ok && fault.ErrorID != 0 {
		return true, fail(stage, "ticket-refused", answer.peer, fmt.Sprintf("SOAP fault %s, ErrorId %d, %q", fault.Code.Local, fault.ErrorID, fault.Reason), nil)
	}
	if failure := wantStatus(stage, answer, r.doing); failure != nil {
		return false, failure
	}
	return false, h.takeCertificate(answer)
}

func (h *Handset) takeCertificate(answer webAnswer) *Failure {
	response, err := certprov.ParseResponse(answer.Body)
	if err != nil {
		return fail(devicestate.StageEnroll, "garbage", answer.peer, "the answer cannot be read", err)
	}
	if len(response.Certificate) == 0 {
		return fail(devicestate.StageEnroll, "csr-refused", answer.peer, fmt.Sprintf("the service refused the request: %s %s", response.ErrorCode, response.ErrorReason), nil)
	}
	cert, err := x509.ParseCertificate(response.Certificate)
	if err != nil {
		return fail(devicestate.StageEnroll, "garbage", answer.peer, "the certificate cannot be read", err)
	}
	if public, ok := cert.PublicKey.(*rsa.PublicKey); !ok || !public.Equal(&h.ram.enrolling.PublicKey) {
		return fail(devicestate.StageEnroll, "wrong-key", answer.peer, "the certificate is for another key than the one requested", nil)
	}
	h.ram.certificate = cert.Raw
	h.note("certificate %q by %q until %s", cert.Subject.CommonName, cert.Issuer.CommonName, day(cert.NotAfter))
	return nil
}

// clientCertificate is the certificate of flash with its key, which stays in memory until the handset is Ready.
func (h *Handset) clientCertificate() (*tls.Certificate, error) {
	if h.ram.key == nil {
		key, err := x509.ParsePKCS8PrivateKey(h.flash.Key)
		if err != nil {
			return nil, fmt.Errorf("private key in flash: %w", err)
		}
		var ok bool
		if h.ram.key, ok = key.(*rsa.PrivateKey); !ok {
			return nil, fmt.Errorf("private key in flash is a %T, RSA expected", key)
		}
	}
	return &tls.Certificate{Certificate: [][]byte{h.flash.Certificate}, PrivateKey: h.ram.key}, nil
}
