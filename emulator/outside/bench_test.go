//go:build bench && unix

package outside

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	benchRounds  = 20
	benchBoots   = 10 // a round
	idleHandsets = 500
	atOnce       = 20 // boots at a time

)

// unsignedMessages of a boot are REGISTER #1 to #3 and their challenges, which build the association.
const unsignedMessages = 6

// world is a lab with a user for each handset.
type world struct {
	lab     *configs.Lab
	profile *configs.Profile
	cable   ethernet.Cable
	pool    *labpool.Pool
	keys    []*rsa.PrivateKey

	tls atomic.Int64 // handshakes, that of TLS-DSK among them, as the key log counts them
	sip atomic.Int64 // SIP messages
}

func newWorld(t *testing.T, cable ethernet.Cable, handsets int, keys []*rsa.PrivateKey) *world {
	t.Helper()
	w := &world{cable: cable, keys: keys}
	var err error
	if w.lab, err = configs.LoadLab("litware"); err != nil {
		t.Fatal(err)
	}
	if w.profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
		t.Fatal(err)
	}
	w.lab.Network.Subnet, w.lab.Network.Leases = netip.MustParsePrefix("10.20.0.0/20"), 2000
	w.lab.Policy.AllowCommonPatterns = true
	w.lab.Users = nil
	for i := range handsets {
		w.lab.Users = append(w.lab.Users, configs.User{
			Name: fmt.Sprint("user", i), SIPAddress: fmt.Sprintf("sip:user%d@litwareinc.com", i), Enabled: true,
			LineURI: fmt.Sprintf("tel:+1206555%04d;ext=%04d", i, i), PIN: fmt.Sprintf("7%04d", i),
		})
	}
	if w.pool, err = labpool.Start(labpool.Config{Lab: w.lab, Cable: cable, Forgets: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.pool.Close(); err != nil {
			t.Error(err)
		}
		if err := cable.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) Write(line []byte) (int, error) {
	w.tls.Add(1)
	return len(line), nil
}

// phone is a handset with its station.
type phone struct {
	*handset.Handset
	station ethernet.Station
}

// boot boots handset i until it is Ready.
func (w *world) boot(t *testing.T, i int, newKey func(int) (*rsa.PrivateKey, error)) *phone {
	t.Helper()
	station, err := w.cable.Join(ethernet.StationConfig{
		Name: fmt.Sprint("handset", i), MAC: net.HardwareAddr{0, 4, 0xf2, 0, byte(i >> 8), byte(i)}, TTL: w.profile.IPTTL,
	})
	if err != nil {
		t.Error(err)
		return nil
	}
	watch := timeline.New("handset")
	watch.Observe(func(o timeline.Observation) {
		if o.Protocol == "sip" {
			w.sip.Add(1)
		}
	})
	h, err := handset.New(w.profile, station, handset.WithTimeline(watch), handset.WithKeyLog(w), handset.WithNewKey(newKey))
	if err != nil {
		t.Error(err)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := h.Boot(ctx, handset.Credentials{Number: fmt.Sprintf("%04d", i), PIN: secret.New(fmt.Sprintf("7%04d", i))})
	if err != nil || out.Machine.State != devicestate.Ready {
		t.Errorf("handset %d ended in %s: %v %v", i, out.Machine.State, out.Failure, err)
	}
	return &phone{h, station}
}

// boots boots n handsets, some at a time.
func (w *world) boots(t *testing.T, first, n int, newKey func(i int) func(int) (*rsa.PrivateKey, error)) []*phone {
	t.Helper()
	out := make([]*phone, n)
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			out[i] = w.boot(t, first+i, newKey(i))
			<-slots
		})
	}
	wg.Wait()
	return out
}

func (w *world) prepared(i int) func(int) (*rsa.PrivateKey, error) {
	return func(int) (*rsa.PrivateKey, error) { return w.keys[i%len(w.keys)], nil }
}

func fresh(int) func(int) (*rsa.PrivateKey, error) {
	return func(bits int) (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, bits) }
}

// shutdown signs off and unplugs.
func shutdown(phones []*phone) {
	for _, p := range phones {
		if p != nil {
			_ = p.Close() // what matters was measured before
			_ = p.station.Close()
		}
	}
}

