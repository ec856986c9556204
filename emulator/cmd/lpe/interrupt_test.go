package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"
)

// trigger is a writer that interrupts once a text has been written to it.
type trigger struct {
	bytes.Buffer
	text      string
	interrupt context.CancelFunc
	at        time.Time
}

func (w *trigger) Write(b []byte) (int, error) {
	n, err := w.Buffer.Write(b)
	if w.at.IsZero() && strings.Contains(w.String(), w.text) {
		w.at = time.Now()
		w.interrupt()
	}
	return n, err
}

var signedOff = regexp.MustCompile(`(?s)REGISTER (\d+), Expires 0\n.* 200 OK to REGISTER \d+\n`)

// Ctrl-C ends the command within 3 s. A handset that is registered signs off first: REGISTER with Expires: 0,
// and the pool's 200 to it.
func TestInterrupt(t *testing.T) {
	for _, c := range []struct {
		name, on string
		args     []string
		code     int
		signOff  bool
		result   string
	}{
		{"waiting for a lease", "LinkDetect ", []string{"boot", "--lab"}, exitInterrupted, false, "boot.interrupted"},
		{"registered, subscribing", "SUBSCRIBE", []string{"boot", "--lab", "-v"}, exitInterrupted, true, "boot.interrupted"},
		{"staying", "Ready\n", []string{"boot", "--lab", "--stay", "-v"}, exitSuccess, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			progress := &trigger{text: c.on, interrupt: interrupt}
			var out bytes.Buffer
			code := run(ctx, append(c.args, "-o", "json"), system{
				in: strings.NewReader(""), out: &out, err: progress, env: func(string) string { return "" }, askSecret: askSecret,
			})
			if took := time.Since(progress.at); took > 3*time.Second {
				t.Errorf("ended %v after the interruption", took)
			}
			if code != c.code || !strings.Contains(out.String(), `"code": "`+c.result+`"`) {
				t.Errorf("exit %d, want %d; code %q is expected in\n%s", code, c.code, c.result, out.String())
			}
			if _, after, _ := strings.Cut(progress.String(), progress.text); signedOff.MatchString(after) != c.signOff {
				t.Errorf("sign-off is %v in\n%s", !c.signOff, after)
			}
		})
	}
}
