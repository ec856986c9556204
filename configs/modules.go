package configs

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Modules is what `lpe exporter` is told of the pools that it watches.
type Modules struct {
	Concurrency int // boots at the same time
	Modules     []Module
}

// Module is one user's handset that boots to see whether a pool works.
type Module struct {
	Name            string
	Profile         *Profile
	Way             string // host, interface or lab
	Interface       string // of the way interface
	Lab             *Lab   // of the way lab
	Number          string // "": the lab's first user
	PINFile         string
	SIPAddress      string        // that number and PIN must belong to, "": not compared
	Targets         []string      // registrars that may be asked for, none: the handset discovers
	CA              string        // PEM file whose certificates are trusted instead of the chain that is downloaded
	Timeout         time.Duration // of a boot
	MinimumInterval time.Duration // between two boots of the user
}

// Bounds of a file of modules.
const maxModules = 1000

var (
	moduleText    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	dialledText   = regexp.MustCompile(`^(\+[1-9][0-9]{1,14}|[0-9]{1,15})$`) // ITU-T E.164, 6 and 7
	expectedText  = regexp.MustCompile(`^sip:[^\s@:;<>"]{1,128}@[A-Za-z0-9.-]+$`)
	interfaceText = regexp.MustCompile(`^[^\s/]{1,15}$`) // IFNAMSIZ
)

// LoadModules reads a file of modules.
func LoadModules(path string) (*Modules, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: a regular file expected", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	return ParseModules(path, data)
}

// ParseModules reads a file of modules. Paths in it are relative to its directory. The error is of type [Problems] and
// names every mistake.
func ParseModules(name string, data []byte) (*Modules, error) {
	f := parseFile(name, data)
	if f.root == nil || len(f.problems) > 0 {
		return nil, f.finish()
	}
	top := f.section("", f.root)
	m := &Modules{Concurrency: top.number("concurrency", 4, 1, 250)}
	interval := top.span("minimum_interval", 30*time.Second, time.Second, 24*time.Hour)
	list := top.sub("modules")
	for _, key := range list.order {
		if !moduleText.MatchString(key) {
			list.report(key, "a module's name is 1 to 64 letters, digits, - and _")
		}
		m.Modules = append(m.Modules, readModule(list.sub(key), key, interval, filepath.Dir(name)))
	}
	if len(list.order) == 0 {
		top.report("modules", "a module at least is needed")
	}
	if len(list.order) > maxModules {
		top.report("modules", "%d modules, at most %d", len(list.order), maxModules)
	}
	list.finish()
	top.finish()
	if err := f.finish(); err != nil {
		return nil, err
	}
	return m, nil
}

func readModule(s *section, name string, interval time.Duration, dir string) Module {
	defer s.finish()
	m := Module{
		Name: name, Way: s.choice("way", "", "host", "interface", "lab"), Interface: s.text("interface"), Number: s.digits("number"),
		PINFile: under(dir, s.text("pin_file")), SIPAddress: s.text("sip"), CA: under(dir, s.text("ca")), Targets: s.texts("targets"),
		Timeout:         s.span("timeout", 30*time.Second, time.Second, 10*time.Minute),
		MinimumInterval: s.span("minimum_interval", interval, time.Second, 24*time.Hour),
	}
	if profile := s.needText("profile"); profile != "" {
		var err error
		if m.Profile, err = LoadProfile(profile); err != nil {
			s.report("profile", "%v", firstLine(err))
		} else if !m.Profile.PIN {
			s.report("profile", "%s signs in with user name and password, not with a PIN", profile)
		}
	}
	lab := s.text("lab")
	switch {
	case (m.Way == "lab") != (lab != ""):
		s.report("lab", "the way lab, and it alone, has a lab")
	case lab != "":
		var err error
		if m.Lab, err = LoadLab(lab); err != nil {
			s.report("lab", "%v", firstLine(err))
		}
	}
	if (m.Way == "interface") != (m.Interface != "") {
		s.report("interface", "the way interface, and it alone, has an interface")
	} else if m.Interface != "" && !interfaceText.MatchString(m.Interface) {
		s.report("interface", "expected the name of an interface, such as eth0")
	}
	m.checkUser(s)
	for i, target := range m.Targets {
		if !fqdnText.MatchString(target) || len(target) > maxName {
			s.report("targets", "%.60q is no full DNS name in lower case, such as pool.contoso.com", target)
		} else if slices.Contains(m.Targets[:i], target) {
			s.report("targets", "%s stands twice", target)
		}
	}
	return m
}

// checkUser wants number and PIN file together; only a lab has a first user.
func (m *Module) checkUser(s *section) {
	switch {
	case m.Number == "" && m.Way != "lab":
		s.report("number", "missing; only a lab has a first user")
	case m.Number != "" && !dialledText.MatchString(m.Number):
		s.report("number", "expected a phone number or extension of at most 15 digits, such as +12065551219 or 1219")
	case (m.Number == "") != (m.PINFile == ""):
		s.report("pin_file", "number and pin_file go together")
	}
	if m.SIPAddress != "" && !expectedText.MatchString(m.SIPAddress) {
		s.report("sip", "expected an address such as sip:kenmyer@litwareinc.com")
	}
}

// under makes a path relative to a directory, but for "" and absolute ones.
func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
