package rig_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prepared are the keys of the whole test.
var prepared rig.Keyring

// setting is a run in preparation.
type setting struct {
	rig.Options
	t        *testing.T
	observed []timeline.Observation
	mu       sync.Mutex
}

func newSetting(t *testing.T, lab, profile string) *setting {
	t.Helper()
	s := &setting{t: t}
	var err error
	if s.Lab, err = configs.LoadLab(lab); err != nil {
		t.Fatal(err)
	}
	if s.Profile, err = configs.LoadProfile(profile); err != nil {
		t.Fatal(err)
	}
	s.Credentials = rig.FirstUser(s.Lab, s.Profile)
	s.Timeout = 45 * time.Second
	source := prepared.Source()
	s.HandsetKey, s.PoolKey = source, source
	s.Observers = append(s.Observers, func(o timeline.Observation) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.observed = append(s.observed, o)
	})
	return s
}

func (s *setting) start() *rig.Run {
	s.t.Helper()
	run, err := rig.Start(s.Options)
	if err != nil {
		s.t.Fatal(err)
	}
	return run
}

// boot runs one boot and closes everything.
func (s *setting) boot() report.Result {
	s.t.Helper()
	run := s.start()
	result := run.Boot(context.Background())
	if err := run.Close(); err != nil {
		s.t.Errorf("closing: %v", err)
	}
	return result
}

func (s *setting) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, o := range s.observed {
		fmt.Fprintf(&b, "%s %-14s %-10s %-5s %s %s\n", o.At.Format("15:04:05.000"), o.State, o.Kind, o.Protocol, o.Peer, o.Text)
	}
	return b.String()
}

func (s *setting) wantSuccess(result report.Result) {
	s.t.Helper()
	if result.Result != report.Success {
		s.t.Fatalf("%s %s: %s\n%s", result.Result, result.Code, result.Diagnosis, s.log())
	}
}

// virtual runs f in virtual time on a Pipe.
func virtual(t *testing.T, lab, profile string, f func(*setting)) {
	t.Helper()
	warm := prepared.Source()
	for range 6 { // outside the bubble: making keys takes no virtual time but much real time
		if _, err := warm(2048); err != nil {
			t.Fatal(err)
		}
	}
	inVirtualTime(t, lab, profile, f)
}

// inVirtualTime is virtual for a setting with keys of its own.
func inVirtualTime(t *testing.T, lab, profile string, f func(*setting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC))) // the bubble begins in 2000
		s := newSetting(t, lab, profile)
		s.Cable = ethernet.NewPipe(ethernet.Options{})
		f(s)
	})
}

func TestLabsBootOnASegment(t *testing.T) {
	for _, lab := range configs.Labs() {
		t.Run(lab, func(t *testing.T) {
			s := newSetting(t, lab, rig.DefaultProfile)
			s.wantSuccess(s.boot())
		})
	}
}

func TestEveryProfileBoots(t *testing.T) {
	for _, name := range configs.Profiles() {
		t.Run(name, func(t *testing.T) {
			virtual(t, "litware", name, func(s *setting) { s.wantSuccess(s.boot()) })
		})
	}
}

// TestFaults boots the handset once in each lab with each fault of faults.yaml, in virtual time, and expects its listed
// code. A fault that only a sign-in by password meets is met by a tethered handset.
func TestFaults(t *testing.T) {
	list, err := configs.Faults()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 40 {
		t.Errorf("%d faults, want 40 at least", len(list))
	}
	for _, lab := range configs.Labs() {
		for _, fault := range list {
			t.Run(lab+"/"+fault.Name, func(t *testing.T) {
				t.Parallel()
				virtual(t, lab, rig.DefaultProfile, func(s *setting) { s.wantFault(fault) })
			})
		}
	}
}

// twoRefreshes is long enough for two refreshes of a registration, and for the handset to get over what they met.
const twoRefreshes = 25 * time.Minute

// wantFault boots with a fault; it is over within 45 s, signing off included.
func (s *setting) wantFault(fault configs.Fault) {
	s.t.Helper()
	s.Faults = []string{fault.Name}
	if fault.SignIn == "password" {
		s.Credentials = login(s.Lab.Users[0])
	}
	if err := rig.CheckFaults(s.Faults, s.Credentials); err != nil {
		s.t.Error(err)
	}
	began := time.Now()
	run := s.start()
	result := run.Boot(context.Background())
	if strings.HasPrefix(fault.Name, "ready=") {
		s.wantSuccess(result)
		ctx, cancel := context.WithTimeout(context.Background(), twoRefreshes)
		defer cancel()
		result = run.Stay(ctx)
		began = time.Now()
	}
	if err := run.Close(); err != nil {
		s.t.Errorf("closing: %v", err)
	}
	if took := time.Since(began); took > 45*time.Second {
		s.t.Errorf("took %v", took)
	}
	code := fault.CodeIn(s.Lab.Name)
	if result.Code != code {
		s.t.Fatalf("code %q, want %q: %s\n%s", result.Code, code, result.Diagnosis, s.log())
	}
	wantResult := report.Success
	if code != "" {
		wantResult = report.Failure
	}
	if result.Result != wantResult {
		s.t.Errorf("result %s, want %s", result.Result, wantResult)
	}
	if fault.Warning != "" && !hasWarning(result, fault.Warning) {
		s.t.Errorf("no warning %s in %v\n%s", fault.Warning, result.Warnings, s.log())
	}
}

