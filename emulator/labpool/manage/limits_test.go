package manage_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/labpool/manage"
)

// wire is a listener without sockets, whose connections obey virtual time.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newWire() *wire { return &wire{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711} }

// dial waits until the server takes the connection, a second at most.
func (w *wire) dial(t *testing.T) (net.Conn, bool) {
	t.Helper()
	here, there := net.Pipe()
	select {
	case w.conns <- there:
		return here, true
	case <-time.After(time.Second):
		return nil, false
	}
}

// virtual is a server on a wire.
type virtual struct {
	*wire
	server *manage.Server
	token  string
}

// inVirtualTime runs f with one.
func inVirtualTime(t *testing.T, f func(*testing.T, *virtual)) {
	t.Helper()
	if _, err := keys(); err != nil { // outside of the bubble
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		cable := ethernet.NewPipe(ethernet.Options{})
		defer cable.Close()
		pool, err := labpool.Start(labpool.Config{Cable: cable, NewKey: prepared()})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		w, token := newWire(), manage.NewToken()
		server, err := manage.Start(manage.Config{Pool: pool, Listener: w, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(t, &virtual{w, server, token.Reveal()})
	})
}

// ends reads until the server closes the connection and returns what it said and how long it took.
func ends(t *testing.T, c net.Conn) (said string, took time.Duration) {
	t.Helper()
	began := time.Now()
	text, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(text), time.Since(began)
}

func (v *virtual) head(request string, more ...string) string {
	lines := append([]string{request + " HTTP/1.1", "Host: 127.0.0.1:4711", "Authorization: Bearer " + v.token}, more...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// TestSlowPeers: whoever does not come to an end is cut off, and nobody else is kept waiting.
func TestSlowPeers(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		for name, c := range map[string]struct {
			send  string
			after time.Duration
			said  string // part of it
		}{
			"nothing":         {"", 10 * time.Second, ""},
			"half a header":   {"GET /v1/users HTTP/1.1\r\nHost: 127.0", 10 * time.Second, ""},
			"half a body":     {v.head("PUT /v1/users/1219/pin", "Content-Type: application/json", "Content-Length: 100") + `{"pin":`, 10 * time.Second, manage.CodeMalformed},
			"no more request": {v.head("GET /v1/pool"), time.Minute, "lpe.manage/1"},
			"await": {
				v.head("GET /v1/users/1219/await?state=registered&timeout=25m", "Connection: close"), 25 * time.Minute, manage.CodeNotReached,
			},
		} {
			conn, ok := v.dial(t)
			if !ok {
				t.Fatalf("%s: not accepted", name)
			}
			go io.WriteString(conn, c.send)
			if said, took := ends(t, conn); took < c.after || took > c.after+time.Second || !strings.Contains(said, c.said) {
				t.Errorf("%s: %q after %v, want %q after %v", name, said, took, c.said, c.after)
			}
			conn.Close()
		}
	})
}

// TestConnectionLimit: for the 65th connection that says nothing the first one has to go, and nobody who is known.
func TestConnectionLimit(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		known, ok := v.dial(t)
		if !ok {
			t.Fatal("not accepted")
		}
		defer known.Close()
		go io.WriteString(known, v.head("GET /v1/users/1219/await?state=registered&timeout=5m", "Connection: close"))
		synctest.Wait()
		began := time.Now()
		first, ok := v.dial(t)
		if !ok {
			t.Fatal("not accepted")
		}
		for range 64 {
			conn, ok := v.dial(t)
			if !ok {
				t.Fatal("not accepted")
			}
			defer conn.Close()
			synctest.Wait()
		}
		if said, took := ends(t, first); said != "" || time.Since(began) > 0 {
			t.Errorf("%q after %v", said, took)
		}
		if said, took := ends(t, known); !strings.Contains(said, manage.CodeNotReached) || took < 4*time.Minute {
			t.Errorf("%q after %v", said, took)
		}
	})
}

