package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/scenarios/format"
)

// Bounds of what the user does: until the handset asks who he is, and until the handset has done what he wants.
const (
	signInTime = 5 * time.Minute
	userTime   = 15 * time.Second
)

// steps does the steps, until one cannot be done.
func (e *engine) steps(ctx context.Context) {
	since := 0
	for i, step := range e.scenario.Steps {
		path := at("steps", i)
		switch step.Verb {
		case "wait":
		case "power", "do":
			e.acted = e.record.visits()
			fallthrough
		default:
			since = e.record.visits()
		}
		done := e.record.len() // what comes from here on is its consequence
		var err error
		if step.Verb == "wait" {
			since, err = e.wait(ctx, i, step, since)
		} else {
			err = e.do(ctx, step)
		}
		if e.options.Settled != nil {
			e.options.Settled()
		}
		if err == nil && step.Label != "" {
			if step.Verb == "wait" || step.Verb == "stay" {
				done = e.record.len()
			}
			e.after[step.Label] = done
			err = e.follow(step.Label)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			e.differs(path+"."+step.Verb, "%v", err)
			return
		}
		if err := e.ended(); err != nil {
			e.differs(path+"."+step.Verb, "the handset stopped: %v", err)
			return
		}
	}
}

// follow lets the faults begin and end that wait for a step.
func (e *engine) follow(label string) error {
	ctx, over := context.WithCancel(context.Background())
	before := e.over
	e.over = func() { before(); over() }
	for i, f := range e.scenario.Faults {
		if f.Until == label {
			if err := e.clearFault(f.Fault); err != nil {
				return err
			}
		}
		if f.After != label {
			continue
		}
		if f.At == 0 {
			if err := e.run.Pool.SetFault(f.Fault, ""); err != nil {
				return err
			}
			e.schedule.Go(func() { e.clears(ctx, i, f.For) })
			continue
		}
		e.schedule.Go(func() { e.strikes(ctx, i) })
	}
	return nil
}

