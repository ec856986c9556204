package webservices

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/protocol/ntlm"
)

const ntlmChallenge = "NTLM"

// connection is a TCP connection and what it authenticates: NTLM is of a connection, not of a request
// (RFC 4559 §6). It is forgotten with the connection.
type connection struct {
	net.Conn
	handshake ntlm.Handshake // begun, and waiting for the AUTHENTICATE_MESSAGE
	user      string         // SIP address of whoever has authenticated, empty: nobody
}

// connKey is the context key of the connection that a request came on.
type connKey struct{}

func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connKey{}).(*connection)
	return c
}

// ntlmUser is who authenticates by NTLM. Until that is known the answer is a challenge or a refusal. Whoever has
// authenticated stays so for the connection's other requests, as under IIS.
func (s *Server) ntlmUser(x *exchange) (user directory.User, challenge *response, refused *refusal) {
	c := connectionOf(x.request)
	header := x.request.Header.Get("Authorization")
	if header == "" && c.user != "" {
		if user, ok := s.cfg.Directory.BySIP(c.user); ok {
			return user, nil, nil
		}
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, ntlmChallenge) {
		return user, nil, challenged(checkLogin.refuse("no credentials, or not by NTLM"), ntlmChallenge)
	}
	begun := c.handshake
	c.handshake, c.user = ntlm.Handshake{}, "" // one answer a challenge, whatever comes of it
	message, err := base64.StdEncoding.DecodeString(strings.TrimSpace(token))
	if err != nil {
		return user, nil, challenged(checkNTLMMessage.refuse("no base64"), ntlmChallenge)
	}
	switch kind, err := ntlm.TypeOf(message); {
	case err != nil:
		return user, nil, challenged(checkNTLMMessage.refuse("%v", err), ntlmChallenge)
	case kind == ntlm.TypeNegotiate:
		x.what += ", NTLM challenge"
		challenge, refused = s.ntlmChallenge(c, message)
		return user, challenge, refused
	case kind != ntlm.TypeAuthenticate:
		return user, nil, challenged(checkNTLMMessage.refuse("type %d", kind), ntlmChallenge)
	case begun.Challenge == nil:
		return user, nil, challenged(checkNTLMOrder.refuse("no challenge was given on this connection"), ntlmChallenge)
	}
	begun.Authenticate = message
	if user, refused = s.ntlmLogin(x, begun); refused != nil {
		return user, nil, challenged(refused, ntlmChallenge)
	}
	c.user = user.SIPAddress
	return user, nil, nil
}

// ntlmLogin verifies an AUTHENTICATE_MESSAGE with the password of the user whom it names.
func (s *Server) ntlmLogin(x *exchange, h ntlm.Handshake) (directory.User, *refusal) {
	a, err := ntlm.ParseAuthenticate(h.Authenticate)
	if err == nil {
		_, err = a.Response()
	}
	switch {
	case errors.Is(err, ntlm.ErrVersion):
		return directory.User{}, checkNTLMVersion.refuse("%v", err)
	case errors.Is(err, ntlm.ErrAnonymous):
		return directory.User{}, checkNTLMAnonymous.refuse("%v", err)
	case err != nil:
		return directory.User{}, checkNTLMMessage.refuse("%v", err)
	}
	login := a.User
	if a.Domain != "" {
		login = a.Domain + `\` + a.User
	}
	x.who = shorten(login)
	err = ntlm.ErrProof // a login that nobody has
	user, ok := s.cfg.Directory.Prove(s.account(login), func(password ntlm.Key) bool {
		_, err = h.Verify(password)
		return err == nil
	})
	switch {
	case ok:
		return user, nil
	case errors.Is(err, ntlm.ErrMIC):
		return directory.User{}, checkNTLMMIC.refuse("%v", err)
	}
	return directory.User{}, checkPassword.refuse("login or password is wrong")
}

// ntlmFlags are what the lab takes up of a client's flags; the others of its answer it sets itself.
const ntlmFlags = ntlm.RequestTarget | ntlm.Sign | ntlm.Seal | ntlm.ExtendedSessionSecurity | ntlm.WithVersion |
	ntlm.Key128 | ntlm.KeyExchange | ntlm.Key56

// ntlmVersion is that of Windows Server 2008 R2, on which Lync Server 2010 and 2013 run.
var ntlmVersion = ntlm.Version{Major: 6, Minor: 1, Build: 7601, Revision: 15}

// ntlmChallenge begins a handshake on the connection.
func (s *Server) ntlmChallenge(c *connection, message []byte) (*response, *refusal) {
	negotiate, err := ntlm.ParseNegotiate(message)
	charset := negotiate.Flags & ntlm.Unicode
	if charset == 0 {
		charset = negotiate.Flags & ntlm.OEM // curl's way
	}
	if err == nil && charset == 0 {
		err = ntlm.ErrCharset
	}
	if err != nil {
		return nil, challenged(checkNTLMMessage.refuse("%v", err), ntlmChallenge)
	}
	domain, computer := s.netBIOSNames()
	challenge, err := ntlm.Challenge{
		Flags:           negotiate.Flags&ntlmFlags | charset | ntlm.NTLM | ntlm.AlwaysSign | ntlm.TargetDomain | ntlm.WithTargetInfo,
		TargetName:      domain,
		ServerChallenge: [8]byte(random(8)),
		TargetInfo: []ntlm.AVPair{
			ntlm.TextPair(ntlm.AVNetBIOSDomain, domain), ntlm.TextPair(ntlm.AVNetBIOSComputer, computer),
			ntlm.TextPair(ntlm.AVDNSDomain, s.cfg.Lab.DNSDomain), ntlm.TextPair(ntlm.AVDNSComputer, s.server),
			ntlm.TextPair(ntlm.AVDNSTree, s.cfg.Lab.DNSDomain), ntlm.TimePair(s.cfg.Now()),
		},
		Version: ntlmVersion,
	}.Append(nil)
	if err != nil {
		return nil, internal(err)
	}
	c.handshake = ntlm.Handshake{Negotiate: bytes.Clone(message), Challenge: challenge}
	a := plain(http.StatusUnauthorized)
	a.header = http.Header{"WWW-Authenticate": {ntlmChallenge + " " + base64.StdEncoding.EncodeToString(challenge)}}
	return &a, nil
}

// netBIOSNames are those of the lab's domain, which its logins have, and of the computer, 15 characters at most.
func (s *Server) netBIOSNames() (domain, computer string) {
	name, _, _ := strings.Cut(s.cfg.Lab.DNSDomain, ".")
	for _, u := range s.cfg.Lab.Users {
		if u.Login != "" {
			name, _, _ = strings.Cut(u.Login, `\`)
			break
		}
	}
	computer, _, _ = strings.Cut(s.server, ".")
	return strings.ToUpper(name[:min(len(name), 15)]), strings.ToUpper(computer[:min(len(computer), 15)])
}
