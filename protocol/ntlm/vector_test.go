package ntlm

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The common values and the messages of [MS-NLMP] 4.2.1, 4.2.4 and 4.2.4.3: user User of Domain at COMPUTER, Password.
const (
	specChallenge = "4e544c4d53535000 02000000 0c000c0038000000 33828ae2 0123456789abcdef 0000000000000000 2400240044000000 060070170000000f" +
		"530065007200760065007200" + specTargetInfo
	specTargetInfo = "02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000"
	specTemp       = "0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000" + specTargetInfo + "00000000"
	specProof      = "68cd0ab851e51c96aabc927bebef6a1c"
	specLM         = "86c35097ac9cec102554764a57cccc19 aaaaaaaaaaaaaaaa"
	specSessionKey = "c5dad2544fc9799094ce1ce90bc9d03e"
	specAnswer     = "4e544c4d53535000 03000000 180018006c000000 5400540084000000 0c000c0048000000 0800080054000000 100010005c000000" +
		"10001000d8000000 358288e2 0501280a0000000f 44006f006d00610069006e00 5500730065007200 43004f004d0050005500540045005200" +
		specLM + specProof + specTemp + specSessionKey
	specNTOWFv1 = "a4f49c406510bdcab6824ee7c30fd852"
	specNTOWFv2 = "0c868a403bfd7a93a3001ef22ef02e3f"
	specBase    = "8de40ccadbc14a82f15cb0ad0de95ca3"
)

