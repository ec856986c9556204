package run

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
)

// Began is when scenarios in virtual time begin: the pools of the time were young, and their certificates valid.
var Began = time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC)

const preparedKeys = 8 // more than one scenario needs at first

// Prepare makes the keys that scenarios in virtual time share: making keys takes no virtual time, but much real one.
func Prepare(keys *rig.Keyring) error {
	source := keys.Source()
	for range preparedKeys {
		if _, err := source(2048); err != nil {
			return err
		}
	}
	return nil
}

// Virtually runs a scenario in virtual time, which needs a test to run in.
func Virtually(ctx context.Context, t *testing.T, s *format.Scenario, keys *rig.Keyring) (Result, error) {
	return virtually(ctx, t, s, Options{Keys: keys.Source()})
}

// VirtualExchange is [Virtually] with the messages in the result.
func VirtualExchange(ctx context.Context, t *testing.T, s *format.Scenario, keys *rig.Keyring) (Result, error) {
	return virtually(ctx, t, s, Options{Keys: keys.Source(), Exchange: true})
}

func virtually(ctx context.Context, t *testing.T, s *format.Scenario, o Options) (result Result, err error) {
	if err := CheckVirtual(s, o); err != nil {
		return Result{Name: s.Name, File: s.File}, err
	}
	synctest.Test(t, func(*testing.T) {
		time.Sleep(time.Until(Began)) // the bubble begins in 2000
		o.Settled = synctest.Wait
		result, err = Run(ctx, s, o)
	})
	return result, err
}

// Check refuses a scenario that cannot run on the cable of o, or in virtual time if that is wanted.
func Check(s *format.Scenario, o Options, virtual bool) error {
	if virtual {
		if err := CheckVirtual(s, o); err != nil {
			return err
		}
	}
	return (&engine{scenario: s, options: o}).check()
}

// CheckVirtual refuses a scenario that cannot run in virtual time.
func CheckVirtual(s *format.Scenario, o Options) error {
	switch {
	case o.Real():
		return fmt.Errorf("scenario %s: a real cable knows no virtual time: leave out --virtual, or --interface and --host", s.Name)
	case o.Flash != "":
		return fmt.Errorf("scenario %s: a flash that is kept knows the computer's clock, not virtual time: leave out --virtual or --flash", s.Name)
	case s.Impair != nil:
		return s.Problem("impair", "frames are impaired on a segment, whose TCP/IP stack knows no virtual time: leave out --virtual")
	case s.Cable != "pipe":
		return s.Problem("cable", "the TCP/IP stack of a segment knows no virtual time: leave out --virtual, or name the cable pipe")
	}
	return nil
}
