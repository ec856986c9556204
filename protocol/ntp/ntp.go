// Package ntp reads and writes SNTP packets (RFC 4330; RFC 5905 for the layout). The lab's time server answers with
// it.
package ntp

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Port is the UDP port of NTP.
const Port = 123

// HeaderSize is the length of a packet without extension.
const HeaderSize = 48

// MaxSize bounds a packet with its extension fields and authenticator.
const MaxSize = 1024

// Modes (RFC 4330, 4).
const (
	ModeSymmetricActive  = 1
	ModeSymmetricPassive = 2
	ModeClient           = 3
	ModeServer           = 4
)

// Packet is one NTP packet.
type Packet struct {
	Leap           uint8 // 0 to 3; 3: the clock is not synchronised
	Version        uint8 // 1 to 4
	Mode           uint8 // 0 to 7
	Stratum        uint8
	Poll           int8   // log2 of seconds
	Precision      int8   // log2 of seconds
	RootDelay      uint32 // seconds << 16
	RootDispersion uint32 // seconds << 16
	ReferenceID    [4]byte
	Reference      Timestamp // when the clock was last set
	Origin         Timestamp // the request's Transmit
	Receive        Timestamp // when the request arrived
	Transmit       Timestamp // when this packet left
	Extension      []byte    // extension fields and authenticator as received, whole words
}

// Parse reads a packet.
func Parse(b []byte) (Packet, error) {
	if len(b) < HeaderSize || len(b) > MaxSize {
		return Packet{}, fmt.Errorf("ntp: packet of %d bytes, %d to %d expected", len(b), HeaderSize, MaxSize)
	}
	p := Packet{
		Leap:           b[0] >> 6,
		Version:        b[0] >> 3 & 7,
		Mode:           b[0] & 7,
		Stratum:        b[1],
		Poll:           int8(b[2]),
		Precision:      int8(b[3]),
		RootDelay:      binary.BigEndian.Uint32(b[4:]),
		RootDispersion: binary.BigEndian.Uint32(b[8:]),
		ReferenceID:    [4]byte(b[12:16]),
		Reference:      Timestamp(binary.BigEndian.Uint64(b[16:])),
		Origin:         Timestamp(binary.BigEndian.Uint64(b[24:])),
		Receive:        Timestamp(binary.BigEndian.Uint64(b[32:])),
		Transmit:       Timestamp(binary.BigEndian.Uint64(b[40:])),
	}
	if len(b) > HeaderSize {
		p.Extension = b[HeaderSize:]
	}
	if err := p.check(); err != nil {
		return Packet{}, err
	}
	return p, nil
}

// Append appends the packet to b.
func (p Packet) Append(b []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b = append(b, p.Leap<<6|p.Version<<3|p.Mode, p.Stratum, byte(p.Poll), byte(p.Precision))
	b = binary.BigEndian.AppendUint32(b, p.RootDelay)
	b = binary.BigEndian.AppendUint32(b, p.RootDispersion)
	b = append(b, p.ReferenceID[:]...)
	for _, t := range []Timestamp{p.Reference, p.Origin, p.Receive, p.Transmit} {
		b = binary.BigEndian.AppendUint64(b, uint64(t))
	}
	return append(b, p.Extension...), nil
}

func (p Packet) check() error {
	switch {
	case p.Leap > 3:
		return fmt.Errorf("ntp: leap indicator %d, 0 to 3 expected", p.Leap)
	case p.Version < 1 || p.Version > 4:
		return fmt.Errorf("ntp: version %d, 1 to 4 expected", p.Version)
	case p.Mode > 7:
		return fmt.Errorf("ntp: mode %d, 0 to 7 expected", p.Mode)
	case len(p.Extension)%4 != 0:
		return fmt.Errorf("ntp: extension of %d bytes, whole words of 4 expected", len(p.Extension))
	case len(p.Extension) > MaxSize-HeaderSize:
		return fmt.Errorf("ntp: extension of %d bytes, at most %d expected", len(p.Extension), MaxSize-HeaderSize)
	}
	return nil
}

// Answer returns a server's answer to request as RFC 4330, 6 lays down: version and poll are copied, mode 1 is answered
// with mode 2 and any other with mode 4, the request's Transmit comes back as Origin. The reference clock is the
// server's own, as chrony's "local stratum" says it.
func Answer(request Packet, received, transmit time.Time, stratum uint8) Packet {
	mode := uint8(ModeServer)
	if request.Mode == ModeSymmetricActive {
		mode = ModeSymmetricPassive
	}
	reference := [4]byte{127, 127, 1, 1}
	if stratum == 1 {
		reference = [4]byte{'L', 'O', 'C', 'L'}
	}
	return Packet{
		Version:        request.Version,
		Mode:           mode,
		Stratum:        stratum,
		Poll:           request.Poll,
		Precision:      -20,
		RootDispersion: 1 << 16 / 100,
		ReferenceID:    reference,
		Reference:      At(received),
		Origin:         request.Transmit,
		Receive:        At(received),
		Transmit:       At(transmit),
	}
}

// Timestamp is a 64-bit NTP timestamp: seconds since 1900, or since 2036-02-07T06:28:16Z if the first bit is 0
// (RFC 4330, 3), and a 32-bit fraction of a second. 0 means "not set".
type Timestamp uint64

const (
	unixEpoch = 2208988800 // seconds from 1900 to 1970
	era       = 1 << 32    // seconds from 1900 to the second era
)

// At returns the timestamp of t, which lies between 1968 and 2104.
func At(t time.Time) Timestamp {
	seconds := uint64(t.Unix()+unixEpoch) & (era - 1)
	return Timestamp(seconds<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second))
}

// Time returns the moment, to the nanosecond.
func (t Timestamp) Time() time.Time {
	seconds := int64(t >> 32)
	if seconds < 1<<31 {
		seconds += era
	}
	fraction := uint64(t) & (era - 1)
	nanoseconds := (fraction*uint64(time.Second) + 1<<31) >> 32
	return time.Unix(seconds-unixEpoch, int64(nanoseconds)).UTC()
}
