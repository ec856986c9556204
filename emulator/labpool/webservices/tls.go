package webservices

import "crypto/tls"

// serverTLS asks every handset for a certificate and takes the handshake without one as well: the certificate port
// and device updates look at it, the others do not (lab convention).
func serverTLS(cfg Config) (*tls.Config, error) {
	config, err := cfg.Lab.WebTLS().Config()
	if err != nil {
		return nil, err
	}
	config.ClientAuth, config.KeyLogWriter = tls.RequestClientCert, cfg.KeyLog
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := cfg.Certificate()
		return &certificate, err
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
