package manage

import (
	"crypto/rand"
	"errors"
	"net"

	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/secret"
)

// Config is what a server needs.
type Config struct {
	Pool     *labpool.Pool
	Listener net.Listener // TCP on a loopback address; the server closes it
	Token    secret.Value // see [NewToken]
}

// Server answers requests about one pool.
type Server struct {
	cfg Config
}

// NewToken makes a random token.
func NewToken() secret.Value { return secret.New(rand.Text()) }

// Start serves until Close. On error the listener is closed.
func Start(cfg Config) (*Server, error) {
	return nil, errors.New("to come")
}

// URL is the address of the server, as a ready file names it.
func (s *Server) URL() string { return "http://" + s.cfg.Listener.Addr().String() }

// Close ends the server and every request, and returns when they have ended.
func (s *Server) Close() error { return nil }
