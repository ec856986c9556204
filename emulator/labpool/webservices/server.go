// Package webservices is the pool's certificate provisioning and web ticket services over HTTP (port 80, anonymous
// root chain) and HTTPS (port 443), as [MS-OCAUTHWS] describes them, and for what it leaves out (the PIN port, the
// root chain) in the lab's own convention.
package webservices

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/authority"
	"github.com/phone-edition/lpe/emulator/labpool/directory"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/guests"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/emulator/labpool/settings"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	portHTTP  = 80
	portHTTPS = 443

	headerTimeout = 30 * time.Second // also bounds the TLS handshake
	bodyTimeout   = 60 * time.Second
	writeTimeout  = 2 * time.Minute // from the end of the request's header, a slow answer included
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10 // bytes of all header lines of a request

	maxConnections = 2048 // of both ports; when one too many comes, the one that asked nothing for the longest has to go
)

// Config is what the services need.
type Config struct {
	Station   ethernet.Station
	Lab       *configs.Lab
	Settings  *settings.Settings // nil: what Lab says
	Host      string             // FQDN of the web services, as it appears in every URL
	Directory *directory.Directory
	Authority *authority.Authority
	// Certificate is what port 443 presents, asked at each handshake. The server name that was asked for does not matter.
	Certificate func() (tls.Certificate, error)
	// TicketKey is the key of web tickets, of TicketKeySize bytes. Tickets are good for a pool with the same key.
	TicketKey []byte
	Faults    *faults.Set
	Timeline  *timeline.Timeline
	Now       func() time.Time   // the pool's clock, nil: time.Now
	KeyLog    io.Writer          // nil: nobody can decrypt
	Ear       interpose.Ear      // hears what is said inside TLS, nil: nobody does
	Outgoing  interpose.Outgoing // changes what is said inside TLS, nil: nothing does
	// Updates makes the device updates under /RequestHandler/ when the authority (host, or host:port) of the URLs of
	// images is known. nil: not found.
	Updates func(files string) http.Handler
}

// Server is the running services.
type Server struct {
	cfg     Config
	server  string // FQDN of the computer, for X-MS-Server-Fqdn
	plain   string // authority of http URLs
	safe    string // authority of https URLs
	updates http.Handler
	tickets tickets
	http    *http.Server
	guests  *guests.List
	serving sync.WaitGroup // accept loops and connections
	unknown unknown.Log

	httpPort, httpsPort uint16 // that were got

	mu     sync.Mutex
	closed bool
	ports  [2]socket
	issued map[string]time.Time // when the last ticket of a user expires, by his bare SIP address
}

// Start listens on port 80 and 443 of the station. A fault "refused" of the stage, or of web, closes its port.
func Start(cfg Config) (*Server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Settings == nil {
		cfg.Settings = settings.New(cfg.Lab)
	}
	tlsConfig, err := serverTLS(cfg)
	if err != nil {
		return nil, fmt.Errorf("web services of lab %s: %w", cfg.Lab.Name, err)
	}
	if len(cfg.TicketKey) != TicketKeySize {
		return nil, fmt.Errorf("web services of lab %s: ticket key of %d bytes, %d expected", cfg.Lab.Name, len(cfg.TicketKey), TicketKeySize)
	}
	s := &Server{cfg: cfg, server: cfg.Host, plain: cfg.Host, safe: cfg.Host, tickets: tickets{cfg.TicketKey}, guests: guests.New(maxConnections), issued: map[string]time.Time{}}
	if len(cfg.Lab.FrontEnds) > 0 {
		s.server = cfg.Lab.FrontEnds[0].FQDN
	}
	s.unknown.Timeline, s.unknown.Protocol = cfg.Timeline, "http"
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(diary{cfg.Timeline}, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, &connection{Conn: c})
		},
		ConnState:                    s.count,
		DisableGeneralOptionsHandler: true,                                                     // OPTIONS * is a request like others
		TLSNextProto:                 map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1 only
	}
	if err := s.listen(tlsConfig); err != nil {
		return nil, errors.Join(fmt.Errorf("web services of lab %s: %w", cfg.Lab.Name, err), s.Close())
	}
	return s, nil
}

// authorityOf is the authority part of URLs to the listener, without the scheme's own port.
func authorityOf(host string, l net.Listener, standard uint16) string {
	if port := portOf(l, standard); port != standard {
		return net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return host
}

func portOf(l net.Listener, standard uint16) uint16 {
	if at, ok := l.Addr().(*net.TCPAddr); ok {
		return uint16(at.Port)
	}
	return standard
}

// Ports are the ports of the services, one that a fault keeps closed too.
func (s *Server) Ports() (http, https uint16) { return s.httpPort, s.httpsPort }

// CertProvURL is the URL of certificate provisioning, its port written out as handsets are told it.
func (s *Server) CertProvURL() string { return s.BaseURL() + servicePath }

const (
	servicePath   = "/CertProv/CertProvisioningService.svc"
	webTicketPath = "/WebTicket/WebTicketService.svc"
)

// BaseURL is the https URL of the services without a path, its port written out.
func (s *Server) BaseURL() string {
	if s.safe == s.cfg.Host {
		return fmt.Sprintf("https://%s:%d", s.safe, portHTTPS)
	}
	return "https://" + s.safe
}

// count follows connections, so that Close can wait for them and none takes another's place.
func (s *Server) count(conn net.Conn, state http.ConnState) {
	if a, ok := conn.(*arrival); ok {
		a.changed(state)
	}
	switch state {
	case http.StateNew:
		s.serving.Add(1)
		if gone := s.guests.Come(conn); gone != nil {
			s.cfg.Timeline.Add(timeline.Observation{
				Kind: timeline.Dropped, Protocol: "http", Peer: gone.RemoteAddr().String(),
				Text: fmt.Sprintf("connection closed: there are more than %d", maxConnections),
			})
		}
	case http.StateActive, http.StateIdle:
		s.guests.Heard(conn)
	case http.StateClosed:
		s.guests.Leave(conn)
		s.serving.Done()
	}
}

// Connections is how many connections there are, of both ports.
func (s *Server) Connections() int { return s.guests.Len() }

// Close ends both ports, every connection and every request, and returns when they have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.http.Close()
	s.serving.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("web services of lab %s: %w", s.cfg.Lab.Name, err)
	}
	return nil
}

func (s *Server) note(text string) {
	s.cfg.Timeline.Add(timeline.Observation{Kind: timeline.Note, Protocol: "http", Text: text})
}

// HasTicket reports whether a web ticket was issued to the user since the start, and has not expired.
func (s *Server) HasTicket(sip string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Now().Before(s.issued[bareSIP(sip)])
}

// diary writes what net/http logs, such as a handler's panic, to the timeline.
type diary struct{ timeline *timeline.Timeline }

func (d diary) Write(line []byte) (int, error) {
	d.timeline.Add(timeline.Observation{Kind: timeline.Dropped, Protocol: "http", Text: strings.TrimSpace(string(line))})
	return len(line), nil
}
