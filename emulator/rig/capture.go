package rig

import (
	"fmt"
	"io"
	"net"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/trace"
)

func (r *Run) openCapture(mac net.HardwareAddr) error {
	if r.options.Capture == "" {
		return nil
	}
	capture, err := trace.Create(r.options.Capture)
	if err != nil {
		return err
	}
	capture.Describe(handsetName, fmt.Sprintf("handset %s %s", r.options.Profile.Name, mac))
	r.capture = capture
	return nil
}

func (r *Run) cableOptions() ethernet.Options {
	if r.capture == nil {
		return ethernet.Options{}
	}
	return ethernet.Options{Tap: r.capture.WriteFrame}
}

// keyLog is where TLS secrets go: nowhere, unless they were asked for.
func (r *Run) keyLog() io.Writer {
	if r.capture == nil || !r.options.CaptureSecrets {
		return nil
	}
	return secretsWriter{r.capture}
}

type secretsWriter struct{ to *trace.Writer }

func (w secretsWriter) Write(line []byte) (int, error) {
	w.to.WriteSecrets(line)
	return len(line), nil
}
