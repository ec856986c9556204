// Package rig assembles one run: a cable, a lab pool, a handset and their observers, and makes a result of it.
package rig

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// GCPercent is what a program whose main work is to run handsets does well to give debug.SetGCPercent: a boot makes
// 1.6 MB of garbage and keeps 0.1 MB, and collecting it at Go's default of 100 costs 5 % of the boot's processor time.
const GCPercent = 300

// Options say what a run is made of. The zero value of a field means its default.
type Options struct {
	Lab         *configs.Lab // nil: the pool is somewhere on Interface, or where the computer reaches it
	LabState    string       // file that keeps the lab's authority, so that a later run's handset is still known; "" means none
	Profile     *configs.Profile
	MAC         net.HardwareAddr
	Flash       handset.FlashStore
	Credentials handset.Credentials
	Later       bool         // somebody calls Enter with credentials; these here say whom the lab's faults strike, and who the handset is
	UnlockPIN   secret.Value // that the user sets when the phone asks for one
	Target      handset.Target
	Faults      []string // stage=kind[:parameter]
	Timeout     time.Duration

	Capture        string // pcapng file
	CaptureSecrets bool
	Observers      []func(timeline.Observation) // of the handset
	Outgoing       handset.Outgoing             // changes what the handset sends, nil: nothing does
	PoolOutgoing   labpool.Outgoing             // changes what the lab's pool sends, nil: nothing does
	Decode         bool                         // puts the fields of each message on its timeline, secrets masked

	// Interface joins the handset to the segment of this interface of the computer.
	Interface string
	// Host lets the handset use the computer's own sockets, address and resolver.
	Host         bool
	Network      handset.Network
	Authorities  []*x509.Certificate // trusted instead of the downloaded chain
	RetryRefused bool                // send credentials again that flash remembers as refused

	// Cable joins handset and pool; nil means one of the run's own, a [ethernet.Segment] if there is a lab. The run
	// closes it.
	Cable ethernet.Cable
	Apart bool                       // several handsets of this computer are told apart by who signs in
	dhcp  func(handset.DHCPDatagram) // sees the handset's DHCP

	// Further looks further after a boot that failed, nil: nobody does.
	Further func(context.Context, *Run, report.Result) []report.Probe

	Random    io.Reader        // of the handset's numbers of DHCP, DNS and SNTP, nil: as chance has it
	PoolClock func() time.Time // nil: time.Now

	// HandsetKey and PoolKey make RSA keys, nil means a new key each time.
	HandsetKey, PoolKey func(bits int) (*rsa.PrivateKey, error)
}

// ComputerError means that the computer lacks something.
type ComputerError struct{ Err error }

func (e *ComputerError) Error() string { return e.Err.Error() }
func (e *ComputerError) Unwrap() error { return e.Err }

// Run is one handset on a site.
type Run struct {
	Pool     *labpool.Pool
	Handset  *handset.Handset
	Timeline *timeline.Timeline // the handset's

	options Options
	name    string // of its station and its timeline
	site    *site
	own     bool // the site is the run's own
	station ethernet.Station
	flash   io.Closer // the lock of a flash directory, nil: there is none
	mac     net.HardwareAddr
	ended   error // what the handset's running ended with last

	malformed atomic.Int64 // frames to it that cannot be read
}

// Start builds everything for one handset.
func Start(o Options) (*Run, error) {
	s, err := openSite(o)
	if err != nil {
		return nil, err
	}
	r, err := s.start(o, Party)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	r.own = true
	return r, nil
}

func (r *Run) assemble() error {
	o := r.options
	var err error
	if r.mac, err = o.HandsetMAC(); err != nil {
		return err
	}
	if dir, ok := o.Flash.(handset.FlashDir); ok {
		if r.flash, err = dir.Lock(); err != nil {
			return &ComputerError{fmt.Errorf("flash: %w", err)}
		}
	}
	r.site.describe(r)
	port := ethernet.Port{Trunk: o.Interface != ""}
	if o.Lab != nil {
		port.Voice = o.Lab.Network.VoiceVLAN
	}
	r.station, err = r.site.cable.Join(ethernet.StationConfig{Name: r.name, MAC: r.mac, TTL: o.Profile.IPTTL, Port: port})
	if err != nil {
		return err
	}
	if err := errors.Join(o.checkDiscovery(r.station), o.checkRoutes(r.station)); err != nil {
		return err
	}
	r.Handset, err = handset.New(o.Profile, r.station, o.forHandset(r.Timeline, r.site.keyLog())...)
	if err != nil {
		return err
	}
	if r.Pool != nil {
		r.Pool.ApplyCableFaults(r.name)
	}
	return nil
}

