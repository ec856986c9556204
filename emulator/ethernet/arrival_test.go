package ethernet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// counting returns n bytes of a pattern.
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(7 * i)
	}
	return b
}

func given(t *testing.T, a arrival) (frames [][]byte) {
	t.Helper()
	if err := a.each(func(f []byte) { frames = append(frames, f) }); err != nil {
		t.Fatal(err)
	}
	return frames
}

// superFrame carries 3000 bytes of TCP with time stamps, CWR, ACK, PSH and FIN, as the kernel hands it over: the TCP
// checksum is that of the pseudo-header. The sequence number and the IPv4 identifier are about to wrap.
const superFrame = "020000000001" + "020000000002" + "0800" +
	"45b80becffff400040061a520a0000020a000001" +
	"0050c000fffffa00010203048099ffff1fe10000" + "0101080a0000000100000002"

// TestSplit compares with segments that were computed apart from this code.
func TestSplit(t *testing.T) {
	const macs = "020000000001" + "020000000002"
	for name, c := range map[string]struct {
		segment int
		tag     tag
		want    []string // headers
	}{
		"to the MTU": {0, 0, []string{
			macs + "0800" + "45b805dcffff4000400620620a0000020a000001" + "0050c000fffffa00010203048090ffff10e20000" + "0101080a0000000100000002",
			macs + "0800" + "45b805dc00004000400620620a0000020a000001" + "0050c000ffffffa8010203048010ffff28d70000" + "0101080a0000000100000002",
			macs + "0800" + "45b8009c00014000400625a10a0000020a000001" + "0050c00000000550010203048019ffff39d50000" + "0101080a0000000100000002",
		}},
		"as it was, tagged": {1400, 0x8100a0c8, []string{
			macs + "8100a0c8" + "0800" + "45b805acffff4000400620920a0000020a000001" + "0050c000fffffa00010203048090fffff49d0000" + "0101080a0000000100000002",
			macs + "8100a0c8" + "0800" + "45b805ac00004000400620920a0000020a000001" + "0050c000ffffff78010203048010ffff0ec40000" + "0101080a0000000100000002",
			macs + "8100a0c8" + "0800" + "45b800fc00014000400625410a0000020a000001" + "0050c000000004f0010203048019ffff70bc0000" + "0101080a0000000100000002",
		}},
		"segments that the MTU does not allow": {9000, 0, []string{
			macs + "0800" + "45b805dcffff4000400620620a0000020a000001" + "0050c000fffffa00010203048090ffff10e20000" + "0101080a0000000100000002",
			macs + "0800" + "45b805dc00004000400620620a0000020a000001" + "0050c000ffffffa8010203048010ffff28d70000" + "0101080a0000000100000002",
			macs + "0800" + "45b8009c00014000400625a10a0000020a000001" + "0050c00000000550010203048019ffff39d50000" + "0101080a0000000100000002",
		}},
	} {
		data := counting(3000)
		a := arrival{frame: append(decode(t, superFrame), data...), tag: c.tag, segment: c.segment, sumFrom: 34, sumAt: 50}
		frames := given(t, a)
		if len(frames) != len(c.want) {
			t.Fatalf("%s: %d frames", name, len(frames))
		}
		for i, want := range c.want {
			header := decode(t, want)
			if got := frames[i]; !bytes.HasPrefix(got, header) {
				t.Errorf("%s: frame %d:\n got %x\nwant %x", name, i, got[:len(header)], header)
			}
			part := frames[i][len(header):]
			if !bytes.HasPrefix(data, part) {
				t.Errorf("%s: frame %d carries other bytes", name, i)
			}
			data = data[min(len(part), len(data)):]
		}
		if len(data) != 0 {
			t.Errorf("%s: %d bytes are missing", name, len(data))
		}
	}
}

