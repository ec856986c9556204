package registrar

import "crypto/tls"

// innerSuites are those of TLS-DSK: RSA key exchange alone, as sipe and Schannel of the time have it (sip.md §1.5).
var innerSuites = []uint16{
	tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	tls.TLS_RSA_WITH_RC4_128_SHA,
}

// tlsConfigs are those of the port and of the handshake inside SIP, which has no version above 1.2, whatever the lab's:
// TLS 1.3 has no TLS-DSK key derivation.
func tlsConfigs(cfg Config) (outer, inner *tls.Config, err error) {
	if outer, err = cfg.Lab.RegistrarTLS().Config(); err != nil {
		return nil, nil, err
	}
	outer.KeyLogWriter, outer.SessionTicketsDisabled = cfg.KeyLog, true
	inner = &tls.Config{
		MinVersion: min(outer.MinVersion, tls.VersionTLS12), MaxVersion: min(outer.MaxVersion, tls.VersionTLS12), CipherSuites: innerSuites,
		// The certificate is compared with the published copy, not with a chain (web-services.md §4.5).
		ClientAuth: tls.RequireAnyClientCert,
	}
	return outer, inner, nil
}
