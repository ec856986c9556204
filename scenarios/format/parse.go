package format

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/credentials"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/rig"
)

// DefaultWithin is how long a wait takes at most that does not say.
const DefaultWithin = time.Minute

// Load reads a scenario file.
func Load(path string) (*Scenario, error) { return LoadAs(path, "") }

// LoadAs reads a scenario file as [ParseAs] does.
func LoadAs(path, profile string) (*Scenario, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("scenario %s: a regular file expected", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, configs.MaxDocumentSize+1))
	if err != nil {
		return nil, err
	}
	return ParseAs(path, data, profile)
}

// Parse reads a scenario. The error is of type [configs.Problems] and names every mistake.
func Parse(file string, data []byte) (*Scenario, error) { return ParseAs(file, data, "") }

// ParseAs reads a scenario with another profile, named as in a scenario, in place of the file's, "" for none. The facts
// that the file sets it sets in that one.
func ParseAs(file string, data []byte, profile string) (*Scenario, error) {
	s := &Scenario{File: file, Text: data, As: profile, labels: map[string]int{}}
	s.doc = configs.ReadDocument(file, data, s)
	if profile != "" {
		s.Handset.Profile = profile
	}
	if !s.doc.Readable() {
		return nil, s.doc.Err()
	}
	s.complete()
	s.check()
	if err := s.doc.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Line is where the value at path stands in the file.
func (s *Scenario) Line(path string) int { return s.doc.Line(path) }

// Problem is one with the value at path where the scenario is used.
func (s *Scenario) Problem(path, text string, args ...any) error {
	return s.doc.Problem(path, text, args...)
}

func (s *Scenario) report(path, text string, args ...any) { s.doc.Report(path, text, args...) }

// CheckName checks the name of a scenario.
func CheckName(name string) error {
	if !nameText.MatchString(name) {
		return errors.New("expected lower case words with hyphens between them")
	}
	return nil
}

var nameText = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// complete fills in what the file leaves out, and reads profile and lab.
func (s *Scenario) complete() {
	if s.Handset.Profile == "" {
		s.Handset.Profile = rig.DefaultProfile
	}
	if s.Lab.Name == "" {
		s.Lab.Name = labpool.DefaultLab
	}
	if s.Cable == "" {
		s.Cable = "pipe"
	}
	if ca := s.Target.CA; ca != "" && !filepath.IsAbs(ca) {
		s.Target.CA = filepath.Join(filepath.Dir(s.File), ca)
	}
	s.Profile = s.doc.Profile("handset", s.profileFile(), s.Handset.Set)
	s.Pool = s.doc.Lab("lab", s.labFile(), s.Lab.Set)
	for i := range s.Steps {
		step, path := &s.Steps[i], at("steps", i)
		step.Verb = s.verb(path, step)
		if step.Within != nil && step.Verb != "wait" && step.Verb != "" {
			s.report(path+".within", "goes with wait alone")
		}
		if step.Label == "" {
			continue
		}
		if _, twice := s.labels[step.Label]; twice {
			s.report(path+".label", "%q is the label of an earlier step", step.Label)
			continue
		}
		s.labels[step.Label] = i
	}
}

// profileFile is the profile by its name, else the file next to the scenario. One that takes its place is named from here.
func (s *Scenario) profileFile() string {
	name := s.Handset.Profile
	if s.As != "" || !strings.HasSuffix(name, ".yaml") || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(s.File), name)
}

// labFile is the lab by its name, else the file next to the scenario.
func (s *Scenario) labFile() string {
	if slices.Contains(configs.Labs(), s.Lab.Name) || filepath.IsAbs(s.Lab.Name) {
		return s.Lab.Name
	}
	return filepath.Join(filepath.Dir(s.File), s.Lab.Name)
}

// verb is the key of the one verb of a step.
func (s *Scenario) verb(path string, step *Step) string {
	var found []string
	for _, key := range Verbs() {
		if s.doc.Has(path + "." + key) {
			found = append(found, key)
		}
	}
	switch len(found) {
	case 0:
		s.report(path, "does nothing: a step has one of %s", strings.Join(Verbs(), ", "))
		return ""
	case 1:
		return found[0]
	}
	s.report(path, "does %s at once: a step has one verb", strings.Join(found, " and "))
	return ""
}

