package handset

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/Azure/go-ntlmssp"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/secret"
)

// exchangeByPassword sends the request to a port with Windows authentication: first without credentials, then in the
// best way that the answer offers (RFC 4559 §4). Only a 401 after the credentials is refused=true.
func (h *Handset) exchangeByPassword(ctx context.Context, r webRequest) (answer webAnswer, refused bool, failure *Failure) {
	answer, failure = h.exchange(ctx, r)
	if failure != nil || answer.Status != 401 {
		return answer, false, failure
	}
	offered := challenges(answer)
	for _, scheme := range []string{"NTLM", "Negotiate"} {
		if _, ok := offered[strings.ToLower(scheme)]; ok {
			h.note("authenticating by %s, with the messages of NTLM", scheme)
			answer, failure = h.exchangeNTLM(ctx, r, scheme)
			return h.judge(answer, scheme, failure)
		}
	}
	_, basic := offered["basic"]
	switch {
	case !basic:
		return answer, false, fail(r.stage, "windows-off", answer.peer, "HTTP 401 that offers neither NTLM nor Basic: "+answer.offer(), nil)
	case !strings.HasPrefix(strings.ToLower(r.url), "https:"):
		return answer, false, fail(r.stage, "windows-off", answer.peer, "HTTP 401 that offers Basic alone, which would show the password: no TLS", nil)
	}
	h.note("authenticating by Basic")
	c := h.ram.credentials
	r.authorization = secret.New("Basic " + base64.StdEncoding.EncodeToString([]byte(c.User+":"+c.Password.Reveal())))
	answer, failure = h.exchange(ctx, r)
	return h.judge(answer, "Basic", failure)
}

// judge tells a refused password from whatever else came of the exchange.
func (h *Handset) judge(answer webAnswer, scheme string, failure *Failure) (webAnswer, bool, *Failure) {
	if failure != nil || answer.Status != 401 {
		return answer, false, failure
	}
	return answer, true, fail(devicestate.StageTicket, "password-refused", answer.peer,
		fmt.Sprintf("HTTP 401 to user name and password by %s, offered again: %s", scheme, answer.offer()), nil)
}

// exchangeNTLM does the two steps of NTLM, both on one connection: what is authenticated is the connection. Under
// Negotiate the messages go without SPNEGO, which Windows takes as well (inferred, from go-ntlmssp).
func (h *Handset) exchangeNTLM(ctx context.Context, r webRequest, scheme string) (webAnswer, *Failure) {
	negotiate, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		return webAnswer{}, internal("the first message of NTLM", err)
	}
	r.authorization = secret.New(scheme + " " + base64.StdEncoding.EncodeToString(negotiate))
	answer, failure := h.exchange(ctx, r)
	if failure != nil || answer.Status != 401 {
		return answer, failure
	}
	token := challenges(answer)[strings.ToLower(scheme)]
	switch {
	case token == "":
		return answer, fail(r.stage, "windows-off", answer.peer, "HTTP 401 without a challenge to the first message of NTLM: "+answer.offer(), nil)
	case h.ram.web != answer.session:
		return answer, fail(r.stage, "reset", answer.peer, "the server closes the connection between the messages of NTLM, which authenticates a connection", nil)
	}
	challenge, err := base64.StdEncoding.DecodeString(token)
	var message []byte
	if err == nil {
		message, err = ntlmssp.NewAuthenticateMessage(challenge, h.ram.credentials.User, h.ram.credentials.Password.Reveal(), nil)
	}
	if err != nil {
		return answer, fail(r.stage, "garbage", answer.peer, "the challenge of NTLM cannot be used", err)
	}
	r.authorization, r.on = secret.New(scheme+" "+base64.StdEncoding.EncodeToString(message)), answer.session
	return h.exchange(ctx, r)
}

// challenges are the schemes of WWW-Authenticate, in lower case, with the token of each. A pool sends a header line a
// scheme, or all in one line, as IIS is seen to ("Negotiate,NTLM", handset.md §2).
func challenges(a webAnswer) map[string]string {
	out := map[string]string{}
	for _, header := range a.Header {
		if !strings.EqualFold(header.Name, "WWW-Authenticate") {
			continue
		}
		for _, part := range splitUnquoted(header.Value) {
			scheme, rest, _ := strings.Cut(strings.TrimSpace(part), " ")
			if scheme == "" || strings.Contains(scheme, "=") { // a parameter of the scheme before
				continue
			}
			if _, twice := out[strings.ToLower(scheme)]; !twice {
				out[strings.ToLower(scheme)] = strings.TrimSpace(rest)
			}
		}
	}
	return out
}

// splitUnquoted splits at the commas that are not in a quoted string (RFC 9110 §5.6.4).
func splitUnquoted(text string) []string {
	var parts []string
	quoted, escaped, begin := false, false, 0
	for i, c := range text {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			parts, begin = append(parts, text[begin:i]), i+1
		}
	}
	return append(parts, text[begin:])
}

// offer is what WWW-Authenticate says, without tokens.
func (a webAnswer) offer() string {
	var schemes []string
	for _, header := range a.Header {
		if strings.EqualFold(header.Name, "WWW-Authenticate") {
			scheme, _, _ := strings.Cut(header.Value, " ")
			schemes = append(schemes, scheme)
		}
	}
	if len(schemes) == 0 {
		return "no WWW-Authenticate"
	}
	return "WWW-Authenticate: " + strings.Join(schemes, ", ")
}
