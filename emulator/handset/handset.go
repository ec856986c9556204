// Package handset drives one Lync Phone Edition handset over an [ethernet.Station]: it performs the effects that
// package devicestate names, one file a stage, and turns what it sees on the wire into events.
package handset

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Credentials are what the user enters: number and PIN on the phone, or user name and password, on the phone or on the
// computer that it is tethered to.
type Credentials struct {
	Number string // phone number or extension as dialled
	PIN    secret.Value

	User     string // DOMAIN\user, or user@domain
	Password secret.Value

	// ExpectedSIP is compared with the SIP address that the pool tells; it does not change the wire. Empty: not compared.
	ExpectedSIP string
}

// byPassword reports whether the user signs in with user name and password.
func (c Credentials) byPassword() bool { return c.User != "" }

func (c Credentials) complete() bool {
	return !c.PIN.IsZero() || c.byPassword() && !c.Password.IsZero()
}

// kind names what they are.
func (c Credentials) kind() string {
	if c.byPassword() {
		return "user name and password"
	}
	return "number and PIN"
}

// Target replaces discovery. The zero Target means that the handset discovers.
type Target struct {
	FQDN string // registrar, "": discovered
	Port uint16 // 0 means 5061
	URI  string // certificate provisioning, "": discovered, or with FQDN asked of the registrar, then the default path
	// Address is where FQDN is, whatever DNS says; names in TLS and SIP stay. The zero Addr: DNS tells.
	Address netip.Addr
	// First makes the handset try only the first of the addresses that DNS gives for FQDN.
	First bool
}

// Network goes before what the lease or the computer says.
type Network struct {
	DNS    netip.Addr // server that is asked, the zero Addr: those of the lease, or the computer's resolver
	Domain string     // DNS domain, "": that of the lease, or the computer's
	// Hosts is where every host is, whatever DNS says. The zero Addr: DNS tells.
	Hosts netip.Addr
}

// Warning is something wrong that did not stop the boot.
type Warning struct {
	Code devicestate.Code
	Text string
}

// Visit is one stay in a state.
type Visit struct {
	State    devicestate.State
	Entered  time.Time // the cable's clock
	Duration time.Duration
	Outcome  string // ok, skipped or failed
	Glass    configs.GlassText
}

// Outcome is what a handset knows of itself.
type Outcome struct {
	Machine        devicestate.Machine
	Waiting        devicestate.State // the state it was in when it was last asked to stop
	Failure        *Failure          // what was reported, or last seen in Waiting
	Reported       bool              // Failure was reported to the user; otherwise the handset would go on
	Warnings       []Warning
	Visits         []Visit
	Registrar      string
	Addresses      []netip.Addr // of Target.FQDN by DNS, before Target chooses one
	CertificateURL string
	URLSource      string // option43, target, sts-uri, default-path or flash
	SIPAddress     string
	LineURI        string
	EPID           string
	Certificate    *x509.Certificate
	Profile        *configs.Profile
}

// Handset is one handset. Run drives it in the caller's goroutine; Do may be called from others.
type Handset struct {
	cfg     config
	model   *configs.Profile // as it came out of the box
	profile *configs.Profile // of the firmware that runs
	station ethernet.Station
	flash   devicestate.Flash
	store   FlashStore
	machine devicestate.Machine
	entered Credentials // at power on

	announcing  *announcer // from LinkDetect on
	late        *lingering // the last DHCP exchange
	clockOffset time.Duration
	clockSynced bool // in this boot or kept over a warm one
	ram         memory
	out         Outcome
	skipped     bool // the running stage had nothing to do
	anyTLS      bool // a look around speaks more than the profile
	failure     *Failure
	reported    bool

	state     atomic.Value // machine.State, for what other goroutines observe
	mu        sync.Mutex
	pending   []userEvent
	interrupt context.CancelFunc
}

