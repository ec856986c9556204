// Package tlsdsk is the TLS-DSK authentication of [MS-SIPAE]: key derivation, signatures, header parameters and the
// TLS handshake that runs inside SIP headers.
package tlsdsk

import (
	"crypto"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// Keys are the two signing keys of a security association, 32 bytes each, and the hash of its MACs.
type Keys struct {
	Client []byte // signs handset to pool, "response"
	Server []byte // signs pool to handset, "rspauth"
	Hash   crypto.Hash
}

// Format masks the keys, whatever the verb.
func (k Keys) Format(s fmt.State, _ rune) { io.WriteString(s, "***") }

const (
	label     = "client EAP encryption"
	blockSize = 128 // bytes, RFC 5216 §2.3; the keys are 64 to 95 and 96 to 127 (pidgin-sipe, citing [MS-SIPAE] 3.2.5.1)
)

// DeriveKeys makes the keys of a handshake: PRF(master, "client EAP encryption", client random || server random) with
// the PRF of the negotiated version, and the hash of the suite's MAC (sip.md §2; TLS 1.2 inferred).
func DeriveKeys(version, suite uint16, master, clientRandom, serverRandom []byte) (Keys, error) {
	block, err := keyBlock(version, suite, master, clientRandom, serverRandom)
	if err != nil {
		return Keys{}, err
	}
	h, err := macHash(suite)
	if err != nil {
		return Keys{}, err
	}
	return Keys{Client: block[64:96], Server: block[96:128], Hash: h}, nil
}

func keyBlock(version, suite uint16, master, clientRandom, serverRandom []byte) ([]byte, error) {
	if len(master) != 48 || len(clientRandom) != 32 || len(serverRandom) != 32 {
		return nil, fmt.Errorf("master secret of %d bytes, randoms of %d and %d: want 48, 32 and 32", len(master), len(clientRandom), len(serverRandom))
	}
	seed := append(append([]byte(label), clientRandom...), serverRandom...)
	switch version {
	case tls.VersionTLS10, tls.VersionTLS11:
		half := (len(master) + 1) / 2
		out := make([]byte, blockSize)
		other := make([]byte, blockSize)
		pHash(out, md5.New, master[:half], seed)
		pHash(other, sha1.New, master[len(master)-half:], seed)
		subtle.XORBytes(out, out, other)
		return out, nil
	case tls.VersionTLS12:
		out := make([]byte, blockSize)
		newHash := sha256.New
		if h, err := macHash(suite); err == nil && h == crypto.SHA384 {
			newHash = sha512.New384
		}
		pHash(out, newHash, master, seed)
		return out, nil
	}
	return nil, fmt.Errorf("TLS version %#04x has no TLS-DSK key derivation", version)
}

// pHash is P_hash of RFC 2246 §5.
func pHash(out []byte, newHash func() hash.Hash, secret, seed []byte) {
	mac := hmac.New(newHash, secret)
	mac.Write(seed)
	a := mac.Sum(nil)
	for n := 0; n < len(out); {
		mac.Reset()
		mac.Write(a)
		mac.Write(seed)
		n += copy(out[n:], mac.Sum(nil))
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(nil)
	}
}

func macHash(suite uint16) (crypto.Hash, error) {
	switch suite {
	case 0x0003, 0x0004:
		return crypto.MD5, nil
	case tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA:
		return crypto.SHA1, nil
	case tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
		return crypto.SHA256, nil
	case tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		return crypto.SHA384, nil
	}
	return 0, fmt.Errorf("cipher suite %#04x has no known TLS-DSK hash", suite)
}

// SignClient signs a message of the handset: lower-case hex.
func (k Keys) SignClient(input string) string { return sign(k.Client, k.Hash, input) }

// SignServer signs a message of the pool: lower-case hex.
func (k Keys) SignServer(input string) string { return sign(k.Server, k.Hash, input) }

func sign(key []byte, h crypto.Hash, input string) string {
	return hex.EncodeToString(mac(key, h, input))
}

func mac(key []byte, h crypto.Hash, input string) []byte {
	m := hmac.New(h.New, key)
	m.Write([]byte(input))
	return m.Sum(nil)
}

// Verify compares a signature in hex of either case, in constant time.
func Verify(key []byte, h crypto.Hash, input, signature string) bool {
	got, err := hex.DecodeString(signature)
	return err == nil && hmac.Equal(got, mac(key, h, input))
}
