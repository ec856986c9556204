package webservices

import (
	"net/http"

	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/protocol/soap"
)

// The values of web_services.windows_auth.
const (
	windowsNTLM  = "ntlm"
	windowsBasic = "basic"
	windowsOff   = "off"
)

const basicChallenge = `Basic realm="lab"`

// windowsTicket answers port WebTicketServiceWinNegotiate, where HTTP tells who asks: by NTLM, or by Basic in a lab
// that is switched to it. Negotiate is never offered, because the lab has no Kerberos (web-services.md §7.2 item 4).
func (s *Server) windowsTicket(x *exchange) (response, *refusal) {
	var user directory.User
	var refused *refusal
	how := windowsNTLM
	if s.cfg.Settings.WebServices().WindowsAuth == windowsBasic {
		how = windowsBasic
		user, refused = s.basicUser(x)
	} else {
		var challenge *response
		if user, challenge, refused = s.ntlmUser(x); challenge != nil {
			return *challenge, nil
		}
	}
	if refused != nil {
		return response{}, refused
	}
	x.who, x.auth = user.SIPAddress, how
	if !user.Enabled {
		refused := checkEnabled.refuse("the user is disabled")
		refused.header = http.Header{"X-Ms-diagnostics": {soap.Diagnostics{ErrorID: idNotEnabled, Source: s.server, Reason: notEnabled}.String()}}
		return response{}, refused
	}
	r, refused := s.request(x)
	if refused != nil {
		return response{}, refused
	}
	if r.SIPAddress != "" && !sameSIP(r.SIPAddress, user.SIPAddress) {
		return response{}, checkLoginClaim.refuse("the claim names another user")
	}
	return s.issue(x, r, user.SIPAddress)
}

// basicUser is who authenticates by HTTP Basic.
func (s *Server) basicUser(x *exchange) (directory.User, *refusal) {
	login, password, ok := x.request.BasicAuth()
	if !ok {
		return directory.User{}, challenged(checkLogin.refuse("no credentials"), basicChallenge)
	}
	x.who = shorten(login)
	user, ok := s.cfg.Directory.Login(s.account(login), password)
	if !ok {
		return directory.User{}, challenged(checkPassword.refuse("login or password is wrong"), basicChallenge)
	}
	return user, nil
}

// account is the login as the directory has it, for one that a user writes.
func (s *Server) account(login string) string {
	if user, ok := s.cfg.Lab.ByLogin(login); ok {
		return user.Login
	}
	return login
}

// challenged is a refusal that says how to authenticate.
func challenged(r *refusal, challenge string) *refusal {
	r.header = http.Header{"WWW-Authenticate": {challenge}}
	return r
}