func Verbs() []string {
	var out []string
	for t := range fields(reflect.TypeFor[Step]()) {
		if t.Tag.Get("verb") != "" {
			out = append(out, t.Tag.Get("key"))
		}
	}
	return out
}

// fields yields the fields of a struct that a file has keys for.
func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("key") != "" && !yield(t.Field(i)) {
				return
			}
		}
	}
}

func at(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i+1) }

// check judges what the file says.
func (s *Scenario) check() {
	if s.Name != "" {
		if err := CheckName(s.Name); err != nil {
			s.report("name", "%v", err)
		}
	}
	if s.Handset.MAC != "" {
		if mac, err := net.ParseMAC(s.Handset.MAC); err != nil || len(mac) != 6 || mac[0]&1 != 0 {
			s.report("handset.mac", "expected a MAC address of one host such as 00:04:F2:12:34:56")
		}
	}
	if s.Handset.Expects != "" {
		if err := credentials.CheckSIP(s.Handset.Expects); err != nil {
			s.report("handset.user_sip_address", "%v", err)
		}
	}
	new(rig.Options).Locate(s.Target, func(field string, err error) { s.report("target."+field, "%v", err) })
	if s.Impair != nil && s.Cable != "segment" {
		s.report("impair", "frames are impaired on the cable segment alone")
	}
	if len(s.Steps) == 0 && s.doc.Has("steps") {
		s.report("steps", "nothing is done")
	}
	if s.Lab.User != "" {
		s.needUser("lab.user", s.Lab.User)
	}
	s.checkFaults()
	s.checkSteps()
	s.checkExpect()
	if s.Profile != nil && s.Pool != nil {
		s.checkWaits()
	}
}

func (s *Scenario) checkFaults() {
	for i, f := range s.Faults {
		path := at("faults", i)
		s.parsed = append(s.parsed, s.needFault(path+".fault", f.Fault))
		s.needLabel(path+".after", f.After)
		s.needLabel(path+".until", f.Until)
		begins, after := s.labels[f.After]
		ends, until := s.labels[f.Until]
		switch {
		case f.For > 0 && f.Until != "":
			s.report(path+".until", "for says already when the fault ends")
		case after && until && ends <= begins:
			s.report(path+".until", "step %q comes before step %q, after which the fault begins", f.Until, f.After)
		}
	}
}

// needFault reads a fault that this pool knows and the handset can meet.
func (s *Scenario) needFault(path, text string) faults.Fault {
	if text == "" {
		return faults.Fault{}
	}
	f, _, err := faults.Known(text)
	if err != nil {
		s.report(path, "%v", err)
	}
	return f
}

func (s *Scenario) needLabel(path, label string) {
	if _, ok := s.labels[label]; label != "" && !ok {
		s.report(path, "no step has the label %q", label)
	}
}

func (s *Scenario) needUser(path, name string) {
	if s.Pool == nil || name == "" {
		return
	}
	if _, ok := s.UserNamed(name); !ok {
		var names []string
		for _, u := range s.Pool.Users {
			names = append(names, u.Name)
		}
		s.report(path, "lab %s has no user %q, there are %s", s.Pool.Name, name, strings.Join(names, ", "))
	}
}

// UserNamed finds a user of the scenario's lab.
func (s *Scenario) UserNamed(name string) (configs.User, bool) {
	i := slices.IndexFunc(s.Pool.Users, func(u configs.User) bool { return u.Name == name })
	if i < 0 {
		return configs.User{}, false
	}
	return s.Pool.Users[i], true
}

var digitsText = regexp.MustCompile(`^\+?[0-9]{1,24}$`)

