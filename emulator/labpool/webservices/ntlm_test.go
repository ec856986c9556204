package webservices

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-ntlmssp"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/protocol/ntlm"
	"github.com/phone-edition/lpe/protocol/webticket"
)

// Flags of clients: those of pidgin-sipe, as seen (peers/README.md §4), and of Windows, which exchanges keys.
const (
	sipeFlags    ntlm.Flags = 0xa2888205
	windowsFlags            = sipeFlags | ntlm.Sign | ntlm.Seal | ntlm.KeyExchange
)

func negotiateMessage(flags ntlm.Flags) []byte {
	b, err := ntlm.Negotiate{Flags: flags, Version: ntlm.Version{Major: 5, Minor: 1, Build: 2600, Revision: 15}}.Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func ntlmToken(message []byte) string { return "NTLM " + base64.StdEncoding.EncodeToString(message) }

// challenged sends the NEGOTIATE and returns what both sides then know.
func (r *room) challenged(client *http.Client, m message, flags ntlm.Flags) (ntlm.Handshake, error) {
	h := ntlm.Handshake{Negotiate: negotiateMessage(flags)}
	m.login, m.authorization = "", ntlmToken(h.Negotiate)
	a, err := r.try(client, m)
	if err != nil {
		return h, err
	}
	token, ok := strings.CutPrefix(a.header.Get("WWW-Authenticate"), "NTLM ")
	if !ok || a.status != http.StatusUnauthorized {
		return h, fmt.Errorf("%s with %q, a challenge expected", a.said(), a.header.Get("WWW-Authenticate"))
	}
	h.Challenge, err = base64.StdEncoding.DecodeString(token)
	return h, err
}

func answerOf(login, password string) ntlm.Client {
	c := ntlm.Client{User: login, Workstation: "COMPUTER", Password: ntlm.NTOWFv1(password), Challenge: [8]byte(random(8)), SessionKey: ntlm.Key(random(16))}
	if domain, user, ok := strings.Cut(login, `\`); ok {
		c.Domain, c.User = domain, user
	}
	return c
}

// tryNTLM sends the message with the login and password that it has.
func (r *room) tryNTLM(client *http.Client, m message) (answer, error) {
	h, err := r.challenged(client, m, windowsFlags)
	if err != nil {
		return answer{}, err
	}
	if h.Authenticate, err = answerOf(m.login, m.password).Respond(h); err != nil {
		return answer{}, err
	}
	m.login, m.authorization = "", ntlmToken(h.Authenticate)
	return r.try(client, m)
}

// byBasic has the lab take Basic before the wrong message is made.
func byBasic(make func(*room) wrong) func(*room) wrong {
	return func(r *room) wrong {
		r.webServices(func(w *configs.WebServices) { w.WindowsAuth = windowsBasic })
		return make(r)
	}
}

func authorized(authorization string) func(*room) wrong {
	return func(r *room) wrong {
		m := r.windowsPort("", "", "")
		m.authorization = authorization
		return wrong{message: m}
	}
}

func ntlmMessage(m interface{ Append([]byte) ([]byte, error) }) func(*room) wrong {
	b, err := m.Append(nil)
	if err != nil {
		panic(err)
	}
	return authorized(ntlmToken(b))
}

// answered is the right answer to a challenge, spoilt.
func answered(change func(*ntlm.Authenticate)) func(*room) wrong {
	return func(r *room) wrong {
		m, _ := r.answer(r.client, change)
		return wrong{message: m}
	}
}

// answer asks for a challenge on the client's connection and returns the message that answers it.
func (r *room) answer(client *http.Client, change func(*ntlm.Authenticate)) (message, ntlm.Handshake) {
	r.t.Helper()
	m := r.windowsPort("", "", "")
	h, err := r.challenged(client, m, windowsFlags)
	if err != nil {
		r.t.Fatal(err)
	}
	if h.Authenticate, err = answerOf(`LITWARE\kenmyer`, "Litware-2013").Respond(h); err != nil {
		r.t.Fatal(err)
	}
	if change != nil {
		a, err := ntlm.ParseAuthenticate(h.Authenticate)
		if err != nil {
			r.t.Fatal(err)
		}
		change(&a)
		if len(a.NTResponse) < 48 {
			a.MIC = nil // nothing announces it any more
		}
		if h.Authenticate, err = a.Append(nil); err != nil {
			r.t.Fatal(err)
		}
	}
	m.authorization = ntlmToken(h.Authenticate)
	return m, h
}

// onAnotherConnection is the right answer to a challenge that another connection was given.
func onAnotherConnection(r *room) wrong {
	m, _ := r.answer(r.client, nil)
	other := r.handset()
	r.t.Cleanup(other.CloseIdleConnections)
	return wrong{m, other}
}

// answeredTwice is the right answer to a challenge that was answered wrongly before.
func answeredTwice(r *room) wrong {
	m, h := r.answer(r.client, nil)
	var err error
	if h.Authenticate, err = answerOf(`LITWARE\kenmyer`, "Litware-2014").Respond(h); err != nil {
		r.t.Fatal(err)
	}
	guess := m
	guess.authorization = ntlmToken(h.Authenticate)
	if a := r.send(guess); a.status != http.StatusUnauthorized {
		r.t.Fatal(a.said())
	}
	return wrong{message: m}
}

// Whoever has authenticated stays so on that connection and on no other.
func TestNTLMIsOfTheConnection(t *testing.T) {
	r := open(t)
	anonymous := r.windowsPort("", "", "")
	r.mustSend(r.windowsPort(`LITWARE\kenmyer`, "Litware-2013", ""))
	ticket, err := webticket.ParseResponse(r.mustSend(anonymous).body)
	if err != nil || ticket.SIPAddress != kenmyer {
		t.Errorf("the next request is answered with a ticket for %q, %v", ticket.SIPAddress, err)
	}
	other := r.handset()
	defer other.CloseIdleConnections()
	if a, err := r.try(other, anonymous); err != nil || a.status != http.StatusUnauthorized {
		t.Errorf("another connection: %s, %v", a.said(), err)
	}
	r.client.CloseIdleConnections()
	if a := r.send(anonymous); a.status != http.StatusUnauthorized {
		t.Errorf("a new connection: %s", a.said())
	}

	r.mustSend(r.windowsPort(`LITWARE\kenmyer`, "Litware-2013", ""))
	if err := r.directory.Disable(kenmyer); err != nil {
		t.Fatal(err)
	}
	if a := r.send(anonymous); a.said() != "HTTP 403, fault FailedAuthentication 28000" {
		t.Errorf("disabled since: %s", a.said())
	}
	if _, err := r.challenged(r.client, anonymous, sipeFlags); err != nil {
		t.Error(err)
	}
	if a := r.send(anonymous); a.status != http.StatusUnauthorized {
		t.Errorf("a handshake that was begun anew forgets who was there before: %s", a.said())
	}
}

// A user may write the login with the domain's NetBIOS name, with its DNS name behind, or without.
func TestLogins(t *testing.T) {
	for _, switched := range []string{windowsNTLM, windowsBasic} {
		r := open(t, func(l *configs.Lab, _ *Config) { l.WebServices.WindowsAuth = switched })
		for _, login := range []string{`LITWARE\kenmyer`, `litware\KenMyer`, "kenmyer", "KENMYER", "kenmyer@litwareinc.com", "KenMyer@LITWAREINC.com"} {
			ticket, err := webticket.ParseResponse(r.mustSend(r.windowsPort(login, "Litware-2013", "")).body)
			if err != nil || ticket.SIPAddress != kenmyer {
				t.Errorf("%s, %s: %q, %v", switched, login, ticket.SIPAddress, err)
			}
		}
		for _, login := range []string{`LITWARE\`, "@litwareinc.com", "kenmyer@", `litwareinc.com\nobody`, "LITWARE/kenmyer"} {
			if a := r.send(r.windowsPort(login, "Litware-2013", "")); a.status != http.StatusUnauthorized {
				t.Errorf("%s, %q: %s", switched, login, a.said())
			}
		}
	}
}

// What a client did not ask for it is not given: go-ntlmssp gives up when keys are to be exchanged.
func TestChallenge(t *testing.T) {
	r := open(t)
	anonymous := r.windowsPort("", "", "")
	for _, flags := range []ntlm.Flags{sipeFlags, windowsFlags, ntlm.Unicode, ntlm.OEM, ntlm.OEM | ntlm.Unicode} {
		h, err := r.challenged(r.client, anonymous, flags)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ntlm.ParseChallenge(h.Challenge)
		if err != nil {
			t.Fatal(err)
		}
		own := ntlm.Unicode | ntlm.NTLM | ntlm.AlwaysSign | ntlm.TargetDomain | ntlm.WithTargetInfo
		if flags == ntlm.OEM {
			own ^= ntlm.Unicode | ntlm.OEM
		}
		if c.Flags != flags&ntlmFlags|own || c.TargetName != "LITWARE" || c.ServerChallenge == [8]byte{} {
			t.Errorf("asked with %#x: %#x, target %q, %x", flags, c.Flags, c.TargetName, c.ServerChallenge)
		}
		for id, want := range map[ntlm.AVID]string{
			ntlm.AVNetBIOSDomain: "LITWARE", ntlm.AVNetBIOSComputer: "ATL-CS-001", ntlm.AVDNSDomain: "litwareinc.com",
			ntlm.AVDNSComputer: host, ntlm.AVDNSTree: "litwareinc.com",
		} {
			if !strings.Contains(fmt.Sprint(c.TargetInfo), fmt.Sprint(ntlm.TextPair(id, want))) {
				t.Errorf("pair %d is not %s", id, want)
			}
		}
		if !strings.Contains(fmt.Sprint(c.TargetInfo), fmt.Sprint(ntlm.TimePair(r.now()))) {
			t.Error("the time is not the pool's")
		}
		r.add(time.Hour)
	}
}

// The history tells the steps of a handshake and, of a wrong password, one attempt; it holds no password.
func TestHistoryOfNTLM(t *testing.T) {
	r := open(t)
	r.send(r.windowsPort("", "", ""))
	r.send(r.windowsPort("LITWARE\\ken\x1b[2J", "Litware-2013", ""))
	r.mustSend(r.windowsPort("kenmyer", "Litware-2013", ""))
	var told []string
	for _, o := range r.told() {
		told = append(told, string(o.Kind)+" "+o.Text+" "+o.Fields[0].Value)
	}
	const windows = "POST /WebTicket/WebTicketService.svc"
	want := []string{
		"dropped " + windows + ": ticket.login: no credentials, or not by NTLM " + windows,
		"received " + windows + ", NTLM challenge: answered " + windows + ", NTLM challenge",
		"dropped " + windows + ": ticket.password: login or password is wrong LITWARE\\ken\ufffd[2J",
		"received " + windows + ", NTLM challenge: answered " + windows + ", NTLM challenge",
		"received " + windows + " Issue, web ticket for " + kenmyer + ": answered " + kenmyer,
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("history\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if strings.Contains(fmt.Sprint(r.told()), "Litware-2013") {
		t.Error("the history holds the password")
	}
}

// A client that gives no integrity code, though the challenge has the time, is let in: so do pidgin-sipe and go-ntlmssp,
// which the handset has.
func TestNTLMWithoutIntegrityCode(t *testing.T) {
	r := open(t)
	m := r.windowsPort("", "", "")
	negotiate, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, negotiate := range [][]byte{negotiate, negotiateMessage(sipeFlags)} {
		m.authorization = ntlmToken(negotiate)
		token := strings.TrimPrefix(r.send(m).header.Get("WWW-Authenticate"), "NTLM ")
		challenge, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := ntlmssp.NewAuthenticateMessage(challenge, `LITWARE\kenmyer`, "Litware-2013", nil)
		if err != nil {
			t.Fatal(err)
		}
		m.authorization = ntlmToken(answer)
		r.mustSend(m)
	}
}
