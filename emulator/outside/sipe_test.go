//go:build peers

package outside

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/labpool/manage"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// signInPath is the program of testdata/sipe, which signs in with pidgin-sipe. It ends with the directory of lpe.
var signInPath = sync.OnceValues(func() (string, error) {
	libraries, err := exec.Command("pkg-config", "--cflags", "--libs", "purple", "libxml-2.0").Output()
	if err != nil {
		return "", fmt.Errorf("on Debian: apt-get install pkg-config libpurple-dev libxml2-dev pidgin-sipe (%w)", err)
	}
	path := filepath.Join(filepath.Dir(lpePath()), "signin")
	args := append([]string{"-O1", "-Wall", "-rdynamic", "-o", path, "testdata/sipe/signin.c"}, strings.Fields(string(libraries))...)
	if out, err := exec.Command("gcc", append(args, "-ldl")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// poolProcess is `lpe pool serve` in a namespace, with a directory of state.
type poolProcess struct {
	*daemon
	in    *namespace
	lab   string // file
	state string
	path  string // of the ready file
	ready manage.Ready
}

// servePool starts a pool of the litware lab, changed by pairs of old and new text.
func servePool(n *namespace, changes ...string) *poolProcess {
	n.t.Helper()
	text, err := os.ReadFile("../../configs/labs/litware.yaml")
	if err != nil {
		n.t.Fatal(err)
	}
	p := &poolProcess{in: n, state: filepath.Join(n.t.TempDir(), "state"), path: filepath.Join(n.t.TempDir(), "ready.json")}
	p.lab = writeFile(n.t, "litware.yaml", strings.NewReplacer(changes...).Replace(string(text)))
	p.serve("--sip-tcp-port", "0")
	return p
}

func (p *poolProcess) serve(args ...string) {
	p.in.t.Helper()
	p.starts(append([]string{"pool", "serve", "--lab", p.lab, "--state", p.state, "--ready-file", p.path}, args...)...)
}

// starts starts a command that serves a pool, and reads its ready file.
func (p *poolProcess) starts(args ...string) {
	t := p.in.t
	t.Helper()
	p.daemon = p.in.start(lpePath(), args...)
	p.until("ready file", func() bool {
		_, err := os.Stat(p.path)
		return err == nil
	})
	var err error
	if p.ready, err = manage.ReadReady(p.path); err != nil {
		t.Fatal(err)
	}
}

// restart ends the pool and starts it anew on the same ports and state.
func (p *poolProcess) restart() {
	p.in.t.Helper()
	var ports []string
	for _, a := range p.ready.Addresses {
		ports = append(ports, "--"+a.Service+"-port", a.Address[strings.LastIndexByte(a.Address, ':')+1:])
	}
	p.stop()
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		p.in.t.Errorf("the pool ended with %d", code)
	}
	p.serve(ports...)
}

// at is host:port of a service.
func (p *poolProcess) at(service string) string {
	p.in.t.Helper()
	for _, a := range p.ready.Addresses {
		if a.Service == service {
			return a.Host + a.Address[strings.LastIndexByte(a.Address, ':'):]
		}
	}
	p.in.t.Fatalf("no %s in %+v", service, p.ready)
	return ""
}

// pool runs `lpe pool …` on the pool.
func (p *poolProcess) pool(args ...string) ran {
	p.in.t.Helper()
	got := p.in.lpe(append(append([]string{"pool"}, args...), "--pool", p.path)...)
	if got.code != 0 {
		p.in.t.Fatalf("lpe pool %s: exit %d\n%s", strings.Join(args, " "), got.code, got.err)
	}
	return got
}

// history is what the pool has seen after the entry of a number.
func (p *poolProcess) history(after uint64) []manage.Entry {
	p.in.t.Helper()
	var all []manage.Entry
	if err := json.Unmarshal([]byte(p.pool("history", "-o", "json").out), &all); err != nil {
		p.in.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e manage.Entry) bool { return e.Seq <= after })
}

// awaits waits until enough entries after a number have the text, and returns the number of the last.
func (p *poolProcess) awaits(after uint64, text string, count int) uint64 {
	p.in.t.Helper()
	late := time.After(time.Minute)
	for {
		var seen uint64
		left := count
		for _, e := range p.history(after) {
			if strings.Contains(e.Text, text) {
				left--
				seen = e.Seq
			}
		}
		if left <= 0 {
			return seen
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-p.ended:
			p.in.t.Fatalf("the pool ended: %v", p.err)
		case <-late:
			p.in.t.Fatalf("the pool has seen %q %d times, not %d times, after entry %d\n%s", text, count-left, count, after, p.pool("history").out)
		}
	}
}

// trusted is a directory with the pool's CA certificate, for a client that trusts nothing else.
func (p *poolProcess) trusted() string {
	p.in.t.Helper()
	text, err := os.ReadFile(p.ready.CA)
	if err != nil {
		p.in.t.Fatal(err)
	}
	return filepath.Dir(writeFile(p.in.t, "ca.pem", string(text)))
}

// sipe is pidgin-sipe that signs in.
type sipe struct {
	*daemon
	stdin io.WriteCloser
}

// account is what somebody types into Pidgin.
type account struct{ user, login, password string }

var kenmyer = account{"kenmyer@litwareinc.com", `LITWARE\kenmyer`, "Litware-2013"}

// signIn starts to sign in at host:port by tls or tcp.
func (n *namespace) signIn(a account, at, by, trusted string) *sipe {
	n.t.Helper()
	path, err := signInPath()
	if err != nil {
		n.t.Fatal(err)
	}
	c := n.command(path, a.user, a.login, at, by, trusted, n.t.TempDir())
	stdin, err := c.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	s := &sipe{n.startCommand(c), stdin}
	if _, err := io.WriteString(stdin, a.password+"\n"); err != nil {
		n.t.Fatal(err)
	}
	return s
}

// events are what the program told, without libpurple's diary.
func (s *sipe) events() []string {
	printed, _ := s.log.sofar()
	var out []string
	for line := range strings.Lines(printed) {
		if event, ok := strings.CutPrefix(line, "SIGNIN "); ok {
			out = append(out, strings.TrimSpace(event))
		}
	}
	return out
}

// story is the kinds of its events; what happened again and again is there once.
func (s *sipe) story() string {
	var kinds []string
	for _, event := range s.events() {
		kind, _, _ := strings.Cut(event, " ")
		kinds = append(kinds, kind)
	}
	return strings.Join(slices.Compact(kinds), " ")
}

// ends waits until the program has ended, and returns its exit code.
func (s *sipe) ends() int {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(readyWithin):
		s.t.Fatalf("goes on after %q", s.events())
	}
	return s.command.ProcessState.ExitCode()
}

