package rig_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/handset"
	"github.com/phone-edition/lpe/emulator/labpool/registrar"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// tally counts what a handset does in months, of which no timeline is kept.
type tally struct {
	refreshes, renewals, subscriptions, certificates, queries, leases int

	states    map[devicestate.State]int
	diagnosed []string
}

func (y *tally) observe(o timeline.Observation) {
	switch o.Kind {
	case timeline.Transition:
		y.states[o.State]++
	case timeline.Diagnosis:
		y.diagnosed = append(y.diagnosed, o.At.Format(time.DateTime)+" "+o.Code+" "+o.Text)
	case timeline.Note:
		switch {
		case o.Text == renewingAssociation:
			y.renewals++
		case strings.HasPrefix(o.Text, "the lease of ") && strings.Contains(o.Text, "is renewed for 8h0m0s"):
			y.leases++
		}
	case timeline.Received:
		switch {
		case o.State == devicestate.Ready && strings.HasPrefix(o.Text, "200 OK to REGISTER"):
			y.refreshes++
		case o.State == devicestate.Ready && strings.HasPrefix(o.Text, "200 OK to SUBSCRIBE"):
			y.subscriptions++
		}
	case timeline.Sent:
		switch {
		case strings.HasSuffix(o.Text, "GetAndPublishCert"):
			y.certificates++
		case o.Text == "POST /RequestHandler/ucdevice.upx":
			y.queries++
		}
	}
}

// TestNinetyDays keeps a handset signed in for 90 days (nine under the race detector) with a certificate that has to be
// renewed meanwhile: nobody signs out, nothing goes wrong, and not one goroutine is left over.
func TestNinetyDays(t *testing.T) {
	const days = signedInDays
	began := time.Now()
	virtual(t, "litware", rig.DefaultProfile, func(s *setting) {
		s.Observers = nil // of what is kept
		y := &tally{states: map[devicestate.State]int{}}
		flash := &handset.MemoryFlash{}
		s.Lab.WebServices.CertificateHours, s.Flash = days/3*24, flash
		s.Observers = append(s.Observers, y.observe)
		run := s.start()
		s.wantSuccess(run.Boot(context.Background()))
		first, err := flash.Load()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		goroutines := runtime.NumGoroutine()
		*y = tally{states: map[devicestate.State]int{}}
		ctx, cancel := context.WithTimeout(context.Background(), days*24*time.Hour)
		defer cancel()
		s.wantSuccess(run.Stay(ctx))
		synctest.Wait()
		if got := runtime.NumGoroutine(); got > goroutines {
			t.Errorf("%d goroutines, %d before", got, goroutines)
		}
		if y.refreshes < 12_000*days/90 || y.renewals < 3*days || y.subscriptions < 30_000*days/90 || y.queries < days-1 || y.certificates < 3 || y.leases < 5*days {
			t.Errorf("in %d days: %+v", days, y)
		}
		t.Logf("%d refreshes, %d renewals of the association, %d of subscriptions, %d certificates, %d update queries, %d of the lease", y.refreshes, y.renewals, y.subscriptions, y.certificates, y.queries, y.leases)
		for state := range y.states {
			if !slices.Contains([]devicestate.State{devicestate.Ready, devicestate.UpdateCheck, devicestate.Provision, devicestate.WebTicket, devicestate.Enroll}, state) {
				t.Errorf("entered %s", state)
			}
		}
		if len(y.diagnosed) != 0 {
			t.Errorf("diagnosed %q", y.diagnosed)
		}
		last, err := flash.Load()
		if err != nil || last.EPID != first.EPID || last.SIPAddress != first.SIPAddress || slices.Equal(last.Certificate, first.Certificate) {
			t.Errorf("%v, epid %s then %s, user %s then %s, or the first certificate", err, first.EPID, last.EPID, first.SIPAddress, last.SIPAddress)
		}
		if list := run.Pool.Registrars[0].Registrations(); len(list) != 1 || list[0].State != registrar.Registered {
			t.Errorf("%+v", list)
		}
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%v of wall time", time.Since(began))
}

// TestFortnightOfTrouble loses the connection in each way, twice a day for two weeks (under the race detector four times
// a day for two days): the handset is always back, and nothing of the old connections is left over.
func TestFortnightOfTrouble(t *testing.T) {
	ready(t, nil, func(x *signedIn) {
		before := x.load()
		x.wantSuccess(x.stay(time.Hour))
		goroutines := runtime.NumGoroutine()
		lost := 0
		for n := range lossesADay * troubleDays {
			loss := losses[n%len(losses)]
			loss.lose(x)
			x.stay(loss.within + time.Hour)
			loss.mend(x)
			x.wantSuccess(x.stay(24*time.Hour/lossesADay - time.Hour))
			lost += len(x.at(timeline.Transition, string(devicestate.Provision)))
			for _, o := range x.path() {
				if o == devicestate.WebTicket || o == devicestate.Failed {
					x.t.Fatalf("after %s: %v", loss.name, x.path())
				}
			}
			x.forget()
		}
		synctest.Wait()
		if got := runtime.NumGoroutine(); got > goroutines {
			x.t.Errorf("%d goroutines, %d before", got, goroutines)
		}
		if lost < lossesADay*troubleDays {
			x.t.Errorf("the connection was lost %d times", lost)
		}
		if after := x.load(); after.EPID != before.EPID || !slices.Equal(after.Certificate, before.Certificate) {
			x.t.Error("another endpoint or certificate")
		}
		if got := x.registration(); got != registrar.Registered {
			x.t.Errorf("the pool has the endpoint as %q", got)
		}
	})
}