func makeKeys(t *testing.T, n int) []*rsa.PrivateKey {
	t.Helper()
	keys := make([]*rsa.PrivateKey, n)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	return keys
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spent runs work and returns its processor time and allocations, divided by n.
func spent(n int, work func()) (time.Duration, float64) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpu()
	work()
	took := cpu() - began
	runtime.ReadMemStats(&after)
	return took / time.Duration(n), float64(after.Mallocs-before.Mallocs) / float64(n)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// cost is what one boot takes, in processor time and allocations, and what its bare cryptography takes.
type cost struct {
	boot, floor time.Duration
	allocs      float64
	operations  operations
}

func (c cost) overFloor() float64 { return float64(c.boot) / float64(c.floor) }

// measure boots in rounds, each followed by the bare operations of its boots. Of each the round that was disturbed the
// least counts: on a computer that others use too, disturbance only adds, and comes and goes.
func measure(t *testing.T, cable ethernet.Cable, keys []*rsa.PrivateKey) cost {
	w := newWorld(t, cable, benchRounds*benchBoots+1, keys)
	warm := w.boot(t, benchRounds*benchBoots, w.prepared(0))
	shutdown([]*phone{warm})
	best := cost{boot: time.Hour, floor: time.Hour}
	for round := range benchRounds {
		w.tls.Store(0)
		w.sip.Store(0)
		var handsets []*phone
		boot, allocs := spent(benchBoots, func() { handsets = w.boots(t, round*benchBoots, benchBoots, w.prepared) })
		best.operations = operations{outerTLS: int(w.tls.Load())/benchBoots - 1, sip: int(w.sip.Load())/benchBoots - unsignedMessages}
		best.boot, best.allocs = min(best.boot, boot), allocs
		best.floor = min(best.floor, best.operations.bare(t, keys, false))
		shutdown(handsets)
	}
	return best
}

// withKeygen is the ratio of means: how long it takes to make a key is a matter of luck.
func withKeygen(t *testing.T, cable ethernet.Cable, keys []*rsa.PrivateKey, o operations) float64 {
	const boots = 40
	w := newWorld(t, cable, boots, keys)
	var handsets []*phone
	took, _ := spent(boots, func() { handsets = w.boots(t, 0, boots, fresh) })
	shutdown(handsets)
	var floor time.Duration
	for range boots / floorRounds {
		floor += o.bare(t, keys, true)
	}
	return float64(took) / float64(floor/(boots/floorRounds))
}

// virtual runs f in a bubble whose clock stands where certificates are valid.
func virtual(t *testing.T, f func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2013, 5, 1, 0, 0, 0, 0, time.UTC)))
		f(t)
	})
}

// TestBench prints one figure a line as name: value.
func TestBench(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(rig.GCPercent))
	keys := makeKeys(t, 8)
	var onPipe cost
	virtual(t, func(t *testing.T) { onPipe = measure(t, ethernet.NewPipe(ethernet.Options{}), keys) })
	onSegment := measure(t, ethernet.NewSegment(ethernet.Options{}), keys)

	fmt.Printf("boot.operations: %s\n", onPipe.operations)
	fmt.Printf("boot.cpu_ms: %.2f\n", ms(onPipe.boot))
	fmt.Printf("boot.floor_ms: %.2f\n", ms(onPipe.floor))
	fmt.Printf("boot.cpu_over_floor: %.2f\n", onPipe.overFloor())
	fmt.Printf("boot.cpu_over_floor_segment: %.2f\n", onSegment.overFloor())
	fmt.Printf("cable.cpu_ms: %.2f\n", ms(cableCPU(t)))
	virtual(t, func(t *testing.T) {
		fmt.Printf("boot.cpu_over_floor_with_keygen: %.2f\n", withKeygen(t, ethernet.NewPipe(ethernet.Options{}), keys, onPipe.operations))
	})
	fmt.Printf("boot.wall_ms: %.0f\n", ms(bootWall(t)))
	fmt.Printf("boot.allocs: %.0f\n", onPipe.allocs)
	fmt.Printf("idle.bytes_per_handset: %d\n", idleBytes(t, keys))
}

// bootWall is the wall time of one boot of the program's default lab, the pool's start left out.
func bootWall(t *testing.T) time.Duration {
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	run, err := rig.Start(rig.Options{Lab: lab, Profile: profile, Credentials: rig.FirstUser(lab, profile), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	result := run.Boot(context.Background())
	took := time.Since(began)
	if err := run.Close(); err != nil || result.Code != "" {
		t.Fatalf("%s %v", result.Code, err)
	}
	return took
}

// idleBytes is what a registered idle handset and the pool's side of it hold.
func idleBytes(t *testing.T, keys []*rsa.PrivateKey) int64 {
	w := newWorld(t, ethernet.NewSegment(ethernet.Options{}), idleHandsets, keys)
	before := inUse()
	handsets := w.boots(t, 0, idleHandsets, w.prepared)
	after := inUse()
	shutdown(handsets)
	return (after - before) / idleHandsets
}

func inUse() int64 {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func (o operations) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d outer TLS handshakes (1 with client certificate), 1 TLS-DSK handshake, %d SIP messages signed and verified", o.outerTLS, o.sip))
}
