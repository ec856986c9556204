package rig_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// times returns when, in seconds since the first of them, observations happened that match.
func (s *setting) times(kind timeline.Kind, state devicestate.State, protocol, text string) []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []float64
	var first time.Time
	for _, o := range s.observed {
		if o.Kind != kind || o.State != state || o.Protocol != protocol || !strings.Contains(o.Text, text) {
			continue
		}
		if first.IsZero() {
			first = o.At
		}
		out = append(out, o.At.Sub(first).Seconds())
	}
	return out
}

func (s *setting) stay(state devicestate.State) time.Duration {
	var entered time.Time
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.observed {
		if o.Kind != timeline.Transition {
			continue
		}
		if !entered.IsZero() {
			return o.At.Sub(entered)
		}
		if o.State == state {
			entered = o.At
		}
	}
	return -1
}

// TestTimers holds each timer of the profile (design of this project; the values are inferred) in virtual time.
func TestTimers(t *testing.T) {
	for _, test := range []struct {
		name     string
		lab      string
		fault    string
		lose     bool // the front end has no carrier
		timeout  time.Duration
		state    devicestate.State
		stay     time.Duration // 0: not checked
		protocol string
		sent     string
		at       []float64 // seconds
	}{
		{name: "LLDP fast start and wait", fault: "link=silent", state: devicestate.LinkDetect, stay: 3 * time.Second, protocol: "lldp", sent: "endpoint", at: []float64{0, 1, 2}},
		{name: "VLAN by DHCP", fault: "vlan=silent", state: devicestate.VlanDiscover, stay: 12 * time.Second, protocol: "dhcp", sent: "DISCOVER", at: []float64{0, 4}},
		{name: "address", fault: "address=silent", timeout: 150 * time.Second, state: devicestate.AddressAcquire, protocol: "dhcp", sent: "DISCOVER", at: []float64{0, 4, 12, 28, 60, 124, 128, 136}},
		{name: "ARP probe", state: devicestate.AddressAcquire, stay: time.Second, protocol: "dhcp", sent: "DISCOVER", at: []float64{0}},
		{name: "time server", fault: "time=silent", state: devicestate.TimeSync, stay: 4 * time.Second, protocol: "ntp", sent: "client", at: []float64{0}},
		{name: "INFORM", fault: "discovery=silent", state: devicestate.PoolDiscover, stay: 30 * time.Second, protocol: "dhcp", sent: "INFORM", at: []float64{0, 2, 6, 14}},
		{name: "answer and one retry of the web service", fault: "chain=timeout", state: devicestate.RootChain, stay: 26 * time.Second, protocol: "http", sent: "GET", at: []float64{0, 18}},
		{name: "DNS, two tries a name", fault: "dns=silent", state: devicestate.UpdateLookup, stay: 8 * time.Second, protocol: "dns", sent: "A ucupdates-r2", at: []float64{0, 2}},
		{name: "connect and one retry", lose: true, state: devicestate.RootChain, stay: 26 * time.Second, protocol: "http", sent: "GET"},
		{name: "answer of the web ticket service", fault: "ticket=timeout", state: devicestate.WebTicket, stay: 26 * time.Second, protocol: "http", sent: "GET /CertProv", at: []float64{0, 18}},
		{name: "answer of certificate provisioning", fault: "enroll=timeout", state: devicestate.Enroll, stay: 26 * time.Second, protocol: "http", sent: "GetAndPublishCert", at: []float64{0, 18}},
		{name: "one retry after 503", fault: "register=503", state: devicestate.Register, stay: 10 * time.Second, protocol: "sip", sent: "REGISTER 4", at: []float64{0, 10}},
		{name: "answer to a subscription", fault: "provision=timeout", state: devicestate.Provision, stay: 8 * time.Second, protocol: "sip", sent: "SUBSCRIBE 1 vnd-microsoft-provisioning-v2", at: []float64{0}},
		{name: "one retry of a refused web service", fault: "chain=refused", state: devicestate.RootChain, stay: 10 * time.Second, protocol: "http", sent: "GET"},
		{name: "answer and one retry of the registrar", fault: "register=timeout", state: devicestate.Register, stay: 26 * time.Second, protocol: "sip", sent: "REGISTER 1", at: []float64{0, 18}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lab := test.lab
			if lab == "" {
				lab = "litware"
			}
			virtual(t, lab, rig.DefaultProfile, func(s *setting) {
				if test.fault != "" {
					s.Faults = []string{test.fault}
				}
				if test.timeout != 0 {
					s.Timeout = test.timeout
				}
				if test.lose {
					s.Observers = append(s.Observers, func(o timeline.Observation) {
						if o.Kind == timeline.Transition && o.Text == string(test.state) {
							s.Cable.(labpool.Switch).SetCarrier(s.Lab.FrontEnds[0].FQDN, false)
						}
					})
				}
				s.boot()
				if got := s.times(timeline.Sent, test.state, test.protocol, test.sent); !slices.Equal(got, test.at) {
					t.Errorf("sent at %v, want %v\n%s", got, test.at, s.log())
				}
				if got := s.stay(test.state); test.stay != 0 && got != test.stay {
					t.Errorf("stayed %v, want %v", got, test.stay)
				}
			})
		})
	}
}

// TestReadyTimers keeps a handset signed in for seven hours, as long as its security association lives: refresh 30 s
// before Expires, keep-alive as the registrar wants it, update query as the profile says.
func TestReadyTimers(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Profile.UpdateInterval = 2 * time.Hour
		run := s.start()
		defer run.Close()
		s.wantSuccess(run.Boot(context.Background()))
		s.mu.Lock()
		s.observed = nil
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 7*time.Hour)
		defer cancel()
		s.wantSuccess(run.Stay(ctx))
		refreshes := s.times(timeline.Sent, devicestate.Ready, "sip", "REGISTER")
		if len(refreshes) != 44 || refreshes[1] != 570 {
			t.Errorf("%d refreshes in seven hours, at %v s; want one every 570 s", len(refreshes), refreshes)
		}
		if got := s.times(timeline.Sent, devicestate.Ready, "sip", "keep-alive"); len(got) < 40 || got[1] != 570 {
			t.Errorf("keep-alives at %v s, want one 300 s after each message", got)
		}
		if got := s.times(timeline.Sent, devicestate.UpdateCheck, "http", "ucdevice"); len(got) != 3 || got[1] < 7200 || got[1] > 7201 {
			t.Errorf("update queries at %v s, want one every two hours", got)
		}
	})
}
