//go:build outside && linux

package outside

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/importer"
)

// largeCapture writes a pcap file of that many bytes with connections and datagrams of others, and a boot at its end.
func largeCapture(t *testing.T, boot *packets, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "large.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	order := binary.LittleEndian
	header := order.AppendUint32(nil, 0xa1b23c4d) // nanoseconds
	header = append(header, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0)
	w.Write(header)
	begin := boot.list[0].info.Timestamp.Unix() - 3600
	add := func(seconds, nanos int64, data []byte) int {
		record := order.AppendUint32(nil, uint32(seconds))
		record = order.AppendUint32(record, uint32(nanos))
		record = order.AppendUint32(record, uint32(len(data)))
		record = order.AppendUint32(record, uint32(len(data)))
		w.Write(record)
		w.Write(data)
		return len(record) + len(data)
	}
	payload := strings.Repeat("0123456789abcdef", 1400/16)
	frame := []byte("\x02\xaa\x00\x00\x00\x04\x02\xaa\x00\x00\x00\x03\x08\x00\x45\x00\x00\x00\x00\x01\x00\x00\x40\x06\x00\x00\xc0\xa8\x00\x03\xc0\xa8\x00\x04" +
		"\x9c\x40\x1f\x90\x00\x00\x00\x01\x00\x00\x00\x01\x50\x18\x10\x00\x00\x00\x00\x00" + payload)
	binary.BigEndian.PutUint16(frame[16:], uint16(len(frame)-14))
	for n, written := uint32(0), 0; written < size; n++ {
		flow := n / 64
		binary.BigEndian.PutUint32(frame[26:], 0x0a000000|flow&0xffff)
		binary.BigEndian.PutUint16(frame[34:], uint16(1024+flow%60000))
		frame[23], frame[46] = 6, 0x50
		binary.BigEndian.PutUint32(frame[38:], 1+n%64*uint32(len(payload)))
		if n%4 == 0 { // speech
			frame[23] = 17
			binary.BigEndian.PutUint16(frame[36:], 40000)
			binary.BigEndian.PutUint16(frame[38:], uint16(len(frame)-34))
		} else {
			binary.BigEndian.PutUint16(frame[36:], 8080)
		}
		written += add(begin+int64(n)/1000, int64(n)%1000*1e6, frame)
	}
	for _, one := range boot.list {
		add(one.info.Timestamp.Unix(), int64(one.info.Timestamp.Nanosecond()), one.data)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
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

// TestImportOfLargeCapture: a boot is found behind hundreds of megabytes of others' traffic, and neither tshark nor this
// program needs memory for those.
func TestImportOfLargeCapture(t *testing.T) {
	capture, _ := recordedBoot(t, "litware", rig.DefaultProfile, nil)
	boot := readPackets(t, capture)
	keys := boot.keyLog(t)
	whole := imported(t, capture, importer.Options{}).Exchange()
	before := mostMemory(t)
	const size = 400 << 20
	file := largeCapture(t, boot, size)
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	b := imported(t, file, importer.Options{KeyLog: keys})
	runtime.ReadMemStats(&end)
	if got := differences(whole, b.Exchange()); len(got) > 0 {
		t.Errorf("differs:\n%s", strings.Join(got, "\n"))
	}
	after := mostMemory(t)
	t.Logf("tshark held %d MiB of a small capture, %d MiB of %d MiB; this program took %d MiB in all", before>>20, after>>20, size>>20, (end.TotalAlloc-start.TotalAlloc)>>20)
	if grown := after - before; grown > 96<<20 {
		t.Errorf("tshark holds %d MiB more than of a small capture", grown>>20)
	}
	if took := end.TotalAlloc - start.TotalAlloc; took > 128<<20 {
		t.Errorf("this program took %d MiB", took>>20)
	}
}
