package registrar_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// wrong is one wrong message of a check.
type wrong struct {
	what    string
	do      func(*lab) outcome
	signed  bool // the refusal is: the message was signed right
	changes []func(*lab)
}

const (
	signed   = true
	unsigned = false
)

// outcome is what comes back for a wrong message.
type outcome struct {
	by     *sipe
	answer *sipmessage.Message // nil if there is none
	err    error               // errSilence, or the end of the connection
}

// String tells the outcome in the words of the table.
func (o outcome) String() string {
	switch {
	case errors.Is(o.err, errSilence):
		return "dropped, no answer"
	case o.err != nil:
		return "the connection is closed"
	}
	text := fmt.Sprintf("%d %s", o.answer.Status, o.answer.Reason)
	if d, ok := sipmessage.ParseDiagnostics(o.answer.Get("ms-diagnostics")); ok {
		text += fmt.Sprintf(", ms-diagnostics %d", d.ID)
		if d.Source != host || d.Reason == "" {
			text += fmt.Sprintf(" with source %q and reason %q", d.Source, d.Reason)
		}
	}
	for _, name := range []string{"Allow", "Require", "Allow-Events"} {
		if value := o.answer.Get(name); value != "" && o.answer.Status >= 300 {
			text += ", " + name + ": " + value
		}
	}
	if p, err := challenge(o.answer); err == nil && p.GSSAPIData == "" && p.Opaque == "" && p.STSURI == stsURI && p.TargetName == host {
		text += ", a fresh challenge"
	}
	if f, err := provisioning.ParseFault(o.answer.Body); err == nil && o.answer.Get("Content-Type") == provisioning.TypeFault && len(f.Operations) > 0 {
		text += ", msrtc-fault with the current versions"
	}
	return text
}

func (o outcome) signed() bool { return o.answer != nil && o.answer.Get("Authentication-Info") != "" }

// send sends one message and tells what comes back, whoever it is for.
func (s *sipe) send(m *sipmessage.Message) outcome {
	s.Helper()
	s.must(s.conn.Send(m))
	return s.outcome()
}

func (s *sipe) outcome() outcome {
	s.Helper()
	got, err := s.next()
	o := outcome{s, got, err}
	if o.signed() {
		s.must(s.verify(got))
	}
	return o
}

// signedOn is an endpoint of user1 that is registered.
func signedOn(l *lab) *sipe { return l.signOnAs(user1, sipeEPID) }

// wrongAuthorization sends a REGISTER signed right, then changed.
func (s *sipe) wrongAuthorization(change func(*tlsdsk.Params)) outcome {
	m := s.register()
	s.cnum++
	p := s.authorization(m, strconv.Itoa(int(s.cnum)))
	change(&p)
	m.Add("Authorization", tlsdsk.AuthorizationSigned(p))
	return s.send(m)
}

// wrongNumber sends a REGISTER that is signed with the given cnum.
func (s *sipe) wrongNumber(num string) outcome {
	m := s.register()
	m.Add("Authorization", tlsdsk.AuthorizationSigned(s.authorization(m, num)))
	return s.send(m)
}

// wrongRegister sends a signed REGISTER with a header changed.
func (s *sipe) wrongRegister(name, value string) outcome {
	m := s.register()
	m.Set(name, value)
	return s.send(s.sign(m))
}

// without removes a header.
func without(m *sipmessage.Message, name string) *sipmessage.Message {
	var kept []sipmessage.Header
	for _, h := range m.Headers {
		if h.Name != name {
			kept = append(kept, h)
		}
	}
	m.Headers = kept
	return m
}

// handshakeTo runs REGISTER #1 to #3 with a certificate and tells the answer to the last one.
func handshakeTo(l *lab, s *sipe) outcome {
	l.Helper()
	refused := s.associate()
	if refused == nil {
		l.Fatalf("the association stands\n%s", l.log())
	}
	return outcome{by: s, answer: refused}
}

// flight sends gssapi-data as REGISTER #2.
func (s *sipe) flight(data string, change func(*sipmessage.Message)) outcome {
	m := s.register()
	m.Add("Authorization", tlsdsk.AuthorizationHandshake(tlsdsk.Params{
		QOP: "auth", Realm: tlsdsk.Realm, TargetName: host, GSSAPIData: data, Version: "4",
	}))
	if change != nil {
		change(m)
	}
	return s.send(m)
}

// clientHello is a right first flight in base64.
func (s *sipe) clientHello() string {
	h := s.inner()
	defer h.Close()
	out, _, err := h.Next(s.soon(), nil)
	s.must(err)
	return base64.StdEncoding.EncodeToString(out)
}

func setFrom(value string) func(*sipmessage.Message) {
	return func(m *sipmessage.Message) { m.Set("From", value) }
}

// TestChecks sends the wrong messages of every check over a connection of their own and expects the refusal that the
// table documents. The connection goes on afterwards unless the table says that it is closed.
func TestChecks(t *testing.T) {
	cases := map[string][]wrong{}
	for _, part := range []map[string][]wrong{wrongMessages, wrongSignatures, wrongRequests} {
		maps.Copy(cases, part)
	}
	for _, check := range registrar.Checks() {
		name := check.Stage + "." + check.Name
		if len(cases[name]) == 0 {
			t.Errorf("%s: no wrong message", name)
		}
		for _, c := range cases[name] {
			t.Run(name+"/"+c.what, func(t *testing.T) {
				virtual(t, func(l *lab) { l.expect(name, check.Refusal, c) }, c.changes...)
			})
		}
		delete(cases, name)
	}
	for name := range cases {
		t.Errorf("%s is no check", name)
	}
}

func (l *lab) expect(name, refusal string, c wrong) {
	got := c.do(l)
	if got.String() != refusal || got.signed() != c.signed {
		l.Errorf("%s, signed %v, want %s, %v\n%s", got, got.signed(), refusal, c.signed, l.log())
	}
	if got.err != nil && !errors.Is(got.err, errSilence) {
		return
	}
	if !strings.Contains(l.log(), name+": ") {
		l.Errorf("the timeline does not name %s\n%s", name, l.log())
	}
	if _, err := challenge(got.by.call(got.by.register())); err != nil {
		l.Errorf("afterwards: %v", err)
	}
}

// TestChecksHaveSources holds the table that docs/strictness.md is made of to its form.
func TestChecksHaveSources(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range registrar.Checks() {
		name := c.Stage + "." + c.Name
		if c.Wrong == "" || c.Refusal == "" || c.Source == "" || seen[name] {
			t.Errorf("%s: %+v", name, c)
		}
		seen[name] = true
	}
}
