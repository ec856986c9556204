// Package exporter lets a monitoring system boot a handset: /probe in the manner of Prometheus's blackbox exporter. It
// sees to it that no monitor locks a user out: a PIN that was refused is not sent again before its file has changed, and
// a user signs in no more often than the module says.
package exporter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/credentials"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/wholefile"
)

// maxWaiting bounds the requests that are being answered.
const maxWaiting = 1000

// maxPINFile is more than any PIN with its line end.
const maxPINFile = 1024

// Options say what an exporter watches, and how.
type Options struct {
	Modules *configs.Modules
	State   string      // file that remembers refused PINs over a restart, "": they are forgotten
	Log     *zap.Logger // nil: nobody reads it

	// Boot boots one handset, nil means [rig.BootMany].
	Boot func(ctx context.Context, o rig.Options, b rig.Boot) (report.Result, error)
}

// Exporter boots handsets when it is asked to. Close ends the boots that run.
type Exporter struct {
	options Options
	modules map[string]*module
	slots   chan struct{} // one each for the boots that may run
	waiting chan struct{} // one each for the requests that may wait
	held    *holds
	metrics *metrics
	life    context.Context // when it ends, boots end
	end     context.CancelFunc

	mu        sync.Mutex
	users     map[string]*user
	histories map[historyKey]*history
}

// module is a module with what its file names besides.
type module struct {
	configs.Module
	options rig.Options
}

// user is who signs in; several modules and targets may have the same one.
type user struct {
	turn  chan struct{} // holds one token: whoever has it may boot
	began time.Time     // of the last boot
}

// New reads what the modules name. The error tells everything that is wrong, before anything is sent.
func New(o Options) (*Exporter, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Boot == nil {
		o.Boot = bootOne
	}
	e := &Exporter{
		options: o, modules: map[string]*module{}, slots: make(chan struct{}, o.Modules.Concurrency),
		waiting: make(chan struct{}, maxWaiting), metrics: newMetrics(),
		users: map[string]*user{}, histories: map[historyKey]*history{},
	}
	e.life, e.end = context.WithCancel(context.Background())
	var errs []error
	for _, m := range o.Modules.Modules {
		one := &module{Module: m, options: rig.Options{
			Lab: m.Lab, Profile: m.Profile, Interface: m.Interface, Host: m.Way == "host",
		}}
		var err error
		if one.options.Authorities, err = rig.ReadAuthorities(m.CA); err != nil {
			errs = append(errs, fmt.Errorf("module %s: ca: %w", m.Name, err))
		}
		if _, _, err := one.credentials(); err != nil {
			errs = append(errs, fmt.Errorf("module %s: %w", m.Name, err))
		}
		e.modules[m.Name] = one
	}
	var err error
	if e.held, err = openHolds(o.State); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		e.end()
		return nil, err
	}
	return e, nil
}

// Close ends the boots that run; they sign off.
func (e *Exporter) Close() { e.end() }

// bootOne boots a handset on a site of its own.
func bootOne(ctx context.Context, o rig.Options, b rig.Boot) (result report.Result, err error) {
	err = rig.BootMany(ctx, o, []rig.Boot{b}, 1, func(_ int, r report.Result) error { result = r; return nil })
	if err == nil && result.Result == "" {
		err = ctx.Err() // it did not begin
	}
	return result, err
}

// credentials reads the PIN; stamp tells one version of its file from another, "" if there is no file.
func (m *module) credentials() (c handset.Credentials, stamp string, err error) {
	if m.PINFile == "" {
		return rig.FirstUser(m.Lab, m.Profile), "", nil
	}
	info, err := os.Stat(m.PINFile)
	if err != nil {
		return c, "", fmt.Errorf("pin_file: %w", err)
	}
	text, err := wholefile.ReadPrivate(m.PINFile, maxPINFile)
	if err != nil {
		return c, "", fmt.Errorf("pin_file: %w", err)
	}
	var pin secret.Value
	if pin, err = credentials.CheckPIN(string(text)); err != nil {
		return c, "", fmt.Errorf("pin_file %s: %w", m.PINFile, err)
	}
	stamp = fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
	return handset.Credentials{Number: m.Number, PIN: pin, ExpectedSIP: m.SIPAddress}, stamp, nil
}

