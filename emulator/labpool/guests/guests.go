// Package guests bounds the connections that a server holds open for peers that it does not know: when one too many
// comes, the one that nothing was heard of for the longest has to go. So peers that connect and say nothing take
// nobody's place: whoever comes is served, and whoever goes on talking stays.
package guests

import (
	"container/list"
	"net"
	"sync"
)

// List is the open connections. Its methods may be called from several goroutines.
type List struct {
	most int

	mu    sync.Mutex
	order *list.List // of net.Conn, the one that nothing was heard of for the longest comes first
	at    map[net.Conn]*list.Element
}

// New returns a list of so many connections at most.
func New(most int) *List {
	return &List{most: most, order: list.New(), at: map[net.Conn]*list.Element{}}
}

// Come counts a connection in. The connection that had to go for it is closed and returned, nil if none had to.
func (l *List) Come(conn net.Conn) (gone net.Conn) {
	l.mu.Lock()
	if len(l.at) >= l.most {
		gone = l.leave(l.order.Front())
	}
	l.at[conn] = l.order.PushBack(conn)
	l.mu.Unlock()
	if gone != nil {
		hangUp(gone)
	}
	return gone
}

// Heard notes that something came on the connection.
func (l *List) Heard(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.at[conn]; e != nil {
		l.order.MoveToBack(e)
	}
}

// Leave counts a connection out, because it has ended or its peer is known now. It may have had to go before.
func (l *List) Leave(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.at[conn]; e != nil {
		l.leave(e)
	}
}

// Len is how many there are.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.at)
}

func (l *List) leave(e *list.Element) net.Conn {
	conn := l.order.Remove(e).(net.Conn)
	delete(l.at, conn)
	return conn
}

// hangUp closes the TCP connection, without a farewell of TLS: that may wait for a peer who does not read.
func hangUp(conn net.Conn) {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok { // such as *tls.Conn
		conn = secured.NetConn()
	}
	conn.Close() // fails only when it is closed
}