// signOff tells it to sign off.
func (s *sipe) signOff() {
	s.t.Helper()
	s.stdin.Close()
	if code, events := s.ends(), s.events(); code != 0 || events[len(events)-1] != "signed-off" {
		s.t.Errorf("exit %d after %q", code, events)
	}
}

// wantAuthenticated holds the history against what a client can be granted: by SIP nothing without a signature that was
// verified, a web ticket by the way of the lab alone, a certificate by a web ticket. It returns what was granted by SIP.
func wantAuthenticated(t *testing.T, entries []manage.Entry, windowsAuth string) (granted []string) {
	t.Helper()
	asked := map[string]timeline.Observation{} // by peer and request
	request := func(text string) string {
		f := strings.Fields(text)
		return f[0] + " " + f[1]
	}
	for _, e := range entries {
		_, text, _ := strings.Cut(e.Text, ": ")
		auth := history.Value(e.Observation, history.Auth)
		switch {
		case e.Protocol == "sip" && e.Kind == timeline.Received:
			asked[e.Peer+" "+request(text)] = e.Observation
		case e.Protocol == "sip" && e.Kind == timeline.Sent && strings.HasPrefix(text, "200 OK to "):
			what := strings.TrimSuffix(request(strings.TrimPrefix(text, "200 OK to ")), ",")
			by := asked[e.Peer+" "+what]
			if history.Value(by, history.Auth) != "tls-dsk" || history.Value(by, history.Who) != "sip:kenmyer@litwareinc.com" {
				t.Errorf("%s was granted to %+v", what, by)
			}
			_, text, _ = strings.Cut(by.Text, ": ")
			granted = append(granted, text)
		case strings.Contains(e.Text, "web ticket for") && auth != windowsAuth, strings.Contains(e.Text, "GetAndPublishCert") && auth != "web-ticket":
			t.Errorf("%s by %q", e.Text, auth)
		}
	}
	return granted
}

