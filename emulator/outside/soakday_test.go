//go:build peers && soak

package outside

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
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
)

const (
	dayHandsets = 5
	dayNoise    = time.Minute // a stranger on each port so often
	dayOpen     = 60          // strangers that hold their end open
)

// TestSoakDay keeps handsets signed in for two days of virtual time, in which they renew registration, subscriptions and
// security association again and again, while strangers come and say half of something: the second day leaves no more
// than the first one.
func TestSoakDay(t *testing.T) {
	keys := make([]*rsa.PrivateKey, 6)
	for i := range keys { // outside of the bubble: making keys takes no virtual time but much real time
		var err error
		if keys[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC)))
		d := startDay(t, keys)
		d.until(24 * time.Hour) // after which the history keeps as much as it ever does
		before := d.footprint()
		fmt.Printf("soak.day: %s\n", before)
		d.until(48 * time.Hour)
		after := d.footprint()
		fmt.Printf("soak.day: %s, %d strangers\n", after, d.strangers)
		if held := before.held.Registrars; held.Associations != dayHandsets || held.Dialogs < dayHandsets ||
			after.held != before.held || after.goroutines > before.goroutines || after.heap > before.heap+leakedHeap {
			t.Errorf("before the day %s, after it %s", before, after)
		}
		d.end()
	})
}

// day is a lab on a Pipe with handsets that stay.
type day struct {
	t         *testing.T
	pool      *labpool.Pool
	cable     *ethernet.Pipe
	front     netip.Addr
	stranger  ethernet.Station
	strangers int
	open      []net.Conn // of the last strangers
	began     time.Time

	cancel  context.CancelFunc
	staying sync.WaitGroup
}

func startDay(t *testing.T, keys []*rsa.PrivateKey) *day {
	t.Helper()
	lab, err := configs.LoadLab("litware")
	if err != nil {
		t.Fatal(err)
	}
	lab.Policy.AllowCommonPatterns = true
	lab.Users = nil
	for i := range dayHandsets {
		lab.Users = append(lab.Users, configs.User{
			Name: fmt.Sprint("user", i), SIPAddress: fmt.Sprintf("sip:user%d@litwareinc.com", i), Enabled: true,
			LineURI: fmt.Sprintf("tel:+1206555%04d;ext=%04d", i, i), PIN: fmt.Sprintf("7%04d", i),
		})
	}
	d := &day{t: t, cable: ethernet.NewPipe(ethernet.Options{}), front: lab.FrontEnds[0].Address, began: time.Now()}
	taken := 0
	d.pool, err = labpool.Start(labpool.Config{Lab: lab, Cable: d.cable, SIPTCP: true, NewKey: func(int) (*rsa.PrivateKey, error) {
		taken++
		return keys[taken%len(keys)], nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.stranger, err = d.cable.Join(ethernet.StationConfig{Name: "stranger", MAC: net.HardwareAddr{2, 0, 0, 0, 9, 9}})
	if err == nil {
		err = d.stranger.SetAddress(netip.MustParsePrefix("10.20.0.99/24"), netip.Addr{})
	}
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, d.cancel = context.WithCancel(t.Context())
	for i := range dayHandsets {
		d.phone(ctx, i, keys[i%len(keys)])
	}
	return d
}

// phone boots a handset, which stays signed in until ctx ends, and signs off.
func (d *day) phone(ctx context.Context, i int, key *rsa.PrivateKey) {
	d.t.Helper()
	station, err := d.cable.Join(ethernet.StationConfig{Name: fmt.Sprint("phone", i), MAC: net.HardwareAddr{0, 4, 0xf2, 0, 1, byte(i)}, TTL: 128})
	if err != nil {
		d.t.Fatal(err)
	}
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		d.t.Fatal(err)
	}
	phone, err := handset.New(profile, station, handset.WithNewKey(func(int) (*rsa.PrivateKey, error) { return key, nil }))
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := phone.Boot(ctx, handset.Credentials{Number: fmt.Sprintf("%04d", i), PIN: secret.New(fmt.Sprintf("7%04d", i))})
	if err != nil || out.Machine.State != devicestate.Ready {
		d.t.Fatalf("phone %d ended in %s: %v, %v", i, out.Machine.State, out.Failure, err)
	}
	d.staying.Go(func() {
		out, err := phone.Run(ctx, func(m devicestate.Machine) bool { return m.State == devicestate.Failed })
		if ctx.Err() == nil {
			d.t.Errorf("phone %d did not stay: %v, %v", i, out.Failure, err)
		}
		if err := phone.Close(); err != nil {
			d.t.Errorf("phone %d: %v", i, err)
		}
	})
}

// until lets virtual time pass until so long since the beginning. A stranger comes to each port every so often.
func (d *day) until(at time.Duration) {
	d.t.Helper()
	said := []string{"", "\x16\x03\x01\x02\x00\x01", "GET /CertProv", "REGISTER sip:litwareinc.com SIP/2.0\r\nContent-Length: 100\r\n\r\n"}
	for time.Since(d.began) < at {
		for _, port := range []uint16{80, 443, 5060, 5061} {
			conn, err := d.stranger.DialTCP(d.t.Context(), netip.AddrPortFrom(d.front, port))
			if err != nil {
				d.t.Fatal(err)
			}
			d.strangers++
			io.WriteString(conn, said[d.strangers%len(said)]) // fails if the pool closes before
			d.open = append(d.open, conn)
		}
		for len(d.open) > dayOpen { // the pool has ended it
			d.open[0].Close()
			d.open = d.open[1:]
		}
		time.Sleep(dayNoise)
	}
	time.Sleep(10 * time.Minute) // what was opened last has ended, by the pool alone
	synctest.Wait()
}

func (d *day) footprint() footprint {
	d.t.Helper()
	held, err := d.pool.Held(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), m.HeapAlloc, held}
}

func (d *day) end() {
	d.t.Helper()
	d.cancel()
	d.staying.Wait()
	for _, conn := range d.open {
		conn.Close()
	}
	if err := d.pool.Close(); err != nil {
		d.t.Error(err)
	}
	if err := d.cable.Close(); err != nil {
		d.t.Error(err)
	}
}
