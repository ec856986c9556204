// Package run runs scenarios: it does their steps with a handset and a pool, and holds what came of it to what they
// expect.
package run

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/scenarios/format"
	recorder "github.com/phone-edition/lpe/scenarios/record"
)

// Options say on what a scenario runs. The zero Options are the cable that the scenario names.
type Options struct {
	Interface string // the segment of this interface, with the pool that is there
	Host      bool   // the computer's own sockets
	// Place is where the pool is. What it leaves out is as the scenario's target says.
	Place rig.Place
	// SignsIn is who signs in at a real pool where a step says that a user of the lab does. nil: such a step is refused there.
	SignsIn *handset.Credentials
	// Flash is the directory of the handset's flash, and of the lab's certificates, "": flash is empty at first and ends
	// with the scenario.
	Flash        string
	Keys         func(bits int) (*rsa.PrivateKey, error)
	Observers    []func(timeline.Observation) // of the handset
	Outgoing     handset.Outgoing             // changes what the handset sends, nil: nothing does
	PoolOutgoing labpool.Outgoing             // changes what the lab's pool sends, nil: nothing does
	Exchange     bool                         // keep states and messages for the result
	// Settled waits until everybody waits for time to pass. nil: nothing tells.
	Settled func()
}

// Result is what came of a scenario.
type Result struct {
	Name        string          `json:"name"`
	File        string          `json:"file"`
	Passed      bool            `json:"passed"`
	Took        float64         `json:"took"`  // seconds by the scenario's clock
	State       string          `json:"state"` // what the handset has come to
	Code        string          `json:"code"`
	Differences []Difference    `json:"differences"`
	Boot        json.RawMessage `json:"boot"` // as lpe boot -o json tells it

	Exchange []exchange.Message `json:"-"` // states and messages up to the end of the steps, if they were to be kept
}

// Difference is one thing that is not as expected.
type Difference struct {
	Path    string   `json:"path"` // in the file: expect.states[3]
	Line    int      `json:"line"`
	Text    string   `json:"text"`
	Context []string `json:"context"` // the timeline around the event that differs, marked with >
}

// Run runs a scenario. The error is one of the computer or of ctx; what differs is in the result.
func Run(ctx context.Context, s *format.Scenario, o Options) (Result, error) {
	e := &engine{scenario: s, options: o, record: newRecord(s), began: time.Now(), after: map[string]int{}}
	result := Result{Name: s.Name, File: s.File}
	kept := recorder.Recorder{States: true}
	if o.Exchange {
		e.options.Observers = append(slices.Clone(o.Observers), kept.Observe)
	}
	if err := e.check(); err != nil {
		return result, err
	}
	err := e.open()
	if err == nil {
		e.steps(ctx)
		e.stop()
	}
	if err == nil && ctx.Err() == nil {
		e.judge(&result)
	}
	result.Took = time.Since(e.began).Seconds()
	messages, lost := kept.Messages()
	result.Exchange = messages
	if lost > 0 {
		err = errors.Join(err, fmt.Errorf("%s: %d messages more than a recording holds: what they say could not be compared", s.Name, lost))
	}
	if e.run != nil {
		err = errors.Join(err, e.run.Lacking(), e.run.Close())
	}
	e.schedule.Wait()
	result.Differences = append([]Difference{}, e.differences...)
	result.Passed = err == nil && ctx.Err() == nil && len(e.differences) == 0
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return result, err
}

// engine is one scenario that runs.
type engine struct {
	scenario *format.Scenario
	options  Options
	run      *rig.Run
	flash    handset.FlashStore
	record   *record
	began    time.Time
	shift    atomic.Int64 // of the pool's clock
	dialled  string
	acted    int            // states that were entered before the user did something last
	answered int            // states that were entered before he said last who he is
	after    map[string]int // label of a step: the first observation after it

	driving context.CancelFunc // nil: nobody drives the handset
	drove   chan error
	failed  error // what driving ended with

	schedule sync.WaitGroup // of faults that come by the clock
	over     context.CancelFunc

	mu          sync.Mutex
	differences []Difference
}

