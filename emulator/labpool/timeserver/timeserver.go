// Package timeserver is the lab's SNTP server.
package timeserver

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/ntp"
)

// stratum of the server: it is its own reference, as chronyd with "local stratum 3".
const stratum = 3

// maxDatagram is read whole: Windows takes it for an error of the socket if one does not fit.
const maxDatagram = 65535

// wrongYear is where fault time=wrong puts the clock.
const wrongYear = 2001

// Config says which time is told.
type Config struct {
	Station  ethernet.Station
	Timeline *timeline.Timeline
	Faults   *faults.Set
	Clock    func() time.Time // time.Now if nil
	Offset   time.Duration    // added to the clock
}

// Server is a running time server.
type Server struct {
	cfg  Config
	conn net.PacketConn
	done chan struct{}
}

// Start serves until Close.
func Start(cfg Config) (*Server, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	conn, err := cfg.Station.ListenUDP(ntp.Port)
	if err != nil {
		return nil, fmt.Errorf("time server: %w", err)
	}
	s := &Server{cfg: cfg, conn: conn, done: make(chan struct{})}
	go s.run()
	return s, nil
}

// LocalAddr is where the server listens.
func (s *Server) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// Close ends the server.
func (s *Server) Close() error {
	err := s.conn.Close()
	<-s.done
	return err
}

func (s *Server) run() {
	defer close(s.done)
	buffer := make([]byte, maxDatagram)
	for {
		n, peer, err := s.conn.ReadFrom(buffer)
		received := s.cfg.Clock()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.note(timeline.Dropped, "", "query not received: "+err.Error())
			return
		}
		reply, ok := s.answer(buffer[:n], received, peer.String())
		if !ok {
			continue
		}
		if _, err := s.conn.WriteTo(reply, peer); err != nil {
			s.note(timeline.Note, peer.String(), "answer not sent: "+err.Error())
		}
	}
}

// answer returns the answer to a client's query (mode 3) of NTP version 3 or 4, none for anything else.
func (s *Server) answer(b []byte, received time.Time, peer string) (reply []byte, ok bool) {
	query, err := ntp.Parse(b)
	if err != nil {
		s.note(timeline.Dropped, peer, err.Error()+": "+unknown.Bytes(b))
		return nil, false
	}
	if query.Mode != ntp.ModeClient || query.Version < 3 {
		s.note(timeline.Dropped, peer, fmt.Sprintf("version %d mode %d, version 3 or 4 mode 3 expected: %s", query.Version, query.Mode, unknown.Bytes(b)))
		return nil, false
	}
	s.note(timeline.Received, peer, fmt.Sprintf("query, version %d", query.Version))
	if _, on := s.cfg.Faults.On("time=silent"); on {
		s.note(timeline.Dropped, peer, "fault time=silent")
		return nil, false
	}
	offset := s.cfg.Offset
	if _, on := s.cfg.Faults.On("time=wrong"); on {
		s.note(timeline.Note, peer, "fault time=wrong")
		offset = received.AddDate(wrongYear-received.Year(), 0, 0).Sub(received)
	}
	told := s.cfg.Clock().Add(offset)
	reply, err = ntp.Answer(query, received.Add(offset), told, stratum).Append(nil)
	if err != nil {
		s.note(timeline.Note, peer, "answer not built: "+err.Error())
		return nil, false
	}
	s.note(timeline.Sent, peer, told.UTC().Format(time.RFC3339))
	return reply, true
}

func (s *Server) note(kind timeline.Kind, peer, text string) {
	s.cfg.Timeline.Add(timeline.Observation{At: s.cfg.Clock(), Kind: kind, Protocol: "ntp", Peer: peer, Text: text})
}
