package registrar_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/sipstack"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// sipe behaves as pidgin-sipe 1.25 does on the wire (sip.md §4.1, §7.3): its header set and order, an epid of 12 hex
// digits, a new From tag and branch in every REGISTER, cnum counted on over a renewal, response in upper case.
type sipe struct {
	*lab
	conn *sipstack.Conn
	raw  net.Conn // TLS, or TCP by transport
	by   string   // tls or tcp

	sip, epid   string
	certificate tls.Certificate
	target      string // targetname
	local       string
	callID      string
	cseq        int

	opaque string
	keys   tlsdsk.Keys
	signs  bool // the association stands
	cnum   uint32
	snum   uint32 // of the last message received
	gruu   string
	dialog map[string]*sipmessage.Message // 200 to a SUBSCRIBE, by event
	asked  map[string]*sipmessage.Message // the SUBSCRIBE

	innerVersion uint16 // of TLS inside SIP
	innerSuites  []uint16

	queue []*sipmessage.Message // arrived while something else was awaited
}

const sipeEPID = "da47f63be0a6" // UUID a0c0ec03-d891-500d-9f69-e02230202db1, sip.md §4.3

// connect opens the outer TLS connection of a user's endpoint; its certificate is published.
func (l *lab) connect(user, epid string) *sipe {
	l.Helper()
	return l.connectBy("tls", user, epid)
}

// connectBy is connect by tls or tcp.
func (l *lab) connectBy(by, user, epid string) *sipe {
	l.Helper()
	s := &sipe{
		lab: l, by: by, sip: user, epid: epid, target: host, callID: randomText(16),
		dialog: map[string]*sipmessage.Message{}, asked: map[string]*sipmessage.Message{},
		innerVersion: tls.VersionTLS10,
		innerSuites:  []uint16{tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA},
	}
	s.certificate = l.issue(user, s.uuid(), true)
	s.dial()
	return s
}

func (s *sipe) dial() {
	s.Helper()
	station := s.station("sipe "+strconv.Itoa(s.stations), netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(50 + s.stations)}), 24))
	port := map[string]uint16{"tls": 5061, "tcp": 5060}[s.by]
	conn, err := station.DialTCP(s.soon(), netip.AddrPortFrom(serverAddress.Addr(), port))
	s.must(err)
	s.local = conn.LocalAddr().String()
	s.raw = conn
	if s.by == "tls" {
		secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		s.must(secured.HandshakeContext(s.soon()))
		s.raw = secured
	}
	s.conn, err = sipstack.Attach(s.raw, sipstack.Options{Transport: s.by})
	s.must(err)
	s.Cleanup(func() { s.conn.Close() })
}

func (s *sipe) uuid() string { return sipmessage.FormatUUID(sipmessage.InstanceUUID(s.epid)) }

func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func randomTag() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<32))
	if err != nil {
		panic(err)
	}
	return n.String()
}

// request is a request with the headers that all of sipe's have.
func (s *sipe) request(method, uri, to, callID string, cseq int) *sipmessage.Message {
	m := &sipmessage.Message{Method: method, RequestURI: uri}
	m.Add("Via", "SIP/2.0/"+s.by+" "+s.local+";branch=z9hG4bK"+strings.ToUpper(randomText(10)))
	m.Add("From", "<"+s.sip+">;tag="+randomTag()+";epid="+s.epid)
	m.Add("To", to)
	m.Add("Max-Forwards", "70")
	m.Add("CSeq", strconv.Itoa(cseq)+" "+method)
	m.Add("User-Agent", "Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)")
	m.Add("Call-ID", callID)
	return m
}

// register is the next REGISTER, unsigned.
func (s *sipe) register(extra ...sipmessage.Header) *sipmessage.Message {
	s.cseq++
	_, domain, _ := strings.Cut(s.sip, "@")
	m := s.request("REGISTER", "sip:"+domain, "<"+s.sip+">", s.callID, s.cseq)
	m.Add("Contact", fmt.Sprintf(`<sip:127.0.0.1:42308;transport=%s;ms-opaque=d3470f2e1d>;methods="INVITE, MESSAGE, INFO, SUBSCRIBE, OPTIONS, BYE, CANCEL, NOTIFY, ACK, REFER, BENOTIFY";proxy=replace;+sip.instance="<urn:uuid:%s>"`, s.by, s.uuid()))
	m.Add("Supported", "gruu-10, adhoclist, msrtc-event-categories, com.microsoft.msrtc.presence")
	m.Add("Event", "registration")
	m.Add("Allow-Events", "presence")
	m.Add("ms-keep-alive", "UAC;hop-hop=yes")
	m.Headers = append(m.Headers, extra...)
	m.Add("Content-Length", "0")
	return m
}

