package labpool_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const kenmyer = "sip:kenmyer@litwareinc.com"

// keys are made once for all tests, because making one costs more than a boot.
var keys struct {
	sync.Mutex
	made []*rsa.PrivateKey
}

// prepared hands out keys in turn, and begins anew with the first after so many.
func prepared(most int) func(int) (*rsa.PrivateKey, error) {
	n := 0
	return func(bits int) (*rsa.PrivateKey, error) {
		keys.Lock()
		defer keys.Unlock()
		for len(keys.made) < most {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return nil, err
			}
			keys.made = append(keys.made, key)
		}
		n++
		return keys.made[(n-1)%most], nil
	}
}

// room is a pool in virtual time, and the handset that boots in it.
type room struct {
	t       *testing.T
	pool    *labpool.Pool
	profile *configs.Profile
	who     handset.Credentials
	seen    []string
}

// virtual runs f with a pool on a Pipe in virtual time.
func virtual(t *testing.T, cfg labpool.Config, f func(*room)) {
	t.Helper()
	if _, err := prepared(8)(2048); err != nil { // outside of the bubble: it takes no virtual time but much real time
		t.Fatal(err)
	}
	profile, err := configs.LoadProfile(rig.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC))) // the bubble begins in 2000
		cable := ethernet.NewPipe(ethernet.Options{})
		defer cable.Close()
		cfg.Cable, cfg.NewKey = cable, prepared(8)
		pool, err := labpool.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := pool.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(&room{t: t, pool: pool, profile: profile, who: rig.FirstUser(pool.Lab(), profile)})
	})
}

// lent is a cable whose borrower takes out his own stations at the end, and no more. They are at ports for phones.
type lent struct {
	ethernet.Cable
	voice    uint16
	stations []ethernet.Station
}

func (l *lent) Join(c ethernet.StationConfig) (ethernet.Station, error) {
	c.Port.Voice = l.voice
	station, err := l.Cable.Join(c)
	if err == nil {
		l.stations = append(l.stations, station)
	}
	return station, err
}

func (l *lent) Close() error {
	var errs []error
	for _, station := range l.stations {
		errs = append(errs, station.Close())
	}
	return errors.Join(errs...)
}

// phone powers the handset on, with an empty flash.
func (r *room) phone() *rig.Run {
	r.t.Helper()
	r.seen = nil
	run, err := rig.Start(rig.Options{
		Cable: &lent{Cable: r.pool.Cable(), voice: r.pool.Lab().Network.VoiceVLAN}, Profile: r.profile, MAC: net.HardwareAddr{0, 4, 0xf2, 0, 0, 1},
		Credentials: r.who, Flash: &handset.MemoryFlash{},
		Timeout: 45 * time.Second, HandsetKey: prepared(8),
		Observers: []func(timeline.Observation){func(o timeline.Observation) {
			r.seen = append(r.seen, string(o.State)+" "+string(o.Kind)+" "+o.Text)
		}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return run
}

// boot boots once and signs off.
func (r *room) boot() report.Result {
	r.t.Helper()
	return r.stay(0)
}

// stay boots and stays signed in for a while, which may be 0.
func (r *room) stay(d time.Duration) report.Result {
	r.t.Helper()
	run := r.phone()
	result := run.Boot(context.Background())
	if result.Result == report.Success && d > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		result = run.Stay(ctx)
	}
	if err := run.Close(); err != nil {
		r.t.Error(err)
	}
	return result
}

func (r *room) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) log() string { return strings.Join(r.seen, "\n") }

// during runs f beside the handset, which stays signed in.
func (r *room) during(f func(context.Context)) {
	r.t.Helper()
	run := r.phone()
	if result := run.Boot(r.t.Context()); result.Result != report.Success {
		r.t.Fatalf("%s: %s\n%s", result.Code, result.Diagnosis, r.log())
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	stayed := make(chan struct{})
	go func() {
		defer close(stayed)
		run.Stay(ctx)
	}()
	f(r.t.Context())
	cancel()
	<-stayed
	if err := run.Close(); err != nil {
		r.t.Error(err)
	}
}
