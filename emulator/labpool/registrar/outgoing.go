package registrar

import "github.com/phone-edition/lpe/protocol/sipmessage"

// Outgoing changes a message that is about to be sent, for a registrar that is to say what another one has said. What a
// signature covers has to stay. It may be called from several goroutines.
type Outgoing func(*sipmessage.Message)
