//go:build peers && soak

package outside

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
)

// How much is soaked; `make soak` gives more.
var (
	soakHandsets = flag.Int("soak.handsets", 20, "sign-ins of handsets in a row")
	soakSipe     = flag.Int("soak.sipe", 10, "sign-ins of pidgin-sipe in a row")
	soakAtOnce   = flag.Int("soak.parallel", 5, "sign-ins of handsets, and of pidgin-sipe, at the same time")
	soakNoise    = flag.Duration("soak.noise", time.Minute, "time of noise by sipp")
	soakFuzz     = flag.Duration("soak.fuzz", 5*time.Second, "time of each fuzz target")
)

// Noise, in calls of two REGISTERs a second.
const (
	noiseTogether = 100 // over one connection
	noiseApart    = 50  // over a connection each
	noiseRound    = time.Minute
)

// soaked is a pool on this computer's sockets, in this process, with a user for each sign-in at the same time.
type soaked struct {
	t      *testing.T
	served *rig.Served
	lab    *configs.Lab
	trust  string // directory with the CA certificate
	roots  []*x509.Certificate
}

var loopbackAddress = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func soak(t *testing.T) *soaked {
	t.Helper()
	s := &soaked{t: t}
	var err error
	if s.lab, err = configs.LoadLab("litware"); err != nil {
		t.Fatal(err)
	}
	s.lab.Users = nil
	for i := range max(*soakAtOnce, 1) {
		s.lab.Users = append(s.lab.Users, configs.User{
			Name: fmt.Sprint("user", i), SIPAddress: fmt.Sprintf("sip:user%d@litwareinc.com", i), Enabled: true,
			LineURI: fmt.Sprintf("tel:+1206555%04d;ext=%04d", i, i), PIN: fmt.Sprintf("7%04d", i*7+301),
			Login: fmt.Sprintf(`LITWARE\user%d`, i), Password: fmt.Sprintf("Litware-%d", i),
		})
	}
	if s.served, err = rig.Serve(t.Context(), rig.ServeOptions{Lab: s.lab, Listen: loopbackAddress, Ports: rig.Ports{SIPTCP: new(uint16)}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.served.Close(); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(s.served.Ready.CA)
	if err != nil {
		t.Fatal(err)
	}
	s.trust = filepath.Dir(writeFile(t, "ca.pem", string(text)))
	block, _ := pem.Decode(text)
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	s.roots = []*x509.Certificate{root}
	return s
}

// at is the address of a service.
func (s *soaked) at(service string) netip.AddrPort {
	s.t.Helper()
	for _, a := range s.served.Ready.Addresses {
		if a.Service == service {
			return netip.MustParseAddrPort(a.Address)
		}
	}
	s.t.Fatalf("no %s", service)
	return netip.AddrPort{}
}

// handset boots a cold handset of a user until it is Ready, and signs it off.
func (s *soaked) handset(user int) error {
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		return err
	}
	profile.TimeFallback = loopbackAddress.String()
	u := s.lab.Users[user]
	run, err := rig.Start(rig.Options{
		Profile: profile, Host: true, Network: handset.Network{DNS: loopbackAddress}, Timeout: time.Minute, Authorities: s.roots,
		Target: handset.Target{
			FQDN: s.served.Pool.EntryName(), Port: s.at("sip-tls").Port(), Address: loopbackAddress, URI: s.served.Pool.CertProvURL(),
		},
		Credentials: handset.Credentials{Number: fmt.Sprintf("%04d", user), PIN: secret.New(u.PIN)},
	})
	if err != nil {
		return err
	}
	result := run.Boot(s.t.Context())
	err = run.Close()
	if result.Result != report.Success || result.User.SIPAddress != u.SIPAddress {
		err = errors.Join(err, fmt.Errorf("%s %s: %s", result.Result, result.Code, result.Diagnosis))
	}
	return err
}

// sipe signs pidgin-sipe in as a user, every other one over TCP, and signs it off.
func (s *soaked) sipe(user, nth int) error {
	by := []string{"tls", "tcp"}[nth%2]
	u := s.lab.Users[user]
	path, err := signInPath()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	home, err := os.MkdirTemp(s.t.TempDir(), "home")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	at := fmt.Sprintf("%s:%d", s.served.Pool.EntryName(), s.at("sip-"+by).Port())
	began := time.Now()
	c := exec.CommandContext(ctx, path, strings.TrimPrefix(u.SIPAddress, "sip:"), u.Login, at, by, s.trust, home)
	if err := untilSignedOn(c, u.Password); err != nil {
		return fmt.Errorf("%w\n%s", err, s.since(began))
	}
	return nil
}

// since is what the pool has seen since then.
func (s *soaked) since(then time.Time) string {
	var b strings.Builder
	for _, e := range s.served.Pool.History.All(0) {
		if e.At.After(then) {
			fmt.Fprintf(&b, "%s %s %s %s %s\n", e.At.Format("05.000"), e.Kind, e.Protocol, e.Peer, e.Text)
		}
	}
	return b.String()
}

// untilSignedOn runs the program of pidgin-sipe until it has signed on, and lets it sign off.
func untilSignedOn(c *exec.Cmd, password string) error {
	stdin, err := c.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	fmt.Fprintln(stdin, password) // fails if it has ended, which Wait tells
	var events []string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		events = append(events, lines.Text())
		if lines.Text() == "SIGNIN signed-on" {
			stdin.Close()
		}
	}
	err = c.Wait()
	if want := "SIGNIN signed-on SIGNIN signed-off"; err != nil || strings.Join(events, " ") != want {
		return fmt.Errorf("pidgin-sipe told %q, %v", events, err)
	}
	return nil
}

