package run

import (
	"context"
	"errors"
	"sync"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/format"
)

// All runs scenarios, at most parallel at a time, on a real cable one after the other. done is called for each, one call
// at a time. The first error, of the computer or of done, ends it.
func All(ctx context.Context, list []*format.Scenario, o Options, parallel int, done func(n int, r Result) error) error {
	if o.Real() {
		parallel = 1
	}
	var keys rig.Keyring
	var mu sync.Mutex
	var failures []error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, len(list)) {
		workers.Go(func() {
			for n := range next {
				one := o
				one.Keys = keys.Source()
				result, err := Run(ctx, list[n], one)
				mu.Lock()
				if err == nil {
					err = done(n, result)
				}
				if err != nil && len(failures) == 0 {
					failures = append(failures, err)
				}
				mu.Unlock()
				if err != nil {
					stop()
				}
			}
		})
	}
	for n := range list {
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
	return errors.Join(failures...)
}
