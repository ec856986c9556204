package ntlm

import (
	"encoding/binary"
	"fmt"
)

// Negotiate is the NEGOTIATE_MESSAGE, [MS-NLMP] 2.2.1.1: what the client can do.
type Negotiate struct {
	Flags               Flags
	Domain, Workstation string  // of the client's computer, in its OEM character set; empty unless the flags say so
	Version             Version // if negotiated
}

const (
	negotiateFixed     = 32 // without version, as curl writes it
	negotiateWhole     = 40
	atNegotiateFlags   = 12
	atNegotiateDomain  = 16
	atNegotiateHost    = 24
	atNegotiateVersion = 32
)

// ParseNegotiate reads a message.
func ParseNegotiate(b []byte) (Negotiate, error) {
	var n Negotiate
	if err := check(b, TypeNegotiate, negotiateFixed); err != nil {
		return n, err
	}
	fields := newPayload(b, negotiateFixed)
	n.Flags = Flags(binary.LittleEndian.Uint32(b[atNegotiateFlags:]))
	for _, f := range []struct {
		flag Flags
		at   int
		to   *string
	}{{DomainSupplied, atNegotiateDomain, &n.Domain}, {WorkstationSupplied, atNegotiateHost, &n.Workstation}} {
		if !n.Flags.Has(f.flag) {
			continue
		}
		text, err := fields.take(f.at)
		if err != nil {
			return n, err
		}
		*f.to = string(text)
	}
	if n.Flags.Has(WithVersion) {
		if len(b) < negotiateWhole {
			return n, fmt.Errorf("%w: the version is missing", ErrMalformed)
		}
		n.Version = parseVersion(b[atNegotiateVersion:])
	}
	return n, nil
}

// Append writes the message.
func (n Negotiate) Append(b []byte) ([]byte, error) {
	if n.Domain != "" && !n.Flags.Has(DomainSupplied) || n.Workstation != "" && !n.Flags.Has(WorkstationSupplied) {
		return nil, fmt.Errorf("%w: a domain or workstation that the flags do not announce", ErrMalformed)
	}
	m := newBuilder(TypeNegotiate, negotiateWhole)
	binary.LittleEndian.PutUint32(m.b[atNegotiateFlags:], uint32(n.Flags))
	if n.Flags.Has(WithVersion) {
		n.Version.put(m.b[atNegotiateVersion:])
	}
	m.put(atNegotiateDomain, []byte(n.Domain))
	m.put(atNegotiateHost, []byte(n.Workstation))
	return m.appendTo(b)
}
