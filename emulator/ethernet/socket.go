package ethernet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// socket is an endpoint of a gVisor stack with the manners of Go's own: its addresses outlive it, and its errors are
// those of package net.
type socket struct {
	owner         *netstack
	ep            tcpip.Endpoint
	wq            *waiter.Queue
	network       string
	local, remote net.Addr

	readDeadline, writeDeadline deadline
	closed                      atomic.Bool

	reading sync.Mutex
	arrived chan struct{} // made by the first read that waits
	entry   waiter.Entry
	writing sync.Mutex
}

func (s *socket) LocalAddr() net.Addr { return s.local }

func (s *socket) RemoteAddr() net.Addr { return s.remote }

func (s *socket) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

func (s *socket) SetReadDeadline(t time.Time) error {
	if s.closed.Load() {
		return s.error("set", net.ErrClosed)
	}
	s.readDeadline.set(t)
	return nil
}

func (s *socket) SetWriteDeadline(t time.Time) error {
	if s.closed.Load() {
		return s.error("set", net.ErrClosed)
	}
	s.writeDeadline.set(t)
	return nil
}

func (s *socket) Close() error {
	if s.closed.Swap(true) {
		return s.error("close", net.ErrClosed)
	}
	s.ep.Close()
	s.wake()
	return nil
}

func (s *socket) wake() {
	s.readDeadline.expire()
	s.writeDeadline.expire()
}

func (s *socket) error(op string, err error) error {
	return opError(op, s.network, s.local, s.remote, err)
}

// usable says why an operation must not start or go on.
func (s *socket) usable(d *deadline) error {
	if s.closed.Load() || done(s.owner.closed) {
		return net.ErrClosed
	}
	if d.reached() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *socket) fail(err tcpip.Error) error {
	if s.closed.Load() {
		return net.ErrClosed
	}
	return s.owner.fail(err)
}

// receive reads once from the endpoint, and waits until that gives something.
func (s *socket) receive(b []byte, from *tcpip.FullAddress) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		if err := s.usable(&s.readDeadline); err != nil {
			return 0, err
		}
		w := tcpip.SliceWriter(b)
		result, terr := s.ep.Read(&w, tcpip.ReadOptions{NeedRemoteAddr: from != nil})
		if terr == nil {
			if from != nil {
				*from = result.RemoteAddr
			}
			return result.Count, nil
		}
		if _, empty := terr.(*tcpip.ErrWouldBlock); !empty {
			return 0, s.fail(terr)
		}
		if s.arrived == nil {
			s.entry, s.arrived = waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventHUp | waiter.EventErr)
			s.wq.EventRegister(&s.entry)
			continue // something may have come before
		}
		select {
		case <-s.arrived:
		case <-s.readDeadline.wait():
		case <-s.owner.closed:
		}
	}
}

// send writes b, all of it unless there is an error.
func (s *socket) send(b []byte, o tcpip.WriteOptions) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	var (
		entry   waiter.Entry
		drained chan struct{}
		r       bytes.Reader
		n       int
	)
	for first := true; first || n < len(b); first = false {
		if err := s.usable(&s.writeDeadline); err != nil {
			return n, err
		}
		r.Reset(b[n:])
		written, terr := s.ep.Write(&r, o)
		n += int(written)
		if terr == nil {
			continue
		}
		if _, full := terr.(*tcpip.ErrWouldBlock); !full {
			return n, s.fail(terr)
		}
		if drained == nil {
			entry, drained = waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventHUp | waiter.EventErr)
			s.wq.EventRegister(&entry)
			defer s.wq.EventUnregister(&entry)
			continue
		}
		select {
		case <-drained:
		case <-s.writeDeadline.wait():
		case <-s.owner.closed:
		}
	}
	return n, nil
}

// socketError gives an error of the stack its name in package syscall.
func socketError(err tcpip.Error) error {
	switch err.(type) {
	case *tcpip.ErrConnectionRefused:
		return syscall.ECONNREFUSED
	case *tcpip.ErrConnectionReset, *tcpip.ErrAborted:
		return syscall.ECONNRESET
	case *tcpip.ErrConnectionAborted:
		return syscall.ECONNABORTED
	case *tcpip.ErrTimeout:
		return syscall.ETIMEDOUT
	case *tcpip.ErrHostUnreachable, *tcpip.ErrHostDown:
		return errHostUnreachable
	case *tcpip.ErrNetworkUnreachable, *tcpip.ErrNoNet:
		return errNetworkUnreachable
	case *tcpip.ErrPortInUse:
		return syscall.EADDRINUSE
	case *tcpip.ErrNoPortAvailable, *tcpip.ErrBadLocalAddress:
		return syscall.EADDRNOTAVAIL
	case *tcpip.ErrMessageTooLong:
		return syscall.EMSGSIZE
	case *tcpip.ErrClosedForSend:
		return syscall.EPIPE
	case *tcpip.ErrClosedForReceive:
		return io.EOF
	case *tcpip.ErrNotConnected:
		return syscall.ENOTCONN
	}
	return errors.New(err.String())
}