// other is a request outside of any dialog, unsigned.
func (s *sipe) other(method string, contentType, body string, extra ...sipmessage.Header) *sipmessage.Message {
	m := s.request(method, s.sip, "<"+s.sip+">", randomText(16), 1)
	m.Headers = append(m.Headers, extra...)
	if contentType != "" {
		m.Add("Content-Type", contentType)
	}
	contact := "<" + s.gruu + ">"
	if s.gruu == "" {
		contact = "<sip:user1@lab.test:42308;maddr=127.0.0.1;transport=" + s.by + ">;proxy=replace" // before the 200
	}
	m.Add("Contact", contact)
	m.Add("Content-Length", strconv.Itoa(len(body)))
	m.Body = []byte(body)
	return m
}

// subscribe is a SUBSCRIBE as sipe writes it, unsigned. Provisioning is one-shot.
func (s *sipe) subscribe(event, accept, body string, extra ...sipmessage.Header) *sipmessage.Message {
	h := []sipmessage.Header{
		{Name: "Event", Value: event},
		{Name: "Accept", Value: accept},
		{Name: "Supported", Value: "com.microsoft.autoextend"},
		{Name: "Supported", Value: "ms-benotify"},
		{Name: "Proxy-Require", Value: "ms-benotify"},
		{Name: "Supported", Value: "ms-piggyback-first-notify"},
	}
	contentType := ""
	if body != "" {
		contentType = accept
	}
	return s.other("SUBSCRIBE", contentType, body, append(h, extra...)...)
}

func fields(m *sipmessage.Message, target, random, num string) tlsdsk.Fields {
	f := sipmessage.Fields(m)
	return tlsdsk.Fields{
		Protocol: "TLS-DSK", Rand: random, Num: num, Realm: tlsdsk.Realm, TargetName: target,
		CallID: f.CallID, CSeqNum: f.CSeqNum, CSeqMethod: f.CSeqMethod, FromURI: f.FromURI, FromTag: f.FromTag,
		ToURI: f.ToURI, ToTag: f.ToTag, PAISip: f.PAISip, PAITel: f.PAITel, Expires: f.Expires, Status: f.Status,
	}
}

// authorization are the parameters that sign m as the next message.
func (s *sipe) authorization(m *sipmessage.Message, num string) tlsdsk.Params {
	random := randomText(4)
	return tlsdsk.Params{
		QOP: "auth", Opaque: s.opaque, Realm: tlsdsk.Realm, TargetName: s.target, CRand: random, CNum: num,
		Response: strings.ToUpper(s.keys.SignClient(tlsdsk.Input(4, fields(m, s.target, random, num)))),
	}
}

// sign adds the Authorization header, last as sipe has it.
func (s *sipe) sign(m *sipmessage.Message) *sipmessage.Message {
	s.cnum++
	m.Add("Authorization", tlsdsk.AuthorizationSigned(s.authorization(m, strconv.Itoa(int(s.cnum)))))
	return m
}

var errSilence = errors.New("nothing came")

// next is the next message that arrives.
func (s *sipe) next() (*sipmessage.Message, error) {
	if len(s.queue) > 0 {
		m := s.queue[0]
		s.queue = s.queue[1:]
		return m, nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case m, ok := <-s.conn.Messages():
		if !ok {
			return nil, s.conn.Err()
		}
		return m, nil
	case <-timer.C:
		return nil, errSilence
	}
}

// verify checks a message as sipe does once its association stands: a 401 may be unsigned, everything else has the
// next snum and a right signature.
func (s *sipe) verify(m *sipmessage.Message) error {
	value := m.Get("Authentication-Info")
	if value == "" {
		if !s.signs || m.Status == 401 {
			return nil
		}
		return errors.New("not signed")
	}
	_, p, err := tlsdsk.ParseParams(value)
	if err != nil {
		return err
	}
	if p.Opaque != s.opaque || p.TargetName != s.target || p.Version != "4" {
		return fmt.Errorf("opaque %q, targetname %q, version %q", p.Opaque, p.TargetName, p.Version)
	}
	if !tlsdsk.Verify(s.keys.Server, s.keys.Hash, tlsdsk.Input(4, fields(m, p.TargetName, p.SRand, p.SNum)), p.RSPAuth) {
		return errors.New("invalid message signature received")
	}
	n, err := tlsdsk.ParseNumber(p.SNum)
	if err != nil || n != s.snum+1 {
		return fmt.Errorf("snum %q after %d", p.SNum, s.snum)
	}
	s.snum = n
	return nil
}