// TestFinish compares with checksums that were computed apart from this code.
func TestFinish(t *testing.T) {
	for name, c := range map[string]struct {
		frame          string
		tag            tag
		sumFrom, sumAt int
		want           string
	}{
		"UDP": {
			"0200000000010200000000020800" + "45b8001f00010000401166130a0000020a000001" + "00430044000b141f" + "616263", 0, 34, 40,
			"0200000000010200000000020800" + "45b8001f00010000401166130a0000020a000001" + "00430044000b26ec" + "616263",
		},
		"UDP with a checksum of zero": {
			"0200000000010200000000020800" + "45b8001e00010000401166140a0000020a000001" + "00430044000a141e" + "eb50", 0, 34, 40,
			"0200000000010200000000020800" + "45b8001e00010000401166140a0000020a000001" + "00430044000affff" + "eb50",
		},
		"tagged": {
			"0200000000010200000000020800" + "45b8001f00010000401166130a0000020a000001" + "00430044000b141f" + "616263", 0x8100a0c8, 34, 40,
			"0200000000010200000000028100a0c80800" + "45b8001f00010000401166130a0000020a000001" + "00430044000b26ec" + "616263",
		},
		"TCP": {
			"0200000000010200000000020800" + "45b8003400054000400626050a0000020a000001" + "0050c00000000001010203048002ffff142900000101080a0000000100000002", 0, 34, 50,
			"0200000000010200000000020800" + "45b8003400054000400626050a0000020a000001" + "0050c00000000001010203048002ffff9e6e00000101080a0000000100000002",
		},
		"UDP over IPv6": {
			"3333000000fb02000000000286dd" + "60000000000c11fffe800000000000000000000000000002ff0200000000000000000000000000fb" + "14e914e9000cfe9d6d646e73", 0, 54, 60,
			"3333000000fb02000000000286dd" + "60000000000c11fffe800000000000000000000000000002ff0200000000000000000000000000fb" + "14e914e9000cfbab6d646e73",
		},
		"finished": {
			"0200000000010200000000020800" + "45b8001f00010000401166130a0000020a000001" + "00430044000b26ec" + "616263", 0, 0, 0,
			"0200000000010200000000020800" + "45b8001f00010000401166130a0000020a000001" + "00430044000b26ec" + "616263",
		},
	} {
		want := decode(t, c.want)
		shortest := minFrame
		if c.tag != 0 {
			shortest += tagSize
		}
		want = append(want, make([]byte, max(0, shortest-len(want)))...)
		frames := given(t, arrival{frame: decode(t, c.frame), tag: c.tag, sumFrom: c.sumFrom, sumAt: c.sumAt})
		if len(frames) != 1 || !bytes.Equal(frames[0], want) {
			t.Errorf("%s:\n got %x\nwant %x", name, frames, want)
		}
	}
}

func TestArrivalRefuses(t *testing.T) {
	whole := append(decode(t, superFrame), counting(3000)...)
	changed := func(at int, b ...byte) []byte {
		f := bytes.Clone(whole)
		copy(f[at:], b)
		if at >= 14 && at < 34 && at != 24 {
			f[24], f[25] = 0, 0
			binary.BigEndian.PutUint16(f[24:], checksum(sum(0, f[14:34])))
		}
		return f
	}
	for name, a := range map[string]arrival{
		"UDP":                      {frame: changed(23, protocolUDP), verified: true},
		"IPv6":                     {frame: changed(12, 0x86, 0xdd), verified: true},
		"a first fragment":         {frame: changed(20, 0x20, 0), verified: true},
		"a later fragment":         {frame: changed(20, 0, 1), verified: true},
		"wrong header checksum":    {frame: changed(24, 1, 2), verified: true},
		"longer than it is":        {frame: changed(16, 0x0b, 0xed), verified: true},
		"no room for TCP":          {frame: changed(16, 0, 39), verified: true},
		"TCP header of 16 bytes":   {frame: changed(46, 0x40), verified: true},
		"TCP header over the end":  {frame: changed(16, 0, 48), verified: true},
		"wrong TCP checksum":       {frame: whole},
		"checksum in the MACs":     {frame: whole[:100], sumFrom: 4, sumAt: 8},
		"checksum before its sum":  {frame: whole[:100], sumFrom: 34, sumAt: 32},
		"checksum over the end":    {frame: whole[:100], sumFrom: 34, sumAt: 99},
		"checksum from beyond end": {frame: whole[:100], sumFrom: 100, sumAt: 106},
	} {
		err := a.each(func(f []byte) { t.Errorf("%s: gave %d bytes", name, len(f)) })
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// reassemble reads segments as a receiver would: each is sound by itself, and follows the one before.
func reassemble(t interface{ Fatalf(string, ...any) }, frames [][]byte, tagged tag) (data []byte) {
	var next uint32
	var id uint16
	for i, f := range frames {
		body := f[headerSize:]
		if tagged != 0 {
			if got := binary.BigEndian.Uint32(f[12:]); got != uint32(tagged) {
				t.Fatalf("frame %d: tag %#08x", i, got)
			}
			body = body[tagSize:]
		}
		if len(body) > mtu {
			t.Fatalf("frame %d: %d bytes", i, len(body))
		}
		p, err := parseIPv4(body)
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if checksum(sum(pseudoHeader(p.src, p.dst, protocolTCP, len(p.payload)), p.payload)) != 0 {
			t.Fatalf("frame %d: TCP checksum", i)
		}
		seq, ident := binary.BigEndian.Uint32(p.payload[4:]), binary.BigEndian.Uint16(p.header[4:])
		if i > 0 && (seq != next || ident != id+1) {
			t.Fatalf("frame %d: sequence number %d after %d, identifier %d after %d", i, seq, next, ident, id)
		}
		flags := p.payload[13]
		if i > 0 && flags&tcpCWR != 0 || i < len(frames)-1 && flags&(tcpFIN|tcpPSH) != 0 {
			t.Fatalf("frame %d of %d: flags %#02x", i, len(frames), flags)
		}
		part := p.payload[int(p.payload[12]>>4)*4:]
		next, id = seq+uint32(len(part)), ident
		data = append(data, part...)
	}
	return data
}

func TestSplitKeepsTheStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), mtu+1, 8000).Draw(t, "data")
		if rapid.Bool().Draw(t, "64 KiB") {
			data = append(data, counting(65535-120-len(data))...)
		}
		ipOptions, tcpOptions := 4*rapid.IntRange(0, 10).Draw(t, "IP options"), 4*rapid.IntRange(0, 10).Draw(t, "TCP options")
		flags := rapid.Byte().Draw(t, "flags")
		size, tcpSize := ipv4HeaderSize+ipOptions, tcpHeaderSize+tcpOptions
		frame := make([]byte, headerSize+size+tcpSize, headerSize+size+tcpSize+len(data))
		frame[12] = 0x08
		ip, tcp := frame[headerSize:headerSize+size], frame[headerSize+size:]
		ip[0], ip[8], ip[9] = 0x40|byte(size/4), 64, protocolTCP
		binary.BigEndian.PutUint16(ip[2:], uint16(size+tcpSize+len(data)))
		binary.BigEndian.PutUint16(ip[4:], rapid.Uint16().Draw(t, "id"))
		binary.BigEndian.PutUint16(ip[10:], checksum(sum(0, ip)))
		binary.BigEndian.PutUint32(tcp[4:], rapid.Uint32().Draw(t, "sequence number"))
		tcp[12], tcp[13] = byte(tcpSize/4)<<4, flags
		a := arrival{
			frame: append(frame, data...), segment: rapid.SampledFrom([]int{0, 100, 536, 1380, 1448, 1460, 65535}).Draw(t, "segment"),
			tag: rapid.SampledFrom([]tag{0, 0x8100a0c8, 0x81000001}).Draw(t, "tag"), verified: true,
		}
		var frames [][]byte
		if err := a.each(func(f []byte) { frames = append(frames, f) }); err != nil {
			t.Fatal(err)
		}
		if got := reassemble(t, frames, a.tag); !bytes.Equal(got, data) {
			t.Fatalf("%d bytes became %d", len(data), len(got))
		}
		last := frames[len(frames)-1]
		at := headerSize + size + 13
		if a.tag != 0 {
			at += tagSize
		}
		union := frames[0][at]&tcpCWR | last[at]&^tcpCWR
		if union != flags {
			t.Fatalf("flags %#02x became %#02x", flags, union)
		}
	})
}

