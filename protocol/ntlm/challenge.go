package ntlm

import (
	"encoding/binary"
	"fmt"
)

// Challenge is the CHALLENGE_MESSAGE, [MS-NLMP] 2.2.1.2.
type Challenge struct {
	Flags           Flags
	TargetName      string // NetBIOS name of the server's domain, or of the server
	ServerChallenge [8]byte
	TargetInfo      []AVPair // none unless the flags say so
	Version         Version  // if negotiated
}

const (
	challengeFixed     = 48 // without version
	challengeWhole     = 56
	atChallengeTarget  = 12
	atChallengeFlags   = 20
	atChallengeNonce   = 24
	atChallengeInfo    = 40
	atChallengeVersion = 48
)

// ParseChallenge reads a message.
func ParseChallenge(b []byte) (Challenge, error) {
	var c Challenge
	if err := check(b, TypeChallenge, challengeFixed); err != nil {
		return c, err
	}
	c.Flags = Flags(binary.LittleEndian.Uint32(b[atChallengeFlags:]))
	if c.Flags&(Unicode|OEM) == 0 {
		return c, ErrCharset
	}
	copy(c.ServerChallenge[:], b[atChallengeNonce:])
	fields := newPayload(b, challengeFixed)
	name, err := fields.take(atChallengeTarget)
	if err != nil {
		return c, err
	}
	if c.TargetName, err = decodeText(name, c.Flags); err != nil {
		return c, err
	}
	if c.Flags.Has(WithTargetInfo) {
		info, err := fields.take(atChallengeInfo)
		if err != nil {
			return c, err
		}
		pairs, rest, err := parsePairs(info)
		if err != nil {
			return c, err
		}
		if len(rest) > 0 {
			return c, fmt.Errorf("%w: %d bytes after the target information", ErrMalformed, len(rest))
		}
		c.TargetInfo = pairs
	}
	if c.Flags.Has(WithVersion) {
		if len(b) < challengeWhole {
			return c, fmt.Errorf("%w: the version is missing", ErrMalformed)
		}
		c.Version = parseVersion(b[atChallengeVersion:])
	}
	return c, nil
}

// Append writes the message.
func (c Challenge) Append(b []byte) ([]byte, error) {
	switch {
	case c.Flags&(Unicode|OEM) == 0:
		return nil, ErrCharset
	case len(c.TargetInfo) > 0 && !c.Flags.Has(WithTargetInfo):
		return nil, fmt.Errorf("%w: target information that the flags do not announce", ErrMalformed)
	}
	m := newBuilder(TypeChallenge, challengeWhole)
	binary.LittleEndian.PutUint32(m.b[atChallengeFlags:], uint32(c.Flags))
	copy(m.b[atChallengeNonce:], c.ServerChallenge[:])
	if c.Flags.Has(WithVersion) {
		c.Version.put(m.b[atChallengeVersion:])
	}
	m.putText(atChallengeTarget, c.TargetName, c.Flags)
	if c.Flags.Has(WithTargetInfo) {
		info, err := appendPairs(nil, c.TargetInfo)
		if err != nil {
			return nil, err
		}
		m.put(atChallengeInfo, info)
	}
	return m.appendTo(b)
}
