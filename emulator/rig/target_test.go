package rig_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
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

// TestTargetURLAlone: the certificate URL is the one given, the registrar is discovered.
func TestTargetURLAlone(t *testing.T) {
	flash, state := &handset.MemoryFlash{}, filepath.Join(t.TempDir(), "lab.json")
	for range 2 { // the URL goes before the one in flash, too
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Flash, s.LabState = flash, state
			s.Target, s.Faults = handset.Target{URI: litwareURL}, []string{"discovery=option43-port-binary"}
			result := s.boot()
			s.wantSuccess(result)
			if result.TargetURI != litwareURL || result.TargetURISource != "target" || result.TargetFQDN != litwareFQDN {
				t.Errorf("URL %s by %s, registrar %s", result.TargetURI, result.TargetURISource, result.TargetFQDN)
			}
			if len(s.times(timeline.Sent, devicestate.PoolDiscover, "dhcp", "INFORM")) != 1 {
				t.Errorf("the registrar is not discovered\n%s", s.log())
			}
		})
	}
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Target, s.Faults = handset.Target{URI: litwareURL}, []string{"discovery=no-registrar"}
		if result := s.boot(); result.Code != "discovery.no-registrar" {
			t.Errorf("%q\n%s", result.Code, s.log())
		}
	})
}

// roadless is a computer without a route to anywhere.
type roadless struct{ ethernet.Cable }

type stranded struct{ ethernet.Computer }

func (c roadless) Join(config ethernet.StationConfig) (ethernet.Station, error) {
	station, err := c.Cable.Join(config)
	if err != nil {
		return nil, err
	}
	return stranded{station.(ethernet.Computer)}, nil
}

func (stranded) DialUDP(netip.AddrPort) (net.Conn, error) { return nil, syscall.ENETUNREACH }

// TestUnreachableTarget: that there is no route to the address given is found before anything is sent.
func TestUnreachableTarget(t *testing.T) {
	for name, change := range map[string]func(*setting){
		"target": func(s *setting) {
			s.Target = handset.Target{FQDN: litwareFQDN, Address: netip.MustParseAddr("192.0.2.1")}
		},
		"DNS": func(s *setting) {
			s.Target, s.Network.DNS = handset.Target{FQDN: litwareFQDN}, netip.MustParseAddr("192.0.2.53")
		},
	} {
		s := newSetting(t, "litware", rig.DefaultProfile)
		s.Options.Lab, s.Cable = nil, roadless{ethernet.NewHost(ethernet.HostOptions{})}
		change(s)
		run, err := rig.Start(s.Options)
		if err == nil {
			run.Close()
			t.Fatalf("%s: started", name)
		}
		var lacks *rig.ComputerError
		if !errors.As(err, &lacks) || !strings.Contains(err.Error(), "this computer cannot reach 192.0.2.") || len(s.observed) > 0 {
			t.Errorf("%s: %v\n%s", name, err, s.log())
		}
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