// A handshake with message integrity code, of Chromium's tests (net/ntlm/ntlm_test_data.h): the document's names and
// challenge, but with the client's time and a target name.
const (
	micNegotiate = "4e544c4d53535000 01000000 07820800 0000000020000000 0000000020000000"
	micAnswer    = "4e544c4d53535000 03000000 1800180058000000 8a008a0070000000 0c000c00fa000000 0800080006010000 100010000e010000" +
		"0000000058000000 03820800 0000000000000000 f7361633f0ad9bdf4a7c421bc6b824a3" +
		"000000000000000000000000000000000000000000000000 8c0260dbef690662af9c42d50782d2ed" +
		"0101000000000000 800bc8fd00d4d201 aaaaaaaaaaaaaaaa 00000000 02000c0044006f006d00610069006e00 01000c00530065007200760065007200" +
		"0600040002000000 0a0010006586e99d81c2fc984e47172fd4dd0310 0900160048005400540050002f00530065007200760065007200 00000000 00000000" +
		"44006f006d00610069006e00 5500730065007200 43004f004d0050005500540045005200"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(t testing.TB, text string) Key {
	t.Helper()
	return Key(unhex(t, text))
}

// fixed8 is eight times the same byte.
func fixed8(b byte) [8]byte { return [8]byte(bytes.Repeat([]byte{b}, 8)) }

func TestHashes(t *testing.T) {
	if got := NTOWFv1("Password"); got != key(t, specNTOWFv1) {
		t.Errorf("NTOWFv1 %x, want %s", got[:], specNTOWFv1)
	}
	v2 := NTOWFv2(NTOWFv1("Password"), "User", "Domain")
	if v2 != key(t, specNTOWFv2) {
		t.Errorf("NTOWFv2 %x, want %s", v2[:], specNTOWFv2)
	}
	if NTOWFv2(NTOWFv1("Password"), "uSER", "Domain") != v2 || NTOWFv2(NTOWFv1("Password"), "User", "DOMAIN") == v2 {
		t.Error("the case of the user does not matter, that of the domain does")
	}
	proof, base := keys(v2, [8]byte(unhex(t, "0123456789abcdef")), unhex(t, specTemp))
	if proof != key(t, specProof) || base != key(t, specBase) {
		t.Errorf("proof %x, session base key %x", proof[:], base[:])
	}
	if got := exchange(base, bytes.Repeat([]byte{0x55}, 16)); got != key(t, specSessionKey) {
		t.Errorf("encrypted random session key %x, want %s", got[:], specSessionKey)
	}
}

func TestChallengeOfTheDocument(t *testing.T) {
	got, err := ParseChallenge(unhex(t, specChallenge))
	if err != nil {
		t.Fatal(err)
	}
	want := Challenge{
		Flags: Unicode | OEM | Sign | Seal | NTLM | AlwaysSign | TargetServer | ExtendedSessionSecurity | WithTargetInfo | WithVersion |
			Key128 | KeyExchange | Key56,
		TargetName: "Server", ServerChallenge: [8]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef},
		TargetInfo: []AVPair{TextPair(AVNetBIOSDomain, "Domain"), TextPair(AVNetBIOSComputer, "Server")}, Version: Version{6, 0, 6000, 15},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b, err := want.Append(nil); err != nil || !bytes.Equal(b, unhex(t, specChallenge)) {
		t.Errorf("wrote %x, %v", b, err)
	}
}

func TestAnswerOfTheDocument(t *testing.T) {
	got, err := ParseAuthenticate(unhex(t, specAnswer))
	if err != nil {
		t.Fatal(err)
	}
	want := Authenticate{
		Flags: Unicode | RequestTarget | Sign | Seal | NTLM | AlwaysSign | ExtendedSessionSecurity | WithTargetInfo | WithVersion |
			Key128 | KeyExchange | Key56,
		Domain: "Domain", User: "User", Workstation: "COMPUTER", LMResponse: unhex(t, specLM), NTResponse: unhex(t, specProof+specTemp),
		SessionKey: unhex(t, specSessionKey), Version: Version{5, 1, 2600, 15},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b, err := want.Append(nil); err != nil || !bytes.Equal(b, unhex(t, specAnswer)) {
		t.Errorf("wrote %x, %v", b, err)
	}
	response, err := got.Response()
	if err != nil {
		t.Fatal(err)
	}
	wantResponse := Response{
		Proof: [16]byte(unhex(t, specProof)), ClientChallenge: fixed8(0xaa), Rest: make([]byte, 4),
		TargetInfo: []AVPair{TextPair(AVNetBIOSDomain, "Domain"), TextPair(AVNetBIOSComputer, "Server")},
	}
	if diff := cmp.Diff(wantResponse, response); diff != "" {
		t.Error(diff)
	}
}

// The client's side alone: the document's answer, byte for byte.
func TestRespondAsTheDocument(t *testing.T) {
	client := Client{
		User: "User", Domain: "Domain", Workstation: "COMPUTER", Password: NTOWFv1("Password"), Version: Version{5, 1, 2600, 15},
		Challenge: fixed8(0xaa), SessionKey: Key(bytes.Repeat([]byte{0x55}, 16)),
	}
	got, err := client.Respond(Handshake{Challenge: unhex(t, specChallenge)})
	if err != nil || !bytes.Equal(got, unhex(t, specAnswer)) {
		t.Errorf("answer %x, %v\nwant   %s", got, err, strings.ReplaceAll(specAnswer, " ", ""))
	}
}

// The server's side alone: the document's answer to the document's challenge.
func TestVerifyTheDocument(t *testing.T) {
	h := Handshake{Challenge: unhex(t, specChallenge), Authenticate: unhex(t, specAnswer)}
	exported, err := h.Verify(key(t, specNTOWFv1))
	if err != nil || exported != Key(bytes.Repeat([]byte{0x55}, 16)) {
		t.Errorf("exported session key %x, %v", exported[:], err)
	}
	if _, err := h.Verify(NTOWFv1("password")); err == nil || !strings.Contains(err.Error(), ErrProof.Error()) {
		t.Errorf("another password: %v", err)
	}
}

func TestVerifyMIC(t *testing.T) {
	h := Handshake{unhex(t, micNegotiate), unhex(t, specChallenge), unhex(t, micAnswer)}
	if _, err := h.Verify(NTOWFv1("Password")); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Handshake){
		"the code":       func(h *Handshake) { h.Authenticate[atMIC] ^= 1 },
		"what was asked": func(h *Handshake) { h.Negotiate[15] ^= 0x20 },
		"the challenge":  func(h *Handshake) { h.Challenge[50] ^= 1 }, // its version: the proof does not cover it
		"the flags":      func(h *Handshake) { h.Authenticate[atAuthenticateFlags+1] ^= 0x80 },
		"the computer":   func(h *Handshake) { h.Authenticate[len(h.Authenticate)-2] ^= 1 },
	} {
		h := Handshake{bytes.Clone(h.Negotiate), bytes.Clone(h.Challenge), bytes.Clone(h.Authenticate)}
		change(&h)
		if _, err := h.Verify(NTOWFv1("Password")); err == nil || !strings.Contains(err.Error(), ErrMIC.Error()) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
}

func TestFileTime(t *testing.T) {
	// 800bc8fd00d4d201 of the handshake above, as Chromium's test says it.
	if got := FileTime(time.Date(2017, 5, 23, 20, 13, 7, 0, time.UTC)); got != 0x01d2d400fdc80b80 {
		t.Errorf("%#x", got)
	}
	if got := FileTime(time.Date(1601, 1, 1, 0, 0, 0, 100, time.UTC)); got != 1 {
		t.Errorf("%#x", got)
	}
}
