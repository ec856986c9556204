package importer

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A chunk is what one frame added to one direction of a stream.
type chunk struct {
	Frame int
	At    time.Time
	Bytes []byte
	cut   bool // the frame had more
}

// A gap is a place of a direction where segments are missing in the capture.
type gap struct {
	Before, Behind int // frames
	Bytes          int
	cut            bool // the frame before it had more
}

type gaps []gap

// A half is one direction of a stream, put in order.
type half struct {
	Chunks []chunk
	Gaps   gaps
	Clear  []chunk // what TLS carried, decrypted; one chunk a record

	types, disguised int // numbers of TLS records, see [frame]

	begun   bool
	next    uint32
	waiting []waiting
	last    int // frame of the last chunk in order
	cut     bool

	ahead uint32 // the furthest sequence number of a segment without bytes
	seen  int    // frame of that segment, 0: there was none
}

type waiting struct {
	seq uint32
	chunk
}

// A Stream is one TCP connection.
type Stream struct {
	Client, Server netip.AddrPort
	First          int // frame
	At             time.Time
	Begun          bool // its first segment was captured
	Reset          bool
	Up, Down       half     // from the client, from the server
	Certs          [][]byte // of the server's handshake
}

// TLS reports whether a direction that was captured from its beginning begins with a TLS handshake.
func (s *Stream) TLS() bool {
	for _, h := range []*half{&s.Up, &s.Down} {
		if len(h.Chunks) > 0 && h.types > 0 {
			return true
		}
		if len(h.Chunks) > 0 && looksLikeTLS(h.Chunks[0].Bytes) {
			return true
		}
	}
	return false
}

// looksLikeTLS reports whether b begins with the header of a TLS record.
func looksLikeTLS(b []byte) bool {
	return len(b) >= 3 && b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4
}

type streams struct {
	byID map[int]*Stream
	list []*Stream
}

func newStreams() *streams { return &streams{byID: map[int]*Stream{}} }

func (all *streams) add(f frame) {
	t := f.TCP
	s := all.byID[t.Stream]
	if s == nil {
		s = &Stream{Client: f.Source, Server: f.Target, First: f.Number, At: f.At}
		if t.SYN && t.ACK || !t.SYN && isServer(f.Source.Port(), f.Target.Port()) {
			s.Client, s.Server = f.Target, f.Source
		}
		all.byID[t.Stream] = s
		all.list = append(all.list, s)
	}
	h := &s.Down
	if f.Source == s.Client {
		h = &s.Up
	}
	s.Reset = s.Reset || t.RST
	if t.SYN {
		s.Begun = s.Begun || h == &s.Up
		h.begun, h.next = true, t.Seq+1
		return
	}
	if !t.RST {
		h.add(t.Seq, chunk{f.Number, f.At, t.Payload, f.Cut})
	}
	for _, b := range f.Clear {
		h.Clear = append(h.Clear, chunk{Frame: f.Number, At: f.At, Bytes: b})
	}
	h.types, h.disguised = h.types+len(f.Types), h.disguised+f.Disguised
	if h == &s.Down && len(s.Certs) == 0 {
		s.Certs = f.Certs
	}
}

// isServer guesses who of two is the server of a connection whose beginning is missing.
func isServer(port, other uint16) bool {
	known := []uint16{portHTTP, portHTTPS, portSIP, portSIPTLS}
	if a, b := slices.Contains(known, port), slices.Contains(known, other); a != b {
		return a
	}
	return port < other
}

// maxWaiting bounds the segments of a direction that wait for one before them.
const maxWaiting = 1024

func (h *half) add(seq uint32, c chunk) {
	if len(c.Bytes) == 0 {
		if h.begun && (h.seen == 0 || int32(seq-h.ahead) > 0) {
			h.ahead, h.seen = seq, c.Frame
		}
		return
	}
	if !h.begun {
		h.begun, h.next = true, seq
	}
	if before := int32(h.next - seq); before > 0 { // sent again, wholly or in part
		if int(before) >= len(c.Bytes) {
			return
		}
		seq, c.Bytes = h.next, c.Bytes[before:]
	}
	if seq == h.next {
		h.take(c)
		h.drain()
		return
	}
	h.waiting = append(h.waiting, waiting{seq, c})
	if len(h.waiting) > maxWaiting {
		h.skip()
	}
}