// memory is lost with power.
type memory struct {
	policy           *voicePolicy
	lease            *lease
	candidates       []candidate
	failures         int       // registrations that failed one after the other since the handset was Ready
	notBefore        time.Time // the next registration is tried
	updateDue        time.Time // the next query
	provisionDue     time.Time // the settings of the phone are asked for again
	lock             lockPolicy
	unlockPINEntered bool      // and not in flash yet
	used             time.Time // by the user
	certURL          string
	ticket           *heldTicket
	key              *rsa.PrivateKey // of the certificate in flash
	enrolling        *rsa.PrivateKey // of the certificate that is asked for
	certificate      []byte
	certificateDue   time.Time // to be renewed, zero: not known yet
	web              *webSession
	identity         identity
	sip              *registration
	image            *offeredImage
	noCarrier        bool
	conflicts        int           // leases declined one after the other
	pause            time.Duration // before DHCP begins again
	credentials      Credentials
	entered          bool                // the credentials, by Enter
	chain            []*x509.Certificate // that was downloaded and is not in flash yet
	anchors          []*x509.Certificate // the chain in flash, as it was downloaded; nil: read it there
	visited          map[devicestate.State]bool
}

// New makes a handset that is powered off, of a model and firmware, at a place in the network.
func New(profile *configs.Profile, station ethernet.Station, options ...Option) (*Handset, error) {
	if profile == nil || station == nil {
		return nil, errors.New("a handset needs a profile and a station")
	}
	cfg := config{timeline: timeline.New("handset")}
	for _, set := range options {
		set(&cfg)
	}
	if cfg.flash == nil {
		cfg.flash = &MemoryFlash{}
	}
	if cfg.newKey == nil {
		cfg.newKey = func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
	}
	if cfg.random == nil {
		cfg.random = rand.Reader
	}
	h := &Handset{cfg: cfg, model: profile, profile: profile, station: station, store: cfg.flash}
	if watcher, ok := station.(ethernet.ConflictWatcher); ok {
		watcher.OnConflict(h.addressContested)
	}
	if watcher, ok := station.(ethernet.ARPWatcher); ok && cfg.decode {
		watcher.OnARP(h.arpSeen)
	}
	return h, nil
}

// Observe calls observe for each thing that the handset does or sees from now on, in order: it must be quick and must not
// call the handset. The function returned ends it.
func (h *Handset) Observe(observe func(timeline.Observation)) (stop func()) {
	return h.cfg.timeline.Observe(observe)
}

// Boot powers the handset on, with credentials to enter when it asks for them, and drives it until it is Ready, until it
// reports a failure, or until ctx ends. The error is that of flash or of the machine, never a boot that failed: that is
// told by the Outcome.
func (h *Handset) Boot(ctx context.Context, c Credentials) (Outcome, error) {
	if err := h.PowerOn(c); err != nil {
		return h.outcome(), err
	}
	return h.Run(ctx, func(m devicestate.Machine) bool { return m.State == devicestate.Ready })
}

// Do hands an event of the user's to the handset: PowerOff, Reboot, SignOut, HardReset, FactoryReset, PhoneLock or Retry. It
// interrupts the stage that runs.
func (h *Handset) Do(e devicestate.Event) { h.enter(userEvent{event: e}) }

func (h *Handset) enter(u userEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = append(h.pending, u)
	if h.interrupt != nil {
		h.interrupt()
	}
}

// PowerOn switches the handset on: flash is read and the boot begins with the next Run. A clock that flash does not keep
// stands at the profile's cold date. The credentials are entered when the handset asks for them.
func (h *Handset) PowerOn(c Credentials) error {
	flash, err := h.store.Load()
	if err != nil {
		return fmt.Errorf("flash: %w", err)
	}
	h.flash = flash
	h.startImage()
	if flash.ClockKept {
		h.clockOffset, h.clockSynced = flash.ClockOffset, true
	} else {
		h.clockOffset, h.clockSynced = time.Until(h.profile.ColdDate), false
	}
	h.entered = c
	h.ram = memory{credentials: c, visited: map[devicestate.State]bool{}, used: time.Now()}
	if h.flash.OtherUser(c.Number, c.User) {
		h.note("another user is entered than the one signed in: Switch User")
		h.flash.EraseSignIn()
	}
	return h.step(devicestate.Happening{Event: devicestate.PowerOn, Memory: h.memory()})
}

func (h *Handset) memory() devicestate.Memory {
	m := h.flash.Memory()
	m.Registrar = m.Registrar && h.cfg.target.FQDN == "" && h.cfg.target.URI == "" // what the user names goes before what worked last
	if want := h.ram.credentials.ExpectedSIP; want != "" && !sameSIP(want, h.flash.SIPAddress) {
		m.Certificate = false // it is somebody else's; the credentials have to tell whose they are
	}
	m.Credentials = h.ram.credentials.complete()
	return m
}

