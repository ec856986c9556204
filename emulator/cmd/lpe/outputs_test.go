package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// With -o nagios on standard output the exit codes are those of a monitoring plugin, with one line that says why.
func TestPluginExitCodes(t *testing.T) {
	unwritable := filepath.Join(t.TempDir(), "none", "report.html")
	for line, want := range map[string]struct {
		code int
		word string
	}{
		"boot --lab -o nagios":                              {0, "OK"},
		"boot --lab -o nagios --warn 1ms":                   {1, "WARNING"},
		"boot --lab -o nagios --fault ticket=wrong-pin":     {2, "CRITICAL"},
		"boot --lab -onagios --phone-or-ext 12a --pin 0712": {3, "UNKNOWN"},
		"boot --lab --output=nagios --nonsense":             {3, "UNKNOWN"},
		"boot --lab -o nagios -o html=" + unwritable:        {3, "UNKNOWN"},
		"boot --lab -o nagios --capture " + unwritable:      {3, "UNKNOWN"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			if got := run(t.Context(), strings.Fields(line), quietSystem(&out, &errs)); got != want.code {
				t.Errorf("exit %d, want %d\n%s%s", got, want.code, &out, &errs)
			}
			if !strings.HasPrefix(out.String(), "LPE "+want.word+" - ") || strings.Count(out.String(), "\n") != 1 {
				t.Errorf("standard output is %q", out.String())
			}
		})
	}
}

// A plugin that is interrupted knows nothing.
func TestPluginInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	progress := &trigger{text: "LinkDetect ", interrupt: interrupt}
	var out bytes.Buffer
	sys := quietSystem(&out, nil)
	sys.err = progress
	if code := run(ctx, []string{"boot", "--lab", "-o", "nagios"}, sys); code != 3 || !strings.HasPrefix(out.String(), "LPE UNKNOWN - boot.interrupted") {
		t.Errorf("exit %d, %q", code, out.String())
	}
}
