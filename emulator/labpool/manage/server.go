package manage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/guests"
	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Bounds of what a client can take from the server.
const (
	maxBody        = 64 << 10 // bytes
	maxHeader      = 8 << 10  // bytes of all header lines
	maxConnections = 64       // at a time that have not proved to know the token
	requestTime    = 10 * time.Second
	answerTime     = 30 * time.Second // from the end of the request's header
	handsetTime    = 5 * time.Minute  // more, where handsets have to answer
	idleTime       = time.Minute

	defaultAwait = 30 * time.Second
	maxAwait     = time.Hour
	pageSize     = 10_000 // entries of the history in one answer
)

// Config is what a server needs.
type Config struct {
	Pool     *labpool.Pool
	Listener net.Listener // TCP on a loopback address; the server closes it
	Token    secret.Value // see [NewToken]
}

// Server answers requests about one pool.
type Server struct {
	pool    *labpool.Pool
	token   secret.Value
	at      *net.TCPAddr
	hosts   []string
	http    *http.Server
	guests  *guests.List
	cancel  context.CancelFunc
	serving sync.WaitGroup // accept loop and connections
}

// NewToken makes a random token.
func NewToken() secret.Value { return secret.New(rand.Text()) }

// Start serves until Close. On error the listener is closed.
func Start(cfg Config) (*Server, error) {
	at, ok := cfg.Listener.Addr().(*net.TCPAddr)
	switch {
	case !ok || !at.IP.IsLoopback():
		return nil, errors.Join(fmt.Errorf("management API: %s is no TCP port of a loopback address", cfg.Listener.Addr()), cfg.Listener.Close())
	case cfg.Token.IsZero():
		return nil, errors.Join(errors.New("management API: no token"), cfg.Listener.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{pool: cfg.Pool, token: cfg.Token, at: at, hosts: hostsOf(at), guests: guests.New(maxConnections), cancel: cancel}
	s.http = &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(diary{s}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:         s.count,
	}
	s.serving.Go(func() {
		if err := s.http.Serve(cfg.Listener); !errors.Is(err, http.ErrServerClosed) {
			s.note("", "the port is closed: "+err.Error())
		}
	})
	return s, nil
}

// connKey is the context key of the connection that a request came on.
type connKey struct{}

// count follows connections, so that Close can wait for them, and lets one go where there are too many.
func (s *Server) count(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.serving.Add(1)
		s.guests.Come(conn)
	case http.StateActive:
		s.guests.Heard(conn)
	case http.StateClosed:
		s.guests.Leave(conn)
		s.serving.Done()
	}
}

// URL is the address of the server, as a ready file names it.
func (s *Server) URL() string { return "http://" + s.at.String() }

// Close ends the server and every request, and returns when they have ended.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	s.serving.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// note tells the pool's timeline what was done, and to whom.
func (s *Server) note(sip, text string) {
	o := timeline.Observation{Kind: timeline.Note, Protocol: "manage", Text: text}
	if sip != "" {
		o.Fields = []timeline.Field{{Name: history.Who, Value: sip}}
	}
	s.pool.Timeline.Add(o)
}

// diary writes what net/http logs to the timeline.
type diary struct{ s *Server }

func (d diary) Write(line []byte) (int, error) {
	d.s.note("", strings.TrimSpace(string(line)))
	return len(line), nil
}