// call sends a request and returns its final response, verified.
func (s *sipe) call(m *sipmessage.Message) *sipmessage.Message {
	s.Helper()
	answer, err := s.try(m)
	if err != nil {
		s.Fatalf("%s %s: %v\n%s", m.Method, m.Get("Event"), err, s.log())
	}
	return answer
}

func (s *sipe) try(m *sipmessage.Message) (*sipmessage.Message, error) {
	if err := s.conn.Send(m); err != nil {
		return nil, err
	}
	var kept []*sipmessage.Message
	defer func() { s.queue = slices.Concat(kept, s.queue) }()
	for {
		got, err := s.next()
		if err != nil {
			return nil, err
		}
		if got.IsRequest() || got.CallID() != m.CallID() || got.Get("CSeq") != m.Get("CSeq") {
			kept = append(kept, got)
			continue
		}
		if err := s.verify(got); err != nil {
			return nil, fmt.Errorf("%d to %s: %w", got.Status, m.Method, err)
		}
		if got.Status >= 200 {
			return got, nil
		}
	}
}

// challenge finds the TLS-DSK challenge of a 401.
func challenge(m *sipmessage.Message) (tlsdsk.Params, error) {
	if m.Status != 401 {
		return tlsdsk.Params{}, fmt.Errorf("%d %s, want a challenge", m.Status, m.Reason)
	}
	for _, value := range m.Values("WWW-Authenticate") {
		if scheme, p, err := tlsdsk.ParseParams(value); scheme == "TLS-DSK" {
			return p, err
		}
	}
	return tlsdsk.Params{}, errors.New("no TLS-DSK challenge")
}

// inner is sipe's side of the handshake: TLS 1.0, RSA key exchange.
func (s *sipe) inner() *tlsdsk.Handshake {
	return tlsdsk.NewClient(&tls.Config{
		InsecureSkipVerify: true, MinVersion: s.innerVersion, MaxVersion: s.innerVersion, CipherSuites: s.innerSuites,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &s.certificate, nil
		},
	})
}

// associate runs REGISTER #1 to #3 and leaves an association that nothing is signed with yet. refused is the answer
// that ended it, if one did.
func (s *sipe) associate() (refused *sipmessage.Message) {
	s.Helper()
	s.signs = false
	first, err := challenge(s.call(s.register()))
	s.must(err)
	s.target = first.TargetName
	handshake := s.inner()
	defer handshake.Close()
	var in []byte
	var opaque string
	for range 2 {
		out, _, err := handshake.Next(s.soon(), in)
		s.must(err)
		m := s.register()
		m.Add("Authorization", tlsdsk.AuthorizationHandshake(tlsdsk.Params{
			QOP: "auth", Opaque: opaque, Realm: tlsdsk.Realm, TargetName: s.target, GSSAPIData: base64.StdEncoding.EncodeToString(out), Version: "4",
		}))
		answer := s.call(m)
		p, err := challenge(answer)
		if err != nil || p.GSSAPIData == "" {
			return answer
		}
		if len(answer.Values("WWW-Authenticate")) != 1 {
			s.Errorf("%d challenges in an intermediate 401, want the one in progress", len(answer.Values("WWW-Authenticate")))
		}
		opaque = p.Opaque
		in, err = base64.StdEncoding.DecodeString(p.GSSAPIData)
		s.must(err)
		s.checkFlight(in)
	}
	_, done, err := handshake.Next(s.soon(), in)
	s.must(err)
	if !done {
		s.Fatal("the handshake is not done after the server's second flight")
	}
	s.keys, err = handshake.Keys()
	s.must(err)
	s.opaque, s.signs, s.snum = opaque, true, 0
	return nil
}

