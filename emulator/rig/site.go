package rig

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/emulator/trace"
)

// site is what handsets share: a cable with what is on it, a lab's pool if there is one, and the capture.
type site struct {
	pool    *labpool.Pool
	options Options
	cable   ethernet.Cable
	capture *trace.Writer

	mu   sync.Mutex
	runs map[string]*Run // by station
}

// openSite builds a site. In a lab the faults of the directory strike the user whose credentials o has.
func openSite(o Options) (*site, error) {
	s := &site{options: o, runs: map[string]*Run{}}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *site) open() error {
	o := s.options
	var err error
	if o.Capture != "" {
		if s.capture, err = trace.Create(o.Capture); err != nil {
			return &ComputerError{err}
		}
	}
	tapped := ethernet.Options{Malformed: s.malformed}
	if s.capture != nil {
		tapped.Tap = s.capture.WriteFrame
	}
	if s.cable, err = o.cable(tapped); err != nil {
		return err
	}
	if o.Lab == nil {
		return nil
	}
	s.pool, err = labpool.Start(labpool.Config{
		Lab: o.Lab, Cable: s.cable, Faults: o.Faults, DialledNumber: o.Credentials.Number, Login: o.Credentials.User, State: o.LabState,
		NewKey: o.PoolKey, KeyLog: s.keyLog(), Outgoing: o.PoolOutgoing, Now: o.PoolClock, Forgets: true,
	})
	if err != nil {
		return fmt.Errorf("lab %s: %w", o.Lab.Name, err)
	}
	return nil
}

// start puts a handset on the site.
func (s *site) start(o Options, name string) (*Run, error) {
	r := &Run{options: o, name: name, site: s, Pool: s.pool, Timeline: timeline.New(name)}
	for _, observe := range o.Observers {
		r.Timeline.Observe(observe)
	}
	if err := r.assemble(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (s *site) close() error {
	var errs []error
	if s.pool != nil {
		errs = append(errs, s.pool.Close())
	}
	if s.cable != nil {
		errs = append(errs, s.cable.Close())
	}
	return errors.Join(append(errs, s.capture.Close())...)
}

// describe makes a run known by its station.
func (s *site) describe(r *Run) {
	s.capture.Describe(r.name, fmt.Sprintf("handset %s %s", r.options.Profile.Name, r.mac))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[r.name] = r
}

func (s *site) left(r *Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, r.name)
}

// maxMalformed bounds how many malformed frames of a run are told one by one.
const maxMalformed = 100

// malformed puts a frame that a handset's station cannot read on that handset's timeline.
func (s *site) malformed(m ethernet.MalformedFrame) {
	s.mu.Lock()
	r := s.runs[m.Station]
	s.mu.Unlock()
	if r == nil {
		return
	}
	n := r.malformed.Add(1)
	if n > maxMalformed {
		return
	}
	if n == maxMalformed {
		m.Seen += "; further malformed frames are not told"
	}
	r.Timeline.Add(timeline.Observation{
		At: m.At, Kind: timeline.Dropped, Protocol: m.Kind, Peer: m.Source.String(), Text: m.Seen,
	})
}

// keyLog is where TLS secrets go: nowhere, unless they were asked for.
func (s *site) keyLog() io.Writer {
	if s.capture == nil || !s.options.CaptureSecrets {
		return nil
	}
	return secretsWriter{s.capture}
}

type secretsWriter struct{ to *trace.Writer }

func (w secretsWriter) Write(line []byte) (int, error) {
	w.to.WriteSecrets(line)
	return len(line), nil
}
