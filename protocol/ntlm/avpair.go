package ntlm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// AVID says what an [AVPair] is about, [MS-NLMP] 2.2.2.1.
type AVID uint16

// The AvIds that have a meaning here.
const (
	avEOL                  AVID = 0
	AVNetBIOSComputer      AVID = 1
	AVNetBIOSDomain        AVID = 2
	AVDNSComputer          AVID = 3
	AVDNSDomain            AVID = 4
	AVDNSTree              AVID = 5
	AVFlags                AVID = 6
	AVTimestamp            AVID = 7
	avFlagMIC                   = 0x2
	avHeader                    = 4
	fileTimeSize                = 8
	flagsSize                   = 4
	fileTimeEpoch               = 11644473600 // seconds from 1601 to 1970
	fileTimeUnitsPerSecond      = 1e7
)

// AVPair is one entry of the target information.
type AVPair struct {
	ID    AVID
	Value []byte
}

// TextPair is a pair whose value is a text.
func TextPair(id AVID, text string) AVPair { return AVPair{id, encodeText(text)} }

// TimePair is the server's time.
func TimePair(t time.Time) AVPair {
	return AVPair{AVTimestamp, binary.LittleEndian.AppendUint64(nil, FileTime(t))}
}

// FileTime counts the 100 ns since 1601, [MS-DTYP] 2.3.3.
func FileTime(t time.Time) uint64 {
	return uint64(t.Unix()+fileTimeEpoch)*fileTimeUnitsPerSecond + uint64(t.Nanosecond()/100)
}

// parsePairs reads pairs up to their end and returns what follows it.
func parsePairs(b []byte) (pairs []AVPair, rest []byte, err error) {
	for len(b) >= avHeader {
		id, size := AVID(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		b = b[avHeader:]
		if size > len(b) {
			return nil, nil, fmt.Errorf("%w: AV pair %d of %d bytes, %d are left", ErrMalformed, id, size, len(b))
		}
		if id == avEOL {
			if size > 0 {
				return nil, nil, fmt.Errorf("%w: the end of the AV pairs has %d bytes", ErrMalformed, size)
			}
			return pairs, b, nil
		}
		if want, fixed := map[AVID]int{AVFlags: flagsSize, AVTimestamp: fileTimeSize}[id]; fixed && size != want {
			return nil, nil, fmt.Errorf("%w: AV pair %d of %d bytes, %d expected", ErrMalformed, id, size, want)
		}
		pairs = append(pairs, AVPair{id, bytes.Clone(b[:size])})
		b = b[size:]
	}
	return nil, nil, fmt.Errorf("%w: the AV pairs have no end", ErrMalformed)
}

func appendPairs(b []byte, pairs []AVPair) ([]byte, error) {
	for _, p := range pairs {
		if p.ID == avEOL || len(p.Value) > 0xffff {
			return nil, fmt.Errorf("%w: AV pair %d of %d bytes", ErrMalformed, p.ID, len(p.Value))
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(p.ID))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(p.Value)))
		b = append(b, p.Value...)
	}
	return append(b, 0, 0, 0, 0), nil
}

// find returns the value of the first pair of that id.
func find(pairs []AVPair, id AVID) ([]byte, bool) {
	for _, p := range pairs {
		if p.ID == id {
			return p.Value, true
		}
	}
	return nil, false
}

// saysMIC reports whether the pairs announce a message integrity code, MsvAvFlags 0x2.
func saysMIC(pairs []AVPair) bool {
	flags, ok := find(pairs, AVFlags)
	return ok && len(flags) == flagsSize && binary.LittleEndian.Uint32(flags)&avFlagMIC != 0
}
