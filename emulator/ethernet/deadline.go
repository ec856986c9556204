package ethernet

import (
	"sync"
	"time"
)

// deadline wakes the waiters of one direction of a connection when its time has come. The zero deadline is far away.
type deadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	expired chan struct{} // made by the first waiter; closed when the deadline has passed
	passed  bool
	forever bool // expire was called: set has no effect any more
}

// wait returns a channel that is closed when the deadline passes.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.expired == nil {
		d.expired = make(chan struct{})
		if d.passed {
			close(d.expired)
		}
	}
	return d.expired
}

func (d *deadline) reached() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}

// set moves the deadline; the zero time takes it away.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forever {
		return
	}
	d.stop()
	if d.passed {
		d.passed, d.expired = false, nil
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.pass()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer == timer {
			d.pass()
		}
	})
	d.timer = timer
}

// expire wakes all waiters for good.
func (d *deadline) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forever = true
	d.stop()
	d.pass()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) pass() {
	if d.passed {
		return
	}
	d.passed = true
	if d.expired != nil {
		close(d.expired)
	}
}
