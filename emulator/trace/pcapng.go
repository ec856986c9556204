// Package trace writes what was seen on the cable and in a timeline to files.
package trace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// Writer writes a pcapng file with one interface for each station. Its methods may be called from several goroutines.
// The nil Writer drops everything.
//
// Each frame is written through at once, so that a run that is killed leaves a readable file.
type Writer struct {
	mu           sync.Mutex
	out          io.Closer
	ng           *pcapgo.NgWriter // made with the first interface, as the library wants
	to           io.Writer
	interfaces   map[string]int
	descriptions map[string]string
	secrets      [][]byte // that came before the first frame
	err          error
	closed       bool
}

// Create makes the capture file, which only its owner can read (mode 0600). A regular file of that name is emptied;
// anything else (a link, a device) is refused.
func Create(path string) (*Writer, error) {
	f, err := create(path)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return newWriter(f), nil
}

func newWriter(out io.WriteCloser) *Writer {
	return &Writer{out: out, to: out, interfaces: map[string]int{}, descriptions: map[string]string{}}
}

const ownerOnly = 0o600

func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, ownerOnly)
	if !errors.Is(err, os.ErrExist) {
		return f, err
	}
	before, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s, a regular file expected", path, before.Mode().Type())
	}
	if f, err = os.OpenFile(path, os.O_WRONLY, ownerOnly); err != nil {
		return nil, err
	}
	if err := empty(f, before); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// empty makes f private before it loses its contents, if it is the file that was looked at.
func empty(f *os.File, before os.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(before, now) {
		return fmt.Errorf("%s was replaced while it was opened", f.Name())
	}
	if err := f.Chmod(ownerOnly); err != nil {
		return err
	}
	return f.Truncate(0)
}

// Describe sets the description of a station's interface, such as "handset polycom-cx600". It must come before the
// station's first frame.
func (w *Writer) Describe(station, description string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.descriptions[station] = description
}

// WriteFrame writes a frame that a station sent, on the station's interface. Delivered frames are passed over: each was
// sent before. It fits [ethernet.Options.Tap]. Errors come from Close.
func (w *Writer) WriteFrame(f ethernet.TappedFrame) {
	if w == nil || f.Direction != ethernet.Sent {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(func() error { return w.writeFrame(f) })
}

// keep runs write unless there was an error or Close, and keeps its error.
func (w *Writer) keep(write func() error) {
	if w.err != nil || w.closed {
		return
	}
	w.err = write()
}

func (w *Writer) writeFrame(f ethernet.TappedFrame) error {
	id, known := w.interfaces[f.Station]
	if !known {
		var err error
		if id, err = w.addInterface(f.Station); err != nil {
			return err
		}
	}
	info := gopacket.CaptureInfo{
		Timestamp: f.At, CaptureLength: len(f.Frame), Length: len(f.Frame), InterfaceIndex: id,
	}
	if err := w.ng.WritePacket(info, f.Frame); err != nil {
		return err
	}
	return w.ng.Flush()
}

// addInterface names the station; the first one also begins the file, since the library begins none without.
func (w *Writer) addInterface(station string) (int, error) {
	i := pcapgo.NgInterface{
		Name: station, Description: w.descriptions[station], OS: runtime.GOOS,
		LinkType: layers.LinkTypeEthernet, TimestampResolution: 9,
	}
	id := len(w.interfaces)
	if w.ng != nil {
		if _, err := w.ng.AddInterface(i); err != nil {
			return 0, err
		}
		w.interfaces[station] = id
		return id, nil
	}
	section := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "lpe", OS: runtime.GOOS, Hardware: runtime.GOARCH}}
	ng, err := pcapgo.NewNgWriterInterface(w.to, i, section)
	if err != nil {
		return 0, err
	}
	w.ng = ng
	w.interfaces[station] = id
	for _, s := range w.secrets {
		if err := w.writeSecrets(s); err != nil {
			return 0, err
		}
	}
	w.secrets = nil
	return id, nil
}

// maxSecrets bounds the key log lines that wait for the first frame.
const maxSecrets = 1024

// WriteSecrets puts lines of an NSS key log (SSLKEYLOGFILE) into a Decryption Secrets Block before the next frame.
// Errors come from Close.
func (w *Writer) WriteSecrets(keylog []byte) {
	if w == nil || len(keylog) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(func() error {
		if w.ng != nil {
			return w.writeSecrets(keylog)
		}
		if len(w.secrets) == maxSecrets {
			return errors.New("too many TLS secrets before the first frame")
		}
		w.secrets = append(w.secrets, append([]byte(nil), keylog...))
		return nil
	})
}

func (w *Writer) writeSecrets(keylog []byte) error {
	return w.ng.WriteDecryptionSecretsBlock(pcapgo.DSB_SECRETS_TYPE_TLS, keylog)
}

// Close flushes and returns the first error there was. A capture without a frame is an empty file.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	if w.ng != nil {
		w.keep(w.ng.Flush)
	}
	w.closed = true
	if err := errors.Join(w.err, w.out.Close()); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	return nil
}
