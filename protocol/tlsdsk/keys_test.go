package tlsdsk_test

import (
	"crypto"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sip.md §2.2, measured against pidgin-sipe and computed again independently.
func TestDeriveKeys(t *testing.T) {
	for _, v := range []struct {
		name                                       string
		suite                                      uint16
		client, server, master, keyClient, keyServ string
	}{
		{
			"V1 AES128-SHA", tls.TLS_RSA_WITH_AES_128_CBC_SHA,
			"6b02d9c00855075becb2a0f42009df2506e49b9aa89d1a07cf4bd777945c8146",
			"a7e607940f97476a545e3c47d86da648e53e58b5cf4f2e49457deedaf90828ca",
			"a4fd0ef8eef5ed204bf12d17cc8c1323217656a2a01b843326236cd23ec54bd0377eac1d4b63995aa64174c76e6531a1",
			"6c81b0fc1d49e6ce8159db848c83376b006f54b844334f13aec6fcc6461ba0d1",
			"a623267c7cf7029ff50db0a9cba0b0045a154656e851e9343a631b217bfd6ca1",
		},
		{
			"V2 RC4-128-SHA", tls.TLS_RSA_WITH_RC4_128_SHA,
			"6b02d9c3cab441df17c836d43112bcaeb6c388a213cc661e63df67246c03eb2d",
			"c29e0b159ec8047fa1251a0b596539a75c73dead1da0b1bf8ec414c473a0ed22",
			"316fc8eb19ba9323d8978e913623759b23889245a2d2ce8443664c017a4339639a0cf81857cb373771456834e10f1ac1",
			"75f1fcd4cba9b3460f6fbd8488fe42d8b0a92d4afaefa193ba4fc7da8d5fa22f",
			"0a0daafbe23902fb57e039312ad1a8de9ffa6a1354f016917495efb27d61f05c",
		},
		{
			"V3 AES256-SHA", tls.TLS_RSA_WITH_AES_256_CBC_SHA,
			"6b02d9c6ef9e9834c1b9a8aa2a76daf9340398709ade6a8285d7c9044cb58a25",
			"ef3a94a954b789f3d6cd0e422e55bedd710e29f4277e18f7de1ddd9e5b391ce1",
			"6e7fe8bb6a9367d9edbd3267f254884683d012f73140cc08225905a4ade90efe692b0f86f71633603125df977ec85827",
			"53910e57efc5ec579ab5f5ff8ed4682da0358c3d7709f7cffeb934baa6ebdf84",
			"1e934abeb2f713a6a67b560d1b6cb6060d10813c343aa1410db68d3153131d74",
		},
		{
			"V4 AES128-SHA", tls.TLS_RSA_WITH_AES_128_CBC_SHA,
			"6b02dde0db8cb0211d92f459b039d744e990597fab30365f6bfc7d7252e10d04",
			"c69c83af6b410047467a2c177908a265a014f964e2b1f212f155e0f19e8363ed",
			"245522929a536e9fdc39adc4181b9cdef23d2fa53d1274353d2f9899afd6775d6412ec94c756f31a0818428ba89baa86",
			"17416e20fe815ef824d663c461a201fea9e726ef80b2f00d171584a8ea9733fc",
			"435e51b7b67bd63731931b71a90c5878b2c8a9d696a13f5e5163a6034ec3cc6e",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			keys, err := tlsdsk.DeriveKeys(tls.VersionTLS10, v.suite, unhex(t, v.master), unhex(t, v.client), unhex(t, v.server))
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(keys.Client); got != v.keyClient {
				t.Errorf("client key %s, want %s", got, v.keyClient)
			}
			if got := hex.EncodeToString(keys.Server); got != v.keyServ {
				t.Errorf("server key %s, want %s", got, v.keyServ)
			}
			if keys.Hash != crypto.SHA1 {
				t.Errorf("hash %v, want SHA-1", keys.Hash)
			}
		})
	}
}

