//go:build outside && linux

package outside

import (
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/importer"
)

var importSize = flag.Int("import.size", 256<<20, "bytes of the large capture that a boot is imported of")

// largeCapture writes a pcapng file of that many bytes with connections and datagrams of others, a third of the bytes in
// connections that have one frame each, and a boot at its end.
func largeCapture(t *testing.T, boot *packets, size int) (path string, frames int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "large.pcapng")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pcapgo.NewNgWriterInterface(f, pcapgo.NgInterface{LinkType: boot.link, TimestampResolution: 9}, pcapgo.DefaultNgWriterOptions)
	if err != nil {
		t.Fatal(err)
	}
	add := func(at time.Time, data []byte) {
		frames++
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: len(data)}, data); err != nil {
			t.Fatal(err)
		}
	}
	header := "\x02\xaa\x00\x00\x00\x04\x02\xaa\x00\x00\x00\x03\x08\x00\x45\x00\x00\x00\x00\x01\x00\x00\x40\x06\x00\x00\xc0\xa8\x00\x03\xc0\xa8\x00\x04" +
		"\x9c\x40\x1f\x90\x00\x00\x00\x01\x00\x00\x00\x01\x50\x18\x10\x00\x00\x00\x00\x00"
	long, short := []byte(header+strings.Repeat("0123456789abcdef", 1400/16)), []byte(header)
	begin := boot.list[0].info.Timestamp.Add(-time.Hour)
	for n, written := uint32(0), 0; written < size; n++ {
		frame, flow := short, n
		if n%12 == 0 {
			frame, flow = long, n/768
		}
		binary.BigEndian.PutUint16(frame[16:], uint16(len(frame)-14))
		binary.BigEndian.PutUint32(frame[26:], 0x0a000000|flow>>12&0xffff)
		binary.BigEndian.PutUint16(frame[34:], uint16(1024+flow%60000))
		frame[23], frame[46], frame[47] = 6, 0x50, 0x18
		binary.BigEndian.PutUint32(frame[38:], n)
		switch n % 4 {
		case 0: // speech
			frame[23] = 17
			binary.BigEndian.PutUint16(frame[36:], 40000)
			binary.BigEndian.PutUint16(frame[38:], uint16(len(frame)-34))
		case 1: // a connection begins
			frame[47] = 2
			binary.BigEndian.PutUint16(frame[36:], 443)
		default:
			binary.BigEndian.PutUint16(frame[36:], 443)
		}
		add(begin.Add(time.Duration(n)*time.Microsecond), frame)
		written += len(frame) + 32
	}
	for _, one := range boot.list {
		add(one.info.Timestamp, one.data)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path, frames
}

// mostMemory is the most that a program started by this process has held, in bytes.
func mostMemory(t *testing.T) int64 {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Maxrss << 10
}

// TestImportOfLargeCapture: a boot is found behind hundreds of megabytes of others' traffic, and what tshark and this program
// hold of it does not grow with those: the bounds are the same for a file of any size.
func TestImportOfLargeCapture(t *testing.T) {
	capture, _ := recordedBoot(t, "litware", rig.DefaultProfile, nil)
	boot := readPackets(t, capture)
	keys := boot.keyLog(t)
	whole := imported(t, capture, importer.Options{}).Exchange()
	before := mostMemory(t)
	file, frames := largeCapture(t, boot, *importSize)
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	began := time.Now()
	b := imported(t, file, importer.Options{KeyLog: keys})
	took := time.Since(began)
	runtime.ReadMemStats(&end)
	if got := differences(whole, b.Exchange()); len(got) > 0 {
		t.Errorf("differs:\n%s", strings.Join(got, "\n"))
	}
	if last := b.Messages[len(b.Messages)-1].Frame; last > frames || last < frames-len(boot.list) {
		t.Errorf("the last message is in frame %d of %d", last, frames)
	}
	after, own := mostMemory(t), end.TotalAlloc-start.TotalAlloc
	t.Logf("%d MiB, %d frames in %v: tshark held %d MiB, of a small capture %d MiB; this program took %d MiB in all", *importSize>>20, frames, took, after>>20, before>>20, own>>20)
	if grown := after - before; grown > 24<<20 {
		t.Errorf("tshark holds %d MiB more than of a small capture", grown>>20)
	}
	if own > 48<<20 {
		t.Errorf("this program took %d MiB", own>>20)
	}
}
