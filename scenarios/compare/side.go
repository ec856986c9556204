package compare

import (
	"fmt"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exchange"
)

// Side is one of two that are compared.
type Side struct {
	Name     string
	Messages []exchange.Message
}

// ProtocolFile is the protocol of what is no message but the keys and values of a file, or what came of a scenario.
const ProtocolFile = "file"

// Profile is a profile as a side: its facts are the fields of one message.
func Profile(p *configs.Profile) Side {
	m := exchange.Message{Protocol: ProtocolFile, Kind: "profile"}
	for _, fact := range p.Facts {
		m.Fields = append(m.Fields, exchange.Field{Name: fact.Name, Value: fmt.Sprint(fact.Value)})
	}
	return Side{Name: p.Name, Messages: []exchange.Message{m}}
}