func TestDeriveKeysRefuses(t *testing.T) {
	ok := make([]byte, 48)
	for _, c := range []struct {
		name                           string
		version, suite                 uint16
		master, clientRand, serverRand []byte
		want                           string
	}{
		{"TLS 1.3", tls.VersionTLS13, tls.TLS_RSA_WITH_AES_128_CBC_SHA, ok, ok[:32], ok[:32], "0x0304"},
		{"unknown suite", tls.VersionTLS10, 0xffff, ok, ok[:32], ok[:32], "0xffff"},
		{"master of 47 bytes", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, ok[:47], ok[:32], ok[:32], "47"},
		{"random of 31 bytes", tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA, ok, ok[:31], ok[:32], "31"},
	} {
		if _, err := tlsdsk.DeriveKeys(c.version, c.suite, c.master, c.clientRand, c.serverRand); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// The hash of the MAC is that of the suite (sip.md §2).
func TestHashOfSuite(t *testing.T) {
	secret := make([]byte, 48)
	for suite, want := range map[uint16]crypto.Hash{
		0x0003: crypto.MD5, 0x0004: crypto.MD5, 0x0005: crypto.SHA1, 0x000a: crypto.SHA1, 0x002f: crypto.SHA1, 0x0035: crypto.SHA1,
		0x003c: crypto.SHA256, 0x009c: crypto.SHA256, 0x009d: crypto.SHA384, 0xc030: crypto.SHA384,
	} {
		keys, err := tlsdsk.DeriveKeys(tls.VersionTLS12, suite, secret, secret[:32], secret[:32])
		if err != nil || keys.Hash != want {
			t.Errorf("suite %#04x: %v %v, want %v", suite, keys.Hash, err, want)
		}
	}
}

// V4, the complete chain of one live sign-in.
const (
	v4Client = "17416e20fe815ef824d663c461a201fea9e726ef80b2f00d171584a8ea9733fc"
	v4Server = "435e51b7b67bd63731931b71a90c5878b2c8a9d696a13f5e5163a6034ec3cc6e"
)

func TestSignatures(t *testing.T) {
	const register4 = "<TLS-DSK><27597cf5><1><SIP Communications Service><fe01.lab.test><8F59g8CBFaF1EFiD856m438Ft8D0Fb579Cx321Ex><6><REGISTER><sip:user1@lab.test><362876163><sip:user1@lab.test><><><><>"
	client, server := unhex(t, v4Client), unhex(t, v4Server)
	for _, v := range []struct {
		name, input string
		server      bool
		hash        crypto.Hash
		want        string
	}{
		{"REGISTER #4", register4, false, crypto.SHA1, "11c0e4b4f6c8f29c4135bfd9ff6c95e2d32986b1"},
		{"REGISTER #4, HMAC-MD5", register4, false, crypto.MD5, "5e2eff6eab41f909019d896d6a7abe19"},
		{"REGISTER #4, HMAC-SHA384", register4, false, crypto.SHA384, "09e2d059b90ee3a6e13b40fad015027189913e9ed04450f11c1859ac7b23ede078fdf18c10988bbb8c13c067272180a6"},
		{"200 OK", "<TLS-DSK><47DF0E0F><1><SIP Communications Service><fe01.lab.test><8F59g8CBFaF1EFiD856m438Ft8D0Fb579Cx321Ex><6><REGISTER><sip:user1@lab.test><362876163><sip:user1@lab.test><CFB8FCFD4BA71312D71FC19CEFD21E29><><><600><200>", true, crypto.SHA1, "d704d20e2444971aee47e30e4ebe505401d408c3"},
		{"SUBSCRIBE", "<TLS-DSK><4ce70913><3><SIP Communications Service><fe01.lab.test><AA17g8F0Aa1017i3FFAm9C0BtA758b0459xB131x><1><SUBSCRIBE><sip:user1@lab.test><2216460141><sip:user1@lab.test><><><><0>", false, crypto.SHA1, "5a2a1e16abcfa8932f8be57c2b64731de97aa991"},
		{"404 to INVITE", "<TLS-DSK><30F26539><6><SIP Communications Service><fe01.lab.test><4BCEgF967aEDD6i3AEAm07AAt82E9bA8D1x63B5x><1><INVITE><sip:user1@lab.test><2511855512><sip:ocschat@lab.test><48D72DBCD4A5F64891F0BC68AE211529><><><><404>", true, crypto.SHA1, "d0d88a290c192ce1613c02c38e0b7584b8d3d83d"},
		{"with P-Asserted-Identity", "<TLS-DSK><a1b2c3d4><7><SIP Communications Service><fe01.lab.test><call-1><1><INVITE><sip:user1@lab.test><t1><sip:user2@lab.test><t2><sip:user1@lab.test><tel:+4930123><>", false, crypto.SHA1, "0b805be9fa0c8cda356a7e7f8c0df890be8a3050"},
	} {
		t.Run(v.name, func(t *testing.T) {
			keys := tlsdsk.Keys{Client: client, Server: server, Hash: v.hash}
			sign, key := keys.SignClient, client
			if v.server {
				sign, key = keys.SignServer, server
			}
			if got := sign(v.input); got != v.want {
				t.Errorf("signature %s, want %s", got, v.want)
			}
			if !tlsdsk.Verify(key, v.hash, v.input, strings.ToUpper(v.want)) {
				t.Error("the upper-case signature that pidgin-sipe sends is refused")
			}
			for _, wrong := range []string{"", v.want[2:], v.want + "00", "00" + v.want[2:], "zz" + v.want[2:]} {
				if tlsdsk.Verify(key, v.hash, v.input, wrong) {
					t.Errorf("signature %q accepted", wrong)
				}
			}
			if tlsdsk.Verify(key, v.hash, v.input+" ", v.want) {
				t.Error("another input accepted")
			}
		})
	}
}

func TestKeysAreMasked(t *testing.T) {
	keys := tlsdsk.Keys{Client: []byte("client key"), Server: []byte("server key"), Hash: crypto.SHA1}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %x", keys, keys, keys, keys, keys), fmt.Sprintf("%+v", struct{ K tlsdsk.Keys }{keys})} {
		if strings.Contains(text, "key") || strings.Contains(text, "6b6579") || strings.Contains(text, "107 101") {
			t.Errorf("keys printed: %s", text)
		}
	}
}

// The flights of V4 as bytes (sip.md §8.3, §8.6).
func TestFlightsOfV4(t *testing.T) {
	for data, want := range map[string]string{
		"FgMBADUBAAAxAwFrAt3g24ywIR2S9FmwOddE6ZBZf6swNl9r/H1yUuENBAAACgAEAAUALwA1AAMBAA==": "16 0301 0035 01 000031 0301 6b02dde0db8cb0211d92f459b039d744e990597fab30365f6bfc7d7252e10d04 00 000a 0004 0005 002f 0035 0003 01 00",
		"FAMBAAEBFgMBADBDfcbHTLO9FD5tknJTVSP8KSYk7GlB9kC0gbNfAANct7v8spyLMTlaCQvAg9iufGY=": "14 0301 0001 01 16 0301 0030 437dc6c74cb3bd143e6d9272535523fc292624ec6941f640b481b35f00035cb7bbfcb29c8b31395a090bc083d8ae7c66",
	} {
		got, err := base64.StdEncoding.DecodeString(data)
		if err != nil || hex.EncodeToString(got) != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%s is %x, %v", data, got, err)
		}
	}
}
