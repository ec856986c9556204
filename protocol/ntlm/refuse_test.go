package ntlm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// edited replaces bytes of a message, given as pairs of place and hex.
func edited(t *testing.T, text string, pairs ...any) []byte {
	t.Helper()
	b := unhex(t, text)
	for i := 0; i < len(pairs); i += 2 {
		copy(b[pairs[i].(int):], unhex(t, pairs[i+1].(string)))
	}
	return b
}

func TestParseRefuses(t *testing.T) {
	negotiate := func(b []byte) error { _, err := ParseNegotiate(b); return err }
	challenge := func(b []byte) error { _, err := ParseChallenge(b); return err }
	authenticate := func(b []byte) error { _, err := ParseAuthenticate(b); return err }
	withDomain := "4e544c4d53535000 01000000 07120800 0200020020000000 0000000022000000 4142"
	for _, test := range []struct {
		name  string
		parse func([]byte) error
		b     []byte
		want  string
	}{
		{"nothing", negotiate, nil, "signature"},
		{"signature alone", negotiate, []byte(signature), "signature"},
		{"another signature", challenge, edited(t, specChallenge, 0, "58"), "signature"},
		{"oversize", authenticate, append(unhex(t, specAnswer), make([]byte, MaxSize)...), "at most 8192"},
		{"type", challenge, unhex(t, specAnswer), "type 3, 2 expected"},
		{"short negotiate", negotiate, unhex(t, micNegotiate)[:31], "31 bytes, 32 at least"},
		{"short challenge", challenge, unhex(t, specChallenge)[:47], "47 bytes, 48 at least"},
		{"short answer", authenticate, unhex(t, specAnswer)[:63], "63 bytes, 64 at least"},
		{"no version in negotiate", negotiate, edited(t, micNegotiate, atNegotiateFlags+3, "02"), "version is missing"},
		{"no version in challenge", challenge, edited(t, specChallenge, atChallengeTarget, "0000", atChallengeInfo, "0000")[:48], "no end"},
		{"domain beyond the end", negotiate, edited(t, withDomain, atNegotiateDomain+4, "21"), "2 bytes at 33 in 34"},
		{"domain in the fixed part", negotiate, edited(t, withDomain, atNegotiateDomain+4, "1f"), "2 bytes at 31 in 34"},
		{"an offset beyond 2^31", negotiate, edited(t, withDomain, atNegotiateDomain+4, "ffffffff"), "at 4294967295"},
		{"fields that overlap", authenticate, edited(t, micAnswer, atAuthenticateLM, "ff00"), "a field of"},
		{"challenge without character set", challenge, edited(t, specChallenge, atChallengeFlags, "30"), ErrCharset.Error()},
		{"target outside ASCII", challenge, edited(t, specChallenge, atChallengeFlags, "32", 56, "e4"), "outside ASCII"},
		{"answer without character set", authenticate, edited(t, specAnswer, atAuthenticateFlags, "34"), ErrCharset.Error()},
		{"half a character", challenge, edited(t, specChallenge, atChallengeTarget, "0b00"), "text of 11 bytes"},
		{"half a surrogate pair", authenticate, edited(t, specAnswer, 72, "00d8"), "surrogate"},
		{"target information without end", challenge, edited(t, specChallenge, atChallengeInfo, "2000"), "no end"},
		{"target information of nothing", challenge, edited(t, specChallenge, atChallengeInfo, "0000"), "no end"},
		{"a pair beyond the end", challenge, edited(t, specChallenge, 68+2, "ff"), "AV pair 2 of 255 bytes, 32 are left"},
		{"an end with bytes", challenge, edited(t, specChallenge, 68, "0000"), "end of the AV pairs has 12 bytes"},
		{"flags of 12 bytes", challenge, edited(t, specChallenge, 68, "0600"), "AV pair 6 of 12 bytes, 4 expected"},
		{"a time of 12 bytes", challenge, edited(t, specChallenge, 68, "0700"), "AV pair 7 of 12 bytes, 8 expected"},
		{"something after the pairs", challenge, append(edited(t, specChallenge, atChallengeInfo, "2600"), 0, 0), "2 bytes after the target information"},
		{"session key of 8 bytes", authenticate, edited(t, specAnswer, atAuthenticateKey, "0800"), "session key of 8 bytes"},
		{"no room for the integrity code", authenticate, withoutMIC(t), "integrity code is missing"},
	} {
		if err := test.parse(test.b); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrCharset) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// withoutMIC is the answer that announces a message integrity code, without the 16 bytes of it.
func withoutMIC(t *testing.T) []byte {
	t.Helper()
	b := unhex(t, micAnswer)
	for _, at := range []int{atAuthenticateLM, atAuthenticateNT, atAuthenticateDomain, atAuthenticateUser, atAuthenticateHost} {
		offset := int(b[at+4]) | int(b[at+5])<<8 - micSize
		b[at+4], b[at+5] = byte(offset), byte(offset>>8)
	}
	return append(b[:atMIC:atMIC], b[atMIC+micSize:]...)
}

// Old and anonymous responses are read, and no server takes them.
func TestVerifyRefuses(t *testing.T) {
	answer := func(change func(*Authenticate)) []byte {
		a, err := ParseAuthenticate(unhex(t, specAnswer))
		if err != nil {
			t.Fatal(err)
		}
		change(&a)
		b, err := a.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, test := range map[string]struct {
		change func(*Authenticate)
		want   error
	}{
		"NTLMv1":           {func(a *Authenticate) { a.NTResponse = a.NTResponse[:24] }, ErrVersion},
		"LM alone":         {func(a *Authenticate) { a.NTResponse = nil }, ErrVersion},
		"nobody":           {func(a *Authenticate) { a.User, a.NTResponse, a.LMResponse = "", nil, []byte{0} }, ErrAnonymous},
		"anonymous":        {func(a *Authenticate) { a.Flags |= Anonymous }, ErrAnonymous},
		"short NTLMv2":     {func(a *Authenticate) { a.NTResponse = a.NTResponse[:40] }, ErrMalformed},
		"no pairs":         {func(a *Authenticate) { a.NTResponse = a.NTResponse[:44] }, ErrMalformed},
		"another version":  {func(a *Authenticate) { a.NTResponse[16] = 2 }, ErrMalformed},
		"reserved bytes":   {func(a *Authenticate) { a.NTResponse[18] = 1 }, ErrMalformed},
		"another proof":    {func(a *Authenticate) { a.NTResponse[0] ^= 1 }, ErrProof},
		"another time":     {func(a *Authenticate) { a.NTResponse[24] ^= 1 }, ErrProof},
		"another user":     {func(a *Authenticate) { a.User = "Else" }, ErrProof},
		"another domain":   {func(a *Authenticate) { a.Domain = "Else" }, ErrProof},
		"no names":         {func(a *Authenticate) { a.User, a.Domain = "", "" }, ErrProof},
		"user in lower":    {func(a *Authenticate) { a.User = "user" }, nil},
		"another computer": {func(a *Authenticate) { a.Workstation = "" }, nil}, // nothing covers it without an integrity code
	} {
		h := Handshake{Challenge: unhex(t, specChallenge), Authenticate: answer(test.change)}
		if _, err := h.Verify(NTOWFv1("Password")); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	again := Handshake{Challenge: edited(t, specChallenge, atChallengeNonce, "00"), Authenticate: unhex(t, specAnswer)}
	if _, err := again.Verify(NTOWFv1("Password")); !errors.Is(err, ErrProof) {
		t.Errorf("an answer to another challenge: %v", err)
	}
}

// Both sides together, as far as the document has no example: with the server's time there is an integrity code.
func TestRespondWithTime(t *testing.T) {
	stamp := AVPair{AVTimestamp, unhex(t, "800bc8fd00d4d201")}
	for name, test := range map[string]struct {
		flags Flags
		info  []AVPair
	}{
		"key exchange":             {Unicode | NTLM | WithTargetInfo | Sign | KeyExchange, []AVPair{stamp}},
		"no key exchange":          {Unicode | NTLM | WithTargetInfo, []AVPair{TextPair(AVDNSDomain, "litwareinc.com"), stamp}},
		"flags of the server's":    {Unicode | NTLM | WithTargetInfo, []AVPair{{AVFlags, []byte{1, 0, 0, 0}}, stamp}},
		"no time":                  {Unicode | NTLM | WithTargetInfo, []AVPair{TextPair(AVDNSDomain, "litwareinc.com")}},
		"no target information":    {Unicode | NTLM, nil},
		"OEM":                      {OEM | NTLM | WithTargetInfo, []AVPair{TextPair(AVDNSDomain, "litwareinc.com"), stamp}},
		"Unicode before OEM":       {Unicode | OEM | NTLM, nil},
		"empty target information": {Unicode | NTLM | WithTargetInfo, nil},
	} {
		h := Handshake{Negotiate: unhex(t, micNegotiate)}
		var err error
		if h.Challenge, err = (Challenge{Flags: test.flags, ServerChallenge: fixed8(7), TargetInfo: test.info}).Append(nil); err != nil {
			t.Fatal(err)
		}
		client := Client{User: "kenmyer@litwareinc.com", Password: NTOWFv1("pässwörd 🔑"), Time: 5, Challenge: fixed8(3), SessionKey: Key{9}}
		if h.Authenticate, err = client.Respond(h); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a, err := ParseAuthenticate(h.Authenticate)
		if err != nil {
			t.Fatal(err)
		}
		timed := strings.Contains(fmt.Sprint(test.info), fmt.Sprint(stamp))
		if (a.MIC != nil) != timed || bytes.Equal(a.LMResponse, make([]byte, 24)) != timed {
			t.Errorf("%s: integrity code %x, LM response %x", name, a.MIC, a.LMResponse)
		}
		exported, err := h.Verify(client.Password)
		if err != nil || (exported == client.SessionKey) != test.flags.Has(KeyExchange) {
			t.Errorf("%s: %v, session key %x", name, err, exported[:])
		}
		if _, err := h.Verify(NTOWFv1("another")); !errors.Is(err, ErrProof) {
			t.Errorf("%s, another password: %v", name, err)
		}
	}
	if _, err := (Client{}).Respond(Handshake{Challenge: unhex(t, micNegotiate)}); !errors.Is(err, ErrMalformed) {
		t.Errorf("an answer to no challenge: %v", err)
	}
}

func TestAppendRefuses(t *testing.T) {
	long := strings.Repeat("a", MaxSize/2)
	for name, write := range map[string]func() ([]byte, error){
		"domain without flag":             func() ([]byte, error) { return Negotiate{Domain: "D"}.Append(nil) },
		"workstation without flag":        func() ([]byte, error) { return Negotiate{Workstation: "W"}.Append(nil) },
		"challenge without character set": func() ([]byte, error) { return Challenge{}.Append(nil) },
		"target information without flag": func() ([]byte, error) { return Challenge{Flags: Unicode, TargetInfo: make([]AVPair, 1)}.Append(nil) },
		"end among the pairs": func() ([]byte, error) {
			return Challenge{Flags: Unicode | WithTargetInfo, TargetInfo: make([]AVPair, 1)}.Append(nil)
		},
		"long pair": func() ([]byte, error) {
			return Challenge{Flags: Unicode | WithTargetInfo, TargetInfo: []AVPair{{1, make([]byte, 0x10000)}}}.Append(nil)
		},
		"long target":                  func() ([]byte, error) { return Challenge{Flags: Unicode, TargetName: long}.Append(nil) },
		"target outside ASCII":         func() ([]byte, error) { return Challenge{Flags: OEM, TargetName: "ä"}.Append(nil) },
		"target that is no text":       func() ([]byte, error) { return Challenge{Flags: Unicode, TargetName: "\xff"}.Append(nil) },
		"answer without character set": func() ([]byte, error) { return Authenticate{}.Append(nil) },
		"answer of 64 KiB": func() ([]byte, error) {
			return Authenticate{Flags: Unicode, NTResponse: make([]byte, 0x10000)}.Append(nil)
		},
		"short session key":         func() ([]byte, error) { return Authenticate{Flags: Unicode, SessionKey: make([]byte, 8)}.Append(nil) },
		"integrity code unexpected": func() ([]byte, error) { return Authenticate{Flags: Unicode, MIC: new([16]byte)}.Append(nil) },
	} {
		if b, err := write(); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrCharset) {
			t.Errorf("%s: wrote %d bytes, %v", name, len(b), err)
		}
	}
}

func TestKeysAreMasked(t *testing.T) {
	k := NTOWFv1("Password")
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%v %x %d %#v %s", k, k, k, k, &k), fmt.Sprintf("%+v", Client{Password: k})} {
		if strings.Contains(text, "a4f4") || strings.Contains(text, "164 244") || !strings.Contains(text, "***") {
			t.Errorf("printed as %s", text)
		}
	}
}
