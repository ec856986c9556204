package tlsdsk

import (
	"net"
	"sync"
	"time"
)

// memoryConn is the transport of a Handshake: Read blocks until a flight is fed, what is written is collected.
// starved receives when the handshake wants more than was fed.
type memoryConn struct {
	mu      sync.Mutex
	wake    *sync.Cond
	in, out []byte
	closed  bool
	starved chan struct{}
}

func newMemoryConn() *memoryConn {
	c := &memoryConn{starved: make(chan struct{}, 1)}
	c.wake = sync.NewCond(&c.mu)
	return c
}

func (c *memoryConn) feed(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = append(c.in, b...)
	c.wake.Signal()
}

func (c *memoryConn) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.out
	c.out = nil
	return out
}

func (c *memoryConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) == 0 && !c.closed {
		select {
		case c.starved <- struct{}{}:
		default:
		}
		c.wake.Wait()
	}
	if c.closed {
		return 0, net.ErrClosed
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *memoryConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	if len(c.out)+len(b) > 2*MaxFlight {
		return 0, ErrFlightTooLarge
	}
	c.out = append(c.out, b...)
	return len(b), nil
}

func (c *memoryConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake.Broadcast()
	return nil
}

func (*memoryConn) LocalAddr() net.Addr              { return memoryAddr{} }
func (*memoryConn) RemoteAddr() net.Addr             { return memoryAddr{} }
func (*memoryConn) SetDeadline(time.Time) error      { return nil }
func (*memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (*memoryConn) SetWriteDeadline(time.Time) error { return nil }

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }
