// Package nameserver is the lab's DNS server: A and SRV records of its zones over UDP and TCP.
package nameserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/guests"
	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Port is the UDP and TCP port of DNS.
const Port = 53

// Config says what the server knows. Names are dotted, with or without a dot at the end.
type Config struct {
	Station  ethernet.Station
	Timeline *timeline.Timeline
	Faults   *faults.Set
	Clock    func() time.Time // time.Now if nil

	Zones    []string                // domains that it answers for; outside of them it refuses
	Hosts    map[string][]netip.Addr // A records, IPv4; a host outside of Zones is answered too
	Services map[string][]Service    // SRV records
	Glue     bool                    // SRV answers carry the A records of their targets, as dnsmasq's do
	WebName  string                  // the name that fault dns=no-web-name hides
}

// Service is one SRV record (RFC 2782).
type Service struct {
	Priority, Weight, Port uint16
	Target                 string
}

// Server is a running name server.
type Server struct {
	cfg     Config
	zone    atomic.Pointer[zone]
	conn    net.PacketConn
	done    chan struct{}
	streams *streams
	unknown unknown.Log
}

// Start serves until Close.
func Start(cfg Config) (*Server, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	z, err := newZone(cfg)
	if err != nil {
		return nil, fmt.Errorf("name server: %w", err)
	}
	listener, conn, err := ethernet.ListenBoth(cfg.Station, Port)
	if err != nil {
		return nil, fmt.Errorf("name server: %w", err)
	}
	s := &Server{
		cfg: cfg, conn: conn, done: make(chan struct{}),
		streams: &streams{listener: listener, guests: guests.New(maxStreams), open: map[net.Conn]bool{}},
	}
	s.unknown.Timeline, s.unknown.Protocol, s.unknown.Clock = cfg.Timeline, "dns", cfg.Clock
	s.zone.Store(&z)
	s.streams.done.Add(1)
	go s.run()
	go s.runStreams()
	return s, nil
}

// Update makes what cfg says of zones, hosts, services, glue and the web name what the server knows from now on.
func (s *Server) Update(cfg Config) error {
	z, err := newZone(cfg)
	if err != nil {
		return fmt.Errorf("name server: %w", err)
	}
	s.zone.Store(&z)
	return nil
}

// LocalAddr is where the server listens.
func (s *Server) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// Close ends the server.
func (s *Server) Close() error {
	err := errors.Join(s.conn.Close(), s.streams.close())
	<-s.done
	return err
}

// Sizes of messages over UDP (RFC 1035, 4.2.1; RFC 6891, 6.2.5, with the bound that servers use today).
const (
	plainSize  = 512
	ednsSize   = 1232
	maxQuery   = 4096
	headerSize = 12

	maxDatagram = 65535 // Windows takes it for an error of the socket if one does not fit
)

func (s *Server) run() {
	defer close(s.done)
	buffer := make([]byte, maxDatagram)
	for {
		n, peer, err := s.conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.note(timeline.Dropped, "", "query not received: "+err.Error())
			return
		}
		if n > maxQuery {
			s.note(timeline.Dropped, peer.String(), fmt.Sprintf("query of more than %d bytes", maxQuery))
			continue
		}
		reply, ok := s.answer(buffer[:n], peer.String())
		if !ok {
			continue
		}
		if _, err := s.conn.WriteTo(reply, peer); err != nil {
			s.note(timeline.Note, peer.String(), "answer not sent: "+err.Error())
		}
	}
}

// query is a message that can be answered.
type query struct {
	header   dnsmessage.Header
	question dnsmessage.Question
	size     int // of the longest answer
	edns     bool
}

// answer returns the answer to a datagram, none for what must stay unanswered.
func (s *Server) answer(b []byte, peer string) (reply []byte, ok bool) {
	return s.answerWithin(b, peer, 0)
}

