package rig_test

import (
	"context"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	litwareFQDN = "atl-cs-001.litwareinc.com"
	litwareURL  = "https://atl-cs-001.litwareinc.com:443/CertProv/CertProvisioningService.svc"
)

// wantNoDiscovery: neither an INFORM nor a question for a registrar goes out. That the update service's domain is
// found by SRV before has nothing to do with it.
func (s *setting) wantNoDiscovery() {
	s.t.Helper()
	for _, at := range [][2]string{{"dhcp", "INFORM"}, {"dns", "SRV"}, {"dns", "sipinternal."}, {"dns", "sip."}, {"dns", "sipexternal."}} {
		if got := s.times(timeline.Sent, devicestate.PoolDiscover, at[0], at[1]); len(got) > 0 {
			s.t.Errorf("a handset with a target sends %s\n%s", at[1], s.log())
		}
	}
}

// TestTarget names the registrar instead of discovery, which would fail here.
func TestTarget(t *testing.T) {
	for _, test := range []struct {
		name   string
		target handset.Target
		sts    string // what the registrar tells, "-" its own
		url    string
		source string
		code   string
	}{
		{name: "sts-uri of the challenge", target: handset.Target{FQDN: litwareFQDN}, sts: "-", url: litwareURL, source: "sts-uri"},
		{name: "another sts-uri", target: handset.Target{FQDN: litwareFQDN}, sts: "https://web.elsewhere.example:443/CertProv/CertProvisioningService.svc", url: "https://web.elsewhere.example:443/CertProv/CertProvisioningService.svc", source: "sts-uri", code: "chain.unresolved"},
		{name: "no sts-uri in the challenge", target: handset.Target{FQDN: litwareFQDN}, url: litwareURL, source: "default-path"},
		{name: "URL given", target: handset.Target{FQDN: litwareFQDN, URI: litwareURL}, url: litwareURL, source: "target"},
		{name: "capitals", target: handset.Target{FQDN: "ATL-CS-001.litwareinc.com"}, sts: "-", url: litwareURL, source: "sts-uri"},
		{name: "port given", target: handset.Target{FQDN: litwareFQDN, Port: 5061}, sts: "-", url: litwareURL, source: "sts-uri"},
		{name: "closed port", target: handset.Target{FQDN: litwareFQDN, Port: 5099}, sts: "-", url: litwareURL, source: "default-path", code: "register.refused"},
		{name: "no such registrar", target: handset.Target{FQDN: "nowhere.litwareinc.com"}, sts: "-", code: "discovery.registrar-unresolved"},
		{name: "URL of no host", target: handset.Target{FQDN: litwareFQDN, URI: "https:///CertProv"}, url: "https:///CertProv", source: "target", code: "chain.garbage"},
		{name: "URL of a host without web services", target: handset.Target{FQDN: litwareFQDN, URI: "https://atl-cs-001.litwareinc.com:444/CertProv"}, url: "https://atl-cs-001.litwareinc.com:444/CertProv", source: "target", code: "chain.http-404"},
	} {
		t.Run(test.name, func(t *testing.T) {
			virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
				s.Target, s.Faults = test.target, []string{"discovery=silent"}
				run := s.start()
				if test.sts != "-" {
					run.Pool.Registrars[0].SetSTSURI(test.sts)
				}
				result := run.Boot(context.Background())
				if err := run.Close(); err != nil {
					s.t.Error(err)
				}
				if result.Code != test.code || (result.Result == report.Success) != (test.code == "") {
					s.t.Errorf("%s %q, want %q: %s\n%s", result.Result, result.Code, test.code, result.Diagnosis, s.log())
				}
				if result.TargetURI != test.url || result.TargetURISource != test.source {
					s.t.Errorf("URL %q by %q, want %q by %q", result.TargetURI, result.TargetURISource, test.url, test.source)
				}
				s.wantNoDiscovery()
				if got := s.times(timeline.Sent, devicestate.PoolDiscover, "sip", "REGISTER"); len(got) > 1 || test.source == "sts-uri" && len(got) != 1 {
					s.t.Errorf("%d REGISTERs for the sts-uri", len(got))
				}
			})
		})
	}
}

// TestTargetOverFlash: the registrar that the user names goes before the one that worked last.
func TestTargetOverFlash(t *testing.T) {
	flash := &handset.MemoryFlash{}
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash = flash
		s.wantSuccess(s.boot())
	})
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Flash, s.Target = flash, handset.Target{FQDN: "nowhere.litwareinc.com"}
		if result := s.boot(); result.Code != "discovery.registrar-unresolved" {
			t.Errorf("%s %q by %s\n%s", result.Result, result.Code, result.TargetURISource, s.log())
		}
	})
}
