package registrar

import (
	"github.com/phone-edition/lpe/protocol/sipmessage"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// Outgoing changes messages that are about to be sent, for a registrar that is to say what another one has said. It may be
// called from several goroutines. What proves who sends has to stay; if anything else that the signature covers is
// changed, the message is signed anew.
type Outgoing interface {
	// SIP is told a request when it comes, and returns what changes the answers to it; that is false for what is not to be
	// sent.
	SIP(request *sipmessage.Message) func(answer *sipmessage.Message) bool
	// SIPRequest changes a request of the registrar.
	SIPRequest(request *sipmessage.Message)
}

// change has a message changed before it is sent, and reports whether it is to be.
func (c *connection) change(m *sipmessage.Message) bool {
	a, p := c.signer(m)
	before := ""
	if a != nil {
		before = a.input(m, p.TargetName, p.SRand, p.SNum)
	}
	switch {
	case m.IsRequest():
		c.s.cfg.Outgoing.SIPRequest(m)
	case c.handling.change == nil || c.handling.transaction != transaction(m):
		return true
	case !c.handling.change(m):
		return false
	}
	if a == nil {
		return true
	}
	after := a.input(m, p.TargetName, p.SRand, p.SNum)
	if before == after {
		return true
	}
	p.RSPAuth = a.keys.SignServer(after)
	for i, h := range m.Headers {
		if h.Name == "Authentication-Info" {
			m.Headers[i].Value = tlsdsk.AuthenticationInfo(p)
		}
	}
	return true
}

// handling is the request that a connection handles, for who changes its answers.
type handling struct {
	transaction string
	change      func(answer *sipmessage.Message) bool
}

func (c *connection) handles(m *sipmessage.Message) {
	c.handling = handling{}
	if o := c.s.cfg.Outgoing; o != nil && m.IsRequest() {
		c.handling = handling{transaction(m), o.SIP(m)}
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
