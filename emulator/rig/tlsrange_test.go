package rig_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/rig"
)

// TestTLSRange: the handset speaks the versions and suites of its profile and no other, on its outer connections and
// inside SIP, and sends a server name only if its profile says so.
func TestTLSRange(t *testing.T) {
	const aes128, aes256, tripleDES, rc4 = "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA"
	for _, test := range []struct {
		low, high       string // of the profile
		suites          []string
		labLow, labHigh string
		serverName      bool
		offered         []uint16 // suites
		version         uint16   // that the handset offers
		chosen          uint16   // by the lab
		code            string
	}{
		{"1.0", "1.0", []string{aes128, tripleDES, rc4}, "1.0", "1.2", false, []uint16{0x2f, 0x0a, 0x05}, 0x0301, 0x0301, ""},
		{"1.0", "1.0", []string{tripleDES}, "1.0", "1.2", true, []uint16{0x0a}, 0x0301, 0x0301, ""},
		{"1.0", "1.0", []string{rc4}, "1.0", "1.0", false, []uint16{0x05}, 0x0301, 0x0301, ""},
		{"1.0", "1.1", []string{aes128}, "1.0", "1.2", false, []uint16{0x2f}, 0x0302, 0x0302, ""},
		{"1.0", "1.2", []string{aes256, aes128}, "1.0", "1.2", true, []uint16{0x2f, 0x35}, 0x0303, 0x0303, ""}, // in Go's order
		{"1.0", "1.2", []string{aes128}, "1.0", "1.1", false, []uint16{0x2f}, 0x0303, 0x0302, ""},
		{"1.2", "1.2", []string{aes128}, "1.2", "1.2", false, []uint16{0x2f}, 0x0303, 0x0303, ""},
		{"1.0", "1.0", []string{aes128}, "1.2", "1.2", false, []uint16{0x2f}, 0x0301, 0, "ticket.tls-version"},
		{"1.1", "1.1", []string{aes128}, "1.2", "1.2", false, []uint16{0x2f}, 0x0302, 0, "ticket.tls-version"},
		{"1.2", "1.2", []string{aes128}, "1.0", "1.1", false, []uint16{0x2f}, 0x0303, 0, "ticket.tls-version"},
	} {
		name := fmt.Sprintf("%s to %s, lab %s to %s", test.low, test.high, test.labLow, test.labHigh)
		t.Run(name, func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				profile, lab := *s.Profile, *s.Lab
				profile.TLSMin, profile.TLSMax, profile.TLSSuites, profile.TLSServerName = test.low, test.high, test.suites, test.serverName
				lab.TLSMin, lab.TLSMax = test.labLow, test.labHigh
				s.Profile, s.Lab = &profile, &lab
				tap := s.onWiretap()
				result := s.boot()
				if result.Code != test.code || (test.code != "") != hasWarning(result, "update.tls-version") {
					t.Fatalf("code %q, want %q: %s\n%s", result.Code, test.code, result.Diagnosis, s.log())
				}
				outer := 0
				for _, c := range tap.connections() {
					if !isTLS(c.sent) {
						continue
					}
					outer++
					h := readHello(c.sent)
					if h.version != test.version || !slices.Equal(h.suites, test.offered) {
						t.Errorf("ClientHello %v", h)
					}
					if (h.serverName != "") != test.serverName || test.serverName && !strings.HasSuffix(h.serverName, ".litwareinc.com") {
						t.Errorf("server name %q", h.serverName)
					}
					if version, _, suite := readServerHello(c.received); version != test.chosen || test.chosen != 0 && !slices.Contains(test.offered, suite) {
						t.Errorf("version %04x and suite %04x chosen, want %04x and one of %04x", version, suite, test.chosen, test.offered)
					}
				}
				want := 4 // updates, web services, registrar, updates
				if test.code != "" {
					want = 2
				}
				if outer != want {
					t.Errorf("%d TLS connections, want %d\n%s", outer, want, s.log())
				}
			})
		})
	}
}
