package rig_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// compared compares in the lab, with as little waiting as there can be.
func compared(t *testing.T, change func(*setting)) (report.Comparison, []string, error) {
	t.Helper()
	s := newSetting(t, "litware", rig.DefaultProfile)
	s.Profile.ARPProbe, s.Profile.RetryAfter, s.Profile.ConnectTimeout = 0, time.Millisecond, time.Second
	change(s)
	var boots []string
	c, err := rig.CompareWarm(context.Background(), s.Options, func(what string) (func(timeline.Observation), func(report.Result)) {
		boots = append(boots, what)
		return func(timeline.Observation) {}, func(report.Result) {}
	})
	return c, boots, err
}

// TestCompareWarm: what a wiped handset needs and one with full flash does not, and what both need.
func TestCompareWarm(t *testing.T) {
	for _, test := range []struct {
		fault  string
		parts  devicestate.State
		code   string
		differ []string
	}{
		{"", "", "", nil},
		{"chain=off", devicestate.RootChain, "chain.off", nil},
		{"web=refused", devicestate.RootChain, "chain.refused", nil},
		{"ticket=pin-locked", devicestate.WebTicket, "ticket.refused", nil},
		{"enroll=csr-refused", devicestate.Enroll, "enroll.csr-refused", nil},
		{"discovery=option43-missing", devicestate.PoolDiscover, "discovery.no-certprov-url", []string{"certificate URL"}},
		// The known case: everything is told as it should be, and wiped phones hang on "Connecting to Lync Server".
		{"discovery=decommissioned-pool", devicestate.Register, "register.timeout", []string{"registrar"}},
		{"register=403", "", "register.403", nil},
	} {
		t.Run(test.fault, func(t *testing.T) {
			c, boots, err := compared(t, func(s *setting) {
				if test.fault != "" {
					s.Faults = []string{test.fault}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.Parts != test.parts || c.Cold.Code != test.code {
				t.Errorf("they part in %q, %s; cold %q, warm %q; want %q, %q", c.Parts, c.Why, c.Cold.Code, c.Warm.Code, test.parts, test.code)
			}
			if test.parts != "" && c.Warm.Result != report.Success {
				t.Errorf("warm: %s", c.Warm.Diagnosis)
			}
			var differ []string
			for _, d := range c.Differences {
				differ = append(differ, d.What)
			}
			if !reflect.DeepEqual(differ, test.differ) {
				t.Errorf("they differ in %v, want %v", c.Differences, test.differ)
			}
			if len(boots) != 3 || c.Warm.Handset.MAC == c.Cold.Handset.MAC || c.Cold.Handset.EPID == c.Warm.Handset.EPID {
				t.Errorf("boots %q, handsets %+v and %+v", boots, c.Warm.Handset, c.Cold.Handset)
			}
			if c.Warm.Result == report.Success && c.Warm.TargetURISource != "flash" {
				t.Errorf("the warm boot has its URL by %s", c.Warm.TargetURISource)
			}
		})
	}
}

// TestDecommissionedPoolPassesTheUsualTests: what an administrator asks says that all is well. The options of DHCP are
// right in form, and the cmdlet, which names the pool, signs in.
func TestDecommissionedPoolPassesTheUsualTests(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Faults, s.Target = []string{"discovery=decommissioned-pool"}, handset.Target{FQDN: litwareFQDN}
		s.wantSuccess(s.boot())
	})
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Faults = []string{"discovery=decommissioned-pool"}
		survey, err := rig.Survey(context.Background(), s.Options)
		if err != nil || !survey.OK() {
			t.Errorf("%+v, %v", survey, err)
		}
	})
}

// TestCompareWarmLeavesFlashAlone: a full flash that is given is used as it is, twice over.
func TestCompareWarmLeavesFlashAlone(t *testing.T) {
	flash, state := &handset.MemoryFlash{}, t.TempDir()+"/lab.json"
	s := newSetting(t, "litware", rig.DefaultProfile)
	s.Flash, s.LabState = flash, state
	s.wantSuccess(s.boot())
	before, err := flash.Load()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, boots, err := compared(t, func(s *setting) { s.Flash, s.LabState = flash, state })
		if err != nil || c.Parts != "" || c.Warm.Result != report.Success || c.Cold.Result != report.Success || len(boots) != 2 {
			t.Fatalf("%+v, boots %q, %v", c, boots, err)
		}
	}
	if after, err := flash.Load(); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the flash has changed: %v", err)
	}
}

// TestCompareWarmNeedsFullFlash: without a lab nothing is sent.
func TestCompareWarmNeedsFullFlash(t *testing.T) {
	_, boots, err := compared(t, func(s *setting) { s.Options.Lab, s.Host, s.Flash = nil, true, &handset.MemoryFlash{} })
	if !errors.Is(err, rig.ErrNoFullFlash) || len(boots) > 0 {
		t.Errorf("%v, boots %q", err, boots)
	}
}

// TestCompareWarmInABrokenLab: a lab in which nobody can sign in is no comparison.
func TestCompareWarmInABrokenLab(t *testing.T) {
	if _, _, err := compared(t, func(s *setting) { s.Lab.WebServices.UsePINAuth = false }); err == nil {
		t.Error("compared")
	}
}
