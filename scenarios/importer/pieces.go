package importer

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng), and the type of secrets that is a TLS key log.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 0x00000001
	blockOldPacket  = 0x00000002
	blockSimple     = 0x00000003
	blockPacket     = 0x00000006
	blockJournal    = 0x00000009
	blockSecrets    = 0x0000000a
	blockCustom     = 0x00000bad
	blockCustomOnly = 0x40000bad // which is not to be copied
	secretsTLS      = 0x544c534b
	magicSame       = 0x1a2b3c4d
)

// Bounds of what a capture file may hold.
const (
	maxBlock      = 16 << 20
	maxFrame      = 256 << 10 // as tshark has it
	maxSecrets    = 8 << 20   // bytes of all key logs of a capture
	maxInterfaces = 4096      // of a section
)

// A piece is a part of a capture file. What it holds is good until the next one is read.
type piece struct {
	raw     []byte // as it stands in the file
	kept    bool   // frames behind it cannot be read without it
	counts  bool   // tshark gives it a number
	frame   []byte // nil: it is none
	link    int    // of the frame (LINKTYPE_…)
	secrets []byte // a TLS key log, nil: it is none
}

// damage is what is wrong with a file from some byte on.
type damage struct {
	at  int64
	why string
}

func (d *damage) Error() string {
	return fmt.Sprintf("The capture is %s at byte %d.", d.why, d.at)
}

const (
	cutShort = "cut short or damaged" // a length that is damaged may go beyond the end, too
	damaged  = "damaged"
)

// captureFile reads a capture file from its beginning to its end, however long it is.
type captureFile struct {
	in     *bufio.Reader
	at     int64 // of the next piece, in the file as it is without compression
	buffer []byte
	order  binary.ByteOrder
	pcapng bool
	begun  bool
	links  []int // of the interfaces of the section; of pcap the only one
}

func openCapture(file io.Reader) (*captureFile, error) {
	in := bufio.NewReaderSize(file, 1<<20)
	if magic, err := in.Peek(2); err == nil && magics[string(magic)] == "gzip" {
		plain, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoCapture, err)
		}
		in = bufio.NewReaderSize(plain, 1<<20)
	}
	magic, err := in.Peek(4)
	if kind := magics[string(magic)]; err != nil || kind != "pcap" && kind != "pcapng" {
		return nil, fmt.Errorf("%w: neither pcapng nor pcap", ErrNoCapture)
	}
	return &captureFile{in: in, pcapng: magics[string(magic)] == "pcapng", order: binary.LittleEndian}, nil
}

// next is the next piece, [io.EOF] behind the last, and a [damage] where no more can be read.
func (r *captureFile) next() (piece, error) {
	if r.pcapng {
		return r.block()
	}
	return r.packet()
}

// take reads n bytes behind those that the piece has. Of a piece without bytes the end of the file is its end.
func (r *captureFile) take(have, n int) error {
	if cap(r.buffer) < have+n {
		r.buffer = append(make([]byte, 0, (have+n)*2), r.buffer[:have]...)
	}
	r.buffer = r.buffer[:have+n]
	got, err := io.ReadFull(r.in, r.buffer[have:])
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, new(flate.CorruptInputError)):
		return &damage{r.at, damaged}
	case errors.Is(err, io.EOF) && have+got == 0:
		return io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &damage{r.at, cutShort}
	}
	return err
}

// block reads a block of pcapng.
func (r *captureFile) block() (out piece, err error) {
	const head, least = 8, 12
	if err := r.take(0, head); err != nil {
		return out, err
	}
	if kind := r.order.Uint32(r.buffer); kind == blockSection { // the same in both byte orders
		if err := r.take(head, 4); err != nil {
			return out, err
		}
		r.order, r.links = binary.LittleEndian, nil
		if binary.BigEndian.Uint32(r.buffer[head:]) == magicSame {
			r.order = binary.BigEndian
		}
		if r.order.Uint32(r.buffer[head:]) != magicSame {
			return out, &damage{r.at, damaged}
		}
	}
	size := int64(r.order.Uint32(r.buffer[4:]))
	if size < least || size%4 != 0 || size > maxBlock {
		return out, &damage{r.at, damaged}
	}
	if err := r.take(len(r.buffer), int(size)-len(r.buffer)); err != nil {
		return out, err
	}
	b := r.buffer
	if int64(r.order.Uint32(b[size-4:])) != size {
		return out, &damage{r.at, damaged}
	}
	out.raw = b
	if !r.read(&out, r.order.Uint32(b), b[head:size-4]) {
		return out, &damage{r.at, damaged}
	}
	r.at += size
	return out, nil
}

// read tells what is in a block.
func (r *captureFile) read(out *piece, kind uint32, body []byte) (ok bool) {
	switch kind {
	case blockSection:
		const length = 8 // of the section, behind magic and version
		if len(body) < length+8 {
			return false
		}
		out.kept = true
		copy(body[length:], bytes.Repeat([]byte{0xff}, 8)) // not said
	case blockInterface:
		if len(body) < 8 || len(r.links) >= maxInterfaces {
			return false
		}
		out.kept = true
		r.links = append(r.links, int(r.order.Uint16(body)))
	case blockPacket, blockOldPacket:
		const data = 20
		if len(body) < data {
			return false
		}
		number := int(r.order.Uint32(body))
		if kind == blockOldPacket {
			number = int(r.order.Uint16(body))
		}
		return r.frame(out, number, body[data:], int64(r.order.Uint32(body[12:])))
	case blockSimple:
		if len(body) < 4 {
			return false
		}
		return r.frame(out, 0, body[4:], min(int64(r.order.Uint32(body)), int64(len(body)-4)))
	case blockJournal, blockCustom, blockCustomOnly:
		out.counts = true
	case blockSecrets:
		const data = 8
		if len(body) < data || r.order.Uint32(body) != secretsTLS {
			return len(body) >= data
		}
		n := int64(r.order.Uint32(body[4:]))
		if n > int64(len(body)-data) {
			return false
		}
		out.secrets = bytes.TrimRight(body[data:data+n], "\x00")
	}
	return true
}

func (r *captureFile) frame(out *piece, number int, data []byte, size int64) (ok bool) {
	if number < 0 || number >= len(r.links) || size > int64(len(data)) {
		return false
	}
	out.counts, out.frame, out.link = true, data[:size:size], r.links[number]
	return true
}

// packet reads the header of a pcap file (draft-ietf-opsawg-pcap), then its packets.
func (r *captureFile) packet() (out piece, err error) {
	const fileHeader, header = 24, 16
	if !r.begun {
		if err := r.take(0, fileHeader); err != nil {
			return out, err
		}
		r.begun, out.raw, out.kept = true, r.buffer, true
		if magic := r.buffer[0]; magic == 0xa1 {
			r.order = binary.BigEndian
		}
		r.links = []int{int(r.order.Uint32(r.buffer[20:]) & 0xffff)} // above it the length of a check sequence
		r.at += fileHeader
		return out, nil
	}
	if err := r.take(0, header); err != nil {
		return out, err
	}
	size := r.order.Uint32(r.buffer[8:])
	if size > maxFrame {
		return out, &damage{r.at, damaged}
	}
	if err := r.take(header, int(size)); err != nil {
		return out, err
	}
	out.raw, out.counts, out.link, out.frame = r.buffer, true, r.links[0], r.buffer[header:]
	r.at += int64(len(r.buffer))
	return out, nil
}
