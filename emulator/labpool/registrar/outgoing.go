package registrar

import (
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// Outgoing changes messages that are about to be sent, for a registrar that is to say what another one has said. It may be
// called from several goroutines. What proves who sends has to stay; if anything else that the signature covers is
// changed, the message is signed anew.
type Outgoing interface {
	// SIP is told the request that a message answers, nil if it is a request itself.
	SIP(request, message *sipmessage.Message)
}

// change has a message changed before it is sent.
func (c *connection) change(m *sipmessage.Message) {
	request := c.handling
	if m.IsRequest() || request == nil || transaction(request) != transaction(m) {
		request = nil
	}
	a, p := c.signer(m)
	before := ""
	if a != nil {
		before = a.input(m, p.TargetName, p.SRand, p.SNum)
	}
	c.s.cfg.Outgoing.SIP(request, m)
	if a == nil {
		return
	}
	after := a.input(m, p.TargetName, p.SRand, p.SNum)
	if before == after {
		return
	}
	p.RSPAuth = a.keys.SignServer(after)
	for i, h := range m.Headers {
		if h.Name == "Authentication-Info" {
			m.Headers[i].Value = tlsdsk.AuthenticationInfo(p)
		}
	}
}

// signer is the association that a message of the registrar is signed with, nil if it is not signed.
func (c *connection) signer(m *sipmessage.Message) (*association, tlsdsk.Params) {
	_, p, err := tlsdsk.ParseParams(m.Get("Authentication-Info"))
	if err != nil {
		return nil, p
	}
	return c.associations[p.Opaque], p
}
