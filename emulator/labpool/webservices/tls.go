package webservices

import (
	"crypto/tls"
	"fmt"
)

// suites are offered by the lab whatever a handset's age: RSA key exchange for Lync Phone Edition (web-services.md
// §5, recollected), ECDHE for others.
var suites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	tls.TLS_RSA_WITH_RC4_128_SHA,
}

var versions = map[string]uint16{
	"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
}

// serverTLS asks every handset for a certificate and takes the handshake without one as well: the certificate port
// and device updates look at it, the others do not (lab convention).
func serverTLS(cfg Config) (*tls.Config, error) {
	lowest, ok := versions[cfg.Lab.TLSMin]
	if !ok {
		return nil, fmt.Errorf("lowest TLS version %q, 1.0 to 1.3 expected", cfg.Lab.TLSMin)
	}
	highest, ok := versions[cfg.Lab.TLSMax]
	if !ok || highest < lowest {
		return nil, fmt.Errorf("highest TLS version %q, %s to 1.3 expected", cfg.Lab.TLSMax, cfg.Lab.TLSMin)
	}
	config := &tls.Config{
		MinVersion:   lowest,
		MaxVersion:   highest,
		CipherSuites: suites,
		ClientAuth:   tls.RequestClientCert,
		KeyLogWriter: cfg.KeyLog,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, err := cfg.Certificate()
			return &certificate, err
		},
	}
	modern := config.Clone()
	modern.MinVersion, modern.MaxVersion = tls.VersionTLS12, tls.VersionTLS13
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if _, on := cfg.Faults.On("web=" + kindTLSVersion); on {
			return modern, nil
		}
		return nil, nil // config itself
	}
	return config, nil
}
