package rig

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/timeline"
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
	o := ethernet.Options{Malformed: r.malformed()}
	if r.capture != nil {
		o.Tap = r.capture.WriteFrame
	}
	return o
}

// maxMalformed bounds how many malformed frames of a run are told one by one.
const maxMalformed = 100

// malformed puts frames that the handset's station cannot read on the timeline.
func (r *Run) malformed() func(ethernet.MalformedFrame) {
	var told atomic.Int64
	return func(m ethernet.MalformedFrame) {
		if m.Station != handsetName {
			return
		}
		n := told.Add(1)
		if n > maxMalformed {
			return
		}
		if n == maxMalformed {
			m.Seen += "; further malformed frames are not told"
		}
		r.Timeline.Add(timeline.Observation{
			At: m.At, Kind: timeline.Dropped, Protocol: m.Kind, Peer: m.Source.String(), Text: m.Seen,
		})
	}
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
