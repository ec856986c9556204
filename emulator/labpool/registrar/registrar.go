// Package registrar is one front end of the lab: a SIP registrar over TLS, and over TCP if told, that authenticates handsets with TLS-DSK as
// [MS-SIPAE] describes it, binds their endpoints as [MS-SIPREGE] describes it, and answers what a signed-in handset
// subscribes to and publishes. A Director authenticates and redirects.
package registrar

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/emulator/labpool/settings"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// DefaultPort is SIP over TLS inside a pool.
const DefaultPort = 5061

// Config is what a front end needs.
type Config struct {
	Station ethernet.Station
	Port    uint16 // 0: DefaultPort
	TCPPort uint16 // of SIP without TLS, 0: none
	Host    string // FQDN of this machine: targetname, and the source of diagnostics
	// Home are the front ends that endpoints are sent to, the primary first, none when they are at home here. A Director
	// sends every endpoint away, a backup while it is not in charge. nil: endpoints are always at home here.
	Home func() []Address
	// Neighbour is another front end of the pool, nil: there is none.
	Neighbour func() Address

	Lab      *configs.Lab
	Settings *settings.Settings // nil: what Lab says
	// Certificate is what the port presents, asked once a connection. The TLS handshake inside SIP presents the same.
	Certificate func() (tls.Certificate, error)
	STSURI      string // URL of certificate provisioning
	Web         string // https URL of the web services without a path
	Directory   *directory.Directory
	Authority   *authority.Authority
	Faults      *faults.Set
	Timeline    *timeline.Timeline
	Now         func() time.Time // the pool's clock, nil: time.Now
	Outgoing    Outgoing         // nil: messages are sent as they are
	KeyLog      io.Writer        // secrets of TLS and of the handshakes inside SIP, nil: nobody can decrypt
	Ear         interpose.Ear    // hears what is said inside TLS, nil: nobody does
}

// Server is a running front end.
type Server struct {
	cfg     Config
	outer   *tls.Config
	inner   *tls.Config
	serving sync.WaitGroup // accept loops and connections
	unknown unknown.Log

	mu          sync.Mutex
	closed      bool
	listeners   map[transport]net.Listener
	nextID      uint32
	connections map[*connection]struct{}
	redirected  map[string]bool // endpoints that the fault register=redirect is over for

	guests    doorkeeper
	endpoints endpoints
}

// Start listens on the station. Under the fault register=refused the port is closed until [Server.Listen] is called.
func Start(cfg Config) (*Server, error) {
	cfg.Port = cmp.Or(cfg.Port, DefaultPort)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Settings == nil {
		cfg.Settings = settings.New(cfg.Lab)
	}
	s := &Server{
		cfg: cfg, listeners: map[transport]net.Listener{}, connections: map[*connection]struct{}{}, redirected: map[string]bool{}, nextID: firstConnectionID,
	}
	s.guests.init()
	s.endpoints.init(cfg)
	s.unknown.Timeline, s.unknown.Protocol = cfg.Timeline, "sip"
	var err error
	if s.outer, s.inner, err = tlsConfigs(cfg); err != nil {
		return nil, fmt.Errorf("registrar %s: %w", cfg.Host, err)
	}
	if err := s.Listen(); err != nil { // under the fault too: then the ports are known
		return nil, errors.Join(err, s.Close())
	}
	if cfg.Faults.Has(faultRefused) {
		s.note(timeline.Note, "", "fault %s: port %d is closed", faultRefused, s.Port())
		if err := s.Refuse(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Host is the FQDN of the front end.
func (s *Server) Host() string { return s.cfg.Host }

// Port is the port of SIP over TLS.
func (s *Server) Port() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Port
}

// SetSTSURI changes the URL of certificate provisioning that challenges name from now on, "" leaves it out of them.
func (s *Server) SetSTSURI(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.STSURI = url
}

// Close ends the front end and its connections.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	open := make([]*connection, 0, len(s.connections))
	for c := range s.connections {
		open = append(open, c)
	}
	s.mu.Unlock()
	err := s.Refuse()
	for _, c := range open {
		c.hangUp()
	}
	s.serving.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Stop closes the ports and ends the connections, as a service does that stops; [Server.Listen] opens the ports again.
func (s *Server) Stop() error {
	err := s.Refuse()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.connections {
		c.hangUp()
	}
	return err
}

func (s *Server) accept(listener net.Listener, by transport) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.note(timeline.Note, "", "port of SIP over %s closed: %v", by.upper(), err)
			}
			return
		}
		c := s.newConnection(conn, by)
		if c == nil {
			reset(conn)
			continue
		}
		c.come()
		go func() {
			defer s.serving.Done()
			c.serve()
		}()
	}
}

// newConnection counts the connection in, unless the server is closing.
func (s *Server) newConnection(conn net.Conn, by transport) *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.nextID++
	c := &connection{
		s: s, raw: conn, by: by, id: fmt.Sprintf("%X", s.nextID), peer: conn.RemoteAddr().String(),
		work: make(chan func()), done: make(chan struct{}),
		associations: map[string]*association{}, dialogs: map[string]*dialog{}, waiting: map[string]chan<- int{},
	}
	s.connections[c] = struct{}{}
	s.serving.Add(1)
	return c
}

func (s *Server) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, c)
}

// DropAssociations forgets every security association, as after a restart of the front end; registrations and
// connections stay. It waits until no connection uses one any more.
func (s *Server) DropAssociations(ctx context.Context) error {
	if err := s.each(ctx, (*connection).forgetAssociations); err != nil {
		return fmt.Errorf("dropping associations: %w", err)
	}
	return nil
}

// Held is what a front end keeps of the handsets that are there.
type Held struct {
	Connections  int
	Associations int // security associations, those in their handshake included
	Dialogs      int // subscriptions
}

// Held counts what the front end keeps now.
func (s *Server) Held(ctx context.Context) (Held, error) {
	s.mu.Lock()
	held := Held{Connections: len(s.connections)}
	s.mu.Unlock()
	var mu sync.Mutex
	err := s.each(ctx, func(c *connection) {
		mu.Lock()
		defer mu.Unlock()
		held.Associations += len(c.associations)
		if c.pending != nil {
			held.Associations++
		}
		held.Dialogs += len(c.dialogs)
	})
	return held, err
}

// each runs f in the goroutine of each connection, of all at a time, and waits for their ends. It leaves those out that
// are not through their TLS handshake: there is nothing in them.
func (s *Server) each(ctx context.Context, f func(*connection)) error {
	s.mu.Lock()
	errs := make(chan error, len(s.connections))
	asked := 0
	for c := range s.connections {
		if c.looping.Load() {
			asked++
			go func() { errs <- c.do(ctx, func() { f(c) }) }()
		}
	}
	s.mu.Unlock()
	var failed error
	for range asked {
		if err := <-errs; err != nil && !errors.Is(err, net.ErrClosed) {
			failed = err
		}
	}
	return failed
}
