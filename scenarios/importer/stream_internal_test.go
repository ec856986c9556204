package importer

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var began = time.Date(2013, 6, 1, 12, 0, 0, 0, time.UTC)

func content(chunks []chunk) []byte {
	var out []byte
	for _, c := range chunks {
		out = append(out, c.Bytes...)
	}
	return out
}

// Segments that come in any order, twice, or overlapping, are put in order; the frames of what is in order never go back.
func TestSegmentsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "text")
		first := rapid.Uint32().Draw(t, "first") // wraps around, too
		type segment struct{ begin, end int }
		var all []segment
		for at := 0; at < len(text); {
			n := rapid.IntRange(1, 40).Draw(t, "size")
			all = append(all, segment{at, min(at+n, len(text))})
			if rapid.Bool().Draw(t, "again") {
				all = append(all, segment{max(0, at-rapid.IntRange(0, 20).Draw(t, "before")), min(at+n, len(text))})
			}
			at += n
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		r.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		h := half{begun: true, next: first}
		for i, s := range all {
			h.add(first+uint32(s.begin), chunk{Frame: i + 1, At: began.Add(time.Duration(i)), Bytes: text[s.begin:s.end]})
		}
		if !bytes.Equal(content(h.Chunks), text) || len(h.Gaps) > 0 || len(h.waiting) > 0 {
			t.Fatalf("%d bytes of %d, gaps %v, %d waiting", len(content(h.Chunks)), len(text), h.Gaps, len(h.waiting))
		}
		if !slices.IsSortedFunc(h.Chunks, func(a, b chunk) int { return a.Frame - b.Frame }) {
			t.Fatal("frames go back")
		}
	})
}

// What is lost is told, and what comes behind it is read.
func TestLostSegmentsAreGaps(t *testing.T) {
	all := newStreams()
	client, server := addrPort(t, "10.0.0.1:40000"), addrPort(t, "10.0.0.2:80")
	send := func(number int, seq uint32, syn bool, text string) {
		all.add(frame{Number: number, At: began, Source: client, Target: server, TCP: &segment{Seq: seq, SYN: syn, Payload: []byte(text)}})
	}
	send(1, 99, true, "")
	send(2, 100, false, "abc")
	send(4, 106, false, "ghi")
	send(5, 109, false, "jkl")
	streams := all.finish()
	if len(streams) != 1 || !streams[0].Begun || streams[0].Client != client {
		t.Fatalf("%+v", streams)
	}
	h := streams[0].Up
	if len(h.Gaps) != 1 || h.Gaps[0] != (gap{Before: 2, Behind: 4, Bytes: 3}) {
		t.Errorf("gaps %v", h.Gaps)
	}
	runs := h.runs(h.Chunks)
	if len(runs) != 2 || string(runs[0].bytes()) != "abc" || string(runs[1].bytes()) != "ghijkl" || runs[1].lost != 3 {
		t.Errorf("%+v", runs)
	}
	if c := runs[1].at(4); c.Frame != 5 {
		t.Errorf("the fourth byte is of frame %d", c.Frame)
	}
}

// What is lost at the end is told by the segments without bytes behind it, if there are more than a FIN counts for.
func TestLostEnd(t *testing.T) {
	client, server := addrPort(t, "10.0.0.1:40000"), addrPort(t, "10.0.0.2:80")
	for name, test := range map[string]struct {
		acknowledged uint32 // the last sequence number
		want         gaps
	}{
		"nothing":           {103, nil},
		"nothing but a FIN": {104, nil},
		"a request":         {403, gaps{{Before: 2, Behind: 4, Bytes: 300}}},
	} {
		all := newStreams()
		for i, s := range []segment{{Seq: 99, SYN: true}, {Seq: 100, Payload: []byte("abc")}, {Seq: 103, ACK: true}, {Seq: test.acknowledged, ACK: true}, {Seq: 103, ACK: true}} {
			all.add(frame{Number: i + 1, At: began, Source: client, Target: server, TCP: &s})
		}
		if got := all.finish()[0].Up.Gaps; !slices.Equal(got, test.want) {
			t.Errorf("%s: gaps %v", name, got)
		}
	}
}

// A connection whose beginning is missing has the known port as its server.
func TestServerOfAConnectionWithoutBeginning(t *testing.T) {
	all := newStreams()
	client, server := addrPort(t, "10.0.0.1:400"), addrPort(t, "10.0.0.2:5061")
	all.add(frame{Number: 1, At: began, Source: server, Target: client, TCP: &segment{ACK: true, Payload: []byte("x")}})
	if s := all.finish()[0]; s.Client != client || s.Begun || len(s.Down.Chunks) != 1 {
		t.Errorf("%+v", s)
	}
}