// row does something so many times, counts what goes wrong, and prints how long the good ones took.
func (s *soaked) row(name string, count int, do func(i int) error) {
	s.t.Helper()
	began := time.Now()
	bad := 0
	for i := range count {
		if err := do(i); err != nil {
			if bad++; bad < 10 {
				s.t.Errorf("%s %d: %v", name, i+1, err)
			}
		}
	}
	fmt.Printf("soak.%s: %d of %d, %.2f s each\n", name, count-bad, count, time.Since(began).Seconds()/float64(max(count, 1)))
}

// footprint is what may not grow.
type footprint struct {
	goroutines int
	heap       uint64 // bytes in use after a collection
	held       labpool.Held
}

func (f footprint) String() string {
	r := f.held.Registrars
	return fmt.Sprintf("%d goroutines, %.1f MB heap, %d web and %d SIP connections, %d associations, %d subscriptions",
		f.goroutines, float64(f.heap)/1e6, f.held.WebConnections, r.Connections, r.Associations, r.Dialogs)
}

func (s *soaked) footprint() footprint {
	s.t.Helper()
	held, err := s.served.Pool.Held(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), m.HeapAlloc, held}
}

// leakedHeap is how much more may be in use: what the runtime keeps for later is not exact.
const leakedHeap = 2 << 20

