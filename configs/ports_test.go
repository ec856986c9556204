package configs

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
)

func TestPortsText(t *testing.T) {
	p, err := LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "polycom-cx600-4.0.7577.4463-ports.txt", p.PortTable())
	b, err := json.MarshalIndent(p.Ports(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "polycom-cx600-4.0.7577.4463-ports.json", string(b)+"\n")
}

func TestPorts(t *testing.T) {
	for _, name := range Profiles() {
		p, err := LoadProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range p.Ports() {
			if !slices.Contains([]Provenance{Sourced, Inferred, Assumed}, port.Provenance) || port.Source == "" || len(port.Stages) == 0 || port.For == "" {
				t.Errorf("%s: %+v", name, port)
			}
		}
		if lists(p, "tcp", 5060, devicestate.StageRegister) {
			t.Errorf("%s with security mode %s lists SIP over TCP", name, p.SecurityMode)
		}
	}
}

// TestPortsFollowFacts changes single facts.
func TestPortsFollowFacts(t *testing.T) {
	for _, test := range []struct {
		name     string
		change   func(*Profile)
		protocol string
		port     uint16
		stage    devicestate.Stage
		want     bool
	}{
		{"medium security", func(p *Profile) { p.SecurityMode = "Medium" }, "tcp", 5060, devicestate.StageRegister, true},
		{"low security without TCP names", func(p *Profile) {
			p.SecurityMode, p.DiscoveryOrder, p.DiscoveryOrderKnown = "Low", []string{"dhcp-tls"}, []string{"a-sip"}
		}, "tcp", 5060, devicestate.StageRegister, false},
		{"time by option 42 alone", func(p *Profile) { p.TimeSources = []string{"option42"} }, "udp", 53, devicestate.StageTime, false},
		{"time by SRV", func(p *Profile) { p.TimeSources = []string{"srv"} }, "udp", 53, devicestate.StageTime, true},
	} {
		p, err := LoadProfile("polycom-cx600-4.0.7577.4463")
		if err != nil {
			t.Fatal(err)
		}
		if test.change(p); lists(p, test.protocol, test.port, test.stage) != test.want {
			t.Errorf("%s: %s %d in stage %s, want it listed: %v", test.name, test.protocol, test.port, test.stage, test.want)
		}
	}
}

func lists(p *Profile, protocol string, port uint16, stage devicestate.Stage) bool {
	return slices.ContainsFunc(p.Ports(), func(l Port) bool {
		return l.Protocol == protocol && l.Port == port && slices.Contains(l.Stages, stage)
	})
}