func (h *half) take(c chunk) {
	h.Chunks = append(h.Chunks, c)
	h.next += uint32(len(c.Bytes))
	h.last, h.cut = max(h.last, c.Frame), c.cut
}

// drain takes the segments whose turn has come. What they add counts as come with the frame that made them whole.
func (h *half) drain() {
	for again := true; again; {
		again = false
		for i, w := range h.waiting {
			before := int32(h.next - w.seq)
			if before < 0 {
				continue
			}
			h.waiting = slices.Delete(h.waiting, i, i+1)
			if int(before) < len(w.Bytes) {
				h.take(chunk{max(w.Frame, h.last), later(w.At, h.Chunks), w.Bytes[before:], w.cut})
			}
			again = true
			break
		}
	}
}

func later(at time.Time, chunks []chunk) time.Time {
	if n := len(chunks); n > 0 && chunks[n-1].At.After(at) {
		return chunks[n-1].At
	}
	return at
}

// skip gives the next bytes up and goes on behind the gap.
func (h *half) skip() {
	first := slices.MinFunc(h.waiting, func(a, b waiting) int { return cmp.Compare(int32(a.seq-h.next), int32(b.seq-h.next)) })
	h.Gaps = append(h.Gaps, gap{Before: h.last, Behind: first.Frame, Bytes: int(first.seq - h.next), cut: h.cut})
	h.next = first.seq
	h.drain()
}

// String tells what is missing of a direction.
func (list gaps) String() string {
	size, cut := 0, 0
	for _, g := range list {
		size += g.Bytes
		if g.cut {
			cut++
		}
	}
	places, why := "", "segments were lost when it was taken"
	if len(list) > 1 {
		places = fmt.Sprintf("in %d places, first ", len(list))
	}
	switch {
	case cut == len(list):
		why = "their frames are cut"
	case cut > 0:
		why = "frames are cut, and segments were lost when it was taken"
	}
	return fmt.Sprintf("%d bytes are missing in the capture %sbetween frames %d and %d: %s", size, places, list[0].Before, list[0].Behind, why)
}

// finish puts in order what still waits and returns the streams as they began.
func (all *streams) finish() []*Stream {
	for _, s := range all.list {
		for _, h := range []*half{&s.Up, &s.Down} {
			for len(h.waiting) > 0 {
				h.skip()
			}
			// Nothing came behind what is missing here. A FIN counts as one byte.
			if n := int32(h.ahead - h.next); h.seen > 0 && n > 1 {
				h.Gaps = append(h.Gaps, gap{Before: h.last, Behind: h.seen, Bytes: int(n), cut: h.cut})
			}
		}
	}
	return all.list
}

// A run is a part of a direction without a gap in it.
type run struct {
	chunks []chunk
	lost   int // bytes that are missing before it
}

// runs are the parts of what the chunks carry.
func (h *half) runs(chunks []chunk) []run {
	out := []run{{}}
	gaps := h.Gaps
	for _, c := range chunks {
		for len(gaps) > 0 && c.Frame >= gaps[0].Behind {
			out = append(out, run{lost: gaps[0].Bytes})
			gaps = gaps[1:]
		}
		last := &out[len(out)-1]
		last.chunks = append(last.chunks, c)
	}
	return out
}

// bytes are those of a run.
func (r run) bytes() []byte {
	var out []byte
	for _, c := range r.chunks {
		out = append(out, c.Bytes...)
	}
	return out
}

// at is the chunk that holds the byte before the offset: the one that made a message of that length whole.
func (r run) at(end int) chunk {
	for _, c := range r.chunks {
		if end -= len(c.Bytes); end <= 0 {
			return c
		}
	}
	if len(r.chunks) == 0 {
		return chunk{}
	}
	return r.chunks[len(r.chunks)-1]
}