// wantNoMore waits, as long as connections may be idle, until everything is as it was.
func (s *soaked) wantNoMore(before footprint) {
	s.t.Helper()
	late := time.After(3 * time.Minute)
	for {
		now := s.footprint()
		if now.held == before.held && now.goroutines <= before.goroutines && now.heap <= before.heap+leakedHeap {
			fmt.Printf("soak.after: %s\n", now)
			return
		}
		select {
		case <-time.After(time.Second):
		case <-late:
			stacks := make([]byte, 1<<20)
			s.t.Errorf("before: %s\nafter: %s\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
			return
		}
	}
}

// TestSoakSignIns signs handsets and pidgin-sipe in to one pool, in a row and at the same time.
func TestSoakSignIns(t *testing.T) {
	s := soak(t)
	warm := func() {
		if err := errors.Join(s.handset(0), s.sipe(0, 0), s.sipe(0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	warm()
	before := s.settled()
	fmt.Printf("soak.before: %s\n", before)
	s.row("handsets", *soakHandsets, func(int) error { return s.handset(0) })
	s.row("sipe", *soakSipe, func(i int) error { return s.sipe(0, i) })
	s.row("parallel", 1, func(int) error {
		errs := make([]error, 2**soakAtOnce)
		var all sync.WaitGroup
		for i := range *soakAtOnce {
			all.Go(func() { errs[2*i] = s.handset(i) })
			all.Go(func() { errs[2*i+1] = s.sipe(i, i) })
		}
		all.Wait()
		return errors.Join(errs...)
	})
	s.wantNoMore(before)
}

// settled is the footprint when the connections of what was before have ended.
func (s *soaked) settled() footprint {
	s.t.Helper()
	late := time.After(3 * time.Minute)
	for {
		if f := s.footprint(); f.held == (labpool.Held{}) {
			return f
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-late:
			s.t.Fatalf("%s", s.footprint())
		}
	}
}

// noise is REGISTERs of strangers by sipp for a time, and the calls that were challenged as they should be.
func (s *soaked) noise(d time.Duration) (calls int, err error) {
	sipp, port := program(s.t, "sipp"), strconv.Itoa(int(s.at("sip-tcp").Port()))
	var all sync.WaitGroup
	errs, free := make([]error, 2), freePorts(s.t, 2) // two of sipp would look for one at the same time
	for i, kind := range []struct {
		mode string
		rate int
	}{{"t1", noiseTogether}, {"tn", noiseApart}} {
		count := int(d.Seconds() * float64(kind.rate))
		calls += count
		all.Go(func() {
			ctx, cancel := context.WithTimeout(s.t.Context(), d+time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, sipp, "127.0.0.1:"+port, "-sf", "testdata/sipp/register.xml", "-t", kind.mode, "-p", free[i],
				"-r", strconv.Itoa(kind.rate), "-m", strconv.Itoa(count), "-recv_timeout", "20000", "-nostdin", "-max_socket", "2000")
			if out, err := c.CombinedOutput(); err != nil {
				errs[i] = fmt.Errorf("%s: %w\n%.4000s", c, err, out)
			}
		})
	}
	all.Wait()
	return calls, errors.Join(errs...)
}

// freePorts are TCP ports that nobody listens on.
func freePorts(t *testing.T, n int) (out []string) {
	t.Helper()
	for range n {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		out = append(out, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return out
}

// TestSoakNoise lets strangers make noise while handsets and pidgin-sipe go on signing in. Nothing of it stays.
func TestSoakNoise(t *testing.T) {
	s := soak(t)
	if _, err := s.noise(10 * time.Second); err != nil { // more than the history keeps of one address
		t.Fatal(err)
	}
	if err := errors.Join(s.handset(0), s.sipe(0, 0), s.sipe(0, 1)); err != nil {
		t.Fatal(err)
	}
	before := s.settled()
	fmt.Printf("soak.before: %s\n", before)
	quiet := make(chan struct{})
	var signing sync.WaitGroup
	signIns := 0
	signing.Go(func() {
		for ; ; signIns++ {
			if err := errors.Join(s.handset(0), s.sipe(0, signIns)); err != nil {
				t.Errorf("sign-in %d in the noise: %v", signIns+1, err)
			}
			select {
			case <-quiet:
				return
			case <-time.After(2 * time.Second):
			}
		}
	})
	calls, began := 0, time.Now()
	for left := *soakNoise; left > 0; left -= noiseRound {
		n, err := s.noise(min(left, noiseRound))
		if err != nil {
			t.Errorf("after %d calls: %v", calls, err)
			break
		}
		calls += n
	}
	took := time.Since(began).Round(time.Second)
	close(quiet)
	signing.Wait()
	fmt.Printf("soak.noise: %d REGISTERs in %s, %d sign-ins of each client meanwhile\n", 2*calls, took, signIns+1)
	s.wantNoMore(before)
}