// checkFlight holds the server to one record a kind: sipe fails on a lone ServerHelloDone (sip.md §1.4).
func (s *sipe) checkFlight(flight []byte) {
	s.Helper()
	var kinds []byte
	for rest := flight; len(rest) >= 5; {
		kinds = append(kinds, rest[0])
		rest = rest[5+int(rest[3])<<8+int(rest[4]):]
	}
	for i := 1; i < len(kinds); i++ {
		if kinds[i] == kinds[i-1] {
			s.Errorf("records of kinds %v: two of one kind in a row", kinds)
		}
	}
}

// signOn registers; the answer to the signed REGISTER, 200 or not, comes back.
func (s *sipe) signOn() *sipmessage.Message {
	s.Helper()
	if refused := s.associate(); refused != nil {
		s.Fatalf("%d %s instead of an association\n%s", refused.Status, refused.Reason, s.log())
	}
	m := s.register()
	s.cnum++
	p := s.authorization(m, strconv.Itoa(int(s.cnum)))
	p.Version = "4"
	m.Add("Authorization", tlsdsk.AuthorizationSigned(p))
	answer := s.call(m)
	s.takeGRUU(answer)
	return answer
}

// mustSignOn registers, 200 or nothing.
func (s *sipe) mustSignOn() *sipmessage.Message {
	s.Helper()
	answer := s.signOn()
	if answer.Status != 200 {
		s.Fatalf("%d %s, want 200\n%s", answer.Status, answer.Reason, s.log())
	}
	return answer
}

// takeGRUU finds the own Contact by a case-sensitive search for the own lower-case UUID, as sipe does.
func (s *sipe) takeGRUU(m *sipmessage.Message) {
	for _, value := range m.Values("Contact") {
		if !strings.Contains(value, s.uuid()) {
			continue
		}
		if contact, err := sipmessage.ParseAddress(value); err == nil {
			s.gruu, _ = contact.Param("gruu")
		}
	}
}

// signOnAs is connect and mustSignOn.
func (l *lab) signOnAs(user, epid string) *sipe {
	l.Helper()
	s := l.connect(user, epid)
	s.mustSignOn()
	return s
}

// refresh is a signed REGISTER in one round trip.
func (s *sipe) refresh(extra ...sipmessage.Header) *sipmessage.Message {
	s.Helper()
	return s.call(s.sign(s.register(extra...)))
}

// open subscribes and remembers the dialog.
func (s *sipe) open(m *sipmessage.Message) *sipmessage.Message {
	s.Helper()
	answer := s.call(s.sign(m))
	if answer.Status == 200 {
		s.dialog[m.Get("Event")], s.asked[m.Get("Event")] = answer, m
	}
	return answer
}

// within is a request inside the dialog of an event: To tag kept, Request-URI the Contact of the 200.
func (s *sipe) within(event string, cseq int, extra ...sipmessage.Header) *sipmessage.Message {
	s.Helper()
	asked, answer := s.asked[event], s.dialog[event]
	contact, err := sipmessage.ParseAddress(answer.Get("Contact"))
	s.must(err)
	m := s.request("SUBSCRIBE", contact.URI, answer.Get("To"), asked.CallID(), cseq)
	m.Set("From", asked.Get("From"))
	m.Add("Event", event)
	m.Headers = append(m.Headers, extra...)
	m.Add("Contact", "<"+s.gruu+">")
	m.Add("Content-Length", "0")
	return m
}

// signOff is sipe's: un-SUBSCRIBE of every dialog, REGISTER with Expires 0, close.
func (s *sipe) signOff() {
	s.Helper()
	for event := range s.dialog {
		if answer := s.call(s.sign(s.within(event, 2, expires("0")))); answer.Status != 200 {
			s.Errorf("un-SUBSCRIBE %s: %d %s", event, answer.Status, answer.Reason)
		}
	}
	answer := s.refresh(expires("0"))
	if answer.Status != 200 || answer.Get("Expires") != "0" {
		s.Errorf("REGISTER with Expires 0: %d, Expires %q", answer.Status, answer.Get("Expires"))
	}
	s.must(s.conn.Close())
}

func expires(seconds string) sipmessage.Header {
	return sipmessage.Header{Name: "Expires", Value: seconds}
}

// await waits for a state of an endpoint.
func (s *sipe) await(ctx context.Context, want string) {
	s.Helper()
	if _, err := s.server.AwaitState(ctx, s.sip, s.epid, stateOf(want)); err != nil {
		s.Fatalf("%v\n%s", err, s.log())
	}
}
