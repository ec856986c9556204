package ntlm

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// canonical: what is read is written in canonical form, which is read as the same and written as the same.
func canonical[M interface{ Append([]byte) ([]byte, error) }](t *testing.T, b []byte, parse func([]byte) (M, error)) {
	t.Helper()
	m, err := parse(b)
	if err != nil {
		return
	}
	form, err := m.Append(nil)
	if err != nil {
		if len(b) > MaxSize-challengeWhole {
			return // version and integrity code, absent in b, no longer fit
		}
		t.Fatalf("%x is read and cannot be written: %v", b, err)
	}
	again, err := parse(form)
	if err != nil {
		t.Fatalf("%x became %x: %v", b, form, err)
	}
	if diff := cmp.Diff(m, again); diff != "" {
		t.Fatalf("%x became %x: %s", b, form, diff)
	}
	if last, err := again.Append(nil); err != nil || !bytes.Equal(last, form) {
		t.Fatalf("%x became %x, then %x: %v", b, form, last, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		micNegotiate, specChallenge, specAnswer, micAnswer,
		"4e544c4d53535000 01000000 058288a2 0000000028000000 0000000028000000 05012800 0000000f", // pidgin-sipe's (peers/README.md)
		"4e544c4d53535000 01000000 06820800 0000000000000000 0000000000000000",                   // curl's
		"4e544c4d53535000 02000000 0600060038000000 32828ae2 0123456789abcdef 0000000000000000 240024003e000000 060070170000000f" +
			"536572766572" + specTargetInfo,
		"4e544c4d53535000 01000000 07320800 0200020020000000 0200020022000000 41424344",
	} {
		f.Add(unhex(f, text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		canonical(t, b, ParseNegotiate)
		canonical(t, b, ParseChallenge)
		canonical(t, b, ParseAuthenticate)
	})
}

// A response is written as it was read, byte for byte: its proof covers every one.
func FuzzParseResponse(f *testing.F) {
	f.Add(unhex(f, specProof+specTemp))
	f.Add(unhex(f, specProof+specTemp)[:80])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseResponse(b)
		if err != nil {
			return
		}
		if again, err := r.Append(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x became %x, %v", b, again, err)
		}
	})
}

// Whatever an answer is, it is no proof of a password that it was not made with.
func FuzzVerify(f *testing.F) {
	f.Add(unhex(f, micNegotiate), unhex(f, specChallenge), unhex(f, specAnswer))
	f.Add(unhex(f, micNegotiate), unhex(f, specChallenge), unhex(f, micAnswer))
	f.Fuzz(func(t *testing.T, negotiate, challenge, authenticate []byte) {
		if _, err := (Handshake{negotiate, challenge, authenticate}).Verify(NTOWFv1("nobody's")); err == nil {
			t.Errorf("%x is taken for a proof", authenticate)
		}
	})
}
