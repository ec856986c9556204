package authority

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// clientBackdating lets a handset whose clock is a little behind use its certificate at once.
const clientBackdating = 5 * time.Minute

// IssueClient issues the certificate of a user's handset for the key of csr: CN subject (user@domain, without sip:),
// SAN the URI sip (sip:user@domain), extended key usage client authentication, valid for the given time from now on.
// The CSR's own subject does not count: identity comes from the web ticket (web-services.md §4.1). The result is DER;
// deviceID only says in an error which handset it was for.
func (a *Authority) IssueClient(csr *x509.CertificateRequest, subject, sip, deviceID string, validity time.Duration) ([]byte, error) {
	public, ok := csr.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("client certificate of %s, device %s: key is %T, RSA expected", subject, deviceID, csr.PublicKey)
	}
	if validity <= 0 {
		return nil, fmt.Errorf("client certificate of %s, device %s: validity %v", subject, deviceID, validity)
	}
	uri, err := url.Parse(sip)
	if err != nil {
		return nil, fmt.Errorf("client certificate of %s: %w", subject, err)
	}
	now := a.cfg.Now()
	certificate, err := a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: subject},
		NotBefore:   now.Add(-clientBackdating),
		NotAfter:    now.Add(validity),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{uri},
	}, a.client, public)
	if err != nil {
		return nil, fmt.Errorf("client certificate of %s, device %s: %w", subject, deviceID, err)
	}
	return certificate.Raw, nil
}

// ClientRoot is the authority of the handsets' certificates. No server chains to it, and no handset is given it.
func (a *Authority) ClientRoot() *x509.Certificate { return a.client.certificate }

// Published is one certificate in the pool's store.
type Published struct {
	SIP         string // sip:user@domain
	DeviceID    string // UUID, lower case, without braces
	Certificate *x509.Certificate
}

// maxDevices bounds the devices of one user that the store keeps; the one published first goes first.
const maxDevices = 100

// store holds what was published, by user, in the order of publication.
type store struct {
	mu     sync.Mutex
	byUser map[string][]Published
}

// Publish stores the DER certificate of a user's device, in place of an older one. Registrars compare with this copy
// ([MS-OCAUTHWS], GetAndPublishCert).
func (a *Authority) Publish(sip, deviceID string, der []byte) error {
	if err := a.published.add(sip, deviceID, der); err != nil {
		return fmt.Errorf("publishing for %s: %w", sip, err)
	}
	return a.save()
}

func (s *store) add(sip, deviceID string, der []byte) error {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	sip, deviceID = userKey(sip), deviceKey(deviceID)
	if deviceID == "" {
		return errors.New("no device")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUser == nil {
		s.byUser = map[string][]Published{}
	}
	list := slices.DeleteFunc(s.byUser[sip], func(p Published) bool { return p.DeviceID == deviceID })
	if len(list) >= maxDevices {
		list = list[len(list)-maxDevices+1:]
	}
	s.byUser[sip] = append(list, Published{sip, deviceID, certificate})
	return nil
}

// Published returns the certificate of a user's device. The device is a UUID, in any case, with or without braces.
func (a *Authority) Published(sip, deviceID string) (*x509.Certificate, bool) {
	device := deviceKey(deviceID)
	for _, p := range a.List(sip) {
		if p.DeviceID == device {
			return p.Certificate, true
		}
	}
	return nil, false
}

// Revoke removes a user's published certificates, of one device or, with an empty deviceID, of all of them, as
// Revoke-CsClientCertificate does. It returns how many there were.
func (a *Authority) Revoke(sip, deviceID string) (int, error) {
	n := a.published.remove(sip, deviceID)
	return n, a.save()
}

func (s *store) remove(sip, deviceID string) int {
	sip, device := userKey(sip), deviceKey(deviceID)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.byUser[sip])
	if before == 0 {
		return 0
	}
	s.byUser[sip] = slices.DeleteFunc(s.byUser[sip], func(p Published) bool { return device == "" || p.DeviceID == device })
	return before - len(s.byUser[sip])
}

// List returns a user's published certificates in the order of their publication.
func (a *Authority) List(sip string) []Published {
	s := &a.published
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.byUser[userKey(sip)])
}

// userKey is a SIP address as the store spells it: lower case, with its scheme.
func userKey(sip string) string {
	sip = strings.ToLower(sip)
	if !strings.HasPrefix(sip, "sip:") {
		sip = "sip:" + sip
	}
	return sip
}

func deviceKey(id string) string { return strings.ToLower(strings.Trim(id, "{}")) }
