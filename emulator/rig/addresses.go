package rig

import (
	"context"
	"net/netip"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
)

// BootAll boots once against each address that DNS gives for the target's name, in that order, and hands each result
// to each. Every boot begins with the flash of o; if o has none, with an empty one. Credentials that one front end has
// refused are not sent to the next.
func BootAll(ctx context.Context, o Options, each func(report.Result) error) error {
	o.Target.First = true
	refused := &handset.MemoryFlash{}
	rest := []netip.Addr{{}}
	for n := 0; n < len(rest); n++ {
		o.Target.Address = rest[n]
		one := o
		if o.Flash == nil {
			one.Flash = refused
		}
		run, err := Start(one)
		if err != nil {
			return err
		}
		result := run.Boot(ctx)
		if n == 0 {
			rest = append(rest[:1], otherAddresses(run.Handset.Outcome().Addresses)...)
		}
		if err := run.Close(); err != nil {
			return err
		}
		if err := each(result); err != nil || ctx.Err() != nil {
			return err
		}
		if err := forget(refused); err != nil {
			return err
		}
	}
	return nil
}

func otherAddresses(list []netip.Addr) []netip.Addr {
	if len(list) == 0 {
		return nil
	}
	return list[1:]
}

// forget empties a flash of all but what it remembers as refused.
func forget(flash *handset.MemoryFlash) error {
	held, err := flash.Load()
	if err != nil {
		return err
	}
	return flash.Save(devicestate.Flash{Version: devicestate.FlashVersion, Refused: held.Refused})
}
