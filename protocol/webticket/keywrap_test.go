package webticket_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/phone-edition/lpe/protocol/webticket"
)

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWrapKey is the vectors of RFC 3394 §4.
func TestWrapKey(t *testing.T) {
	const longest = "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"
	for _, c := range []struct{ name, kek, key, wrapped string }{
		{"4.1", "000102030405060708090a0b0c0d0e0f", longest[:32], "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{"4.3", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", longest[:32], "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
		{"4.6", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", longest, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
	} {
		kek, key, wrapped := fromHex(t, c.kek), fromHex(t, c.key), fromHex(t, c.wrapped)
		if got, err := webticket.WrapKey(kek, key); err != nil || !bytes.Equal(got, wrapped) {
			t.Errorf("%s: wrapped %x, %v", c.name, got, err)
		}
		if got, err := webticket.UnwrapKey(kek, wrapped); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: unwrapped %x, %v", c.name, got, err)
		}
		for i := range wrapped {
			changed := bytes.Clone(wrapped)
			changed[i] ^= 0x10
			if _, err := webticket.UnwrapKey(kek, changed); !errors.Is(err, webticket.ErrUnwrap) {
				t.Errorf("%s: byte %d changed: %v", c.name, i, err)
			}
		}
	}
}

func TestWrapKeyRefuses(t *testing.T) {
	kek := make([]byte, 32)
	for _, size := range []int{0, 8, 17, 31} {
		if _, err := webticket.WrapKey(kek, make([]byte, size)); err == nil {
			t.Errorf("a key of %d bytes was wrapped", size)
		}
		if _, err := webticket.UnwrapKey(kek, make([]byte, size)); !errors.Is(err, webticket.ErrUnwrap) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := webticket.WrapKey(kek[:5], make([]byte, 32)); err == nil {
		t.Error("a key of 5 bytes wraps")
	}
	if _, err := webticket.UnwrapKey(nil, make([]byte, 40)); err == nil || errors.Is(err, webticket.ErrUnwrap) {
		t.Errorf("no key unwraps: %v", err)
	}
}
