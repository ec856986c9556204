package nameserver

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/guests"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Bounds of DNS over TCP (RFC 7766).
const (
	streamSize = 65535            // of a message
	streamIdle = 10 * time.Second // after which a connection is closed (6.2.3: a few seconds)
	maxStreams = 64               // when one too many comes, the one that asked nothing for the longest has to go
)

// streams are the connections of DNS over TCP.
type streams struct {
	listener net.Listener

	guests *guests.List

	mu    sync.Mutex
	open  map[net.Conn]bool
	ended bool
	done  sync.WaitGroup
}

// runStreams answers what comes over TCP: answers that do not fit into a datagram (RFC 7766, 5).
func (s *Server) runStreams() {
	defer s.streams.done.Done()
	for {
		conn, err := s.streams.listener.Accept()
		if err != nil {
			return
		}
		if !s.streams.add(conn) {
			conn.Close()
			continue
		}
		if gone := s.streams.guests.Come(conn); gone != nil {
			s.note(timeline.Dropped, gone.RemoteAddr().String(), fmt.Sprintf("connection closed: there are more than %d", maxStreams))
		}
		go func() {
			defer s.streams.remove(conn)
			s.serveStream(conn)
		}()
	}
}

// serveStream answers the queries of one connection, one after the other.
func (s *Server) serveStream(conn net.Conn) {
	peer := conn.RemoteAddr().String()
	size := make([]byte, 2)
	for {
		if err := conn.SetDeadline(time.Now().Add(streamIdle)); err != nil {
			return
		}
		if _, err := io.ReadFull(conn, size); err != nil {
			return
		}
		n := binary.BigEndian.Uint16(size)
		if n > maxQuery {
			s.note(timeline.Dropped, peer, "query over TCP that is too long")
			return
		}
		query := make([]byte, n)
		if _, err := io.ReadFull(conn, query); err != nil {
			s.note(timeline.Dropped, peer, "query over TCP that is cut: "+err.Error())
			return
		}
		s.streams.guests.Heard(conn)
		reply, ok := s.answerWithin(query, peer, streamSize)
		if !ok {
			continue
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			s.note(timeline.Note, peer, "answer not sent: "+err.Error())
			return
		}
	}
}

func (t *streams) add(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.open[conn] = true
	t.done.Add(1)
	return true
}

func (t *streams) remove(conn net.Conn) {
	conn.Close()
	t.guests.Leave(conn)
	t.mu.Lock()
	delete(t.open, conn)
	t.mu.Unlock()
	t.done.Done()
}

func (t *streams) close() error {
	err := t.listener.Close()
	t.mu.Lock()
	t.ended = true
	for conn := range t.open {
		conn.Close()
	}
	t.mu.Unlock()
	t.done.Wait()
	return err
}
