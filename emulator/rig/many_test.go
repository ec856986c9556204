package rig_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// crowd is a lab with n users more, 20000 and on, and a boot for each of them.
func (s *setting) crowd(n int) []rig.Boot {
	lab := *s.Lab
	lab.Users = append([]configs.User(nil), lab.Users...)
	var boots []rig.Boot
	for i := range n {
		number, pin := fmt.Sprint(20000+i), fmt.Sprint(738120+97*i)
		lab.Users = append(lab.Users, configs.User{
			Name: "user" + number, SIPAddress: "sip:user" + number + "@litwareinc.com", LineURI: "tel:+" + number, PIN: pin, Enabled: true,
		})
		boots = append(boots, rig.Boot{
			Name: "handset-" + number, Credentials: handset.Credentials{Number: number, PIN: secret.New(pin)}, Observers: s.Observers,
		})
	}
	s.Lab = &lab
	return boots
}

// Many handsets boot on one segment against one pool, each as itself; one whose PIN is wrong sends it once and is alone
// in failing.
func TestBootMany(t *testing.T) {
	s := newSetting(t, "litware", rig.DefaultProfile)
	boots := s.crowd(10)
	boots[3].Credentials.PIN = secret.New("999999")
	var atOnce, most atomic.Int64
	for i := range boots {
		began := false
		boots[i].Observers = append(boots[i].Observers, func(o timeline.Observation) {
			if o.Kind == timeline.Transition && !began {
				began = true
				most.Store(max(most.Load(), atOnce.Add(1)))
			}
		})
	}
	results := map[int]report.Result{}
	err := rig.BootMany(t.Context(), s.Options, boots, 4, func(n int, r report.Result) error {
		atOnce.Add(-1)
		results[n] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	macs := map[string]bool{}
	for n := range boots {
		r := results[n]
		macs[r.Handset.MAC] = true
		switch {
		case n == 3 && (r.Code != "ticket.refused" || r.User.SIPAddress != ""):
			t.Errorf("the wrong PIN gives %s, %+v", r.Code, r.User)
		case n != 3 && (r.Result != report.Success || r.User.SIPAddress != fmt.Sprintf("sip:user%d@litwareinc.com", 20000+n)):
			t.Errorf("boot %d: %s, %+v: %s", n, r.Code, r.User, r.Diagnosis)
		}
	}
	if len(macs) != len(boots) {
		t.Errorf("%d handsets have %d MAC addresses", len(boots), len(macs))
	}
	if most.Load() < 2 || most.Load() > 4 {
		t.Errorf("%d handsets booted at once", most.Load())
	}
	asked := map[string]int{}
	s.mu.Lock()
	for _, o := range s.observed {
		if o.Kind == timeline.Sent && strings.HasSuffix(o.Text, "/pin Issue") {
			asked[o.Party]++
		}
	}
	s.mu.Unlock()
	for _, b := range boots {
		want := 1
		if b.Name == "handset-20003" {
			want = len(s.Profile.PINForms) // ErrorId 28020 may also mean the other form
		}
		if asked[b.Name] != want {
			t.Errorf("%s sent its PIN %d times, want %d", b.Name, asked[b.Name], want)
		}
	}
}

// A fault of the directory strikes the first user, one of the pool everybody.
func TestBootManyWithFault(t *testing.T) {
	for fault, want := range map[string][]string{
		"ticket=pin-locked": {"ticket.refused", "", ""}, "register=403": {"register.403", "register.403", "register.403"},
	} {
		s := newSetting(t, "litware", rig.DefaultProfile)
		boots := s.crowd(3)
		s.Faults = []string{fault}
		codes := make([]string, len(boots))
		err := rig.BootMany(t.Context(), s.Options, boots, 3, func(n int, r report.Result) error { codes[n] = r.Code; return nil })
		if err != nil || !slices.Equal(codes, want) {
			t.Errorf("%s: %q, want %q, %v", fault, codes, want, err)
		}
	}
}

// When it is interrupted no further boot begins, and those that run end.
func TestBootManyInterrupted(t *testing.T) {
	s := newSetting(t, "litware", rig.DefaultProfile)
	boots := s.crowd(8)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var once sync.Once
	boots[0].Observers = append(boots[0].Observers, func(o timeline.Observation) {
		if o.Kind == timeline.Transition && o.Text == string(devicestate.AddressAcquire) {
			once.Do(interrupt)
		}
	})
	var codes []string
	err := rig.BootMany(ctx, s.Options, boots, 2, func(_ int, r report.Result) error { codes = append(codes, r.Code); return nil })
	if err != nil || len(codes) == 0 || len(codes) > 3 || codes[0] != string(devicestate.CodeInterrupted) {
		t.Errorf("%q, %v", codes, err)
	}
}

// An error of who takes the results ends it; two rows for one handset are refused before anything is sent.
func TestBootManyErrors(t *testing.T) {
	s := newSetting(t, "litware", rig.DefaultProfile)
	boots := s.crowd(4)
	full := errors.New("disk full")
	calls := 0
	err := rig.BootMany(t.Context(), s.Options, boots, 1, func(int, report.Result) error { calls++; return full })
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("%d results, %v", calls, err)
	}
	twins := []rig.Boot{
		{Name: "handset-1", Credentials: handset.Credentials{Number: "1219", PIN: secret.New("0712")}},
		{Name: "handset-2", Credentials: handset.Credentials{Number: "+12065551219", PIN: secret.New("0712")}},
	}
	err = rig.BootMany(t.Context(), s.Options, twins, 1, func(int, report.Result) error { t.Error("booted"); return nil })
	if err == nil || !strings.Contains(err.Error(), "handset-2 is the same handset as handset-1") {
		t.Error(err)
	}
}
