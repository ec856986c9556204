package handset

import (
	"net"

	"github.com/phone-edition/lpe/emulator/exchange"
)

// overheard keeps the first flight of a TLS handshake in each direction for the timeline.
type overheard struct {
	net.Conn
	hello  func(flight []byte) // gets the client's, nil: it is out
	answer []byte              // the server's, as far as it has come in
	over   bool                // the client has gone on
}

func (c *overheard) Write(b []byte) (int, error) {
	if c.hello != nil {
		c.hello(b)
		c.hello = nil
	} else {
		c.over = true
	}
	return c.Conn.Write(b)
}

func (c *overheard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.over && len(c.answer)+n <= exchange.MaxFlight {
		c.answer = append(c.answer, b[:n]...)
	}
	return n, err
}
