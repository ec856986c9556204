package handset

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

const scheme = "TLS-DSK"

// association is a TLS-DSK security association seen from the handset (sip.md §1).
type association struct {
	opaque, targetName string
	version            int
	keys               tlsdsk.Keys
	cnum               uint32
}

var (
	errBadSignature = errors.New("the signature rspauth is wrong")
	errUnsigned     = errors.New("the message is not signed")
)

// fields are the values of the signature input that come from the message itself (sip.md §3.1).
func (a *association) fields(m *sipmessage.Message, random, num string) tlsdsk.Fields {
	f := sipmessage.Fields(m)
	return tlsdsk.Fields{
		Protocol: scheme, Rand: random, Num: num, Realm: tlsdsk.Realm, TargetName: a.targetName,
		CallID: f.CallID, CSeqNum: f.CSeqNum, CSeqMethod: f.CSeqMethod, FromURI: f.FromURI, FromTag: f.FromTag,
		ToURI: f.ToURI, ToTag: f.ToTag, PAISip: f.PAISip, PAITel: f.PAITel, Expires: f.Expires, Status: f.Status,
	}
}

// sign adds the Authorization header of the handset's next message; every header that enters the input must be final.
// first is REGISTER #4, the only one with a version parameter (sip.md §1.3).
func (a *association) sign(m *sipmessage.Message, first bool) {
	a.cnum++
	random := randomHex(4)
	num := strconv.FormatUint(uint64(a.cnum), 10)
	p := tlsdsk.Params{
		QOP: "auth", Opaque: a.opaque, Realm: tlsdsk.Realm, TargetName: a.targetName, CRand: random, CNum: num,
		Response: a.keys.SignClient(tlsdsk.Input(a.version, a.fields(m, random, num))),
	}
	if first {
		p.Version = strconv.Itoa(a.version)
	}
	insertBefore(m, sipmessage.Header{Name: "Authorization", Value: tlsdsk.AuthorizationSigned(p)}, "Content-Type", "Content-Length")
}

// change has a message changed before it is sent, and signs it anew if the signature covers what is changed.
func (r *registration) change(o Outgoing, m *sipmessage.Message) {
	_, p, err := tlsdsk.ParseParams(m.Get("Authorization"))
	signed := err == nil && p.Response != "" && r.sa != nil && p.Opaque == r.sa.opaque
	input := func() string { return tlsdsk.Input(r.sa.version, r.sa.fields(m, p.CRand, p.CNum)) }
	before := ""
	if signed {
		before = input()
	}
	o.SIP(m)
	if !signed || before == input() {
		return
	}
	p.Response = r.sa.keys.SignClient(input())
	for i, h := range m.Headers {
		if h.Name == "Authorization" {
			m.Headers[i].Value = tlsdsk.AuthorizationSigned(p)
		}
	}
}

// signature is what m says of its signature, "" if it is not signed.
func signature(m *sipmessage.Message) string {
	if value := m.Get("Authentication-Info"); value != "" {
		return value
	}
	return m.Get("Proxy-Authentication-Info")
}

// signed reports whether m says that it is signed by this association.
func (a *association) signed(m *sipmessage.Message) bool {
	_, p, err := tlsdsk.ParseParams(signature(m))
	return err == nil && p.Opaque == a.opaque
}

// verify checks the pool's signature of m.
func (a *association) verify(m *sipmessage.Message) error {
	value := signature(m)
	if value == "" {
		return errUnsigned
	}
	name, p, err := tlsdsk.ParseParams(value)
	if err != nil {
		return fmt.Errorf("Authentication-Info: %w", err)
	}
	if name != scheme || p.Opaque != a.opaque || p.Realm != tlsdsk.Realm || p.TargetName != a.targetName {
		return fmt.Errorf("%w: it names another security association", errBadSignature)
	}
	if !tlsdsk.Verify(a.keys.Server, a.keys.Hash, tlsdsk.Input(a.version, a.fields(m, p.SRand, p.SNum)), p.RSPAuth) {
		return errBadSignature
	}
	return nil
}

// insertBefore puts h before the first header with one of the names, else at the end.
func insertBefore(m *sipmessage.Message, h sipmessage.Header, names ...string) {
	for i, have := range m.Headers {
		for _, n := range names {
			if have.Name == n {
				m.Headers = append(m.Headers[:i], append([]sipmessage.Header{h}, m.Headers[i:]...)...)
				return
			}
		}
	}
	m.Headers = append(m.Headers, h)
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, crypto/rand
	return hex.EncodeToString(b)
}

// innerTLS is the handset's side of the handshake inside SIP: the profile's versions and suites, the client
// certificate given unconditionally, the server's certificate not checked beyond the outer connection's (sip.md §1.4, §2.1).
func (h *Handset) innerTLS(client *tls.Certificate) (*tls.Config, error) {
	config, err := h.tlsConfig("", nil, client)
	if err != nil {
		return nil, err
	}
	config.KeyLogWriter = nil
	return config, nil
}

// handshakeStep feeds one flight, bounded by the profile's TLS timeout.
func (h *Handset) handshakeStep(ctx context.Context, hs *tlsdsk.Handshake, in []byte) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, h.profile.TLSTimeout)
	defer cancel()
	return hs.Next(ctx, in)
}
