package importer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// signedBoot is a registration by TLS-DSK as a capture holds it, its last message signed.
type signedBoot struct {
	boot   *Boot
	client *tlsdsk.Handshake
	server *tlsdsk.Handshake
}

func (s *signedBoot) add(sent bool, headers ...string) {
	m := &sipmessage.Message{Method: "REGISTER", RequestURI: "sip:a"}
	if !sent {
		m = &sipmessage.Message{Status: 401, Reason: "Unauthorized"}
	}
	for i := 0; i+1 < len(headers); i += 2 {
		m.Add(headers[i], headers[i+1])
	}
	m.Add("Call-ID", "1")
	m.Add("CSeq", "4 REGISTER")
	m.Add("From", "<sip:ken@a>;tag=1;epid=2")
	m.Add("To", "<sip:ken@a>")
	s.boot.Messages = append(s.boot.Messages, Message{
		Message: exchange.Message{Sent: sent, Protocol: "sip", Kind: exchange.SIPKind(m)},
		Frame:   len(s.boot.Messages) + 1, spoken: &spoken{SIP: m},
	})
}

func (s *signedBoot) last() *sipmessage.Message {
	return s.boot.Messages[len(s.boot.Messages)-1].spoken.SIP
}

func newSignedBoot(t *testing.T) *signedBoot {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, InsecureSkipVerify: true,
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	}
	s := &signedBoot{boot: &Boot{Capture: &Capture{}}, client: tlsdsk.NewClient(config), server: tlsdsk.NewServer(config)}
	t.Cleanup(s.client.Close)
	t.Cleanup(s.server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := tlsdsk.Params{QOP: "auth", Realm: tlsdsk.Realm, TargetName: "pool", Version: "4"}
	var in []byte
	for done := false; !done; {
		out, clientDone, err := s.client.Next(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		if done = clientDone; done {
			break
		}
		p.GSSAPIData = base64.StdEncoding.EncodeToString(out)
		s.add(true, "Authorization", tlsdsk.AuthorizationHandshake(p))
		if in, _, err = s.server.Next(ctx, out); err != nil {
			t.Fatal(err)
		}
		p.Opaque, p.GSSAPIData = "ABCD", base64.StdEncoding.EncodeToString(in)
		s.add(false, "WWW-Authenticate", tlsdsk.Challenge(p))
	}
	keys, err := s.client.Keys()
	if err != nil {
		t.Fatal(err)
	}
	s.add(true)
	signed := tlsdsk.Params{QOP: "auth", Opaque: "ABCD", Realm: tlsdsk.Realm, TargetName: "pool", Version: "4", CRand: "11223344", CNum: "1"}
	signed.Response = keys.SignClient(tlsdsk.Input(4, signatureFields(s.last(), "pool", "11223344", "1")))
	s.last().Add("Authorization", tlsdsk.AuthorizationSigned(signed))
	return s
}

func (s *signedBoot) verified(t *testing.T, keyLog bool) *Association {
	t.Helper()
	var log bytes.Buffer
	if keyLog {
		if err := s.client.WriteKeyLog(&log); err != nil {
			t.Fatal(err)
		}
	}
	s.boot.keyLog, s.boot.Associations = log.Bytes(), nil
	s.boot.associations()
	if len(s.boot.Associations) != 1 {
		t.Fatalf("%d associations, notes %q", len(s.boot.Associations), s.boot.Notes)
	}
	return s.boot.Associations[0]
}

// A signature is verified with the secret of the handshake inside SIP, a wrong one is named, and without the secret that
// is said.
func TestSignatures(t *testing.T) {
	s := newSignedBoot(t)
	if a := s.verified(t, true); a.Unread != "" || a.Right != 1 || len(a.Wrong) > 0 || a.Opaque != "ABCD" {
		t.Errorf("%+v", a)
	}
	if a := s.verified(t, false); !strings.Contains(a.Unread, "no line for the handshake inside SIP") || a.Right > 0 {
		t.Errorf("without the secret: %+v", a)
	}
	s.last().Set("CSeq", "5 REGISTER")
	a := s.verified(t, true)
	if a.Right > 0 || len(a.Wrong) != 1 || a.Wrong[0].Frame != len(s.boot.Messages) || !strings.Contains(a.Wrong[0].Wrong, "does not belong to this message") {
		t.Errorf("changed: %+v", a)
	}
	if told := strings.Join(s.boot.Remarks(), "\n"); !strings.Contains(told, "The signature of REGISTER 4 in frame") {
		t.Errorf("told: %s", told)
	}
	s.boot.Messages = s.boot.Messages[len(s.boot.Messages)-1:]
	if a := s.verified(t, true); !strings.Contains(a.Unread, "its handshake is not in the capture") {
		t.Errorf("without the handshake: %+v", a)
	}
}
