package importer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// block is one of pcapng.
func block(order binary.AppendByteOrder, kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	n := uint32(len(body) + 12)
	out := order.AppendUint32(order.AppendUint32(nil, kind), n)
	return order.AppendUint32(append(out, body...), n)
}

func section(order binary.AppendByteOrder) []byte {
	body := order.AppendUint16(order.AppendUint16(order.AppendUint32(nil, magicSame), 1), 0)
	return block(order, blockSection, order.AppendUint64(body, 1<<64-1))
}

func secretsOf(order binary.AppendByteOrder, kind uint32, text string) []byte {
	body := order.AppendUint32(order.AppendUint32(nil, kind), uint32(len(text)))
	return block(order, blockSecrets, append(body, text...))
}

// framed is a packet block of an interface.
func framed(order binary.AppendByteOrder, number uint32, data string) []byte {
	body := order.AppendUint64(order.AppendUint32(nil, number), 0)
	body = order.AppendUint32(order.AppendUint32(body, uint32(len(data))), uint32(len(data)))
	return block(order, blockPacket, append(body, data...))
}

func onLink(order binary.AppendByteOrder, link uint16) []byte {
	return block(order, blockInterface, order.AppendUint32(order.AppendUint32(nil, uint32(link)<<16|uint32(link)), 0))
}

// told is what a file holds, a line a piece, and how it ends.
func told(file []byte) (out []string, end error) {
	r, err := openCapture(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	for {
		p, err := r.next()
		switch {
		case err != nil:
			return out, err
		case p.frame != nil:
			out = append(out, fmt.Sprintf("frame of %d: %s", p.link, p.frame))
		case p.secrets != nil:
			out = append(out, "secrets: "+string(p.secrets))
		case p.kept:
			out = append(out, "kept")
		default:
			out = append(out, fmt.Sprint("other ", p.counts))
		}
	}
}

// A file of either byte order is read piece by piece; whatever it is cut down to, what was read is a beginning of the whole.
func TestCaptureFile(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		file := slices.Concat(section(order), onLink(order, 1), onLink(order, 0x7171),
			secretsOf(order, secretsTLS, "CLIENT_RANDOM 00 01\n"), framed(order, 0, "first"), framed(order, 1, "second"),
			secretsOf(order, 0x57474b4c, "WireGuard"), block(order, blockJournal, []byte("entry")), block(order, 4, []byte("names")),
			block(order, blockSimple, append(order.AppendUint32(nil, 5), "third"...)),
			section(order), onLink(order, 101), framed(order, 0, "fourth"))
		want := []string{
			"kept", "kept", "kept", "secrets: CLIENT_RANDOM 00 01\n", "frame of 1: first", "frame of 29041: second", "other false", "other true",
			"other false", "frame of 1: third", "kept", "kept", "frame of 101: fourth",
		}
		whole, err := told(file)
		if !errors.Is(err, io.EOF) || !slices.Equal(whole, want) {
			t.Errorf("%v: %q, %v", order, whole, err)
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		if _, err := w.Write(file); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := told(packed.Bytes()); !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
			t.Errorf("%v, packed: %q, %v", order, got, err)
		}
		if _, err := told(packed.Bytes()[:packed.Len()-9]); !errors.As(err, new(*damage)) {
			t.Errorf("%v, packed and cut: %v", order, err)
		}
		for n := 4; n < len(file); n++ {
			part, err := told(file[:n])
			var d *damage
			if len(part) > len(want) || !slices.Equal(part, want[:len(part)]) || !errors.Is(err, io.EOF) && !errors.As(err, &d) {
				t.Fatalf("%v: cut at %d: %q, %v", order, n, part, err)
			}
			if d != nil && (d.why != cutShort || d.at > int64(n)) {
				t.Fatalf("%v: cut at %d: %v", order, n, d)
			}
		}
	}
}

