package trace_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/trace"
)

var noon = time.Date(2013, 6, 1, 12, 0, 0, 123456789, time.UTC)

func frame(station string, b ...byte) ethernet.TappedFrame {
	return ethernet.TappedFrame{At: noon, Station: station, Frame: append(make([]byte, 60), b...)}
}

func TestCaptureReadsBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boot.pcapng")
	w, err := trace.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w.Describe("handset", "handset polycom-cx600")
	w.WriteSecrets([]byte("CLIENT_RANDOM 00 01\n")) // before the first frame
	w.WriteFrame(frame("handset", 1))
	w.WriteFrame(frame("pool", 2))
	delivered := frame("pool", 9)
	delivered.Direction = ethernet.Delivered
	w.WriteFrame(delivered)
	w.WriteSecrets([]byte("CLIENT_RANDOM 02 03\n"))
	w.WriteFrame(frame("handset", 3))
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.WriteFrame(frame("handset", 4)) // after Close: dropped
	w.WriteSecrets([]byte("x"))

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		station string
		last    byte
	}{{"handset", 1}, {"pool", 2}, {"handset", 3}} {
		data, info, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		face, err := r.Interface(info.InterfaceIndex)
		if err != nil {
			t.Fatal(err)
		}
		if face.Name != want.station || data[60] != want.last || !info.Timestamp.Equal(noon) {
			t.Errorf("frame %d: %s at %v, %x", i, face.Name, info.Timestamp, data)
		}
		if want.station == "handset" && face.Description != "handset polycom-cx600" {
			t.Errorf("interface described as %q", face.Description)
		}
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Errorf("got %v, want the end of the file", err)
	}
	first, second := bytes.Index(b, []byte("CLIENT_RANDOM 00 01\n")), bytes.Index(b, []byte("CLIENT_RANDOM 02 03\n"))
	if first < 0 || second < first {
		t.Errorf("secrets at %d and %d", first, second)
	}
}

func TestCaptureFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	if err := os.WriteFile(old, []byte("something much longer than a new capture without frames"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{old, filepath.Join(dir, "new")} {
		w, err := trace.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 0 {
			t.Errorf("%s: %v, %d bytes, %v", name, info.Mode(), info.Size(), err)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(old, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, dir, filepath.Join(dir, "none", "file")} {
		if _, err := trace.Create(name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestNilWriterDrops(t *testing.T) {
	var w *trace.Writer
	w.Describe("handset", "handset")
	w.WriteFrame(frame("handset"))
	w.WriteSecrets([]byte("x"))
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestCaptureFromSeveralGoroutines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boot.pcapng")
	w, err := trace.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				w.WriteFrame(frame("station " + strconv.Itoa(i)))
				w.WriteSecrets([]byte("CLIENT_RANDOM 00 01\n"))
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; err == nil; n++ {
		_, _, err = r.ReadPacketData()
	}
	if n-1 != 400 || !errors.Is(err, io.EOF) || r.NInterfaces() != 8 {
		t.Errorf("%d frames, %d interfaces, %v, want 400 and 8", n-1, r.NInterfaces(), err)
	}
}

func TestSecretsWithoutFramesAreBounded(t *testing.T) {
	w, err := trace.Create(filepath.Join(t.TempDir(), "boot.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	for range 1025 {
		w.WriteSecrets([]byte("CLIENT_RANDOM 00 01\n"))
	}
	if err := w.Close(); err == nil {
		t.Error("no error")
	}
}