// Run drives the handset until stop returns true after a transition, or ctx ends. It returns what is known by then;
// the error is that of flash or of the machine, never a boot that failed.
func (h *Handset) Run(ctx context.Context, stop func(devicestate.Machine) bool) (Outcome, error) {
	for {
		if ctx.Err() != nil {
			return h.outcome(), nil
		}
		happening, ok := h.next(ctx)
		if !ok {
			continue
		}
		if err := h.step(happening); err != nil {
			return h.outcome(), err
		}
		if stop != nil && (stop(h.machine) || h.reported) {
			return h.outcome(), nil
		}
	}
}

// next returns the user's event if there is one, else runs the stage of the present state.
func (h *Handset) next(ctx context.Context) (devicestate.Happening, bool) {
	stageCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	if len(h.pending) > 0 {
		entered := h.pending[0]
		h.pending = h.pending[1:]
		h.mu.Unlock()
		if event := h.judgeUser(entered); event != "" {
			return devicestate.Happening{Event: event}, true
		}
		return devicestate.Happening{}, false
	}
	h.interrupt = cancel
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.interrupt = nil
		h.mu.Unlock()
	}()

	event, failure := h.stage(stageCtx)
	if stageCtx.Err() != nil {
		return devicestate.Happening{}, false
	}
	happening := devicestate.Happening{Event: event}
	switch {
	case event == devicestate.ConnectionLost, event == devicestate.LeaseLost:
		h.failure = failure
		h.warn(failure) // the handset gets over it
	case failure != nil:
		h.seen(failure)
		happening.Code = failure.Code
	}
	if event == devicestate.Restarted {
		if h.ram.entered { // and nobody has entered them since
			h.ram.credentials, h.ram.entered = Credentials{}, false
		}
		happening.Memory = h.memory()
	}
	return happening, true
}

func (h *Handset) stage(ctx context.Context) (devicestate.Event, *Failure) {
	switch h.machine.State {
	case devicestate.LinkDetect:
		return h.linkDetect(ctx)
	case devicestate.VlanDiscover:
		return h.vlanDiscover(ctx)
	case devicestate.AddressAcquire:
		return h.addressAcquire(ctx)
	case devicestate.UpdateLookup:
		return h.updateLookup(ctx)
	case devicestate.TimeSync:
		return h.timeSync(ctx)
	case devicestate.PoolDiscover:
		return h.poolDiscover(ctx)
	case devicestate.SignIn:
		return h.signIn(ctx)
	case devicestate.RootChain:
		return h.rootChain(ctx)
	case devicestate.WebTicket:
		return h.webTicket(ctx)
	case devicestate.Enroll:
		return h.enroll(ctx)
	case devicestate.Register:
		return h.register(ctx)
	case devicestate.Provision:
		return h.provision(ctx)
	case devicestate.UpdateCheck:
		return h.updateCheck(ctx)
	case devicestate.Updating:
		return h.updating(ctx)
	case devicestate.Rebooting:
		return h.rebooting()
	case devicestate.Ready:
		return h.ready(ctx)
	}
	return h.await(ctx, time.Time{}) // PoweredOff and Failed wait for the user
}

// step moves the machine and performs the effects.
func (h *Handset) step(happening devicestate.Happening) error {
	before := h.machine
	after, effects, err := devicestate.Step(before, happening)
	if err != nil {
		h.observe(timeline.Observation{Kind: timeline.Note, Text: err.Error()})
		return err
	}
	h.reported = false
	for _, effect := range effects {
		if err := h.perform(effect); err != nil {
			return fmt.Errorf("%s: %w", effect, err)
		}
	}
	h.closeVisit(happening.Event, after)
	h.machine = after
	h.state.Store(after.State)
	h.tellLock(happening.Event, before)
	if after.State != before.State {
		h.openVisit(happening.Event)
	}
	return nil
}

// now is the handset's clock.
func (h *Handset) now() time.Time { return time.Now().Add(h.clockOffset) }

// seen keeps a failure as the last one of the stage that runs.
func (h *Handset) seen(f *Failure) {
	if h.failure == f {
		return
	}
	h.failure = f
	h.observe(timeline.Observation{Kind: timeline.Diagnosis, Code: string(f.Code), Peer: f.Peer, Text: f.Detail()})
}