// who tells users apart: the number, and where the PIN comes from.
func (m *module) who() string {
	if m.Number == "" {
		return "lab " + m.Lab.Name
	}
	file := m.PINFile
	if absolute, err := filepath.Abs(file); err == nil { // it fails where there is no current directory
		file = absolute
	}
	return strings.TrimPrefix(m.Number, "+") + " " + file
}

// target is the registrar that is asked for: one that the module allows, its only one if none is named. "" means that
// the handset discovers.
func (m *module) target(name string) (string, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	switch {
	case name == "" && len(m.Targets) > 1:
		return "", fmt.Errorf("module %s has %d targets, name one of them", m.Name, len(m.Targets))
	case name == "" && len(m.Targets) == 1:
		return m.Targets[0], nil
	case name == "" || slices.Contains(m.Targets, name):
		return name, nil
	}
	return "", fmt.Errorf("%.60q is not among the targets of module %s: a PIN goes to no other", name, m.Name)
}

func (e *Exporter) user(who string) *user {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := e.users[who]
	if u == nil {
		u = &user{turn: make(chan struct{}, 1)}
		u.turn <- struct{}{}
		e.users[who] = u
	}
	return u
}

// errBusy means that a boot cannot begin in the time that there is.
var errBusy = errors.New("no boot can begin in the time that there is")

// probe boots a handset, or tells what is known where it may not. Its error is of this program or its computer, never
// of the pool.
func (e *Exporter) probe(ctx context.Context, m *module, target string) (outcome, error) {
	h := e.history(m, target)
	u := e.user(m.who())
	select {
	case <-u.turn:
	case <-ctx.Done():
		return outcome{}, errBusy
	}
	defer func() { u.turn <- struct{}{} }()

	c, stamp, err := m.credentials()
	if err != nil {
		return outcome{}, err
	}
	if code, held := e.held.get(m.who(), stamp); held {
		e.metrics.probes.WithLabelValues(m.Name, "held_back").Inc()
		return h.heldBack(code), nil
	}
	if last, ok := h.recent(m.MinimumInterval); ok {
		e.metrics.probes.WithLabelValues(m.Name, "repeated").Inc()
		return last, nil
	}
	if err := await(ctx, u.began.Add(m.MinimumInterval)); err != nil {
		return outcome{}, fmt.Errorf("%w: the user signed in %.1f s ago by another module or target, minimum_interval is %v",
			err, time.Since(u.began).Seconds(), m.MinimumInterval)
	}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return outcome{}, fmt.Errorf("%w: %d boots run already", errBusy, cap(e.slots))
	}
	return e.boot(ctx, m, target, c, stamp, u, h)
}

// least is the time that a boot needs at least.
const least = time.Second

// await waits until a time, if ctx leaves time for a boot afterwards.
func await(ctx context.Context, until time.Time) error {
	wait := time.Until(until)
	if wait <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait+least {
		return errBusy
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

func (e *Exporter) boot(ctx context.Context, m *module, target string, c handset.Credentials, stamp string, u *user, h *history) (outcome, error) {
	e.metrics.running.Inc()
	defer e.metrics.running.Dec()
	o := m.options
	o.Target.FQDN, o.Timeout = target, m.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		if o.Timeout = min(o.Timeout, time.Until(deadline)); o.Timeout < least {
			return outcome{}, errBusy
		}
	}
	began := time.Now()
	u.began = began
	flash := &handset.MemoryFlash{}
	// The boot ends by its own time, so that its code says where it hung, whether or not the client waits for it.
	result, err := e.options.Boot(e.life, o, rig.Boot{Name: rig.Party, Credentials: c, Flash: flash})
	if err != nil {
		e.metrics.probes.WithLabelValues(m.Name, "error").Inc()
		return outcome{}, err
	}
	if kept, err := flash.Load(); err != nil {
		return outcome{}, err
	} else if kept.Refused != nil {
		if err := e.held.put(m.who(), stamp, devicestate.Code(result.Code)); err != nil {
			e.options.Log.Error("a refused PIN is not remembered over a restart", zap.Error(err))
		}
	}
	e.metrics.probes.WithLabelValues(m.Name, strings.ToLower(string(result.Result))).Inc()
	e.options.Log.Info("probe", zap.String("module", m.Name), zap.String("target", target), zap.String("result", string(result.Result)),
		zap.String("code", result.Code), zap.Duration("latency", time.Duration(result.Latency)))
	return h.add(result, began), nil
}
