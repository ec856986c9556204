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
		askPIN: func(context.Context, string) (string, error) { return "", errors.New("no terminal") },
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
		"boot --lab --profile polycom-cx700-4.0.7577.4066": exitUsage,
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
