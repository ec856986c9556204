package ethernet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	streamBuffer = 64 << 10 // bytes on the way in one direction, like a receive window
	keptBuffer   = 4 << 10  // an empty buffer larger than this is given back

	// retransmitLimit is how long bytes are held on a way that does not open before the connection fails: the 924 s of
	// fifteen retransmissions (RFC 1122, 4.2.3.5: R2 at least 100 s).
	retransmitLimit = 924 * time.Second
)

// stream is one end of a TCP connection on a [Pipe].
type stream struct {
	owner                       *streams
	peer                        *stream
	local, remote               netip.AddrPort
	readDeadline, writeDeadline deadline
	readable, writable          chan struct{} // hold a token while it is worth a look
	writing                     chan struct{} // holds the token of the one that writes

	mu *sync.Mutex // of both ends

	// What the peer sent: arrived bytes can be read, the others are held until the way is open.
	buffer  []byte
	read    int // bytes of buffer that were read
	arrived int // end of the bytes in buffer that arrived
	ended   bool
	endSeen bool

	stuck    *time.Timer // runs while the peer's bytes are held
	closed   bool
	shutdown bool  // this end sends no more
	err      error // why the connection is broken
}

// newPair connects two stations.
func newPair(a, b *streams, local, remote netip.AddrPort) (near, far *stream) {
	mu := &sync.Mutex{}
	near, far = newStream(a, local, remote, mu), newStream(b, remote, local, mu)
	near.peer, far.peer = far, near
	return near, far
}

func newStream(owner *streams, local, remote netip.AddrPort, mu *sync.Mutex) *stream {
	return &stream{
		owner: owner, local: local, remote: remote, mu: mu,
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1), writing: make(chan struct{}, 1),
	}
}

func (s *stream) flow() flow { return flow{s.local.Port(), s.remote} }

// arrives reports whether what this end sends gets to the peer now.
func (s *stream) arrives() bool {
	from, to := s.owner.station, s.peer.owner.station
	if from == to {
		return true
	}
	a, b := from.address.Load(), to.address.Load()
	return a != nil && b != nil && a.prefix.Addr() == s.local.Addr() && b.prefix.Addr() == s.remote.Addr() &&
		!to.isSilent(s.remote.Port()) && from.on.reaches(from, to)
}

func (s *stream) LocalAddr() net.Addr { return tcpAddr(s.local) }

func (s *stream) RemoteAddr() net.Addr { return tcpAddr(s.remote) }

func (s *stream) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return opError(op, "tcp", s.LocalAddr(), s.RemoteAddr(), err)
}

func (s *stream) Read(b []byte) (int, error) {
	for {
		if s.readDeadline.reached() {
			return 0, s.error("read", s.orClosed(os.ErrDeadlineExceeded))
		}
		n, done, err := s.take(b)
		if done {
			return n, s.error("read", err)
		}
		select {
		case <-s.readable:
		case <-s.readDeadline.wait():
		}
	}
}

// take reads what has arrived; done is false if that is nothing yet.
func (s *stream) take(b []byte) (n int, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		signal(s.readable)
		return 0, true, net.ErrClosed
	case len(b) == 0:
		return 0, true, nil
	case s.read < s.arrived:
		n = copy(b, s.buffer[s.read:s.arrived])
		s.read += n
		s.compact()
		signal(s.peer.writable)
		signal(s.readable)
		return n, true, nil
	case s.err != nil:
		signal(s.readable)
		return 0, true, s.err
	case s.endSeen:
		signal(s.readable)
		return 0, true, io.EOF
	}
	return 0, false, nil
}

// compact gives back room that was read.
func (s *stream) compact() {
	if s.read < len(s.buffer) {
		return
	}
	s.read, s.arrived = 0, 0
	s.buffer = s.buffer[:0]
	if cap(s.buffer) > keptBuffer {
		s.buffer = nil
	}
}

func (s *stream) Write(b []byte) (int, error) {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-s.writeDeadline.wait():
		return 0, s.error("write", s.orClosed(os.ErrDeadlineExceeded))
	}
	for n := 0; ; {
		if s.writeDeadline.reached() {
			return n, s.error("write", s.orClosed(os.ErrDeadlineExceeded))
		}
		put, err := s.put(b[n:])
		n += put
		if err != nil || n == len(b) {
			return n, s.error("write", err)
		}
		select {
		case <-s.writable:
		case <-s.writeDeadline.wait():
		}
	}
}

