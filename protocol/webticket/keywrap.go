package webticket

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrUnwrap means that a wrapped key was not wrapped with the key at hand, or was changed.
var ErrUnwrap = errors.New("the wrapped key is another's or was changed")

const wrapBlock = 8 // bytes, half a block of AES

// wrapInitial is the integrity check of RFC 3394 §2.2.3.1.
var wrapInitial = []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}

// WrapKey encrypts key with kek by the AES key wrap of RFC 3394 §2.2.1, which an assertion's EncryptedKey names
// xmlenc#kw-aes256 for a kek of 32 bytes. The key has whole blocks of 8 bytes, two at least. The same keys give the
// same bytes.
func WrapKey(kek, key []byte) ([]byte, error) {
	cipher, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("key wrap: %w", err)
	}
	n := len(key) / wrapBlock
	if len(key)%wrapBlock != 0 || n < 2 {
		return nil, fmt.Errorf("key wrap: a key of %d bytes, 16 or more in steps of 8 expected", len(key))
	}
	out := append(append([]byte{}, wrapInitial...), key...)
	var block [2 * wrapBlock]byte
	copy(block[:], wrapInitial)
	for t := 1; t <= 6*n; t++ {
		r := out[wrapBlock*(1+(t-1)%n):][:wrapBlock]
		copy(block[wrapBlock:], r)
		cipher.Encrypt(block[:], block[:])
		copy(r, block[wrapBlock:])
		count(&block, t)
	}
	copy(out, block[:wrapBlock])
	return out, nil
}

// UnwrapKey is the inverse of [WrapKey]. Its error is [ErrUnwrap] but for a kek that AES does not take.
func UnwrapKey(kek, wrapped []byte) ([]byte, error) {
	cipher, err := aes.NewCipher(kek)
	if err != nil {
		return nil, fmt.Errorf("key wrap: %w", err)
	}
	n := len(wrapped)/wrapBlock - 1
	if len(wrapped)%wrapBlock != 0 || n < 2 {
		return nil, ErrUnwrap
	}
	out := append([]byte{}, wrapped[wrapBlock:]...)
	var block [2 * wrapBlock]byte
	copy(block[:], wrapped[:wrapBlock])
	for t := 6 * n; t >= 1; t-- {
		r := out[wrapBlock*((t-1)%n):][:wrapBlock]
		count(&block, t)
		copy(block[wrapBlock:], r)
		cipher.Decrypt(block[:], block[:])
		copy(r, block[wrapBlock:])
	}
	if subtle.ConstantTimeCompare(block[:wrapBlock], wrapInitial) != 1 {
		return nil, ErrUnwrap
	}
	return out, nil
}

// count folds the number of the step into the first half of a block.
func count(block *[2 * wrapBlock]byte, step int) {
	binary.BigEndian.PutUint64(block[:], binary.BigEndian.Uint64(block[:])^uint64(step))
}
