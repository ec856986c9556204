package handset

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

const (
	maxChainLength = 10
	minRSABits     = 1024
)

// CertificateError says why a server's certificate is not accepted.
type CertificateError struct {
	Kind string // tail of the failure code
	Seen string
}

func (e *CertificateError) Error() string { return e.Seen }

// trust is what a handset checks a server with: roots and intermediates learned or given, and its own clock.
// The check is the handset's own because the hardware takes SHA-1 signatures and RSA keys from 1024 bits, which
// x509.Verify refuses.
type trust struct {
	anchors        []*x509.Certificate
	now            time.Time
	clockSynced    bool
	refuseWildcard bool
}

// verify checks that chain[0] is valid for host now and leads to a self-signed anchor.
func (t trust) verify(host string, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return &CertificateError{"tls-failed", "the server sent no certificate"}
	}
	if len(chain) > maxChainLength {
		return &CertificateError{"untrusted-chain", fmt.Sprintf("the server sent %d certificates, more than %d", len(chain), maxChainLength)}
	}
	leaf := chain[0]
	if err := t.matchName(host, leaf); err != nil {
		return err
	}
	return t.walk(leaf, append(chain[1:len(chain):len(chain)], t.anchors...))
}

func (t trust) walk(leaf *x509.Certificate, pool []*x509.Certificate) error {
	current := leaf
	for range maxChainLength + 1 {
		if err := t.checkOne(current); err != nil {
			return err
		}
		if isAnchor(current, t.anchors) {
			return nil
		}
		issuer := issuerOf(current, pool)
		if issuer == nil {
			return &CertificateError{"untrusted-chain", fmt.Sprintf("certificate %q is issued by %q, which the handset does not hold", name(current), current.Issuer.CommonName)}
		}
		if !issuer.BasicConstraintsValid || !issuer.IsCA {
			return &CertificateError{"untrusted-chain", fmt.Sprintf("certificate %q is issued by %q, which is no authority", name(current), name(issuer))}
		}
		current = issuer
	}
	return &CertificateError{"untrusted-chain", fmt.Sprintf("the chain of %q is longer than %d", name(leaf), maxChainLength)}
}

func (t trust) checkOne(c *x509.Certificate) error {
	switch {
	case t.now.Before(c.NotBefore) && !t.clockSynced:
		return &CertificateError{"clock-not-set", fmt.Sprintf("certificate %q is valid from %s, the handset's clock was never set and shows %s", name(c), day(c.NotBefore), day(t.now))}
	case t.now.Before(c.NotBefore):
		return &CertificateError{"certificate-not-yet-valid", fmt.Sprintf("certificate %q is valid from %s, the handset's clock shows %s", name(c), day(c.NotBefore), day(t.now))}
	case t.now.After(c.NotAfter):
		return &CertificateError{"certificate-expired", fmt.Sprintf("certificate %q was valid until %s, the handset's clock shows %s", name(c), day(c.NotAfter), day(t.now))}
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return &CertificateError{"untrusted-chain", fmt.Sprintf("certificate %q has no RSA key", name(c))}
	}
	if key.N.BitLen() < minRSABits {
		return &CertificateError{"untrusted-chain", fmt.Sprintf("certificate %q has an RSA key of %d bits", name(c), key.N.BitLen())}
	}
	return nil
}

func (t trust) matchName(host string, leaf *x509.Certificate) error {
	host = strings.ToLower(host)
	wildcard := ""
	for _, san := range leaf.DNSNames {
		san = strings.ToLower(san)
		if san == host {
			return nil
		}
		if suffix, ok := strings.CutPrefix(san, "*."); ok {
			if label, rest, _ := strings.Cut(host, "."); label != "" && rest == suffix {
				wildcard = san
			}
		}
	}
	switch {
	case wildcard == "":
		return &CertificateError{"certificate-wrong-name", fmt.Sprintf("the certificate is for %s, not for %s", strings.Join(leaf.DNSNames, ", "), host)}
	case t.refuseWildcard:
		return &CertificateError{"wildcard-certificate", fmt.Sprintf("only the wildcard name %s covers %s", wildcard, host)}
	}
	return nil
}

