package run

import (
	"context"
	"errors"
	"sync"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
)

// All runs scenarios, at most parallel at a time. On a real cable those of one handset run one after the other, which is
// who signs in first tells; with the computer's own sockets all of them do where one discovers. done is called for each, one call at a time. The first error, of the computer or of done, ends it.
func All(ctx context.Context, list []*format.Scenario, o Options, parallel int, done func(n int, r Result) error) error {
	ways, err := lanes(list, o)
	if err != nil {
		return err
	}
	var keys rig.Keyring
	var mu sync.Mutex
	var failures []error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	one := func(n int) {
		own := o
		if !o.Real() { // several handsets of one pool with the same keys there would be none that exists
			own.Keys = keys.Source()
		}
		result, err := Run(ctx, list[n], own)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			err = done(n, result)
		}
		if err != nil {
			if len(failures) == 0 {
				failures = append(failures, err)
			}
			stop()
		}
	}
	next := make(chan []int)
	var workers sync.WaitGroup
	for range min(parallel, len(ways)) {
		workers.Go(func() {
			for way := range next {
				for _, n := range way {
					if ctx.Err() == nil {
						one(n)
					}
				}
			}
		})
	}
	for _, way := range ways {
		if ctx.Err() != nil {
			break
		}
		select {
		case next <- way:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return errors.Join(failures...)
}