// wantGranted looks for requests that were granted, in their order.
func wantGranted(t *testing.T, granted []string, want ...string) {
	t.Helper()
	left := granted
	for _, w := range want {
		i := slices.IndexFunc(left, func(g string) bool { return strings.Contains(g, w) })
		if i < 0 {
			t.Fatalf("no %q in its place in\n%s", w, strings.Join(granted, "\n"))
		}
		left = left[i+1:]
	}
}

const (
	refreshed = "of sip:kenmyer@litwareinc.com: refreshed, 38 s granted"
	added     = "of sip:kenmyer@litwareinc.com: added, 38 s granted"
)

// TestSipe lets an unmodified pidgin-sipe live with a pool: it gets its certificate, signs in by TLS-DSK, refreshes, and
// does so when the pool has forgotten its security association and after the pool was started anew, and signs off. The
// client would also take a pool that asks for nothing; the pool's history tells that it asked.
func TestSipe(t *testing.T) {
	for _, windowsAuth := range []string{"ntlm", "basic"} {
		for _, by := range []string{"tls", "tcp"} {
			t.Run(windowsAuth+" "+by, func(t *testing.T) {
				t.Parallel()
				n := newNamespace(t, "sipe")
				p := servePool(n, "windows_auth: ntlm", "windows_auth: "+windowsAuth, "  server: RTC/5.0", "  server: RTC/5.0\n  expires: 38")
				s := n.signIn(kenmyer, p.at("sip-"+by), by, p.trusted())
				s.says("SIGNIN signed-on\n")
				p.awaits(0, refreshed, 2)

				p.pool("registrations", "--drop-sa")
				dropped := p.awaits(0, "the registrars have forgotten their security associations", 1)
				p.awaits(dropped, refreshed, 1)
				if events := s.events(); !slices.Equal(events, []string{"signed-on"}) {
					t.Errorf("it tells %q", events)
				}
				before := p.history(0)
				wantGranted(t, wantAuthenticated(t, before, windowsAuth), added, "vnd-microsoft-roaming-self: ", refreshed, refreshed, refreshed)
				wantGranted(t, texts(before, timeline.Dropped), "register.association: ")

				p.restart()
				s.says("SIGNIN lost ")
				p.awaits(0, added, 1)
				p.awaits(0, refreshed, 1)
				s.signOff()
				p.pool("await", "kenmyer", "signed-off", "--timeout", "20s")
				wantGranted(t, wantAuthenticated(t, p.history(0), windowsAuth), added, refreshed)
				// Nobody reads the answers to these; that they were taken tells that they were signed.
				wantGranted(t, signed(p.history(0)), "Expires 0: ended", "Expires 0: ended", "Expires 0: signed off")
				if got := s.story(); got != "signed-on lost signed-on signed-off" {
					t.Errorf("it tells %q", s.events())
				}
			})
		}
	}
}

func texts(entries []manage.Entry, kind timeline.Kind) (out []string) {
	for _, e := range entries {
		if e.Kind == kind {
			out = append(out, e.Text)
		}
	}
	return out
}

// signed are the requests by SIP whose signature was verified.
func signed(entries []manage.Entry) (out []string) {
	for _, e := range entries {
		if e.Protocol == "sip" && e.Kind == timeline.Received && history.Value(e.Observation, history.Auth) == "tls-dsk" {
			out = append(out, e.Text)
		}
	}
	return out
}