// FuzzArrival gives any frame; what is accepted and longer than the MTU is the same stream in pieces, and what is not
// longer is the same frame but for its checksum.
func FuzzArrival(f *testing.F) {
	whole, err := hex.DecodeString(superFrame)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(whole, counting(3000)...), uint32(0x8100a0c8), 1400, 34, 50, false)
	f.Add(whole, uint32(0), 0, 34, 50, false)
	f.Add(append(whole, counting(3000)...), uint32(0), 0, 0, 0, true)
	f.Fuzz(func(t *testing.T, b []byte, tagged uint32, segment, sumFrom, sumAt int, verified bool) {
		if len(b) < headerSize || len(b) > largestArrival {
			return
		}
		before := bytes.Clone(b)
		a := arrival{b, tag(tagged), segment, sumFrom, sumAt, verified}
		var frames [][]byte
		if err := a.each(func(f []byte) { frames = append(frames, f) }); err != nil {
			if len(frames) > 0 {
				t.Fatalf("gave %d frames and %v", len(frames), err)
			}
			return
		}
		if len(b) > headerSize+mtu {
			p, err := parseIPv4(before[headerSize:])
			if err != nil {
				t.Fatal(err)
			}
			if data := reassemble(t, frames, a.tag); !bytes.Equal(data, p.payload[int(p.payload[12]>>4)*4:]) {
				t.Fatalf("%d bytes of data from a packet of %d", len(data), len(p.payload))
			}
			return
		}
		got := frames[0]
		if tagged != 0 {
			got = slices.Delete(got, 12, 16)
		}
		if sumAt != 0 {
			copy(before[sumAt:sumAt+2], got[sumAt:])
		}
		if want := pad(before); len(frames) != 1 || !bytes.Equal(got, want) {
			t.Fatalf("%x became %x", want, got)
		}
	})
}

// BenchmarkArrival is the cost of a segment on its way from the kernel to the switch: whole, and cut from 64 KiB.
func BenchmarkArrival(b *testing.B) {
	header, err := hex.DecodeString(superFrame)
	if err != nil {
		b.Fatal(err)
	}
	for name, n := range map[string]int{"whole": 1448, "split": 44 * 1448} {
		frame := append(bytes.Clone(header), counting(n)...)
		ip := frame[headerSize : headerSize+ipv4HeaderSize]
		binary.BigEndian.PutUint16(ip[2:], uint16(len(frame)-headerSize))
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], checksum(sum(0, ip)))
		a := arrival{frame: frame, tag: 0x8100a0c8, segment: 1448, sumFrom: 34, sumAt: 50}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			segments := 0
			for b.Loop() {
				if err := a.each(func([]byte) { segments++ }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(segments), "ns/segment")
		})
	}
}