// stackConn is a TCP connection.
type stackConn struct{ *socket }

var _ Resetter = stackConn{}

func (c stackConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, c.error("read", c.usable(&c.readDeadline))
	}
	n, err := c.receive(b, nil)
	if n > 0 {
		c.ep.ModerateRecvBuf(n)
	}
	return n, c.error("read", err)
}

func (c stackConn) Write(b []byte) (int, error) {
	n, err := c.send(b, tcpip.WriteOptions{})
	return n, c.error("write", err)
}

// Reset ends the connection with a TCP reset.
func (c stackConn) Reset() error {
	if c.closed.Swap(true) {
		return c.error("close", net.ErrClosed)
	}
	c.ep.Abort()
	c.wake()
	return nil
}

// CloseWrite ends the stream to the peer; reading goes on.
func (c stackConn) CloseWrite() error {
	if c.closed.Load() {
		return c.error("close", net.ErrClosed)
	}
	if terr := c.ep.Shutdown(tcpip.ShutdownWrite); terr != nil {
		return c.error("close", c.fail(terr))
	}
	return nil
}

// stackPacketConn is a UDP socket.
type stackPacketConn struct{ *socket }

func (c stackPacketConn) Read(b []byte) (int, error) {
	n, err := c.receive(b, nil)
	return n, c.error("read", err)
}

func (c stackPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	var from tcpip.FullAddress
	n, err := c.receive(b, &from)
	if err != nil {
		return n, nil, c.error("read", err)
	}
	return n, udpAddr(addrPort(from)), nil
}

func (c stackPacketConn) Write(b []byte) (int, error) {
	n, err := c.send(b, tcpip.WriteOptions{})
	return n, c.error("write", err)
}

func (c stackPacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := udpTarget(addr)
	if err == nil {
		full := fullAddress(to)
		var n int
		n, err = c.send(b, tcpip.WriteOptions{To: &full})
		if err == nil {
			return n, nil
		}
	}
	return 0, opError("write", c.network, c.local, addr, err)
}

type stackListener struct {
	socket *socket
	entry  waiter.Entry
	ready  chan struct{}
	done   chan struct{}
}

func newStackListener(s *socket) *stackListener {
	l := &stackListener{socket: s, done: make(chan struct{})}
	l.entry, l.ready = waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventHUp | waiter.EventErr)
	s.wq.EventRegister(&l.entry)
	return l
}

func (l *stackListener) Addr() net.Addr { return l.socket.local }

func (l *stackListener) Close() error {
	if l.socket.closed.Swap(true) {
		return l.socket.error("close", net.ErrClosed)
	}
	close(l.done)
	l.socket.ep.Close()
	return nil
}

// Accept passes over connections that were reset before anybody took them.
func (l *stackListener) Accept() (net.Conn, error) {
	for {
		conn, terr := l.accept()
		if conn != nil {
			signal(l.ready) // for another Accept that waits
			return conn, nil
		}
		if _, empty := terr.(*tcpip.ErrWouldBlock); terr != nil && !empty {
			return nil, l.socket.error("accept", l.socket.fail(terr))
		}
		if terr == nil {
			continue
		}
		select {
		case <-l.ready:
		case <-l.done:
			return nil, l.socket.error("accept", net.ErrClosed)
		case <-l.socket.owner.closed:
			return nil, l.socket.error("accept", net.ErrClosed)
		}
	}
}

// accept returns neither a connection nor an error if the connection is gone already.
func (l *stackListener) accept() (net.Conn, tcpip.Error) {
	var remote tcpip.FullAddress
	ep, wq, terr := l.socket.ep.Accept(&remote)
	if terr != nil {
		return nil, terr
	}
	local, terr := ep.GetLocalAddress()
	if terr != nil || remote.Addr.BitLen() == 0 {
		ep.Close()
		return nil, nil
	}
	return stackConn{&socket{
		owner: l.socket.owner, ep: ep, wq: wq, network: "tcp",
		local: tcpAddr(addrPort(local)), remote: tcpAddr(addrPort(remote)),
	}}, nil
}