// TestSipeWithoutRight: a wrong password ends the sign-in, and so does a pool that the client does not trust.
func TestSipeWithoutRight(t *testing.T) {
	for _, windowsAuth := range []string{"ntlm", "basic"} {
		t.Run("wrong password, "+windowsAuth, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t, "sipe")
			p := servePool(n, "windows_auth: ntlm", "windows_auth: "+windowsAuth)
			wrong := kenmyer
			wrong.password = "Litware-2014"
			s := n.signIn(wrong, p.at("sip-tls"), "tls", p.trusted())
			if code, events := s.ends(), s.events(); code != 1 || len(events) != 1 || !strings.HasPrefix(events[0], "refused Web ticket request to ") {
				t.Errorf("exit %d after %q", code, events)
			}
			p.pool("await", "kenmyer", "refused", "--timeout", "1s")
			refused := texts(p.history(0), timeline.Dropped)
			if !strings.HasSuffix(refused[len(refused)-1], "ticket.password: login or password is wrong") {
				t.Errorf("refused: %q", refused)
			}
			if granted := wantAuthenticated(t, p.history(0), windowsAuth); len(granted) > 0 {
				t.Errorf("granted: %q", granted)
			}
		})
	}
	t.Run("another authority", func(t *testing.T) {
		t.Parallel()
		n := newNamespace(t, "sipe")
		p := servePool(n)
		s := n.signIn(kenmyer, p.at("sip-tls"), "tls", servePool(n).trusted())
		s.says("SIGNIN untrusted ")
		if granted := wantAuthenticated(t, p.history(0), "ntlm"); len(granted) > 0 || slices.Contains(s.events(), "signed-on") {
			t.Errorf("granted: %q; it tells %q", granted, s.events())
		}
	})
}

// TestSipeForged spoils the signatures of pidgin-sipe's messages on their way: the pool takes none of them.
func TestSipeForged(t *testing.T) {
	for _, method := range []string{"REGISTER", "SUBSCRIBE"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t, "sipe")
			p := servePool(n)
			at := forge(n, p.at("sip-tcp"), method)
			s := n.signIn(kenmyer, at, "tcp", p.trusted())
			p.awaits(0, ": register.signature: ", 1)
			for _, granted := range wantAuthenticated(t, p.history(0), "ntlm") {
				if strings.HasPrefix(granted, method) {
					t.Errorf("granted: %s", granted)
				}
			}
			if method == "REGISTER" && slices.Contains(s.events(), "signed-on") {
				t.Errorf("it tells %q", s.events())
			}
		})
	}
}

// forge relays connections of the namespace to host:port and spoils the signatures of requests of a method on their way.
// It returns where.
func forge(n *namespace, to, method string) string {
	n.t.Helper()
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		n.t.Fatal(err)
	}
	var listener net.Listener
	n.do(func() {
		if listener, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			n.t.Error(err)
		}
	})
	if n.t.Failed() {
		n.t.FailNow()
	}
	var relaying sync.WaitGroup
	n.t.Cleanup(func() {
		listener.Close()
		relaying.Wait()
	})
	relaying.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			var pool net.Conn
			n.do(func() { pool, err = net.Dial("tcp4", "127.0.0.1:"+port) })
			if err != nil {
				client.Close()
				continue
			}
			n.t.Cleanup(func() { client.Close(); pool.Close() })
			relaying.Go(func() { io.Copy(client, pool); client.Close() })
			relaying.Go(func() {
				spoil(pool, bufio.NewReader(client), method)
				pool.Close()
			})
		}
	})
	_, own, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		n.t.Fatal(err)
	}
	return net.JoinHostPort(host, own)
}

// spoil relays messages until one side ends, and changes a digit of the signature of requests of the method.
func spoil(to io.Writer, from *bufio.Reader, method string) {
	for {
		var head strings.Builder
		body := int64(0)
		for line := ""; line != "\r\n" || head.Len() <= len("\r\n"); { // keep-alives are empty lines before a message
			var err error
			if line, err = from.ReadString('\n'); err != nil {
				return
			}
			if before, after, ok := strings.Cut(line, `response="`); ok && strings.HasPrefix(head.String(), method+" ") {
				line = before + `response="` + map[bool]string{true: "1", false: "0"}[after[0] == '0'] + after[1:]
			}
			if value, ok := strings.CutPrefix(line, "Content-Length:"); ok {
				body, _ = strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			}
			if head.Len() > 0 || line != "\r\n" {
				head.WriteString(line)
			}
		}
		if _, err := io.WriteString(to, head.String()); err != nil {
			return
		}
		if _, err := io.CopyN(to, from, body); err != nil {
			return
		}
	}
}
