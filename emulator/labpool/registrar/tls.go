package registrar

import (
	"crypto/tls"
	"fmt"
)

// outerSuites are offered whatever a handset's age: RSA key exchange for Lync Phone Edition (sip.md §6, inferred),
// ECDHE for others.
var outerSuites = []uint16{
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

// innerSuites are those of TLS-DSK: RSA key exchange alone, as sipe and Schannel of the time have it (sip.md §1.5).
var innerSuites = []uint16{
	tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	tls.TLS_RSA_WITH_RC4_128_SHA,
}

var versions = map[string]uint16{
	"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
}

// tlsConfigs are those of the port and of the handshake inside SIP, which has no version above 1.2, whatever the lab's:
// TLS 1.3 has no TLS-DSK key derivation.
func tlsConfigs(cfg Config) (outer, inner *tls.Config, err error) {
	lowest, ok := versions[cfg.Lab.TLSMin]
	if !ok {
		return nil, nil, fmt.Errorf("lowest TLS version %q, 1.0 to 1.3 expected", cfg.Lab.TLSMin)
	}
	highest, ok := versions[cfg.Lab.TLSMax]
	if !ok || highest < lowest {
		return nil, nil, fmt.Errorf("highest TLS version %q, %s to 1.3 expected", cfg.Lab.TLSMax, cfg.Lab.TLSMin)
	}
	outer = &tls.Config{
		MinVersion: lowest, MaxVersion: highest, CipherSuites: outerSuites, KeyLogWriter: cfg.KeyLog, SessionTicketsDisabled: true,
	}
	inner = &tls.Config{
		MinVersion: min(lowest, tls.VersionTLS12), MaxVersion: min(highest, tls.VersionTLS12), CipherSuites: innerSuites,
		// The certificate is compared with the published copy, not with a chain (web-services.md §4.5).
		ClientAuth: tls.RequireAnyClientCert,
	}
	return outer, inner, nil
}
