//go:build peers

package outside

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	serverAddress = "10.77.0.1/24" // of the far end of a wire
	readyWithin   = time.Minute
	stopWithin    = 20 * time.Second
)

// newWire gives two network namespaces, each with an interface eth0, joined by a veth pair. The server has
// serverAddress; the client has no address.
func newWire(t *testing.T) (client, server *namespace) {
	t.Helper()
	client, server = newNamespace(t, "client"), newNamespace(t, "server")
	client.connect("eth0", server, "eth0")
	server.ip("address", "add", serverAddress, "dev", "eth0")
	return client, server
}

// namespace is a network namespace with a loopback that is up. It ends with its test.
type namespace struct {
	t    *testing.T
	name string
}

var namespaces atomic.Int64 // of this process: names are unique

func newNamespace(t *testing.T, role string) *namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("test-peers makes network namespaces: run it as root")
	}
	n := &namespace{t, fmt.Sprintf("lpe-%d-%d-%s", os.Getpid(), namespaces.Add(1), role)}
	finish(t, exec.Command(program(t, "ip"), "netns", "add", n.name))
	t.Cleanup(func() { finish(t, exec.Command(program(t, "ip"), "netns", "delete", n.name)) })
	n.ip("link", "set", "lo", "up")
	return n
}

// ip is `ip` in the namespace.
func (n *namespace) ip(args ...string) string {
	n.t.Helper()
	return finish(n.t, exec.Command(program(n.t, "ip"), append([]string{"-netns", n.name}, args...)...))
}

// connect joins interface near of n to interface far of other by a veth pair. Neither says anything by itself: there
// is no IPv6 address. Checksums are computed in software: raw sockets see frames before hardware would finish them.
func (n *namespace) connect(near string, other *namespace, far string) {
	n.t.Helper()
	n.ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", other.name)
	for _, end := range []struct {
		in   *namespace
		name string
	}{{n, near}, {other, far}} {
		end.in.run("ethtool", "-K", end.name, "tx", "off")
		end.in.ip("link", "set", end.name, "addrgenmode", "none", "up")
	}
}

// command makes a command that runs in the namespace; the one without a name is the computer's own.
func (n *namespace) command(name string, args ...string) *exec.Cmd {
	n.t.Helper()
	if n.name == "" {
		return exec.Command(program(n.t, name), args...)
	}
	return exec.Command(program(n.t, "ip"), append([]string{"netns", "exec", n.name, program(n.t, name)}, args...)...)
}

// run runs a command to its end and returns what it printed.
func (n *namespace) run(name string, args ...string) string {
	n.t.Helper()
	return finish(n.t, n.command(name, args...))
}

func finish(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command.Args, " "), err, out)
	}
	return string(out)
}

// do runs f on a thread of its own in the namespace: a socket that f opens stays there. Goroutines that f starts are
// outside. A failure in f ends the test.
func (n *namespace) do(f func()) {
	n.t.Helper()
	finished := make(chan bool)
	go func() {
		ok := false
		defer func() { finished <- ok }()
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := n.enter(); err != nil {
			n.t.Errorf("cannot enter namespace %s: %v", n.name, err)
			return
		}
		f()
		ok = true
	}()
	if !<-finished {
		n.t.FailNow()
	}
}

func (n *namespace) enter() error {
	file, err := os.Open(filepath.Join("/run/netns", n.name))
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
}

// daemon is a program that runs until its test ends, or until stop.
type daemon struct {
	t       *testing.T
	command *exec.Cmd
	log     daemonLog
	ended   chan struct{} // closed once the program has ended
	err     error         // of the program, once it has ended
}

// lpe runs the program in the namespace.
func (n *namespace) lpe(args ...string) ran {
	n.t.Helper()
	return end(n.t, n.command(lpePath(), args...))
}

// start starts a program in the namespace that stays in the foreground. A test that fails shows what it printed.
func (n *namespace) start(name string, args ...string) *daemon {
	n.t.Helper()
	return n.startCommand(n.command(name, args...))
}

func (n *namespace) startCommand(command *exec.Cmd) *daemon {
	n.t.Helper()
	d := &daemon{t: n.t, command: command, ended: make(chan struct{}), log: daemonLog{changed: make(chan struct{})}}
	command.Stdout, command.Stderr = &d.log, &d.log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // if this process ends before its clean-up
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is about the thread that started the program
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			d.err = command.Wait()
		}
		close(d.ended)
	}()
	if err := <-started; err != nil {
		n.t.Fatalf("%s: %v", d, err)
	}
	n.t.Cleanup(func() {
		d.stop()
		if n.t.Failed() {
			text, _ := d.log.sofar()
			n.t.Logf("%s printed:\n%s", d, text)
		}
	})
	return d
}

func (d *daemon) String() string { return strings.Join(d.command.Args, " ") }

// says waits until the program has printed text, for instance that it is ready.
func (d *daemon) says(text string) {
	d.t.Helper()
	late := time.After(readyWithin)
	for ended := false; ; {
		printed, changed := d.log.sofar()
		switch {
		case strings.Contains(printed, text):
			return
		case ended:
			d.t.Fatalf("%s ended, %v, and did not print %q", d, d.err, text)
		}
		select {
		case <-changed:
		case <-d.ended:
			ended = true
		case <-late:
			d.t.Fatalf("%s did not print %q within %s", d, text, readyWithin)
		}
	}
}

// until asks again and again whether ready is true, for a program that does not say it.
func (d *daemon) until(what string, ready func() bool) {
	d.t.Helper()
	late := time.After(readyWithin)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ready() {
		select {
		case <-again.C:
		case <-d.ended:
			d.t.Fatalf("%s ended, %v, before %s", d, d.err, what)
		case <-late:
			d.t.Fatalf("%s: no %s within %s", d, what, readyWithin)
		}
	}
}

// stop ends the program, politely first, and waits for its end.
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Errorf("%s: %v", d, err)
	}
	select {
	case <-d.ended:
	case <-time.After(stopWithin):
		d.t.Errorf("%s did not end within %s of SIGTERM", d, stopWithin)
		d.command.Process.Kill()
		<-d.ended
	}
}

// daemonLog is what a program has printed so far.
type daemonLog struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed when text grows
}

func (l *daemonLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *daemonLog) sofar() (text string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text), l.changed
}
