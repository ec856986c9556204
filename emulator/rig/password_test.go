package rig_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const cx700 = "polycom-cx700-4.0.7577.4066"

func login(u configs.User) handset.Credentials {
	return handset.Credentials{User: u.Login, Password: secret.New(u.Password)}
}

// windowsPort boots and returns what the pool noted of requests to the Windows port.
func (s *setting) windowsPort() (result report.Result, verdicts []string) {
	s.t.Helper()
	run := s.start()
	run.Pool.Timeline.Observe(func(o timeline.Observation) {
		if what, verdict, ok := strings.Cut(o.Text, ": "); ok && strings.HasPrefix(what, "POST /WebTicket/WebTicketService.svc") {
			verdict, _, _ = strings.Cut(verdict, ":")
			verdicts = append(verdicts, verdict)
		}
	})
	result = run.Boot(context.Background())
	if err := run.Close(); err != nil {
		s.t.Errorf("closing: %v", err)
	}
	return result, verdicts
}

// The CX700, and the CX600 when it is tethered, sign in with a password to both labs, in the way that the lab takes.
func TestSignInByPassword(t *testing.T) {
	for _, lab := range configs.Labs() {
		for _, profile := range []string{cx700, "polycom-cx700-3.5.6907.187", rig.DefaultProfile} {
			for auth, want := range map[string][]string{
				"ntlm":  {"ticket.login", "answered", "answered"},
				"basic": {"ticket.login", "answered"},
			} {
				t.Run(lab+" "+profile+" "+auth, func(t *testing.T) {
					virtual(t, lab, profile, func(s *setting) {
						s.Lab.WebServices.WindowsAuth = auth
						s.Credentials = login(s.Lab.Users[0])
						result, verdicts := s.windowsPort()
						s.wantSuccess(result)
						if result.User.SIPAddress != s.Lab.Users[0].SIPAddress || result.User.LineURI != s.Lab.Users[0].LineURI {
							t.Errorf("signed in as %+v", result.User)
						}
						if !slices.Equal(verdicts, want) {
							t.Errorf("the pool noted %q, want %q", verdicts, want)
						}
					})
				})
			}
		}
	}
}

func TestSignInByPasswordOnASegment(t *testing.T) {
	for _, profile := range []string{cx700, rig.DefaultProfile} {
		s := newSetting(t, "litware", profile)
		s.Credentials = login(s.Lab.Users[0])
		s.wantSuccess(s.boot())
	}
}

// However the login is written, and whether by number or login: it is one handset and one endpoint.
func TestEachWayOfNamingTheUserIsTheSameHandset(t *testing.T) {
	seen := map[string]bool{}
	for _, user := range []string{`LITWARE\kenmyer`, `litware\KENMYER`, "kenmyer@litwareinc.com", "kenmyer", ""} {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			if user != "" {
				s.Credentials = handset.Credentials{User: user, Password: secret.New("Litware-2013")}
			}
			result := s.boot()
			s.wantSuccess(result)
			seen[result.Handset.EPID+" "+result.Handset.MAC] = true
		})
	}
	if len(seen) != 1 {
		t.Errorf("five ways of naming one user are endpoints %v", seen)
	}
}

// A user without number and PIN signs in by password; one who is disabled does not.
func TestUsersByPassword(t *testing.T) {
	for name, code := range map[string]string{"second": "", "nopin": "", "locked": "", "disabled": "ticket.disabled"} {
		virtual(t, "litware", cx700, func(s *setting) {
			i := slices.IndexFunc(s.Lab.Users, func(u configs.User) bool { return u.Name == name })
			s.Credentials = login(s.Lab.Users[i])
			if result := s.boot(); result.Code != code || code == "" && result.User.SIPAddress != s.Lab.Users[i].SIPAddress {
				t.Errorf("%s: code %q, want %q, signed in as %s\n%s", name, result.Code, code, result.User.SIPAddress, s.log())
			}
		})
	}
}

