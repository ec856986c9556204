package ntlm

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
)

// Handshake is what one handshake was so far, byte for byte: the message integrity code is over all three messages.
type Handshake struct{ Negotiate, Challenge, Authenticate []byte }

// Verify checks the AUTHENTICATE_MESSAGE as a server does ([MS-NLMP] 3.2.5.1.2), with the NTOWFv1 of the password of
// the user whom the message names, and returns the exported session key.
func (h Handshake) Verify(password Key) (Key, error) {
	challenge, err := ParseChallenge(h.Challenge)
	if err != nil {
		return Key{}, err
	}
	a, err := ParseAuthenticate(h.Authenticate)
	if err != nil {
		return Key{}, err
	}
	response, err := a.Response()
	if err != nil {
		return Key{}, err
	}
	v2 := NTOWFv2(password, a.User, a.Domain)
	proof, exported := keys(v2, challenge.ServerChallenge, a.NTResponse[len(response.Proof):])
	if !hmac.Equal(proof[:], response.Proof[:]) {
		return Key{}, ErrProof
	}
	if a.Flags.Has(KeyExchange) && len(a.SessionKey) > 0 {
		exported = exchange(exported, a.SessionKey)
	}
	if a.MIC != nil {
		if mic := h.mic(exported); !hmac.Equal(mic[:], a.MIC[:]) {
			return Key{}, ErrMIC
		}
	}
	return exported, nil
}

// mic is the code over the three messages, the last one with zeros in its place.
func (h Handshake) mic(exported Key) Key {
	last := bytes.Clone(h.Authenticate)
	clear(last[atMIC : atMIC+micSize])
	return sum(exported, h.Negotiate, h.Challenge, last)
}

// Client is who answers a challenge, and what else goes into the answer.
type Client struct {
	User, Domain, Workstation string
	Password                  Key // NTOWFv1
	Version                   Version
	Time                      uint64 // used if the challenge has none
	Challenge                 [8]byte
	SessionKey                Key // used if keys are exchanged; both random
}

// Respond writes the AUTHENTICATE_MESSAGE to a handshake's challenge as [MS-NLMP] 3.1.5.1.2 has it: with the server's
// time comes a message integrity code and no LMv2 response, without it the other way round.
func (c Client) Respond(h Handshake) ([]byte, error) {
	challenge, err := ParseChallenge(h.Challenge)
	if err != nil {
		return nil, err
	}
	v2 := NTOWFv2(c.Password, c.User, c.Domain)
	a := Authenticate{
		Flags:  challenge.Flags&^(TargetDomain|TargetServer) | RequestTarget,
		Domain: c.Domain, User: c.User, Workstation: c.Workstation, Version: c.Version,
		LMResponse: make([]byte, oldResponseSize),
	}
	if a.Flags.Has(Unicode) {
		a.Flags &^= OEM
	}
	response := Response{Time: c.Time, ClientChallenge: c.Challenge, TargetInfo: challenge.TargetInfo, Rest: make([]byte, 4)}
	if stamp, ok := find(challenge.TargetInfo, AVTimestamp); ok {
		response.Time, a.MIC = binary.LittleEndian.Uint64(stamp), new([micSize]byte)
		response.TargetInfo = withMIC(challenge.TargetInfo)
	} else {
		lm := sum(v2, challenge.ServerChallenge[:], c.Challenge[:])
		a.LMResponse = append(lm[:], c.Challenge[:]...)
	}
	temp, err := response.Append(nil)
	if err != nil {
		return nil, err
	}
	proof, exported := keys(v2, challenge.ServerChallenge, temp[len(response.Proof):])
	a.NTResponse = append(proof[:], temp[len(response.Proof):]...)
	if a.Flags.Has(KeyExchange) {
		encrypted := exchange(exported, c.SessionKey[:])
		a.SessionKey, exported = encrypted[:], c.SessionKey
	}
	if h.Authenticate, err = a.Append(nil); err != nil {
		return nil, fmt.Errorf("own response: %w", err)
	}
	if a.MIC != nil {
		mic := h.mic(exported)
		copy(h.Authenticate[atMIC:], mic[:])
	}
	return h.Authenticate, nil
}

// withMIC sets the bit of MsvAvFlags, in a pair of its own if there is none.
func withMIC(pairs []AVPair) []AVPair {
	var out []AVPair
	flags := uint32(avFlagMIC)
	for _, p := range pairs {
		if p.ID == AVFlags && len(p.Value) == flagsSize {
			flags |= binary.LittleEndian.Uint32(p.Value)
			continue
		}
		out = append(out, p)
	}
	return append(out, AVPair{AVFlags, binary.LittleEndian.AppendUint32(nil, flags)})
}
