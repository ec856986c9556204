package configs

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// TLS is what a port of a lab speaks.
type TLS struct {
	Min    string   `json:"min"` // "1.0"
	Max    string   `json:"max"`
	Suites []string `json:"suites,omitempty"` // up to TLS 1.2, none: those of DefaultSuites
}

// CertificateNames are the DNS names in the certificates of a lab's servers, none: the names that they have.
type CertificateNames struct {
	Web       []string `json:"web,omitempty"`
	Registrar []string `json:"registrar,omitempty"`
}

// WebTLS is what the port of the web services speaks.
func (l *Lab) WebTLS() TLS { return TLS{l.TLSMin, l.TLSMax, l.TLSSuites} }

// RegistrarTLS is what the registrars' ports speak.
func (l *Lab) RegistrarTLS() TLS {
	if l.SIPTLS != nil {
		return *l.SIPTLS
	}
	return l.WebTLS()
}

var tlsVersions = map[string]uint16{
	"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
}

// DefaultSuites are offered whatever a handset's age: RSA key exchange for Lync Phone Edition (web-services.md §5,
// recollected; sip.md §6, inferred), ECDHE for others.
func DefaultSuites() []string {
	return []string{
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
		"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA",
		"TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA",
	}
}

// UsableSuites are those of DefaultSuites that some version of the range up to TLS 1.2 has.
func (t TLS) UsableSuites() []string {
	var out []string
	for _, name := range DefaultSuites() {
		if slices.Min(rsaSuite(name).SupportedVersions) <= tlsVersions[t.Max] && t.Min <= "1.2" {
			out = append(out, name)
		}
	}
	return out
}

// IsLabSuite reports whether a lab can take a suite.
func IsLabSuite(name string) bool { return rsaSuite(name) != nil }

// Config is the server's side of it.
func (t TLS) Config() (*tls.Config, error) {
	lowest, ok := tlsVersions[t.Min]
	if !ok {
		return nil, fmt.Errorf("lowest TLS version %q, 1.0 to 1.3 expected", t.Min)
	}
	highest, ok := tlsVersions[t.Max]
	if !ok || highest < lowest {
		return nil, fmt.Errorf("highest TLS version %q, %s to 1.3 expected", t.Max, t.Min)
	}
	config := &tls.Config{MinVersion: lowest, MaxVersion: highest}
	names := t.Suites
	if len(names) == 0 {
		names = DefaultSuites()
	}
	for _, name := range names {
		suite := rsaSuite(name)
		if suite == nil {
			return nil, fmt.Errorf("TLS suite %q is not known, or not for an RSA key", name)
		}
		config.CipherSuites = append(config.CipherSuites, suite.ID)
	}
	return config, nil
}

// rsaSuite finds a suite up to TLS 1.2 that a server with an RSA key can take.
func rsaSuite(name string) *tls.CipherSuite {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if s.Name == name && slices.Contains(s.SupportedVersions, tls.VersionTLS12) && !strings.Contains(name, "_ECDSA_") {
			return s
		}
	}
	return nil
}

// readTLS reads the range of a port; preset is what counts for keys that are left out.
func readTLS(s *section, preset TLS) TLS {
	defer s.finish()
	t := TLS{
		Min: s.choice("min", preset.Min, "1.0", "1.1", "1.2", "1.3"), Max: s.choice("max", preset.Max, "1.0", "1.1", "1.2", "1.3"),
		Suites: s.texts("suites"),
	}
	if t.Min > t.Max {
		s.report("min", "TLS %s is above max, %s", t.Min, t.Max)
	}
	seen := map[string]bool{}
	for _, name := range t.Suites {
		switch {
		case rsaSuite(name) == nil:
			s.report("suites", "expected suites up to TLS 1.2 for an RSA key, such as TLS_RSA_WITH_AES_128_CBC_SHA")
			return t
		case seen[name]:
			s.report("suites", "%s stands twice", name)
			return t
		}
		seen[name] = true
	}
	return t
}

// WebNames are the names in the certificate of the web services.
func (l *Lab) WebNames() []string {
	if len(l.Certificates.Web) > 0 {
		return l.Certificates.Web
	}
	return []string{l.Web, l.Pool, UpdateHost + "." + l.SIPDomain, l.FrontEnds[0].FQDN}
}

// RegistrarNames are the names in the certificate of a registrar.
func (l *Lab) RegistrarNames(host Host) []string {
	if len(l.Certificates.Registrar) > 0 {
		return l.Certificates.Registrar
	}
	return []string{host.FQDN, l.Pool}
}

// UpdateHost is the host name of device updates in a SIP domain (discovery.md §1.5).
const UpdateHost = "ucupdates-r2"

// maxCertificateNames bounds the names of one certificate.
const maxCertificateNames = 64

func (s *section) certificateNames(key string) []string {
	names := s.texts(key)
	if len(names) > maxCertificateNames {
		s.report(key, "%d names, at most %d", len(names), maxCertificateNames)
	}
	for _, name := range names {
		if !IsFQDN(strings.TrimPrefix(name, "*.")) || len(name) > maxName {
			s.report(key, "expected full DNS names in lower case, or wildcards such as *.litwareinc.com")
			return names
		}
	}
	return names
}
