//go:build outside

package outside

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"hash"
)

// The functions of RFC 2246 §5, written anew: what they are compared with uses those of this project.

// prf10 is the PRF of TLS 1.0.
func prf10(secret []byte, label string, seed []byte, n int) []byte {
	labelled := append([]byte(label), seed...)
	half := (len(secret) + 1) / 2
	out := expand(md5.New, secret[:half], labelled, n)
	for i, b := range expand(sha1.New, secret[len(secret)-half:], labelled, n) {
		out[i] ^= b
	}
	return out
}

// expand is n bytes of P_hash.
func expand(newHash func() hash.Hash, secret, seed []byte, n int) []byte {
	var out []byte
	for a := sum(newHash, secret, seed); len(out) < n; a = sum(newHash, secret, a) {
		out = append(out, sum(newHash, secret, a, seed)...)
	}
	return out[:n]
}

func sum(newHash func() hash.Hash, key []byte, parts ...[]byte) []byte {
	h := hmac.New(newHash, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
