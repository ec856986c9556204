package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// quietSystem is a process without terminal and environment.
func quietSystem(out, err *bytes.Buffer) system {
	return system{
		in: strings.NewReader(""), out: out, err: err, env: func(string) string { return "" },
		askSecret: func(context.Context, string) (string, error) { return "", errors.New("no terminal") },
	}
}

func TestExitCodes(t *testing.T) {
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte("0712\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lab := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(lab, []byte("name: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "flash.json"), []byte(`{"version":1,"chain":["AAAA"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	noDirectory := filepath.Join(t.TempDir(), "none", "boot.pcapng")
	for line, want := range map[string]int{
		"":              exitSuccess,
		"boot --help":   exitSuccess,
		"profile list":  exitSuccess,
		"lab show":      exitUsage,
		"lab show none": exitUsage,
		"nothing":       exitUsage,

		"boot": exitUsage,
		"boot --lab --profile polycom-cx700-4.0.7577.4066 --phone-or-ext 1219":  exitUsage,
		"boot --lab --user LITWARE\\kenmyer":                                    exitUsage,
		"boot --lab --user LITWARE\\kenmyer --password-file " + noDirectory:     exitUsage,
		"boot --lab --user LITWARE\\kenmyer --password-file " + t.TempDir():     exitUsage,
		"boot --lab --user : --password-file " + pin:                            exitUsage,
		"boot --lab --profile polycom-cx500-4.0.7577.4512 --user kenmyer":       exitUsage,
		"boot --lab --user kenmyer --phone-or-ext 1219":                         exitUsage,
		"boot --lab --user kenmyer --fault ticket=wrong-pin":                    exitUsage,
		"boot --lab --password-file " + pin:                                     exitUsage,
		"boot --lab --profile polycom-cx700-4.0.7577.4066 --fault ticket=reset": exitFailed,
		"boot --lab " + lab:                                         exitUsage,
		"boot --lab " + lab + " extra":                              exitUsage,
		"boot --lab --fault register=nonsense":                      exitUsage,
		"boot --lab --phone-or-ext 1219":                            exitUsage,
		"boot --lab --phone-or-ext 1219 --pin 1 --pin-file " + pin:  exitUsage,
		"boot --lab --timeout -1s":                                  exitUsage,
		"boot --lab --capture " + noDirectory:                       exitComputer,
		"boot --lab --fault chain=refused --timeout 40s":            exitFailed,
		"boot --lab --phone-or-ext 1219 --pin 0712 --timeout 500ms": exitFailed,

		"boot --lab --target-fqdn a_b":                          exitUsage,
		"boot --lab --target-fqdn 10.20.0.10":                   exitUsage,
		"boot --lab --target-fqdn a.example --target-uri ::x":   exitUsage,
		"boot --lab --target-fqdn a.example --registrar-port 0": exitUsage,
		"boot --lab --registrar-port 5062":                      exitUsage,
		"boot --lab --phone-or-ext ++1219 --pin 0712":           exitUsage,
		"boot --lab --phone-or-ext + --pin 0712":                exitUsage,
		"boot --lab --fault=":                                   exitUsage,
		"boot --lab --mac 00:00:00:00:00:00":                    exitUsage,
		"boot --lab --flash " + pin:                             exitComputer,
		"boot --lab --flash " + damaged:                         exitUsage,

		"Test-CsPhoneBootstrap -PhoneOrExt 1219 -PIN 0712 --lab":          exitSuccess,
		"Test-CsPhoneBootstrap -PhoneOrExt 1219 -PIN 1712 --lab":          exitFailed,
		"Test-CsPhoneBootstrap -PhoneOrExt 1219 -PIN 071 --lab":           exitUsage,
		"Test-CsPhoneBootstrap -?":                                        exitSuccess,
		"boot -PhonOrExt 1219 --lab":                                      exitUsage,
		"boot --lab --compare-warm":                                       exitSuccess,
		"boot --lab --compare-warm --fault ticket=wrong-pin":              exitFailed,
		"boot --lab --target-uri https://atl-cs-001.litwareinc.com:99999": exitUsage,
		"explain chain.off":                                               exitSuccess,
		"explain chain.of":                                                exitUsage,
		"version":                                                         exitSuccess,
		"completion csh":                                                  exitUsage,

		"dhcp decode --option43 zz":     exitUsage,
		"dhcp decode --option120 ff":    exitFailed,
		"dhcp decode --option120 " + "": exitUsage,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			if got := run(t.Context(), strings.Fields(line), quietSystem(&out, &errs)); got != want {
				t.Errorf("exit %d, want %d\n%s%s", got, want, &out, &errs)
			}
			if want >= exitUsage && (out.Len() > 0 || !strings.HasPrefix(errs.String(), "lpe: ")) {
				t.Errorf("output %q, error %q", &out, &errs)
			}
		})
	}
	if runtime.GOOS == "windows" {
		return
	}
	var out, errs bytes.Buffer
	line := []string{"boot", "--lab", "--phone-or-ext", "1219", "--pin-file", pin}
	if got := run(t.Context(), line, quietSystem(&out, &errs)); got != exitUsage || !strings.Contains(errs.String(), "chmod 600") {
		t.Errorf("a PIN file that others can read: exit %d, %s", got, &errs)
	}
}

// A password is asked for on the terminal, used, and one line of text.
func TestPasswordIsAskedFor(t *testing.T) {
	for password, want := range map[string]int{
		"Litware-2013": exitSuccess, "litware-2013": exitFailed, "": exitUsage, "two\nlines": exitUsage, "no \xff UTF-8": exitUsage,
		strings.Repeat("é", maxPassword): exitFailed, strings.Repeat("é", maxPassword+1): exitUsage, " Litware-2013": exitFailed,
	} {
		t.Run(password, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			sys := quietSystem(&out, &errs)
			prompts := ""
			sys.askSecret = func(_ context.Context, prompt string) (string, error) { prompts += prompt; return password, nil }
			got := run(t.Context(), []string{"boot", "--lab", "--user", `LITWARE\kenmyer`}, sys)
			if got != want || prompts != "Password: " {
				t.Errorf("exit %d, want %d, asked %q\n%s%s", got, want, prompts, &out, &errs)
			}
			if len(password) > 4 && strings.Contains(out.String()+errs.String(), strings.TrimSpace(password)) {
				t.Errorf("the password is shown:\n%s%s", &out, &errs)
			}
		})
	}
}

// The end of the line is none of a file's password, blanks are.
func TestPasswordFile(t *testing.T) {
	for text, want := range map[string]string{
		"Litware-2013\n": "Litware-2013", "Litware-2013\r\n": "Litware-2013", "Litware-2013": "Litware-2013", " a b \n": " a b ",
		"a\n\n": "", "\n": "", "a\tb": "", strings.Repeat("a", maxSecretFile+1): "",
	} {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readPassword(t.Context(), quietSystem(nil, nil), file)
		if got.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q, %v; want %q", text, got.Reveal(), err, want)
		}
	}
}
