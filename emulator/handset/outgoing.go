package handset

import (
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// Outgoing changes messages that are about to be sent, for a handset that is to send what another one has sent. What
// proves who sends (Authorization, cookies, WS-Security) has to stay; if anything else that the signature of a SIP message
// covers is changed, it is signed anew. Its methods may be called from several goroutines.
type Outgoing interface {
	LLDP(unit *lldp.PDU)
	NTP(request []byte) []byte
	DHCP(payload []byte) []byte
	HTTP(request *httpmessage.Request)
	SIP(message *sipmessage.Message)
}

// WithOutgoing has messages changed before they are sent, nil: they are sent as they are.
func WithOutgoing(o Outgoing) Option { return func(c *config) { c.outgoing = o } }
