package rig

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Boot is one of many boots.
type Boot struct {
	Name        string // of the handset's station and timeline, unlike any other
	Credentials handset.Credentials
	Flash       handset.FlashStore // nil: an empty one
	Observers   []func(timeline.Observation)
}

// BootMany boots a handset each, at most parallel at a time: in a lab on one segment with one pool, on an interface as
// stations of one bridge, with the computer's own sockets each by itself. There they discover one after the other,
// because the computer has one UDP port 68. Each handset signs off when its boot is over.
//
// What o says of credentials, flash and observers does not count. A fault of the directory strikes the first user. done is called once a boot, one call at a time;
// boots that ctx ended before they began are left out.
func BootMany(ctx context.Context, o Options, boots []Boot, parallel int, done func(n int, r report.Result) error) error {
	options, err := o.each(boots)
	if err != nil || len(boots) == 0 {
		return err
	}
	if o.Host && o.Target.FQDN == "" {
		parallel = 1
	}
	o.Credentials = boots[0].Credentials
	s, err := openSite(o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var failures []error
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, len(boots)) {
		workers.Go(func() {
			for n := range next {
				result, err := s.bootOne(ctx, options[n], boots[n].Name)
				mu.Lock()
				if err == nil {
					err = done(n, result)
				}
				if err != nil {
					failures = append(failures, err)
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for n := range boots {
		if ctx.Err() != nil {
			break
		}
		select {
		case next <- n:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return errors.Join(append(failures, s.close())...)
}

// each makes the options of every boot. Two handsets with the same MAC address would be one.
func (o Options) each(boots []Boot) ([]Options, error) {
	o.Apart = true
	var out []Options
	owners := map[string]string{}
	for _, b := range boots {
		one := o
		one.Credentials, one.Flash, one.Observers = b.Credentials, b.Flash, b.Observers
		mac, err := one.HandsetMAC()
		if err != nil {
			return nil, err
		}
		if owner, taken := owners[mac.String()]; taken {
			return nil, fmt.Errorf("%s is the same handset as %s: both have MAC address %s", b.Name, owner, mac)
		}
		owners[mac.String()] = b.Name
		one.MAC = mac
		out = append(out, one)
	}
	return out, nil
}

// bootOne boots one handset and signs it off.
func (s *site) bootOne(ctx context.Context, o Options, name string) (report.Result, error) {
	run, err := s.start(o, name)
	if err != nil {
		return report.Result{}, err
	}
	result := run.Boot(ctx)
	return result, errors.Join(run.Lacking(), run.Close())
}