func (s *Scenario) checkSteps() {
	dialled := false
	for i, step := range s.Steps {
		path := at("steps", i)
		for _, one := range [][2]string{
			{"unlock_user_pin", step.UnlockPIN},
			{"enable", step.Enable},
			{"disable", step.Disable},
			{"revoke_certificate", step.Revoke},
		} {
			s.needUser(path+"."+one[0], one[1])
		}
		switch step.Verb {
		case "sign_in":
			s.checkSignIn(path+".sign_in", step.SignIn)
		case "dial":
			dialled = true
			if s.Profile != nil && !s.Profile.PIN {
				s.report(path+".dial", "%s takes user name and password alone", s.Profile.Model)
			}
			if !digitsText.MatchString(step.Dial) {
				s.report(path+".dial", "expected a phone number or an extension, digits alone")
			}
		case "enter_pin":
			if !dialled {
				s.report(path+".enter_pin", "no number was dialled before")
			}
		case "login":
			if s.Profile != nil && !s.Profile.Password {
				s.report(path+".login", "%s takes number and PIN alone", s.Profile.Model)
			}
		case "wait":
			s.needState(path+".wait", step.Wait)
		case "stay":
			if step.Stay <= 0 {
				s.report(path+".stay", "expected a duration above 0")
			}
		case "unplug", "plug":
			s.checkStation(path+"."+step.Verb, step.Unplug+step.Plug)
		case "fault":
			s.needFault(path+".fault", step.Fault)
		case "clear_fault":
			if f := s.needFault(path+".clear_fault", step.ClearFault); f.Param != (faults.Param{}) {
				s.report(path+".clear_fault", "a fault is cleared by its name, without parameter")
			}
		case "set_pin":
			s.needUser(path+".set_pin.user", step.SetPIN.User)
		case "deregister":
			s.needUser(path+".deregister.user", step.Deregister.User)
		case "notify":
			s.needUser(path+".notify.user", step.Notify.User)
		case "set_registrar":
			s.checkSettings(path+".set_registrar", "registrar", step.SetRegistrar)
		case "set_web_services":
			s.checkSettings(path+".set_web_services", "web_services", step.SetWeb)
		}
	}
}

func (s *Scenario) checkSignIn(path, name string) {
	s.needUser(path, name)
	if s.Pool == nil || s.Profile == nil {
		return
	}
	u, ok := s.UserNamed(name)
	switch {
	case !ok:
	case s.Profile.PIN && u.PIN == "":
		s.report(path, "user %s has no PIN; say which one is entered with dial and enter_pin", name)
	case s.Profile.PIN && len(configs.LineNumbers(u.LineURI)) == 0:
		s.report(path, "user %s has no number", name)
	case !s.Profile.PIN && u.Login == "":
		s.report(path, "user %s has no login, and %s takes user name and password alone", name, s.Profile.Model)
	}
}

// Handset as a station's name in unplug and plug.
const handsetStation = "handset"

func (s *Scenario) checkStation(path, name string) {
	if s.Pool == nil || name == handsetStation || name == "" {
		return
	}
	known := []string{handsetStation}
	for _, host := range s.Pool.FrontEnds {
		known = append(known, host.FQDN)
	}
	for _, host := range []*configs.Host{s.Pool.Director, s.Pool.Backup} {
		if host != nil {
			known = append(known, host.FQDN)
		}
	}
	if !slices.Contains(known, name) {
		s.report(path, "%q is none of %s", name, strings.Join(known, ", "))
	}
}

// checkSettings holds settings to those of a section of the lab's file.
func (s *Scenario) checkSettings(path, section string, set configs.Settings) {
	if s.Pool != nil {
		s.doc.LabSection(path, s.labFile(), s.Lab.Set, section, set)
	}
}

// Changed is the scenario's lab with the settings of a step's set_registrar or set_web_services.
func (s *Scenario) Changed(step Step) *configs.Lab {
	if step.Verb == "set_registrar" {
		return s.doc.LabSection("", s.labFile(), s.Lab.Set, "registrar", step.SetRegistrar)
	}
	return s.doc.LabSection("", s.labFile(), s.Lab.Set, "web_services", step.SetWeb)
}

func (s *Scenario) needState(path, name string) bool {
	if slices.Contains(devicestate.States(), devicestate.State(name)) {
		return true
	}
	if name != "" {
		var names []string
		for _, state := range devicestate.States() {
			names = append(names, string(state))
		}
		s.report(path, "%q is no state, there are %s", name, strings.Join(names, ", "))
	}
	return false
}
