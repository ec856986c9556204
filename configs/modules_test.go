package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodModules = `concurrency: 2
minimum_interval: 1m
modules:
  pool:
    profile: polycom-cx600-4.0.7577.4463
    way: host
    number: "1219"
    pin_file: secret/1219.pin
    sip: sip:kenmyer@litwareinc.com
    targets: [fe1.litwareinc.com, fe2.litwareinc.com]
    timeout: 20s
    minimum_interval: 5m
    ca: /etc/ca.pem
  wire:
    profile: polycom-cx600-4.0.7577.4463
    way: interface
    interface: eth0
    number: "+12065551219"
    pin_file: /run/pin
  lab:
    profile: polycom-cx600-4.0.7577.4463
    way: lab
    lab: litware
`

func TestParseModules(t *testing.T) {
	m, err := ParseModules("/etc/lpe/modules.yaml", []byte(goodModules))
	if err != nil {
		t.Fatal(err)
	}
	if m.Concurrency != 2 || len(m.Modules) != 3 {
		t.Fatalf("%+v", m)
	}
	pool, wire, lab := m.Modules[0], m.Modules[1], m.Modules[2]
	if pool.Name != "pool" || pool.PINFile != filepath.Join("/etc/lpe", "secret/1219.pin") || pool.CA != "/etc/ca.pem" || pool.Timeout != 20*time.Second ||
		pool.MinimumInterval != 5*time.Minute || len(pool.Targets) != 2 || pool.SIPAddress != "sip:kenmyer@litwareinc.com" || pool.Profile.Model != "CX600" {
		t.Errorf("%+v", pool)
	}
	if wire.Interface != "eth0" || wire.PINFile != "/run/pin" || wire.MinimumInterval != time.Minute || wire.Timeout != 30*time.Second {
		t.Errorf("%+v", wire)
	}
	if lab.Lab.Name != "litware" || lab.Number != "" {
		t.Errorf("%+v", lab)
	}
}

// Each mistake is named with its line, and no PIN that was put into the file.
func TestParseModulesProblems(t *testing.T) {
	for change, want := range map[string]string{
		"way: host|way: nowhere":                         "modules.yaml:6: modules.pool.way: expected one of host, interface, lab",
		"number: \"1219\"|number: 1219":                  "modules.yaml:7: modules.pool.number: must be in quotes",
		"number: \"1219\"|number: \"12a\"":               "expected a phone number or extension",
		"number: \"1219\"|pin: \"071218\"":               "modules.yaml:7: modules.pool.pin: unknown key",
		"    pin_file: secret/1219.pin\n|":               "number and pin_file go together",
		"sip: sip:kenmyer|sip: kenmyer":                  "expected an address such as sip:kenmyer@litwareinc.com",
		"fe1.litwareinc.com,|FE1.litwareinc.com,":        `modules.yaml:10: modules.pool.targets: "FE1.litwareinc.com" is no full DNS name in lower case`,
		"fe1.litwareinc.com,|10.0.0.1:5061,":             "is no full DNS name",
		"fe1.litwareinc.com,|fe2.litwareinc.com,":        "stands twice",
		"timeout: 20s|timeout: 20":                       "expected a duration",
		"timeout: 20s|timeout: 20h":                      "is not in the range",
		"interface: eth0|lab: litware":                   "the way lab, and it alone, has a lab",
		"    interface: eth0\n|":                         "the way interface, and it alone, has an interface",
		"lab: litware|lab: nowhere":                      `no lab "nowhere"`,
		"concurrency: 2|concurrency: 0":                  "modules.yaml:1: concurrency: 0 is not in the range 1 to 250",
		"  pool:|  \"a b\":":                             "a module's name is 1 to 64 letters",
		"  wire:|  pool:":                                `key "pool" stands twice`,
		"7577.4463\n    way: host|7577.1\n    way: host": "modules.yaml:5: modules.pool.profile",
		"polycom-cx600-4.0.7577.4463\n    way: host|polycom-cx700-4.0.7577.4066\n    way: host": "not with a PIN",
		"modules:|module:": "a module at least is needed",
	} {
		from, to, _ := strings.Cut(change, "|")
		text := strings.Replace(goodModules, from, to, 1)
		if text == goodModules {
			t.Errorf("%q changes nothing", change)
		}
		_, err := ParseModules("modules.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", change, err, want)
		} else if strings.Contains(err.Error(), "071218") {
			t.Errorf("a PIN is told: %v", err)
		}
	}
}

func TestLoadModules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "modules.yaml")
	if err := os.WriteFile(file, []byte(goodModules), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := LoadModules(file)
	if err != nil || m.Modules[0].PINFile != filepath.Join(filepath.Dir(file), "secret/1219.pin") {
		t.Errorf("%+v, %v", m, err)
	}
	for _, wrong := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := LoadModules(wrong); err == nil {
			t.Errorf("%s is read", wrong)
		}
	}
}

func FuzzParseModules(f *testing.F) {
	addSeeds(f, "labs/*.yaml")
	f.Add([]byte(goodModules))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseModules("fuzz", data)
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		for _, one := range m.Modules {
			if one.Profile == nil || one.Timeout <= 0 || one.MinimumInterval <= 0 || one.Number == "" && one.Lab == nil || (one.Number == "") != (one.PINFile == "") {
				t.Fatalf("accepted %+v", one)
			}
		}
	})
}
