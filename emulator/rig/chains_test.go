package rig_test

import (
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/rig"
)

// TestChains boots against each kind of trust that pools of the time had: SHA-1 signatures, an intermediate authority,
// short keys, and all of these together; with a certificate that is wrong it must still be refused.
func TestChains(t *testing.T) {
	for _, pki := range []configs.PKI{
		{Signature: "sha256", KeyBits: 2048},
		{Signature: "sha1", KeyBits: 2048},
		{Signature: "sha256", Intermediate: true, KeyBits: 2048},
		{Signature: "sha256", KeyBits: 1024},
		{Signature: "sha1", Intermediate: true, KeyBits: 1024},
	} {
		t.Run(fmt.Sprintf("%s, %d bits, intermediate %v", pki.Signature, pki.KeyBits, pki.Intermediate), func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				flash := &handset.MemoryFlash{}
				s.Lab.PKI, s.Flash = pki, flash
				s.wantSuccess(s.boot())
				s.wantChain(flash, pki)
			})
			for fault, code := range map[string]string{
				"ticket=untrusted-chain": "ticket.untrusted-chain", "register=untrusted-chain": "register.untrusted-chain",
				"register=certificate-wrong-name": "register.certificate-wrong-name",
			} {
				virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
					s.Lab.PKI, s.Faults = pki, []string{fault}
					if fault == "ticket=untrusted-chain" {
						s.Faults = []string{"web=untrusted-chain"}
					}
					if result := s.boot(); result.Code != code {
						t.Errorf("%s: code %q, want %q: %s\n%s", fault, result.Code, code, result.Diagnosis, s.log())
					}
				})
			}
		})
	}
}

// wantChain holds what the handset learned: authorities only, a root among them, signed as the lab signs.
func (s *setting) wantChain(flash *handset.MemoryFlash, pki configs.PKI) {
	s.t.Helper()
	f, err := flash.Load()
	if err != nil {
		s.t.Fatal(err)
	}
	want := 1
	if pki.Intermediate {
		want = 2
	}
	if len(f.Chain) != want {
		s.t.Errorf("flash holds %d authorities, want %d", len(f.Chain), want)
	}
	algorithm := map[string]x509.SignatureAlgorithm{"sha1": x509.SHA1WithRSA, "sha256": x509.SHA256WithRSA}[pki.Signature]
	for _, der := range f.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			s.t.Fatal(err)
		}
		if !c.IsCA || c.SignatureAlgorithm != algorithm {
			s.t.Errorf("%s: authority %v, signed with %v", c.Subject, c.IsCA, c.SignatureAlgorithm)
		}
	}
}
