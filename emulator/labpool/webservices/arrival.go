package webservices

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/hello"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// doors is a listener whose connections tell how they fail before a request is made of them: net/http answers what it
// cannot read and tells nobody.
type doors struct {
	net.Listener
	s   *Server
	tls *tls.Config // nil: without TLS
}

// Accept implements [net.Listener].
func (d doors) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a := &arrival{s: d.s, raw: conn, peer: conn.RemoteAddr().String()}
	if d.tls == nil {
		a.Conn = hello.OnPlain(conn)
		return a, nil
	}
	a.secured = tls.Server(hello.OnTLS(conn), d.tls)
	a.Conn = interpose.Inside(a.secured, d.s.cfg.Host, d.s.cfg.Ear, d.s.cfg.Outgoing)
	return a, nil
}

// arrival is a connection to one of the ports.
type arrival struct {
	net.Conn // that HTTP is spoken on
	s        *Server
	raw      net.Conn
	secured  *tls.Conn // nil: without TLS
	peer     string

	handshake sync.Once
	shaken    error

	mu       sync.Mutex
	coming   bool   // bytes of a request have come, and no handler has taken it
	handling bool   // a handler is at work
	head     []byte // of what has come since the last handler ended
}

// maxHead bounds what is kept of a request that may not be one.
const maxHead = 512

// NetConn is the TCP connection.
func (a *arrival) NetConn() net.Conn { return a.raw }

// Reset implements [ethernet.Resetter]. Without one of TCP the connection is closed.
func (a *arrival) Reset() error {
	interpose.Silence(a.Conn)
	if resetter, ok := a.raw.(ethernet.Resetter); ok {
		return resetter.Reset()
	}
	return a.raw.Close()
}

// CloseWrite ends writing, as net/http does before it closes.
func (a *arrival) CloseWrite() error {
	if half, ok := a.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Read implements [net.Conn]; the first one does the TLS handshake.
func (a *arrival) Read(b []byte) (int, error) {
	if a.secured != nil {
		if a.handshake.Do(a.shake); a.shaken != nil {
			return 0, a.shaken
		}
	}
	n, err := a.Conn.Read(b)
	if foreign := (*hello.Foreign)(nil); errors.As(err, &foreign) {
		a.drop(foreign.Error())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.handling && len(a.head) < maxHead {
		a.head = append(a.head, b[:min(n, maxHead-len(a.head))]...)
	}
	return n, err
}

func (a *arrival) shake() {
	ctx, cancel := context.WithTimeout(context.Background(), headerTimeout)
	defer cancel()
	err := a.secured.HandshakeContext(ctx)
	if a.shaken = err; err == nil || errors.Is(err, net.ErrClosed) {
		return
	}
	if foreign := (*hello.Foreign)(nil); errors.As(err, &foreign) {
		a.drop(foreign.Error())
		return
	}
	a.drop("TLS handshake: " + err.Error())
}

func (a *arrival) drop(text string) {
	a.s.cfg.Timeline.Add(timeline.Observation{Kind: timeline.Dropped, Protocol: a.protocol(), Peer: a.peer, Text: text})
}

func (a *arrival) protocol() string {
	if a.secured != nil {
		return "https"
	}
	return "http"
}

// begin is called when a handler has a request of the connection.
func (a *arrival) begin(r *http.Request) (end func()) {
	if a.secured != nil {
		state := a.secured.ConnectionState()
		r.TLS = &state
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.coming, a.handling, a.head = false, true, nil
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.handling = false
	}
}

// changed follows the connection as net/http has it: a request that came and met no handler could not be read.
func (a *arrival) changed(state http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case state == http.StateActive:
		a.coming = true
	case state == http.StateClosed && a.coming:
		a.drop("no HTTP request that can be read: " + requestShape(a.head))
	}
}

// requestShape shows what was to be a request: method and path of its first line, and the names of its headers.
func requestShape(head []byte) string {
	if len(head) == 0 {
		return "nothing of it was kept"
	}
	lines := strings.Split(string(head), "\n")
	line, _, _ := strings.Cut(strings.TrimSpace(lines[0]), "?")
	var names []string
	for _, l := range lines[1:] {
		if name, _, ok := strings.Cut(l, ":"); ok {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("%.80q, headers %.200q", line, strings.Join(names, " "))
}
