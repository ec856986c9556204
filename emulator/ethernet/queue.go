package ethernet

import "sync"

// queue hands items over in order. It is bounded: what does not fit is dropped and counted.
type queue[T any] struct {
	limit  int
	ready  chan struct{} // holds a token while something may be there
	closed chan struct{}

	mu      sync.Mutex
	items   []T
	dropped uint64
	ended   bool
}

func newQueue[T any](limit int) *queue[T] {
	return &queue[T]{limit: limit, ready: make(chan struct{}, 1), closed: make(chan struct{})}
}

// push reports whether the item fitted and the queue was open.
func (q *queue[T]) push(item T) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return false
	}
	if len(q.items) >= q.limit {
		q.dropped++
		return false
	}
	q.items = append(q.items, item)
	signal(q.ready)
	return true
}

// take returns the next item if there is one.
func (q *queue[T]) take() (item T, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return item, false
	}
	item = q.items[0]
	var zero T
	q.items[0] = zero
	q.items = q.items[1:]
	if len(q.items) == 0 {
		q.items = nil
	} else {
		signal(q.ready)
	}
	return item, true
}

// pop waits for the next item. An open queue gives way to cancel and then returns cancelled; a closed one gives
// nothing any more.
func (q *queue[T]) pop(cancel <-chan struct{}) (item T, result popResult) {
	for {
		switch {
		case done(q.closed):
			return item, popClosed
		case done(cancel):
			return item, popCancelled
		}
		if item, ok := q.take(); ok {
			return item, popItem
		}
		select {
		case <-q.closed:
		case <-cancel:
		case <-q.ready:
		}
	}
}

type popResult uint8

const (
	popItem popResult = iota
	popCancelled
	popClosed
)

// close ends the queue and returns what was in it; false if it was closed already.
func (q *queue[T]) close() (rest []T, first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return nil, false
	}
	q.ended = true
	close(q.closed)
	rest, q.items = q.items, nil
	return rest, true
}

func (q *queue[T]) drops() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// done reports whether c is closed.
func done(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// signal puts a token into a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