func (h *Handset) warn(f *Failure) {
	for _, w := range h.out.Warnings {
		if w.Code == f.Code {
			if w.Text != f.Detail() {
				h.note("%s again: %s", f.Code, f.Detail())
			}
			return
		}
	}
	h.out.Warnings = append(h.out.Warnings, Warning{f.Code, f.Detail()})
	h.observe(timeline.Observation{Kind: timeline.Diagnosis, Code: string(f.Code), Peer: f.Peer, Text: "warning: " + f.Detail()})
}

func (h *Handset) note(format string, args ...any) {
	h.observe(timeline.Observation{Kind: timeline.Note, Text: fmt.Sprintf(format, args...)})
}

// begins notes what a stage works with.
func (h *Handset) begins(text string, fields ...timeline.Field) {
	h.observe(timeline.Observation{Kind: timeline.Note, Text: text, Fields: fields})
}

func (h *Handset) observe(o timeline.Observation) {
	o.State = h.machine.State
	h.cfg.timeline.Add(o)
}

// sent puts a message on the timeline, with its fields by decode, which may be nil, if somebody wants them.
func (h *Handset) sent(protocol, peer, text string, decode func() exchange.Content) {
	c := h.decoded(decode)
	h.observe(timeline.Observation{Kind: timeline.Sent, Protocol: protocol, Peer: peer, Text: text, Message: c.Kind, Fields: c.Fields})
}

func (h *Handset) received(protocol, peer, text string, decode func() exchange.Content) {
	c := h.decoded(decode)
	h.observe(timeline.Observation{Kind: timeline.Received, Protocol: protocol, Peer: peer, Text: text, Message: c.Kind, Fields: c.Fields})
}

func (h *Handset) decoded(decode func() exchange.Content) exchange.Content {
	if !h.cfg.decode || decode == nil {
		return exchange.Content{}
	}
	return decode()
}

func (h *Handset) dropped(protocol, peer, text string) {
	h.observe(timeline.Observation{Kind: timeline.Dropped, Protocol: protocol, Peer: peer, Text: text})
}

func (h *Handset) stageName() devicestate.Stage { return h.machine.State.Stage() }

// draw fills b by lot.
func (h *Handset) draw(b []byte) {
	if _, err := io.ReadFull(h.cfg.random, b); err != nil {
		rand.Read(b) // never fails, crypto/rand
	}
}

// Outcome tells what the handset knows. It must not be called while Run runs.
func (h *Handset) Outcome() Outcome { return h.outcome() }

func (h *Handset) outcome() Outcome {
	out := h.out
	out.Machine, out.Waiting, out.Profile = h.machine, h.machine.State, h.profile
	out.Failure, out.Reported = h.failure, h.reported
	out.EPID, out.SIPAddress = h.flash.EPID, h.flash.SIPAddress
	if cert, err := x509.ParseCertificate(h.flash.Certificate); err == nil {
		out.Certificate = cert
	}
	out.Visits = append([]Visit(nil), h.out.Visits...)
	if n := len(out.Visits); n > 0 {
		closeLast(&out.Visits[n-1])
	}
	out.Warnings = append([]Warning(nil), h.out.Warnings...)
	return out
}

// closeLast ends a visit that still lasts. Being Ready is the aim; in any other state something was missing.
func closeLast(v *Visit) {
	if v.Duration == 0 {
		v.Duration = time.Since(v.Entered)
	}
	switch {
	case v.Outcome != "":
	case v.State == devicestate.Ready:
		v.Outcome = "ok"
	default:
		v.Outcome = "failed"
	}
}

// Close signs the endpoint off properly, within 3 s, and gives up the connections. The station stays the caller's. It must
// not be called while Run runs.
func (h *Handset) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), signOffTime)
	defer cancel()
	err := h.deregister(ctx)
	h.announcing.leave()
	h.closeConnections()
	return err
}

func (h *Handset) closeConnections() {
	h.late.end()
	h.closeRegistration()
	if h.ram.web != nil {
		h.ram.web.close()
		h.ram.web = nil
	}
	h.announcing.stop()
	h.announcing = nil
}

func (h *Handset) closeRegistration() {
	if h.ram.sip != nil {
		h.ram.sip.close()
		h.ram.sip = nil
	}
}

// mac returns the MAC address as the inventory prints it: upper case, hyphens (handset.md §1.2).
func (h *Handset) mac() net.HardwareAddr { return h.station.MAC() }