// answerWithin is answer for a way that takes messages of the given size; 0 means a datagram.
func (s *Server) answerWithin(b []byte, peer string, size int) (reply []byte, ok bool) {
	q, err := readQuery(b)
	q.size = max(q.size, size)
	if err != nil {
		if len(b) < headerSize || q.header.Response {
			s.note(timeline.Dropped, peer, err.Error()+": "+unknown.Bytes(b))
			return nil, false
		}
		s.note(timeline.Dropped, peer, err.Error()+": "+unknown.Bytes(b)+", answered with FORMERR")
		return s.pack(q, result{code: dnsmessage.RCodeFormatError}, peer)
	}
	name := func() string { return fmt.Sprintf("%s %s", typeName(q.question.Type), q.question.Name) }
	s.tell(timeline.Received, peer, name)
	if _, on := s.cfg.Faults.On("dns=silent"); on {
		s.note(timeline.Dropped, peer, name()+": fault dns=silent")
		return nil, false
	}
	z := s.zone.Load()
	r, fault := s.struck(z, q)
	if fault != "" {
		s.note(timeline.Note, peer, name()+": fault "+fault)
	} else {
		r = z.lookup(q)
		s.tellUnknown(q, r, peer)
	}
	return s.pack(q, r, peer)
}

// struck returns what an active fault makes of the query, and the fault's name.
func (s *Server) struck(z *zone, q query) (result, string) {
	list := []struct {
		name    string
		applies bool
		code    dnsmessage.RCode
	}{
		{"dns=servfail", true, dnsmessage.RCodeServerFailure},
		{"dns=nxdomain", true, dnsmessage.RCodeNameError},
		{"dns=no-srv", q.question.Type == dnsmessage.TypeSRV, dnsmessage.RCodeNameError},
		{"dns=no-web-name", z.webName != "" && key(q.question.Name.String()) == z.webName, dnsmessage.RCodeNameError},
	}
	for _, fault := range list {
		if !fault.applies {
			continue
		}
		if _, on := s.cfg.Faults.On(fault.name); on {
			return result{code: fault.code, known: true}, fault.name
		}
	}
	return result{}, ""
}

func readQuery(b []byte) (query, error) {
	var p dnsmessage.Parser
	header, err := p.Start(b)
	q := query{header: header, size: plainSize}
	if err != nil {
		return q, fmt.Errorf("dns: %w", err)
	}
	if header.Response {
		return q, errors.New("dns: an answer, a query expected")
	}
	questions, err := p.AllQuestions()
	if err != nil {
		return q, fmt.Errorf("dns: %w", err)
	}
	if len(questions) != 1 {
		return q, fmt.Errorf("dns: %d questions, 1 expected", len(questions))
	}
	q.question = questions[0]
	if err := errors.Join(p.SkipAllAnswers(), p.SkipAllAuthorities()); err != nil {
		return q, fmt.Errorf("dns: %w", err)
	}
	for {
		h, err := p.AdditionalHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return q, nil
		}
		if err == nil {
			err = p.SkipAdditional()
		}
		if err != nil {
			return q, fmt.Errorf("dns: %w", err)
		}
		if h.Type == dnsmessage.TypeOPT {
			q.edns, q.size = true, min(max(int(h.Class), plainSize), ednsSize)
		}
	}
}

// pack builds the answer. One that is too long goes out without records and marked as truncated.
func (s *Server) pack(q query, r result, peer string) ([]byte, bool) {
	m := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: q.header.ID, Response: true, OpCode: q.header.OpCode, RecursionDesired: q.header.RecursionDesired,
			RecursionAvailable: true, Authoritative: r.known, RCode: r.code,
		},
		Answers:     r.answers,
		Additionals: r.glue,
	}
	if q.question.Name.Length > 0 {
		m.Questions = []dnsmessage.Question{q.question}
	}
	if q.edns {
		m.Additionals = append(m.Additionals, opt())
	}
	reply, err := m.Pack()
	if err == nil && len(reply) > q.size {
		m.Truncated, m.Answers, m.Additionals = true, nil, nil
		reply, err = m.Pack()
	}
	if err != nil {
		s.note(timeline.Note, peer, "answer not built: "+err.Error())
		return nil, false
	}
	s.tell(timeline.Sent, peer, func() string { return describe(m) })
	return reply, true
}

func opt() dnsmessage.Resource {
	var h dnsmessage.ResourceHeader
	_ = h.SetEDNS0(ednsSize, dnsmessage.RCodeSuccess, false) // returns nil always
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{}}
}

func (s *Server) note(kind timeline.Kind, peer, text string) {
	s.tell(kind, peer, func() string { return text })
}

func (s *Server) tell(kind timeline.Kind, peer string, text func() string) {
	s.cfg.Timeline.Tell(func() timeline.Observation {
		return timeline.Observation{At: s.cfg.Clock(), Kind: kind, Protocol: "dns", Peer: peer, Text: text()}
	})
}
