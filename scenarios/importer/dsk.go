package importer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// A Signature is that of one SIP message, and what came of verifying it.
type Signature struct {
	Frame   int
	Sent    bool
	Message string // what message it is
	Opaque  string // of its security association
	Wrong   string // why it is wrong, "" it is right
}

// An Association is a TLS-DSK security association that was seen in the capture.
type Association struct {
	Opaque string
	Frame  int    // of the message that began it
	Unread string // why its signatures could not be verified, "" they could
	Right  int    // signatures that are right
	Wrong  []Signature

	target          string
	version         int
	client, server  []byte // randoms
	suite, protocol uint16
	keys            tlsdsk.Keys
}

// associations verifies the signatures of all SIP messages, as far as the secrets of the handshakes inside SIP are
// known.
func (b *Boot) associations() {
	masters := masterSecrets(b.keyLog)
	begun := map[string]*Association{} // by Call-ID, until the pool has named them
	known := map[string]*Association{} // by opaque
	for i := range b.Messages {
		m := &b.Messages[i]
		if m.spoken == nil || m.spoken.SIP == nil {
			continue
		}
		for _, header := range signingHeaders {
			for _, value := range m.spoken.SIP.Values(header) {
				scheme, p, err := tlsdsk.ParseParams(value)
				if err != nil || !strings.EqualFold(scheme, tlsdsk.Scheme) {
					continue
				}
				if p.GSSAPIData != "" {
					b.handshake(m, p, begun, known, masters)
				}
				if p.Response != "" || p.RSPAuth != "" {
					b.verify(m, p, known)
				}
			}
		}
	}
}

var signingHeaders = []string{
	"Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info",
}

// handshake takes randoms, version and suite from the flights of a handshake inside SIP.
func (b *Boot) handshake(m *Message, p tlsdsk.Params, begun, known map[string]*Association, masters map[string][]byte) {
	id := m.spoken.SIP.CallID()
	flight, err := base64.StdEncoding.DecodeString(p.GSSAPIData)
	if err != nil {
		b.note("frame %d: gssapi-data is no base64: %v", m.Frame, err)
		return
	}
	hello := helloOf(flight)
	if m.Sent {
		if hello != nil && hello[0] == helloClient {
			a := &Association{Frame: m.Frame, client: hello[6:38]}
			begun[id] = a
			b.Associations = append(b.Associations, a)
		}
		return
	}
	a := begun[id]
	if a == nil || hello == nil || hello[0] != helloServer {
		return
	}
	delete(begun, id)
	a.Opaque, a.target, a.server = p.Opaque, p.TargetName, hello[6:38]
	a.version, _ = strconv.Atoi(p.Version)
	a.protocol = binary.BigEndian.Uint16(hello[4:])
	if session := int(hello[38]); len(hello) >= 41+session {
		a.suite = binary.BigEndian.Uint16(hello[39+session:])
	}
	known[a.Opaque] = a
	master := masters[hex.EncodeToString(a.client)]
	if master == nil {
		a.Unread = "the secrets hold no line for the handshake inside SIP"
		return
	}
	if a.keys, err = tlsdsk.DeriveKeys(a.protocol, a.suite, master, a.client, a.server); err != nil {
		a.Unread = err.Error()
	}
}

const (
	helloClient = 1
	helloServer = 2
)

// helloOf is the hello that a flight begins with, message header and all, nil if it begins with none.
func helloOf(flight []byte) []byte {
	const record, header, rest = 5, 4, 35 // the rest is version, random and the length of the session id
	if len(flight) < record+header+rest || flight[0] != recordHandshake {
		return nil
	}
	hello := flight[record:]
	if hello[0] != helloClient && hello[0] != helloServer {
		return nil
	}
	return hello
}

func (b *Boot) verify(m *Message, p tlsdsk.Params, known map[string]*Association) {
	s := Signature{Frame: m.Frame, Sent: m.Sent, Message: m.Kind, Opaque: p.Opaque}
	a := known[p.Opaque]
	if a == nil {
		a = &Association{Opaque: p.Opaque, Frame: m.Frame, Unread: "its handshake is not in the capture"}
		known[p.Opaque] = a
		b.Associations = append(b.Associations, a)
	}
	if a.Unread != "" {
		return
	}
	random, num, signature, key := p.CRand, p.CNum, p.Response, a.keys.Client
	if p.RSPAuth != "" {
		random, num, signature, key = p.SRand, p.SNum, p.RSPAuth, a.keys.Server
	}
	input := tlsdsk.Input(a.version, signatureFields(m.spoken.SIP, a.target, random, num))
	switch {
	case p.TargetName != a.target:
		s.Wrong = fmt.Sprintf("it names the target %q, the handshake %q", p.TargetName, a.target)
	case !tlsdsk.Verify(key, a.keys.Hash, input, signature):
		s.Wrong = "it does not belong to this message"
	default:
		a.Right++
		return
	}
	a.Wrong = append(a.Wrong, s)
}

// signatureFields are what is signed of a message (sip.md §3.1).
func signatureFields(m *sipmessage.Message, target, random, num string) tlsdsk.Fields {
	f := sipmessage.Fields(m)
	return tlsdsk.Fields{
		Protocol: tlsdsk.Scheme, Rand: random, Num: num, Realm: tlsdsk.Realm, TargetName: target,
		CallID: f.CallID, CSeqNum: f.CSeqNum, CSeqMethod: f.CSeqMethod, FromURI: f.FromURI, FromTag: f.FromTag,
		ToURI: f.ToURI, ToTag: f.ToTag, PAISip: f.PAISip, PAITel: f.PAITel, Expires: f.Expires, Status: f.Status,
	}
}

// masterSecrets are those of a key log, by client random in hex.
func masterSecrets(keyLog []byte) map[string][]byte {
	out := map[string][]byte{}
	for line := range bytes.Lines(keyLog) {
		fields := strings.Fields(string(line))
		if len(fields) != 3 || fields[0] != "CLIENT_RANDOM" {
			continue
		}
		if master, err := hex.DecodeString(fields[2]); err == nil {
			out[strings.ToLower(fields[1])] = master
		}
	}
	return out
}
