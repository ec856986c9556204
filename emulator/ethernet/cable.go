package ethernet

import (
	"net"
	"time"
)

// Options say what a cable does besides carrying frames. The zero value is a perfect, unobserved cable.
type Options struct {
	// Tap is called for each frame in order. It must be quick, must not call the cable, and must neither keep nor
	// change the frame's bytes.
	Tap func(TappedFrame)
	// Malformed is called for each frame that a station cannot read: it got no further. The rules of Tap hold.
	Malformed func(MalformedFrame)
	// Link is called when the interface of a [Bridge] loses its link, with what is wrong, and with nil when it has one again.
	// It must be quick.
	Link func(*BridgeError)
	// Impairments worsen the way from port to port.
	Impairments Impairments
}

// MalformedFrame is a frame that a station cannot read.
type MalformedFrame struct {
	At      time.Time
	Station string           // the station that got it
	Source  net.HardwareAddr // nil if the frame is too short for one
	Kind    string           // arp, ipv4, udp, or ethernet
	Seen    string
}

// Direction says where a tapped frame was seen.
type Direction uint8

// The two places at which a frame passes the tap.
const (
	Sent      Direction = iota // as it was given to the port, by a station or by the wire; once for each frame
	Delivered                  // as the switch gave it to the port; once for each port that gets it
)

func (d Direction) String() string {
	if d == Delivered {
		return "delivered"
	}
	return "sent"
}

// TappedFrame is one frame as it passed a port.
type TappedFrame struct {
	At        time.Time
	Station   string // the station at that port, or the interface that a Bridge joins
	Direction Direction
	Frame     []byte // from the destination MAC on, with its 802.1Q tag, without frame check sequence
}

// Impairments are what a bad network does to frames, drawn from Seed: the same frames in the same order suffer the same.
// On a [Pipe] they strike frames, and so not the bytes of TCP connections.
type Impairments struct {
	Seed      uint64
	Delay     time.Duration // added to every frame
	Jitter    time.Duration // up to this is added to Delay; it alone does not change the order
	Loss      float64       // probability of 0 to 1
	Duplicate float64       // probability of 0 to 1
	Reorder   float64       // probability of 0 to 1 that a frame is overtaken by later ones
}
