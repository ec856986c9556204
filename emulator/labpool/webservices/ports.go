package webservices

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// socket is one of the two ports of the services. A server's lock guards it.
type socket struct {
	number   uint16
	tls      *tls.Config  // nil: without TLS
	listener net.Listener // nil: closed
}

const (
	onPlain = iota
	onSecure
)

// listen opens both ports before anything is accepted, because every URL names the port that was got, and closes those
// that a fault wants closed.
func (s *Server) listen(tlsConfig *tls.Config) error {
	s.ports = [2]socket{onPlain: {number: portHTTP}, onSecure: {number: portHTTPS, tls: tlsConfig}}
	var open [2]net.Listener
	for i := range s.ports {
		var err error
		if open[i], err = s.cfg.Station.ListenTCP(s.ports[i].number); err != nil {
			if i > 0 {
				err = errors.Join(err, open[0].Close())
			}
			return err
		}
	}
	for i, standard := range []uint16{onPlain: portHTTP, onSecure: portHTTPS} {
		s.ports[i].number = portOf(open[i], standard) // the same again when it is opened later
	}
	s.plain, s.httpPort = authorityOf(s.cfg.Host, open[onPlain], portHTTP), portOf(open[onPlain], portHTTP)
	s.safe, s.httpsPort = authorityOf(s.cfg.Host, open[onSecure], portHTTPS), portOf(open[onSecure], portHTTPS)
	if s.cfg.Updates != nil {
		s.updates = s.cfg.Updates(s.plain)
	}
	for i, l := range open {
		if s.wanted(i) {
			s.accept(i, l)
		} else if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// wanted reports whether no fault wants the port closed. Under enroll=refused port 443 is open until a ticket is out.
func (s *Server) wanted(i int) bool {
	if i == onPlain {
		return !s.listed("chain", kindRefused)
	}
	return !s.listed("ticket", kindRefused)
}

// UpdatePorts opens and closes the ports as the faults of now want it; the connections that there are stay.
func (s *Server) UpdatePorts() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	for i := range s.ports {
		p := &s.ports[i]
		switch {
		case !s.wanted(i):
			p.close()
		case p.listener != nil || i == onSecure && s.listed("enroll", kindRefused):
		default:
			l, err := s.cfg.Station.ListenTCP(p.number)
			if err != nil {
				return fmt.Errorf("web services of lab %s: port %d: %w", s.cfg.Lab.Name, p.number, err)
			}
			s.accept(i, l)
		}
	}
	return nil
}

// stopSecure closes port 443 under enroll=refused, now that a ticket is out.
func (s *Server) stopSecure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listed("enroll", kindRefused) {
		s.ports[onSecure].close()
	}
}

func (p *socket) close() {
	if p.listener != nil {
		p.listener.Close() // fails only if it is closed
		p.listener = nil
	}
}

func (s *Server) accept(i int, l net.Listener) {
	p := &s.ports[i]
	p.listener = l
	at := l.Addr().String()
	s.serving.Go(func() {
		err := s.http.Serve(doors{l, s, p.tls})
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.note("port " + at + " ended: " + err.Error())
		}
	})
}
