package registrar_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
)

// TestOuterTLS follows the lab's versions and takes the suites of handsets of the time (sip.md §6).
func TestOuterTLS(t *testing.T) {
	for _, c := range []struct {
		min, max       string
		version, suite uint16
		ok             bool
	}{
		{"1.0", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true},
		{"1.0", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_256_CBC_SHA, true},
		{"1.0", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, true},
		{"1.0", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_RC4_128_SHA, true},
		{"1.0", "1.2", tls.VersionTLS11, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true},
		{"1.0", "1.2", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true},
		{"1.0", "1.2", tls.VersionTLS13, 0, false},
		{"1.0", "1.3", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true},
		{"1.0", "1.3", tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_CBC_SHA, true},
		{"1.0", "1.3", tls.VersionTLS13, 0, true},
		{"1.2", "1.3", tls.VersionTLS13, 0, true},
		{"1.2", "1.3", tls.VersionTLS11, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false},
		{"1.3", "1.3", tls.VersionTLS13, 0, true},
		{"1.3", "1.3", tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, false},
		{"1.2", "1.2", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, false},
	} {
		t.Run(fmt.Sprintf("%s to %s, %s %s", c.min, c.max, tls.VersionName(c.version), tls.CipherSuiteName(c.suite)), func(t *testing.T) {
			virtual(t, func(l *lab) {
				conn, err := l.station("handset", netip.MustParsePrefix("192.0.2.99/24")).DialTCP(l.soon(), netip.AddrPortFrom(serverAddress.Addr(), 5061))
				l.must(err)
				defer conn.Close()
				client := tls.Client(conn, &tls.Config{
					InsecureSkipVerify: true, MinVersion: c.version, MaxVersion: c.version, CipherSuites: []uint16{c.suite},
				})
				err = client.HandshakeContext(l.soon())
				if err == nil && client.ConnectionState().Version != c.version {
					t.Errorf("negotiated %s", tls.VersionName(client.ConnectionState().Version))
				}
				if (err == nil) != c.ok || errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%v", err)
				}
			}, func(l *lab) { l.cfg.Lab.TLSMin, l.cfg.Lab.TLSMax = c.min, c.max })
		})
	}
}

// TestTLSDSKUnderTLS13: the handshake inside SIP stays below TLS 1.3, whatever is outside.
func TestTLSDSKUnderTLS13(t *testing.T) {
	virtual(t, func(l *lab) {
		s := l.connect(user1, sipeEPID)
		if v := s.raw.(*tls.Conn).ConnectionState().Version; v != tls.VersionTLS13 {
			t.Errorf("outside %s", tls.VersionName(v))
		}
		s.innerVersion = tls.VersionTLS12
		s.mustSignOn()
	}, func(l *lab) { l.cfg.Lab.TLSMin, l.cfg.Lab.TLSMax = "1.3", "1.3" })
}

// TestVersionsRefused: a lab with TLS versions that there are not does not start.
func TestVersionsRefused(t *testing.T) {
	virtual(t, func(l *lab) {
		for _, versions := range [][2]string{{"0.9", "1.2"}, {"1.2", "1.0"}, {"1.0", "2"}, {"", ""}} {
			cfg := l.cfg
			lab := *cfg.Lab
			lab.TLSMin, lab.TLSMax = versions[0], versions[1]
			cfg.Lab = &lab
			if _, err := registrar.Start(cfg); err == nil {
				t.Errorf("TLS %s to %s started", versions[0], versions[1])
			}
		}
	})
}