// put gives as much to the peer as fits.
func (s *stream) put(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arrives := s.arrives()
	if s.peer.closed && arrives {
		s.peer.settle(true)
	}
	switch {
	case s.closed:
		return 0, net.ErrClosed
	case s.err != nil:
		return 0, s.err
	case s.shutdown:
		return 0, syscall.EPIPE
	}
	to := s.peer
	n := min(len(b), streamBuffer-(len(to.buffer)-to.read))
	if n > 0 {
		to.add(b[:n])
		to.settle(arrives)
	}
	return n, nil
}

// add appends the peer's bytes.
func (s *stream) add(b []byte) {
	if s.read > 0 && len(s.buffer)+len(b) > cap(s.buffer) {
		s.buffer = s.buffer[:copy(s.buffer, s.buffer[s.read:])]
		s.arrived -= s.read
		s.read = 0
	}
	s.buffer = append(s.buffer, b...)
}

// settle lets what the peer sent arrive, or holds it and starts to lose patience. The caller holds the lock.
func (s *stream) settle(arrives bool) {
	if s.closed {
		s.buffer = nil
		if arrives {
			s.relax()
			s.peer.fail(syscall.ECONNRESET) // the stack here does not know the connection any more
		}
	}
	if !arrives {
		if s.stuck == nil {
			s.stuck = time.AfterFunc(retransmitLimit, s.giveUp)
		}
		return
	}
	s.relax()
	s.arrived, s.endSeen = len(s.buffer), s.ended
	signal(s.readable)
}

func (s *stream) relax() {
	if s.stuck != nil {
		s.stuck.Stop()
		s.stuck = nil
	}
}

// giveUp breaks the connection at the end whose bytes never arrived.
func (s *stream) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck != nil {
		s.stuck = nil
		s.peer.fail(syscall.ETIMEDOUT)
	}
}

// release lets held bytes of the peer through if the way is open again.
func (s *stream) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stuck != nil && s.peer.arrives() {
		s.settle(true)
	}
}

// fail breaks this end. The caller holds the lock.
func (s *stream) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	signal(s.readable)
	signal(s.writable)
}

func (s *stream) orClosed(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return err
}

// Close ends the connection in order, or by a reset if there are unread bytes, as TCP does (RFC 1122, 4.2.2.13).
func (s *stream) Close() error {
	s.mu.Lock()
	unread := s.read < s.arrived
	s.mu.Unlock()
	return s.end(unread)
}

// Reset implements [Resetter].
func (s *stream) Reset() error { return s.end(true) }

func (s *stream) end(reset bool) error {
	if !s.abort(reset) {
		return s.error("close", net.ErrClosed)
	}
	s.forget()
	return nil
}

// abort closes this end and tells the peer by its end of stream or by a reset; false if it was closed already.
func (s *stream) abort(reset bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	s.buffer, s.read, s.arrived = nil, 0, 0
	s.relax()
	s.fail(net.ErrClosed)
	arrives := s.arrives()
	switch {
	case !reset:
		s.sendEnd(arrives)
	case arrives:
		s.peer.fail(syscall.ECONNRESET)
	}
	s.readDeadline.expire()
	s.writeDeadline.expire()
	return true
}

// CloseWrite ends the stream to the peer; reading goes on.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.error("close", net.ErrClosed)
	}
	s.sendEnd(s.arrives())
	return nil
}

func (s *stream) sendEnd(arrives bool) {
	s.shutdown = true
	if !s.peer.closed {
		s.peer.ended = true
		s.peer.settle(arrives)
	}
}

// forget takes the connection out of its station's list.
func (s *stream) forget() {
	s.owner.mu.Lock()
	defer s.owner.mu.Unlock()
	if s.owner.open[s.flow()] == s {
		delete(s.owner.open, s.flow())
	}
}

func (s *stream) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

func (s *stream) SetReadDeadline(t time.Time) error {
	if err := s.orClosed(nil); err != nil {
		return s.error("set", err)
	}
	s.readDeadline.set(t)
	return nil
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	if err := s.orClosed(nil); err != nil {
		return s.error("set", err)
	}
	s.writeDeadline.set(t)
	return nil
}