// onlyWildcard reports whether leaf covers host by a wildcard alone.
func onlyWildcard(host string, leaf *x509.Certificate) bool {
	return trust{refuseWildcard: true}.matchName(host, leaf) != nil && trust{}.matchName(host, leaf) == nil
}

// isAnchor accepts self-signed certificates among those learned; intermediates there only help to build the chain.
func isAnchor(c *x509.Certificate, anchors []*x509.Certificate) bool {
	for _, a := range anchors {
		if a.Equal(c) && selfSigned(a) {
			return true
		}
	}
	return false
}

func selfSigned(c *x509.Certificate) bool {
	return string(c.RawSubject) == string(c.RawIssuer) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func issuerOf(c *x509.Certificate, pool []*x509.Certificate) *x509.Certificate {
	for _, p := range pool {
		if string(p.RawSubject) == string(c.RawIssuer) && !p.Equal(c) &&
			p.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return p
		}
	}
	return nil
}

func name(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return strings.Join(c.DNSNames, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// anchors are the certificates that the user gave, else those in flash.
func (h *Handset) anchors() []*x509.Certificate {
	if len(h.cfg.authorities) > 0 {
		return h.cfg.authorities
	}
	if slices.EqualFunc(h.ram.anchors, h.flash.Chain, func(c *x509.Certificate, der []byte) bool { return bytes.Equal(c.Raw, der) }) {
		return h.ram.anchors
	}
	var out []*x509.Certificate
	for _, der := range h.flash.Chain {
		if c, err := x509.ParseCertificate(der); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// tlsConfig is the handset's side of an outer TLS connection to host: versions and suites of the profile only.
// check is nil when the certificate is not verified.
func (h *Handset) tlsConfig(host string, check *trust, client *tls.Certificate) (*tls.Config, error) {
	versions := map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12}
	minVersion, maxVersion := versions[h.profile.TLSMin], versions[h.profile.TLSMax]
	if minVersion == 0 || maxVersion == 0 {
		return nil, fmt.Errorf("profile %s has TLS versions %q to %q", h.profile.Name, h.profile.TLSMin, h.profile.TLSMax)
	}
	suites, err := suitesByName(h.profile.TLSSuites)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: minVersion, MaxVersion: maxVersion, CipherSuites: suites,
		InsecureSkipVerify: true, // the check is VerifyConnection
		Time:               h.now,
		KeyLogWriter:       h.cfg.keyLog,
	}
	if h.profile.TLSServerName {
		config.ServerName = host
	}
	if h.anyTLS {
		config.MinVersion, config.MaxVersion, config.CipherSuites, config.ServerName = tls.VersionTLS10, tls.VersionTLS13, slices.Collect(maps.Values(knownSuites())), host
	}
	if check != nil {
		config.VerifyConnection = func(s tls.ConnectionState) error { return check.verify(host, s.PeerCertificates) }
	}
	if client != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return client, nil }
	}
	return config, nil
}

var knownSuites = sync.OnceValue(func() map[string]uint16 {
	known := map[string]uint16{}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		known[s.Name] = s.ID
	}
	return known
})

func suitesByName(names []string) ([]uint16, error) {
	var out []uint16
	for _, n := range names {
		id, ok := knownSuites()[n]
		if !ok {
			return nil, fmt.Errorf("TLS suite %q is not known", n)
		}
		out = append(out, id)
	}
	return out, nil
}

func (h *Handset) trustNow(refuseWildcard bool) *trust {
	return &trust{anchors: h.anchors(), now: h.now(), clockSynced: h.clockSynced, refuseWildcard: refuseWildcard}
}

// wildcardWarning notes a web certificate that only a wildcard matches: it works, but the registrar's must not be one.
func (h *Handset) wildcardWarning(stage devicestate.Stage, peer, host string, leaf *x509.Certificate) {
	if h.profile.WarnWildcardWeb && onlyWildcard(host, leaf) {
		h.warn(fail(stage, "wildcard-certificate", peer, "the web services' certificate covers "+host+" by a wildcard only", nil))
	}
}