func (e *engine) open() error {
	s := e.scenario
	e.flash = &handset.MemoryFlash{}
	if e.options.Flash != "" {
		e.flash = handset.FlashDir(e.options.Flash)
	}
	o := rig.Options{
		Profile: s.Profile, Flash: e.flash, UnlockPIN: secret.New(s.Handset.UnlockPIN), Decode: len(e.record.asked) > 0 || e.options.Exchange,
		Later: true, Outgoing: e.options.Outgoing, PoolOutgoing: e.options.PoolOutgoing,
		HandsetKey: e.options.Keys, PoolKey: e.options.Keys, PoolClock: e.poolClock,
		Observers: append([]func(timeline.Observation){e.record.observe}, e.options.Observers...),
	}
	if err := e.identify(&o); err != nil {
		return err
	}
	if s.Seed != 0 {
		o.Random = &lot{source: rand.NewChaCha8([32]byte{byte(s.Seed), byte(s.Seed >> 8), byte(s.Seed >> 16), byte(s.Seed >> 24)})}
	}
	var misplaced []error
	o.Locate(e.place(), func(_ string, err error) { misplaced = append(misplaced, err) })
	if len(misplaced) > 0 {
		return errors.Join(misplaced...) // the file of the authorities has changed since it was checked
	}
	switch {
	case e.options.Real():
		o.Host = e.options.Host
	case s.Cable == "segment":
		o.Cable = ethernet.NewSegment(ethernet.Options{Impairments: impairments(s)})
	default:
		o.Cable = ethernet.NewPipe(ethernet.Options{})
	}
	if o.Lab != nil {
		if e.options.Flash != "" {
			o.LabState = filepath.Join(e.options.Flash, "lab-"+o.Lab.Name+".json")
		}
	}
	var scheduled []func(context.Context)
	for i, f := range s.Faults {
		switch {
		case f.After != "":
		case f.At == 0:
			o.Faults = append(o.Faults, f.Fault)
			if f.For > 0 {
				scheduled = append(scheduled, func(ctx context.Context) { e.clears(ctx, i, f.For) })
			}
		default:
			scheduled = append(scheduled, func(ctx context.Context) { e.strikes(ctx, i) })
		}
	}
	var err error
	if e.run, err = rig.Start(o); err != nil {
		return err
	}
	ctx, over := context.WithCancel(context.Background())
	e.over = over
	for _, do := range scheduled {
		e.schedule.Go(func() { do(ctx) })
	}
	return nil
}

func impairments(s *format.Scenario) ethernet.Impairments {
	if s.Impair == nil {
		return ethernet.Impairments{}
	}
	const percent = 100
	return ethernet.Impairments{
		Seed: s.Seed, Delay: s.Impair.Delay, Jitter: s.Impair.Jitter, Loss: float64(s.Impair.Loss) / percent,
		Duplicate: float64(s.Impair.Duplicate) / percent, Reorder: float64(s.Impair.Reorder) / percent,
	}
}

// lot draws numbers from a seed.
type lot struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (l *lot) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.source.Read(p)
}

func (e *engine) poolClock() time.Time { return time.Now().Add(time.Duration(e.shift.Load())) }

// strikes lets a fault begin at its time.
func (e *engine) strikes(ctx context.Context, i int) {
	f := e.scenario.Faults[i]
	if !passes(ctx, f.At) {
		return
	}
	if err := e.run.Pool.SetFault(f.Fault, ""); err != nil {
		e.differs(at("faults", i), "%v", err)
		return
	}
	e.clears(ctx, i, f.For)
}

// clears ends a fault when its time is over.
func (e *engine) clears(ctx context.Context, i int, after time.Duration) {
	if after == 0 || !passes(ctx, after) {
		return
	}
	f, err := faults.Parse(e.scenario.Faults[i].Fault)
	if err == nil {
		_, err = e.run.Pool.ClearFault(f.Name)
	}
	if err != nil {
		e.differs(at("faults", i), "%v", err)
	}
}

func passes(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func at(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i+1) }

// differs notes something that is not as expected, with what is around the last observation.
func (e *engine) differs(path, text string, args ...any) {
	e.differsAt(path, e.record.last(), text, args...)
}

// differsAt is differs with what is around the n-th observation.
func (e *engine) differsAt(path string, n int, text string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.differences = append(e.differences, Difference{
		Path: path, Line: e.scenario.Line(path), Text: fmt.Sprintf(text, args...), Context: e.record.around(n, e.began),
	})
}
