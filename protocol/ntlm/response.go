package ntlm

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"fmt"
	"strings"

	//lint:ignore SA1019 NTLM is defined with MD4
	"golang.org/x/crypto/md4"
)

const (
	keySize         = 16
	oldResponseSize = 24
	responseFixed   = 44 // proof, versions, time, client challenge, reserved bytes
)

// Key is the hash of a password, as good as the password itself, or a key made of it. It prints as "***".
type Key [keySize]byte

// String returns the mask.
func (Key) String() string { return "***" }

// GoString returns the mask.
func (Key) GoString() string { return "***" }

// Format writes the mask for every verb.
func (Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, "***") }

// NTOWFv1 is the hash under which a directory keeps a password, [MS-NLMP] 3.3.1.
func NTOWFv1(password string) (k Key) {
	hash := md4.New()
	hash.Write(encodeText(password))
	hash.Sum(k[:0])
	return k
}

// NTOWFv2 binds a password's NTOWFv1 to the names that the AUTHENTICATE_MESSAGE has, [MS-NLMP] 3.3.2.
func NTOWFv2(password Key, user, domain string) Key {
	return sum(password, encodeText(strings.ToUpper(user)+domain))
}

// sum is HMAC-MD5.
func sum(key Key, parts ...[]byte) (out Key) {
	mac := hmac.New(md5.New, key[:])
	for _, part := range parts {
		mac.Write(part)
	}
	mac.Sum(out[:0])
	return out
}

// exchange encrypts a random session key with RC4, or decrypts it.
func exchange(key Key, sessionKey []byte) (out Key) {
	cipher, err := rc4.NewCipher(key[:])
	if err != nil {
		panic(err) // only for other sizes of key
	}
	cipher.XORKeyStream(out[:], sessionKey)
	return out
}

// Response is the NTLMv2_RESPONSE with its NTLMv2_CLIENT_CHALLENGE, [MS-NLMP] 2.2.2.7 and 2.2.2.8.
type Response struct {
	Proof           [16]byte
	Time            uint64 // see FileTime
	ClientChallenge [8]byte
	TargetInfo      []AVPair // the server's, with what the client added
	Rest            []byte   // after the pairs; four zero bytes in the document's examples
}

// ParseResponse reads a response.
func ParseResponse(b []byte) (Response, error) {
	if len(b) < responseFixed {
		return Response{}, fmt.Errorf("%w: an NTLMv2 response of %d bytes", ErrMalformed, len(b))
	}
	fixed := responseHeader(binary.LittleEndian.Uint64(b[24:]), [8]byte(b[32:40]))
	if !bytes.Equal(fixed, b[16:responseFixed]) {
		return Response{}, fmt.Errorf("%w: an NTLMv2 response of version %d.%d, or with reserved bytes", ErrMalformed, b[16], b[17])
	}
	r := Response{Proof: [16]byte(b[:16]), Time: binary.LittleEndian.Uint64(b[24:]), ClientChallenge: [8]byte(b[32:40])}
	pairs, rest, err := parsePairs(b[responseFixed:])
	if err != nil {
		return Response{}, err
	}
	r.TargetInfo = pairs
	if len(rest) > 0 {
		r.Rest = bytes.Clone(rest)
	}
	return r, nil
}

func responseHeader(time uint64, clientChallenge [8]byte) []byte {
	b := []byte{1, 1, 0, 0, 0, 0, 0, 0} // RespType, HiRespType, reserved
	b = binary.LittleEndian.AppendUint64(b, time)
	return append(append(b, clientChallenge[:]...), 0, 0, 0, 0)
}

// Append writes the response.
func (r Response) Append(b []byte) ([]byte, error) {
	b = append(append(b, r.Proof[:]...), responseHeader(r.Time, r.ClientChallenge)...)
	b, err := appendPairs(b, r.TargetInfo)
	return append(b, r.Rest...), err
}

// keys computes what both sides do: the proof of a client challenge ("temp" in the document) and the session base key,
// which is the key exchange key as well.
func keys(v2 Key, serverChallenge [8]byte, temp []byte) (proof, base Key) {
	proof = sum(v2, serverChallenge[:], temp)
	return proof, sum(v2, proof[:])
}