// entered is what the user has ready at power on.
func (o Options) entered() handset.Credentials {
	if o.Later {
		return handset.Credentials{}
	}
	return o.Credentials
}

// PowerOn switches the handset on, for one that is not to be driven by [Run.Boot].
func (r *Run) PowerOn() error { return r.Handset.PowerOn(r.options.entered()) }

// forHandset is what the options say of the handset itself.
func (o Options) forHandset(watch *timeline.Timeline, keys io.Writer) []handset.Option {
	list := []handset.Option{
		handset.WithFlash(o.Flash), handset.WithTarget(o.Target), handset.WithNetwork(o.Network), handset.WithAuthorities(o.Authorities),
		handset.WithUnlockPIN(o.UnlockPIN), handset.WithDHCP(o.dhcp), handset.WithTimeline(watch), handset.WithRandom(o.Random),
		handset.WithKeyLog(keys), handset.WithNewKey(o.HandsetKey), handset.WithOutgoing(o.Outgoing),
	}
	if o.RetryRefused {
		list = append(list, handset.WithRetryRefused())
	}
	if o.Decode {
		list = append(list, handset.WithDecoding())
	}
	return list
}

// Party is the name of the handset's station and timeline where there is one handset.
const Party = "handset"

// Boot powers the handset on and drives it until Ready, a reported failure or the timeout. After a failure it looks
// further.
func (r *Run) Boot(ctx context.Context) report.Result {
	result := r.boot(ctx)
	if result.Result == report.Success || r.options.Further == nil || ctx.Err() != nil || r.Lacking() != nil {
		return result
	}
	return result.WithProbes(r.options.Further(ctx, r, result))
}

// Discovers reports whether the handset was to find registrar or certificate URL by itself.
func (r *Run) Discovers() bool { return r.options.Target.FQDN == "" }

func (r *Run) boot(ctx context.Context) report.Result {
	if r.options.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.options.Timeout)
		defer cancel()
	}
	out, err := r.Handset.Boot(ctx, r.options.entered())
	return r.result(ctx, out, err)
}

// Stay keeps a handset that is Ready signed in until ctx ends, or until it is signed out. A connection that is lost is
// none of its ends.
func (r *Run) Stay(ctx context.Context) report.Result {
	out, err := r.Handset.Run(ctx, func(m devicestate.Machine) bool { return m.State == devicestate.Failed })
	if err == nil && ctx.Err() != nil && out.Machine.Registered() {
		out.Machine.State = devicestate.Ready // something that it does now and then was interrupted
	}
	return r.result(ctx, out, err)
}

// Result tells what the handset has come to: Ready is success, and whatever else it waits in is what it waits for without
// end. It must not be called while the handset runs; err is what its running ended with.
func (r *Run) Result(err error) report.Result {
	out := r.Handset.Outcome()
	if out.Machine.Registered() {
		out.Machine.State = devicestate.Ready // something that it does now and then was interrupted
	}
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	return r.result(ctx, out, err)
}

// Lacking is what the computer lacks for what the handset was to do, nil if nothing came up.
func (r *Run) Lacking() error {
	var bridge *ethernet.BridgeError
	var flash *handset.FlashError
	if f := r.Handset.Outcome().Failure; f != nil && errors.As(f.Err, &bridge) {
		return &ComputerError{bridge}
	}
	if errors.As(r.ended, &flash) {
		return &ComputerError{flash}
	}
	if r.Pool == nil {
		return nil
	}
	if err := r.Pool.Authority.Unsaved(); err != nil {
		return &ComputerError{err}
	}
	return nil
}

// Close signs the endpoint off, within 3 s, and frees everything that is the run's own. That the pool does not answer is no error of the run.
func (r *Run) Close() error {
	var errs []error
	if r.Handset != nil {
		if err := r.Handset.Close(); err != nil {
			r.Timeline.Add(timeline.Observation{Kind: timeline.Note, Text: "signing off: " + err.Error()})
		}
	}
	if r.station != nil {
		errs = append(errs, r.station.Close())
	}
	if r.flash != nil {
		errs = append(errs, r.flash.Close())
	}
	r.site.left(r)
	if r.own {
		errs = append(errs, r.site.close())
	}
	return errors.Join(errs...)
}
