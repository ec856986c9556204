package tlsdsk

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"testing"
)

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// V1 of sip.md §2.2.
const (
	v1Client    = "6b02d9c00855075becb2a0f42009df2506e49b9aa89d1a07cf4bd777945c8146"
	v1Server    = "a7e607940f97476a545e3c47d86da648e53e58b5cf4f2e49457deedaf90828ca"
	v1PreMaster = "03017c416ba0d4773e11284b26aef9b702723583e0952e97f9564e260915e2686e2d116aeac35ae0b25e0acd3906b842"
	v1Master    = "a4fd0ef8eef5ed204bf12d17cc8c1323217656a2a01b843326236cd23ec54bd0377eac1d4b63995aa64174c76e6531a1"
)

// TestKeyBlock holds the whole block, the half that is not used as a key included: V1 to 127, V4 to 63.
func TestKeyBlock(t *testing.T) {
	for _, v := range []struct{ name, client, server, master, block string }{
		{
			"V1", v1Client, v1Server, v1Master,
			"6ffc59bfc7329dacd8d583d7490608f129f08325e579bf61461e371e526d996379053d22542ee4edc827fb0e76c496d6cbca115b2efc157e8e8e0f690d114cda" +
				"6c81b0fc1d49e6ce8159db848c83376b006f54b844334f13aec6fcc6461ba0d1a623267c7cf7029ff50db0a9cba0b0045a154656e851e9343a631b217bfd6ca1",
		},
		{
			"V4",
			"6b02dde0db8cb0211d92f459b039d744e990597fab30365f6bfc7d7252e10d04",
			"c69c83af6b410047467a2c177908a265a014f964e2b1f212f155e0f19e8363ed",
			"245522929a536e9fdc39adc4181b9cdef23d2fa53d1274353d2f9899afd6775d6412ec94c756f31a0818428ba89baa86",
			"e0935cf635025f2526600dad289d4b90a6aff20d28d5cbc37da6c8382770c6f9bc4adf28606401a22a68beb6280e985c11a3f3c2f00ca33d4d076903812d3e40",
		},
	} {
		block, err := keyBlock(tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, fromHex(t, v.master), fromHex(t, v.client), fromHex(t, v.server))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(block); len(block) != blockSize || got[:len(v.block)] != v.block {
			t.Errorf("%s: %d bytes %s, want %s", v.name, len(block), got, v.block)
		}
	}
}

// TestMasterSecret makes V1's master secret of its premaster secret (RFC 2246 §8.1) by the PRF that the key block is
// made with.
func TestMasterSecret(t *testing.T) {
	secret := fromHex(t, v1PreMaster)
	seed := slices.Concat([]byte("master secret"), fromHex(t, v1Client), fromHex(t, v1Server))
	master, other := make([]byte, 48), make([]byte, 48)
	pHash(master, md5.New, secret[:24], seed)
	pHash(other, sha1.New, secret[24:], seed)
	subtle.XORBytes(master, master, other)
	if got := hex.EncodeToString(master); got != v1Master {
		t.Errorf("master secret %s, want %s", got, v1Master)
	}
}