func TestPcap(t *testing.T) {
	for magic, order := range map[string]binary.AppendByteOrder{
		"\xd4\xc3\xb2\xa1": binary.LittleEndian, "\x4d\x3c\xb2\xa1": binary.LittleEndian, "\xa1\xb2\xc3\xd4": binary.BigEndian, "\xa1\xb2\x3c\x4d": binary.BigEndian,
	} {
		file := append([]byte(magic), make([]byte, 16)...)
		file = order.AppendUint32(file, 0x10000000|113)
		for _, data := range []string{"first", "second"} {
			file = append(file, make([]byte, 8)...)
			file = append(order.AppendUint32(order.AppendUint32(file, uint32(len(data))), 1500), data...)
		}
		want := []string{"kept", "frame of 113: first", "frame of 113: second"}
		if got, err := told(file); !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
			t.Errorf("%x: %q, %v", magic, got, err)
		}
		if got, err := told(file[:len(file)-1]); err == nil || err.Error() != "The capture is cut short or damaged at byte 45." || len(got) != 2 {
			t.Errorf("%x, cut: %q, %v", magic, got, err)
		}
		order.AppendUint32(file[:24+8], maxFrame+1)
		if got, err := told(file); err == nil || err.Error() != "The capture is damaged at byte 24." || len(got) != 1 {
			t.Errorf("%x, damaged: %q, %v", magic, got, err)
		}
	}
}

// What no capture can hold ends reading, and takes no memory.
func TestDamage(t *testing.T) {
	order := binary.LittleEndian
	begin := slices.Concat(section(order), onLink(order, 1), framed(order, 0, "first"))
	change := func(b []byte, at int, value uint32) []byte {
		b = bytes.Clone(b)
		order.PutUint32(b[at:], value)
		return b
	}
	for name, end := range map[string][]byte{
		"a huge block":                 change(framed(order, 0, "x"), 4, 0x7ffffffc),
		"an uneven block":              change(framed(order, 0, "x"), 4, 41),
		"no block":                     change(framed(order, 0, "x"), 4, 8),
		"lengths that differ":          change(framed(order, 0, "x"), 32, 40),
		"no such interface":            framed(order, 1, "x"),
		"a frame beyond its block":     change(framed(order, 0, "x"), 20, 5),
		"a section without byte order": change(section(order), 8, 7),
		"secrets beyond their block":   change(secretsOf(order, secretsTLS, "x"), 12, 1<<30),
		"an interface without a type":  block(order, blockInterface, nil),
		"a packet without a header":    block(order, blockPacket, make([]byte, 16)),
	} {
		got, err := told(append(bytes.Clone(begin), end...))
		if err == nil || err.Error() != fmt.Sprintf("The capture is damaged at byte %d.", len(begin)) || len(got) != 3 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := told([]byte(strings.Repeat("text", 9))); !errors.Is(err, ErrNoCapture) {
		t.Errorf("a text: %v", err)
	}
}

// FuzzCaptureFile: whatever is kept of a file is a part of it, and the part is read as it was in the file.
func FuzzCaptureFile(f *testing.F) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		f.Add(slices.Concat(section(order), onLink(order, 1), framed(order, 0, "first"), secretsOf(order, secretsTLS, "x")))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := openCapture(bytes.NewReader(file))
		if err != nil || strings.HasPrefix(string(file), "\x1f\x8b") {
			return
		}
		var kept []byte
		var frames []string
		for {
			p, err := r.next()
			if err != nil {
				break
			}
			if p.frame != nil {
				frames = append(frames, string(p.frame))
				readHeaders(p.link, p.frame)
			}
			if p.kept || p.frame != nil {
				kept = append(kept, p.raw...)
			}
		}
		if len(kept) == 0 {
			return
		}
		var again []string
		r, err = openCapture(bytes.NewReader(kept))
		for err == nil {
			var p piece
			if p, err = r.next(); err == nil && p.frame != nil {
				again = append(again, string(p.frame))
			}
		}
		if !errors.Is(err, io.EOF) || !slices.Equal(again, frames) {
			t.Errorf("%q, then %q, %v", frames, again, err)
		}
	})
}