// Redirects are bounded to 3: a registrar that redirects that often is reached, one that does so once more is not.
func TestRedirectBound(t *testing.T) {
	for fault, code := range map[string]string{"register=redirect-loop:3": "", "register=redirect-loop:4": "register.redirect-loop"} {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Faults = []string{fault}
			if result := s.boot(); result.Code != code {
				t.Errorf("%s gives %q, want %q\n%s", fault, result.Code, code, s.log())
			}
		})
	}
}

func TestCheckFaults(t *testing.T) {
	for text, want := range map[string]string{
		"ticket=wrong-pin":           "",
		"ticket=wrong-password":      "met at a sign-in by password only",
		"web=slow:2s":                "",
		"register=503:2":             "",
		"web=slow:2":                 "no number of times",
		"register=503:2s":            "no duration",
		"register=refused:1":         "no number of times",
		"register=none":              "not known",
		"register":                   "stage=kind expected",
		"discovery=option43-short:x": "parameter",
	} {
		err := rig.CheckFaults([]string{text}, handset.Credentials{Number: "1219"})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestCheckFaultsOfPasswords(t *testing.T) {
	for text, want := range map[string]string{"ticket=wrong-password": "", "register=503": "", "ticket=wrong-pin": "met at a sign-in by PIN only"} {
		err := rig.CheckFaults([]string{text}, handset.Credentials{User: `LITWARE\kenmyer`})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func hasWarning(result report.Result, code string) bool {
	for _, w := range result.Warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}

func TestWrongPINIsCountedOnce(t *testing.T) {
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Credentials = handset.Credentials{Number: "1219", PIN: secret.New("9999")}
		run := s.start()
		result := run.Boot(context.Background())
		if result.Code != "ticket.refused" {
			t.Errorf("code %q\n%s", result.Code, s.log())
		}
		if got := run.Pool.Directory.Attempts("sip:kenmyer@litwareinc.com"); got != 1 {
			t.Errorf("%d attempts counted, want 1", got)
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestEachFormOfTheNumberIsTheSameHandset(t *testing.T) {
	epids := map[string]bool{}
	for _, number := range []string{"12065551219", "+12065551219", "1219"} {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Credentials.Number = number
			result := s.boot()
			s.wantSuccess(result)
			if result.User.SIPAddress != "sip:kenmyer@litwareinc.com" {
				t.Errorf("%s signs in %s", number, result.User.SIPAddress)
			}
			epids[result.Handset.EPID] = true
		})
	}
	if len(epids) != 1 {
		t.Errorf("three forms of one number are endpoints %v", epids)
	}
}

// Neither side tells PIN, password, NTLM's answer or ticket.
func TestNoSecretIsObserved(t *testing.T) {
	for _, profile := range []string{rig.DefaultProfile, "polycom-cx700-4.0.7577.4066"} {
		for _, auth := range []string{"ntlm", "basic"} {
			virtual(t, "litware", profile, func(s *setting) {
				s.Lab.WebServices.WindowsAuth = auth
				flash := &handset.MemoryFlash{}
				s.Flash = flash
				run := s.start()
				var pool []timeline.Observation
				run.Pool.Timeline.Observe(func(o timeline.Observation) { pool = append(pool, o) })
				result := run.Boot(context.Background())
				if err := run.Close(); err != nil {
					t.Error(err)
				}
				s.wantSuccess(result)
				kept, err := flash.Load()
				if err != nil {
					t.Error(err)
				}
				text := s.log() + fmt.Sprintf("%+v %+v %+v %+v", pool, result, s.Credentials, kept)
				for _, secret := range []string{
					"0712", "Litware-2013", "TElUV0FSRVxrZW5teWVyOkxpdHdhcmUtMjAxMw", "TlRMTVNTUAADAAAA",
					"<saml:", "BinarySecret", "PRIVATE", "SamlSecurityToken",
				} {
					if i := strings.Index(text, secret); i >= 0 {
						t.Errorf("%s: %q in ...%s...", profile, secret, text[max(0, i-80):min(len(text), i+80)])
					}
				}
			})
		}
	}
}