// TestLargeHeader: no more than a few KiB of it are read.
func TestLargeHeader(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		conn, ok := v.dial(t)
		if !ok {
			t.Fatal("not accepted")
		}
		defer conn.Close()
		go io.WriteString(conn, v.head("GET /v1/users", "X: "+strings.Repeat("x", 1<<20)))
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s", response.Status)
		}
	})
}

// TestCloseEndsRequests: a request that waits does not keep the server from closing.
func TestCloseEndsRequests(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		conn, ok := v.dial(t)
		if !ok {
			t.Fatal("not accepted")
		}
		defer conn.Close()
		go io.WriteString(conn, v.head("GET /v1/users/1219/await?state=registered&timeout=1h"))
		synctest.Wait() // the request waits
		began := time.Now()
		if err := v.server.Close(); err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if said, _ := ends(t, conn); said != "" {
			t.Errorf("%q", said)
		}
	})
}

// TestNoAnswer: a pool that is gone, and one that takes a request and says nothing.
func TestNoAnswer(t *testing.T) {
	s := serve(t)
	s.must(s.server.Close())
	var gone *manage.NoAnswerError
	if _, err := s.Users(t.Context()); !errors.As(err, &gone) || !contains([]byte(err.Error()), s.server.URL(), "does not answer", "refused") {
		t.Errorf("%v", err)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	defer silent.Close()
	ready := manage.Ready{ManagementURL: "http://" + silent.Addr().String(), Token: manage.NewToken()}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if conn, err := silent.Accept(); err == nil {
			cancel() // the user's patience is at its end
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	if _, err := manage.NewClient(ready).Users(ctx); !errors.Is(err, context.Canceled) || errors.As(err, &gone) {
		t.Errorf("%v", err)
	}

	for name, answer := range map[string]string{
		"a web server": "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
		"a redirect":   "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
		"no JSON":      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
		"no HTTP":      "SSH-2.0-OpenSSH\r\n",
	} {
		other, err := net.Listen("tcp", "127.0.0.1:0")
		s.must(err)
		served := make(chan struct{})
		go func() {
			defer close(served)
			conn, err := other.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err != nil || r.Header.Get("Authorization") == "" {
				t.Errorf("%s: %v", name, err)
			}
			io.WriteString(conn, answer)
		}()
		ready.ManagementURL = "http://" + other.Addr().String()
		if _, err := manage.NewClient(ready).Users(t.Context()); err == nil || !strings.Contains(err.Error(), ready.ManagementURL) {
			t.Errorf("%s: %v", name, err)
		}
		<-served
		other.Close()
	}
}

// TestBesideEachOther asks and changes everything at once while a handset boots.
func TestBesideEachOther(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	count := func(err error) error {
		var p *manage.Problem
		if err != nil && !errors.As(err, &p) && ctx.Err() == nil {
			t.Error(err)
		}
		return err
	}
	for n := range 4 {
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				seconds, on := 300+i%100, i%2 == 0
				_, err := s.SetRegistrar(ctx, manage.RegistrarChange{MinEndpointExpiration: &seconds})
				count(err)
				_, err = s.SetWebServices(ctx, manage.WebServicesChange{UseCertificateAuth: &on})
				count(err)
				_, err = s.SetFault(ctx, fmt.Sprintf("provision=%d", 403+2*(n%2)), "")
				count(err)
				_, err = s.SetFault(ctx, "ticket=pin-expired", "second")
				count(err)
				_, err = s.ClearFault(ctx, "")
				count(err)
				_, err = s.Registrations(ctx)
				count(err)
				_, err = s.Certificates(ctx)
				count(err)
				_, err = s.History(ctx, "1219", 0)
				count(err)
				_, err = s.PinInfo(ctx, "second")
				count(err)
				_, err = s.Await(ctx, "1219", "refused", time.Millisecond)
				count(err)
			}
		})
	}
	hangUp := s.phone()
	_, err := s.Await(t.Context(), "1219", "registered", time.Minute)
	s.must(err)
	cancel()
	group.Wait()
	s.must(hangUp())
}
