package ethernet

import (
	"container/heap"
	"time"
)

// overtaken is how much longer than the others a reordered frame is held at least.
const overtaken = time.Millisecond

func (i Impairments) none() bool {
	i.Seed = 0
	return i == Impairments{}
}

// enqueue puts a frame on its way to a port. The caller holds the lock.
func (s *accessSwitch) enqueue(to *port, frame []byte) {
	if s.perfect {
		s.queue(delivery{to, frame})
		return
	}
	// Every frame draws the same number of times, so that the fate of one does not hang on another's.
	lost := s.random.Float64() < s.impair.Loss
	copied := s.random.Float64() < s.impair.Duplicate
	overtake := s.random.Float64() < s.impair.Reorder
	jitter := time.Duration(s.random.Float64() * float64(s.impair.Jitter))
	if lost {
		s.counters.Lost++
		return
	}
	at := time.Now().Add(s.impair.Delay + jitter)
	if overtake {
		s.counters.Reordered++
		at = at.Add(s.impair.Delay + s.impair.Jitter + overtaken)
	} else {
		if at.Before(to.lastDue) {
			at = to.lastDue
		}
		to.lastDue = at
	}
	s.hold(delivery{to, frame}, at)
	if copied {
		s.counters.Duplicated++
		s.hold(delivery{to, frame}, at)
	}
}

func (s *accessSwitch) queue(d delivery) {
	if len(s.ready) >= queuedFrames {
		s.counters.Overflowed++
		return
	}
	s.ready = append(s.ready, d)
	if len(s.ready) == 1 {
		signal(s.wake)
	}
}

func (s *accessSwitch) hold(d delivery, at time.Time) {
	if len(s.late) >= queuedFrames {
		s.counters.Overflowed++
		return
	}
	s.order++
	heap.Push(&s.late, lateDelivery{d, at, s.order})
	if s.late[0].order == s.order {
		signal(s.wake)
	}
}

// ripen moves frames whose time has come to the ready ones and returns the time of the next one, if any. The caller
// holds the lock.
func (s *accessSwitch) ripen() time.Time {
	if len(s.late) == 0 {
		return time.Time{}
	}
	now := time.Now()
	for len(s.late) > 0 {
		if next := s.late[0].at; next.After(now) {
			return next
		}
		s.ready = append(s.ready, heap.Pop(&s.late).(lateDelivery).delivery)
	}
	return time.Time{}
}

type lateDelivery struct {
	delivery
	at    time.Time
	order uint64
}

// lateQueue is a heap by time, then by order of arrival.
type lateQueue []lateDelivery

func (q lateQueue) Len() int { return len(q) }

func (q lateQueue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].order < q[j].order
	}
	return q[i].at.Before(q[j].at)
}

func (q lateQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *lateQueue) Push(x any) { *q = append(*q, x.(lateDelivery)) }

func (q *lateQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = lateDelivery{}
	*q = old[:len(old)-1]
	return last
}
