package ntlm

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Authenticate is the AUTHENTICATE_MESSAGE, [MS-NLMP] 2.2.1.3.
type Authenticate struct {
	Flags                     Flags
	Domain, User, Workstation string
	LMResponse, NTResponse    []byte
	SessionKey                []byte    // EncryptedRandomSessionKey, none or 16 bytes
	Version                   Version   // if negotiated
	MIC                       *[16]byte // nil unless the response says that there is one
}

const (
	authenticateFixed     = 64 // without version, as curl and go-ntlmssp write it
	authenticateVersion   = authenticateFixed + versionSize
	authenticateWhole     = authenticateVersion + micSize
	atAuthenticateLM      = 12
	atAuthenticateNT      = 20
	atAuthenticateDomain  = 28
	atAuthenticateUser    = 36
	atAuthenticateHost    = 44
	atAuthenticateKey     = 52
	atAuthenticateFlags   = 60
	atAuthenticateVersion = 64
	atMIC                 = 72
	micSize               = 16
)

// ParseAuthenticate reads a message. Its payload tells where the fixed part ends: nothing in the message says whether
// it has a version and room for a message integrity code.
func ParseAuthenticate(b []byte) (Authenticate, error) {
	var a Authenticate
	if err := check(b, TypeAuthenticate, authenticateFixed); err != nil {
		return a, err
	}
	a.Flags = Flags(binary.LittleEndian.Uint32(b[atAuthenticateFlags:]))
	if a.Flags&(Unicode|OEM) == 0 {
		return a, ErrCharset
	}
	var domain, user, workstation []byte
	fields := newPayload(b, authenticateFixed)
	for _, f := range []struct {
		at int
		to *[]byte
	}{
		{atAuthenticateLM, &a.LMResponse},
		{atAuthenticateNT, &a.NTResponse},
		{atAuthenticateDomain, &domain},
		{atAuthenticateUser, &user},
		{atAuthenticateHost, &workstation},
		{atAuthenticateKey, &a.SessionKey},
	} {
		var err error
		if *f.to, err = fields.take(f.at); err != nil {
			return a, err
		}
	}
	var err error
	for _, f := range []struct {
		from []byte
		to   *string
	}{{domain, &a.Domain}, {user, &a.User}, {workstation, &a.Workstation}} {
		if *f.to, err = decodeText(f.from, a.Flags); err != nil {
			return a, err
		}
	}
	if n := len(a.SessionKey); n != 0 && n != keySize {
		return a, fmt.Errorf("%w: a session key of %d bytes", ErrMalformed, n)
	}
	if a.Flags.Has(WithVersion) && fields.first >= authenticateVersion {
		a.Version = parseVersion(b[atAuthenticateVersion:])
	}
	if a.hasMIC() {
		if fields.first < authenticateWhole {
			return a, fmt.Errorf("%w: the message integrity code is missing", ErrMalformed)
		}
		a.MIC = (*[micSize]byte)(bytes.Clone(b[atMIC:authenticateWhole]))
	}
	return a, nil
}

func (a Authenticate) hasMIC() bool {
	response, err := ParseResponse(a.NTResponse)
	return err == nil && saysMIC(response.TargetInfo)
}

// Append writes the message.
func (a Authenticate) Append(b []byte) ([]byte, error) {
	switch {
	case a.Flags&(Unicode|OEM) == 0:
		return nil, ErrCharset
	case a.hasMIC() != (a.MIC != nil):
		return nil, fmt.Errorf("%w: a message integrity code goes with its flag in the response", ErrMalformed)
	case len(a.SessionKey) != 0 && len(a.SessionKey) != keySize:
		return nil, fmt.Errorf("%w: a session key of %d bytes", ErrMalformed, len(a.SessionKey))
	}
	fixed := authenticateVersion
	if a.MIC != nil {
		fixed = authenticateWhole
	}
	m := newBuilder(TypeAuthenticate, fixed)
	binary.LittleEndian.PutUint32(m.b[atAuthenticateFlags:], uint32(a.Flags))
	if a.Flags.Has(WithVersion) {
		a.Version.put(m.b[atAuthenticateVersion:])
	}
	if a.MIC != nil {
		copy(m.b[atMIC:], a.MIC[:])
	}
	m.putText(atAuthenticateDomain, a.Domain, a.Flags)
	m.putText(atAuthenticateUser, a.User, a.Flags)
	m.putText(atAuthenticateHost, a.Workstation, a.Flags)
	m.put(atAuthenticateLM, a.LMResponse)
	m.put(atAuthenticateNT, a.NTResponse)
	m.put(atAuthenticateKey, a.SessionKey)
	return m.appendTo(b)
}

// Response returns the NTLMv2 response, or why the message has none: it is anonymous ([MS-NLMP] 3.2.5.1.2), or of LM
// or NTLMv1, whose responses have 24 bytes (2.2.2.6).
func (a Authenticate) Response() (Response, error) {
	switch {
	case a.Flags.Has(Anonymous) || a.User == "" && len(a.NTResponse) == 0:
		return Response{}, ErrAnonymous
	case len(a.NTResponse) <= oldResponseSize:
		return Response{}, ErrVersion
	}
	return ParseResponse(a.NTResponse)
}
