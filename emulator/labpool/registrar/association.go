package registrar

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// Life of a security association on the server ([MS-SIPAE] 3.3.2, cited by OfficeSIP; sip.md §1.6).
const (
	associationLife = 8 * time.Hour
	associationIdle = 15 * time.Minute
	registerGrace   = 30 * time.Second // beyond Expires, after the 200 to a REGISTER
)

const (
	handshakeStep = 10 * time.Second
)

// association is a TLS-DSK security association seen from the server ([MS-SIPAE] 3.1). It belongs to the goroutine of
// its connection.
type association struct {
	opaque string
	aor    string // of From in the handshake, lower case
	epid   string
	order  int64 // of its making, on its connection

	handshake   *tlsdsk.Handshake // nil once the keys are known
	keys        tlsdsk.Keys
	certificate *x509.Certificate
	confirmed   bool // by a signed message of the handset

	window tlsdsk.Window
	snum   uint32
	made   time.Time
	until  time.Time // the earlier of life and idle limit
}

// newAssociation prepares a handshake for the endpoint that m comes from.
func newAssociation(inner *tls.Config, certificate tls.Certificate, aor, epid string) *association {
	config := inner.Clone()
	config.Certificates = []tls.Certificate{certificate}
	return &association{
		opaque: randomHex(4), aor: strings.ToLower(strings.Clone(aor)), epid: strings.Clone(epid), handshake: tlsdsk.NewServer(config),
	}
}

// establish takes keys and certificate of the complete handshake. Its secret goes to log, nil: nowhere.
func (a *association) establish(now time.Time, log io.Writer) error {
	defer a.forgetHandshake()
	keys, err := a.handshake.Keys()
	if err == nil && log != nil {
		err = a.handshake.WriteKeyLog(log)
	}
	if err != nil {
		return err
	}
	certificates := a.handshake.PeerCertificates()
	if len(certificates) == 0 {
		return fmt.Errorf("no client certificate")
	}
	a.keys, a.certificate, a.made = keys, certificates[0], now
	a.extend(now, associationIdle)
	return nil
}

func (a *association) forgetHandshake() {
	a.handshake.Close()
	a.handshake = nil
}

// extend lets the association live for another while without use, never beyond its life.
func (a *association) extend(now time.Time, idle time.Duration) {
	a.until = now.Add(idle)
	if end := a.made.Add(associationLife); end.Before(a.until) {
		a.until = end
	}
}

// user is the CN of the certificate: user@domain.
func (a *association) user() string { return a.certificate.Subject.CommonName }

// input is the text that is signed for m (sip.md §3.1).
func (a *association) input(m *sipmessage.Message, targetName, random, num string) string {
	f := sipmessage.Fields(m)
	return tlsdsk.Input(tlsdsk.Version, tlsdsk.Fields{
		Protocol: tlsdsk.Scheme, Rand: random, Num: num, Realm: tlsdsk.Realm, TargetName: targetName,
		CallID: f.CallID, CSeqNum: f.CSeqNum, CSeqMethod: f.CSeqMethod, FromURI: f.FromURI, FromTag: f.FromTag,
		ToURI: f.ToURI, ToTag: f.ToTag, PAISip: f.PAISip, PAITel: f.PAITel, Expires: f.Expires, Status: f.Status,
	})
}

// verify checks the handset's signature of m.
func (a *association) verify(m *sipmessage.Message, p tlsdsk.Params) bool {
	return tlsdsk.Verify(a.keys.Client, a.keys.Hash, a.input(m, p.TargetName, p.CRand, p.CNum), p.Response)
}

// sign adds Authentication-Info to a message whose other headers are final: first in a response, below the Via of a
// request, as real servers have it (sip.md §1.3). A spoiled signature is one bit wrong.
func (a *association) sign(m *sipmessage.Message, targetName string, spoil bool) {
	a.snum++
	random, num := randomHex(4), strconv.FormatUint(uint64(a.snum), 10)
	signature := a.keys.SignServer(a.input(m, targetName, random, num))
	if spoil {
		signature = spoiled(signature)
	}
	info := sipmessage.Header{Name: "Authentication-Info", Value: tlsdsk.AuthenticationInfo(tlsdsk.Params{
		QOP: "auth", Opaque: a.opaque, SRand: random, SNum: num, RSPAuth: signature,
		TargetName: targetName, Realm: tlsdsk.Realm, Version: strconv.Itoa(tlsdsk.Version),
	})}
	at := 0
	if m.IsRequest() {
		at = 1
	}
	m.Headers = append(m.Headers[:at], append([]sipmessage.Header{info}, m.Headers[at:]...)...)
}

func spoiled(signature string) string {
	digit, err := strconv.ParseUint(signature[:1], 16, 8)
	if err != nil {
		return signature
	}
	return strconv.FormatUint(digit^1, 16) + signature[1:]
}

// randomHex is n random bytes in upper-case hex, as servers write opaque, srand and tags.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, crypto/rand
	return strings.ToUpper(hex.EncodeToString(b))
}