// A wrong password is tried once, whatever the user does afterwards: it is not kept.
func TestWrongPasswordIsTriedOnce(t *testing.T) {
	for auth, want := range map[string][]string{
		"ntlm":  {"ticket.login", "answered", "ticket.password"},
		"basic": {"ticket.login", "ticket.password"},
	} {
		for _, c := range []handset.Credentials{
			{User: `LITWARE\kenmyer`, Password: secret.New("litware-2013")},
			{User: `LITWARE\nobody`, Password: secret.New("Litware-2013")},
			{User: `OTHER\kenmyer`, Password: secret.New("Litware-2013")},
		} {
			virtual(t, "litware", cx700, func(s *setting) {
				s.Lab.WebServices.WindowsAuth = auth
				s.Credentials = c
				run := s.start()
				var verdicts []string
				run.Pool.Timeline.Observe(func(o timeline.Observation) {
					if what, verdict, _ := strings.Cut(o.Text, ": "); strings.HasPrefix(what, "POST /WebTicket/") {
						verdict, _, _ = strings.Cut(verdict, ":")
						verdicts = append(verdicts, verdict)
					}
				})
				result := run.Boot(context.Background())
				if result.Code != "ticket.password-refused" || result.Stage != devicestate.StageTicket || result.State != devicestate.SignIn {
					t.Errorf("%s: code %q in %s\n%s", c.User, result.Code, result.State, s.log())
				}
				for _, event := range []devicestate.Event{devicestate.Reboot, devicestate.SignOut} {
					run.Handset.Do(event)
				}
				ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
				run.Stay(ctx)
				cancel()
				if err := run.Close(); err != nil {
					t.Error(err)
				}
				if !slices.Equal(verdicts, want) {
					t.Errorf("%s, %s: the pool noted %q, want %q", auth, c.User, verdicts, want)
				}
				if text := s.log(); strings.Contains(text, "itware-2013") {
					t.Error("the password is observed")
				}
			})
		}
	}
}

// A pool without Windows authentication is told apart from a refused password, and no password is sent.
func TestWindowsOff(t *testing.T) {
	virtual(t, "litware", cx700, func(s *setting) {
		s.Lab.WebServices.WindowsAuth = "off"
		result, verdicts := s.windowsPort()
		if result.Code != "ticket.windows-off" || len(verdicts) != 0 {
			t.Errorf("code %q, the pool noted %q\n%s", result.Code, verdicts, s.log())
		}
	})
}

func TestOtherUserByPassword(t *testing.T) {
	for sip, code := range map[string]string{"sip:kenmyer@litwareinc.com": "", "sip:second@litwareinc.com": "ticket.other-user"} {
		virtual(t, "litware", cx700, func(s *setting) {
			s.Credentials.ExpectedSIP = sip
			result := s.boot()
			if result.Code != code || code != "" && !strings.Contains(result.Diagnosis, "user name and password belong to sip:kenmyer") {
				t.Errorf("%s: code %q, want %q: %s", sip, result.Code, code, result.Diagnosis)
			}
		})
	}
}

// The next boot with the same flash is warm; it needs no password. Another user erases who was signed in.
func TestFlashOfAPassword(t *testing.T) {
	flash := &handset.MemoryFlash{}
	state := t.TempDir() + "/lab.json"
	boots := []struct {
		name        string
		credentials func(*configs.Lab) handset.Credentials
		cold        bool
	}{
		{"first", func(l *configs.Lab) handset.Credentials { return login(l.Users[0]) }, true},
		{"again", func(l *configs.Lab) handset.Credentials { return login(l.Users[0]) }, false},
		{"in another case", func(*configs.Lab) handset.Credentials {
			return handset.Credentials{User: `litware\KenMyer`, Password: secret.New("not asked for")}
		}, false},
		{"nothing entered", func(*configs.Lab) handset.Credentials { return handset.Credentials{} }, false},
		{"another login", func(l *configs.Lab) handset.Credentials { return login(l.Users[1]) }, true},
		{"by number", func(*configs.Lab) handset.Credentials {
			return handset.Credentials{Number: "1220", PIN: secret.New("5937")}
		}, true},
		{"by number again", func(*configs.Lab) handset.Credentials {
			return handset.Credentials{Number: "1220", PIN: secret.New("5937")}
		}, false},
		{"by login again", func(l *configs.Lab) handset.Credentials { return login(l.Users[1]) }, true},
	}
	for _, boot := range boots {
		virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
			s.Flash, s.LabState = flash, state
			s.MAC = []byte{0, 4, 0xf2, 1, 2, 3}
			s.Credentials = boot.credentials(s.Lab)
			result := s.boot()
			s.wantSuccess(result)
			cold := slices.ContainsFunc(result.States, func(v report.State) bool { return v.State == devicestate.WebTicket })
			if cold != boot.cold {
				t.Errorf("%s: asked for a ticket: %v\n%s", boot.name, cold, s.log())
			}
		})
	}
}

// Faults that do not care how the user signs in are met by password as well.
func TestFaultsByPassword(t *testing.T) {
	for fault, code := range map[string]string{
		"ticket=reset:1": "", "ticket=timeout:1": "", "ticket=http-500:1": "", "ticket=slow": "", "ticket=http-500": "ticket.http-500",
		"ticket=garbage": "ticket.garbage", "ticket=timeout": "ticket.timeout", "ticket=user-disabled": "ticket.disabled",
		"enroll=ticket-expired": "enroll.ticket-refused",
	} {
		t.Run(fault, func(t *testing.T) {
			virtual(t, "litware", cx700, func(s *setting) {
				s.Faults = []string{fault}
				if result := s.boot(); result.Code != code {
					t.Errorf("code %q, want %q\n%s", result.Code, code, s.log())
				}
			})
		})
	}
}
