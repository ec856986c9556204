package registrar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/hello"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
)

// DefaultTCPPort is SIP without TLS.
const DefaultTCPPort = 5060

// transport is how SIP travels, as URIs name it.
type transport string

const (
	overTLS transport = "tls"
	overTCP transport = "tcp"
)

// Address is where a front end is, host:port each.
type Address struct {
	TLS string
	TCP string // "" where SIP is not taken without TLS
}

// by is where a handset goes that comes by one transport: over TLS where there is no other.
func (a Address) by(t transport) (string, transport) {
	if t == overTCP && a.TCP != "" {
		return a.TCP, overTCP
	}
	return a.TLS, overTLS
}

// contact is the URI of the address for a handset that comes by one transport.
func (a Address) contact(t transport) string {
	at, by := a.by(t)
	return fmt.Sprintf("sip:%s;transport=%s", at, by)
}

// upper is the transport as Via and a Director's redirects have it.
func (t transport) upper() string { return strings.ToUpper(string(t)) }

// Addresses are where the front end is.
func (s *Server) Addresses() Address {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Address{TLS: net.JoinHostPort(s.cfg.Host, strconv.Itoa(int(s.cfg.Port)))}
	if s.cfg.TCPPort != 0 {
		a.TCP = net.JoinHostPort(s.cfg.Host, strconv.Itoa(int(s.cfg.TCPPort)))
	}
	return a
}

// TCPPort is the port of SIP without TLS, 0 if there is none.
func (s *Server) TCPPort() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.TCPPort
}

// Listen opens the ports. It does nothing for a port that is open.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("registrar %s: %w", s.cfg.Host, net.ErrClosed)
	}
	for _, one := range []struct {
		by   transport
		port *uint16
	}{{overTLS, &s.cfg.Port}, {overTCP, &s.cfg.TCPPort}} {
		if *one.port == 0 || s.listeners[one.by] != nil {
			continue
		}
		listener, err := s.cfg.Station.ListenTCP(*one.port)
		if err != nil {
			return fmt.Errorf("registrar %s: %w", s.cfg.Host, err)
		}
		if at, ok := listener.Addr().(*net.TCPAddr); ok {
			*one.port = uint16(at.Port)
		}
		s.listeners[one.by] = listener
		s.serving.Go(func() { s.accept(listener, one.by) })
	}
	return nil
}

// Refuse closes the ports, so that connecting is refused; the connections that there are stay.
func (s *Server) Refuse() error {
	s.mu.Lock()
	open := s.listeners
	s.listeners = map[transport]net.Listener{}
	s.mu.Unlock()
	var errs []error
	for _, listener := range open {
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}

// secure does the outer handshake of a connection over TLS. The certificate is asked for once, whatever a handset does.
func (c *connection) secure() error {
	certificate, err := c.s.cfg.Certificate()
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.certificate = certificate
	if c.by == overTCP {
		c.conn = hello.OnPlain(c.raw)
		return nil
	}
	config := c.s.outer.Clone()
	config.Certificates = []tls.Certificate{certificate}
	if c.s.struck(faultTLSVersion) {
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS13
	}
	secured := tls.Server(hello.OnTLS(c.raw), config)
	c.conn = interpose.Inside(secured, c.s.cfg.Host, c.s.cfg.Ear, nil)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	return secured.HandshakeContext(ctx)
}
