package ethernet

import (
	"sync"
	"time"
)

// deadline wakes the waiters of one direction of a connection when its time has come. The zero deadline is far away.
type deadline struct {
	mu      sync.Mutex
	at      time.Time     // zero: far away, or passed
	timer   *time.Timer   // kept when the deadline is moved
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
	if !t.IsZero() {
		d.at = t
		d.await()
	}
}

// await passes the deadline if its time has come, else asks again then.
func (d *deadline) await() {
	switch left := time.Until(d.at); {
	case left <= 0:
		d.at = time.Time{}
		d.pass()
	case d.timer == nil:
		d.timer = time.AfterFunc(left, d.struck)
	default:
		d.timer.Reset(left)
	}
}

// struck is called by the timer, perhaps for a deadline that was moved meanwhile.
func (d *deadline) struck() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.at.IsZero() {
		d.await()
	}
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
	d.at = time.Time{}
	if d.timer != nil {
		d.timer.Stop()
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
