package rig_test

import (
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

// TestOldPools boots against the TLS of pools of 2010 to 2019: version 1.0 alone with RSA key exchange and each cipher of
// the time, under SHA-1 and short keys too, up to 1.2 for a handset that has it. The handset offers nothing else, so that
// a boot shows what was used.
func TestOldPools(t *testing.T) {
	for _, test := range []struct {
		name      string
		pool, own [2]string // versions, from and to
		suite     string
		pki       configs.PKI
		code      string
	}{
		{"AES", [2]string{"1.0", "1.0"}, [2]string{"1.0", "1.0"}, "TLS_RSA_WITH_AES_128_CBC_SHA", configs.PKI{Signature: "sha1", KeyBits: 2048}, ""},
		{"3DES", [2]string{"1.0", "1.0"}, [2]string{"1.0", "1.0"}, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", configs.PKI{Signature: "sha1", KeyBits: 1024}, ""},
		{"RC4", [2]string{"1.0", "1.0"}, [2]string{"1.0", "1.0"}, "TLS_RSA_WITH_RC4_128_SHA", configs.PKI{Signature: "sha1", Intermediate: true, KeyBits: 1024}, ""},
		{"RC4 of a pool that has more", [2]string{"1.0", "1.2"}, [2]string{"1.0", "1.0"}, "TLS_RSA_WITH_RC4_128_SHA", configs.PKI{Signature: "sha256", KeyBits: 2048}, ""},
		{"TLS 1.1", [2]string{"1.1", "1.1"}, [2]string{"1.0", "1.2"}, "TLS_RSA_WITH_AES_128_CBC_SHA", configs.PKI{Signature: "sha1", KeyBits: 2048}, ""},
		{"TLS 1.2", [2]string{"1.2", "1.2"}, [2]string{"1.0", "1.2"}, "TLS_RSA_WITH_AES_128_CBC_SHA", configs.PKI{Signature: "sha256", KeyBits: 2048}, ""},
		{"TLS 1.2 alone, which the handset lacks", [2]string{"1.2", "1.2"}, [2]string{"1.0", "1.0"}, "TLS_RSA_WITH_AES_128_CBC_SHA", configs.PKI{Signature: "sha256", KeyBits: 2048}, "ticket.tls-version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				s.Lab.PKI, s.Lab.TLSMin, s.Lab.TLSMax = test.pki, test.pool[0], test.pool[1]
				s.Profile.TLSMin, s.Profile.TLSMax, s.Profile.TLSSuites = test.own[0], test.own[1], []string{test.suite}
				result := s.boot()
				if result.Code != test.code || (result.Result == report.Success) != (test.code == "") {
					t.Errorf("%s %q, want %q: %s\n%s", result.Result, result.Code, test.code, result.Diagnosis, s.log())
				}
			})
		})
	}
}
