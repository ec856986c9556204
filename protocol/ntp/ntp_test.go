package ntp

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// The request is a client's as RFC 4330, 5 asks for it; the answer has the leap, stratum and reference of chronyd
// with "local stratum 3" (peers/README.md §3).
const (
	requestHex = "23000000" + "00000000" + "00000000" + "00000000" + "0000000000000000" + "0000000000000000" +
		"0000000000000000" + "d52f1a0080000000"
	answerHex = "240300ec" + "00000000" + "0000028f" + "7f7f0101" + "d52f1a0040000000" + "d52f1a0080000000" +
		"d52f1a0040000000" + "d52f1a00c0000000"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswer(t *testing.T) {
	request, err := Parse(unhex(t, requestHex))
	if err != nil {
		t.Fatal(err)
	}
	if request.Version != 4 || request.Mode != ModeClient {
		t.Errorf("request %+v", request)
	}
	second := Timestamp(0xd52f1a00 << 32).Time()
	answer := Answer(request, second.Add(time.Second/4), second.Add(3*time.Second/4), 3)
	b, err := answer.Append(nil)
	if err != nil || hex.EncodeToString(b) != answerHex {
		t.Errorf("answer %x, %v\nwant   %s", b, err, answerHex)
	}
	back, err := Parse(b)
	if err != nil || back.Transmit.Time() != second.Add(3*time.Second/4) {
		t.Errorf("read back %+v, %v", back, err)
	}
	if first := Answer(request, second, second, 1); string(first.ReferenceID[:]) != "LOCL" {
		t.Errorf("reference of stratum 1 is %q", first.ReferenceID)
	}
	if passive := Answer(Packet{Version: 3, Mode: ModeSymmetricActive}, second, second, 3); passive.Mode != ModeSymmetricPassive || passive.Version != 3 {
		t.Errorf("answer to mode 1 version 3: %+v", passive)
	}
}

func TestTimestamp(t *testing.T) {
	for _, test := range []struct {
		stamp Timestamp
		time  string
	}{
		{0x83aa7e8000000000, "1970-01-01T00:00:00Z"},
		{0xbdfa470000000000, "2001-01-01T00:00:00Z"}, // the clock of fault time=wrong
		{0xd52f1a0080000000, "2013-05-04T05:24:16.5Z"},
		{0xffffffff00000000, "2036-02-07T06:28:15Z"},
		{0x0000000000000001, "2036-02-07T06:28:16Z"},
		{0x7fffffff00000000, "2104-02-26T09:42:23Z"},
	} {
		want, err := time.Parse(time.RFC3339Nano, test.time)
		if err != nil {
			t.Fatal(err)
		}
		if got := test.stamp.Time(); !got.Equal(want) {
			t.Errorf("%#x is %s, want %s", uint64(test.stamp), got, want)
		}
		if got := At(want); got != test.stamp&^1 {
			t.Errorf("At(%s) = %#x, want %#x", want, uint64(got), uint64(test.stamp))
		}
	}
	for _, nanosecond := range []int{0, 1, 2, 123456789, 999999999} {
		want := time.Date(2013, 5, 2, 0, 0, 0, nanosecond, time.UTC)
		if got := At(want).Time(); !got.Equal(want) {
			t.Errorf("%s became %s", want, got)
		}
	}
}

func TestRefused(t *testing.T) {
	good := unhex(t, requestHex)
	for _, test := range []struct {
		name, want string
		b          []byte
	}{
		{"empty", "packet of 0 bytes", nil},
		{"short", "packet of 47 bytes", good[:47]},
		{"long", "packet of 1028 bytes", append(bytes.Clone(good), make([]byte, 980)...)},
		{"half a word", "extension of 2 bytes", append(bytes.Clone(good), 0, 0)},
		{"version 0", "version 0", append([]byte{0x03}, good[1:]...)},
		{"version 5", "version 5", append([]byte{0x2b}, good[1:]...)},
	} {
		if _, err := Parse(test.b); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	for _, p := range []Packet{
		{Version: 4, Leap: 4},
		{Version: 4, Mode: 8},
		{Version: 8},
		{Version: 4, Extension: make([]byte, 3)},
		{Version: 4, Extension: make([]byte, 980)},
	} {
		if b, err := p.Append(nil); err == nil {
			t.Errorf("%+v was written as %x", p, b)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unhex(f, requestHex))
	f.Add(unhex(f, answerHex))
	f.Add(unhex(f, answerHex+"01020304"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := p.Append(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x became %x, %v", b, again, err)
		}
		if year := p.Transmit.Time().Year(); year < 1968 || year > 2104 {
			t.Errorf("year %d", year)
		}
	})
}