// wait waits until the handset has entered a state: since the step before, or the wait before. One that it is in already
// counts if nothing was done since.
func (e *engine) wait(ctx context.Context, i int, step format.Step, since int) (int, error) {
	within := format.DefaultWithin
	if step.Within != nil {
		within = *step.Within
	}
	want := devicestate.State(step.Wait)
	if e.record.now() == want && (i == 0 || e.scenario.Steps[i-1].Verb == "stay") {
		return e.record.visits(), nil
	}
	over := time.NewTimer(within)
	defer over.Stop()
	for {
		n, found, changed := e.record.enters(want, since)
		if found {
			return n, nil
		}
		switch {
		case want != devicestate.Failed && e.record.failed(e.acted):
			return n, fmt.Errorf("the handset does not enter %s, it is in %s, which only power or do ends", want, devicestate.Failed)
		case e.record.asksAgain(max(since, e.answered), n):
			return n, fmt.Errorf("the handset does not enter %s, it is in %s and asks again who signs in", want, devicestate.SignIn)
		}
		select {
		case <-changed:
		case <-over.C:
			return n, fmt.Errorf("the handset did not enter %s within %v, it is in %s", want, within, e.record.now())
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
}

func (e *engine) do(ctx context.Context, step format.Step) error {
	switch step.Verb {
	case "power", "wipe_flash":
		return e.power(ctx, step)
	case "sign_in":
		return e.signIn(ctx, e.entered(step))
	case "dial":
		e.dialled = step.Dial
		return nil
	case "enter_pin":
		return e.signIn(ctx, handset.Credentials{Number: e.dialled, PIN: secret.New(step.EnterPIN)})
	case "login":
		return e.signIn(ctx, handset.Credentials{User: step.Login.User, Password: secret.New(step.Login.Password)})
	case "do":
		return e.userDoes(ctx, func() { e.run.Handset.Do(events[step.Do]) })
	case "phone_unlock":
		return e.userDoes(ctx, func() { e.run.Handset.Unlock(secret.New(step.Unlock)) })
	case "stay":
		passes(ctx, step.Stay)
		return nil
	case "clock":
		return e.clock(step.Clock)
	case "unplug":
		return e.carrier(step.Unplug, false)
	case "plug":
		return e.carrier(step.Plug, true)
	}
	return e.manage(ctx, step)
}

var events = map[string]devicestate.Event{
	"reboot": devicestate.Reboot, "sign-out": devicestate.SignOut, "hard-reset": devicestate.HardReset,
	"factory-reset": devicestate.FactoryReset, "phone-lock": devicestate.PhoneLock, "retry": devicestate.Retry,
}

// entered is what the user of a sign_in enters.
func (e *engine) entered(step format.Step) handset.Credentials {
	if e.options.SignsIn != nil {
		return *e.options.SignsIn
	}
	u, _ := e.scenario.UserNamed(step.SignIn)
	return credentialsOf(u, e.scenario.Profile.PIN)
}

func credentialsOf(u configs.User, byPIN bool) handset.Credentials {
	if !byPIN {
		return handset.Credentials{User: u.Login, Password: secret.New(u.Password)}
	}
	c := handset.Credentials{PIN: secret.New(u.PIN)}
	if numbers := configs.LineNumbers(u.LineURI); len(numbers) > 0 {
		c.Number = numbers[0]
	}
	return c
}

// drive lets the handset run until halt.
func (e *engine) drive() {
	ctx, cancel := context.WithCancel(context.Background())
	e.driving, e.drove = cancel, make(chan error, 1)
	go func(drove chan<- error) {
		_, err := e.run.Handset.Run(ctx, nil)
		drove <- err
	}(e.drove)
}

// halt stops driving, so that the handset can be touched.
func (e *engine) halt() {
	if e.driving == nil {
		return
	}
	e.driving()
	e.failed = errors.Join(e.failed, <-e.drove)
	e.driving = nil
}

// ended is what driving ended with, nil while it goes on.
func (e *engine) ended() error {
	select {
	case err := <-e.drove:
		e.drove <- err
		return err
	default:
		return nil
	}
}

// stop ends what runs.
func (e *engine) stop() {
	e.over()
	e.halt()
}

func (e *engine) power(ctx context.Context, step format.Step) error {
	switch {
	case step.WipeFlash && e.record.now() != devicestate.PoweredOff:
		return errors.New("the power is on")
	case step.WipeFlash:
		return e.flash.Save(devicestate.Flash{})
	case step.Power == "off":
		return e.userDoes(ctx, func() { e.run.Handset.Do(devicestate.PowerOff) })
	case e.record.now() != devicestate.PoweredOff:
		return errors.New("the power is on already")
	}
	e.halt()
	if err := e.run.PowerOn(); err != nil {
		return err
	}
	e.drive()
	return nil
}

// userDoes does something at the handset and waits until it shows: in another state, or in a note.
func (e *engine) userDoes(ctx context.Context, do func()) error {
	if e.driving == nil {
		return errors.New("the handset has no power")
	}
	before := e.record.len()
	do()
	return e.shows(ctx, before)
}

func (e *engine) shows(ctx context.Context, before int) error {
	over := time.NewTimer(userTime)
	defer over.Stop()
	for {
		shown, changed := e.record.answers(before)
		if shown {
			return nil
		}
		select {
		case <-changed:
		case err := <-e.drove:
			e.drove <- err
			return fmt.Errorf("the handset stopped: %w", err)
		case <-over.C:
			return fmt.Errorf("the handset, in %s, does not do it", e.record.now())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// signIn enters who the user is once the handset asks.
func (e *engine) signIn(ctx context.Context, c handset.Credentials) error {
	over := time.NewTimer(signInTime)
	defer over.Stop()
	for {
		state, changed := e.record.present()
		if state == devicestate.SignIn {
			break
		}
		if e.record.failed(e.acted) {
			return fmt.Errorf("the handset does not ask who signs in, it is in %s, which only power or do ends", devicestate.Failed)
		}
		select {
		case <-changed:
		case <-over.C:
			return fmt.Errorf("the handset did not ask who signs in within %v, it is in %s", signInTime, state)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if e.options.Settled != nil {
		e.options.Settled() // the handset asks, and then somebody answers
	}
	c.ExpectedSIP = e.scenario.Handset.Expects
	e.answered = e.record.visits()
	return e.userDoes(ctx, func() { e.run.Handset.Enter(c) })
}

func (e *engine) clock(jump *format.Clock) error {
	if jump.Of == "pool" {
		e.shift.Add(int64(jump.By))
		return nil
	}
	driven := e.driving != nil
	e.halt()
	if err := e.run.Handset.ShiftClock(jump.By); err != nil {
		return err
	}
	if driven {
		e.drive()
	}
	return nil
}

func (e *engine) carrier(station string, up bool) error {
	if station == "handset" {
		station = rig.Party
	}
	e.run.Pool.Cable().(labpool.Switch).SetCarrier(station, up)
	return nil
}

func (e *engine) clearFault(fault string) error {
	name, _, _ := strings.Cut(fault, ":")
	_, err := e.run.Pool.ClearFault(name)
	return err
}

// sip is the SIP address of a user of the lab.
func (e *engine) sip(name string) string {
	u, _ := e.scenario.UserNamed(name)
	return u.SIPAddress
}

// manage does what an administrator, or the pool itself, does.
func (e *engine) manage(ctx context.Context, step format.Step) error {
	pool := e.run.Pool
	switch step.Verb {
	case "front_ends":
		if step.FrontEnds == "down" {
			return pool.SetFault(poolDown, "")
		}
		return e.clearFault(poolDown)
	case "fault":
		return pool.SetFault(step.Fault, "")
	case "clear_fault":
		return e.clearFault(step.ClearFault)
	case "set_pin":
		return pool.Directory.SetPIN(e.sip(step.SetPIN.User), step.SetPIN.PIN)
	case "unlock_user_pin":
		return pool.Directory.Unlock(e.sip(step.UnlockPIN))
	case "enable":
		return pool.Directory.Enable(e.sip(step.Enable))
	case "disable":
		return pool.Directory.Disable(e.sip(step.Disable))
	case "revoke_certificate":
		if n, err := pool.Authority.Revoke(e.sip(step.Revoke), ""); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("%d certificates of user %s are revoked", n, step.Revoke))
		}
		return nil
	case "deregister":
		return pool.Deregister(ctx, e.sip(step.Deregister.User), registrar.Event(step.Deregister.Event))
	case "notify":
		n := step.Notify
		return pool.Notify(ctx, e.sip(n.User), registrar.Notification{Event: n.Event, ContentType: n.ContentType, Body: []byte(n.Body)})
	case "drop_associations":
		return pool.DropAssociations(ctx)
	case "set_registrar":
		changed := e.scenario.Changed(step).Registrar
		return pool.ChangeRegistrar(func(r *configs.Registrar) { *r = changed })
	case "set_web_services":
		changed := e.scenario.Changed(step).WebServices
		return pool.ChangeWebServices(func(w *configs.WebServices) { *w = changed })
	}
	return fmt.Errorf("no way to do %s", step.Verb)
}

const poolDown = "register=pool-down"
