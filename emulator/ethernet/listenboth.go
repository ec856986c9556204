package ethernet

import (
	"errors"
	"net"
)

// pickTries is how often the computer picks a port that has to be free for TCP and UDP.
const pickTries = 32

// ListenBoth listens on a port over TCP and over UDP, as a name server does. Where the computer picks the port, it is
// the same one for both.
func ListenBoth(st Station, port uint16) (net.Listener, net.PacketConn, error) {
	if both, ok := st.(interface {
		ListenBoth(port uint16) (net.Listener, net.PacketConn, error)
	}); ok {
		return both.ListenBoth(port)
	}
	listener, err := st.ListenTCP(port)
	if err != nil {
		return nil, nil, err
	}
	conn, err := st.ListenUDP(port)
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	return listener, conn, nil
}

// ListenBoth has the computer pick again when the port that it picked for TCP is not free for UDP.
func (st *hostStation) ListenBoth(port uint16) (net.Listener, net.PacketConn, error) {
	tries := pickTries
	if st.knows(port) { // its peers know it too
		tries = 1
	}
	var last error
	for range tries {
		listener, err := st.ListenTCP(port)
		if err != nil {
			return nil, nil, errors.Join(last, err)
		}
		at := listener.Addr().(*net.TCPAddr).AddrPort()
		st.got("udp", port, at)
		conn, err := st.ListenUDP(port)
		if err == nil {
			return listener, conn, nil
		}
		last = errors.Join(err, listener.Close())
		if tries == 1 {
			break
		}
		st.lost(port, at.Port())
		if st.on.port(st.name, port) == at.Port() { // it was named
			break
		}
	}
	return nil, nil, last
}

// knows reports whether the computer gave a port for the one that was asked for.
func (st *hostStation) knows(port uint16) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	_, tcp := st.had[asked{"tcp", port}]
	_, udp := st.had[asked{"udp", port}]
	return tcp || udp
}

// lost forgets the port that the computer gave for one that was asked for.
func (st *hostStation) lost(port, number uint16) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, network := range []string{"tcp", "udp"} {
		delete(st.had, asked{network, port})
		delete(st.had, asked{network, number})
	}
}
