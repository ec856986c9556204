package history

import "container/list"

// lru keeps values by name in the order in which they were used last.
type lru[V any] struct {
	values map[string]*list.Element
	order  *list.List // of named, the one used last in front
}

type named[V any] struct {
	name  string
	value V
}

func newLRU[V any]() lru[V] { return lru[V]{map[string]*list.Element{}, list.New()} }

func (l lru[V]) len() int { return len(l.values) }

// get finds a value; that is no use of it.
func (l lru[V]) get(name string) (value V, ok bool) {
	e, ok := l.values[name]
	if ok {
		value = e.Value.(named[V]).value
	}
	return value, ok
}

// use finds a value, or makes it.
func (l lru[V]) use(name string, make func() V) V {
	e, ok := l.values[name]
	if !ok {
		e = l.order.PushFront(named[V]{name, make()})
		l.values[name] = e
	}
	l.order.MoveToFront(e)
	return e.Value.(named[V]).value
}

// drop forgets what was not used for the longest time.
func (l lru[V]) drop() (name string, value V) {
	e := l.order.Back()
	n := l.order.Remove(e).(named[V])
	delete(l.values, n.name)
	return n.name, n.value
}

// each calls f for every value.
func (l lru[V]) each(f func(V)) {
	for e := l.order.Front(); e != nil; e = e.Next() {
		f(e.Value.(named[V]).value)
	}
}
